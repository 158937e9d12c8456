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
from cases import each_case
from figure_charts import Drawing, captured, drawn
from labeled import DATA
from svg_charts import charts, names_beside_places, texts
from tool import here

pytest.importorskip("matplotlib")

from matplotlib.text import Text

BARN, DIGITS, RESPONSE = (str(DATA / name) for name in ("barn.txt", "digits-val.npz", "openai-chat.json"))
LONG = "a_label_of_sixty_characters_that_goes_on_and_on_until_the_end"
HOSTILE = ["$x^2$", "_under", "<b>&amp;", "\x1b[31m", "[red]m[/]"]
ESCAPED = ["$x^2$", "_under", "<b>&amp;", "\\x1b[31m", "[red]m[/]"]
ROWS = "2 1 0\n1 3 2\n0 0 1\n"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(*arguments: str, stdin: str | None = None) -> tuple[Drawing, list[Any]]:
    """Return the figure and the json of one run."""
    drawing = drawn(*arguments, "-o", "x.svg", "-o", "x.json", stdin=stdin)
    return drawing, json.loads(Path("x.json").read_text())


def shown() -> list[str]:
    """Return the texts in the file of a figure."""
    return texts(Path("x.svg"))


def at(curve: Any, x: float) -> float:
    """Return the height of a curve."""
    return float(np.interp(x, curve[:, 0], curve[:, 1]))


@pytest.mark.parametrize(
    "command",
    [
        ("sample", "$x^2$=2", "<b>&amp;=1", "owl=0", "--tau", "0.5,2", "--seed", "1", "-n", "500"),
        ("solve", "-i", RESPONSE, "--top-prob", "0.5", "--rows", "1"),
    ],
    ids=["bars", "curves_and_band"],
)
def test_a_file_has_the_texts_and_the_charts_that_were_drawn(command: tuple[str, ...]) -> None:
    """Other tests of the numbers in a figure need no file."""
    drawing = drawn(*command, "-o", "x.svg")
    assert here(*command, "-o", "x.svg").returncode == 0
    assert sorted(shown()) == sorted(drawing.texts)
    in_file = charts(Path("x.svg"), log=command[0] == "solve")
    for read, chart in zip(in_file, drawing.charts, strict=True):
        assert read.bars == pytest.approx(chart.bars, rel=1e-5)
        for kind in ("curves", "bands"):
            for points, expected in zip(getattr(read, kind), getattr(chart, kind), strict=True):
                np.testing.assert_allclose(points, expected, rtol=1e-5, atol=1e-5)


def test_solve_marks_the_solutions_on_the_curve() -> None:
    drawing, [record] = written("solve", "a=2", "b=1", "c=0", "d=0.5", "e=0", "--prob", "b=0.214")
    [chart] = drawing.charts
    [curve] = chart.curves
    assert len(record["taus"]) == 2
    for tau in record["taus"]:
        assert at(curve, tau) == pytest.approx(0.214, abs=1e-4)
        assert f"τ = {tau:.6g}" in drawing.texts
    assert "target 0.214" in drawing.texts


def test_solve_shows_each_row_once_and_keeps_its_exit_code() -> None:
    files = ("-o", "x.svg", "-o", "x.json", "-o", "x.tsv")
    drawing = drawn("solve", "--top-prob", "0.35", *files, stdin=ROWS + "1 1 -inf\n", exit_code=3)
    assert drawing.stderr.count("row 3: ") == 1
    assert "the figure shows 3 of 4 rows; --rows N shows more" in drawing.stderr
    assert [len(chart.curves) for chart in drawing.charts] == [1, 1, 1]


def test_solve_of_a_response_shows_the_bounds() -> None:
    drawing, [record, *_] = written("solve", "-i", RESPONSE, "--top-prob", "0.5", "--rows", "1")
    [chart] = drawing.charts
    low, high = chart.curves
    assert at(low, record["tau_low"]) == pytest.approx(0.5, abs=1e-3)
    assert at(high, record["tau_high"]) == pytest.approx(0.5, abs=1e-3)
    assert len(chart.bands) == 1


