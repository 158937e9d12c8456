"""The figures of all commands: what they show, and that they agree with the numbers in json."""

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import update_gallery
from svg_charts import Chart, charts, names_beside_places, texts
from tool import here

pytest.importorskip("matplotlib")

BARN = str(Path(__file__).parent.parent / "data" / "barn.txt")
RESPONSE = str(Path(__file__).parent.parent / "data" / "openai-chat.json")
LONG = "a_label_of_sixty_characters_that_goes_on_and_on_until_the_end"
HOSTILE = ["$x^2$", "_under", "<b>&amp;", "\x1b[31m", "[red]m[/]"]
ESCAPED = ["$x^2$", "_under", "<b>&amp;", "\\x1b[31m", "[red]m[/]"]
ROWS = "2 1 0\n1 3 2\n0 0 1\n"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(*arguments: str, stdin: str | None = None, log: bool = False) -> tuple[list[Chart], list[Any]]:
    """Return the charts and the json of one run."""
    done = here(*arguments, "-o", "x.svg", "-o", "x.json", stdin=stdin)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return charts(Path("x.svg"), log=log), json.loads(Path("x.json").read_text())


def shown() -> list[str]:
    return texts(Path("x.svg"))


def at(curve: Any, x: float) -> float:
    """Return the height of a curve."""
    return float(np.interp(x, curve[:, 0], curve[:, 1]))


def test_solve_marks_the_solutions_on_the_curve() -> None:
    [chart], [record] = written("solve", "a=2", "b=1", "c=0", "d=0.5", "e=0", "--prob", "b=0.214", log=True)
    [curve] = chart.curves
    assert len(record["taus"]) == 2
    for tau in record["taus"]:
        assert at(curve, tau) == pytest.approx(0.214, abs=1e-3)
        assert f"τ = {tau:.6g}" in shown()
    assert "target 0.214" in shown()


def test_solve_shows_each_row_once_and_keeps_its_exit_code() -> None:
    done = here("solve", "--top-prob", "0.35", "-o", "x.svg", "-o", "x.json", "-o", "x.tsv", stdin=ROWS + "1 1 -inf\n")
    assert done.returncode == 3
    assert done.stderr.count("row 3: ") == 1
    assert "the figure shows 3 of 4 rows; --rows N shows more" in done.stderr
    assert [len(chart.curves) for chart in charts(Path("x.svg"))] == [1, 1, 1]


def test_solve_of_a_response_shows_the_bounds() -> None:
    [chart], [record, *_] = written("solve", "-i", RESPONSE, "--top-prob", "0.5", "--rows", "1", log=True)
    low, high = chart.curves
    assert at(low, record["tau_low"]) == pytest.approx(0.5, abs=0.01)
    assert at(high, record["tau_high"]) == pytest.approx(0.5, abs=0.01)
    assert len(chart.bands) == 1


@pytest.mark.parametrize("format", ["table", "svg"])
def test_solve_with_a_later_row_that_lacks_the_class(format: str) -> None:
    rows = '{"labels":["a","b"],"logits":[1,2]}\n{"labels":["a","c"],"logits":[1,2]}\n'
    done = here("solve", "--prob", "b=0.6", "-f", format, stdin=rows)
    assert done.returncode == 3
    assert "this row has no class 'b'" in done.stdout


def test_sample_compares_counts_with_their_expectation() -> None:
    found, records = written("sample", "cat=2", "dog=1", "owl=0", "--tau", "0.5,2", "--seed", "1", "-n", "500")
    assert len(found) == len(records) == 2
    for chart, record in zip(found, records, strict=True):
        assert chart.bars == pytest.approx(record["counts"], abs=1)
        assert f"p-value {record['p_value']:.4f}" in shown()
    assert "count, 500 draws, seed 1" in shown()


@pytest.mark.parametrize(("size", "draws"), [("1", "1 draw"), ("1234567", "1,234,567 draws")])
def test_sample_names_the_exact_number_of_draws(size: str, draws: str) -> None:
    assert here("sample", "2", "1", "-n", size, "--seed", "1", "-o", "x.svg").returncode == 0
    assert f"count, {draws}, seed 1" in shown()


