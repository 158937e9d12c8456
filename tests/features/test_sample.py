"""`tsoft sample`: draws and counts, in a pipe and on a terminal."""

import csv
import io
import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import tsoft
from progress import progress_screen
from tool import TSOFT, environment, here, in_terminal, out, started, traced_peak
from tsoft.core.draw import COUNTS, DRAWS, PIECE_SIZE, counts, draws, generator
from tsoft.features.sample.command import watched_draws
from tsoft.features.sample.samples import Sample

LOGITS = [2, 1, 0.5, 0.1]
TYPED = [str(z) for z in LOGITS]
LABELED = ["cat=2", "dog=1", "bird=0.5", "fish=0.1"]
NAMES = ["cat", "dog", "bird", "fish"]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def drawn(size: int, seed: int, row: int = 0, tau: float = 1, logits: list[float] = LOGITS) -> list[int]:
    """Return the draws of the core."""
    pieces = draws(tsoft.softmax(logits, tau), size, generator(seed, row, DRAWS))
    return [int(index) for piece in pieces for index in piece]


def counted(size: int, seed: int, row: int = 0, tau: float = 1) -> list[int]:
    return [int(count) for count in counts(tsoft.softmax(LOGITS, tau), size, generator(seed, row, COUNTS))]


def test_a_pipe_has_one_draw_by_default() -> None:
    assert out("sample", *LABELED, "--seed", "5") == NAMES[drawn(1, 5)[0]] + "\n"
    assert out("sample", *TYPED, "--seed", "5") == f"{drawn(1, 5)[0]}\n"


def test_every_form_has_the_same_draws() -> None:
    size = PIECE_SIZE + 200
    expected = drawn(size, 3)
    typed = ["sample", *LABELED, "-n", str(size), "--seed", "3"]
    assert out(*typed).split() == [NAMES[index] for index in expected]
    assert out(*typed, "--index").split() == [str(index) for index in expected]
    header, *rows = csv.reader(io.StringIO(out(*typed, "-f", "csv")))
    assert header == ["row", "tau", "index", "label"]
    assert rows == [["0", "1.0", str(index), NAMES[index]] for index in expected]
    [record] = json.loads(out(*typed, "-f", "json", "--draws"))
    assert json.loads(out(*typed, "-f", "jsonl", "--draws")) == record
    assert record["draws"] == expected
    assert record["counts"] == [expected.count(index) for index in range(4)]


def test_every_form_has_the_same_counts() -> None:
    expected = counted(10**9, 3)
    typed = ["sample", *LABELED, "-n", "1e9", "--seed", "3"]
    lines = [f"{name}\t{count}" for name, count in zip(NAMES, expected, strict=True)]
    assert out(*typed, "--counts").splitlines() == lines
    lines = [f"{index}\t{count}" for index, count in enumerate(expected)]
    assert out(*typed, "--counts", "--index").splitlines() == lines
    header, *rows = csv.reader(io.StringIO(out(*typed, "--counts", "-f", "csv")))
    assert header == ["row", "tau", "index", "label", "count", "expected"]
    probs = tsoft.softmax(LOGITS)
    for index, row in enumerate(rows):
        assert row[:5] == ["0", "1.0", str(index), NAMES[index], str(expected[index])]
        assert float(row[5]) == pytest.approx(1e9 * probs[index], rel=1e-14)
    [record] = json.loads(out(*typed, "-f", "json"))
    test = stats.chisquare(expected, 1e9 * probs)
    assert record == {
        "row": 0, "tau": 1.0, "n": 10**9, "seed": 3, "labels": NAMES, "probs": probs.tolist(),
        "expected": pytest.approx(1e9 * probs, rel=1e-14), "counts": expected,
        "statistic": pytest.approx(test.statistic, rel=1e-6), "degrees": 3,
        "p_value": pytest.approx(test.pvalue, rel=1e-6),
    }  # fmt: skip


