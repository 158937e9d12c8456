"""Reading JSON: documents and JSON lines."""

import io
import json
import math
import tracemalloc
from random import Random
from typing import Any

import numpy as np
import pytest

import tsoft
from cases import each_case
from random_json import random_value
from tool import here, in_turns, out
from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input.formats import FORMATS, by_content
from tsoft.input.json_problems import SURROGATE
from tsoft.input.json_values import RepeatedNames, parsed_json, parsed_rows
from tsoft.input.labels import Labels
from tsoft.input.read_options import ColumnOptions, ReadOptions, TargetSource
from tsoft.input.source import with_head
from tsoft.output.distribution_records import Content, DistributionRecords
from tsoft.output.number_format import NumberFormat
from tsoft.output.records import write
from tsoft.sampling.distributions import Distributions

INF = math.inf


def read(text: str | bytes, format: str = "json", **reading: Any) -> list[Block]:
    data = text.encode() if isinstance(text, str) else text
    return list(FORMATS[format].reader()(io.BufferedReader(io.BytesIO(data)), ReadOptions("f", **reading)))


def complaint(text: str | bytes, format: str = "json", **reading: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(text, format, **reading)
    return str(caught.value)


def rows(blocks: list[Block]) -> list[list[float]]:
    return [row for block in blocks for row in block.logits.tolist()]


SHAPES = {
    "a row": ("[2, 1]", [[2, 1]], None),
    "rows": ("[[2, 1], [0, -1.5e-3]]", [[2, 1], [0, -1.5e-3]], None),
    "rows of different lengths": ("[[2], [0, 1], [3, 4]]", [[2], [0, 1], [3, 4]], None),
    "labels": ('{"cat": 2, "dog": 1}', [[2, 1]], ("cat", "dog")),
    "labels that repeat": ('{"cat": 2, "cat": 1, "a:b": 0}', [[2, 1, 0]], ("cat", "cat", "a:b")),
    "other spellings of infinities": ('[1, "-Inf", "-INF", "-Infinity"]', [[1, -np.inf, -np.inf, -np.inf]], None),
    "labels that repeat, beside an infinity": ('{"cat": -Infinity, "cat": 1}', [[-np.inf, 1]], ("cat", "cat")),
    "a label with colons": ('{"a:b": 2, "::": 1}', [[2, 1]], ("a:b", "::")),
    "a record": ('{"logits": [2, 1], "labels": ["a", "a"], "tau": 3}', [[2, 1]], ("a", "a")),
    "a record of labels": ('{"probs": {"a": 1, "b": 0}, "labels": null}', [[0, -INF]], ("a", "b")),
    "a record of rows": ('{"logits": [[2, 1], [0, 5]], "labels": ["a", "b"]}', [[2, 1], [0, 5]], ("a", "b")),
    "no labels": ('{"logits": [2, 1], "labels": null}', [[2, 1]], None),
    "a mask before log-probabilities": ('{"logits": ["-inf", 5], "log_probs": ["-inf", 0]}', [[-INF, 5]], None),
    "a label called as a key": ('{"logits": 2, "dog": 1}', [[2, 1]], ("logits", "dog")),
    "records": ('[{"logits": [2, 1]}, {"a": 0, "b": 3}]', [[2, 1], [0, 3]], None),
    "energies": ('{"energies": [2, -1.0, "inf"]}', [[-2, 1, -INF]], None),
    "log-probabilities by label": (
        '{"logprobs": {"a": -0.5, "b": -1.5, "c": "-inf"}}',
        [[-0.5, -1.5, -INF]],
        ("a", "b", "c"),
    ),
    "log-probabilities": ('{"logprobs": [-2, -1]}', [[-2, -1]], None),
    "probabilities": ('{"probs": [1, 0, 0.0]}', [[0, -INF, -INF]], None),
    "logits first": ('{"probs": [1, 0], "logits": [2, 1]}', [[2, 1]], None),
    "infinities": ('[1, "-inf", "-Infinity"]', [[1, -INF, -INF]], None),
    "infinities of Python": ("[1, -Infinity]", [[1, -INF]], None),
    "over lines": ("\n\n[\n[1,\n2],\n[3,4]\n]\n", [[1, 2], [3, 4]], None),
    "lines": ('[1, 2]\n\n[3, 4, 5]\r\n[[6], [7]]\n{"a": 8}', [[1, 2], [3, 4, 5], [6], [7], [8]], None),
    "a mark": ("\ufeff[1, 2]", [[1, 2]], None),
    "columns and rows": (
        '{"columns": ["id", 7, "cat"], "data": [["a", 2, 1], ["b", 0, 3]], "ncols": 3}',
        [[2, 1], [0, 3]],
        ("7", "cat"),
    ),
    "columns, rows and an index": ('{"columns": ["a", "b"], "index": [0], "data": [[2, 1]]}', [[2, 1]], ("a", "b")),
    "a schema and records": ('{"schema": {"fields": []}, "data": [{"index": 5, "a": 2}]}', [[2]], ("a",)),
    "a label called data": ('{"columns": 2, "data": 1}', [[2, 1]], ("columns", "data")),
    "a large whole number": ("[123456789012345678901234567890, 1]", [[1.2345678901234568e29, 1]], None),
}


def test_numbers_by_label_under_a_name_have_targets() -> None:
    """Each row has the true class in the same record."""
    lines = ['{"logits": {"cat": 2, "dog": 1, "fox": 0}, "label": "fox"}'] * 2
    blocks = read("\n".join(lines), targets=TargetSource())
    assert [block.labels for block in blocks] == [("cat", "dog", "fox")] * len(blocks)
    assert [target for block in blocks if block.targets is not None for target in block.targets.tolist()] == [2, 2]
    record = '{"logits": {"cat": 2, "dog": 1}, %s}'
    assert complaint(record % '"labels": ["a", "b"]') == "f:1: 'logits' already names the classes; remove 'labels'"
    assert complaint(record.replace("1", '"x"') % '"id": 1') == 'f:1: logits: field 2: expected a number, got "x"'


@each_case(("text", "logits", "labels"), SHAPES.values())
def test_shapes(text: str, logits: list[list[float]], labels: tuple[str, ...] | None) -> None:
    blocks = read(text)
    assert rows(blocks) == logits
    assert blocks[0].labels == labels
    assert [block.first_row for block in blocks] == [sum(len(b.logits) for b in blocks[:i]) for i in range(len(blocks))]


# What pipelines of Hugging Face write: transformers/pipelines, text_classification.py, zero_shot_classification.py and
# fill_mask.py. The last ones are the long form of a table.
LONG_FORMS = {
    "a pipeline": '[{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}]',
    "texts": '[[{"label": "b", "score": 0.25}, {"label": "a", "score": 0.75}]]',
    "zero shots": '{"sequence": "x", "labels": ["a", "b"], "scores": [0.75, 0.25]}',
    "a mask": '[{"score": 0.75, "token": 1, "token_str": "a", "sequence": "a"}, {"score": 0.25, "token_str": "b"}]',
    "probabilities": '[{"label": "a", "prob": 0.75}, {"label": "b", "prob": 0.25}]',
}


@pytest.mark.parametrize("text", LONG_FORMS.values(), ids=LONG_FORMS.keys())
def test_the_long_form(text: str) -> None:
    notes: list[str] = []
    [block] = read(text, note=notes.append)
    assert block.labels
    assert dict(zip(block.labels, np.exp(block.logits[0]).tolist(), strict=True)) == pytest.approx(
        {"a": 0.75, "b": 0.25}
    )
    assert "tsoft reads each label and its number as one class of a distribution" in notes[0]
    assert ("and 'score' as a probability" in notes[0]) == ("score" in text)
    assert [note for note in notes[1:] if "tsoft ignores the field" not in note] == []
    assert ("'sequence'" in notes[-1]) == ("sequence" in text)


def test_the_long_form_needs_several_labels() -> None:
    """A single one is a true class."""
    assert "one number and the label 'a'; the object may be a row or one class" in complaint(
        '[{"label": "a", "logit": 1.5}]'
    )
    form = LONG_FORMS["probabilities"]
    assert "contains probabilities, not log-probabilities" in complaint(form, quantity="logprob")


def test_the_only_class_of_a_pipeline_is_an_error_without_notes() -> None:
    notes: list[str] = []
    problem = complaint('[{"label": "POSITIVE", "score": 0.75}]', note=notes.append)
    assert "if a Hugging Face pipeline wrote it, pass top_k=None there to get all classes" in problem
    assert notes == []


def test_each_guess_about_json_is_noted_once() -> None:
    logits = '{"logits": {"a": 0.5, "b": 0.25, "c": 0.125}}'
    scores, probs = LONG_FORMS["a pipeline"], LONG_FORMS["probabilities"]
    for lines in ([logits, scores, probs], [probs, scores, logits]):
        notes: list[str] = []
        read("\n".join([*lines, *lines]), note=notes.append)
        kinds = (
            "write probs in place of logits",
            "of a distribution, and 'score' as a probability",
            "of a distribution",
        )
        numbers = [1 + lines.index(line) for line in (logits, scores, probs)]
        expected = sorted(zip(numbers, kinds, strict=True))
        assert len(notes) == 3
        for note, (number, kind) in zip(notes, expected, strict=True):
            assert note.startswith(f"f:{number}: ")
            assert note.endswith(kind)


@each_case(
    "text",
    [
        # The most probable classes of several texts.
        '[{"label": "a", "score": 0.9}, {"label": "b", "score": 0.8}]',
        '[{"label": "a", "score": 0.5, "text": "x"}, {"label": "b", "score": 0.4, "text": "y"}]',
        '[{"label": "a", "logit": 0.5, "row": 0}, {"label": "b", "logit": 0.4, "row": 1}]',
    ],
)
def test_objects_of_several_rows_are_not_one_distribution(text: str) -> None:
    assert complaint(text).startswith("f:1: record 0: ")


def test_the_long_form_may_have_infinite_numbers_and_equal_further_fields() -> None:
    text = '[{"label": "a", "logit": "-inf", "model": "m"}, {"label": "b", "logit": 1.5, "model": "m"}]'
    assert here("compute", "-f", "csv", stdin=text).stdout == "row,tau,a,b\n0,1.0,0.0,1.0\n"


def test_rows_inside_an_object_are_named_with_their_path() -> None:
    """vLLM's /classify and /pooling: vllm/entrypoints/openai/protocol.py."""
    rows = {"probs": [{"index": 0, "label": "a", "probs": [0.75, 0.25]}], "data": [{"data": [0.75, 0.25]}]}
    for (name, data), path in zip(rows.items(), (".data[]", ".data[].data"), strict=True):
        problem = complaint(json.dumps({"object": "list", "data": data}))
        assert problem.endswith(f"; if the rows are in {path}, pass them alone: jq -c '{path}' FILE"), name
    assert complaint('{"a": ' * 900 + '"x"' + "}" * 900).startswith("f:1: 'a': expected a number, got an object")
    # The numbers of Triton are no rows without their shape, and whole numbers are no logits.
    assert "jq" not in complaint('{"model": "m", "order": [6, 0, 1]}')
    assert "jq" not in complaint('{"model_name": "m", "outputs": [{"shape": [2, 1], "data": [1.5, 2.5]}]}')


def test_json_is_recognized_by_its_content() -> None:
    """A text that starts like JSON is JSON; a label in brackets is a label."""
    for text in (
        "[1",
        "[ -1",
        '["inf"',
        "[[",
        "[{",
        "{",
        '{"a"',
        "[",
        "[\n",
        "[null",
        "\ufeff[1",
        '[{"a=b"',
        "[-Infinity",
    ):
        assert by_content(text.encode()) == FORMATS["json"], text
    for text in ("[PAD] 1", "[PAD]=1", "[1]=2", "{a}=2", "[INST] 2", "1 2", "", '"[1]" 2', "[-] 3"):
        assert by_content(text.encode()) is None, text
    assert out("compute", "-f", "csv", stdin="[1]=2 [PAD]=-inf\n") == "row,tau,[1],[PAD]\n0,1.0,1.0,0.0\n"
    assert out("compute", stdin='{"a": 1, "b": 1}\n[2, 2]\n') == "0.5\t0.5\n0.5\t0.5\n"


def test_quantities() -> None:
    assert rows(read("[1, 0]", quantity="energy")) == [[-1, 0]]
    assert rows(read('{"logits": [2, 1], "probs": [1, 0]}', quantity="prob")) == [[0, -INF]]
    assert read('{"log_probs": [-1, -2], "x": [1]}')[0].origin.quantity == "logprob"
    # Probabilities may have underflowed.
    both = read('{"probs": [1, 0], "log_probs": [0, -800]}')[0]
    assert (both.origin.quantity, both.logits.tolist()) == ("logprob", [[0, -800]])


def test_labels() -> None:
    assert read("[[1, 2], [3, 4]]", labels=Labels(("a", "b")))[0].labels == ("a", "b")


HINT = '; write "-inf" to mask a class'
NAN = f"NaN is not a logit{HINT}"
MASKED = "every class is masked (0); at least one needs a probability above 0"
RENAME = "if it has the numbers of all classes, rename it to logits, probs, logprobs or energies"
SHAPE = "expected an array of numbers or an object {label: number}"
OVER = "0.5 is not a log-probability; log-probabilities are at most 0"
EMPTY = "empty row; expected at least one number"
BEYOND = "10000000… is too large; the largest number is 1.8e308"
WRONG = {
    "empty": ("", "f: no logits: the input is empty"),
    "blank": ("\n \n", "f: no logits: the input is empty"),
    "an empty row": ("[]", f"f:1: {EMPTY}"),
    "no classes": ("{}", f"f:1: {EMPTY}"),
    "an empty row among rows": ("[[1], []]", f"f:1: row 1: {EMPTY}"),
    "an empty record": ('{"logits": []}', f"f:1: logits: {EMPTY}"),
    "NaN": ("[[1], [NaN]]", "f:1: row 1: field 1: NaN is not a logit; write \"-inf\" to mask a class"),
    "+inf": ('[1, "inf"]', "f:1: field 2: +inf is not a logit; logits are finite, or -inf for a masked class"),
    "null": ("[1, null]", f"f:1: field 2: expected a number, got null{HINT}"),
    "true": ("[1, true]", "f:1: field 2: expected a number, got true"),
    "a word": ('[1, "-inf", "x"]', 'f:1: field 3: expected a number, got "x"'),
    "a number in quotes": ('["1"]', 'f:1: field 1: expected a number, got "1"'),
    "an array": ("[1, [2]]", "f:1: field 2: expected a number, got an array"),
    "an object": ("[1, {}]", "f:1: field 2: expected a number, got an object"),
    "a number for a row": ("[[1], 2]", "f:1: row 1: expected an array, got 2"),
    "an array for a record": ('[{"a": 1}, [2]]', f"f:1: record 1: {SHAPE}, got an array"),
    "a number": ("\n3", f"f:2: {SHAPE}, got 3"),
    "a label's word": (
        '{"cat": 1, "dog": "x"}',
        "f:1: 'dog': expected a number, got \"x\"; if 'dog' names the rows, pass --id-column dog; or list the"
        " logits with --columns 'cat'",
    ),
    "a text that is the true class": (
        '{"answer": "dog", "cat": 1, "dog": 2}',
        "f:1: 'answer': expected a number, got \"dog\"; list the logits with --columns 'cat,dog'",
    ),
    "a score that is a text": (
        '[{"label": "a", "score": "x"}, {"label": "b", "score": 1}]',
        "f:1: record 0: 'score': expected a number, got \"x\"",
    ),
    "labels and scores next to a text": (
        '{"text": "t", "labels": ["cat", "dog"], "scores": [0.75, 0.25]}',
        "f:1: 'text': expected a number, got \"t\"; pass the labels and the scores alone: jq -c"
        " '{labels, scores}' FILE",
    ),
    "scores of several labels": (
        '{"labels": ["cat", "dog"], "scores": [0.75, 0.5]}',
        "f:1: 'labels': expected a number, got an array; the scores sum to more than 1, so they are not one"
        " distribution; in a pipeline, pass multi_label=False",
    ),
    "a label's array": (
        '{"cat": [1]}',
        f"f:1: 'cat': expected a number, got an array; {RENAME}",
    ),
    "objects": (
        '{"0": {"cat": 1}}',
        f"f:1: '0': expected a number, got an object; {RENAME}",
    ),
    "a table by columns": (
        '{"cat": [1, 2], "dog": [2, 1]}',
        f"f:1: 'cat': expected a number, got an array; {RENAME}; write a table as an array with one object per row, as"
        " pandas does with orient='records'",
    ),
    "lines of the long form": (
        '{"row": 0, "tau": 1, "label": "cat", "prob": 0.9}',
        "f:1: one class per object, with 'tau'; save it as CSV, which tsoft reads in this form",
    ),
    "a short row of a table": ('{"columns": ["a", "b"], "data": [[2, 1], [2]]}', "f:1: row 1: 1 value, but 2 columns"),
    "a short index": (
        '{"columns": ["a"], "index": [0], "data": [[2], [1]]}', "f:1: 1 value in index, but 2 rows in data"
    ),
    "an index that is a column": (
        '{"columns": ["index"], "index": [0], "data": [[2]]}',
        "f:1: two columns have the name 'index'; write each name once",
    ),
    "two levels of columns": ('{"columns": [["a"]], "data": [[2]]}', "f:1: columns: expected names, one per column"),
    "a number for a row of a table": ('{"columns": ["a"], "data": [2]}', "f:1: row 0: expected an array, got 2"),
    "null in a table": (
        '{"columns": ["a"], "data": [[2], [null]]}', f"f:1: row 1: 'a': expected a number, got null{HINT}"
    ),
    "NaN in a record": ('[{"a": 1}, {"logits": [1, NaN]}]', f"f:1: record 1: logits: field 2: {NAN}"),
    "all masked": ('{"probs": [0, 0]}', f"f:1: probs: {MASKED}"),
    "over 1": (
        '{"probs": [0, 1.5]}',
        "f:1: probs: field 2: 1.5 is not a probability; probabilities are from 0 to 1",
    ),
    "over 0": ('{"logprobs": [0.5]}', f"f:1: logprobs: field 1: {OVER}"),
    "too few labels": ('{"logits": [1, 2], "labels": ["a"]}', "f:1: 2 logits, but 1 label; write one label per class"),
    "labels of fractions": ('{"logits": [1], "labels": [1.5]}', "f:1: labels: field 1: expected a string, got 1.5"),
    "labels of no array": ('{"logits": [1], "labels": "a"}', 'f:1: labels: expected an array of strings, got "a"'),
    "a class per object": (
        '[{"label": "cat", "score": 0.9}, {"label": "cat", "score": 0.1}]',
        "f:1: record 0: one number and the label 'cat'; the object may be a row or one class; pass --columns 'score' if"
        " it is a row; if a Hugging Face pipeline wrote it, pass top_k=None there to get all classes",
    ),
    "a line": ('[1, 2]\n{"a": null}\n', f"f:2: 'a': expected a number, got null{HINT}"),
    "a line that is not JSON": ("[1, 2]\n[1, 2\n", "f:2: not JSON: "),
    "over lines": ("[\n[1],\n[true]\n]\n", "f: row 1: field 1: expected a number, got true"),
    "over lines and cut": ("\n[\n[1],\n[2]\n", "f:4: not JSON: "),
    "over lines and wrong": ("{\n'a': 1\n}", "f:2: not JSON: "),
    "beyond a float": ("[1e400]", "f:1: a number is too large; the largest number is 1.8e308"),
    "beyond a float and infinite": (f"[1{'0' * 400}, -Infinity]", f"f:1: field 1: {BEYOND}"),
    "beyond Python": (f"[1{'0' * 5000}, NaN]", "f:1: not JSON: a number that is too long"),
    "deep": ("[" * 100_000, "f:1: the JSON is nested too deep"),
    "deep objects": ('{"a":' * 100_000, "f:1: the JSON is nested too deep"),
    "deep and NaN": ("[" * 100_000 + "NaN" + "]" * 100_000, "f:1: the JSON is nested too deep"),
    # How deep Python reads differs by version, and so does the message.
    "deep under a label": ('{"a": 1, "b": ' + '{"c":' * 1000 + "1" + "}" * 1001, "f:1: "),
    "deep for the other": ("[" * 99 + "-Infinity" + "]" * 99, "f:1: row 0: field 1: expected a number, got an array"),
    "bytes": (b'["\xff"]', "f:1: not UTF-8 text (byte 0xff); convert it to UTF-8"),
    "UTF-16": ("[1]".encode("utf-16"), "f: this is UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8"),
    "half a character": ('["\\ud800"]', f"f:1: {SURROGATE}"),
    "half a character as a label": ('{"\\ud800": 1}', f"f:1: {SURROGATE}"),
    "half a character and infinite": ('[-Infinity, "\\ud83d\\ude00\\\\udead",\n"\\uDEAD"]', f"f:2: {SURROGATE}"),
    "half a character of a repeated label": ('{"\\ud83d": 1, "\\ud83d": -Infinity}', f"f:1: {SURROGATE}"),
    "half a character in a key": ('{"id": "\\ud83d", "a": 1, "b": -Infinity}', f"f:1: {SURROGATE}"),
    "half a character of labels": ('{"logits": [1, -Infinity], "labels": ["a", "\\ud83dx"]}', f"f:1: {SURROGATE}"),
    "an escape in a label": ('{"\\u001b[31m": "x"}', "f:1: '\\x1b[31m': expected a number, got \"x\""),
}  # fmt: skip


@each_case("numbers", ['{"yes": -14, "no": -13.5}', '{"min": -1.5, "Max": -0.5}'])
def test_log_probabilities_of_texts_by_name_are_those_of_classes_only_with_the_option(numbers: str) -> None:
    problem = "f:1: 'logprobs' may be measures of texts, such as a sum, not the log-probabilities of classes"
    text = f'{{"logprobs": {numbers}}}'
    assert complaint(text) == f"{problem}; if they are those of classes, pass --logprobs"
    [block] = read(text, quantity="logprob")
    assert block.logits.tolist() == [[*json.loads(numbers).values()]]


@each_case(
    ("record", "is_noted"),
    [('{"a": 0.75, "b": 0.125}', 1), ('{"a": 0.125, "b": 0.75}', 0), ('{"a": 0.25, "b": 0.125}', 0)],
)
def test_labeled_logits_that_look_like_the_probabilities_of_the_most_probable_tokens(
    record: str, is_noted: int
) -> None:
    """text-generation-webui calls them logits: modules/logits.py."""
    notes: list[str] = []
    read(f'{{"logits": {record}}}\n' * 2, note=notes.append)
    assert len(notes) == is_noted
    assert all("if they are probabilities, write probs in place of logits" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "where", "path"),
    [
        ('{"logprobs": {"content": []}}', "f:1", "logprobs"),
        ('{"index": 0, "message": {}, "logprobs": {"tokens": []}}', "f:1", "logprobs"),
        ('[{"logprobs": {"content": []}}]', "f:1: record 0", "logprobs"),
        ('{\n"logprobs":\n{}\n}', "f", "logprobs"),
        ('{"data": {"answer": [{"logprobs": []}]}}', "f:1", "data.answer[0].logprobs"),
        ('{"result": {"choices": {}}}', "f:1", "result.choices"),
    ],
)
def test_a_part_of_a_response_without_numbers_is_named_with_its_path(text: str, where: str, path: str) -> None:
    problem = f"{where}: unknown response: no log-probabilities in {path}"
    assert complaint(text) == f"{problem}; tsoft help api-responses lists the formats"