def test_sample_draws_1000_for_a_figure_and_1_for_lines() -> None:
    _, [record] = written("sample", "2", "1")
    assert record["n"] == 1000
    assert here("sample", "2", "1", "-o", "x.json", "-o", "x.tsv").returncode == 0
    assert json.loads(Path("x.json").read_text())[0]["n"] == 1


@pytest.mark.parametrize("options", [(), ("--draws",), ("--counts",)])
def test_the_files_of_one_run_show_the_same_sample(options: tuple[str, ...]) -> None:
    done = here("sample", "2", "1", "-n", "300", *options, "-o", "x.svg", "-o", "x.json", "-o", "x.csv")
    assert done.returncode == 0, done.stderr
    [record] = json.loads(Path("x.json").read_text())
    rows = list(csv.DictReader(Path("x.csv").read_text().splitlines()))
    if "count" in rows[0]:
        assert [int(row["count"]) for row in rows] == record["counts"]
    else:
        assert [sum(row["index"] == str(i) for row in rows) for i in range(2)] == record["counts"]
    [chart] = charts(Path("x.svg"))
    assert chart.bars == pytest.approx(record["counts"], abs=0.5)


def test_distill_shows_the_information_and_the_loss_of_a_student_over_tau() -> None:
    Path("student.txt").write_text("1 1 0\n1 2 2\n0 0 3\n")
    Path("targets.txt").write_text("0\n1\n2\n")
    files = ("--student", "student.txt", "--targets", "targets.txt")
    found, records = written("distill", *files, "--rows", "2", stdin=ROWS, log=True)
    assert len(found) == 6
    [information], [rest, _] = found[3].curves, found[4].curves
    kl, kl_tau2, loss = found[5].curves
    for record in records[5:10]:
        assert record["row"] == 1
        assert at(information, record["tau"]) == pytest.approx(record["information"], abs=1e-3)
        assert at(rest, record["tau"]) == pytest.approx(record["rest_prob"], abs=5e-3)
        for curve, name in ((kl, "kl"), (kl_tau2, "kl_tau2"), (loss, "loss")):
            assert at(curve, record["tau"]) == pytest.approx(record[name], abs=0.01)


def test_a_narrow_figure_of_distill_omits_the_student() -> None:
    Path("student.txt").write_text("1 1 0\n")
    done = here("distill", "2", "1", "0", "--student", "student.txt", "-o", "x.svg", "--size", "3.3x2.4")
    assert done.stderr == "tsoft: note: the figure has room for 2 of 3 charts side by side; a wider --size shows more\n"
    assert len(charts(Path("x.svg"), log=True)) == 2


def test_anneal_draws_each_schedule() -> None:
    [chart], records = written("anneal", "--schedule", "linear,cosine", "--steps", "21")
    assert [len(curve) for curve in chart.curves] == [21, 21]
    taus = [record["tau"] for record in records]
    assert np.concatenate([curve[:, 1] for curve in chart.curves]) == pytest.approx(taus, abs=1e-3)
    assert {"linear", "cosine", "step", "τ"} <= set(shown())


def test_anneal_cannot_draw_infinite_temperatures() -> None:
    done = here("anneal", "--schedule", "constant", "--from", "inf", "-o", "x.svg")
    assert done.returncode == 2
    assert "the figure's axis cannot show τ = inf" in done.stderr
    assert not Path("x.svg").exists()


def test_bandit_draws_the_regret_with_its_standard_error() -> None:
    options = ("--schedule", "cosine,linear", "--runs", "20", "--steps", "40", "--seed", "1")
    [regret, share], records = written("bandit", "1", "0.9", "0", *options)
    assert [len(part) for part in (regret.curves, regret.bands, share.curves, share.bands)] == [2, 2, 2, 0]
    for curve, band, last in zip(regret.curves, regret.bands, (records[39], records[79]), strict=True):
        assert curve[-1, 1] == pytest.approx(last["regret"], abs=0.05)
        ends = band[np.isclose(band[:, 0], band[:, 0].max()), 1]
        assert np.ptp(ends) == pytest.approx(2 * last["regret_se"], abs=0.05)


def test_bandit_notes_a_new_seed_once() -> None:
    done = here("bandit", "1", "0", "--runs", "5", "--steps", "5", "-o", "x.svg", "-o", "x.json")
    assert done.stderr.count("repeats this result") == 1


