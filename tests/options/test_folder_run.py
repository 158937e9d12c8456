"""Many files: reading them as one input, and computing each of them into a folder."""

import errno
import importlib
import json
import os
import select
import signal
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from killing import dask_cluster, killed_reader, opened_for
from tool import environment, here

SHARDS = 12


def logits(shard: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(shard).normal(size=(shard % 5 + 1, 6)) * 3


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder `logits` of arrays."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logits").mkdir()
    for shard in range(SHARDS):
        np.save(tmp_path / "logits" / f"{shard:02}.npy", logits(shard))
    return tmp_path


def results(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder that are not hidden."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name[0] != "."}


def fails(*arguments: str, code: int) -> str:
    done = here(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr.removeprefix("tsoft: error: ").rstrip("\n")


def test_several_inputs_are_one_input(shards: Path) -> None:
    expected = softmax(np.concatenate([logits(shard) for shard in (3, 0, 1)]), axis=1)
    done = here("compute", "-i", "logits/03.npy", "-i", "logits/0[01].npy", "--format", "csv")
    rows = [line.split(",") for line in done.stdout.splitlines()[1:]]
    assert [int(row[0]) for row in rows] == list(range(len(expected)))
    np.testing.assert_allclose(np.array([row[2:] for row in rows], float), expected, rtol=1e-14)


def test_a_folder_is_read_by_name_into_one_array(shards: Path) -> None:
    here("compute", "-i", "logits", "-o", "all.npy")
    expected = softmax(np.concatenate([logits(shard) for shard in range(SHARDS)]), axis=1)
    np.testing.assert_allclose(np.load("all.npy"), expected, rtol=1e-14)


@pytest.mark.parametrize("inputs", [["-i", "logits"], ["-i", "logits/0*.npy"], ["-i", "a.csv", "-i", "b.csv"]])
def test_a_file_for_all_results_that_may_be_meant_as_a_folder_is_noted(shards: Path, inputs: list[str]) -> None:
    for name in ("a.csv", "b.csv"):
        Path(name).write_text("1,2\n")
    note = "--output probs is one file for all results; for a file each, pass -o probs/"
    assert f"tsoft: note: {note}\n" in here("compute", *inputs, "-o", "probs").stderr
    # The second run replaces the file.
    assert note not in here("compute", *inputs, "-o", "probs", "-o", "probs.csv").stderr
    assert note not in here("compute", "-i", "logits/00.npy", "-o", "one").stderr


def test_an_array_has_one_type(shards: Path) -> None:
    np.save("single.npy", np.ones((1, 6), np.float32))
    expected = softmax(np.concatenate([logits(3), np.ones((1, 6))]), axis=1)
    for format in ("npy", "npz", "safetensors", "parquet"):
        here("compute", "-i", "logits/03.npy", "-i", "single.npy", "-o", f"all.{format}")
        read = here("compute", "-i", f"all.{format}", "--probs", "--format", "npy", "-o", "read.npy")
        np.testing.assert_allclose(np.load("read.npy"), expected, rtol=1e-6, err_msg=read.stderr)
        # The header, which comes first, would promise numbers that are too short for the second file.
        message = fails("compute", "-i", "single.npy", "-i", "logits/03.npy", "-o", f"no.{format}", code=1)
        assert message.startswith("logits/03.npy: row 0: float64 numbers after float32, in which they would lose")
        assert not os.path.exists(f"no.{format}")


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["-i", "logits/x*"], 1, "logits/x*: no file matches this pattern"),
        (["-i", "logits", "-i", "logits/03.npy"], 2, "--input lists a file twice: logits/03.npy"),
        (["-i", "logits/00.npy", "logits/01.npy"], 2, "unexpected argument logits/01.npy; if the shell expanded"),
        (["-i", "logits", "-i", "wide.npy"], 1, "wide.npy: 7 classes, but logits/00.npy has 6"),
        (["-i", "a.csv", "-i", "b.csv"], 1, "b.csv: class 1 is 'cow', but 'dog' in a.csv"),
        (["-i", "a.csv", "-i", "plain.csv"], 1, "plain.csv does not name the classes, and a.csv does"),
        (["-i", "a.csv", "-i", "keys.csv"], 1, "a.csv has no row ids, and keys.csv does; all files need"),
        (["-i", "empty"], 1, "empty: the folder has no files"),
        (["-i", "special"], 1, "special/pipe: a pipe or a device, which tsoft reads only with -i special/pipe"),
        (["-i", "special/p*"], 1, "special/pipe: a pipe or a device, which tsoft reads only with -i special/pipe"),
        (["-i", "special/*", "-o", "p/", "--keep-going"], 1, "the input has only pipes and devices; pass files"),
        (["-i", "logits", "--labels", "@special/pipe", "-o", "p/"], 2, "special/pipe: a pipe can be read only once"),
        (["-i", "logits", "--max-line", "9"], 2, "--max-line has no effect on logits/00.npy, which is npy"),
        (["-i", "logits", "-o", "p/", "--backend", "multiprocessing"], 2, "--backend multiprocessing returns no resul"),
        (["-i", "logits", "--jobs", "2"], 2, "--jobs has no effect without -o FOLDER/; add -o FOLDER/"),
        (["-i", "logits", "--resume"], 2, "--resume has no effect without -o FOLDER/"),
        (["-i", "logits", "-o", "p/", "-o", "a.csv"], 2, "--output p/ is a folder for all results"),
        (["-i", "logits", "-i", "-", "-o", "p/"], 2, "--output p/ is a folder, so the input must be files"),
        (["-i", "logits", "--tau", "-", "-o", "p/"], 2, "--tau: stdin can be read only once"),
        (["-i", "logits/00.npy", "logits/01.npy", "-o", "p/"], 2, "unexpected argument logits/01.npy; if the shell"),
        (["1", "2", "-o", "p/"], 2, "--output p/ is a folder, so the input must be files"),
        (["-i", "a.csv", "-i", "other/a.tsv", "-o", "p/"], 2, "the results of a.csv and other/a.tsv would both be p/a"),
        (["-i", "logits", "-o", "p/", "--backend", "lokj"], 2, "unknown backend 'lokj'; did you mean 'loky'?"),
        (["-i", "logits", "-o", "p/", "--cluster", "tcp://x", "--jobs", "2"], 2, "--jobs has no effect with --cluster"),
        (["-i", "logits", "-o", "a.csv/"], 1, "a.csv/: not a folder but a file; remove it, or pass another folder"),
        (["-i", "logits", "-o", "p/", "--tau", "x", "--keep-going"], 2, "--tau: 'x' is not a temperature"),
    ],
)
def test_bad_inputs_and_options(shards: Path, arguments: list[str], code: int, problem: str) -> None:
    np.save("wide.npy", np.zeros((2, 7)))
    Path("a.csv").write_text("cat,dog\n1,2\n")
    Path("b.csv").write_text("cat,cow\n1,2\n")
    Path("plain.csv").write_text("1,2\n")
    Path("keys.csv").write_text("id,cat,dog\nx,1,2\n")
    for folder in ("other", "empty", "special"):
        Path(folder).mkdir()
    os.mkfifo("special/pipe")
    Path("other/a.tsv").write_text("1\t2\n")
    before = sorted(os.listdir())
    done = here("compute", *arguments)
    assert done.returncode == code
    assert done.stderr.splitlines()[-1].startswith(f"tsoft: error: {problem}")
    assert sorted(os.listdir()) == before


