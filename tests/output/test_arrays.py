"""Arrays in .npy and .npz files, compared with those of numpy."""

import io
import itertools
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tsoft
from array_files import SHAPES, numbers, read, rows, saved
from progress import Screen, progress_screen
from tool import forked, here
from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array
from tsoft.errors import OutputError
from tsoft.input import npy
from tsoft.input.labels import Labels
from tsoft.options.output import OutputOptions
from tsoft.options.writing import is_watched
from tsoft.output import arrays, watching
from tsoft.output.distribution_array import DistributionArray
from tsoft.output.distribution_records import Content
from tsoft.output.file import OutputStream
from tsoft.sampling.apply_chains import distribution_pieces
from tsoft.sampling.distributions import Distributions

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

TAUS = ([0.7], [0.5, 1.0, 2.0])


def pieces(array: Array, taus: list[float]) -> Iterator[Any]:
    """Yield the distributions of an array, as a writer gets them."""
    for block in read(saved(array)):
        yield from distribution_pieces(block, np.array(taus))


def array_of(
    results: Iterable[Distributions],
    taus: list[float],
    log: bool = False,
    format: str = "npy",
    note: Callable[[str], None] = lambda _: None,
) -> bytes:
    """Return the bytes that tsoft writes for distributions if the output is not a file."""
    buffer = io.BytesIO()
    array = DistributionArray(iter(results), np.array(taus), Content(log), note)
    arrays.write(format, array, OutputStream(buffer, "buffer"))
    return buffer.getvalue()


def expected(array: Array, taus: list[float], log: bool = False) -> Array:
    function = tsoft.log_softmax if log else tsoft.softmax
    return function(array, taus[0]) if len(taus) == 1 else np.moveaxis(function(array, taus), 0, -2).copy("C")


@pytest.mark.parametrize("log", [False, True], ids=["probs", "log"])
@pytest.mark.parametrize("taus", TAUS, ids=["one", "several"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "f8", "i4"])
@pytest.mark.usefixtures("small_blocks")
def test_output_equals_that_of_numpy_save(dtype: str, taus: list[float], log: bool) -> None:
    for shape in SHAPES:
        array = numbers(shape, dtype)
        assert array_of(pieces(array, taus), taus, log) == saved(expected(array, taus, log))


@pytest.mark.parametrize("taus", TAUS, ids=["one", "several"])
@pytest.mark.usefixtures("small_blocks")
def test_fortran_order_is_written_in_c_order(taus: list[float]) -> None:
    for shape, dtype in itertools.product(((7, 4), (50, 3), (2, 40)), ("f4", "f8")):
        array = numbers(shape, dtype, "F")
        assert array_of(pieces(array, taus), taus) == saved(expected(array, taus))


@pytest.mark.parametrize("taus", TAUS, ids=["one", "several"])
def test_an_unknown_number_of_rows(tmp_path: Path, taus: list[float]) -> None:
    """tsoft completes the header of a file at the end. In a pipe, it writes nothing before the last row."""
    array = numbers((40, 3))
    (tmp_path / "in.txt").write_text("\n".join(" ".join(map(repr, row)) for row in array.tolist()))
    command = f"tsoft compute -i in.txt --tau {','.join(map(str, taus))}"
    script = f"{command} -o file.npy && {command} -f npy | cat > pipe.npy"
    done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, env=forked(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "file.npy").read_bytes() == saved(expected(array, taus))
    assert (tmp_path / "pipe.npy").read_bytes() == saved(expected(array, taus))


def test_rows_that_are_held_in_memory_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(npy, "NOTE_BYTES", 100)
    monkeypatch.setattr(arrays, "NOTE_BYTES", 100)
    results = [next(distribution_pieces(Block(np.zeros((2, 4)), first_row=i), np.ones(1))) for i in (0, 2, 4)]
    assert array_of(results, [1.0], note=notes.append) == saved(np.full((6, 4), 0.25))
    assert [note.split(",")[0] for note in notes] == ["the number of rows is not known"]
    big = saved(numbers((9, 4), order="F"))
    assert rows(read(big, piped=True, note=notes.append)).shape == (9, 4)
    assert notes[1:] == ["f: the array is in Fortran order, so tsoft keeps all 0 MB in memory; -i FILE avoids this"]
    read(big, note=notes.append)
    assert len(notes) == 2