def test_a_sample_that_is_too_small_has_no_p_value() -> None:
    [record] = json.loads(out("sample", *TYPED, "-n", "2", "-f", "json", "--tau", "0"))
    assert record["counts"] == [2, 0, 0, 0]
    assert [record[key] for key in ("labels", "statistic", "degrees", "p_value")] == [None] * 4


def test_numbers_of_draws() -> None:
    for text, size in (("7", 7), ("1e2", 100), ("2.5e1", 25), ("007", 7)):
        assert len(out("sample", *TYPED, "-n", text).splitlines()) == size
    for text in ("1e18", "1000000000000000000", "999999999999999999"):
        lines = out("sample", *TYPED, "-n", text, "--counts").splitlines()
        assert sum(int(line.split("\t")[1]) for line in lines) == int(text.replace("1e18", "1" + "0" * 18))


def test_rows_and_temperatures_follow_each_other() -> None:
    text = "2 1 0.5 0.1\n0.1 0.5 1 2\n"
    typed = ["sample", "-n", "20", "--seed", "8", "--tau", "2,0,0.5"]
    expected = [
        (row, tau, index)
        for row, logits in enumerate((LOGITS, LOGITS[::-1]))
        for tau in (2.0, 0.0, 0.5)
        for index in drawn(20, 8, row, tau, logits)
    ]
    assert out(*typed, stdin=text).split() == [str(index) for _, _, index in expected]
    rows = list(csv.reader(io.StringIO(out(*typed, "-f", "csv", stdin=text))))[1:]
    assert rows == [[str(row), str(tau), str(index), ""] for row, tau, index in expected]
    records = [json.loads(line) for line in out(*typed, "-f", "jsonl", "--draws", stdin=text).splitlines()]
    assert [(r["row"], r["tau"], i) for r in records for i in r["draws"]] == expected
    assert json.loads(out(*typed, "-f", "json", "--draws", stdin=text)) == records


def test_a_seed_is_new_each_time_and_can_be_repeated() -> None:
    typed = ["sample", *TYPED, "--tau", "inf", "-n", "64", "-f", "jsonl", "--draws"]
    one, other = (json.loads(out(*typed)) for _ in range(2))
    assert one["draws"] != other["draws"]
    assert json.loads(out(*typed, "--seed", str(one["seed"]))) == one


def test_labels_stay_on_their_line_and_in_their_column() -> None:
    labels = '["a\\tb", "c\\\\", "", "x,\\"y\\""]'
    path = ["--labels", "@/dev/stdin"] if Path("/dev/stdin").exists() else None
    if path is None:
        pytest.skip("no name for stdin")
    counts_of = out("sample", "1", "1", "1", "1", *path, "--counts", "-n", "4e9", "--seed", "1", stdin=labels)
    assert [line.split("\t")[0] for line in counts_of.splitlines()] == ["a\\tb", "c\\\\", "", 'x,"y"']
    lines = out("sample", "1", "1", "1", "1", *path, "-n", "100", "--seed", "1", stdin=labels).split("\n")
    assert set(lines) == {"a\\tb", "c\\\\", "", 'x,"y"'}
    rows = csv.reader(io.StringIO(out("sample", "0", "0", "0", "9e9", *path, "-f", "csv", stdin=labels)))
    assert list(rows)[1] == ["0", "1.0", "3", 'x,"y"']


def test_digits_do_not_apply_to_whole_numbers() -> None:
    lines = out("sample", "0", "0", "0", "--tau", "0.123456", "-f", "csv", "--counts", "--digits", "2").splitlines()
    assert [(line.split(",")[1], line.split(",")[5]) for line in lines[1:]] == [("0.12", "0.33")] * 3


