"""Reading Parquet and Arrow files that pyarrow writes, by the same rules as tables in text."""

import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tsoft
from array_files import complaint, numbers, read, rows
from cases import each_case
from tool import here, out
from tsoft.core.block import Block
from tsoft.errors import InputError
from tsoft.input import arrow
from tsoft.input.formats import FORMATS, by_content
from tsoft.input.labels import Labels
from tsoft.input.read_options import ArrayKey, ColumnOptions, TargetSource
from tsoft.input.targets_file import read as read_targets

pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")
pq = pytest.importorskip("pyarrow.parquet")


def parquet(table: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def ipc(table: Any, *, stream: bool = False) -> bytes:
    buffer = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(buffer, table.schema) as writer:
        writer.write_table(table)
    return buffer.getvalue()


def stored(**columns: Any) -> bytes:
    return parquet(pa.table(columns))


def block(data: bytes, **reading: Any) -> Block:
    """Read a Parquet file of one block."""
    [block] = read(data, "parquet", **reading)
    return block


CAT_DOG = {"cat": [2.0, 0.0], "dog": [1.0, 3.0]}
LOGITS = [[2.0, 1.0], [0.0, 3.0]]


def test_a_column_of_responses_is_an_error() -> None:
    response = '{"choices": [{"logprobs": null}]}'
    lists = [[{"token": "a", "logprob": -0.5}]]
    for columns in ({"id": ["a"], "response": [response]}, {"text": ["a"], "tokens": lists}):
        with pytest.raises(InputError, match=r"save the table as JSON lines: pandas.read_parquet\('FILE'\).to_json"):
            read(stored(**columns), "parquet")


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_every_kind_of_file_is_recognized_and_read(piped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "BATCH", 48)
    monkeypatch.setattr(arrow, "PER_COLUMN", 0)
    array = numbers((50, 3), "f4")
    table = pa.table({name: array[:, i] for i, name in enumerate("abc")})
    for data, format in (
        (parquet(table, row_group_size=20), "parquet"),
        (parquet(table, compression="none", version="1.0", use_dictionary=False), "parquet"),
        (ipc(table), "arrow"),
        (ipc(table, stream=True), "arrow"),
        (ipc(pa.Table.from_batches(table.to_batches(max_chunksize=7))), "arrow"),
    ):
        assert by_content(data[:256]) == FORMATS[format]
        blocks = read(data, format, piped=piped)
        assert len(blocks) > 10
        assert np.array_equal(rows(blocks), array)
        assert (blocks[0].labels, blocks[0].logits.dtype.name) == (("a", "b", "c"), "float32")


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"compression": "lz4"}, {"version": 1}])
@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_feather_files_are_read(options: dict[str, Any], tmp_path: Path) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    path = tmp_path / "a.feather"
    feather.write_feather(pa.table(CAT_DOG), str(path), **options)
    for piped in (False, True):
        assert rows(read(path.read_bytes(), "arrow", piped=piped)).tolist() == LOGITS


def test_a_table_is_read_as_the_same_table_in_text() -> None:
    """With keys and targets, which each command finds by their names."""
    table = pa.table({"id": ["x", "y", "z"], "cat": [2.0, 0, 1], "dog": [1.0, 3, 2], "label": ["cat", "dog", "cat"]})
    text = io.BytesIO()
    csv.write_csv(table, text)
    for command in (["compute", "--format", "csv"], ["calibrate", "--format", "json"], ["distill", "--format", "csv"]):
        expected = here(*command, stdin=text.getvalue())
        for data in (parquet(table), ipc(table), ipc(table, stream=True))[: 3 if "compute" in command else 1]:
            done = here(*command, stdin=data)
            assert (done.stdout, done.returncode) == (expected.stdout, expected.returncode)
            assert done.stderr.splitlines()[0] == expected.stderr.splitlines()[0]


TYPES = {
    "int8": pa.array([-2, 3], pa.int8()),
    "uint64": pa.array([2**63, 3], pa.uint64()),
    "float16": pa.array(np.array([0.1, 2], np.float16)),
    "decimal": pa.array([Decimal("0.1"), Decimal("-2.5")]),
    "a dictionary": pa.array([0.5, 0.5, 1.5]).dictionary_encode().slice(1),
    "a slice": pa.array([9.0, 0.5, 1.5, 9.0]).slice(1, 2),
    "infinite": pa.array([-np.inf, 1.0]),
}


