"""`tsoft sweep`: grids, forms and averages, in a pipe and on a terminal."""

import csv
import io
import itertools
import json
import os
import subprocess
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tsoft
from tool import TESTS, forked, here, in_terminal, out, traced_peak
from tsoft.core.averages import Averages, average_measures
from tsoft.core.block import Block
from tsoft.core.measures import MEASURES
from tsoft.sampling.apply_chains import compute_distributions, distribution_pieces
from tsoft.sampling.distributions import Distributions

LOGITS = [2, 1, 0.5, 0.1]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def rows(text: str) -> list[list[float]]:
    return [[float(field) for field in line.split("\t")] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("options", "taus"),
    [
        ((), np.geomspace(0.1, 10, 25)),
        (("--from", "0.5", "--to", "2", "--steps", "5"), np.geomspace(0.5, 2, 5)),
        (("--from", "0", "--to", "1", "--steps", "3", "--scale", "linear"), [0, 0.5, 1]),
        (("--tau", "inf,0,1"), [np.inf, 0, 1]),
    ],
)
def test_temperatures_come_first(options: tuple[str, ...], taus: list[float]) -> None:
    printed = rows(out("sweep", "2", "1", "0.5", "0.1", *options))
    assert [row[0] for row in printed] == list(taus)
    assert [row[1:] for row in printed] == tsoft.softmax(LOGITS, taus).tolist()


def test_rows_follow_each_other() -> None:
    printed = rows(out("sweep", "--tau", "1,2", stdin="2 1\n0 5\n"))
    assert [row[0] for row in printed] == [1, 2, 1, 2]
    assert printed[2][1:] == tsoft.softmax([0, 5]).tolist()


def test_csv_and_json_carry_the_measures() -> None:
    printed = out("sweep", "cat=2", "dog=1", "--tau", "0.5,2", "-f", "csv")
    header, *lines = csv.reader(io.StringIO(printed))
    names = ["entropy", "perplexity", "top_prob", "margin", "varentropy", "log_sum_exp"]
    assert header == ["row", "tau", *names, "cat", "dog"]
    for line, tau in zip(lines, [0.5, 2], strict=True):
        z = [2, 1]
        measures = [getattr(tsoft, name)(z, tau) for name in names]
        assert list(map(float, line)) == [0, tau, *measures, *tsoft.softmax(z, tau)]
    records = json.loads(out("sweep", "cat=2", "dog=1", "--tau", "0.5,2", "-f", "json"))
    assert [record["entropy"] for record in records] == tsoft.entropy([2, 1], [0.5, 2]).tolist()


def test_its_csv_is_read_back() -> None:
    printed = out("sweep", "cat=2", "dog=1", "--tau", "2", "-f", "csv")
    done = here("compute", "--probs", "-f", "jsonl", stdin=printed)
    assert "tsoft ignores 'row', 'tau', 'entropy'," in done.stderr
    [record] = [json.loads(line) for line in done.stdout.splitlines()]
    assert record["labels"] == ["cat", "dog"]
    assert record["probs"] == pytest.approx(tsoft.softmax([2, 1], 2), rel=1e-15)


def test_a_csv_without_the_varentropy_is_read_back() -> None:
    """tsoft wrote such files before it had this measure."""
    text = "row,tau,entropy,perplexity,top_prob,margin,log_sum_exp,cat,dog\n0,2,0.69,2,0.5,0,1.4,0.5,0.5\n"
    assert rows(here("compute", "--probs", "-f", "tsv", stdin=text).stdout) == [[0.5, 0.5]]


def test_a_varentropy_in_bits_is_in_bits_squared() -> None:
    typed = ("sweep", "2", "1", "0", "--tau", "0.5,2", "--measure", "varentropy")
    nats, bits = rows(out(*typed)), rows(out(*typed, "--bits"))
    assert [value for _, value in bits] == pytest.approx([value / log(2) ** 2 for _, value in nats], rel=1e-15)
    assert "varentropy (bits²)" in in_terminal(f"tsoft {' '.join(typed)} --bits", NO_COLOR="1")