@pytest.mark.parametrize("form", ["npy", "npz"])
def test_rows_with_different_classes_are_an_error(form: str, tmp_path: Path) -> None:
    for text in ("1 2\n1 2 3\n", "a=1 b=2\na=1 c=2\n"):
        done = here("compute", "-f", form, stdin=text)
        assert (done.returncode, done.stdout) == (1, "")
        message = "stdin:2: the classes differ from those of the first row; use --format jsonl"
        assert done.stderr == f"tsoft: error: {message}\n"
        assert here("compute", "-o", str(tmp_path / f"out.{form}"), stdin=text).returncode == 1
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("log", [False, True], ids=["probs", "log"])
@pytest.mark.parametrize("taus", TAUS, ids=["one", "several"])
@pytest.mark.usefixtures("small_blocks")
def test_numpy_and_tsoft_read_an_npz_file(taus: list[float], log: bool) -> None:
    array = numbers((2, 5, 3), "f4")
    results: list[Distributions] = []
    for block in read(saved(array), labels=Labels(("a", "", "a"))):
        results += distribution_pieces(block, np.array(taus))
    data = array_of(results, taus, log, "npz")
    with np.load(io.BytesIO(data)) as archive:
        assert sorted(archive) == sorted(["log_probs" if log else "probs", "taus", "labels"])
        written = archive["log_probs" if log else "probs"]
        assert written.dtype == np.float32
        assert np.array_equal(written, expected(array, taus, log))
        assert archive["taus"].tolist() == taus
        assert archive["labels"].tolist() == ["a", "", "a"]
    blocks = read(data, "npz")
    assert blocks[0].labels == ("a", "", "a")
    assert np.array_equal(rows(blocks), (written if log else np.log(written)).reshape(-1, 3))


# The whole program


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """tsoft recognizes the format from the content, the name or the option."""
    array = numbers((50, 3), "f4")
    (tmp_path / "x.npy").write_bytes(saved(array))
    (tmp_path / "x.bin").write_bytes(saved(array))
    script = (
        "tsoft compute -i x.npy --tau 0.7 -o a.npy; cat x.npy | tsoft compute --tau 0.7 -f npy > b.npy;"
        "tsoft compute -i x.bin --tau 0.7 -f npy | cat > c.npy; tsoft compute --tau 0.7 < x.npy > d.tsv;"
        "cat a.npy | tsoft compute --probs -o e.npz; cat e.npz | tsoft compute --input-format npz -o f.npz"
    )
    done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, env=forked(), capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"tsoft: note: stdin: tsoft ignores the array 'taus'\n")
    result = saved(tsoft.softmax(array, 0.7))
    assert [(tmp_path / f"{name}.npy").read_bytes() == result for name in "abc"] == [True] * 3
    text = [[float(field) for field in line.split("\t")] for line in (tmp_path / "d.tsv").read_text().splitlines()]
    assert np.array_equal(np.array(text, np.float32), tsoft.softmax(array, 0.7))
    with np.load(tmp_path / "f.npz") as archive:
        assert archive["probs"] == pytest.approx(tsoft.softmax(array, 0.7), rel=1e-5)


def test_options_that_an_array_does_not_support_are_errors(tmp_path: Path) -> None:
    typed = ["compute", "1", "2", "-o", str(tmp_path / "x.npy")]
    for options, message in {
        ("--like", "all", "--top-k", "1"): "npy has one distribution per row and τ; pass --like with one engine",
        ("--digits", "3"): "--digits has no effect on npy; use --format table, tsv, csv, json, jsonl or html",
        ("--long",): "--long has no effect on npy; use --format tsv or csv",
        ("--with-logits",): "--with-logits has no effect on npy; use --format json or jsonl",
        (
            "--key",
            "x",
        ): "--key selects an array of a file with several, such as an .npz, but the input is typed; remove --key",
    }.items():
        done = here(*typed, *options)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"tsoft: error: {message}")
    for command in (["sample", "1"], ["solve", "1", "2", "--top-prob", "0.6"], ["sweep", "1", "--mean"]):
        done = here(*command, "-o", "new.npz")
        assert done.stderr.startswith(
            "tsoft: error: npz is for the distributions of compute and sweep; pass --format with one of table, "
        )
    assert os.listdir(tmp_path) == []
    done = here("compute", "--key", "x", stdin="1 2")
    assert done.returncode == 2
    assert "but the input is text; remove --key" in done.stderr


def test_arrays_of_a_chain_and_of_a_sweep(tmp_path: Path) -> None:
    out = str(tmp_path / "x.npy")
    assert here("compute", "3", "2", "1", "--top-k", "1", "-o", out).returncode == 0
    assert np.load(out).tolist() == [[1, 0, 0]]
    assert here("sweep", "3", "2", "--steps", "5", "-o", out).returncode == 0
    assert np.load(out).shape == (1, 5, 2)


