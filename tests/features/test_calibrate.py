"""`tsoft calibrate`: rows and their targets in every form, the output, the notes and the errors."""

import io
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tsoft
from cases import each_case
from labeled import once
from tool import TESTS, here, in_terminal, out, status_on_terminal, traced_peak
from tsoft.core import fixed_blocks
from tsoft.core.block import Block
from tsoft.core.fit import fit_rows
from tsoft.core.labeled_rows import LabeledRows
from tsoft.errors import InputError
from tsoft.features.calibrate import explanations, labeled_input
from tsoft.features.calibrate.labeled_input import LabeledInput
from tsoft.features.calibrate.spool import Spool
from tsoft.input import delimited, npy
from tsoft.input.class_lookup import ClassLookup, TargetIndexError
from tsoft.input.npy import PICKLED
from tsoft.input.read_options import ReadOptions, TargetSource
from tsoft.options.input import SourceOptions

DATA = TESTS / "data"
VAL, TEST = str(DATA / "digits-val.npz"), str(DATA / "digits-test.npz")
REFERENCE = json.loads((DATA / "digits-reference.json").read_text())["digits"]
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

with np.load(VAL) as _held:
    LOGITS, DIGITS = _held["logits"], _held["labels"]


def saved(path: Path, **arrays: Any) -> str:
    """Write an .npz of these arrays, and return its path."""
    held: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez(path, **held)
    return str(path)


def table(path: Path, header: list[str], targets: list[str], delimiter: str = ",", first: bool = False) -> str:
    """Write the digits' logits as text with a column `target`, the last or the first, and return the path."""
    lines = [[*header, "target"]]
    lines += [[*map(repr, row), target] for row, target in zip(LOGITS.tolist(), targets, strict=True)]
    path.write_text("".join(delimiter.join([line[-1], *line[:-1]] if first else line) + "\n" for line in lines))
    return str(path)


def tau_of(*arguments: str, stdin: bytes | None = None) -> float:
    return float(calibrated(*arguments, stdin=stdin)[0])