def test_next_draws_the_bars_of_compute() -> None:
    [chart], [record] = written("next", "the", "--ngram", BARN, "--show", "5")
    probs = np.exp(record["logits"]) / np.exp(record["logits"]).sum()
    highest = np.sort(probs)[::-1][:5].tolist()
    assert chart.bars == pytest.approx([*highest, 1 - sum(highest)], abs=2e-3)
    assert f"{highest[0]:.3f}" in shown()


def test_generate_draws_the_cost_of_each_text() -> None:
    options = ("--tau", "0.5,1", "--greedy", "--beams", "2", "--seed", "1", "--max-tokens", "12")
    [chart], records = written("generate", "the", "--ngram", BARN, *options)
    best = [record for record in records if record["continuation"] == 0]
    assert [record["strategy"] for record in best] == ["sample", "sample", "greedy", "beam 2"]
    for curve, record in zip(chart.curves, best, strict=True):
        costs = [0, *np.cumsum([-token["logprob"] for token in record["logprobs"]])]
        assert curve[-1] == pytest.approx([len(costs) - 1, costs[-1]], abs=0.1)
    for name, record in zip(("τ = 0.5", "τ = 1", "greedy", "beam 2"), best, strict=True):
        assert f"{name}: {record['sequence_perplexity']:.3g}" in shown()


def test_generate_draws_each_of_several_texts_and_names_their_mean() -> None:
    options = ("--tau", "0.5,1", "-n", "3", "--seed", "1", "--max-tokens", "12")
    [chart], records = written("generate", "the", "--ngram", BARN, *options)
    assert len(chart.curves) == len(records) == 6
    mean = sum(record["logprob"] for record in records[:3]) / sum(record["tokens"] for record in records[:3])
    assert f"τ = 0.5: {math.exp(-mean):.3g}" in shown()


@pytest.mark.parametrize(
    ("command", "measure"),
    [(("sweep", "--measure", "top-prob"), "top_prob"), (("distill",), "information")],
)
def test_a_mean_has_a_band_of_the_standard_deviation(command: tuple[str, ...], measure: str) -> None:
    [chart], records = written(*command, "--mean", "--tau", "0.5,1,2,4", stdin=ROWS, log=True)
    [curve], [band] = chart.curves, chart.bands
    for record in records:
        mean, deviation = record[measure], record[f"{measure}_sd"]
        assert at(curve, record["tau"]) == pytest.approx(mean, abs=2e-3)
        ends = band[np.isclose(band[:, 0], record["tau"], rtol=5e-3), 1]
        assert (ends.min(), ends.max()) == pytest.approx((mean - deviation, mean + deviation), abs=2e-3)


@pytest.mark.parametrize(
    "command", [("sweep", "2", "1", "--tau", "1e-300,1e300"), ("anneal", "--from", "1e308", "--steps", "2")]
)
def test_axes_extend_to_the_limits_of_floats(command: tuple[str, ...]) -> None:
    done = here(*command, "-o", "x.svg", "--size", "6x2")
    assert (done.returncode, done.stderr) == (0, "")
    ticks = [text for text in shown() if text.startswith("1e")]
    # Two charts, or the factor of a linear axis.
    assert ticks == (["1e-300", "1e+300"] * 2 if command[0] == "sweep" else ["1e308"])


def test_a_mean_notes_the_temperatures_that_are_not_on_the_axis_once() -> None:
    done = here("sweep", "--mean", "2", "1", "--tau", "0", "--tau", "1", "-o", "x.svg", "-o", "x.png")
    assert done.stderr.count("the figure's axis does not show τ = 0") == 1
    done = here("sweep", "--mean", "2", "1", "--tau", "0", "--tau", "inf", "-o", "y.svg")
    assert done.returncode == 2
    assert not Path("y.svg").exists()


@pytest.mark.parametrize("options", [(), ("--heatmap",)])
def test_temperatures_of_energies_have_their_unit(options: tuple[str, ...]) -> None:
    done = here("sweep", "--energies", "0", "0.025", "--units", "eV", "--tau", "100,300", *options, "-o", "x.svg")
    assert done.returncode == 0, done.stderr
    assert "τ (K)" in shown()
    assert "τ" not in shown()