def test_each_file_is_computed_by_itself(shards: Path) -> None:
    done = here("compute", "-i", "logits", "-o", "probs/", "--format", "npy")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for shard in range(SHARDS):
        np.testing.assert_allclose(np.load(f"probs/{shard:02}.npy"), softmax(logits(shard), axis=1), rtol=1e-14)


def test_files_with_equal_logits_have_different_draws(shards: Path) -> None:
    for name in ("a.npy", "b.npy"):
        np.save(name, np.zeros((1, 50)))
    here("sample", "-n", "20", "--seed", "7", "-i", "a.npy", "-i", "b.npy", "-o", "drawn/")
    first, second = results(shards / "drawn").values()
    assert first != second


def test_a_run_is_resumed(shards: Path) -> None:
    Path("logits/10.npy").write_bytes(b"")
    message = fails("sample", "-n", "5", "-i", "logits", "-o", "drawn/", code=1)
    assert message == "logits/10.npy: no array: the input is empty"
    before = results(shards / "drawn")
    assert list(before) == [f"{shard:02}.tsv" for shard in range(10)]
    np.save("logits/10.npy", logits(10))
    command = ["sample", "-n", "5", "-i", "logits", "-o", "drawn/"]
    assert fails(*command, code=2).startswith("drawn/ has the results of an earlier run; pass --resume")
    Path("drawn/07.tsv").unlink()
    np.save("logits/08.npy", logits(8) + np.arange(6))
    assert fails(*command, "--resume", "--seed", "1", code=2).startswith("drawn/ has the results of a run with --seed")
    done = here(*command, "--resume")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "tsoft: note: logits/08.npy has changed since the earlier run",
        "tsoft: note: drawn/: 8 of 12 files are complete",
    ]
    after = results(shards / "drawn")
    assert len(after) == SHARDS
    # The seed was random, and the resumed run has the same one.
    assert {name: after[name] for name in before if name != "08.tsv"} == {
        k: v for k, v in before.items() if k != "08.tsv"
    }