@each_case("array", TYPES.values())
def test_numbers_of_all_types_are_exact(array: Any) -> None:
    expected = [float(value) for value in array.to_pylist()]
    table = pa.table({"a": array, "b": [0.0, 0.0]})
    for data, format in ((parquet(table), "parquet"), (ipc(table), "arrow")):
        assert rows(read(data, format))[:, 0].tolist() == expected


def test_integers_and_floats_together_are_float64() -> None:
    both = block(stored(a=pa.array([2**40 + 1, 0]), b=pa.array([0.1, 0.2], pa.float32())))
    assert both.logits.dtype == np.float64
    assert both.logits.tolist() == [[2**40 + 1, np.float32(0.1)], [0, np.float32(0.2)]]


LISTS = {
    "lists": pa.list_(pa.float64()),
    "large lists": pa.large_list(pa.float32()),
    "lists of one size": pa.list_(pa.float64(), 2),
    "lists of integers": pa.list_(pa.int32()),
}


@pytest.mark.parametrize("type", LISTS.values(), ids=LISTS.keys())
def test_a_column_of_lists(type: Any) -> None:
    """Slices start in the middle of the values."""
    array = pa.array([[9, 9], *LOGITS, [8, 8]], type).slice(1, 2)
    table = pa.table({"key": ["a", "b"], "logits": array, "target": [0, 1]})
    for data, format in ((parquet(table), "parquet"), (ipc(table), "arrow"), (ipc(table, stream=True), "arrow")):
        [whole] = read(data, format, targets=TargetSource(), columns=ColumnOptions(key="key"))
        assert whole.logits.tolist() == LOGITS
        assert whole.targets is not None
        assert (whole.targets.tolist(), whole.keys) == ([0, 1], ["a", "b"])


def test_lists_of_different_lengths() -> None:
    data = stored(logits=[[1.0, 2], [3.0, 4], [5.0], [6.0, 7]], id=["a", "b", "c", "d"])
    blocks = read(data, "parquet")
    assert [block.logits.tolist() for block in blocks] == [[[1, 2], [3, 4]], [[5]], [[6, 7]]]
    assert [(block.first_row, block.keys) for block in blocks] == [(0, ["a", "b"]), (2, ["c"]), (3, ["d"])]


def test_lists_of_strings_name_the_classes_of_each_row(tmp_path: Path) -> None:
    labels = [["cat", "dog"], ["cat", "dog"], ["dog", "cat"]]
    data = stored(labels=labels, logits=[[2.0, 1.0], [0.0, 3.0], [3.0, 1.0]], target=["cat", "cat", "cat"])
    notes: list[str] = []
    first, second = read(data, "parquet", targets=TargetSource(), note=notes.append)
    assert (first.labels, second.labels) == (("cat", "dog"), ("dog", "cat"))
    assert [block.targets.tolist() for block in (first, second) if block.targets is not None] == [[0, 0], [1]]
    assert notes == ["f: tsoft reads 'target' as the true classes; pass --columns to list the logits instead"]
    path = tmp_path / "z.parquet"
    path.write_bytes(data)
    done = here("compute", "-i", str(path), "-f", "csv", "--digits", "3")
    assert done.stdout == "row,tau,cat,dog\n0,1,0.731,0.269\n1,1,0.0474,0.953\n2,1,0.119,0.881\n"
    order = "the classes are in another order than in the first row; tsoft matches them by name"
    assert f"{path}: row 2: {order}\n" in done.stderr
    # Other lists of strings do not name the classes.
    assert block(stored(labels=[["joy"]], logits=[[1.0, 2.0]])).labels is None
    assert block(stored(words=[["a", "b"]], logits=[[1.0, 2.0]])).labels is None