def calibrated(*arguments: str, code: int = 0, stdin: str | bytes | None = None) -> tuple[str, str]:
    """Run calibrate, check its exit code, and return its stdout and stderr."""
    done = here("calibrate", *arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


# Output


def test_a_pipe_prints_the_temperature() -> None:
    printed = out("calibrate", "-i", VAL, "--test", TEST)
    assert printed.endswith("\n")
    assert printed == f"{float(printed)!r}\n"
    assert float(printed) == pytest.approx(REFERENCE["tau"], rel=0, abs=1e-10)
    assert out("calibrate", "-i", VAL, "--digits", "5") == f"{REFERENCE['tau']:.5g}\n"


@posix
def test_the_temperature_can_be_substituted_in_a_command_line() -> None:
    command = f"printf '2 1\\n' | tsoft compute --tau $(tsoft calibrate -i {VAL}) | cut -f 1"
    assert float(in_terminal(command)) == pytest.approx(tsoft.softmax([2, 1], REFERENCE["tau"])[0], rel=1e-9)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The output of one run in several formats."""
    files = {form: tmp_path_factory.mktemp("outputs") / f"a.{form}" for form in ("json", "jsonl", "csv")}
    assert out("calibrate", "-i", VAL, "--test", TEST, *(f"-o{file}" for file in files.values())) == ""
    return {form: file.read_text() for form, file in files.items()}


def test_json_has_everything(outputs: dict[str, str]) -> None:
    [record] = json.loads(outputs["json"])
    assert record == json.loads(outputs["jsonl"])
    assert record["tau"] == pytest.approx(REFERENCE["tau"], abs=1e-10)
    assert record["tau_low"] < record["tau"] < record["tau_high"]
    assert (record["interval"], record["resamples"], record["seed"], record["reason"]) == ("bootstrap", 1000, 0, None)
    expected = [("fit", 1.0), ("fit", record["tau"]), ("test", 1.0), ("test", record["tau"])]
    assert [(report["data"], report["tau"]) for report in record["reports"]] == expected
    names = [f"{name}_{when}" for name in ("val", "test") for when in ("before", "after")]
    for name, report in zip(names, record["reports"], strict=True):
        assert report["nll"] == pytest.approx(REFERENCE[f"nll_{name}"], rel=0, abs=1e-10)
        assert report["ece"] == pytest.approx(REFERENCE[f"ece15_{name}"], rel=0, abs=1e-10)
        assert report["ece_chance_mean"] < report["ece_chance_95"] < 0.05
        for kind, ece in (("bins", report["ece"]), ("bins_mass", report["ece_mass"])):
            bins = [part for part in report[kind] if part["rows"]]
            assert sum(part["rows"] for part in bins) == report["rows"] == 674
            gaps = [part["rows"] * abs(part["accuracy"] - part["confidence"]) for part in bins]
            assert sum(gaps) / 674 == pytest.approx(ece, abs=1e-12)
        assert len(report["bins"]) == len(report["bins_mass"]) == 15
        assert report["bins"][0] == {"low": 0, "high": 1 / 15, "rows": 0, "confidence": None, "accuracy": None}
        assert report["bins"][-1]["high"] == 1


def test_csv_has_one_line_per_report(outputs: dict[str, str]) -> None:
    header, *lines = outputs["csv"].splitlines()
    [record] = json.loads(outputs["json"])
    for line, report in zip(lines, record["reports"], strict=True):
        fields = dict(zip(header.split(","), line.split(","), strict=True))
        assert fields.pop("data") == report["data"]
        assert {name: float(value) for name, value in fields.items()} == {name: report[name] for name in fields}


def test_the_seed_determines_the_interval() -> None:
    def seeded(seed: str) -> Any:
        return json.loads(out("calibrate", "-i", VAL, "-f", "json", "--resamples", "40", "--seed", seed))[0]

    first, other = seeded("7"), seeded("8")
    assert seeded("7") == first
    assert other["tau_low"] != first["tau_low"]
    assert other["tau"] == first["tau"]


def test_the_numbers_of_bins_and_resamples() -> None:
    [record] = json.loads(out("calibrate", "-i", VAL, "-f", "json", "--bins", "4", "--resamples", "40"))
    assert record["resamples"] == 40
    assert [len(report[kind]) for report in record["reports"] for kind in ("bins", "bins_mass")] == [4] * 4


def test_few_resamples_are_named_in_a_note() -> None:
    for resamples, is_noted in ((1, True), (39, True), (40, False), (0, False)):
        stdout, stderr = calibrated("-i", VAL, "-f", "table", "--no-chart", "--resamples", str(resamples))
        note = f"tsoft: note: --resamples {resamples} is too few for a 95 % interval; pass at least 40\n"
        assert (note in stderr) == is_noted
        assert ("(bootstrap, 1 resample)" in stdout) == (resamples == 1)


def test_without_resamples_nothing_is_simulated() -> None:
    [record] = json.loads(out("calibrate", "-i", VAL, "-f", "json", "--resamples", "0"))
    assert (record["interval"], record["resamples"]) == ("sandwich", 0)
    reach = 1.96 * record["log_tau_error"]
    assert np.log([record["tau_low"], record["tau_high"]]) == pytest.approx(
        np.add(np.log(record["tau"]), [-reach, reach]), rel=1e-3
    )
    for report in record["reports"]:
        assert (report["ece_chance_mean"], report["ece_mass_chance_95"]) == (None, None)
    shown = out("calibrate", "-i", VAL, "-f", "table", "--resamples", "0")
    assert "(sandwich estimate)" in shown
    assert "\nsandwich estimate: from the curvature of the NLL" in shown
    assert "nan" not in shown


# Input


def sources(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the digits in every form, as arguments."""
    np.save(folder / "z.npy", LOGITS)
    np.save(folder / "y.npy", DIGITS)
    np.save(folder / "y16.npy", DIGITS.astype(np.float16).reshape(-1, 1))
    np.savetxt(folder / "y.txt", DIGITS)
    (folder / "words.txt").write_text("target\n" + "".join(NAMES[digit] + "\n" for digit in DIGITS))
    (folder / "z.jsonl").write_text("".join(json.dumps(row) + "\n" for row in LOGITS.tolist()))
    z, words = str(folder / "z.npy"), np.array(NAMES)[DIGITS]
    indices, plain = [str(i) for i in range(10)], [str(digit) for digit in DIGITS]
    yield "npz of targets", ["-i", saved(folder / "a.npz", logits=LOGITS, targets=DIGITS)]
    yield "npz of words", ["-i", saved(folder / "b.npz", logits=LOGITS, targets=words, labels=NAMES)]
    yield "npz with --targets", ["-i", z, "--targets", VAL]
    yield "npy", ["-i", z, "--targets", str(folder / "y.npy")]
    yield "npy of halves", ["-i", z, "--targets", str(folder / "y16.npy")]
    yield "numbers a line", ["-i", z, "--targets", str(folder / "y.txt")]
    yield "words a line", ["-i", z, "--labels", ",".join(NAMES), "--targets", str(folder / "words.txt")]
    yield "json lines", ["-i", str(folder / "z.jsonl"), "--targets", str(folder / "y.npy")]
    yield "csv of indices", ["-i", table(folder / "a.csv", NAMES, plain)]
    yield "csv of words", ["-i", table(folder / "b.csv", NAMES, words.tolist())]
    yield "csv, numbered", ["-i", table(folder / "c.csv", indices, plain, first=True)]
    # Labels that are numbers are not indices.
    ones = [str(i + 1) for i in range(10)]
    yield "csv of labels", ["-i", table(folder / "d.csv", ones, [str(digit + 1) for digit in DIGITS])]
    fallen = [str(9 - i) for i in range(10)]
    yield "csv of fallen labels", ["-i", table(folder / "h.csv", fallen, [str(9 - digit) for digit in DIGITS])]
    yield "csv of #", ["-i", table(folder / "e.csv", ones, [f'"#{digit}"' for digit in DIGITS])]
    yield "tsv", ["-i", table(folder / "f.tsv", NAMES, plain, "\t")]
    yield "text", ["-i", table(folder / "g.txt", indices, plain, " ")]


def test_every_form_gives_the_same_temperature(tmp_path: Path) -> None:
    for name, arguments in sources(tmp_path):
        found = tau_of(*arguments)
        assert found == pytest.approx(REFERENCE["tau"], rel=1e-12), name


def test_piped() -> None:
    assert tau_of(stdin=Path(VAL).read_bytes()) == pytest.approx(REFERENCE["tau"], rel=1e-12)
    assert tau_of("-i", "-", "--test", VAL, stdin=Path(VAL).read_bytes()) == pytest.approx(REFERENCE["tau"])


def test_targets_from_a_pipe(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", LOGITS)
    piped = "".join(f"{digit}\n" for digit in DIGITS).encode()
    assert tau_of("-i", str(tmp_path / "z.npy"), "--targets", "-", stdin=piped) == pytest.approx(REFERENCE["tau"])


def test_energies_and_probabilities(tmp_path: Path) -> None:
    energies = saved(tmp_path / "e.npz", energies=-LOGITS, targets=DIGITS)
    assert tau_of("-i", energies) == pytest.approx(REFERENCE["tau"], rel=1e-12)
    np.save(tmp_path / "p.npy", tsoft.softmax(LOGITS.astype(float)))
    np.save(tmp_path / "y.npy", DIGITS)
    arguments = ["-i", str(tmp_path / "p.npy"), "--targets", str(tmp_path / "y.npy")]
    assert tau_of(*arguments, "--probs") == pytest.approx(REFERENCE["tau"], rel=1e-9)


def test_rows_of_two_axes(tmp_path: Path) -> None:
    """For example, sequences of tokens. Both axes count as rows."""
    z, y = LOGITS[:600].reshape(20, 30, 10), DIGITS[:600].reshape(20, 30)
    flat = saved(tmp_path / "a.npz", logits=LOGITS[:600], targets=DIGITS[:600])
    for order in ("C", "F"):
        folded = saved(tmp_path / "b.npz", logits=z, targets=np.asarray(y, order=order))
        assert tau_of("-i", folded) == tau_of("-i", flat)


@pytest.mark.parametrize("held", [1 << 28, 1000])
def test_passes_over_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    """A file that does not fit in memory is read again in each pass: at most eight times, with the measures."""
    from tsoft.features.calibrate.calibration import Measuring, calibration

    np.save(tmp_path / "z.npy", LOGITS)
    np.save(tmp_path / "y.npy", DIGITS)
    read = 0

    def counted(*arguments: Any) -> Any:
        nonlocal read
        read += 1
        return blocks(*arguments)

    blocks = npy.blocks
    monkeypatch.setattr(npy, "blocks", counted)
    monkeypatch.setattr(npy, "BLOCK", 4000)
    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", held)
    rows = LabeledInput(SourceOptions(inputs=[str(tmp_path / "z.npy")]), str(tmp_path / "y.npy"), "--targets")
    result = calibration(rows, None, Measuring(resamples=100), 16)
    assert result.fit.tau == pytest.approx(REFERENCE["tau"], rel=1e-12)
    assert result.measured[0].after.equal_width.ece == pytest.approx(REFERENCE["ece15_val_after"], abs=1e-12)
    assert result.interval
    if held == 1000:
        assert 5 < read <= 8
        assert (rows.in_memory, result.interval.method) == (None, "sandwich")
    else:
        assert read == 1
        assert result.interval.method == "bootstrap"


@pytest.mark.parametrize("scale", [1e307, 1e-308, 1e-315])
def test_at_the_ends_of_the_range(scale: float, tmp_path: Path) -> None:
    """Every warning is an error here."""
    path = saved(tmp_path / "a.npz", logits=LOGITS.astype(float) * scale, targets=DIGITS)
    [record] = json.loads(calibrated("-i", path, "-f", "json", "--resamples", "300")[0])
    assert record["tau"] / scale == pytest.approx(REFERENCE["tau"], rel=1e-6)
    assert record["tau_low"] / scale == pytest.approx(1.185, rel=0.02)
    assert record["reports"][1]["nll"] == pytest.approx(REFERENCE["nll_val_after"], rel=1e-6)


def test_each_block_has_its_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npy, "BLOCK", 4000)
    monkeypatch.setattr(fixed_blocks, "BLOCK_NUMBERS", 1500)
    rows = LabeledInput(SourceOptions(inputs=[VAL]), None, "--targets")
    assert [len(examples.targets) for examples in rows] == [150, 150, 150, 150, 74]
    assert fit_rows(rows).tau == pytest.approx(REFERENCE["tau"], rel=1e-12)


def test_a_part_of_a_block_has_its_targets() -> None:
    part = Block(LOGITS, targets=DIGITS).part(5, 9)
    assert part.targets is not None
    assert part.targets.tolist() == DIGITS[5:9].tolist()
    assert Block(LOGITS).part(5, 9).targets is None


@posix
def test_a_large_pipe_is_stored_in_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A named pipe can be read only once."""
    import threading

    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", 1000)
    monkeypatch.setattr(npy, "BLOCK", 4000)
    pipe = tmp_path / "z.npy"
    os.mkfifo(pipe)
    np.save(tmp_path / "y.npy", DIGITS)

    def feed() -> None:
        held = io.BytesIO()
        np.save(held, LOGITS)
        pipe.write_bytes(held.getvalue())

    threading.Thread(target=feed, daemon=True).start()
    rows = LabeledInput(SourceOptions(inputs=[str(pipe)]), str(tmp_path / "y.npy"), "--targets")
    assert fit_rows(rows).tau == pytest.approx(REFERENCE["tau"], rel=1e-12)
    assert rows.in_memory is None
    assert capsys.readouterr().err == (
        f"tsoft: note: {pipe}: the fit needs the rows several times, so tsoft stores them in a temporary file\n"
    )


def test_a_spool_returns_the_same_rows_in_every_pass() -> None:
    spool = Spool()
    originals = [
        LabeledRows(LOGITS[first : first + 9], DIGITS[first : first + 9].astype(kind))
        for first, kind in ((0, np.uint8), (9, np.int64), (18, np.uint16))
    ]
    originals.append(LabeledRows(LOGITS.T[:, :4].astype(float), DIGITS[:10]))  # not in C order
    for examples in originals:
        spool.add(examples)
    for _ in range(2):
        for examples, stored in zip(originals, spool, strict=True):
            assert stored.logits.dtype == examples.logits.dtype
            assert (stored.logits == examples.logits).all()
            assert (stored.targets == examples.targets).all()


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", 1000)
    path = saved(tmp_path / "a.npz", logits=LOGITS, targets=DIGITS)
    rows = LabeledInput(SourceOptions(inputs=[path]), None, "--targets")
    assert sum(len(examples.targets) for examples in rows) == 674
    saved(tmp_path / "a.npz", logits=LOGITS[:600], targets=DIGITS[:600])
    with pytest.raises(InputError, match="the file changed while tsoft read it"):
        list(rows)


@pytest.mark.parametrize(
    "changed",
    [
        {"logits": -LOGITS, "targets": DIGITS},
        {"logits": LOGITS, "targets": DIGITS[::-1]},
        {"logits": LOGITS[:, :5], "targets": DIGITS % 5},
    ],
    ids=["other logits", "other targets", "other classes"],
)
@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_changes_within_a_pass(
    changed: dict[str, Any], replaced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file replaces it, or it is overwritten in place."""
    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", 1000)
    monkeypatch.setattr(npy, "BLOCK", 4000)
    monkeypatch.setattr(fixed_blocks, "BLOCK_NUMBERS", 1500)
    path = saved(tmp_path / "a.npz", logits=LOGITS, targets=DIGITS)
    rows = LabeledInput(SourceOptions(inputs=[path]), None, "--targets")
    list(rows)
    list(rows)
    second_pass = iter(rows)
    next(second_pass)
    replacement = saved(tmp_path / "b.npz", **changed)
    if replaced:
        os.replace(replacement, path)
    else:
        Path(path).write_bytes(Path(replacement).read_bytes())
        os.utime(path, ns=(0, 0))
    # An overwritten file may be invalid, too.
    with pytest.raises(InputError, match="the file changed while tsoft read it" if replaced else "a.npz: "):
        list(second_pass)
    with pytest.raises(InputError, match="the file changed while tsoft read it"):
        next(iter(rows))


def test_notes_are_printed_once_in_several_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", 1000)
    rows = LabeledInput(
        SourceOptions(inputs=[saved(tmp_path / "a.npz", probs=np.exp(LOGITS - 20), targets=DIGITS)]), None, "--targets"
    )
    assert fit_rows(rows).tau == pytest.approx(REFERENCE["tau"], rel=1e-6)
    assert capsys.readouterr().err.count("the probabilities sum to") == 1


def test_memory_does_not_grow_with_the_logits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare a limit of 0.1 MB with one that is larger than the 1.2 MB of the logits."""
    monkeypatch.setattr(npy, "BLOCK", 1 << 16)
    monkeypatch.setattr(fixed_blocks, "BLOCK_NUMBERS", 1 << 14)
    # Each thread has a block in memory.
    monkeypatch.setenv("TSOFT_CORES", "1")
    count = np.arange(300)
    np.save(tmp_path / "y.npy", np.where(count % 3, 5, count))
    logits, stream = np.zeros((300, 1000), np.float32), io.BytesIO()
    logits[:, 5] = 3.0
    np.save(stream, logits)
    peaks = []
    for held in (100_000, 100_000, 1 << 28):
        monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", held)
        arguments = ("calibrate", "-i", "-", "--targets", str(tmp_path / "y.npy"), "--resamples", "0", "-f", "json")
        peaks.append(traced_peak(*arguments, stdin=stream.getvalue()))
    assert peaks[2] - peaks[1] > 5e5


# Notes

RIGHT = LOGITS.argmax(1) == DIGITS
FLAT = np.zeros((200, 3))
NOTES: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "perfect separation": (
        {"logits": LOGITS[RIGHT], "targets": DIGITS[RIGHT]}, 3, "0.0\n",
        "every target is the most probable class of its row, so the NLL falls all the way to τ = 0; these"
        " rows do not determine a temperature; see \"Limits\" in tsoft help calibrate",
    ),
    "worse than chance": (
        {"logits": -LOGITS, "targets": DIGITS}, 3, "inf\n",
        "on average, the targets' logits are no higher than the others' (no better than chance), so the NLL falls"
        " all the way to τ = inf; these rows do not determine a temperature",
    ),
    "one class": (
        {"logits": LOGITS[DIGITS == 3], "targets": DIGITS[DIGITS == 3]}, 0, "",
        "the target of every row is class #3, so the fit says nothing about the others",
    ),
    "one class, named": (
        {"logits": LOGITS[DIGITS == 3], "targets": DIGITS[DIGITS == 3], "labels": NAMES}, 0, "",
        "the target of every row is class 'three', so the fit says nothing about the others",
    ),
    "a handful": (
        {"logits": LOGITS[20:50], "targets": DIGITS[20:50]}, 0, "",
        "with only 30 rows, the fit is imprecise, and intervals are too narrow",
    ),
    "fewer rows than bins": (
        {"logits": [[2.0, 1.0, 0.0]], "targets": [1]}, 3, "inf\n",
        "each bin needs a row, so there are fewer than 15 equal-mass bins: 1 at τ = 1 and 1 at τ = inf",
    ),
    "one row": (
        {"logits": [[2.0, 1.0, 0.0]], "targets": [1]}, 3, "inf\n",
        "with only 1 row, the fit is imprecise, and intervals are too narrow",
    ),
    "resamples without a minimum": (
        {"logits": LOGITS[20:50], "targets": DIGITS[20:50]}, 0, "",
        "bootstrap resamples, the best temperature is a limit, 0 or inf",
    ),
    "numbers of a binary classifier that are 0 or 1": (
        {"logits": [[1.0], [0.0], [1.0]], "targets": [1, 0, 1]}, 3, "0\n",
        "the number of every row is 0 or 1; pass --probs for probabilities",
    ),
    "outputs of several sigmoids": (
        {"logits": 1 / (1 + np.exp(-LOGITS)), "targets": DIGITS}, 0, "",
        "all logits are from 0 to 1; if they are probabilities of one distribution, pass --probs",
    ),
    "the NLL better, the ECE worse": (
        {"logits": LOGITS[20:50], "targets": DIGITS[20:50]}, 0, "",
        "the NLL is better, but the ECE is worse (equal mass 0.10",
    ),
    "the ECE worse, explained": (
        {"logits": LOGITS[20:50], "targets": DIGITS[20:50]}, 0, "",
        '; see "Why the ECE can rise" in tsoft help reliability',
    ),
    "ties": (
        {"logits": np.round(LOGITS / 8), "targets": DIGITS}, 0, "",
        "rows of equal confidence share a bin, so there are fewer than 15 equal-mass bins: 9 at τ = 1 and 10 at"
        " τ = 0.220765",
    ),
}  # fmt: skip


# Every case as tsv, and in turn as a table or as JSON, which have the same notes.
NOTE_CASES = [
    pytest.param(*case, form, id=f"{name} ({form})")
    for (name, case), other in zip(NOTES.items(), itertools.cycle(["table", "json"]), strict=False)
    for form in ("tsv", other)
]


def test_notes_name_headings_of_the_manual() -> None:
    for note in (explanations.LIMITS, explanations.HIGHER_ECE, explanations.SAME_ACCURACY):
        heading, page = re.search(r'; see "(.*)" in tsoft help (.*)$', note).groups()  # type: ignore[union-attr]
        assert f"\n## {heading}\n" in (Path(tsoft.__file__).parent / "docs" / f"{page}.md").read_text("utf-8")


@pytest.mark.parametrize(("arrays", "code", "printed", "note", "form"), NOTE_CASES)
def test_notes(arrays: dict[str, Any], code: int, printed: str, note: str, form: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", **arrays)
    fewer = () if form == "tsv" else ("--resamples", "40")
    stdout, stderr = calibrated("-i", path, "-f", form, *fewer, code=code)
    # Tsv has neither an interval nor a measure.
    is_shown = form != "tsv" or not any(word in note for word in ("resamples", "ECE", "bins"))
    assert any(line.startswith(f"tsoft: note: {path}: ") and note in line for line in stderr.splitlines()) == is_shown
    assert printed in stdout if form == "tsv" else len(stdout) > 100


@pytest.mark.parametrize(
    ("measures", "worse", "merged"),
    [("nll,brier", False, False), ("ece", True, False), ("brier_top", False, True), ("ece,ece_mass", True, True)],
)
def test_notes_on_measures_need_their_measures(measures: str, worse: bool, merged: bool, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", logits=LOGITS[20:50], targets=DIGITS[20:50])
    options = ("--resamples", "0", "--bins", "40", "-f", "csv")
    stderr = calibrated("-i", path, *options, "--measures", measures)[1]
    assert ("the ECE is worse" in stderr, "equal-mass bins" in stderr) == (worse, merged)


def test_differences_of_rounding_are_not_worse(tmp_path: Path) -> None:
    """The logits have the frequencies of the targets, so the best τ is 1, except for rounding."""
    for right, wrong in ((4, 3), (6, 3), (7, 1)):
        z = np.array([[np.log(right / wrong) + 0.1, 0.1]] * (right + wrong))
        path = saved(tmp_path / "a.npz", logits=z, targets=[0] * right + [1] * wrong)
        stdout, stderr = calibrated("-i", path, "-f", "csv", "--resamples", "0", "--measures", "nll,ece")
        assert float(stdout.splitlines()[2].split(",")[1]) == pytest.approx(1, rel=1e-12)
        assert "worse" not in stderr


def test_notes_on_the_rows_of_test(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", logits=[[2.0, 1.0, *[0.0] * 8]], targets=[1])
    stderr = calibrated("-i", VAL, "--test", path)[1]
    assert f"{path}: with only 1 row, the measures are imprecise\n" in stderr
    assert f"{path}: the target of every row is class #1, so the measures say nothing about the others\n" in stderr
    assert "interval" not in stderr


def test_a_file_of_the_fit_that_is_tested_is_noted(tmp_path: Path) -> None:
    (tmp_path / "link.npz").symlink_to(VAL)
    note = "the fit uses {}, too, so the measures are optimistic; pass rows of other files"
    for fitted in (VAL, str(tmp_path)):
        assert note.format(VAL) in calibrated("-i", fitted, "--test", VAL)[1]
    assert "the fit uses" not in calibrated("-i", VAL, "--test", TEST)[1]


def test_a_limit_is_a_string_in_json(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", logits=-LOGITS, targets=DIGITS)
    [record] = json.loads(calibrated("-i", path, "-f", "json", "--resamples", "0", code=3)[0])
    assert (record["tau"], record["tau_low"], record["interval"]) == ("inf", None, None)
    assert "chance" in record["reason"]
    assert record["reports"][1]["nll"] == pytest.approx(np.log(10))


def test_the_headline_says_whether_the_model_is_calibrated(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    z = random.normal(size=(400, 4)) * 2
    for scale, headline in ((1, "it contains 1"), (1 / 3, "underconfident")):
        targets = (z + random.gumbel(size=z.shape)).argmax(1)
        path = saved(tmp_path / "a.npz", logits=z * scale, targets=targets)
        shown = calibrated("-i", path, "-f", "table", "--no-chart", "--resamples", "100")[0]
        assert headline in shown.replace("\n  ", " ")


@pytest.mark.parametrize("held", [1 << 28, 1000])
def test_a_note_on_a_wide_interval(
    held: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the targets hardly depend on the logits, the minimum is at a high temperature."""
    from tsoft.features.calibrate.calibration import Measuring, calibration

    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", held)
    random = np.random.default_rng(6)
    z = random.normal(size=(2000, 4))
    targets = (z / 40 + random.gumbel(size=z.shape)).argmax(1)
    rows = LabeledInput(SourceOptions(inputs=[saved(tmp_path / "a.npz", logits=z, targets=targets)]), None, "--targets")
    result = calibration(rows, None, Measuring(resamples=100), 0)
    assert 10 < result.fit.tau < np.inf
    assert "these rows determine τ only roughly" in capsys.readouterr().err


def test_a_note_on_a_worse_nll_of_the_test(tmp_path: Path) -> None:
    path = saved(tmp_path / "right.npz", logits=LOGITS[RIGHT], targets=DIGITS[RIGHT])
    assert (
        f"{path}: at τ = 1.33966, compared with τ = 1, the NLL is worse (0.05717 → 0.09405)"
        in calibrated("-i", VAL, "--test", path)[1]
    )


ONE_EACH, MASK = "expected one target per row", "write -inf to mask a class"
PROBS = tsoft.softmax(LOGITS)
MASKED = LOGITS.copy()
MASKED[5, DIGITS[5]] = -np.inf
BAD_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "probabilities": (
        {"logits": PROBS, "targets": DIGITS},
        "the numbers of every row are from 0 to 1 and sum to 1, so they look like probabilities; pass --probs;"
        " if the array is called 'logits', rename it to 'probs'",
    ),
    "all alike": (
        {"logits": LOGITS * 0, "targets": DIGITS},
        "all logits of each row are equal, so the temperature has no effect",
    ),
    "out of range": (
        {"logits": LOGITS, "targets": DIGITS + 1},
        "targets: row 3: unknown class '10'; use an index from 0 to 9; the targets seem to start at 1;"
        " subtract 1 from each",
    ),
    "negative": (
        {"logits": LOGITS, "targets": np.where(np.arange(674) == 7, -100, DIGITS)},
        "targets: row 7: unknown class '-100'; use an index from 0 to 9; to leave out the rows with this target, pass"
        " --ignore-index -100",
    ),
    "no whole number": (
        {"logits": LOGITS, "targets": DIGITS + 0.5},
        "targets: row 0: unknown class '2.5'; use an index from 0 to 9",
    ),
    "no number": (
        {"logits": LOGITS, "targets": DIGITS * np.nan},
        "targets: row 0: unknown class 'nan'; use an index from 0 to 9",
    ),
    "one-hot": (
        {"logits": LOGITS, "targets": np.eye(10)[DIGITS]},
        "targets: an array of 674 × 10 that looks one-hot; save array.argmax(1), one index per row",
    ),
    "too few": (
        {"logits": LOGITS, "targets": DIGITS[:-4]},
        f"targets: 670 targets, but the logits have 674 rows; {ONE_EACH}",
    ),
    "too many": (
        {"logits": LOGITS[:-4], "targets": DIGITS},
        f"targets: 674 targets, but the logits have 670 rows; {ONE_EACH}",
    ),
    "none": (
        {"logits": LOGITS},
        "the rows have no targets (true classes); add an array targets or labels, or pass"
        " --targets-key NAME or --targets FILE",
    ),
    "words without labels": (
        {"logits": LOGITS, "targets": np.array(NAMES)[DIGITS]},
        "targets: row 0: unknown class 'two'; use an index from 0 to 9",
    ),
    "a label of two classes": (
        {"logits": LOGITS, "targets": ["a"] * 674, "labels": [*"aab", *NAMES[:7]]},
        'targets: row 0: 2 classes have the label \'a\'; choose one by its index: "#0", "#1"',
    ),
    "a masked target": (
        {"logits": MASKED, "targets": DIGITS},
        f"row 5: the target, class #{DIGITS[5]}, is masked, so its probability is 0 at every temperature",
    ),
    "not a number": (
        {"logits": LOGITS * np.nan, "targets": DIGITS},
        f"logits: row 0, class #0: NaN is not a logit; {MASK}",
    ),
    "pickles": (
        {"logits": LOGITS, "targets": np.array([None] * 674)},
        f"targets: {PICKLED}; save an array of numbers or strings",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arrays", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_errors_in_the_rows(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", **arrays)
    assert calibrated("-i", path, code=1) == ("", f"tsoft: error: {path}: {message}\n")


# The same errors apply to the rows of --test.
@pytest.mark.parametrize("name", ["probabilities", "out of range", "too few", "a masked target"])
def test_errors_in_the_rows_of_test(name: str, tmp_path: Path) -> None:
    arrays, message = BAD_ROWS[name]
    path = saved(tmp_path / "a.npz", **arrays)
    assert calibrated("-i", VAL, "--test", path, code=1) == ("", f"tsoft: error: {path}: {message}\n")


def test_the_rows_of_test_need_the_same_classes(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", logits=LOGITS[:, :4], targets=DIGITS % 4)
    assert (
        calibrated("-i", VAL, "--test", path, code=1)[1]
        == f"tsoft: error: {path}: 4 classes, but {VAL} has 10; both need the same classes\n"
    )
    named = saved(tmp_path / "a.npz", logits=LOGITS, targets=DIGITS, labels=NAMES)
    path = saved(tmp_path / "b.npz", logits=LOGITS, targets=DIGITS, labels=NAMES[::-1])
    assert calibrated("-i", named, "--test", path, code=1)[1] == (
        f"tsoft: error: {path}: class 0 is 'nine', but 'zero' in {named};"
        " both need the same classes in the same order\n"
    )
    # Without labels, only the number of classes is compared.
    assert tau_of("-i", named, "--test", VAL) == tau_of("-i", VAL, "--test", named) == tau_of("-i", VAL)


@posix
def test_labels_from_a_pipe(tmp_path: Path) -> None:
    """The pipe is read once, for all passes over the rows and the test."""
    (tmp_path / "names").write_text("\n".join(NAMES) + "\n")
    calibrate = f"tsoft calibrate -i {VAL} --test {TEST} --no-chart --labels @/dev/stdin"
    assert "τ = 1.33966" in in_terminal(f"cat {tmp_path / 'names'} | {calibrate}")


# The fit to four rows. The target of the second is not at the top.
MIDDLE = fit_rows(once(LabeledRows(np.array([[2.0, 0], [1, 0], [3, 1], [0, 1]]), np.array([0, 1, 0, 1])))).tau
NUMBERED = {"1,0": [1, 0, 1, 0], "3,8": [3, 8, 3, 8], "2.5,x": ["2.5", "x"] * 2}


@pytest.mark.parametrize(("labels", "targets"), NUMBERED.items())
@pytest.mark.parametrize("kind", ["txt", "npy", "npy of floats", "npz", "npz with logits", "csv"])
def test_targets_name_the_same_labels_in_every_form(labels: str, targets: list[Any], kind: str, tmp_path: Path) -> None:
    """If a label is a number, a number is a label, not an index."""
    z = np.array([[2.0, 0], [1, 0], [3, 1], [0, 1]])
    if kind == "npy of floats" and "x" in targets:
        pytest.skip("the targets contain a word")
    y = np.array(targets, float) if kind == "npy of floats" else np.array(targets)
    np.save(tmp_path / "z.npy", z)
    arguments = ["-i", str(tmp_path / "z.npy"), "--labels", labels, "--targets", str(tmp_path / f"y.{kind[:3]}")]
    if kind == "npz with logits":
        arguments = ["-i", saved(tmp_path / "z.npz", logits=z, targets=y, labels=labels.split(","))]
    elif kind == "npz":
        saved(tmp_path / "y.npz", targets=y)
    elif kind == "txt":
        (tmp_path / "y.txt").write_text("".join(f"{target}\n" for target in targets))
    elif kind == "csv":
        lines = [f"{a},{b},{target}\n" for (a, b), target in zip(z.tolist(), targets, strict=True)]
        (tmp_path / "z.csv").write_text(f"{labels},target\n" + "".join(lines))
        arguments = ["-i", str(tmp_path / "z.csv")]
    else:
        np.save(tmp_path / "y.npy", y)
    assert float(calibrated(*arguments)[0]) == pytest.approx(MIDDLE, rel=1e-12)


def test_labels_in_quotes(tmp_path: Path) -> None:
    (tmp_path / "z.csv").write_text('"New York, NY",dog\n2,0\n1,0\n3,1\n0,1\n')
    (tmp_path / "y.txt").write_text('target\n"New York, NY"\n"dog"\n"New York, NY"\ndog\n')
    source = ["-i", str(tmp_path / "z.csv"), "--targets", str(tmp_path / "y.txt")]
    assert float(calibrated(*source)[0]) == pytest.approx(MIDDLE, rel=1e-12)


SHAPES = {
    "two a row": (np.zeros((337, 2), int), "337 × 2"),
    "soft targets": (np.full((674, 10), 0.1), "674 × 10"),
    "three axes": (np.zeros((2, 337, 1), int), "2 × 337 × 1"),
}


@pytest.mark.parametrize(("targets", "shape"), SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("in_a_file", [True, False])
def test_targets_of_another_shape(targets: Any, shape: str, in_a_file: bool, tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", LOGITS)
    np.save(tmp_path / "y.npy", targets)
    path = saved(tmp_path / "a.npz", logits=LOGITS, targets=targets)
    typed = ["-i", str(tmp_path / "z.npy"), "--targets", str(tmp_path / "y.npy")] if in_a_file else ["-i", path]
    source = str(tmp_path / "y.npy") if in_a_file else f"{path}: targets"
    fix = "expected one target per row; pass the logits first, then one integer per row"
    message = f"tsoft: error: {source}: an array of {shape}; {fix}\n"
    assert calibrated(*typed, code=1)[1] == message


def test_an_array_without_rows_is_an_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", logits=np.zeros((0, 3)), targets=np.zeros(0, int))
    assert calibrated("-i", path, code=1)[1] == f"tsoft: error: {path}: logits: an array of shape (0, 3) has no rows\n"


@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_rounded_probabilities_are_not_logits(decimals: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", logits=PROBS.round(decimals), targets=DIGITS)
    assert (
        "look like probabilities; pass --probs; if the array is called 'logits', rename"
        in calibrated("-i", path, code=1)[1]
    )
    named = saved(tmp_path / "b.npz", probs=PROBS.round(decimals), targets=DIGITS)
    assert "look like" not in here("calibrate", "-i", named).stderr


@pytest.mark.parametrize("decimals", [0, 1, 4])
def test_percentages_are_not_logits(decimals: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npz", logits=(100 * PROBS.astype(float)).round(decimals), targets=DIGITS)
    problem = "the numbers of every row are from 0 to 100 and sum to 100, so they look like percentages"
    fix = "divide them by 100 and pass --probs"
    assert calibrated("-i", path, code=1)[1].endswith(f"tsoft: error: {path}: {problem}; {fix}\n")


def test_a_note_if_nearly_all_rows_look_like_probabilities(tmp_path: Path) -> None:
    z = PROBS.astype(float)
    z[:5] *= 1.5
    stderr = calibrated("-i", saved(tmp_path / "a.npz", logits=z, targets=DIGITS))[1]
    assert "the numbers of 669 of 674 rows are from 0 to 1 and sum to 1; pass --probs for probabilities" in stderr


@pytest.mark.parametrize("changes", [{"rows": 9}, {"scale": 1.1}, {"scale": -1}, {"option": "--probs"}])
def test_no_note_on_logits_that_may_be_from_0_to_1_by_chance(changes: dict[str, Any], tmp_path: Path) -> None:
    case = {"rows": 40, "scale": 1.0, "option": "-i"} | changes
    z = case["scale"] / (1 + np.exp(-LOGITS[: case["rows"]]))
    path = saved(tmp_path / "a.npz", z=z, targets=DIGITS[: case["rows"]])
    typed = [case["option"], "-i", path] if case["option"] == "--probs" else ["-i", path]
    assert "all logits are from 0 to 1" not in here("calibrate", *typed).stderr


def test_one_hot_logits_are_logits(tmp_path: Path) -> None:
    """As probabilities, they would not determine a temperature. 80 of 100 are right, with a gap of 1."""
    y = np.array([0, 1] * 50)
    z = np.eye(2)[np.where(np.arange(100) < 80, y, 1 - y)]
    printed, stderr = calibrated("-i", saved(tmp_path / "a.npz", logits=z, targets=y))
    assert float(printed) == pytest.approx(1 / np.log(4), rel=1e-12)
    assert "pass --probs for probabilities" in stderr


@pytest.mark.parametrize("seed", [2**32, 2**64 - 1])
def test_a_long_seed(seed: int) -> None:
    [record] = json.loads(out("calibrate", "-i", VAL, "-f", "json", "--resamples", "40", "--seed", str(seed)))
    assert record["seed"] == seed


INDEX = "use a label, or an index from 0 to 1"
TEXTS = {
    "a masked target": (
        "cat,dog,target\n2,0,cat\n1,-inf,dog\n",
        "stdin:3: the target, class 'dog', is masked, so its probability is 0 at every temperature",
    ),
    "a word": ("a,b,target\n1,2,a\n2,1,c\n", "stdin:3: field 3: unknown class 'c'; choose from a, b"),
    "an escape": ("a,b,target\n1,2,\x1b[31m\n", "stdin:2: field 3: unknown class '\\x1b[31m'; choose from a, b"),
    "out of range": ("a,b,target\n1,2,0\n2,1,2\n", f"stdin:3: field 3: unknown class '2'; {INDEX}"),
    "labels that are numbers": ("1,2,target\n1,2,1\n2,1,0\n", "stdin:3: field 3: unknown class '0'; choose from 1, 2"),
    "nothing": ("a,b,target\n1,2,\n", "stdin:2: field 3: empty; write a class's label or index"),
    "a number that is a word": ("a,b,target\n1,x,0\n", "stdin:2: field 2: 'x' is not a number"),
    "a short row": ("a,b,target\n1,2\n", "stdin:2: expected 3 fields, as in the header, got 2"),
    "nothing else": ("target\n1\n", "stdin:1: the header names no class; add one column per class"),
    "no target": ("a,b\n1,2\n", "stdin: the rows have no targets (true classes); add a column target"),
    "rows that differ": ('{"a": 1, "b": 2}\n{"b": 1, "a": 2}\n', "stdin: the rows have no targets"),
    "empty": ("", "stdin: no logits: the input is empty"),
}  # fmt: skip


@each_case(("piped", "message"), TEXTS.values())
def test_errors_in_a_text(piped: str, message: str) -> None:
    stdout, stderr = calibrated(code=1, stdin=piped)
    assert stdout == ""
    *notes, error = stderr.splitlines()
    assert error.startswith(f"tsoft: error: {message}")
    assert len(notes) <= 1


@pytest.mark.parametrize(("ending", "mark"), [("csv", '"'), ("tsv", "")])
def test_labels_of_several_words(ending: str, mark: str, tmp_path: Path) -> None:
    delimiter = "," if ending == "csv" else "\t"
    city = f"{mark}New York, NY{mark}"
    rows = [(city, "Los Angeles", "target"), *[("3", "2", name) for name in (city, "Los Angeles", city)]]
    path = tmp_path / f"a.{ending}"
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows))
    # Two of three are right, with a gap of 1.
    assert float(calibrated("-i", str(path))[0]) == pytest.approx(1 / np.log(2), rel=1e-12)


def test_two_columns_named_target_are_ambiguous() -> None:
    message = calibrated(stdin="target,a,target\n0,3,2\n0,3,2\n1,3,2\n", code=1)[1]
    assert message.startswith("tsoft: error: stdin:1: 2 columns are called 'target'; rename one, or list")


def test_the_line_of_a_wrong_target_in_many(tmp_path: Path) -> None:
    """A fast path reads plain lines together. An error still names the line."""
    path = table(tmp_path / "a.csv", NAMES, [*map(str, DIGITS[:-1]), "11"])
    assert (
        f"\ntsoft: error: {path}:675: field 11: unknown class '11'; use a label, or an index from 0 to 9"
        in calibrated("-i", path, code=1)[1]
    )


def test_a_column_label_beside_logits_is_ambiguous(tmp_path: Path) -> None:
    text = "label,logit\n1,2\n0,-2\n0,1\n"
    message = calibrated(stdin=text, code=1)[1]
    problem = "ambiguous: label may be the class of each line or the target of each row"
    fix = "pass --columns logit if it is the target, or add a column row if it is the class"
    assert message == f"tsoft: error: stdin:1: {problem}; {fix}\n"
    assert "the rows have no targets" in calibrated(stdin="row,label,logit\n0,a,0.5\n0,b,2\n", code=1)[1]
    # The fix works, and so does another name.
    expected = calibrated(stdin="neg,pos,target\n0,2,1\n0,-2,0\n0,1,0\n")[0]
    assert calibrated("--columns", "logit", stdin=text)[0] == expected
    assert calibrated("--target-column", "label", stdin=text)[0] == expected
    assert calibrated(stdin=text.replace("label", "target"))[0] == expected


BESIDE = {
    "too few": ("0\n" * 670, ": 670 targets, but {z} has more rows; expected one target per row"),
    "too many": ("0\n" * 680, ": 680 targets, but the logits have 674 rows; expected one target per row"),
    "a word": ("0\n1\nx\n" + "0\n" * 671, ":3: unknown class 'x'; use an index from 0 to 9"),
    "under a heading": ("target\n0\n10\n" + "0\n" * 672, ":3: unknown class '10'; use an index from 0 to 9"),
    "a blank line": ("0\n\n" + "0\n" * 672, ":2: empty; write a class's label or index"),
    "nothing": ("\n\n", ": no targets: the input is empty"),
    "bytes": (b"\xff\n", ":1: not UTF-8 text (byte 0xff); convert it to UTF-8"),
}


@pytest.mark.parametrize(("content", "message"), BESIDE.values(), ids=BESIDE.keys())
def test_errors_in_a_targets_file(content: str | bytes, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", LOGITS)
    (tmp_path / "y.txt").write_bytes(content.encode() if isinstance(content, str) else content)
    z, y = str(tmp_path / "z.npy"), str(tmp_path / "y.txt")
    stdout, stderr = calibrated("-i", z, "--targets", y, code=1)
    assert stdout == ""
    assert stderr.startswith(f"tsoft: error: {y}{message.format(z=z)}")


def test_rows_with_different_classes_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "y.txt").write_text("0\n1\n")
    for piped, message in (
        ('{"a": 1, "b": 2}\n{"b": 1, "a": 2}\n', "the classes of this row are not those of the first row"),
        ("[1, 2]\n[1, 2, 3]\n", "the row has 3 classes, but the first row has 2"),
    ):
        assert message in calibrated("--targets", str(tmp_path / "y.txt"), code=1, stdin=piped)[1]


@each_case(
    ("typed", "message"),
    [
        ([VAL, "-i", VAL], f"{VAL!r} and --input are mutually exclusive, since both name the logits; pass only one"),
        (
            [VAL, VAL, "--targets", VAL],
            f"{VAL!r} and --targets are mutually exclusive, since both name the targets; pass only one",
        ),
        ([VAL, VAL, VAL], f"unexpected arguments: {VAL}; pass a file of logits and a file of targets"),
        (
            ["--targets", VAL, "--target-column", "y"],
            "--target-column and --targets are mutually exclusive, since both name the targets; pass only one",
        ),
        (["-i", VAL, "--test-targets", "y.npy"], "--test-targets has no effect without --test; add --test FILE"),
        (
            ["--targets", "-"],
            "only one of --input and --targets can read stdin; pass files or arguments for the others",
        ),
        (["-i", VAL, "--test", ""], "--test needs a file name"),
        (["-i", VAL, "--log"], "unknown option --log"),
        (["-i", VAL, "--bits"], "unknown option --bits"),
        (["-i", VAL, "-f", "npy"], "--format: unknown value 'npy'; "),
        (["-i", VAL, "--bins", "0"], "--bins: expected a whole number from "),
        (["-i", VAL, "--seed", str(2**64)], f"--seed: expected a whole number from 0 to {2**64 - 1}, got {2**64}"),
        (["-i", VAL, "--resamples", "-5"], "--resamples: expected a whole number from "),
        (
            ["-i", VAL, "--probs", "--energies"],
            "--energies, --probs and --logprobs are mutually exclusive; pass only one",
        ),
        (["2", "1"], "'2' is not a file; calibrate reads logits and targets from files or from a pipe"),
    ],
)
def test_errors_in_the_options(typed: list[str], message: str) -> None:
    stdout, stderr = calibrated(*typed, code=2)
    assert stdout == ""
    assert stderr.startswith(f"tsoft: error: {message}")


@posix
def test_no_input_on_a_terminal_is_an_error() -> None:
    status, output = status_on_terminal("calibrate")
    assert status == 2
    assert "no rows; pass a file with -i FILE, or pipe one in" in output


def test_a_targets_file_without_targets_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", LOGITS)
    y = saved(tmp_path / "y.npz", other=DIGITS)
    assert calibrated("-i", str(tmp_path / "z.npy"), "--targets", y, code=1)[1] == (
        f"tsoft: error: {y}: no array is called 'targets'; pass --targets-key NAME to choose an array: other\n"
    )
    cut = tmp_path / "cut.npz"
    cut.write_bytes(Path(VAL).read_bytes()[:500])
    assert "not a complete .npz file" in calibrated("-i", str(tmp_path / "z.npy"), "--targets", str(cut), code=1)[1]


def test_a_zip_bomb_of_targets_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsoft.input.npz.SMALL_ARRAY", 1 << 20)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, logits=np.eye(3), targets=np.zeros(1 << 18))
    assert "like a zip bomb" in calibrated("-i", str(path), code=1)[1]


LABELS = st.lists(
    st.sampled_from(["a", "b", "cat", "0", "1", "7", "-1", "", "#1", "nan", "2.0"]), min_size=1, max_size=6
)


@settings(max_examples=50)
@given(LABELS, st.sampled_from(["a", "cat", "0", "1", "2", "7", "-1", "#0", "#1", "#9", "", "x", "2.0", "1.5", "inf"]))
def test_a_target_is_one_class_or_an_error(labels: list[str], target: str) -> None:
    naming = ClassLookup(tuple(labels), len(labels))
    try:
        index = naming.index(target)
    except ValueError:
        # A unique label always names its class.
        assert labels.count(target) != 1
        return
    assert 0 <= index < len(labels)
    if labels.count(target):
        assert labels[index] == target
    else:
        assert float(target.removeprefix("#")) == index


def test_an_index_out_of_range_is_an_error_with_its_position() -> None:
    with pytest.raises(TargetIndexError, match="unknown class '3'") as caught:
        ClassLookup(None, 3).indices(np.array([0, 2, 3, 9]))
    assert caught.value.position == 2


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*'01a,,,,\n\n#"', "target", "target,a,b\n", "1.5", "-", "x", "\t"]), max_size=40))
def test_every_text_with_targets_is_read_or_refused(tokens: list[str]) -> None:
    try:
        blocks = list(delimited.read(io.BytesIO("".join(tokens).encode()), ReadOptions("f", targets=TargetSource())))
    except InputError:
        return
    for block in blocks:
        if block.targets is not None:
            assert block.targets.shape == (len(block.logits),)
            assert ((block.targets >= 0) & (block.targets < block.logits.shape[1])).all()


