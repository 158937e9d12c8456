"""Parquet files and safetensors that tsoft writes, read by their libraries and by tsoft."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tsoft
from array_files import numbers, read, rows, saved
from cases import each_case
from tool import here
from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.output.arrays import logits_file, write
from tsoft.output.distribution_array import DistributionArray
from tsoft.output.distribution_records import Content
from tsoft.output.file import OutputStream
from tsoft.sampling.apply_chains import distribution_pieces

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
load = pytest.importorskip("safetensors.numpy").load
safetensors = pytest.importorskip("safetensors")

FORMS = ["parquet", "safetensors"]


def written(format: str, *blocks: Block, taus: list[float], log: bool = False) -> bytes:
    """Return the bytes of a file of the distributions of blocks."""
    buffer = io.BytesIO()
    results = (result for block in blocks for result in distribution_pieces(block, np.array(taus)))
    array = DistributionArray(results, np.array(taus), Content(log), lambda _: None)
    write(format, array, OutputStream(buffer, "buffer"))
    return buffer.getvalue()


def table(data: bytes) -> Any:
    return pq.read_table(io.BytesIO(data))


def expected(array: Array, taus: list[float], log: bool = False) -> Array:
    """Return the distributions, (rows, temperatures, classes)."""
    return np.stack([(tsoft.log_softmax if log else tsoft.softmax)(array, tau) for tau in taus], 1)


@pytest.mark.parametrize("log", [False, True], ids=["probs", "log"])
@pytest.mark.parametrize("taus", [[0.7], [0.5, 1.0, 2.0]], ids=["one", "several"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_parquet_file_has_a_column_per_class(dtype: str, taus: list[float], log: bool) -> None:
    array = numbers((7, 3), dtype)
    blocks = [Block(array[:4], ("a", "b", "c")), Block(array[4:], ("a", "b", "c"), 4)]
    columns = table(written("parquet", *blocks, taus=taus, log=log)).to_pydict()
    assert list(columns) == ["row", "tau", "a", "b", "c"]
    assert columns["row"] == [row for row in range(7) for _ in taus]
    assert columns["tau"] == taus * 7
    result = np.array([columns[name] for name in "abc"]).T
    assert np.array_equal(result, expected(array, taus, log).reshape(-1, 3))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(("a", "a", ""), 3), (("row", "tau", "id"), 3), (None, 1001), (("a", ""), 2), (("engine", "b"), 2)],
)
def test_classes_that_cannot_be_columns_are_a_list(labels: tuple[str, ...] | None, classes: int) -> None:
    array = numbers((2, classes))
    data = written("parquet", Block(array, labels), taus=[1.0])
    columns = table(data).to_pydict()
    assert list(columns) == ["row", "tau", "probs"]
    assert np.array_equal(columns["probs"], tsoft.softmax(array))
    [block] = read(data, "parquet")
    assert block.labels == labels


@each_case("log", [False, True])
@each_case("axes", [None, (2, 3)])
@each_case("taus", [[0.7], [0.5, 1.0]])
def test_safetensors_have_the_axes_of_the_input(taus: list[float], axes: Any, log: bool) -> None:
    array = numbers((6, 4))
    blocks = [
        Block(array[:5], None, 0, Origin(axes=axes), keys=[*"abcde"]),
        Block(array[5:], None, 5, Origin(axes=axes), keys=["f"]),
    ]
    data = written("safetensors", *blocks, taus=taus, log=log)
    tensors = load(data)
    shape = (axes or (6,)) + ((len(taus),) if len(taus) > 1 else ()) + (4,)
    name = "log_probs" if log else "probs"
    assert np.array_equal(tensors[name], expected(array, taus, log).reshape(shape))
    assert tensors["taus"].tolist() == taus
    [block] = read(data, "safetensors")
    assert block.origin.quantity == ("logprob" if log else "prob")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("labels", ["cat,dog", "cat,cat", "é,", '"\\t"'])
def test_tsoft_reads_what_it_writes(form: str, labels: str, tmp_path: Path) -> None:
    """Labels and keys of all kinds, at a temperature after which the same distribution is read at τ = 1."""
    names = ["x\ty", "z"] if labels == '"\\t"' else labels.split(",")
    text = json.dumps(
        [{"id": "k1", "logits": [2, 1], "labels": names}, {"id": "k2", "logits": [0, 3], "labels": names}]
    )
    path = tmp_path / f"a.{form}"
    for tau in ("0.5", "0.5,2"):
        direct = here("compute", "--tau", tau, "--format", "json", stdin=text)
        assert here("compute", "--tau", tau, "-o", str(path), stdin=text).returncode == 0
        again = here("compute", "-i", str(path), "--format", "json")
        assert again.returncode == 0, again.stderr
        for record, other in zip(json.loads(direct.stdout), json.loads(again.stdout), strict=True):
            assert other["probs"] == pytest.approx(record["probs"], rel=1e-12)
            assert other["labels"] == record["labels"] == names
            if tau == "0.5":
                assert (other["id"], other["row"]) == (record["id"], record["row"])


@pytest.mark.parametrize("form", ["npz", *FORMS])
@pytest.mark.parametrize(
    "texts",
    [["a\0", "", "a\0", "\0"], ["\0b", "é😀", "", ""], ["x" * 10**6, "y", "z", "\t"]],
    ids=["NUL", "other", "long"],
)
def test_labels_and_keys_are_read_exactly(form: str, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy's strings are as wide as the longest, and lose NULs at the end."""
    monkeypatch.setattr("tsoft.output.text_arrays.MOST_BYTES", 1 << 20)
    data = written(form, Block(numbers((4, 4)), tuple(texts), keys=texts), taus=[1.0])
    assert len(data) < 10_000_000
    [block] = read(data, form)
    assert (block.labels, list(block.keys or ())) == (tuple(texts), texts)