def test_solve_with_a_later_row_that_lacks_the_class() -> None:
    rows = '{"labels":["a","b"],"logits":[1,2]}\n{"labels":["a","c"],"logits":[1,2]}\n'
    reason = "this row has no class 'b'"
    done = here("solve", "--prob", "b=0.6", "-f", "table", stdin=rows)
    assert done.returncode == 3
    assert reason in done.stdout
    drawing = drawn("solve", "--prob", "b=0.6", "-o", "x.svg", stdin=rows, exit_code=3)
    assert any(reason in text for text in drawing.texts)


def test_sample_compares_counts_with_their_expectation() -> None:
    drawing, records = written("sample", "cat=2", "dog=1", "owl=0", "--tau", "0.5,2", "--seed", "1", "-n", "500")
    assert len(drawing.charts) == len(records) == 2
    for chart, record in zip(drawing.charts, records, strict=True):
        assert chart.bars == pytest.approx(record["counts"], rel=1e-9)
        assert f"p-value {record['p_value']:.4f}" in drawing.texts
    assert "count, 500 draws, seed 1" in drawing.texts


@pytest.mark.parametrize(("size", "draws"), [("1", "1 draw"), ("1234567", "1,234,567 draws")])
def test_sample_names_the_exact_number_of_draws(size: str, draws: str) -> None:
    drawing = drawn("sample", "2", "1", "-n", size, "--seed", "1", "-o", "x.svg")
    assert f"count, {draws}, seed 1" in drawing.texts


def test_sample_draws_1000_for_a_figure_and_1_for_lines() -> None:
    _, [record] = written("sample", "2", "1")
    assert record["n"] == 1000
    assert here("sample", "2", "1", "-o", "x.json", "-o", "x.tsv").returncode == 0
    assert json.loads(Path("x.json").read_text())[0]["n"] == 1


@pytest.mark.parametrize("options", [(), ("--draws",), ("--counts",)])
def test_the_files_of_one_run_show_the_same_sample(options: tuple[str, ...]) -> None:
    drawing, [record] = written("sample", "2", "1", "-n", "300", *options, "-o", "x.csv")
    rows = list(csv.DictReader(Path("x.csv").read_text().splitlines()))
    if "count" in rows[0]:
        assert [int(row["count"]) for row in rows] == record["counts"]
    else:
        assert [sum(row["index"] == str(i) for row in rows) for i in range(2)] == record["counts"]
    [chart] = drawing.charts
    assert chart.bars == pytest.approx(record["counts"], rel=1e-9)


def test_distill_shows_the_information_and_the_loss_of_a_student_over_tau() -> None:
    Path("student.txt").write_text("1 1 0\n1 2 2\n0 0 3\n")
    Path("targets.txt").write_text("0\n1\n2\n")
    files = ("--student", "student.txt", "--targets", "targets.txt")
    drawing, records = written("distill", *files, "--rows", "2", stdin=ROWS)
    assert len(drawing.charts) == 6
    *_, first, second, third = drawing.charts
    [information], [rest, _] = first.curves, second.curves
    kl, kl_tau2, loss = third.curves
    curves = {"information": information, "rest_prob": rest, "kl": kl, "kl_tau2": kl_tau2, "loss": loss}
    for record in records[5:10]:
        assert record["row"] == 1
        for name, curve in curves.items():
            assert at(curve, record["tau"]) == pytest.approx(record[name], abs=1e-3), name


def test_a_narrow_figure_of_distill_omits_the_student() -> None:
    Path("student.txt").write_text("1 1 0\n")
    done = here("distill", "2", "1", "0", "--student", "student.txt", "-o", "x.svg", "--size", "3.3x2.4")
    assert done.stderr == "tsoft: note: the figure has room for 2 of 3 charts side by side; a wider --size shows more\n"
    assert len(charts(Path("x.svg"), log=True)) == 2


def test_anneal_draws_each_schedule() -> None:
    drawing, records = written("anneal", "--schedule", "linear,cosine", "--steps", "21")
    [chart] = drawing.charts
    assert [len(curve) for curve in chart.curves] == [21, 21]
    points = np.array([(record["step"], record["tau"]) for record in records])
    np.testing.assert_allclose(np.concatenate(chart.curves), points, rtol=1e-9)
    assert {"linear", "cosine", "step", "τ"} <= set(drawing.texts)