@each_case(
    ("labels", "message"),
    [(["a"], "row 1: 2 numbers, but 1 label; save one per class"), (None, "row 1: labels: null; expected a list of")],
)
def test_a_row_without_a_label_for_each_number_is_an_error(labels: Any, message: str) -> None:
    data = stored(labels=[["a", "b"], labels], logits=[[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(InputError, match=message):
        read(data, "parquet")


def test_the_name_of_a_column_states_the_quantity() -> None:
    assert block(stored(probs=[[0.25, 0.75]])).logits[0] == pytest.approx(np.log([0.25, 0.75]))
    message = "the array 'probs' contains probabilities, not log-probabilities; remove --logprobs"
    assert message in complaint(stored(probs=[[0.25, 0.75]]), "parquet", quantity="logprob")
    # Of several columns of lists, that of the logits is read.
    assert block(stored(x=[[9.0]], logits=[[1.0, 2.0]], y=[[8.0]])).logits.tolist() == [[1, 2]]


def test_an_extension_type_is_read_as_its_storage() -> None:
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.array(LOGITS))
    assert rows(read(ipc(pa.table({"logits": tensors})), "arrow")).tolist() == LOGITS


NESTED = {"id": ["a", "b"], "scores": [{"cat": 2.0, "dog": 1.0}, {"cat": 0.0, "dog": 3.0}]}


def test_nested_columns_by_their_paths() -> None:
    data = stored(**NESTED, model=[{"z": row} for row in LOGITS])
    assert block(data, key=ArrayKey("model.z")).logits.tolist() == LOGITS
    by_key = block(data, key=ArrayKey("scores"))
    assert (by_key.logits.tolist(), by_key.labels, by_key.keys) == (LOGITS, ("cat", "dog"), ["a", "b"])
    for names in (("scores.cat", "scores.dog"), ("scores.*",)):
        by_name = block(data, columns=ColumnOptions(names))
        assert (by_name.logits.tolist(), by_name.labels) == (LOGITS, ("scores.cat", "scores.dog"))
    assert complaint(data, "parquet", key=ArrayKey("score")).startswith(
        "--key: unknown column 'score'; did you mean 'scores'?"
    )
    assert "'id' is not a column of lists of numbers" in complaint(data, "parquet", key=ArrayKey("id"))
    assert "ambiguous: 'model.z' contains lists of numbers" in complaint(data, "parquet")


def test_the_index_of_a_pandas_table_is_the_key() -> None:
    """pandas describes its index in the metadata."""
    for name in ("__index_level_0__", "image"):
        table = pa.table({**CAT_DOG, name: [17, 3]})
        table = table.replace_schema_metadata({"pandas": json.dumps({"index_columns": [name]})})
        both = block(parquet(table))
        assert (both.logits.tolist(), both.keys) == (LOGITS, [17, 3])
    # A range is no column.
    table = pa.table(CAT_DOG).replace_schema_metadata({"pandas": json.dumps({"index_columns": [{"kind": "range"}]})})
    assert block(parquet(table)).keys is None


def test_true_classes_are_no_lists(tmp_path: Path) -> None:
    path = tmp_path / "z.parquet"
    for targets, kind in (([[0], [1]], "int64"), ([["cat"], ["dog"]], "string")):
        path.write_bytes(stored(logits=LOGITS, target=targets))
        problem = f"the column 'target' contains values of the type list<element: {kind}>; expected one class per row"
        assert here("calibrate", str(path)).stderr.endswith(f"tsoft: error: {path}: {problem}\n")


def test_keys() -> None:
    assert block(stored(id=[3, 4], **CAT_DOG)).keys == [3, 4]
    assert block(stored(name=["é", None], **CAT_DOG), columns=ColumnOptions(key="name")).keys == ["é", ""]
    message = "row 1: expected 4, as the column 'id' counts the rows, got 7; pass --id-column 'id' if it names the rows"
    assert message in complaint(stored(id=[3, 7], **CAT_DOG), "parquet")
    data = stored(id=pa.array(["b", "a"]).dictionary_encode(), **CAT_DOG)
    assert block(data).keys == ["b", "a"]
    # Strings of digits are texts.
    for ids in (["1", "2"], ["3", "7"]):
        assert block(stored(id=ids, **CAT_DOG)).keys == ids
        assert block(stored(id=pa.array(ids).dictionary_encode(), **CAT_DOG)).keys == ids


TARGETS = {
    "texts": ["cat", "dog"],
    "categories": pa.array(["cat", "dog"]).dictionary_encode(),
    "indices": [0, 1],
    "floats": [0.0, 1.0],
    "booleans": [False, True],
}


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS.keys())
def test_targets(targets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch has one row, so each has dictionaries of its own."""
    monkeypatch.setattr(arrow, "BATCH", 1)
    monkeypatch.setattr(arrow, "PER_COLUMN", 0)
    blocks = read(stored(**CAT_DOG, target=targets), "parquet", targets=TargetSource())
    assert [block.targets.tolist() for block in blocks if block.targets is not None] == [[0], [1]]


@pytest.mark.parametrize("names", [["labels"], ["targets"], ["targets", "labels"]])
def test_targets_next_to_lists(names: list[str]) -> None:
    data = stored(
        logits=[[2.0, 1.0], [0.0, 3.0]], **{name: [1, 0] if i == 0 else [0, 0] for i, name in enumerate(names)}
    )
    targets = block(data, targets=TargetSource()).targets
    assert targets is not None
    assert targets.tolist() == [1, 0]


def test_targets_that_are_no_classes_are_errors() -> None:
    for targets, message in {
        (0, 2): "row 1: 'target': unknown class '2'; use a label, or an index from 0 to 1",
        (0, None): "row 1: 'target': empty; write a class's label or index",
        ("cat", "bird"): "row 1: 'target': unknown class 'bird'",
    }.items():
        data = stored(**CAT_DOG, target=list(targets))
        assert message in complaint(data, "parquet", targets=TargetSource())
    data = stored(**CAT_DOG, target=[0, -100])
    indices = block(data, targets=TargetSource(ignored=-100)).targets
    assert indices is not None
    assert indices.tolist() == [0, -1]


def test_one_number_per_row_is_a_binary_classifier_next_to_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number is the logit of the class that its column names."""
    monkeypatch.setattr(arrow, "BATCH", 1)
    monkeypatch.setattr(arrow, "PER_COLUMN", 0)
    for name, labels in {"P(Cat)": ("dog", "cat"), "dog": ("cat", "dog"), "z": ("cat", "dog")}.items():
        data = parquet(pa.table({name: [2.0, -1.0, 0.5], "label": ["cat", "cat", "dog"]}))
        blocks = read(data, "parquet", targets=TargetSource())
        assert rows(blocks).tolist() == [[0, 2], [0, -1], [0, 0.5]]
        assert {block.labels for block in blocks} == {labels}
        targets = [int(block.targets[0]) for block in blocks if block.targets is not None]
        assert targets == [labels.index(label) for label in ("cat", "cat", "dog")]
    assert "every target is 'cat'; name both classes" in complaint(
        stored(z=[1.0], label=["cat"]), "parquet", targets=TargetSource()
    )


@pytest.mark.parametrize("columns", [{"z": [1.5, -0.5]}, {"logits": [[1.5], [-0.5]]}])
def test_one_number_next_to_true_classes_is_a_binary_classifier(columns: Any) -> None:
    whole = block(stored(**columns, label=[1, 0]))
    assert whole.logits.tolist() == [[0, 1.5], [0, -0.5]]
    assert whole.targets is None


def test_a_single_column_without_targets_is_one_distribution() -> None:
    whole = block(stored(id=["a", "b", "c"], prob=[0.5, 0.25, 0.25]))
    assert (whole.labels, whole.origin.axes) == (("a", "b", "c"), ())
    assert whole.logits == pytest.approx(np.log([[0.5, 0.25, 0.25]]))
    assert block(stored(index=[4, 9], logit=[1.5, 2.0])).labels == ("4", "9")
    notes: list[str] = []
    assert block(stored(token=["the", "a"], logprob=[-0.5, -1.0]), note=notes.append).labels == ("the", "a")
    assert notes[0] == "f: tsoft reads 'token' as the names of the classes"


NULL = "null is not a number; fill it, or write -inf to mask a class (pandas writes NaN as null)"
BROKEN: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a null": ({**CAT_DOG, "dog": [1.0, None]}, {}, f"row 1: 'dog': {NULL}"),
    "a null structure": ({"s": [{"a": 1.0, "b": 2.0}, None]}, {"key": ArrayKey("s")}, f"row 1: 's.a': {NULL}"),
    "a null list": ({"logits": [[1.0], None]}, {}, "row 1: logits: null; expected a list of numbers"),
    "a null in a list": ({"logits": [[1.0, 2.0], [1.0, None]]}, {}, f"row 1: logits: {NULL}"),
    "an empty list": ({"logits": [[1.0, 2.0], []]}, {}, "row 1: logits: the list is empty"),
    "NaN": ({**CAT_DOG, "dog": [1.0, np.nan]}, {}, "row 1: 'dog': NaN is not a logit; write -inf to mask a class"),
    "NaN in a list": ({"logits": [[1.0, 2.0], [1.0, np.nan]]}, {}, "row 1: 'logits': class #1: NaN is not a logit"),
    "masked": ({"a": [0.0, -np.inf], "b": [0.0, -np.inf]}, {}, "row 1: every class is masked (-inf)"),
    "a text": ({"text": ["x", "y"], **CAT_DOG}, {}, "the column 'text' contains string, such as 'x'; if 'text' names"),
    "booleans": ({**CAT_DOG, "dog": [True, False]}, {}, "the column 'dog' contains bool, such as 'true'; list the"),
    "a date": ({**CAT_DOG, "day": pa.array([1, 2], pa.date32())}, {}, "the column 'day' contains date32[day], such as"),
    "a list of lists": ({"x": [[[1.0]], [[2.0]]]}, {}, "the column 'x' contains list<element: list<element: double>>"),
    "a list that --columns names": (
        {"x": [[1.0], [2.0]], "id": ["a", "b"]},
        {"columns": ColumnOptions(("x",))},
        "'x' is a column of lists; select it with --key x instead of --columns",
    ),
    "several lists": ({"a": [[1.0]], "b": [[2.0]]}, {}, "several columns contain lists of numbers: 'a' and 'b'; pass"),
    "lists and numbers": ({**CAT_DOG, "a": [[1.0], [2.0]]}, {}, "ambiguous: 'a' contains lists of numbers, and other"),
    "one class per row of a key": (
        {"image_id": ["x", "x"], "label": ["a", "b"], "logit": [1.0, 2.0]},
        {},
        "the table has one class per row; save it",
    ),
    "one class per row": ({"label": ["a", "b"], "logit": [1.0, 2.0]}, {}, "the table has one class per row; save it"),
    "a label that repeats": ({"id": ["a", "b", "a"], "logit": [1.0, 2.0, 3.0]}, {}, "row 2: the label 'a' repeats; if"),
    "no such column": (CAT_DOG, {"columns": ColumnOptions(("cow",))}, "--columns: unknown column 'cow'"),
    "no logits": ({"id": ["a", "b"]}, {}, "no column is a logit; list the columns of the logits with --columns"),
    "no rows": ({"a": pa.array([], pa.float64())}, {}, "no logits: the table has no rows"),
    "labels twice": (CAT_DOG, {"labels": Labels(("a", "b"))}, "the input already names the classes; remove --labels"),
    "a fraction as a class": ({**CAT_DOG, "label": [1.0, 0.5]}, {}, "row 1: 0.5 is not a class, but tsoft ignores"),
}


@each_case(("columns", "reading", "message"), BROKEN.values())
def test_errors(columns: dict[str, Any], reading: dict[str, Any], message: str) -> None:
    table = pa.table(columns)
    for data, format in ((ipc(table, stream=True), "arrow"), (stored(**columns), "parquet")):
        # Parquet and Arrow give the values of lists different names.
        assert complaint(data, format, **reading).replace("<item:", "<element:").startswith(message)


def test_a_later_batch_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "BATCH", 40)
    monkeypatch.setattr(arrow, "PER_COLUMN", 0)
    with pytest.raises(InputError, match="row 3: 'dog': null is not a number"):
        read(stored(cat=[1.0] * 5, dog=[1.0, 2.0, 3.0, None, 4.0]), "parquet")
    with pytest.raises(InputError, match="row 3: 'dog': NaN is not a logit"):
        read(stored(cat=[1.0] * 5, dog=[1.0, 2.0, 3.0, np.nan, 4.0]), "parquet")
    with pytest.raises(InputError, match="row 4: logits: null; expected a list"):
        read(stored(logits=[[1.0], [2.0], [3.0], [4.0], None]), "parquet")


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_damaged_files_are_errors(piped: bool) -> None:
    table = pa.table(CAT_DOG)
    for data, format in ((parquet(table), "parquet"), (ipc(table), "arrow"), (ipc(table, stream=True), "arrow")):
        for cut in (0, 3, 8, 20, len(data) // 2, len(data) - 30):
            with pytest.raises(InputError):
                read(data[:cut], format, piped=piped)
    assert "this is UTF-16 text" in complaint("2 1".encode("utf-16"), "parquet")


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_a_stream_without_its_end_is_noted(piped: bool) -> None:
    """The format allows a stream that just ends, which a stream that is cut off between two batches does, too."""
    notes: list[str] = []
    whole = ipc(pa.table(CAT_DOG), stream=True)
    for data in (whole, whole[:-8]):
        assert rows(read(data, "arrow", piped=piped, note=notes.append)).tolist() == LOGITS
    assert notes == ["f: the Arrow stream has no end marker, so rows may be missing at its end"]


def test_fields_of_structures_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "BATCH", 1)
    monkeypatch.setattr(arrow, "PER_COLUMN", 0)
    for data, format in ((parquet(pa.table(NESTED)), "parquet"), (ipc(pa.table(NESTED)), "arrow")):
        blocks = read(data, format, key=ArrayKey("scores"))
        assert (len(blocks), rows(blocks).tolist()) == (2, LOGITS)