def test_a_folder_of_other_settings_is_refused(shards: Path) -> None:
    Path("c.json").write_text("{}")
    here("compute", "-i", "logits", "-o", "probs/", "--tau", "0.5")
    before = results(shards / "probs")
    for options, problem in {
        "--tau 2": "with --tau 0.5, and this run is with --tau 2",
        "--tau 0.5 --top-k 3": "without --top-k, and this run is with --top-k 3",
        "--tau 0.5 --format csv": "without --format, and this run is with --format csv",
        "--tau 0.5 --calibration c.json": "without --calibration, and this run is with --calibration c.json",
    }.items():
        message = fails("compute", "-i", "logits", "-o", "probs/", "--resume", *options.split(), code=2)
        problem = f"the results of a run {problem}; use the same options, or pass another folder"
        assert message.startswith(f"probs/ has {problem}")
        assert results(shards / "probs") == before


def test_a_file_of_the_settings_that_changed_is_another_setting(shards: Path) -> None:
    Path("names").write_text("a\nb\nc\nd\ne\nf\n")
    command = ["compute", "-i", "logits", "-o", "probs/", "--labels", "@names", "--format", "csv"]
    here(*command)
    Path("names").write_text("a\nb\nc\nd\ne\nfox\n")
    assert fails(*command, "--resume", code=2).startswith("names has changed since the run that wrote probs/")
    Path("names").unlink()
    assert fails(*command, "--resume", code=2).startswith(
        "names does not exist, and was an input of the run that wrote"
    )


def test_a_folder_of_another_version_is_refused(shards: Path) -> None:
    """Its manifest may lack options of this version."""
    here("compute", "-i", "logits/00.npy", "-o", "probs/")
    manifest = Path("probs/.tsoft-run.jsonl")
    header, *records = manifest.read_text().splitlines()
    earlier = json.loads(header) | {"tsoft": "0.0.1"}
    del earlier["settings"]["energies"]
    manifest.write_text("\n".join([json.dumps(earlier), *records, ""]))
    message = fails("compute", "-i", "logits/00.npy", "-o", "probs/", "--resume", code=2)
    assert message.startswith("probs/ has the results of a run with tsoft 0.0.1, not ")


