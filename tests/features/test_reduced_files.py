"""Many files that calibrate, sweep --mean and compare reduce to one result, in one process and in jobs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from killing import dask_cluster, killed_reader, killed_worker
from labeled import digits
from tool import here, traced_peak
from tsoft.features.calibrate import labeled_input

SHARDS = 5
CALIBRATE = ("calibrate", "-i", "val", "--measures", "all", "--resamples", "10", "--test", "val/[12].npz", "-f", "json")
COMMANDS = {
    "calibrate": CALIBRATE,
    "calibrate with files of targets": ("calibrate", "z", "y", "--resamples", "10", "-f", "csv"),
    "sweep": ("sweep", "-i", "z", "--mean", "--tau", "0,0.7,2", "--top-p", "0.9", "-f", "csv"),
    "compare": ("compare", "z", "draft/*", "--tau", "0,0.7,2", "-f", "csv"),
}


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the rows of the digits in one file and in several, each of several blocks."""
    monkeypatch.chdir(tmp_path)
    for folder in ("val", "z", "y", "draft"):
        Path(folder).mkdir()
    rows = digits("val")
    draft = rows.logits + np.random.default_rng(1).normal(size=rows.logits.shape).astype(np.float32)
    # The shards have different sizes.
    parts = np.split(np.arange(len(rows.targets)), [30, 200, 201, 450])
    for i, part in enumerate(parts):
        np.savez(f"val/{i}.npz", logits=rows.logits[part], targets=rows.targets[part])
        np.save(f"z/{i}.npy", rows.logits[part])
        np.save(f"draft/{i}.npy", draft[part])
        Path(f"y/{i}.txt").write_text("".join(f"{target}\n" for target in rows.targets[part]))
    np.savez("whole.npz", logits=rows.logits, targets=rows.targets)
    np.save("z.npy", rows.logits)
    np.save("draft.npy", draft)
    return tmp_path


