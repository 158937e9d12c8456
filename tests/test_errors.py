"""Errors of the whole program: the message, the exit code, and an empty stdout."""

import bz2
import contextlib
import io
import json
import lzma
import os
import pickle
import pkgutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cases import each_case
from tool import TSOFT, environment, forked, here, out, started, status_on_terminal
from tsoft.input import targets
from tsoft.input.limits import size_text

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def complaint(*arguments: str, stdin: str | bytes | None = None, code: int) -> str:
    """Return the message of a run that fails before its first result."""
    done = here(*arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("tsoft: error: ")
    assert "Traceback" not in done.stderr
    return done.stderr.removeprefix("tsoft: error: ").removesuffix("\n")


# Errors in the input

COLUMN = "expected one number per line, as in the first line, got 2 fields"
MIXED = "commas and semicolons in one line; separate fields with only one of them, and write 1.5 instead of 1,5"
COLUMNS = "if 'b' names the rows, pass --id-column b; or list the logits with --columns 'a'"
INDEX = "field 2: the index 1 repeats; add a column row to separate the vectors"
NO_NUMBERS = "the header has no numbers; add a column logit, logprob, prob or energy"
TWICE = "the header has two columns called 'label'; remove or rename one"
CARRIAGE_RETURN = "carriage return inside the line; convert the line endings with tr '\\r' '\\n'"
UTF16 = "if it is UTF-16, convert it with iconv -f UTF-16 -t UTF-8"
READ = {
    "empty": ("", "stdin: no logits: the input is empty"),
    "only comments": ("\n# nothing\n", "stdin: no logits: the input is empty"),
    "a word": ("hello\n", "stdin:1: field 1: 'hello' is not a number; if this line is a header, add a row below it"),
    "a word in a row": ("1 2\n3 x 4\n", "stdin:2: field 2: 'x' is not a number"),
    "a field that is empty": ("1,2\n3,,4\n", "stdin:2: field 2: empty; write -inf to mask a class"),
    "a minus sign of print": ("1 −2\n", "stdin:1: field 2: '−2' is not a number; did you mean -2?"),
    "an underscore": ("1_000 2\n", "stdin:1: field 1: '1_000' is not a number"),
    "hexadecimal": ("1 0x10\n", "stdin:1: field 2: '0x10' is not a number"),
    "a decimal comma": ("a b\n1 2,5,\n", "stdin:2: field 4: empty; write -inf to mask a class"),
    "both under a header": ("a,b\n1,2;3\n", f"stdin:2: {MIXED}"),
    "commas and semicolons": ("1,5;2,5\n", f"stdin:1: {MIXED}"),
    "a comma at the end": (
        "1,2,\n",
        "stdin:1: the line ends with a separator; remove it from each line, or write the number after it",
    ),
    "some labels": ("cat=2 1\n", "stdin:1: field 2: '1' has no label; label all numbers or none"),
    "decimal commas of a column": ("cat;2,5\ndog;1,5\n", f"stdin:1: {MIXED}"),
    "a label's number": ("cat=2 dog=x\n", "stdin:1: field 2: 'x' is not a number"),
    "too large": ("1 1e400\n", "stdin:1: field 2: '1e400' is too large; the largest number is 1.8e308"),
    "a header's name again": ("label,label,logit\na,b,2\n", f"stdin:1: {TWICE}"),
    "a header without a number": ("label,index\na,2\n", f"stdin:1: {NO_NUMBERS}"),
    "an index again": ("label,index,logit\na,1,2\nb,1,2\n", f"stdin:3: {INDEX}"),
    "old line ends": ("1 2\r3 4\r", f"stdin:1: {CARRIAGE_RETURN}"),
    "NUL": (b"1\x00 2\n", "stdin:1: not UTF-8 text (a NUL byte); convert it to UTF-8"),
    "UTF-16 without a mark": ("1 2\n".encode("utf-16-le"), f"stdin:1: not UTF-8 text (a NUL byte); {UTF16}"),
    "NaN": ("1 2\n# c\n3 nan\n", "stdin:3: field 2: NaN is not a logit; write -inf to mask a class"),
    "+inf": ("1 inf\n", "stdin:1: field 2: +inf is not a logit; logits are finite, or -inf for a masked class"),
    "all masked": ("1 2\n-inf -inf\n", "stdin:2: every class is masked (-inf); at least one needs a finite logit"),
    "NaN in a column": ("1\n2\nnan\n", "stdin:3: NaN is not a logit; write -inf to mask a class"),
    "a blank line between rows": ("1 2\n\n3 4\n", "stdin:2: blank line between two rows; remove it"),
    "a short row": ("a,b\n1,2\n3\n", "stdin:3: expected 2 fields, as in the header, got 1"),
    "only missing numbers in the first row": (
        "NA,NA\n2,3\n", "stdin:1: field 1: 'NA' is not a number; write -inf to mask a class",
    ),
    "a missing number in the first line": (
        "None\n2\n3\n", "stdin:1: field 1: 'None' is not a number; write -inf to mask a class",
    ),
    "an empty field in a table": ("a\tb\tc\n1\t\t3\n", "stdin:2: field 2: empty; write -inf to mask a class"),
    "a long row": ("a b\n1 2 3\n", "stdin:2: expected 2 fields, as in the header, got 3"),
    "a word under a header": ("a,b\n1,x\n", f"stdin:2: field 2: 'x' is not a number; {COLUMNS}"),
    "NaN under a header": ("a,b\n1,nan\n", "stdin:2: field 2: NaN is not a logit; write -inf to mask a class"),
    "a column of two": ("1\n2 3\n", f"stdin:2: {COLUMN}"),
    "a label alone": ("cat 1\ndog\n", "stdin:2: expected a label and a number, as in the first line, got 'dog'"),
    "names of rows without a column": (
        '"a" "b"\n"1" 1.5 2\n',
        "stdin:2: expected 2 fields, as in the header, got 3; if the first field names the row, write id before the"
        " first name of the header",
    ),
    "a line for Excel": (
        "sep=;\na;b\n1;2\n", "stdin:1: 'sep=;' is a line for Excel, which names the separator; remove it",
    ),
    "a separator below a header": ("cat,dog\n2,1,\n", "stdin:2: expected 2 fields, as in the header, got 3"),
    "an array with an unknown name": (
        '{"scores": [1, 2]}\n',
        "stdin:1: 'scores': expected a number, got an array; if it has the numbers of all classes, rename it to"
        " logits, probs, logprobs or energies",
    ),
    "numbered fields": (
        "1:4.5 2:-0.5 3:0.8 0\n",
        "stdin:1: '1:4.5' is not a number; write 1=4.5, and nothing but the classes in the line",
    ),
    "a number that is a word": ("label,logit\ncat,1\ndog,x\n", "stdin:3: field 2: 'x' is not a number"),
    "no class": ("label,logit\n", "stdin:1: no classes below the header; add one line per class"),
    "bytes": (b"1 2\n3 \xff\n", "stdin:2: not UTF-8 text (byte 0xff); convert it to UTF-8"),
    "half a character": (b"\xff\xfe1\x00 ", "stdin: not UTF-16 text (truncated data); save it as UTF-8"),
    "an escape": ("1 \x1b[31m2\n", "stdin:1: field 2: '\\x1b[31m2' is not a number"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), READ.values(), ids=READ.keys())
def test_errors_in_the_input(text: str | bytes, message: str) -> None:
    assert complaint("compute", stdin=text, code=1) == message


def zipped(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return data.getvalue()


PICKLE = "a Python pickle, which tsoft never loads; save the data as text or with numpy.save"
IMAGE, PROGRAM = (f"{kind}; pass the numbers as text or as .npy" for kind in ("an image", "a program"))
KINDS = {
    "a pickle": (pickle.dumps([1, 2]), PICKLE),
    "an old pickle": (pickle.dumps([1, 2], 2), PICKLE),
    "the oldest pickle": (pickle.dumps([1, 2], 0), PICKLE),
    "Excel": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook; save the sheet as CSV"),
    "a zip": (zipped("a.txt"), "a zip file without .npy arrays; save the arrays with numpy.savez"),
    "bzip2": (bz2.compress(b"1 2"), "a bzip2 file; unpack it with bunzip2"),
    "xz": (lzma.compress(b"1 2"), "an xz file; unpack it with unxz"),
    "HDF5": (
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file; save the array with numpy.save('logits.npy', h5py.File('FILE')['NAME'][:])",
    ),
    "GGUF": (b"GGUF\3\0\0\0", "a GGUF model; run it with tsoft next --model FILE"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", IMAGE),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF", IMAGE),
    "ELF": (b"\x7fELF\2\1\1\0", PROGRAM),
    "SQLite": (
        b"SQLite format 3\0\x10",
        "an SQLite database; save the table with sqlite3 -csv -header FILE 'SELECT * FROM NAME'",
    ),
    "a dictionary": (b"{'cat': 2.0, 'dog': 1.0}", "a dictionary that Python printed; print it with json.dumps"),
    "an object": (
        b"ChatCompletion(id='c', choices=[Choice(finish_reason='stop', index=0)])",
        "an object that Python printed; print it as JSON: print(response.model_dump_json())",
    ),
    "another object": (
        b"[RequestOutput(request_id=0, prompt='a', outputs=[])]",
        "an object that Python printed; print it as JSON: print(json.dumps(output, default=vars))",
    ),
    "an object on several lines": (
        b"GenerateContentResponse(\n  candidates=[\n    Candidate(\n",
        "an object that Python printed; print it as JSON: print(response.model_dump_json())",
    ),
    "a protobuf message": (
        b'candidates {\n  content {\n    role: "model"\n',
        "a protobuf message as text; print it with google.protobuf.json_format.MessageToJson",
    ),
    "a tuple": (b"(2.5, -1.0)\n", "a tuple that Python printed; print it as a list: print(list(values))"),
    "a parameter": (
        b"Parameter containing:\ntensor([1.5, 2.5], requires_grad=True)\n",
        "a parameter that PyTorch printed; print its numbers: print(parameter.data)",
    ),
    "a tensor of TensorFlow": (
        b"<tf.Tensor: shape=(1,), dtype=float32, numpy=array([1.5], dtype=float32)>\n",
        "a tensor that TensorFlow printed; print its numbers: print(tensor.numpy())",
    ),
    "a dictionary of arrays": (
        b"{'logits': array([1.5, 2.5])}\n",
        "a dictionary that Python printed; print it with json.dumps(…, default=lambda array: array.tolist())",
    ),
    "a tensor of Paddle": (
        b"Tensor(shape=[2], dtype=float32, place=Place(cpu), stop_gradient=True,\n       [1.50000000, 2.50000000])\n",
        "a tensor that Paddle printed; print its numbers: print(tensor.numpy())",
    ),
    "a sparse matrix": (
        b"  (0, 1)\t1.5\n  (1, 0)\t2.5\n",
        "a sparse matrix that SciPy printed; print its numbers: print(matrix.toarray())",
    ),
    "IPython": (
        b"Out[12]: \narray([[1.5, 2.5],\n       [0. , 1. ]])\n",
        "an output of IPython; remove the prompt before the numbers",
    ),
    "Octave": (
        b"logits =\n\n   1.5000   2.5000\n\n",
        "a matrix that MATLAB or Octave printed; save it with dlmwrite('FILE.csv', matrix, 'precision', 17)",
    ),
    "Julia": (
        "1×2 Matrix{Float64}:\n 1.5  2.5\n".encode(),
        "an array that Julia printed; save it: using DelimitedFiles; writedlm(\"FILE.csv\", array, ',')",
    ),
    "GROMACS": (
        b'# created by gmx energy\n@    title "Energies"\n@TYPE xy\n    0.0  -1.5\n',
        "a GROMACS or Grace file (.xvg); remove its lines of settings: grep -v '^[@&]' FILE",
    ),
    "polars": (
        "shape: (1, 2)\n┌─────┬─────┐\n│ a   ┆ b   │\n".encode(),
        "a data frame that polars printed; save it with df.write_csv('FILE.csv')",
    ),
    **{
        name: (
            text,
            "a table with drawn lines, as in Markdown; save it as CSV: commas between fields, and no such lines",
        )
        for name, text in {
            "a Markdown table": b"| a | b |\n| :-- | --: |\n| 1.5 | 2.5 |\n",
            "an Org table": b"| a | b |\n|---+---|\n| 1.5 | 2.5 |\n",
            "a reST table": b"===  ===\n a    b\n===  ===\n1.5  2.5\n",
            "a table of SQL": b"+-----+-----+\n| a   | b   |\n+-----+-----+\n",
        }.items()
    },
    "a web page": (b"<!DOCTYPE html>\n<html>", "a web page, perhaps the error of a proxy; save the server's response"),
    "a message": (
        b"content='a' additional_kwargs={} response_metadata={}",
        "an object that Python printed; print it as JSON: print(json.dumps(response, default=vars))",
    ),
    "an object in a field": (
        b"logprobs_result=LogprobsResult(top_candidates=[]) index=0",
        "an object that Python printed; print it as JSON: print(json.dumps(response, default=vars))",
    ),
    "an object of Node.js": (
        b"{\n  id: 'x',\n  choices: [ [Object] ]\n}\n",
        "an object that Node.js printed; print it with JSON.stringify",
    ),
    "headers": (
        b'HTTP/1.1 200 OK\r\n\r\n{"choices": [{"logprobs": {}}]}',
        "JSON inside another text; save the JSON alone",
    ),
    "Markdown": (b'```json\n{\n  "top_logprobs": []\n}\n```\n', "JSON inside another text; save the JSON alone"),
    "an output": (
        b"CausalLMOutputWithPast(loss=None, logits=tensor([[[1.]]]))",
        "a model's output that Python printed; save it with numpy.save('logits.npy', output.logits.float().numpy())",
    ),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\n", "a PDF file; pass the numbers as text or as .npy"),
}


@pytest.mark.parametrize(("data", "kind"), KINDS.values(), ids=KINDS.keys())
def test_a_file_that_is_no_text_is_named(data: bytes, kind: str) -> None:
    assert complaint("compute", stdin=data, code=1) == f"stdin: this is {kind}"


def test_a_comment_may_contain_json() -> None:
    assert out("compute", stdin='# from {"logprobs": 5}\n2 1\n') == out("compute", "2", "1")


@pytest.mark.parametrize(("data", "kind"), [(b"PAR1\x15\0\0PAR1", "a Parquet file"), (b"GGUF\3\0\0\0", "a GGUF model")])
def test_a_binary_file_of_labels_is_named_even_if_it_is_valid_utf_8(data: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(data)
    assert f"{path}: this is {kind}" in complaint("compute", "1", "--labels", f"@{path}", code=1)


@pytest.mark.parametrize("word", ["GGUF", "PAR1", "BZh", "MZ", "BM", "Rar!"])
def test_a_text_that_starts_like_a_binary_file_is_text(word: str) -> None:
    """In Latin-1, it is an error about its bytes; in UTF-8, its first word is a label."""
    message = complaint("compute", stdin=f"{word} é 2\n".encode("latin-1"), code=1)
    assert message == "stdin:1: not UTF-8 text (byte 0xe9); convert it to UTF-8"
    assert out("compute", stdin=f"{word} 2\né 1\n") == out("compute", "2", "1")


def test_a_label_may_be_a_nul(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(b"a\n\0\n")
    done = here("compute", "1", "1", "--labels", f"@{path}", "-f", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["labels"] == ["a", "\0"]


def test_a_pickle_in_the_place_of_another_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(pickle.dumps([1, 2]))
    for typed in (
        ["compute", "-i", str(path)],
        ["compute", "1", "--labels", f"@{path}"],
        ["compute", "1", "--settings", str(path)],
        ["distill", "1", "2", "--targets", str(path)],
        ["next", "x", "--ngram", str(path)],
    ):
        assert complaint(*typed, code=1) == f"{path}: this is {PICKLE}"


@each_case("form", ["csv", "json", "jsonl", "table"])
@each_case("text", ["", "1 nan\n", "a,b\n1\n"])
def test_no_format_writes_anything_before_its_first_record(text: str, form: str) -> None:
    complaint("compute", "--format", form, stdin=text, code=1)


@each_case(
    ("flag", "text", "message"),
    [
        (
            "--probs",
            "60 40",
            "field 1: 60 is not a probability; probabilities are from 0 to 1; divide percentages by 100",
        ),
        ("--probs", "0.5 150", "field 2: 150 is not a probability; probabilities are from 0 to 1"),
        ("--probs", "-0.5 1", "field 1: -0.5 is not a probability; probabilities are from 0 to 1"),
        ("--probs", "0 0", "every class is masked (0); at least one needs a probability above 0"),
        ("--logprobs", "0.5 -1", "field 1: 0.5 is not a log-probability; log-probabilities are at most 0"),
        ("--probs", "1,,0", "field 2: empty; write 0 to mask a class"),
        ("--energies", "label,energy\na,1\nb,\n", "field 2: empty; write inf to mask a class"),
        ("--probs", "nan 1", "field 1: NaN is not a probability; write 0 to mask a class"),
        ("--probs", "[null]", "field 1: expected a number, got null; write 0 to mask a class"),
        ("--energies", "[NaN, 1]", 'field 1: NaN is not an energy; write "inf" to mask a class'),
        ("--energies", "1 -inf", "field 2: -inf is not an energy; energies are finite, or inf for a masked class"),
        ("--energies", "inf inf", "every class is masked (inf); at least one needs a finite energy"),
        ("--probs", "label,energy\na,1", "column 'energy' contains energies, not probabilities; remove --probs"),
    ],
)
def test_quantities(flag: str, text: str, message: str) -> None:
    line = 3 if text.startswith("label,energy\na,1\n") else 1
    assert complaint("compute", flag, stdin=text, code=1) == f"stdin:{line}: {message}"


def test_files(tmp_path: Path) -> None:
    missing, folder = tmp_path / "none.txt", tmp_path
    assert complaint("compute", "-i", str(missing), code=1) == f"{missing}: No such file or directory"
    assert complaint("compute", "-i", str(folder), code=1) == f"{folder}: the folder has no files"
    (tmp_path / "a.txt").write_text("1 2\n3 x\n")
    assert complaint("compute", "-i", str(tmp_path / "a.txt"), code=1).startswith(f"{tmp_path / 'a.txt'}:2: field 2")


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read every file")
def test_a_file_without_read_permission(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 2")
    (tmp_path / "a.txt").chmod(0)
    assert complaint("compute", "-i", str(tmp_path / "a.txt"), code=1).endswith("Permission denied")


@posix
def test_control_characters_in_names_are_escaped(tmp_path: Path) -> None:
    name = str(tmp_path / "\x1b[31mx")
    assert complaint("compute", "-i", name, code=1).endswith("\\x1b[31mx: No such file or directory")
    message = complaint("compute", "1", "\N{RIGHT-TO-LEFT OVERRIDE}2", code=2)
    assert message.splitlines()[0] == "argument 2: '\\u202e2' is not a number"


def test_records_before_an_error_are_written() -> None:
    done = here("compute", "--digits", "3", stdin="2 1\n1 2\n" + "# filler to end the first read\n" * 20_000 + "1 x\n")
    assert (done.returncode, done.stdout) == (1, "0.731\t0.269\n0.269\t0.731\n")
    assert done.stderr == "tsoft: error: stdin:20003: field 2: 'x' is not a number\n"


def test_labels(tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text('{"a": 0, "b": 0}')
    assert complaint("compute", "1", "2", "--labels", f"@{tmp_path / 'wrong.json'}", code=1).endswith(
        "wrong.json: 'a' and 'b' have the same id, 0; ids must be unique"
    )
    (tmp_path / "twice.json").write_text('{"a": 0, "b": 1, "a": 2}')
    assert complaint("compute", "1", "2", "--labels", f"@{tmp_path / 'twice.json'}", code=1).endswith(
        "twice.json: the token 'a' occurs twice; write one id per token"
    )
    (tmp_path / "cut.json").write_text('["a", ')
    assert "cut.json:1: " in complaint("compute", "1", "2", "--labels", f"@{tmp_path / 'cut.json'}", code=1)
    assert complaint("compute", "--labels", "@none", "1", code=1) == "none: No such file or directory"
    assert complaint("compute", "--labels", "a,b,c", stdin="1 2\n", code=1) == (
        "stdin:1: 2 classes, but --labels has 3 names; pass one name per class"
    )
    for text in ("a,b\n1,2\n", "a 1\nb 2\n", "a=1 b=2\n", "label,logit\na,1\nb,2\n"):
        message = complaint("compute", "--labels", "a,b", stdin=text, code=1)
        assert message.endswith(": the input already names the classes; remove --labels")


def test_rows_that_do_not_fit_a_header() -> None:
    done = here("compute", "-f", "csv", "--digits", "2", stdin="2 1\n1 2 3\n")
    assert (done.returncode, done.stdout) == (1, "row,tau,0,1\n0,1,0.73,0.27\n")
    problem = "the classes differ from those in the header; use --format jsonl"
    assert done.stderr == f"tsoft: error: stdin:2: {problem}\n"


# Errors in the command

TYPED = {
    "a word": (["1", "hello"], "argument 2: 'hello' is not a number"),
    "NaN": (["1", "-nan"], "argument 2: NaN is not a logit; write -inf to mask a class"),
    "+inf": (["--", "inf", "1"], "argument 1: +inf is not a logit; logits are finite, or -inf for a masked class"),
    "all masked": (["-inf", "-inf"], "every class is masked (-inf); at least one needs a finite logit"),
    "nothing in an argument": (["1", ""], "argument 2: empty; write -inf to mask a class"),
    "a label alone": (["cat=", "dog=1"], "argument 1: no number after cat=; write -inf to mask a class"),
    "some labels": (["cat=2", "1"], "argument 2: '1' has no label; label all numbers or none"),
    "some numbers": (["cat=2", "dog"], "argument 2: 'dog' has no number; write dog=NUMBER"),
    "two names": (["a=1", "b=2", "--labels", "x,y"], "--labels and LABEL=NUMBER are mutually exclusive, since both"),
    "labels that do not match": (["1", "2", "--labels", "x"], "2 classes, but --labels has 1 name; pass one name per"),
    "a negative τ": (["1", "2", "--tau", "-1"], "--tau: '-1' is not a temperature; pass a number from 0 to inf"),
    "a τ of NaN": (["1", "2", "-t", "nan"], "--tau: 'nan' is not a temperature; pass a number from 0 to inf"),
    "a τ that is a word": (["1", "--tau", "abc"], "--tau: 'abc' is not a temperature; pass a number from 0 to inf"),
    "a τ that is missing": (["1", "-t", "1,,2"], "--tau: no temperature between the commas of '1,,2'; remove"),
    "a mistyped option": (["1", "--tua", "2"], "unknown option --tua"),
    "an option of one letter": (["1", "-x"], "unknown option -x"),
    "an option without its value": (["1", "--tau"], "--tau needs a value"),
    "a format": (["1", "-f", "xml"], "--format: unknown value 'xml'; "),
    "digits": (["1", "--digits", "-3"], "--digits: expected a whole number from "),
    "digits that are none": (["1", "--digits", "-1.5"], "--digits: expected a "),
    "a column's gap": (["1,,2"], "argument 1: field 2: empty; write -inf to mask a class"),
    "a gap of probabilities": (["--probs", "1", ""], "argument 2: empty; write 0 to mask a class"),
    "a missing number": (["1", "NA"], "argument 2: 'NA' is not a number; write -inf to mask a class"),
    "no file of labels": (["1", "--labels", "@"], "--labels @ needs a file name"),
    "no file of settings": (["1", "--settings", ""], "--settings needs a file name"),
    "drawn tokens of logits": (["1", "2", "--chosen", "-f", "json"], "--chosen works only with an API response"),
    "a decimal comma": (["0,5", "1,5"], "argument 1: '0,5' is not a number; did you mean 0.5?"),
    "no file": (["-i", ""], "--input needs a file name"),
    "no file to write": (["1", "-o", ""], "--output needs a file name"),
    "stdin for two": (["1", "--tau", "-,-"], "only one --tau - can read stdin"),
    "long json": (["1", "--long", "-f", "json"], "--long has no effect on json; use --format tsv or csv"),
    "logits in csv": (["1", "--with-logits", "-f", "csv"], "--with-logits has no effect on csv; use --format json or jsonl"),  # noqa: E501
    "a format of arguments": (["1", "2", "--input-format", "csv"], "--input-format has no effect on logits that are"),
    "two inputs": (["1", "2", "-i", "x.txt"], "logits as arguments and --input are mutually exclusive"),
    "two kinds": (["1", "--probs", "--energies"], "--energies, --probs and --logprobs are mutually exclusive"),
    "stdin twice": (["--tau", "-"], "--tau - reads stdin; pass the logits as arguments or with -i FILE"),
    "an unknown ending": (["1", "-o", "x.xyz"], "x.xyz: cannot tell the format from the ending .xyz; pass --format"),
}  # fmt: skip


@each_case(("typed", "message"), TYPED.values())
def test_errors_in_the_command(typed: list[str], message: str) -> None:
    assert complaint("compute", *typed, code=2).startswith(message)


def test_a_mistyped_command() -> None:
    assert complaint("compote", code=2) == "unknown command 'compote'; did you mean 'compute'?"


def test_temperatures_from_stdin() -> None:
    assert complaint("compute", "1", "--tau", "-", stdin="1\n2 -1\n", code=1) == (
        "stdin:2: field 2: '-1' is not a temperature; pass a number from 0 to inf"
    )
    assert complaint("compute", "1", "--tau", "-", stdin="", code=1) == "stdin: no temperatures: the input is empty"


@posix
def test_the_module_writes_utf_8_in_any_locale() -> None:
    command = [sys.executable, "-m", "tsoft", "compute", "é=1", "-f", "csv"]
    done = subprocess.run(command, capture_output=True, env=environment(LC_ALL="C"), timeout=60)
    assert (done.returncode, done.stdout.decode()) == (0, "row,tau,é\n0,1.0,1.0\n")


def test_a_label_that_is_not_utf_8() -> None:
    message = complaint("compute", "\udcff=1", code=2)
    assert message == r"the argument: '\xff=1' is not UTF-8 text; type it in UTF-8"


@pytest.mark.parametrize("format", ["table", "tsv", "csv", "json", "npz"])
def test_labels_that_are_not_utf_8_are_an_error_in_every_format(format: str) -> None:
    message = complaint("compute", "--labels", "\udcff,é", "2", "1", "-f", format, code=2)
    assert message == r"--labels: '\xff,é' is not UTF-8 text; type it in UTF-8"


@each_case(
    "arguments",
    [
        ("compute", "a=2", "--id-column", "\udcff"),
        ("compute", "a=2", "--key", "\udcff"),
        ("compute", "a=2", "--columns", "a,\udcff"),
        ("compute", "a=2", "--logit-bias", "\udcff=1"),
        ("solve", "a=2", "b=1", "--prob", "\udcff=0.2"),
        ("next", "--prompt", "\udcff"),
        ("next", "a", "--endpoint", "http://localhost:1", "--remote-model", "\udcff"),
        ("next", "a", "--endpoint", "http://localhost:1/\udcff"),
    ],
)
def test_an_option_that_is_not_utf_8_is_named(arguments: tuple[str, ...]) -> None:
    *_, option, value = arguments
    shown = value.replace("\udcff", r"\xff")
    assert complaint(*arguments, code=2) == f"{option}: '{shown}' is not UTF-8 text; type it in UTF-8"


@posix
def test_the_name_of_a_file_may_be_any_bytes(tmp_path: Path) -> None:
    name = f"{tmp_path}/\udcff"
    for file, text in (
        ("logits", "2 1\n1 2\n"),
        ("labels", "a\nb\n"),
        ("settings", '{"top_k": 1}'),
        ("targets", "0\n1\n"),
    ):
        Path(f"{name}.{file}").write_text(text)
    typed = ("-i", f"{name}.logits", "--labels", f"@{name}.labels", "--settings", f"{name}.settings")
    assert here("compute", *typed, "-o", f"{name}.csv").returncode == 0
    assert Path(f"{name}.csv").read_text() == "row,tau,a,b\n0,1.0,1.0,0.0\n1,1.0,0.0,1.0\n"
    for format in ("table", "json", "csv"):
        done = here("calibrate", f"{name}.logits", f"{name}.targets", "-f", format)
        assert "internal" not in done.stderr
        assert done.stdout
    models = out("next", "a", "--ngram", f"{name}.labels", "-f", "json", "--order", "2")
    assert json.loads(models)[0]["model"] == rf"2-grams of {tmp_path}/\udcff.labels by word"
    for command in ("compute -i", "compute --settings", "calibrate --targets", "next a --ngram", "calibrate"):
        message = complaint(*command.split(), f"{name}.none", stdin="1 2\n", code=1)
        assert message.startswith(rf"{tmp_path}/\udcff.none: ")


@posix
def test_a_terminal_without_input_is_an_error_with_an_example() -> None:
    status, output = status_on_terminal("compute")
    assert status == 2
    assert "no logits; pass them as arguments (tsoft compute 2 1 0.5 0.1)" in output


# The arguments, what the message calls the text, its limit, and the name of that limit.
ENDLESS = {
    "settings": (
        ("compute", "1", "--settings", "/dev/zero"),
        ("/dev/zero", "settings file", "64 MB", "tsoft.input.settings.settings_formats.MAX_BYTES"),
    ),
    "labels": (
        ("compute", "1", "--labels", "@/dev/zero"),
        ("/dev/zero", "list of labels", "512 MB", "tsoft.input.labels.MAX_BYTES"),
    ),
    "targets": (
        ("calibrate", "--targets", "/dev/zero"),
        ("/dev/zero", "list of targets", "1 GB", "tsoft.input.targets.MAX_BYTES"),
    ),
    "prompt": (
        ("next", "--ngram", "/dev/null"),
        ("stdin", "prompt", "16 MB", "tsoft.options.models._MAX_PROMPT_BYTES"),
    ),
    "temperatures": (
        ("compute", "1", "--tau", "-"),
        ("stdin", "list of temperatures", "64 MB", "tsoft.options.temperatures._MAX_PIPED_BYTES"),
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/zero")
@pytest.mark.parametrize(("arguments", "limited"), ENDLESS.values(), ids=ENDLESS.keys())
def test_a_file_without_an_end_is_an_error(
    arguments: tuple[str, ...], limited: tuple[str, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of 1 MB takes the place of the real ones, which take long to reach."""
    source, kind, limit, name = limited
    assert size_text(pkgutil.resolve_name(name)) == limit
    monkeypatch.setattr(name, 1 << 20)
    message = complaint(*arguments, stdin=bytes((1 << 20) + 1), code=1)
    assert message == f"{source}: the {kind} is larger than 1 MB; pass a shorter one"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/zero and a limit of the memory")
def test_a_file_without_an_end_does_not_fill_the_memory() -> None:
    """The error of the real limit comes before the memory of the process, 400 MB, is full."""
    arguments, (source, kind, limit, _) = ENDLESS["prompt"]
    limited = ["bash", "-c", 'ulimit -v 400000; exec "$@" < /dev/zero', "bash", TSOFT, *arguments]
    done = subprocess.run(limited, capture_output=True, env=environment(OPENBLAS_NUM_THREADS="1"), timeout=60)
    message = f"tsoft: error: {source}: the {kind} is larger than {limit}; pass a shorter one\n"
    assert (done.returncode, done.stdout, done.stderr.decode()) == (1, b"", message)


@pytest.mark.parametrize("name", ["targets.npy", "targets.npz", "input.npz", "input.safetensors"])
def test_an_array_of_targets_has_a_limit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The targets are in a file of their own, or next to the logits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(targets, "MAX_BYTES", 1 << 20)
    # A list at the limit is read.
    for count in [1 << 17, (1 << 17) + 1][name != "targets.npy" :]:
        arrays = {"logits": np.tile([[1.0, 0.0], [0.0, 1.0]], (count, 1))[:count], "targets": np.arange(count) % 3 % 2}
        np.save("input.npy", arrays["logits"])
        np.save("targets.npy", arrays["targets"])
        np.savez("targets.npz", targets=arrays["targets"])
        np.savez("input.npz", allow_pickle=False, **arrays)
        if name.endswith(".safetensors"):
            pytest.importorskip("safetensors.numpy").save_file(arrays, name)
        files = ["-i", name] if name.startswith("input") else ["-i", "input.npy", "--targets", name]
        done = here("calibrate", *files, "--resamples", "0", "--measures", "accuracy", "-f", "json")
        if count == 1 << 17:
            assert done.returncode == 0, done.stderr
    source = name if name == "targets.npy" else f"{name}: targets"
    message = f"tsoft: error: {source}: the list of targets is larger than 1 MB; pass a shorter one\n"
    assert (done.returncode, done.stderr) == (1, message)


# The output


def test_an_output_file_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    done = here("compute", "2", "1", "-o", str(target), "--digits", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert target.read_text() == "row,tau,0,1\n0,1,0.73,0.27\n"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_an_error_does_not_change_the_output_file(tmp_path: Path) -> None:
    target = tmp_path / "out.tsv"
    target.write_text("before")
    done = here("compute", "-o", str(target), stdin="1 2\n" + "# filler to end the first read\n" * 20_000 + "1 x\n")
    assert done.returncode == 1
    assert (os.listdir(tmp_path), target.read_text()) == (["out.tsv"], "before")


@posix
def test_an_output_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    target, link = tmp_path / "real.tsv", tmp_path / "link.tsv"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    assert here("compute", "5", "-o", str(link)).returncode == 0
    assert link.is_symlink()
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("1.0\n", 0o640)


@posix
def test_a_new_output_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        assert here("compute", "5", "-o", str(tmp_path / "new.tsv")).returncode == 0
    finally:
        os.umask(mask)
    assert (tmp_path / "new.tsv").stat().st_mode & 0o777 == 0o640


def test_an_output_that_cannot_be_created(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    problem = f"--output {folder} is a folder, so the input must be files"
    assert complaint("compute", "1", "-f", "tsv", "-o", str(folder), code=2).startswith(problem)
    none = tmp_path / "none" / "out.tsv"
    assert (
        complaint("compute", "1", "-o", str(none), code=1)
        == f"{none}: the folder {none.parent} does not exist; create it first"
    )


@posix
@pytest.mark.parametrize("name", ["/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"])
def test_an_error_after_output_to_stderr_is_shown(name: str) -> None:
    if not os.path.exists(name):
        pytest.skip(f"no {name}")
    done = here("compute", "-f", "npy", "-o", name, stdin="1 2\n1 2 3\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(
        "tsoft: error: stdin:2: the classes differ from those of the first row; use --format jsonl\n"
    )


@posix
def test_a_new_file_whose_name_ends_in_a_slash(tmp_path: Path) -> None:
    name = f"{tmp_path}/new/"
    assert complaint("solve", "1", "2", "--entropy", "0.5", "-f", "tsv", "-o", name, code=1).startswith(f"{name}: ")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_device() -> None:
    assert complaint("compute", "1", "-o", "/dev/full", code=1) == "/dev/full: No space left on device"


@posix
def test_a_full_disk_does_not_leave_a_file(tmp_path: Path) -> None:
    """A limit on the size of files acts as a disk that fills up."""
    import resource

    limit, highest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, highest))
    try:
        message = complaint("compute", "-o", str(tmp_path / "out.tsv"), stdin="1 2 3 4\n" * 20_000, code=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, highest))
    assert message == f"{tmp_path / 'out.tsv'}: File too large"
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_note_that_cannot_be_printed_does_not_stop_the_result() -> None:
    command = ["/bin/sh", "-c", "printf 'id,a,b\\nk,0,0\\n' | tsoft compute 2>/dev/full"]
    done = subprocess.run(command, capture_output=True, env=forked(), timeout=60)
    assert (done.returncode, done.stdout) == (0, b"0.5\t0.5\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "command",
    [
        *("tsoft compute x 2>", "tsoft compute 1 >", "tsoft --help >", "tsoft >"),
        *("PYTHONUNBUFFERED=1 tsoft compute 1 >", "PYTHONUNBUFFERED=1 tsoft --help >"),
    ],
)
def test_a_full_device_is_one_message(command: str) -> None:
    environ = environment() if "UNBUFFERED" in command else forked()
    done = subprocess.run(["/bin/sh", "-c", f"{command}/dev/full"], capture_output=True, env=environ, timeout=60)
    if "2>" in command:
        assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")
    else:
        assert (done.returncode, done.stderr) == (1, b"tsoft: error: stdout: No space left on device\n")


@posix
def test_another_name_of_stdout_is_stdout(tmp_path: Path) -> None:
    command = (
        "(echo first; tsoft compute 5 -o /dev/stdout; echo last) > out; tsoft compute 5 -o /dev/stdout | cat >> out"
    )
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, env=forked(), check=True, timeout=60)
    assert (tmp_path / "out").read_text() == "first\n1.0\nlast\n1.0\n"


@posix
def test_a_reader_that_closes_the_pipe() -> None:
    """The shell's `| head -1`, with more output than the pipe's buffer."""
    with started("compute") as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"1 2\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(b"1 2\n" * 100_000)
            process.stdin.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def start_to_write(process: subprocess.Popen[bytes], folder: Path) -> str:
    """Send a row to a run of `tsoft`, and return the name of its temporary file when it contains that row."""
    assert process.stdin
    before = set(os.listdir(folder))
    process.stdin.write(b"1 2\n")
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for path in folder.glob(".*"):
            if path.name not in before and path.stat().st_size:
                return path.name
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    raise AssertionError("the run does not write")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_a_signal_does_not_leave_a_file(tmp_path: Path, number: signal.Signals) -> None:
    target = tmp_path / "out.tsv"
    target.write_text("before")
    with started("compute", "-o", str(target)) as process:
        assert process.stderr
        start_to_write(process, tmp_path)
        deadline = time.monotonic() + 30
        # Python handles a signal just before a read only after the read, so it is sent again.
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
        assert process.returncode == 128 + number
        assert process.stderr.read() == b""
    assert (os.listdir(tmp_path), target.read_text()) == (["out.tsv"], "before")


@posix
def test_the_file_of_a_killed_run_is_removed_but_not_that_of_a_live_one(tmp_path: Path) -> None:
    target = tmp_path / "out.tsv"
    (tmp_path / ".out.tsv.notes.tmp").touch()
    others = [".out.tsv.notes.tmp"]
    with started("compute", "-o", str(target)) as killed:
        abandoned = start_to_write(killed, tmp_path)
        killed.kill()
    assert sorted(os.listdir(tmp_path)) == sorted([*others, abandoned])
    with started("compute", "-o", str(target)) as live:
        current = start_to_write(live, tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted([*others, current])
        assert here("compute", "5", "-o", str(target)).returncode == 0
        assert sorted(os.listdir(tmp_path)) == sorted([*others, current, "out.tsv"])
        assert target.read_text() == "1.0\n"
        assert live.stdin
        live.stdin.close()
        assert live.wait(60) == 0
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "out.tsv"])
    assert len(target.read_text().split()) == 2


@posix
def test_a_file_whose_name_has_as_many_bytes_as_possible(tmp_path: Path) -> None:
    name = "😀" * 62 + ".tsv"
    assert here("compute", "5", "-o", str(tmp_path / name)).returncode == 0
    assert os.listdir(tmp_path) == [name]


@posix
@pytest.mark.parametrize("closed", ["<&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str) -> None:
    """Without stdin, there are no logits, which is bad usage."""
    done = subprocess.run(["/bin/sh", "-c", f"tsoft compute {closed}"], capture_output=True, env=environment())
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@posix
@pytest.mark.parametrize("arguments", ["", "--version", "compute --help"])
def test_what_tsoft_cannot_print_is_an_error(arguments: str) -> None:
    command = ["/bin/sh", "-c", f"tsoft {arguments} >&-"]
    done = subprocess.run(command, capture_output=True, env=environment(), stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (1, b"tsoft: error: stdout: closed\n")


@pytest.mark.parametrize("size", ["²", "٣", "abc", "-5"])
def test_a_screen_size_that_is_no_number_is_ignored(size: str) -> None:
    typed = ("compute", "2", "1", "--format", "table")
    assert out(*typed, COLUMNS=size, LINES=size) == out(*typed, COLUMNS="80")