def test_anneal_cannot_draw_infinite_temperatures() -> None:
    done = here("anneal", "--schedule", "constant", "--from", "inf", "-o", "x.svg")
    assert done.returncode == 2
    assert "the figure's axis cannot show τ = inf" in done.stderr
    assert not Path("x.svg").exists()


def test_bandit_draws_the_regret_with_its_standard_error() -> None:
    options = ("--schedule", "cosine,linear", "--runs", "20", "--steps", "40", "--seed", "1")
    drawing, records = written("bandit", "1", "0.9", "0", *options)
    [regret, share] = drawing.charts
    assert [len(part) for part in (regret.curves, regret.bands, share.curves, share.bands)] == [2, 2, 2, 0]
    for curve, band, last in zip(regret.curves, regret.bands, (records[39], records[79]), strict=True):
        assert curve[-1].tolist() == pytest.approx([39, last["regret"]], rel=1e-9)
        ends = band[band[:, 0] == 39, 1]
        low, high = last["regret"] - last["regret_se"], last["regret"] + last["regret_se"]
        assert [ends.min(), ends.max()] == pytest.approx([low, high], rel=1e-9)


def test_bandit_notes_a_new_seed_once() -> None:
    drawing, _ = written("bandit", "1", "0", "--runs", "5", "--steps", "5")
    assert drawing.stderr.count("repeats this result") == 1


def test_next_draws_the_bars_of_compute() -> None:
    drawing, [record] = written("next", "the", "--ngram", BARN, "--show", "5")
    probs = np.exp(record["logits"]) / np.exp(record["logits"]).sum()
    highest = np.sort(probs)[::-1][:5].tolist()
    [chart] = drawing.charts
    assert chart.bars == pytest.approx([*highest, 1 - sum(highest)], rel=1e-9)
    assert f"{highest[0]:.3f}" in drawing.texts


def test_generate_draws_the_cost_of_each_text() -> None:
    options = ("--tau", "0.5,1", "--greedy", "--beams", "2", "--seed", "1", "--max-tokens", "12")
    drawing, records = written("generate", "the", "--ngram", BARN, *options)
    best = [record for record in records if record["continuation"] == 0]
    assert [record["strategy"] for record in best] == ["sample", "sample", "greedy", "beam 2"]
    [chart] = drawing.charts
    for curve, record in zip(chart.curves, best, strict=True):
        costs = [0, *np.cumsum([-token["logprob"] for token in record["logprobs"]])]
        np.testing.assert_allclose(curve, list(enumerate(costs)), rtol=1e-9)
    for name, record in zip(("τ = 0.5", "τ = 1", "greedy", "beam 2"), best, strict=True):
        assert f"{name}: {record['sequence_perplexity']:.3g}" in drawing.texts


def test_generate_draws_each_of_several_texts_and_names_their_mean() -> None:
    options = ("--tau", "0.5,1", "-n", "3", "--seed", "1", "--max-tokens", "12")
    drawing, records = written("generate", "the", "--ngram", BARN, *options)
    [chart] = drawing.charts
    assert len(chart.curves) == len(records) == 6
    mean = sum(record["logprob"] for record in records[:3]) / sum(record["tokens"] for record in records[:3])
    assert f"τ = 0.5: {math.exp(-mean):.3g}" in drawing.texts


@pytest.mark.parametrize(
    ("command", "measure"),
    [(("sweep", "--measure", "top-prob"), "top_prob"), (("distill",), "information")],
)
def test_a_mean_has_a_band_of_the_standard_deviation(command: tuple[str, ...], measure: str) -> None:
    drawing, records = written(*command, "--mean", "--tau", "0.5,1,2,4", stdin=ROWS)
    [chart] = drawing.charts
    [curve], [band] = chart.curves, chart.bands
    np.testing.assert_allclose(curve, [(record["tau"], record[measure]) for record in records], rtol=1e-9)
    for record in records:
        mean, deviation = record[measure], record[f"{measure}_sd"]
        ends = band[band[:, 0] == record["tau"], 1]
        assert (ends.min(), ends.max()) == pytest.approx((mean - deviation, mean + deviation), rel=1e-9)


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
    with captured() as figures:
        done = here("sweep", "--mean", "2", "1", "--tau", "0", "--tau", "1", "-o", "x.svg", "-o", "x.png")
    assert len(figures) == 2
    assert done.stderr.count("the figure's axis does not show τ = 0") == 1
    done = here("sweep", "--mean", "2", "1", "--tau", "0", "--tau", "inf", "-o", "y.svg")
    assert done.returncode == 2
    assert not Path("y.svg").exists()


