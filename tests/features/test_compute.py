"""`tsoft compute` in a pipe: input, output and streaming."""

import csv
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tsoft
from cases import each_case
from characters import CHARACTERS
from tool import environment, here, out, started, traced_peak
from tsoft.input import long_form
from tsoft.input.formats import FORMATS
from tsoft.input.read_options import ReadOptions

LOGITS = [2, 1, 0.5, 0.1]


def rows(text: str) -> list[list[float]]:
    return [[float(field) for field in line.split("\t")] for line in text.splitlines()]


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


# Input


def test_every_digit_reads_back() -> None:
    printed = out("compute", "--tau", "0.5", stdin="2 1 0.5 0.1\n")
    assert printed.startswith("0.82816206616069")
    assert rows(printed) == [tsoft.softmax(LOGITS, 0.5).tolist()]


@each_case(
    "arguments",
    [
        ("-1.5", "2", "-.5", "--tau", "2"),
        ("--tau", "2", "-1.5", "2", "-.5"),
        ("-1.5", "--tau", "2", "2", "-.5"),
        ("-1.5", "-t2", "2", "-.5"),
        ("-1.5", "--temperature=2", "2", "-.5"),
        ("--tau", "2", "--", "-1.5", "2", "-.5"),
        ("-1.5 2 -.5", "--tau", "2"),
        ("-1.5, 2,-.5", "--tau", "2"),
        ("-1.5e0", "+2", "-5e-1", "--tau", "2"),
    ],
)
def test_negative_numbers_are_numbers(arguments: tuple[str, ...]) -> None:
    assert rows(out("compute", *arguments)) == [tsoft.softmax([-1.5, 2, -0.5], 2).tolist()]


@pytest.mark.parametrize("arguments", [("a=2 b=1",), ("a=2,b=1",), ("a=2", "b=1")])
def test_labels_may_be_in_one_argument(arguments: tuple[str, ...]) -> None:
    assert out("compute", *arguments, "-f", "csv").startswith("row,tau,a,b\n")
    assert out("compute", "New York=2", "-f", "csv").startswith("row,tau,New York\n")


def test_masks_are_not_options() -> None:
    """-inf is not `-i nf`, and -Infinity is not an option either."""
    assert rows(out("compute", "-1e3", "-inf", "-Infinity", "-1001")) == [
        tsoft.softmax([-1e3, -np.inf, -np.inf, -1001]).tolist()
    ]


def test_a_file_may_have_a_name_like_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "-5.txt").write_text("1 2")
    monkeypatch.chdir(tmp_path)
    assert rows(out("compute", "-i", "-5.txt")) == [tsoft.softmax([1, 2]).tolist()]


SHAPES = {
    "rows": ("2 1\n0 -inf\n", [[2, 1], [0, -np.inf]], None),
    "separators": ("2,1\n 0 ;\t5 \n", [[2, 1], [0, 5]], None),
    "lengths": ("2 1\n0 1 2\n", [[2, 1], [0, 1, 2]], None),
    "comments": ("# logits\n2 1 # warm\n#\n0 1\n\n\n", [[2, 1], [0, 1]], None),
    "mark and CRLF": ("\ufeff2 1\r\n0 1\r\n", [[2, 1], [0, 1]], None),
    "no last newline": ("2 1\n0 1", [[2, 1], [0, 1]], None),
    "column": ("2\n1\n-inf\n", [[2, 1, -np.inf]], None),
    "labeled column": ("cat 2\nNew York,1\n", [[2, 1]], ["cat", "New York"]),
    "labeled column of pairs": ("cat=2\nNew York=1\n", [[2, 1]], ["cat", "New York"]),
    "labeled row": ("cat=2 a=b=1\n", [[2, 1]], ["cat", "a=b"]),
    "header": ("cat,dog\n2,1\n", [[2, 1]], ["cat", "dog"]),
    "quoted header": ('"a,b", "say ""x""", New York\n2,1,0\n', [[2, 1, 0]], ["a,b", 'say "x"', "New York"]),
    "keys": ("row,tau,1984,2\n0,inf,2,1\n", [[2, 1]], ["1984", "2"]),
    "indices": ("row,tau,0,1\n0,1,2,1\n", [[2, 1]], None),
    "blanks": ("cat  dog\n2 1\n", [[2, 1]], ["cat", "dog"]),
    "long": ("label,logit\ncat,2\n,1\n", [[2, 1]], ["cat", ""]),
    "long with keys": ("row\tlabel\tlogit\n0\ta\t2\n0\tb\t1\n1\tc\t0\n", [[2, 1], [0]], None),
    "long with index": ("label index logit\nb 1 1\na 0 2\n", [[2, 1]], ["a", "b"]),
    "long energies": ("label energy\ncat -2\ndog -1\n", [[2, 1]], ["cat", "dog"]),
    "long cut": ("index,label,logit\n3,,2\n1,,1\n", [[1, 2]], ["1", "3"]),
    "a column named as keys are": ("row 2\ntau 1\n", [[2, 1]], ["row", "tau"]),
    "classes named as keys are": ("row,tau,row,x\n0,1,2,1\n", [[2, 1]], ["row", "x"]),
    "long escapes": ("label,logit\na\\tb\\\\,2\n,1\n", [[2, 1]], ["a\tb\\", ""]),
}