def test_a_run_that_ends_before_it_records_a_result_can_be_resumed(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after Ctrl-C, if results of other processes are complete."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    command = ["compute", "-i", "logits", "-o", "probs/"]
    with monkeypatch.context() as context:
        context.setattr("tsoft.options.shard_manifest.Manifest.add", stop)
        assert here(*command).returncode == 130
    manifest = Path("probs/.tsoft-run.jsonl").read_bytes()
    assert len(results(shards / "probs")) == 1
    # A run that is refused changes nothing.
    for options in ([], ["--resume", "--tau", "2"]):
        fails(*command, *options, code=2)
        assert Path("probs/.tsoft-run.jsonl").read_bytes() == manifest
    assert here(*command, "--resume").returncode == 0
    assert len(results(shards / "probs")) == SHARDS


def test_a_folder_of_inputs_and_results_can_be_resumed(shards: Path) -> None:
    command = ["compute", "-i", "logits", "-o", "logits/"]
    here(*command)
    before = results(shards / "logits")
    assert len(before) == 2 * SHARDS
    assert "has the results of an earlier run" in fails(*command, code=2)
    Path("logits/07.tsv").unlink()
    assert here(*command, "--resume").returncode == 0
    assert results(shards / "logits") == before
    message = fails("compute", "-i", "logits/*.tsv", "-o", "logits/", "--resume", code=2)
    assert message == "all files of the input are results in logits/; pass the files of their logits"


def test_an_input_that_cannot_be_read_keeps_its_result(shards: Path) -> None:
    command = ["compute", "-i", "logits/03.npy", "-i", "logits/04.npy", "-o", "probs/"]
    here(*command)
    before = results(shards / "probs")
    Path("logits/03.npy").rename("elsewhere")
    assert "logits/03.npy: No such file" in fails(*command, "--resume", code=1)
    assert results(shards / "probs") == before


def test_draws_do_not_depend_on_the_format(shards: Path) -> None:
    for format in ("tsv", "csv"):
        here("sample", "-i", "logits/00.npy", "-n", "50", "--seed", "1", "-o", f"{format}/", "--format", format)
    drawn = [line.split(",")[2] for line in Path("csv/00.csv").read_text().splitlines()[1:]]
    assert len(drawn) == 50
    assert Path("tsv/00.tsv").read_text().split() == drawn


def test_the_full_disk_of_a_manifest_is_one_error(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr("tsoft.options.shard_manifest.os.write", full)
        message = fails("compute", "-i", "logits", "-o", "probs/", code=1)
    assert message == "probs/.tsoft-run.jsonl: No space left on device"
    assert not Path("probs").exists()


def test_an_error_of_usage_in_some_files_is_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"a": "cat dog owl\n1 2 3\n", "b": "cat dog\n1 2\n", "c": "cat dog owl\n3 2 1\n"}.items():
        Path(f"{name}.txt").write_text(text)
    command = ["compute", "-i", "*.txt", "-o", "probs/", "--keep-going", "--logit-bias", "owl=1"]
    message = fails(*command, code=1)
    assert message.splitlines() == [
        "b.txt: --logit-bias: unknown class 'owl'; choose from cat, dog",
        "tsoft: error: 1 of 3 files failed: b.txt",
    ]
    assert sorted(results(tmp_path / "probs")) == ["a.tsv", "c.tsv"]


def test_a_pattern_does_not_follow_links_to_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("a.txt", "x/b.txt", "x/y/c.txt", ".hidden/d.txt", "x/.e.txt", "x/y/f.csv"):
        Path("in", place).parent.mkdir(parents=True, exist_ok=True)
        Path("in", place).write_text(f"{len(place)} 0\n")
    Path("in/l1").symlink_to(".")
    Path("in/l2").symlink_to(".")

    def count(pattern: str) -> int:
        return len(here("compute", "-i", pattern).stdout.splitlines())

    assert [count(pattern) for pattern in ("in/**/*.txt", "**/*.txt", "./**", f"{tmp_path}/**", "in/**/y/*")] == [
        3, 3, 4, 4, 2
    ]  # fmt: skip
    assert [count(pattern) for pattern in ("i?/**/b*", "in/**/x/**/c.txt", "in/l1/*.txt")] == [1, 1, 1]


def test_files_in_a_folder_are_not_overwritten(shards: Path) -> None:
    Path("probs").mkdir()
    Path("probs/11.tsv").write_text("mine")
    message = fails("compute", "-i", "logits", "-o", "probs", code=2)
    assert message.startswith("probs/11.tsv exists, and tsoft does not overwrite files in a folder")
    assert results(shards / "probs") == {"11.tsv": b"mine"}


def test_a_resumed_run_does_not_overwrite_files_of_others(shards: Path) -> None:
    here("compute", "-i", "logits", "-o", "probs/")
    np.save("logits/new.npy", logits(1))
    Path("probs/new.tsv").write_text("mine")
    message = fails("compute", "-i", "logits", "-o", "probs", "--resume", code=2)
    assert message.startswith("probs/new.tsv exists, and tsoft does not overwrite")
    assert Path("probs/new.tsv").read_text() == "mine"


def test_a_file_that_changed_but_for_its_size_and_time_is_computed_again(shards: Path) -> None:
    here("compute", "-i", "logits", "-o", "probs/", "--format", "npy")
    before = os.stat("logits/08.npy")
    np.save("logits/08.npy", -logits(8))
    os.utime("logits/08.npy", ns=(before.st_atime_ns, before.st_mtime_ns))
    here("compute", "-i", "logits", "-o", "probs/", "--format", "npy", "--resume")
    np.testing.assert_allclose(np.load("probs/08.npy"), softmax(-logits(8), axis=1), rtol=1e-14)
    # The result of an earlier content does not stay if the new one cannot be computed.
    Path("logits/08.npy").write_text("x")
    fails("compute", "-i", "logits", "-o", "probs/", "--format", "npy", "--resume", code=1)
    assert not os.path.exists("probs/08.npy")


def test_a_folder_in_the_place_of_a_result(shards: Path) -> None:
    here("compute", "-i", "logits", "-o", "probs/")
    Path("probs/05.tsv").unlink()
    Path("probs/05.tsv").mkdir()
    message = fails("compute", "-i", "logits", "-o", "probs/", "--resume", code=2)
    assert message.startswith("probs/05.tsv exists, and tsoft does not overwrite")


def test_a_pattern_does_not_match_stdin(shards: Path) -> None:
    Path("-").write_text("0 0\n")
    assert here("compute", "-i", "[-]", stdin="9 0\n").stdout == "0.5\t0.5\n"


def test_a_note_names_its_file_and_is_printed_once(shards: Path) -> None:
    Path("texts").mkdir()
    for name, numbers in {"a": "0.1 0.2 0.3", "b": "0.3 0.2 0.1", "c": "0.3 0.3 0.3"}.items():
        Path(f"texts/{name}.txt").write_text(numbers)
    done = here("compute", "-i", "texts", "-o", "probs/", "--probs")
    assert done.stderr.splitlines() == [
        "tsoft: note: texts/a.txt: row 0: the probabilities sum to 0.6, not 1; tsoft divides them by their sum",
        "tsoft: note: texts/c.txt: row 0: the probabilities sum to 0.9, not 1; tsoft divides them by their sum",
        "tsoft: note: 1 more file has notes that differ only in the name of the file",
    ]


def test_jobs_end_with_the_run_and_write_the_bytes_of_one_process(shards: Path) -> None:
    """A job reads a pipe, which breaks when its process ends. The run cannot handle the signal that ends it. The jobs
    have no stderr. The draws do not depend on the order of the files. One file is an error."""
    os.mkfifo("pipe.txt")
    np.save("logits/04.npy", np.zeros((1, 5)))
    command = "sample -n 20 --seed 7 -i logits -i pipe.txt --keep-going --logit-bias=#5=1"
    without_stderr = ["sh", "-c", f"exec tsoft {command} -o two/ --jobs 2 2>&-"]
    process = subprocess.Popen(without_stderr, env=environment(PYTHONWARNINGS=""))
    descriptor = opened_for(process, Path("pipe.txt"))
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    broken = select.poll()
    broken.register(descriptor, select.POLLERR)
    assert broken.poll(60_000)
    os.close(descriptor)
    Path("pipe.txt").unlink()
    Path("pipe.txt").write_text("1 2 3 4 5 6\n")
    Path("two/.11.tsv.abcd1234.tsoft.tmp").touch()
    here(*command.split(), "-o", "one/")
    expected = results(shards / "one")
    assert expected.keys() == {*(f"{shard:02}.tsv" for shard in range(SHARDS) if shard != 4), "pipe.tsv"}
    written = results(shards / "two")
    # The other job may not have written its last file.
    assert len(written) >= SHARDS - 2
    assert written.items() <= expected.items()
    assert here(*command.split(), "-o", "two/", "--resume").returncode == 1
    assert results(shards / "two") == expected
    assert [name for name in os.listdir("two") if name[0] == "."] == [".tsoft-run.jsonl"]


def test_a_manifest_whose_last_line_was_not_finished(shards: Path) -> None:
    here("compute", "-i", "logits", "-o", "probs/")
    manifest = Path("probs/.tsoft-run.jsonl")
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(lines[:-1]) + lines[-1][:-20])
    done = here("compute", "-i", "logits", "-o", "probs/", "--resume")
    assert done.stderr == "tsoft: note: probs/: 11 of 12 files are complete\n"
    assert sorted(json.loads(line)["output"] for line in manifest.read_text().splitlines()[2:]) == sorted(
        f"{shard:02}.tsv" for shard in range(SHARDS)
    )