# On a terminal


@posix
def test_a_terminal_shows_the_table_and_the_charts() -> None:
    shown = in_terminal(f"tsoft calibrate -i {VAL} --test {TEST} --resamples 40", 100, NO_COLOR="1")
    for part in ("τ = 1.33966", "overconfident", "mean confidence", "reliability, test", "NLL over τ", "b minimum"):
        assert part in shown
    assert "--test FILE" not in shown
    shown = in_terminal(f"tsoft calibrate -i {VAL} --no-chart --resamples 40", 100, NO_COLOR="1")
    assert "--test FILE measures on other rows" in " ".join(shown.split())
    assert "reliability" not in shown


@posix
def test_the_diagram_counts_every_row() -> None:
    shown = in_terminal(f"tsoft calibrate -i {VAL} --bins 10 --resamples 0", 100, NO_COLOR="1")
    diagram = shown[shown.index("reliability, fit") :]
    lines = [line.split() for line in diagram.splitlines() if "–" in line]
    counts = [[int(field) for field in line[1:] if field.isdecimal()] for line in lines]
    assert sum(count[0] for count in counts) == 674


def test_compute_does_not_take_the_targets_for_a_class(tmp_path: Path) -> None:
    """compute reads the input of calibrate, too."""
    np.savez(tmp_path / "a.npz", logits=np.array([[2.0, 0.0], [0.0, 3.0]]), labels=np.array([0, 1]))
    done = here("compute", "-i", str(tmp_path / "a.npz"), "-f", "json")
    assert [record["labels"] for record in json.loads(done.stdout)] == [None, None]
    assert "ignores the array 'labels' (true classes)" in done.stderr
    for table in ("a,b,target\n2,0,0\n0,3,1\n", "a,b,target\n2,0,a b\n0,3,b\n", "target,a,b\na,2,0\nb,0,3\n"):
        again = here("compute", stdin=table)
        assert again.stdout == here("compute", "2", "0").stdout + here("compute", "0", "3").stdout
        assert "ignores 'target' (true classes)" in again.stderr


def test_a_class_named_target_is_read_back() -> None:
    written = here("compute", "a=1", "target=2", "-f", "csv").stdout
    assert here("compute", "--probs", "-f", "csv", stdin=written).stdout == written


def test_an_api_response_is_refused() -> None:
    """Its alternatives are not all classes."""
    done = here("calibrate", "-i", str(TESTS / "data" / "openai-chat.json"), "--targets", "-", stdin="The\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "row 0: an API response lists only some of the classes, but calibrate needs all of them" in done.stderr