@posix
@pytest.mark.parametrize("form", [("-f", "tsv"), ("-f", "json", "--draws")])
def test_memory_does_not_hold_the_draws(form: tuple[str, ...]) -> None:
    """The draws of the longest stream would take 8 MB as integers."""
    _, few, many = (traced_peak("sample", "2", "1", "-n", n, *form) for n in ("2e5", "2e5", "1e6"))
    assert many < few + 1e6


@posix
def test_a_reader_that_goes_away() -> None:
    for form in ("tsv", "csv"):
        with started("sample", *TYPED, "-n", "1e18", "-f", form, is_forked=True) as process:
            assert process.stdout
            assert process.stderr
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141


@posix
def test_an_interrupt_in_the_middle_of_a_row() -> None:
    with started("sample", *TYPED, "-n", "1e18", "-f", "json", "--draws") as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read() == b""
    assert process.returncode == 130


def test_rows_are_drawn_as_they_arrive() -> None:
    with started("sample", "--tau", "0", is_forked=True) as process:
        assert process.stdin
        assert process.stdout
        for row, index in ((b"2 1\n", b"0\n"), (b"0 5\n", b"1\n")):
            process.stdin.write(row)
            process.stdin.flush()
            assert process.stdout.readline().replace(b"\r", b"") == index
        process.stdin.close()
    assert process.returncode == 0