HEADER = '{"settings": {}, "files": {}}\n'


@pytest.mark.parametrize(
    "text",
    [
        "\xff\n",
        "x\n",
        "x",
        "[]\n",
        "[" * 100_000 + "\n",
        '{"settings": 1}\n',
        '{"settings": [], "files": {}}\n',
        '{"settings": {}, "files": null}\n',
        HEADER + "{}\n",
        HEADER + '{"planned": 3}\n',
        HEADER + '{"planned": [[1]]}\n',
        HEADER + '{"output": [1], "exit_code": 0, "bytes": 1, "file": null}\n',
        HEADER + '{"output": "a.tsv", "exit_code": "boom", "bytes": 1, "file": null}\n{"plan',
    ],
)
def test_a_manifest_that_is_none(shards: Path, text: str) -> None:
    Path("probs").mkdir()
    Path("probs/.tsoft-run.jsonl").write_text(text, encoding="latin-1")
    message = fails("compute", "-i", "logits", "-o", "probs", "--resume", code=2)
    assert message == "probs/.tsoft-run.jsonl: not a manifest of tsoft; pass another folder"
    assert Path("probs/.tsoft-run.jsonl").read_text(encoding="latin-1") == text


def test_keep_going(shards: Path) -> None:
    for shard in (5, 10):
        Path(f"logits/{shard:02}.npy").write_bytes(b"\x93NUMPY")
    done = here("compute", "-i", "logits", "-o", "probs/", "--keep-going")
    *errors, last = done.stderr.splitlines()
    assert [error.split(":")[2] for error in errors] == [" logits/05.npy", " logits/10.npy"]
    assert last == "tsoft: error: 2 of 12 files failed: logits/05.npy and logits/10.npy"
    assert done.returncode == 1
    assert len(results(shards / "probs")) == SHARDS - 2
    for count, others in {4: "1 other", 5: "2 others"}.items():
        for shard in range(count):
            Path(f"logits/{shard:02}.npy").write_bytes(b"")
        message = fails("compute", "-i", f"logits/0[0-{count - 1}].npy", "-o", f"{count}/", "--keep-going", code=1)
        assert message.endswith(f"files failed: logits/00.npy, logits/01.npy, logits/02.npy and {others}")