@pytest.mark.parametrize("degeneracy", [[], ["--degeneracy", "1,3,2"]])
def test_the_varentropy_of_energies_is_the_heat_capacity(degeneracy: list[str]) -> None:
    typed = ("sweep", "--energies", "0", "1", "2.5", "--tau", "0,0.5,2,inf", *degeneracy, "-f", "json")
    for record in json.loads(out(*typed)):
        assert record["varentropy"] == record["heat_capacity"]
        states = np.repeat([0, -1, -2.5], [1, 3, 2] if degeneracy else 1)
        tau = float(record["tau"])
        assert record["varentropy"] == pytest.approx(float(tsoft.varentropy(states, tau)), rel=1e-13)


def test_a_thousand_temperatures_in_one_process() -> None:
    printed = rows(out("sweep", "2", "1", "--steps", "1000"))
    assert len(printed) == 1000
    assert printed[-1] == [10, *tsoft.softmax([2, 1], 10)]


def test_means_over_rows() -> None:
    text = "2 1\n0 5\n1 1 1\n"
    records = [
        json.loads(line) for line in out("sweep", "--mean", "--tau", "0.5,1", "-f", "jsonl", stdin=text).splitlines()
    ]
    entropies = np.array([tsoft.entropy(z, [0.5, 1]) for z in ([2, 1], [0, 5], [1, 1, 1])])
    assert [record["rows"] for record in records] == [3, 3]
    assert [record["entropy"] for record in records] == pytest.approx(entropies.mean(0), rel=1e-15)
    assert [record["entropy_sd"] for record in records] == pytest.approx(entropies.std(0), rel=1e-14)
    header, line = out("sweep", "--mean", "--tau", "1", "-f", "csv", "--bits", stdin=text).splitlines()
    assert header.startswith("tau,rows,entropy,entropy_sd,perplexity,")
    assert float(line.split(",")[2]) == pytest.approx(entropies[:, 1].mean() / np.log(2), rel=1e-14)
    assert float(line.split(",")[3]) == pytest.approx(entropies[:, 1].std() / np.log(2), rel=1e-14)


@pytest.mark.parametrize("jobs", [(), ("--jobs", "1")])
def test_a_note_names_measures_that_some_rows_do_not_have(tmp_path: Path, jobs: tuple[str, ...]) -> None:
    files = [tmp_path / name for name in ("a.jsonl", "b.jsonl")]
    for file, text in zip(files, ("[2, 1]\n[5]\n", "[0, 1, 3]\n"), strict=True):
        file.write_text(text)
    done = here("sweep", "--mean", "-i", str(files[0]), "-i", str(files[1]), "--tau", "1", "-f", "json", *jobs)
    assert "tsoft: note: margin: the mean is over 2 of 3 rows, because the others do not have it\n" in done.stderr
    margins = [tsoft.margin([2, 1]), tsoft.margin([0, 1, 3])]
    assert json.loads(done.stdout)[0]["margin"] == pytest.approx(np.mean(margins))


def row_averages(blocks: list[Block], taus: Any) -> Averages:
    results = (compute_distributions(block, taus) for block in blocks)
    return average_measures(
        (np.array([getattr(result, name) for name in MEASURES]) for result in results), taus, MEASURES
    )


def test_averages_do_not_depend_on_the_blocks() -> None:
    z = np.random.default_rng(0).normal(0, 3, (50, 7))
    taus = np.array([0.5, 1.0, 2.0])
    whole = row_averages([Block(z)], taus)
    parts = row_averages([Block(z[i : i + 7]) for i in range(0, 50, 7)], taus)
    for name, average in whole.by_measure.items():
        np.testing.assert_allclose(parts.by_measure[name].mean, average.mean, rtol=1e-13)
        np.testing.assert_allclose(parts.by_measure[name].deviation, average.deviation, rtol=1e-12)