DICTIONARY = "a dictionary that Python printed; print it with json.dumps"


@each_case(
    ("text", "kind"),
    [
        *((text, DICTIONARY) for text in ("{'a': 1}", "[{'a': 1}]\n", "{\n'a b': 1, 'c': NaN\n}")),
        # json.dumps refuses vLLM's Logprob and other data classes.
        ("[{16: Logprob(logprob=-0.5)}]\n", f"{DICTIONARY}(…, default=vars)"),
        (
            "[{'a': tensor([1., 2.])}]\n",
            "a dictionary that Python printed; print it with json.dumps(…, default=lambda array: array.tolist())",
        ),
        ("[1]  2.10 -1.20\n", "a vector that R printed; print it with cat(format(x, digits = 17))"),
    ],
)
def test_values_that_python_or_r_printed_are_named(text: str, kind: str) -> None:
    """The name of their file may end in .json."""
    problem = complaint(text)
    assert ": not JSON: " in problem
    assert problem.endswith(f"; this is {kind}")


@pytest.mark.parametrize(
    "text", ['{\n "a": 1\n}\n{\n "a": 2\n}\n', '{"a": 1}{"a": 2}', "[1, 2] [3, 4]", "{\n}\n[NaN]\n{}\n"]
)
def test_several_documents_without_lines_of_their_own_have_a_fix(text: str) -> None:
    for form in ("json", "jsonl"):
        done = here("compute", "--input-format", form, stdin=text)
        assert done.returncode == 1
        assert done.stderr.endswith("; write each document on one line: jq -c .\n")