@pytest.mark.parametrize("options", [(), ("--heatmap",)])
def test_temperatures_of_energies_have_their_unit(options: tuple[str, ...]) -> None:
    energies = ("--energies", "0", "0.025", "--units", "eV", "--tau", "100,300")
    drawing = drawn("sweep", *energies, *options, "-o", "x.svg")
    assert "τ (K)" in drawing.texts
    assert "τ" not in drawing.texts


CLASSES = [f"{label}={i}" for i, label in enumerate(HOSTILE)]


@pytest.mark.parametrize(
    ("command", "labels"),
    [
        (("sweep", *CLASSES), ESCAPED),
        (("solve", *CLASSES, "--prob", "\x1b[31m=0.2"), ["prob \\x1b[31m 0.2: "]),
    ],
)
def test_labels_are_text(command: tuple[str, ...], labels: list[str]) -> None:
    drawing = drawn(*command, "--title", "$x$ \x1b_", "-o", "x.svg", "--size", "12x8")
    for label in [*labels, "$x$ \\x1b_"]:
        assert any(text.startswith(label) for text in drawing.texts), label
    # With `parse_math`, matplotlib would draw a formula.
    assert {text.get_parse_math() for text in drawing.figure.findobj(Text) if "$" in text.get_text()} == {False}


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


@each_case(
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
        (("sweep", "2", "1", "--log"), "--log has no effect on svg; use --format table, tsv"),
        (("compute", "2", "1", "--log"), "--log has no effect on svg; use --format table, tsv"),
        (("calibrate", "-i", DIGITS, "--no-chart"), "--no-chart has no effect on svg"),
    ],
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
    drawing, records = written("generate", "the", "--ngram", BARN, *options)
    [chart] = drawing.charts
    assert len(chart.curves) == len(records) == 14
    assert "strategy: sequence perplexity, mean of several texts (straight line)" in drawing.texts
    costs, tokens = (np.reshape([record[name] for record in records], (2, 7)) for name in ("logprob", "tokens"))
    assert f"τ = 1: {math.exp(-costs[1].sum() / tokens[1].sum()):.3g}" in drawing.texts
    [axes] = drawing.figure.axes
    to_mean = [line for line in axes.lines if len(line.get_xydata()) == 2]
    ends = [line.get_xydata()[1] for line in to_mean]
    np.testing.assert_allclose(ends, np.column_stack([tokens.mean(axis=1), -costs.mean(axis=1)]), rtol=1e-9)
    texts = [line for line in axes.lines if line not in to_mean]
    assert {line.get_alpha() for line in to_mean} == {None}
    assert all(line.get_alpha() < 0.5 and line.get_linewidth() < to_mean[0].get_linewidth() for line in texts)


def test_names_of_curves_are_in_a_legend_if_charts_are_low() -> None:
    command = ("bandit", "1", "0", "--schedule", "all", "--runs", "2", "--steps", "5", "--seed", "1", "-o", "x.svg")
    for size, count in (("6.4x4", 2), ("3.3x2.4", 1)):
        drawing = drawn(*command, "--size", size)
        assert drawing.stderr == ""
        assert drawing.texts.count("inverse-time") == count


def test_the_texts_of_solutions_are_only_in_a_chart_with_room_for_them() -> None:
    command = ("solve", "a=2", "b=1", "c=0", "d=0.5", "e=0", "--prob", "b=0.214", "-o", "x.svg")
    for size, is_drawn in (("6.4x4", True), ("3.3x2.4", False)):
        drawing = drawn(*command, "--size", size)
        assert drawing.stderr == ""
        assert any(text == "τ = 1.58554" for text in drawing.texts) == is_drawn
        assert any("τ = 1.58554" in text for text in drawing.texts)