def test_averages_of_infinite_huge_and_missing_values() -> None:
    taus = np.array([0.0, 1.0])
    for rows in ([[1, 2], [3, 4]], [[1, 2], [3, 4], [5, 6, 7]]):
        averages = row_averages([Block(np.array([row], float)) for row in rows], taus).by_measure["log_sum_exp"]
        assert averages.mean[0] == np.inf
    huge = row_averages([Block(np.array([[1e200, 2]])), Block(np.array([[3.0, 4]]))], taus[1:]).by_measure[
        "log_sum_exp"
    ]
    assert (huge.mean[0], huge.deviation[0]) == (pytest.approx(5e199), pytest.approx(5e199))
    alone = row_averages([Block(np.array([[1e308, 1e307, 0]]))], taus[1:]).by_measure["log_sum_exp"]
    assert (alone.mean[0], alone.deviation[0]) == (1e308, 0)
    margin = row_averages([Block(np.array([[2.0, 1]])), Block(np.array([[4.0]]))], taus[1:]).by_measure["margin"]
    assert (margin.mean[0], margin.deviation[0]) == (tsoft.margin([2, 1]), 0)


def test_pieces_together_equal_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """For any size of a piece, the order is row by row, each at every temperature."""
    z = np.random.default_rng(0).normal(0, 3, (5, 6))
    taus = np.array([0.0, 0.5, 1.0, 2.0, np.inf])
    whole = Distributions(Block(z, first_row=3), taus).probs
    for piece in (1, 7, 13, 31, 61, 1000):
        monkeypatch.setattr("tsoft.sampling.apply_chains.PIECE_SIZE", piece)
        results = [
            (row, tau, result.probs[t, r])
            for result in distribution_pieces(Block(z, first_row=3), taus)
            for r, row in enumerate(result.block.rows)
            for t, tau in enumerate(result.taus)
        ]
        assert [(row, tau) for row, tau, _ in results] == [(row, tau) for row in range(3, 8) for tau in taus]
        np.testing.assert_array_equal([probs for *_, probs in results], whole.swapaxes(0, 1).reshape(-1, 6))


@posix
def test_memory_does_not_grow_with_the_temperatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """All probabilities of the longest sweep would take 0.3 MB."""
    monkeypatch.setattr("tsoft.sampling.apply_chains.PIECE_SIZE", 1 << 11)
    logits = " ".join(map(str, range(200))).encode()
    few, few, many = (traced_peak("sweep", "--steps", n, "-f", "tsv", stdin=logits) for n in ("40", "40", "200"))
    assert many < few + 1e5