def test_labels_beyond_the_limit_of_safetensors_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is 100 MB, which would take long."""

    def too_large(*_: object) -> bytes:
        raise safetensors.SafetensorError("header too large")

    monkeypatch.setattr("tsoft.output.safetensors_file.save", too_large)
    with pytest.raises(InputError, match=r"the labels and row ids do not fit into safetensors .*; use --format npz"):
        logits_file("safetensors", np.zeros(2), ("a", "b"))


@pytest.mark.parametrize("form", ["npz", *FORMS])
def test_large_integers_as_keys_are_texts(form: str) -> None:
    """No integer of numpy has room for both, and a float would round them."""
    keys = [2**63 + 1, -1]
    [block] = read(written(form, Block(numbers((2, 2)), None, keys=keys), taus=[1.0]), form)
    assert list(block.keys or ()) == ["9223372036854775809", "-1"]


@pytest.mark.usefixtures("small_blocks")
def test_a_row_that_is_computed_a_few_temperatures_at_a_time() -> None:
    """Rows with more probabilities than a piece. A file has each row's key once, or once per record."""
    array, taus = numbers((3, 7)), [0.1, 0.2, 0.3, 0.5, 1.0]
    blocks = [Block(array[:2], None, keys=["a", "b"]), Block(array[2:], None, 2, keys=["c"])]
    assert [len(piece.taus) for piece in distribution_pieces(blocks[1], np.array(taus))] == [2, 2, 1]
    columns = table(written("parquet", *blocks, taus=taus)).to_pydict()
    assert columns["row"] == [row for row in range(3) for _ in taus]
    assert columns["id"] == [key for key in "abc" for _ in taus]
    assert columns["tau"] == taus * 3
    result = np.array([columns[str(i)] for i in range(7)]).T
    assert np.array_equal(result, expected(array, taus).reshape(-1, 7))
    data = written("safetensors", *blocks, taus=taus)
    assert np.array_equal(load(data)["probs"], expected(array, taus))
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["id"]) == [*"abc"]
    with np.load(io.BytesIO(written("npz", *blocks, taus=taus))) as archive:
        assert np.array_equal(archive["probs"], expected(array, taus))
        assert archive["id"].tolist() == [*"abc"]


@pytest.mark.parametrize("form", FORMS)
def test_numbers_as_keys(form: str) -> None:
    data = written(form, Block(numbers((2, 2)), None, keys=[5, 7]), taus=[1.0])
    [block] = read(data, form)
    assert list(block.keys or ()) == [5, 7]


def test_keys_that_become_texts_are_an_error() -> None:
    blocks = [Block(numbers((1, 2)), None, 0, keys=[5]), Block(numbers((1, 2)), None, 1, keys=["a"])]
    with pytest.raises(InputError, match="row 1: the row ids are numbers first, and then texts; use --format jsonl"):
        written("parquet", *blocks, taus=[1.0])


@pytest.mark.parametrize("form", FORMS)
def test_logits_of_one_row(form: str) -> None:
    row, labels = np.array([2.0, -np.inf, 1.0], np.float32), (" a", " a", "")
    [block] = read(logits_file(form, row, labels), form)
    assert (block.logits[0].tolist(), block.labels, block.origin.quantity) == (row.tolist(), labels, "logit")
    assert block.logits.dtype == np.float32


@pytest.mark.parametrize("form", FORMS)
def test_sweep_and_next_write_them(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{form}"
    assert here("sweep", "2", "1", "--steps", "3", "-o", str(path)).returncode == 0
    assert rows(read(path.read_bytes(), form)).shape == (3, 2)
    book = tmp_path / "book.txt"
    book.write_text("the cat sat on the mat\n")
    assert here("next", "the", "--ngram", str(book), "-o", str(path)).returncode == 0
    direct = here("next", "the", "--ngram", str(book), "--format", "json")
    [record] = json.loads(direct.stdout)
    [block] = read(path.read_bytes(), form)
    assert block.labels == tuple(record["labels"])
    assert block.logits[0] == pytest.approx(record["logits"])


@pytest.mark.parametrize("form", FORMS)
def test_an_error_leaves_no_file(form: str, tmp_path: Path) -> None:
    for text in ("1 2\n1 2 3\n", "1 2\n1 nan\n"):
        assert here("compute", "-o", str(tmp_path / f"a.{form}"), stdin=text).returncode == 1
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("form", "package"), [("parquet", "pyarrow"), ("safetensors", "safetensors")])
def test_without_the_package_the_message_names_the_extra(
    form: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    extra = {"parquet": "parquet", "safetensors": "arrays"}[form]
    done = here("compute", "2", "1", "-o", str(tmp_path / f"a.{form}"))
    assert done.returncode == 2
    assert done.stderr == f"tsoft: error: {form} needs {package}; run pip install 'tsoft[{extra}]'\n"


def test_a_large_input_is_written_in_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    from tsoft.output import parquet_file

    monkeypatch.setattr(parquet_file, "GROUP", 20)
    array = numbers((30, 4))
    data = written("parquet", *read(saved(array[:17])), Block(array[17:], None, 17), taus=[1.0])
    assert pq.ParquetFile(io.BytesIO(data)).num_row_groups == 2
    assert np.exp(rows(read(data, "parquet"))) == pytest.approx(tsoft.softmax(array))


def test_a_name_that_tsoft_only_reads_is_an_error(tmp_path: Path) -> None:
    for name in ("a.arrow", "a.pt", "a.csv.gz"):
        done = here("compute", "1", "2", "-o", str(tmp_path / name))
        assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
        assert f"cannot tell the format from the ending .{name.rsplit('.', 1)[1]}; pass --format" in done.stderr