def result(*arguments: str) -> str:
    done = here(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def floats(text: str) -> list[float]:
    """Return the numbers of a table in csv."""
    fields = [field for line in text.splitlines()[1:] for field in line.split(",")]
    return [float(field) for field in fields if field and not field.isalpha()]


@pytest.mark.parametrize(
    ("name", "held"), [*((name, 1 << 28) for name in COMMANDS), *((name, 1000) for name in COMMANDS if "cal" in name)]
)
def test_the_bytes_do_not_depend_on_the_jobs(
    shards: Path, monkeypatch: pytest.MonkeyPatch, name: str, held: int
) -> None:
    """Whether calibrate holds the rows in memory or not."""
    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", held)
    monkeypatch.setattr("tsoft.input.npy.BLOCK", 4000)
    assert result(*COMMANDS[name], "--jobs", "3", "--backend", "threading") == result(*COMMANDS[name], "--jobs", "1")


@pytest.mark.parametrize("command", [("sweep", "--mean", "--tau", "0.5,2"), ("calibrate", "--resamples", "0")])
def test_a_text_gives_the_same_bytes_on_any_number_of_cores(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More cores read more of the text at once."""
    for name, size in (
        ("lines.CHUNK", 15),
        ("lines.MUCH", 13),
        ("number_workers.START", 14),
        ("number_workers.LEAST", 12),
    ):
        monkeypatch.setattr(f"tsoft.input.{name}", 1 << size)
    monkeypatch.setattr("tsoft.core.fixed_blocks.BLOCK_NUMBERS", 1 << 13)
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(5000, 5)) * 3
    targets = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    rows = np.column_stack([logits, targets]) if command[0] == "calibrate" else logits
    header = "a,b,c,d,e,target\n" if command[0] == "calibrate" else ""
    file = tmp_path / "rows.csv"
    text = header + "".join(",".join(f"{number:.8g}" for number in row) + "\n" for row in rows.tolist())
    file.write_text(text)
    outputs = []
    for cores in ("1", "3"):
        monkeypatch.setenv("TSOFT_CORES", cores)
        outputs.append(here(*command, "-i", str(file), "-f", "csv").stdout)
    assert outputs[0] == outputs[1] != ""


def test_processes_return_the_same_bytes(shards: Path) -> None:
    outputs = [here(*command, "--jobs", "2") for command in COMMANDS.values()]
    get_reusable_executor().shutdown()
    assert [done.stderr for done in outputs if done.returncode] == []
    assert [done.stdout for done in outputs] == [result(*command) for command in COMMANDS.values()]


@pytest.mark.parametrize(
    ("several", "whole"),
    [
        (COMMANDS["calibrate with files of targets"], ("calibrate", "whole.npz", "--resamples", "10", "-f", "csv")),
        (COMMANDS["sweep"], ("sweep", "-i", "whole.npz", *COMMANDS["sweep"][3:])),
        (COMMANDS["compare"], ("compare", "z.npy", "draft.npy", "--tau", "0,0.7,2", "-f", "csv")),
    ],
    ids=["calibrate", "sweep", "compare"],
)
def test_several_files_are_the_rows_of_one(shards: Path, several: tuple[str, ...], whole: tuple[str, ...]) -> None:
    values = floats(result(*several))
    assert len(values) > 10
    assert values == pytest.approx(floats(result(*whole)), rel=1e-9)


def test_interval_and_save_of_several_files(shards: Path) -> None:
    """The bootstrap is that of the rows in memory, and --by reads the files in sequence."""
    text = result("calibrate", "-i", "val", "--save", "tau.json", "--resamples", "10", "-f", "json")
    [record] = json.loads(text)
    assert (record["interval"], record["reports"][0]["rows"]) == ("bootstrap", 674)
    assert json.loads(Path("tau.json").read_text())["tau"] == record["tau"]
    for i, part in enumerate((["a", "b", "a"], ["b", "a", "b"])):
        lines = [f"{name},{j},0,{j % 2}" for j, name in enumerate(part)]
        Path(f"{i}.csv").write_text("\n".join(["group,x,y,target", *lines]) + "\n")
    groups = ["--by", "group", "--columns", "x,y", "--resamples", "0", "-f", "csv"]
    Path("joined.csv").write_text(Path("0.csv").read_text() + Path("1.csv").read_text().partition("\n")[2])
    several = result("calibrate", "-i", "[01].csv", *groups)
    assert several.count("\nb,") == 2
    assert floats(several) == pytest.approx(floats(result("calibrate", "-i", "joined.csv", *groups)), nan_ok=True)


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        ("calibrate val/0.npz --jobs 2", 2, "--jobs 2 has no effect on a single file; pass several"),
        ("calibrate val --jobs 2 --method vector", 2, "--jobs 2 has no effect with --method vector"),
        ("calibrate val --backend loky --by x", 2, "--backend loky has no effect with --by"),
        ("calibrate -i - -i val --jobs 2", 2, "--jobs 2 reads each file several times, which stdin does not allow"),
        ("calibrate -i val --choices A,B", 2, "--choices reads one file, but val has 5"),
        ("calibrate z other", 2, "--targets has no file with the same name as z/2.npy (5 files in --input and 4 files"),
        ("calibrate z y twice", 2, "unexpected arguments: twice; pass a file of logits and a file of targets, or a pa"),
        (
            "calibrate -i val -i z/0.npy",
            1,
            "z/0.npy: the rows have no targets (true classes); pass --targets FILE\n",
        ),
        ("calibrate -i val -i wide.npz", 1, "wide.npz: 7 classes, but val/0.npz has 10; all files need the same"),
        ("calibrate -i val -i probs.npz", 1, "probs.npz: each number is a probability, but a logit in val/0.npz"),
        ("calibrate -i val -i named.csv", 1, "val/0.npz does not name the classes, and named.csv does"),
        ("calibrate -i val -i masked.npz", 1, "masked.npz: row 1: the target, class #3, is masked"),
        ("sweep --mean -i z/0.npy --jobs 2", 2, "--jobs 2 has no effect on a single input; pass several files"),
        ("sweep --mean -i z --tau - --jobs 2", 2, "--tau: jobs cannot read stdin; pass a file"),
        ("sweep -i z --jobs 2", 2, "--jobs has no effect without -o FOLDER/ or --mean; add -o FOLDER/ or --mean"),
        ("sweep --mean -i z --resume", 2, "--resume has no effect without -o FOLDER/"),
        ("sweep --mean -i z -i wide.npz", 1, "wide.npz: 7 classes, but z/0.npy has 10"),
        (
            "compare z other",
            2,
            "other has no file with the same name as z/2.npy (5 files in z and 4 files in other); pass two",
        ),
        ("compare z/0.npy draft/0.npy --jobs 2", 2, "--jobs 2 has no effect on two files; pass two folders"),
        ("compare z draft --per-row", 2, "--per-row works on two files, but these are 5 pairs"),
        ("compare z short", 1, "short/1.npy: B has 1 row, but A has more"),
    ],
)
def test_bad_input(shards: Path, arguments: str, code: int, problem: str) -> None:
    """The message is the same for one process and for jobs."""
    for folder, left_out in (("other", 2), ("short", None)):
        Path(folder).mkdir()
        for i in range(SHARDS):
            if i != left_out:
                np.save(f"{folder}/{i}.npy", np.load(f"z/{i}.npy")[: 1 if i == 1 else None])
    np.savez("wide.npz", logits=np.eye(7), targets=np.arange(7))
    np.savez("probs.npz", probs=np.eye(10), targets=np.arange(10))
    np.savez("masked.npz", logits=np.where(np.arange(10) == 3, -np.inf, np.zeros((2, 10))), targets=[1, 3])
    Path("named.csv").write_text(",".join("abcdefghij") + ",target\n" + "0," * 10 + "a\n")
    typed = arguments.split()
    # An error of usage comes before any work.
    for options in [[], ["--jobs", "2", "--backend", "threading"]][: 1 if code == 2 else 2]:
        done = here(*typed, *options, stdin="1\n")
        assert (done.returncode, done.stdout) == (code, "")
        assert f"tsoft: error: {problem}" in done.stderr


def test_a_file_that_changes_between_the_passes(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third pass over a file finds other targets."""
    from tsoft.features.calibrate.labeled_file import LabeledFile

    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", 1000)
    passes: list[str] = []
    read, logits = LabeledFile.read, np.load("z/3.npy")

    def changing(self: LabeledFile, *arguments: Any) -> Iterator[Any]:
        passes.append(self.name)
        if passes.count("val/3.npz") == 3:
            np.savez("val/3.npz", logits=logits, targets=np.zeros(249, int))
        return read(self, *arguments)

    monkeypatch.setattr(LabeledFile, "read", changing)
    for options in ([], ["--jobs", "2", "--backend", "threading"]):
        passes.clear()
        done = here("calibrate", "val", *options)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "tsoft: error: val/3.npz: the file changed while tsoft read it; run the command again\n"


@pytest.mark.parametrize("arguments", [("val/0.npz", "val/2.npz"), ("val", "more"), ("val", "val/0.npz")])
def test_the_targets_of_other_rows_are_not_taken_for_those_of_the_first_file(
    shards: Path, arguments: tuple[str, str]
) -> None:
    """Each file has rows and targets, as after a shell has expanded a pattern."""
    Path("more").mkdir()
    Path("more/0.npz").write_bytes(Path("val/0.npz").read_bytes())
    done = here("calibrate", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tsoft: error: {} and {} may both have rows and targets; pass -i".format(*arguments))


@pytest.fixture
def dask_client() -> Iterator[Any]:
    with dask_cluster() as client:
        yield client


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no list of open files")
@pytest.mark.filterwarnings("ignore")
def test_a_worker_is_killed(shards: Path, monkeypatch: pytest.MonkeyPatch, dask_client: Any) -> None:
    """While calibrate passes over the files several times, and while sweep reads a pipe."""
    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", 1000)
    cluster = ("--cluster", dask_client.scheduler.address)
    expected = result(*COMMANDS["calibrate"])
    with killed_worker(dask_client):
        assert result(*COMMANDS["calibrate"], *cluster) == expected
    command, text = (*COMMANDS["sweep"], "-i", "pipe.txt"), "0 1 2 3 4 5 6 7 8 9\n"
    Path("pipe.txt").write_text(text)
    expected = result(*command)
    Path("pipe.txt").unlink()
    os.mkfifo("pipe.txt")
    with killed_reader(dask_client, shards / "pipe.txt", text):
        done = here(*command, *cluster)
    assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.parametrize(
    "arguments",
    [("calibrate", "%", "--resamples", "0"), ("sweep", "--mean", "-i", "%", "--tau", "1"), ("compare", "%", "%")],
    ids=["calibrate", "sweep", "compare"],
)
def test_memory_does_not_grow_with_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """The further 4 files have 0.5 MB."""
    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", 100_000)
    monkeypatch.setattr("tsoft.input.npy.BLOCK", 1 << 16)
    monkeypatch.setattr("tsoft.core.fixed_blocks.BLOCK_NUMBERS", 1 << 14)
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(60, 500)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", logits=rows, targets=(rows + rng.gumbel(size=rows.shape)).argmax(1))
    for folder, files in (("few", 2), ("many", 6)):
        (tmp_path / folder).mkdir()
        for i in range(files):
            os.link(tmp_path / "rows.npz", tmp_path / folder / f"{i}.npz")
    monkeypatch.chdir(tmp_path)
    # Each thread has a block in memory.
    monkeypatch.setenv("TSOFT_CORES", "1")
    _, few, many = (
        traced_peak(*(word.replace("%", folder) for word in arguments), "-f", "csv")
        for folder in ("few", "few", "many")
    )
    assert many < few + 3e5