@posix
def test_a_sweep_equals_a_shell_loop() -> None:
    script = TESTS / "sweep.sh"
    done = subprocess.run(["/bin/sh", str(script)], capture_output=True, env=forked(), timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"the loop and the sweep agree\n", b"")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--from", "0"], "--from 0: a logarithmic grid cannot include 0"),
        (["--from", "2", "--to", "1"], "--from 2 --to 1: expected 0 ≤ --from < --to < inf"),
        (["--from", "-1", "--scale", "linear"], "--from -1 --to 10: expected 0 ≤ --from < --to < inf"),
        (["--to", "inf"], "--from 0.1 --to inf: expected 0 ≤ --from < --to < inf"),
        (["--to", "nan"], "--from 0.1 --to nan: expected 0 ≤ --from < --to < inf"),
        (["--steps", "1"], "--steps: expected a whole number from "),
        (["--steps", "1" + "0" * 21], "--steps: "),
        (["--mean", "--heatmap"], "--heatmap has no effect on sweep --mean"),
        (["--mean", "--long"], "--long has no effect on sweep --mean"),
        (["--mean", "--rows", "2"], "--rows has no effect on sweep --mean"),
        (["--scale", "cubic"], "--scale: unknown value 'cubic'; "),
        (["--measure", "heat"], "--measure: unknown value 'heat'; "),
        (["--tau", "1", "--steps", "3"], "--tau lists the temperatures"),
        (["--tau", "-1"], "--tau: '-1' is not a temperature"),
    ],
)
def test_usage_errors(typed: list[str], message: str) -> None:
    done = here("sweep", "2", "1", *typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


@posix
def test_a_terminal_shows_curves_a_measure_and_a_table() -> None:
    shown = in_terminal("tsoft sweep cat=2 dog=1 bird=0.5", NO_COLOR="1")
    assert shown.index("probability") < shown.index("entropy (nats)") < shown.index("class")
    assert "perplexity" in in_terminal("tsoft sweep 2 1 --measure perplexity", NO_COLOR="1").split(" class ")[0]
    assert "6 more" in in_terminal("seq 14 | paste -sd' ' - | tsoft sweep", NO_COLOR="1")
    assert not in_terminal("tsoft sweep 2 1 --no-chart", NO_COLOR="1").startswith("probability")
    assert "mean + sd" in in_terminal("printf '2 1\\n0 5\\n' | tsoft sweep --mean", NO_COLOR="1")


@pytest.mark.parametrize("measure", ["entropy", "perplexity", "top-prob", "margin", "varentropy", "log-sum-exp"])
def test_a_measure_alone_in_every_format(measure: str) -> None:
    name, taus = measure.replace("-", "_"), [0.5, 1, 2]
    wanted = [float(getattr(tsoft, name)(LOGITS, tau)) for tau in taus]
    typed = ("sweep", *map(str, LOGITS), "--tau", "0.5,1,2", "--measure", measure)
    assert rows(out(*typed)) == [[tau, value] for tau, value in zip(taus, wanted, strict=True)]
    header, *lines = csv.reader(io.StringIO(out(*typed, "-f", "csv")))
    assert header == ["row", "tau", name]
    assert [float(line[2]) for line in lines] == wanted
    records = json.loads(out(*typed, "-f", "json"))
    assert records == [{"row": 0, "tau": tau, name: value} for tau, value in zip(taus, wanted, strict=True)]
    [header, first, *_] = csv.reader(io.StringIO(out(*typed, "--mean", "-f", "csv")))
    assert header == ["tau", "rows", name, f"{name}_sd"]
    assert [float(cell) for cell in first] == [0.5, 1, pytest.approx(wanted[0], rel=1e-15), 0]


def test_a_measure_excludes_options_for_classes() -> None:
    for option in ("--long", "--log"):
        done = here("sweep", "2", "1", "--measure", "entropy", option, "-f", "tsv")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{option} has no effect on sweep --measure entropy; remove {option}" in done.stderr
    assert float(out("sweep", "2", "1", "--measure", "entropy", "--bits", "--tau", "inf").split()[1]) == 1


def test_means_with_and_without_a_chart() -> None:
    typed = ("sweep", "2", "1", "--mean", "-f", "table")
    assert "mean + sd" in out(*typed)
    assert "mean + sd" not in out(*typed, "--no-chart")
    assert "perplexity" in out(*typed, "--no-chart")


def test_the_measures_of_several_rows_are_at_their_temperatures() -> None:
    vectors, taus = [[2, 1, 0], [0, 5, 1], [1, 1, 1]], [0.5, 2.0]
    text = "".join(" ".join(map(str, vector)) + "\n" for vector in vectors)
    _, *lines = csv.reader(io.StringIO(out("sweep", "--tau", "0.5,2", "-f", "csv", stdin=text)))
    for line, (vector, tau) in zip(lines, itertools.product(vectors, taus), strict=True):
        assert float(line[1]) == tau
        assert float(line[2]) == pytest.approx(tsoft.entropy(vector, tau), rel=1e-15)
        assert float(line[5]) == pytest.approx(tsoft.margin(vector, tau), rel=1e-15)


def test_charts_of_a_response_say_that_they_show_the_listed_tokens() -> None:
    file = str(TESTS / "data" / "llama-server.json")
    for options in ((), ("--heatmap",)):
        text = here("sweep", "-i", file, "--rows", "1", "-f", "table", *options).stdout
        assert "probability among the listed tokens\n" in text
        assert "entropy (nats) among the listed tokens\n" in text
    # With all other tokens removed, the probabilities are known.
    assert (
        "among the listed tokens\n"
        not in here("sweep", "-i", file, "--rows", "1", "-f", "table", "--top-k", "2").stdout
    )