@pytest.mark.parametrize(("text", "logits", "labels"), SHAPES.values(), ids=SHAPES.keys())
def test_shapes(text: str, logits: list[list[float]], labels: list[str] | None) -> None:
    rows = records(here("compute", "--with-logits", "-f", "jsonl", stdin=text).stdout)
    assert [[float(z) for z in record["logits"]] for record in rows] == logits  # type: ignore[attr-defined]
    if labels is not None:
        assert rows[0]["labels"] == labels


def test_a_file_is_read_like_stdin(tmp_path: Path) -> None:
    path = tmp_path / "logits.csv"
    path.write_text("cat,dog\n2,1\n")
    read = out("compute", "-i", str(path), "-f", "csv")
    assert read == out("compute", "-i", "-", "-f", "csv", stdin="cat,dog\n2,1\n")


def test_input_format_overrides_detection() -> None:
    """As text, a first line with two numbers is a row, which is an error here; as csv, it is a header with a note."""
    text = "cat,1984,2\n2,1,0\n"
    assert here("compute", stdin=text).returncode == 1
    done = here("compute", "--input-format", "csv", "-f", "jsonl", stdin=text)
    assert "tsoft reads this line as a header, since 'cat' is not a number" in done.stderr
    [record] = records(done.stdout)
    assert record["labels"] == ["cat", "1984", "2"]


@pytest.mark.parametrize(
    ("flag", "typed", "logits"),
    [
        ("--energies", ["-2", "1", "inf"], [2, -1, -np.inf]),
        ("--logprobs", ["-0.5", "-1", "-inf"], [-0.5, -1, -np.inf]),
        ("--probs", ["0.75", "0.25", "0"], [math.log(0.75), math.log(0.25), -np.inf]),
    ],
)
def test_quantities(flag: str, typed: list[str], logits: list[float]) -> None:
    done = here("compute", *typed, flag, "--tau", "0.7")
    assert (done.returncode, rows(done.stdout)) == (0, [tsoft.softmax(logits, 0.7).tolist()])


def test_probabilities_that_do_not_sum_to_1_are_noted() -> None:
    done = here("compute", "0.5", "0.25", "--probs")
    assert done.stderr == (
        "tsoft: note: row 0: the probabilities sum to 0.75, not 1; tsoft divides them by their sum\n"
    )
    assert done.stdout == "0.6666666666666666\t0.3333333333333333\n"
    assert here("compute", "0.75", "0.25", "--probs").stderr == ""