def test_a_text_that_starts_like_json_has_a_fix() -> None:
    problem = "f:1: not JSON: unexpected content after document; if it is not JSON, pass --input-format text"
    assert complaint("[1] a 2\n") == problem
    assert "--input-format" not in complaint("[1,]\n")


def test_the_names_of_fields_are_those_of_columns() -> None:
    notes: list[str] = []
    [block] = read('{"cat": 2, "confidence": 0.9}', note=notes.append)
    assert block.labels == ("cat", "confidence")
    assert notes == ["f: tsoft reads 'confidence' as a logit; pass --columns if that is wrong"]
    assert complaint('{"logit_a": 2, "prob_a": 0.9}').startswith("f:1: ambiguous: the columns are logits and prob")


def test_a_response_has_no_columns() -> None:
    response = {"choices": [{"logprobs": {"content": [{"token": "a", "logprob": -1, "top_logprobs": []}]}}]}
    problem = complaint(json.dumps(response), columns=ColumnOptions(("a",)))
    assert problem.startswith("f:1: an API response has no columns, so --columns")


def test_a_record_may_have_a_field_that_responses_have() -> None:
    assert rows(read('{"logits": [2, 1], "tokens": ["a", "b"], "content": []}')) == [[2, 1]]


@each_case(("text", "message"), WRONG.values())
def test_errors(text: str | bytes, message: str) -> None:
    problem = complaint(text)
    assert problem.startswith(message) if message.endswith(": ") else problem == message