@posix
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_error_leaves_the_output_as_it_was(tmp_path: Path, order: str) -> None:
    array = numbers((100_000, 8), "f8", order)
    array[-1, 0] = np.nan
    (tmp_path / "in.npy").write_bytes(saved(array))
    (tmp_path / "out.npy").write_text("before")
    done = here("compute", "-i", str(tmp_path / "in.npy"), "-o", str(tmp_path / "out.npy"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("in.npy: row 99999, class #0: NaN is not a logit; write -inf to mask a class\n")
    assert (sorted(os.listdir(tmp_path)), (tmp_path / "out.npy").read_text()) == (["in.npy", "out.npy"], "before")


def test_an_output_that_cannot_be_replaced(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        write = OutputStream(file, "x", is_file=True)
    with pytest.raises((OutputError, ValueError)):
        write.overwrite_start(b"x")


@pytest.mark.parametrize("source", ["in.npy", "in.txt"])
def test_threads_read_and_write_what_one_thread_does(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads read and write files of any size here. An error in the last row leaves no output."""
    z = numbers((50, 8))
    np.save(tmp_path / "in.npy", z)
    np.savetxt(tmp_path / "in.txt", z, "%.17g")
    arguments = "compute", "--tau", "0.7", "-i", str(tmp_path / source), "-o", str(tmp_path / "out.npy")
    monkeypatch.setenv("TSOFT_CORES", "2")
    monkeypatch.setattr(npy, "BLOCK", 3 * z[0].nbytes)
    monkeypatch.setattr(npy, "AHEAD", 0)
    monkeypatch.setattr(arrays, "LARGE", 0)
    threads: list[int] = []
    real = futures.ThreadPoolExecutor

    def opened(count: int) -> futures.ThreadPoolExecutor:
        threads.append(count)
        return real(count)

    monkeypatch.setattr(futures, "ThreadPoolExecutor", opened)
    assert here(*arguments).returncode == 0
    assert threads == [1] * (2 if source == "in.npy" else 1)
    assert np.load(tmp_path / "out.npy").tolist() == expected(z, [0.7]).tolist()
    z[-1, 2] = np.nan
    np.save(tmp_path / "in.npy", z)
    np.savetxt(tmp_path / "in.txt", z, "%.17g")
    (tmp_path / "out.npy").unlink()
    done = here(*arguments)
    assert (done.returncode, "NaN is not a logit" in done.stderr) == (1, True)
    assert sorted(os.listdir(tmp_path)) == ["in.npy", "in.txt"]


def test_memory_does_not_grow_with_the_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npy, "BLOCK", 1 << 17)

    def peak_of(rows: int) -> int:
        path = tmp_path / f"{rows}.npy"
        # A sparse file of zeros, which takes no space on the disk.
        np.lib.format.open_memmap(path, "w+", np.float32, (rows, 8192)).flush()
        tracemalloc.start()
        try:
            assert here("compute", "-i", str(path), "--tau", "0.7", "-o", str(tmp_path / "out.npy")).returncode == 0
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Each array has many blocks. The first run imports modules.
    peaks = [peak_of(rows) for rows in (1, 50, 300)]
    assert peaks[2] < 1.2 * peaks[1]


@pytest.mark.parametrize(("axes", "seconds", "remaining"), [((9,), 2, True), (None, 2, False), ((9,), 0, None)])
def test_long_work_shows_progress(
    monkeypatch: pytest.MonkeyPatch, axes: tuple[int, ...] | None, seconds: int, remaining: bool | None
) -> None:
    """The progress has the rows and their rate, and the remaining time if the number of rows is known. Short work shows
    no progress.
    """
    screen = progress_screen(monkeypatch, seconds)
    blocks = [Block(np.zeros((3, 2)), first_row=first, origin=Origin(axes=axes)) for first in (0, 3, 6)]
    total = None if axes is None else 9
    shown = watching.watched(
        blocks, lambda block, took: (watching.rows(block.rows.stop, took), block.rows.stop), lambda _: total
    )
    assert list(shown) == blocks
    assert ("9 rows, 2 per second" in screen.getvalue()) == (remaining is not None)
    assert ("100%" in screen.getvalue()) == bool(remaining)
    assert (screen.getvalue() == "") == (remaining is None)
    assert remaining is None or screen.getvalue().endswith("\x1b[2K")


def test_progress_needs_a_terminal_on_stderr_but_not_on_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Screen())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert is_watched(OutputOptions())
    assert is_watched(OutputOptions(output=["x"]))
    monkeypatch.setattr(sys, "stdout", Screen())
    assert is_watched(OutputOptions(output=["x"]))
    assert not is_watched(OutputOptions())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not is_watched(OutputOptions(output=["x"]))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_keys_and_labels_at_the_limits_read_back(ending: str, tmp_path: Path) -> None:
    """Keys beyond 64 bits become texts, and labels that NumPy would change stay the same."""
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    file = str(tmp_path / f"p.{ending}")
    labels = ["é\0", "", "日本"]
    for keys in ([2**63 - 1, -(2**63)], [2**63, 0]):
        records = [{"id": key, "labels": labels, "logits": [2, 1, 0]} for key in keys]
        assert here("compute", "-o", file, stdin="\n".join(map(json.dumps, records))).returncode == 0
        read = json.loads(here("compute", "--probs", "-i", file, "-f", "json").stdout)
        is_exact = all(-(2**63) <= key < 2**63 for key in keys)
        assert [record["id"] for record in read] == (keys if is_exact else list(map(str, keys)))
        assert [record["labels"] for record in read] == [labels] * 2