@pytest.mark.parametrize("name", ["logits", "logits/*"])
def test_keep_going_past_a_pipe(shards: Path, name: str) -> None:
    os.mkfifo("logits/03.pipe")
    done = here("compute", "-i", name, "-o", "probs/", "--keep-going")
    error, last = done.stderr.splitlines()
    assert error.startswith("tsoft: error: logits/03.pipe: a pipe or a device")
    assert (done.returncode, last) == (1, "tsoft: error: 1 of 13 files failed: logits/03.pipe")
    assert len(results(shards / "probs")) == SHARDS


def test_the_exit_code_of_an_answer_survives_a_resumed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("the cat sat")
    Path("texts/b.txt").write_text("unlikely words here")
    Path("book.txt").write_text("the cat sat on the mat\n")
    command = ["score", "texts", "--ngram", "book.txt", "--fail-above", "5", "-o", "scores/"]
    assert here(*command).returncode == 3
    assert len(results(tmp_path / "scores")) == 2
    assert here(*command, "--resume").returncode == 3


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no list of open files")
@pytest.mark.filterwarnings("ignore")
def test_a_worker_of_a_cluster_is_killed(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job reads a pipe, which is open once a worker reads it. That worker is killed. The workers have another current
    folder."""
    Path("names").write_text("a\nb\nc\nd\ne\nf\n")
    # This file has the name of a format.
    Path("npz").touch()
    command = ["compute", "-i", "logits", "-i", "pipe.txt", "--format", "npz", "--labels", "@names"]
    Path("pipe.txt").write_text("1 2 3 4 5 6\n")
    here(*command, "-o", "one/")
    Path("pipe.txt").unlink()
    os.mkfifo("pipe.txt")
    Path("elsewhere").mkdir()
    with dask_cluster() as client:
        assert fails(*command, "-o", "many/", "--cluster", "x:y", code=2).startswith("--cluster: ")
        first = next(iter(client.ncores()))
        client.run(setattr, metadata, "version", lambda _: "0.0.1", workers=[first])
        close = type(client).close

        def close_and_fail(client: Any) -> None:
            close(client)
            raise AssertionError

        with monkeypatch.context() as patch:
            patch.setattr(type(client), "close", close_and_fail)
            message = fails(*command, "-o", "many/", "--cluster", client.scheduler.address, code=1)
        assert message.startswith("tsoft on a worker is 0.0.1, and here")
        client.run(importlib.reload, metadata, workers=[first])
        client.run(os.chdir, str(shards / "elsewhere"))
        with killed_reader(client, shards / "pipe.txt", "1 2 3 4 5 6\n"):
            done = here(*command, "-o", "many/", "--cluster", client.scheduler.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert results(shards / "many") == results(shards / "one")