def test_options_that_contradict_the_input() -> None:
    record = '{"probs": [1, 0], "labels": ["a", "b"]}'
    contradiction = "'probs' contains probabilities, not energies; remove --energies"
    assert complaint(record, quantity="energy") == f"f:1: {contradiction}"
    named = "the input already names the classes; remove --labels"
    assert complaint(record, labels=Labels(("x", "y"))) == f"f:1: {named}"
    assert (
        complaint("[1, 2, 3]", labels=Labels(("x", "y")))
        == "f:1: 3 classes, but --labels has 2 names; pass one name per class"
    )


def test_each_json_line_is_a_complete_value() -> None:
    """A document over several lines is not JSON lines."""
    assert complaint("[\n1\n]", "jsonl").startswith("f:1: not JSON")
    assert complaint("", "jsonl") == "f: no logits: the input is empty"


@pytest.mark.parametrize("format", ["json", "jsonl"])
@pytest.mark.parametrize("log", [False, True], ids=["probs", "log"])
@pytest.mark.parametrize("labels", [None, ("", "a", 'é"\\ \x00\n', "😀\u2028")], ids=["plain", "labels"])
def test_written_records_read_back(format: str, log: bool, labels: tuple[str, ...] | None) -> None:
    """Every number is the same bit for bit, and so is every label."""
    patterns: Array = np.frombuffer(np.random.default_rng(1).bytes(8 * 200))
    finite = patterns[np.isfinite(patterns)]
    logits = np.concatenate([finite[: len(finite) // 4 * 4], [1, -INF, 0.1, -0.0], [5e-324, 1e23, -INF, 3]]).reshape(
        -1, 4
    )
    result = Distributions(Block(logits, labels), np.array([0.5, 2.0]))

    def through(quantity: str | None, *extras: str) -> list[Block]:
        records = DistributionRecords([result], Content(log, logits="logits" in extras))
        written = "".join(map(str, write(records, format, NumberFormat())))
        return read(written, format, quantity=quantity)

    def are(blocks: list[Block], wanted: Array) -> bool:
        return {block.labels for block in blocks} == {labels} and rows(blocks) == wanted.tolist()

    by_row = np.repeat(logits, 2, axis=0)
    assert are(through(None, "logits"), by_row)
    with np.errstate(divide="ignore"):
        of_probs = np.log(result.probs.swapaxes(0, 1).reshape(by_row.shape))
    assert are(through("prob"), of_probs)
    assert are(through(None), result.log_probs.swapaxes(0, 1).reshape(by_row.shape) if log else of_probs)


@pytest.mark.parametrize(
    "text", [SHAPES[name][0] for name in ("rows", "a record", "over lines", "records", "energies")]
)
def test_every_truncation_is_an_error(text: str) -> None:
    whole = text.strip().encode()
    for cut in range(len(whole)):
        complaint(whole[:cut])


LEAVES = [None, True, False, 0, 1, -1, 0.5, -1.5e300, 2**70, math.inf, -math.inf, math.nan, "inf", "-inf", "x", ""]
NAMES = ["a", "b", "logits", "probs", "labels", "row"]


@pytest.mark.parametrize("quantity", [None, "prob", "energy"])
def test_any_value_is_read_or_refused(quantity: str | None) -> None:
    random = Random(1)
    for _ in range(100):
        indent = random.choice([None, 1])
        values = [random_value(random, LEAVES, NAMES) for _ in range(random.randint(1, 3))]
        check_read_or_refused("\n".join(json.dumps(value, indent=indent) for value in values).encode(), quantity)


def test_any_bytes_are_read_or_refused() -> None:
    random = Random(1)
    for _ in range(150):
        size = random.randint(0, 40)
        text = "".join(random.choices('[]{}",:01-.einfNa\\ \n', k=size))
        check_read_or_refused(random.choice([text.encode(), random.randbytes(size)]), None)


def check_read_or_refused(data: bytes, quantity: str | None) -> None:
    for format in ("json", "jsonl"):
        try:
            blocks = read(data, format, quantity=quantity)
        except InputError as error:
            blocks, message = [], str(error)
        else:
            message = "f:"
        assert message.startswith("f:")
        for block in blocks:
            assert block.labels is None or len(block.labels) == block.logits.shape[1]
            assert np.isfinite(block.logits.max(1)).all()


# The whole program


def test_records_read_back_through_a_pipe() -> None:
    """tsoft reads the logits if the record has them, else the probabilities."""
    for format in ("json", "jsonl"):
        with_logits = out("compute", "a=2", "b=1", "--tau", "0.5,2", "--with-logits", "-f", format)
        again = out("compute", "--tau", "0.7", "-f", "csv", stdin=with_logits)
        row = ",".join(map(repr, tsoft.softmax([2, 1], 0.7).tolist()))
        assert again == f"row,tau,a,b\n0,0.7,{row}\n1,0.7,{row}\n"
        probs = out("compute", "2", "0", "--tau", "0.5", "-f", format)
        [text] = out("compute", "--tau", "2", stdin=probs).splitlines()
        assert [float(p) for p in text.split("\t")] == pytest.approx(tsoft.softmax([2, 0]), rel=1e-14)


def test_a_line_is_written_before_the_next_is_read() -> None:
    turns = [(b"[1, 1]\n", b"0.5\t0.5\n"), (b'{"a": 1, "b": 1}\n', b"")]
    assert in_turns("compute", "-f", "tsv", turns=turns) == (0, b"0.5\t0.5\n")


def test_records_before_an_error_are_written() -> None:
    done = here("compute", stdin=f"{[1] * 64}\n" * 2000 + "[1, 1, null]\n")
    assert done.returncode == 1
    assert set(done.stdout.splitlines()) == {"\t".join(["0.015625"] * 64)}
    assert done.stdout.endswith("\n")
    assert done.stderr == f"tsoft: error: stdin:2001: field 3: expected a number, got null{HINT}\n"


def test_memory_does_not_grow_with_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsoft.input.lines.CHUNK", 1 << 13)

    def peak_of(rows: int) -> int:
        text = b"[0.123456789, -1.5, 2.25, 1e-3, 7, 8, 9, 10, 11, 12]\n" * rows
        tracemalloc.start()
        try:
            blocks = FORMATS["jsonl"].reader()(io.BufferedReader(io.BytesIO(text)), ReadOptions("f"))
            assert sum(len(block.logits) for block in blocks) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_of(1500) < 1.2 * peak_of(500)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"\n", b"[1,2]\n"], [1, 2]),
        ([b" " * 9000, b"[1,2]"], [1, 2]),
        ([b"\xef\xbb", b"\xbf[1,2]\n"], [1, 2]),
        ([b"[", b"1,", b"2]\n"], [1, 2]),
        ([b"da", b"te 1\ncat 2\n"], [1, 2]),
        ([b"1 2\n", b"3 4\n"], [1, 2]),
    ],
)
def test_content_that_arrives_in_pieces(pieces: list[bytes], expected: list[float]) -> None:
    """The format is recognized however the bytes arrive, and no byte is lost."""

    class Slow(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            data = waiting.pop(0) if waiting else b""
            buffer[: len(data)] = data
            return len(data)

    waiting = list(pieces)
    head, source = with_head(io.BufferedReader(Slow(), 16384))
    chosen = by_content(head) or FORMATS["text"]
    first = next(chosen.reader()(source, ReadOptions("f")))
    assert first.logits[0].tolist() == expected


def test_the_format_of_numbers_is_recognized_without_waiting_for_more() -> None:
    reads = []

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            reads.append(1)
            buffer[:4] = b"1 2\n"
            return 4

    with_head(io.BufferedReader(Endless()))
    assert len(reads) == 1


def test_an_invalid_first_line_is_an_error_at_once() -> None:
    """Even though more input follows: no continuation would make the line valid."""
    status, _ = in_turns("compute", turns=[(b"[1,]\n[1,2]\n", b"tsoft: error: stdin:1: not JSON")])
    assert status == 1


@pytest.mark.parametrize("escaped", [False, True])
def test_both_parsers_keep_or_refuse_repeated_names(escaped: bool) -> None:
    """NaN elsewhere in the text selects the second parser. A row keeps all pairs; another object is an error."""

    def written(value: object) -> str:
        text = json.dumps(value, ensure_ascii=escaped)
        return text.replace(":", random.choice(["\\u003a", "\\u003A"])) if escaped else text

    options, random = ReadOptions("f"), Random(1)
    names, numbers = (
        ["a", "b", ":", '"', "\\u003a", "logits", "labels", "id", "token"],
        [-9, 0, 1, "", ":", 'é"', "\\:"],
    )
    cases = [
        [("a", 1), ("a", ":")],
        *(list(zip(random.choices(names, k=n % 5), random.choices(numbers, k=n % 5), strict=True)) for n in range(40)),
    ]
    for pairs in cases:
        text = "{" + ", ".join(f"{written(n)}: {written(v)}" for n, v in pairs) + "}"
        expected = dict(pairs) if len(dict(pairs)) == len(pairs) else RepeatedNames(pairs)
        assert parsed_rows(text.encode(), options, 1) == expected
        assert parsed_rows(f"[{text}, NaN]".encode(), options, 1)[0] == expected
        for document in (f'{{"x": [{text}, 0]}}', f'{{"x": [{text}, NaN]}}'):
            for parse in (parsed_json, parsed_rows):
                if isinstance(expected, dict):
                    assert parse(document.encode(), options, 1)["x"][0] == expected
                else:
                    problem = r"^f:1: an object has the name .* twice; write each name once$"
                    with pytest.raises(InputError, match=problem):
                        parse(document.encode(), options, 1)


@each_case(
    "text",
    [
        '{"logits": [1, 2], "logits": [3, %s]}',
        '{"id": "x", "logits": [1, %s], "id": "y"}',
        '{"logits": [1], "logits": [2]}\n{"logits": [%s]}',
        '{"choices": [{"logprobs": {"tokens": ["a"], "token_logprobs": [-1], "top_logprobs": [{"a": -1, "a": %s}]}}]}',
    ],
)
@each_case("number", ["-2", "-Infinity"])
def test_a_record_or_response_that_repeats_a_name_is_an_error(text: str, number: str) -> None:
    done = here("compute", stdin=text % number)
    assert (done.returncode, done.stdout) == (1, "")
    assert "twice; write each name once\n" in done.stderr


def test_the_second_parser_refuses_the_texts_that_the_first_one_refuses() -> None:
    """Before, -1e400 was a mask."""
    for text, problem in {"[1, -1e400%s]": "a number is too large", '{"a\\ud800": 1%s}': "lone surrogate"}.items():
        for more in ("", ', "b": NaN' if ":" in text else ", NaN"):
            with pytest.raises(InputError, match=problem):
                parsed_rows((text % more).encode(), ReadOptions("f"), 1)


def test_a_response_in_a_json_string_is_read() -> None:
    """Such as json.dumps(response.model_dump_json()), in a document or in lines."""
    tokens = [{"token": token, "logprob": -0.5, "top_logprobs": []} for token in "ab"]
    text = json.dumps(json.dumps({"choices": [{"index": 0, "logprobs": {"content": tokens}}]}))
    assert by_content(text.encode()) == FORMATS["json"]
    assert [block.labels for block in read(text)] == [("a",), ("b",)]
    assert [block.labels for block in read(f"{text}\n{text}\n", "jsonl")] == [("a",), ("b",)] * 2
    assert "expected an array of numbers or an object" in complaint(json.dumps('{"a": "logprobs"'))
    assert by_content(b'"[PAD]" 2') is None