@pytest.mark.parametrize(
    ("command", "text", "is_noted"),
    [
        ("compute", "0.7 0.2 0.1\n0.6 0.4 0\n", True),
        ("distill", "0.7 0.2 0.1\n", True),
        ("compute", "0.7 0.2 0.1\n0.6 0.4 0.1\n", False),
        ("compute", "1 0\n0 1\n", False),
        ("compute", "1.5 -0.5\n", False),
        ("compute", "1e308 1e308 1\n", False),
        # Probabilities that were rounded: 10 rows with one decimal, but not a single one.
        ("compute", "0.96 0.0 0.03\n0.233 0.294 0.472\n", True),
        ("compute", "0.4 0.4 0.3\n" * 10, True),
        ("compute", "0.4 0.4 0.3\n", False),
        ("compute", "0.9\n0.2\n", False),
    ],
)
def test_logits_that_look_like_probabilities_are_noted(command: str, text: str, is_noted: bool) -> None:
    note = "tsoft: note: stdin:1: the logits are from 0 to 1 and sum to 1; if they are probabilities, pass --probs\n"
    assert here(command, stdin=text).stderr == note * is_noted
    assert here(command, "--probs", stdin="0.7 0.2 0.1\n").stderr == ""


@pytest.mark.parametrize(
    ("text", "is_noted"),
    [
        ("96.2 0.0 3.7\n23.3 29.4 47.3\n", True),
        ("96 0 4\n23 30 47\n", True),
        ("96 0 4\n23 30 20\n", False),
        ("2 1 0\n0 1 2\n", False),
        ("100 0 0\n0 100 0\n", False),
        ("100 1\n", False),
        ("34 33 34\n" * 10, True),
        ("99 1 0\n-1 101 0\n", False),
        (" ".join(["0.5"] * 200) + "\n", False),
    ],
)
def test_logits_that_look_like_percentages_are_noted(text: str, is_noted: bool) -> None:
    fix = "if they are percentages, divide them by 100 and pass --probs"
    note = f"tsoft: note: stdin:1: the logits are from 0 to 100 and sum to 100; {fix}\n"
    assert here("compute", stdin=text).stderr == note * is_noted


@pytest.mark.parametrize("tau", ["0.5", "1.5"])
def test_ranks_of_a_response_are_those_after_the_biases(tau: str) -> None:
    # The token c is drawn. With the biases, b = -0.5 precedes a = -1.5 and c = -4.5, which unlisted tokens may precede.
    listed = {"a": -0.5, "b": -1.5, "c": -2.5}
    tops = [{"token": token, "logprob": logprob} for token, logprob in listed.items()]
    tokens = {"content": [{"token": "c", "logprob": -2.5, "top_logprobs": tops}]}
    response = json.dumps({"choices": [{"logprobs": tokens}]})
    arguments = ("compute", "--tau", tau, "--logit-bias", "a=-1", "--logit-bias", "b=1", "--logit-bias", "c=-2")
    table = csv.DictReader(here(*arguments, "--long", "-f", "csv", stdin=response).stdout.splitlines())
    assert {row["token"]: row["rank"] for row in table} == {"a": "2", "b": "1", "c": ">2"}
    [record] = records(here(*arguments, "--chosen", "-f", "jsonl", stdin=response).stdout)
    assert (record["rank"], record["top"]) == (">2", "b")
    table_lines = here(*arguments, "--chosen", "-f", "table", stdin=response).stdout.splitlines()
    assert ["rank", ">2"] in [line.split() for line in table_lines]
    # Each listed token may be less probable than an unlisted one.
    biases = [f"--logit-bias={token}=-9" for token in listed]
    [record] = records(here("compute", *biases, "-f", "jsonl", stdin=response).stdout)
    assert record["top"] is None


def test_logarithms_of_a_response_are_null_unless_exact() -> None:
    tops = [{"token": token, "logprob": math.log(p)} for token, p in (("a", 0.5), ("b", 0.25))]
    response = json.dumps({"choices": [{"logprobs": {"content": [tops[0] | {"top_logprobs": tops}]}}]})
    printed = here("compute", "--log", "-f", "jsonl", stdin=response).stdout
    [record] = records(printed)
    assert record["log_probs"] is None
    assert record["log_probs_low"] == record["log_probs_high"] == pytest.approx([math.log(0.5), math.log(0.25)])
    assert record["log_probs_listed"] == pytest.approx([math.log(2 / 3), math.log(1 / 3)])
    reread = here("compute", stdin=printed)
    assert "log_probs_listed are of the listed tokens alone" in reread.stderr
    assert rows(reread.stdout)[0] == pytest.approx([2 / 3, 1 / 3])
    [record] = records(here("compute", "--log", "--top-k", "1", "-f", "jsonl", stdin=response).stdout)
    assert record["log_probs"] == [0, "-inf"]