def test_columns_of_one_name_are_several_classes() -> None:
    table = pa.Table.from_arrays([pa.array([2.0]), pa.array([1.0]), pa.array([0.5])], names=["a", "b", "a"])
    both = block(parquet(table))
    assert (both.labels, both.logits.tolist()) == (("a", "b", "a"), [[2, 1, 0.5]])


def test_offsets_outside_a_list_are_an_error() -> None:
    """Without a check, pyarrow would read foreign memory."""
    data = ipc(pa.table({"logits": LOGITS}), stream=True)
    offsets = np.array([0, 2, 4], "<i4").tobytes()
    assert data.count(offsets) == 1
    damaged = data.replace(offsets, np.array([0, 2, 1 << 20], "<i4").tobytes())
    assert complaint(damaged, "arrow").startswith("pyarrow cannot read this as an Arrow file: ")


def test_a_null_in_the_values_of_a_dictionary_is_a_null() -> None:
    dog = pa.DictionaryArray.from_arrays([0, 1], pa.array([1.0, None]))
    data = ipc(pa.table({**CAT_DOG, "dog": dog}))
    assert complaint(data, "arrow") == f"row 1: 'dog': {NULL}"


def test_without_pyarrow_the_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data, other = stored(**CAT_DOG), ipc(pa.table(CAT_DOG))
    for name in [name for name in sys.modules if name.startswith("pyarrow")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    fix = "which needs pyarrow; run pip install 'tsoft[parquet]'"
    assert here("compute", stdin=data).stderr == f"tsoft: error: stdin: this is a Parquet file, {fix}\n"
    assert here("compute", stdin=other).stderr == f"tsoft: error: stdin: this is an Arrow file, {fix}\n"
    assert here("compute", "2", "1", "-o", "x.parquet").stderr == (
        "tsoft: error: parquet needs pyarrow; run pip install 'tsoft[parquet]'\n"
    )


def test_a_file_of_targets(tmp_path: Path) -> None:
    path = tmp_path / "targets.parquet"
    path.write_bytes(stored(image=["a", "b"], label=["cat", "dog"], other=["dog", "dog"]))
    assert list(read_targets(str(path)).values) == ["cat", "dog"]
    assert list(read_targets(str(path), TargetSource(key=ArrayKey("other", "--targets-key"))).values) == ["dog", "dog"]
    path.write_bytes(stored(x=[0, 1], y2=[1, 1]))
    with pytest.raises(InputError, match="no column is called 'targets'; pass --targets-key NAME to choose a column"):
        read_targets(str(path))


def test_the_commands_read_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(stored(cat=[2.0], dog=[1.0]))
    assert out("compute", "-i", str(path)) == out("compute", "2", "1")
    done = here("compute", "-i", str(path), "--columns", "dog,cat", "--tau", "0.5")
    assert [float(field) for field in done.stdout.split()] == pytest.approx(tsoft.softmax([1, 2], 0.5).tolist())