RANGE = "-n: expected a whole number from 1 to 1e18, got"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["-n", "0"], f"{RANGE} '0'"),
        (["-n", "-5"], f"{RANGE} '-5'"),
        (["-n", "1_000"], f"{RANGE} '1_000'"),
        (["-n", "nan"], f"{RANGE} 'nan'"),
        (["-n", ""], f"{RANGE} ''"),
        (["-n", "٣"], f"{RANGE} '٣'"),
        (["-n", "1000000000000000001"], f"{RANGE} '1000000000000000001'"),
        (["-n", "9" * 5000], f"{RANGE} '{'9' * 39}…'"),
        (["--seed", "-1"], "--seed: expected a whole number of at least 0, got -1"),
        (["--seed", str(2**64)], f"--seed: expected a whole number from 0 to {2**64 - 1}, got {2**64}"),
        (["--seed", "1.5"], "--seed: expected a "),
        (["--counts", "--draws"], "--counts and --draws are mutually exclusive; pass only one"),
        (["--draws", "-f", "table"], "--draws has no effect on table; use --format tsv, csv, json or jsonl"),
        (["--index", "-f", "csv"], "--index has no effect on csv; use --format tsv"),
        (["--digits", "3"], "--digits has no effect on tsv, which contains whole numbers and labels"),
        (["--log"], "unknown option --log"),
        (["--long"], "unknown option --long"),
        (["--with-logits", "-f", "json"], "unknown option --with-logits"),
        (["--bits"], "unknown option --bits"),
        (["--chart"], "unknown option --chart"),
        (["--tau", "-1"], "--tau: '-1' is not a temperature"),
    ],
)
def test_usage_errors(typed: list[str], message: str) -> None:
    done = here("sample", "2", "1", *typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


@pytest.mark.parametrize("form", ["tsv", "csv", "json", "jsonl", "table"])
def test_input_errors(form: str) -> None:
    done = here("sample", "-f", form, stdin="1 x\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "tsoft: error: stdin:1: field 2: 'x' is not a number\n"


def test_complete_samples_are_written_before_an_error() -> None:
    text = "2 1\n" + "# filler to end the first read\n" * 20_000 + "1 x\n"
    done = here("sample", "--tau", "0", "-n", "2", "-f", "jsonl", "--draws", stdin=text)
    assert done.returncode == 1
    [record] = map(json.loads, done.stdout.splitlines())
    assert record["draws"] == [0, 0]
    assert done.stderr == "tsoft: error: stdin:20002: field 2: 'x' is not a number\n"


# On a terminal


def numbers(shown: str, name: str) -> list[str]:
    """Return the numbers of a class in a table."""
    [line] = re.findall(rf"^ {re.escape(name)} +(.*)$", shown, re.MULTILINE)
    return re.findall(r"[\d.e+-]+", line)


@posix
def test_a_terminal_shows_a_thousand_draws_beside_the_expected_counts() -> None:
    shown = in_terminal("tsoft sample cat=2 dog=1 bird=0.5 fish=0.1 --tau 0.5 --seed 6", NO_COLOR="1")
    expected = counted(1000, 6, tau=0.5)
    probs = tsoft.softmax(LOGITS, 0.5)
    for name, count, prob in zip(NAMES, expected, probs, strict=True):
        assert numbers(shown, name) == [f"{1000 * prob:.1f}", str(count)]
    test = stats.chisquare(expected, 1000 * probs)
    assert (numbers(shown, "draws"), numbers(shown, "seed")) == (["1000"], ["6"])
    assert float(numbers(shown, "chi-square")[0]) == pytest.approx(test.statistic, rel=1e-4)
    assert numbers(shown, "chi-square")[1] == "3"
    assert float(numbers(shown, "p-value")[0]) == pytest.approx(test.pvalue, abs=1e-4)


@posix
def test_a_terminal_shows_the_seed_that_repeats_the_sample() -> None:
    first = in_terminal("tsoft sample 2 1 0.5 -n 1e9", NO_COLOR="1")
    [seed] = numbers(first, "seed")
    assert in_terminal(f"tsoft sample 2 1 0.5 -n 1e9 --seed {seed}", NO_COLOR="1") == first


@posix
def test_the_rest_of_a_vocabulary_is_one_line() -> None:
    shown = in_terminal("seq 1 500 | paste -sd' ' - | tsoft sample --tau 20 --show 3 --seed 2", NO_COLOR="1")
    drawn = counts(tsoft.softmax(range(1, 501), 20), 1000, generator(2, 0, COUNTS))
    assert [numbers(shown, f"#{i}")[1] for i in (499, 498, 497)] == [str(drawn[i]) for i in (499, 498, 497)]
    assert numbers(shown, "… 497 more")[1] == str(drawn[:497].sum())
    assert numbers(shown, "draws") == ["1000"]


@posix
def test_both_bars_have_one_scale_and_colors() -> None:
    shown = in_terminal("tsoft sample 1 1 --tau 0 -n 1e15")
    bars = re.findall(r"\x1b\[38;5;\d+m(█+)", shown)
    assert len(bars) == 4
    assert len({len(bar) for bar in bars}) == 1


@pytest.mark.parametrize("seconds", [2, 0])
def test_slow_draws_show_progress(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    screen = progress_screen(monkeypatch, seconds)
    sample = Sample(3, 1.0, None, None, np.array([0.5, 0.5]), 200_000, 1)
    assert np.array_equal(np.concatenate(list(watched_draws(sample))), np.concatenate(list(sample.draws())))
    assert ("drawing row 3, τ = 1" in screen.getvalue()) == ("100%" in screen.getvalue()) == (seconds > 0)
    # At its end the progress bar clears its line.
    assert (screen.getvalue() == "") == (seconds == 0)
    assert seconds == 0 or screen.getvalue().endswith("\x1b[2K")


@posix
def test_no_progress_is_shown_otherwise(tmp_path: Path) -> None:
    target = tmp_path / "draws.txt"
    assert in_terminal(f"tsoft sample 2 1 -n 2e5 > {target}") == ""
    assert in_terminal(f"tsoft sample 2 1 -n 1e9 --counts > {target}") == ""
    assert in_terminal(f"tsoft sample 2 1 -n 2e5 2> {target} | cat > /dev/null") == ""
    assert target.read_text() == ""
    # A progress bar would start before the first draw.
    import pexpect

    child = pexpect.spawn(TSOFT, ["sample", "2", "1", "-n", "1e18", "-f", "tsv"], env=environment(), timeout=60)
    assert child.readline() in (b"0\r\n", b"1\r\n")
    child.close(force=True)