def test_labels(tmp_path: Path) -> None:
    def labels(text: str, name: str = "labels.txt") -> object:
        (tmp_path / name).write_text(text)
        printed = out("compute", "2", "1", "0", "--labels", f"@{tmp_path / name}", "-f", "jsonl")
        return records(printed)[0]["labels"]

    assert labels("a\nb b\n\n") == ["a", "b b", ""]
    assert labels("[PAD]\n[CLS]\nc\n") == ["[PAD]", "[CLS]", "c"]
    assert labels('["a", "b", "a"]') == ["a", "b", "a"]
    # A vocabulary may omit ids, and a padded model may have more classes than it names.
    assert labels('{"b": 1}', "vocab.json") == ["", "b", ""]
    # A tokenizer of Hugging Face: an added token may also be in the vocabulary, which is a list for Unigram.
    added = [{"id": 0, "content": "<s>"}, {"id": 2, "content": "<x>"}]
    for vocabulary in ({"<s>": 0, "a": 1}, [["<s>", 0], ["a", -1.5]]):
        tokenizer = json.dumps({"added_tokens": added, "model": {"vocab": vocabulary}})
        assert labels(tokenizer) == ["<s>", "a", "<x>"]
    assert records(out("compute", "2", "1", "--labels", "x,y", "-f", "jsonl"))[0]["labels"] == ["x", "y"]
    assert labels("a\0b\n\0\nc\0\0\n") == ["a\0b", "\0", "c\0\0"]
    assert labels('["a\\u0000b", "\\u0000", "c\\u0000"]') == ["a\0b", "\0", "c\0"]
    # csv escapes a NUL, and tsoft reads it back.
    (tmp_path / "labels.txt").write_text("a\0b\nc\0\n")
    printed = out("compute", "2", "1", "--labels", f"@{tmp_path / 'labels.txt'}", "-f", "csv")
    assert records(here("compute", "--probs", "-f", "jsonl", stdin=printed).stdout)[0]["labels"] == ["a\0b", "c\0"]
    (tmp_path / "labels.txt").write_text(json.dumps({"vocab": {f"token {i}": i for i in range(1000)}}))
    done = here("compute", "2", "--labels", f"@{tmp_path / 'labels.txt'}")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr) < 300
    wrong_tokenizers = [
        {"added_tokens": added, "model": {"vocab": wrong}}
        for wrong in (None, 5, [["<s>", 0], ["<s>", 1]], [[1, 0]], {"<s>": 7}, ["ab", "cd"])
    ]
    for content in ({"model": {}}, {"model": {"vocab": {}}}, *wrong_tokenizers):
        (tmp_path / "labels.txt").write_text(json.dumps(content))
        done = here("compute", "2", "--labels", f"@{tmp_path / 'labels.txt'}")
        assert (done.returncode, done.stdout) == (1, "")
        assert "is not as in a tokenizer.json of Hugging Face" in done.stderr
    # Half of a pair of surrogates is not a character, and not the label of six characters.
    (tmp_path / "labels.txt").write_text('["\\ud800"]')
    done = here("compute", "2", "--labels", f"@{tmp_path / 'labels.txt'}", "-f", "csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"tsoft: error: {tmp_path / 'labels.txt'}:1: a string has a lone surrogate")


@pytest.mark.parametrize(
    "options",
    [
        ("--tau", "0.5,1,2"),
        ("--tau", "0.5", "-t", "1", "--temperature", "2"),
        ("--tau", " 0.5, 1 ", "-t2"),
        ("--tau", "0.5 1;2"),
    ],
)
def test_a_list_of_temperatures(options: tuple[str, ...]) -> None:
    assert rows(out("compute", "2", "1", "0.5", "0.1", *options)) == tsoft.softmax(LOGITS, [0.5, 1, 2]).tolist()


def test_limits_and_order() -> None:
    assert out("compute", "3", "3", "1", "--tau", "∞,0,-0") == (
        "0.3333333333333333\t0.3333333333333333\t0.3333333333333333\n0.5\t0.5\t0.0\n0.5\t0.5\t0.0\n"
    )


def test_temperatures_from_stdin() -> None:
    assert rows(out("compute", "2", "1", "--tau", "-", stdin="0.5 # cold\n1,2\n")) == (
        tsoft.softmax([2, 1], [0.5, 1, 2]).tolist()
    )


def test_a_list_of_temperatures_equals_a_loop_of_processes() -> None:
    outputs = [out("compute", "2", "1", "0.5", "0.1", "--tau", tau) for tau in ("0.5", "1", "2")]
    assert "".join(outputs) == out("compute", "2", "1", "0.5", "0.1", "--tau", "0.5,1,2")


# Output


def test_rows_and_temperatures_in_order() -> None:
    printed = rows(out("compute", "--tau", "1,2", stdin="2 1\n0 5\n"))
    expected = tsoft.softmax([[2, 1], [0, 5]], [1, 2])
    assert printed == [expected[t, r].tolist() for r in (0, 1) for t in (0, 1)]


def test_json_records() -> None:
    rows = json.loads(out("compute", "cat=3", "dog=1", "-t", "0,1,inf", "-f", "json", "--log", "--with-logits"))
    assert [record["tau"] for record in rows] == [0, 1, "inf"]
    frozen, warm, boiling = rows
    assert frozen["log_probs"] == [0, "-inf"]
    assert frozen["log_sum_exp"] == "inf"
    probs = tsoft.softmax([3, 1])
    assert warm == {
        "row": 0,
        "tau": 1,
        "labels": ["cat", "dog"],
        "probs": probs.tolist(),
        "entropy": tsoft.entropy([3, 1]),
        "perplexity": tsoft.perplexity([3, 1]),
        "top": "cat",
        "top_prob": probs[0],
        "margin": tsoft.margin([3, 1]),
        "varentropy": tsoft.varentropy([3, 1]),
        "log_sum_exp": tsoft.log_sum_exp([3, 1]),
        "log_probs": tsoft.log_softmax([3, 1]).tolist(),
        "logits": [3, 1],
    }
    assert boiling["probs"] == [0.5, 0.5]


def test_json_without_labels_and_with_one_class() -> None:
    [record] = records(out("compute", "-7", "-f", "jsonl"))
    assert (record["labels"], record["top"], record["margin"], record["probs"]) == (None, 0, None, [1])


def test_bits_and_digits() -> None:
    [record] = records(out("compute", "0", "0", "-f", "jsonl", "--bits"))
    assert record["entropy"] == pytest.approx(1, rel=1e-15)
    [record] = records(out("compute", "2", "1", "-f", "jsonl", "--digits", "2"))
    assert (record["probs"], record["entropy"]) == ([0.73, 0.27], 0.58)
    assert out("compute", "2", "1", "--digits", "2") == "0.73\t0.27\n"
    assert out("compute", "2", "1", "--log", "--digits", "3") == "-0.313\t-1.31\n"


def test_csv_of_a_stream_of_different_labels_is_long() -> None:
    printed = here("compute", "-f", "csv", "--digits", "2", stdin="a=2 b=1\nc=0\n").stdout
    assert printed == "row,tau,index,label,prob\n0,1,0,a,0.73\n0,1,1,b,0.27\n1,1,0,c,1\n"
    assert out("compute", "-f", "csv", "--digits", "2", "a=2", "b=1") == "row,tau,a,b\n0,1,0.73,0.27\n"


LABELS = st.text(CHARACTERS, max_size=6) | st.sampled_from(
    [
        "",
        "#3",
        "# no",
        " a",
        "a ",
        'say "x"',
        "a,b",
        "a;b",
        "a\tb",
        "a\nb",
        "a\rb",
        "a\\nb",
        "\\",
        "1",
        "row",
        "=",
        "label",
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LABELS, min_size=2, max_size=4), st.sampled_from(["csv", "csv --long", "tsv --long"]))
def test_output_is_read_back(labels: list[str], form: str) -> None:
    """Labels of all kinds are read back from every form, except that a wide header with only the column names of the
    long form is read as the long form."""
    if form == "csv" and "label" in labels and set(labels) <= long_form.LONG_FORM_COLUMNS:
        return
    logits = np.linspace(1, 0, len(labels))
    long = "--long" in form
    typed = [f"{label}={logit!r}" for label, logit in zip(labels, logits.tolist(), strict=True)]
    written = out("compute", "-f", *form.split(), "--", *typed)
    stream = io.BufferedReader(io.BytesIO(written.encode()))
    [block] = FORMATS["text"].reader()(stream, ReadOptions("written", "prob"))
    # Labels that are all empty, or the indices in a header, are read as no labels.
    nothing = not any(labels) if long else labels == [str(i) for i in range(len(labels))]
    assert block.labels == (None if nothing else tuple(labels))
    assert np.exp(block.logits[0]) == pytest.approx(tsoft.softmax(logits), rel=1e-15)


def test_csv_is_read_by_pythons_csv_module() -> None:
    printed = out("compute", 'say "x", y=2', " the=1", "--format", "csv")
    header, row = csv.reader(io.StringIO(printed))
    assert header == ["row", "tau", 'say "x", y', " the"]
    assert [float(p) for p in row[2:]] == tsoft.softmax([2, 1]).tolist()


# Streaming


@pytest.mark.skipif(os.name == "nt", reason="resource limits are POSIX's")
def test_a_partial_write_is_an_error(tmp_path: Path) -> None:
    """An unbuffered stdout may write only a part without an error: reaching a size limit must be an error."""
    code = (
        "import resource, signal, sys; from tsoft.__main__ import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, 1 << 14));"
        "sys.argv = ['tsoft', 'compute']; main()"
    )
    command, environ = [sys.executable, "-c", code], environment(PYTHONUNBUFFERED="1")
    rows = b"1 2 3 4\n" * 3000
    with open(tmp_path / "out", "wb") as stdout:
        done = subprocess.run(command, input=rows, stdout=stdout, stderr=subprocess.PIPE, env=environ, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"tsoft: error: stdout: File too large\n")


@pytest.mark.parametrize(("form", "lines"), [("tsv", 1), ("csv", 2), ("jsonl", 1)])
def test_the_first_row_is_written_before_the_last_is_read(form: str, lines: int) -> None:
    with started("compute", "-f", form, is_forked=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"2 1\n")
        process.stdin.flush()
        first = [process.stdout.readline() for _ in range(lines)]
        assert b"0.73105857863000" in first[-1]
        process.stdin.write(b"1 2\n")
        process.stdin.close()
        assert b"0.26894142136999" in process.stdout.read()
    assert process.returncode == 0


def test_memory_does_not_grow_with_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All logits of the longest input would take 0.4 MB, and as text nearly as much."""
    monkeypatch.setattr("tsoft.input.lines.CHUNK", 1 << 14)
    # Each is large enough for several processes.
    monkeypatch.setattr("tsoft.input.number_workers.START", 1 << 14)
    monkeypatch.setattr("tsoft.input.number_workers.LEAST", 1 << 12)
    monkeypatch.setenv("TSOFT_CORES", "2")

    def peak_of(rows: int) -> int:
        path = tmp_path / "rows.txt"
        path.write_text("0.123456789 -1.5 2.25 1e-3 7 8 9 10 11 12\n" * rows)
        return traced_peak("compute", "-i", str(path), "--top-k", "5", "--digits", "3", "-f", "tsv")

    _, few, many = map(peak_of, (1000, 1000, 5000))
    assert many < few + 1e5