CLASSES = [f"{label}={i}" for i, label in enumerate(HOSTILE)]


@pytest.mark.parametrize(
    ("command", "labels"),
    [
        (("sweep", *CLASSES), ESCAPED),
        (("solve", *CLASSES, "--prob", "\x1b[31m=0.2"), ["prob \\x1b[31m 0.2: "]),
    ],
)
def test_labels_are_text(command: tuple[str, ...], labels: list[str]) -> None:
    done = here(*command, "--title", "$x$ \x1b_", "-o", "x.svg", "--size", "12x8")
    assert done.returncode == 0, done.stderr
    for label in [*labels, "$x$ \\x1b_"]:
        assert any(text.startswith(label) for text in shown()), label


@pytest.mark.parametrize(
    "command",
    [
        ("sample", f"{LONG}=1", "b=2", "--tau", "0.5,1"),
        ("solve", f"{LONG}=1", "b=2", "--prob", f"{LONG}=0.4"),
        ("sweep", f"{LONG}=1", "b=2", "--title", LONG),
        ("bandit", f"{LONG}=1", "b=2", "--schedule", "all", "--runs", "5", "--steps", "20"),
        ("generate", "the", "--ngram", BARN, "--tau", "0.5,1", "-n", "2", "--greedy"),
        ("compute", "-i", "keys.csv", "--like", "transformers,llama.cpp", "--tau", "0.5,1"),
        ("sweep", "-i", RESPONSE, "--heatmap", "--rows", "1"),
    ],
    ids=lambda command: command[0],
)
def test_nothing_is_clipped_in_a_small_figure(command: tuple[str, ...]) -> None:
    from matplotlib.image import imread

    Path("keys.csv").write_text(f"id,cat,dog\n{LONG},2,1\na key of several rather long words,0,1\n")
    done = here(*command, "-o", "x.png", "--size", "3x2", "--dpi", "60")
    assert done.returncode == 0, done.stderr
    pixels = imread("x.png")
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (border == border[0]).all()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("anneal", "--no-chart"), "--no-chart has no effect on svg"),
        (("bandit", "1", "0", "--chart"), "--chart has no effect on svg"),
        (("distill", "2", "1", "--no-chart"), "--no-chart has no effect on svg"),
        (("sample", "2", "1", "--draws"), "--draws has no effect on svg"),
        (("sample", "2", "1", "--index"), "--index has no effect on svg"),
        (("sweep", "2", "1", "--mean", "--show", "2"), "--show has no effect on sweep --mean"),
        (("next", "the", "--ngram", BARN, "--log"), "--log has no effect on svg"),
        (("next", "the", "--ngram", BARN, "--bits"), "--bits has no effect on a figure of next"),
        (("generate", "the", "--ngram", BARN, "--digits", "3"), "--digits has no effect on svg"),
        (("solve", "2", "1", "--top-prob", "0.6", "--show", "1"), "--show has no effect on svg"),
        (("distill", "2", "1", "--sort"), "--sort has no effect on svg"),
        (("sweep", "2", "1", "--sort"), "--sort has no effect on svg"),
        (("sweep", "2", "1", "--measure", "perplexity", "--bits"), "--bits has no effect on svg"),
    ],
    ids=lambda part: part[0] if isinstance(part, tuple) else "",
)
def test_options_without_effect_on_a_figure(command: tuple[str, ...], message: str) -> None:
    done = here(*command, "-o", "x.svg")
    assert done.returncode == 2
    assert message in done.stderr
    assert not Path("x.svg").exists()


def test_the_gallery_has_the_figure_of_each_command_on_its_page() -> None:
    page, commands = update_gallery.PAGE.read_text("utf-8"), update_gallery.commands()
    assert len(commands) == 14
    for name, (command, *_) in commands.items():
        assert page.count(f"(../../../.github/figures/{name})") == 1
        assert (update_gallery.FOLDER / name).read_text("utf-8").startswith("<?xml")
        assert f"tsoft {command} " in page
    assert {path.name for path in update_gallery.FOLDER.iterdir()} == set(commands)


MANY = " ".join(str(i / 10) for i in range(40)) + "\n"


@pytest.mark.parametrize("command", [("compute",), ("sweep", "--heatmap")])
def test_names_that_do_not_fit_are_fewer_and_not_on_top_of_each_other(command: tuple[str, ...]) -> None:
    done = here(*command, "-o", "x.svg", "--size", "3.3x2.4", stdin=MANY)
    assert done.returncode == 0, done.stderr
    assert "; a larger --size shows more" in done.stderr
    names = max(names_beside_places(Path("x.svg")), key=len)
    assert 6 < len(names) < 20
    assert all(below[0] - above[0] > above[1] for above, below in itertools.pairwise(names))


def height() -> float:
    """Return the height of the figure in inches."""
    return float(ElementTree.parse("x.svg").getroot().get("height", "").removesuffix("pt")) / 72


def test_a_figure_of_the_default_size_is_higher_for_more_rows() -> None:
    assert here("compute", "--rows", "4", "-o", "x.svg", stdin=ROWS + "1 0 0.5\n").stderr == ""
    assert height() > 4.1
    assert sum("row " in text for text in shown()) == 4


@pytest.mark.parametrize("command", [("compute",), ("distill",)])
def test_a_figure_shows_the_rows_for_which_it_has_room(command: tuple[str, ...]) -> None:
    done = here(*command, "--rows", "9", "-o", "x.svg", "--size", "4x3", stdin=ROWS * 3)
    assert height() == 3
    count = sum("row " in text for text in shown())
    assert 1 <= count <= 2
    assert (
        done.stderr == f"tsoft: note: the figure has room for {count} of 9 rows of charts; a larger --size shows more\n"
    )


def test_a_figure_of_very_many_rows_says_how_many_it_can_show() -> None:
    done = here("compute", "--rows", "2000", "-o", "x.svg", "--size", "2x1", stdin="2 1\n" * 2000)
    assert done.stderr == (
        "tsoft: note: a figure shows at most 100 rows; the input has 2000\n"
        "tsoft: note: the figure has room for 1 of 100 rows of charts; a larger --size shows more\n"
    )


def test_temperatures_that_do_not_fit_are_fewer() -> None:
    done = here("compute", "2", "1", "--tau", "1:4:1", "-o", "x.svg", "--size", "3.3x2.4")
    assert "the figure has room for 3 of 4 charts side by side; a wider --size shows more" in done.stderr
    assert [text for text in shown() if text.startswith("τ = ")] == ["τ = 1", "τ = 2", "τ = 3"]
    assert here("compute", "2", "1", "--tau", "1:4:1", "-o", "x.svg", "--size", "6x2").stderr == ""
    assert len(charts(Path("x.svg"))) == 4


def test_many_texts_are_pale_around_the_line_to_their_mean() -> None:
    options = ("--tau", "0.5,1", "-n", "7", "--seed", "1", "--max-tokens", "12")
    [chart], records = written("generate", "the", "--ngram", BARN, *options)
    assert len(chart.curves) == len(records) == 14
    assert "strategy: sequence perplexity, mean of several texts (straight line)" in shown()
    mean = sum(record["logprob"] for record in records[7:]) / sum(record["tokens"] for record in records[7:])
    assert f"τ = 1: {math.exp(-mean):.3g}" in shown()
    paths = [path for path in Path("x.svg").read_text().split("<path") if "stroke-width: 1.8" in path]
    assert sum(path.count("L") == 1 for path in paths) == 2


def test_names_of_curves_are_in_a_legend_if_charts_are_low() -> None:
    command = ("bandit", "1", "0", "--schedule", "all", "--runs", "2", "--steps", "5", "--seed", "1", "-o", "x.svg")
    for size, count in (("6.4x4", 2), ("3.3x2.4", 1)):
        assert here(*command, "--size", size).stderr == ""
        assert shown().count("inverse-time") == count


def test_the_texts_of_solutions_are_only_in_a_chart_with_room_for_them() -> None:
    command = ("solve", "a=2", "b=1", "c=0", "d=0.5", "e=0", "--prob", "b=0.214", "-o", "x.svg")
    for size, is_drawn in (("6.4x4", True), ("3.3x2.4", False)):
        assert here(*command, "--size", size).stderr == ""
        assert any(text == "τ = 1.58554" for text in shown()) == is_drawn
        assert any("τ = 1.58554" in text for text in shown())
