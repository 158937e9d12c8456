"""The figures of `compute` and `sweep`, and their files."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import scipy.special

from figure_charts import drawn
from tool import here, here_in_bytes

matplotlib = pytest.importorskip("matplotlib")

from tsoft.figures.axes import TauScale  # noqa: E402
from tsoft.figures.canvas import Paper, canvas, encoded  # noqa: E402
from tsoft.figures.class_charts import Bars, draw_bars, draw_curves  # noqa: E402
from tsoft.figures.overlays import draw_band  # noqa: E402
from tsoft.figures.step_curves import draw_steps  # noqa: E402

RESPONSE = str(Path(__file__).parents[1] / "data" / "openai-chat.json")
SVG = "{http://www.w3.org/2000/svg}"
LONG = "a label of exactly sixty characters, for a class of its own"


def svg(*arguments: str, notes: str = "") -> ET.Element:
    """Return the figure of a command."""
    done = here_in_bytes(*arguments, "-f", "svg")
    assert done.returncode == 0, done.stderr
    assert done.stderr.decode() == notes
    return ET.fromstring(done.stdout)


def texts(figure: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in figure.iter(f"{SVG}text")]


def test_bars_have_the_probabilities_beside_them() -> None:
    arguments = ("compute", "cat=2", "dog=1", "owl=0.5", "--tau", "0.5,2")
    drawing = drawn(*arguments, "-f", "svg")
    assert drawing.stderr == ""
    shown = drawing.texts
    records = json.loads(here(*arguments, "-f", "json").stdout)
    for chart, record in zip(drawing.charts, records, strict=True):
        assert chart.bars == pytest.approx(record["probs"], rel=1e-9)
        assert f"τ = {record['tau']:g}" in shown
        for prob in record["probs"]:
            assert f"{prob:.3f}" in shown
    assert shown.count("probability") == 2
    assert [name for name in shown if name in ("cat", "dog", "owl")] == ["cat", "dog", "owl"]


def test_a_figure_shows_the_rows_and_classes_of_the_table() -> None:
    row = " ".join(map(str, range(30)))
    notes = (
        "tsoft: note: the figure shows 2 of 4 rows; --rows N shows more\n"
        + "tsoft: note: the figure shows 5 classes and 25 more as one bar\n"
    )
    drawing = drawn("compute", "-f", "svg", "--rows", "2", "--show", "5", stdin=f"{row}\n" * 4)
    assert drawing.stderr == notes
    assert drawing.texts.count("… 25 more") == 2
    assert [text for text in drawing.texts if text.startswith("row")] == ["row 0", "row 1"]


def test_each_class_has_a_curve_and_a_name() -> None:
    arguments = ("sweep", "cat=2", "dog=1", "owl=0.5", "--bits", "--tau", "0,inf", "--tau", "1:25:1", "-f", "svg")
    drawing = drawn(*arguments)
    assert drawing.stderr == "tsoft: note: the figure's axis does not show τ = 0, inf\n"
    assert {"cat", "dog", "owl", "probability", "entropy (bits)", "τ"} <= set(drawing.texts)
    taus = np.arange(1, 26)
    probs = scipy.special.softmax(np.array([[2], [1], [0.5]]) / taus, axis=0)
    entropies = -(probs * np.log2(probs)).sum(axis=0)
    curves = [curve for chart in drawing.charts for curve in chart.curves]
    for curve, values in zip(curves, [*probs, entropies], strict=True):
        np.testing.assert_allclose(curve, np.column_stack([taus, values]), rtol=1e-9)


def test_a_sweep_without_a_temperature_for_its_axis_is_an_error() -> None:
    done = here("sweep", "2", "1", "--tau", "0,inf", "-f", "svg")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_heat_map_has_a_cell_for_each_class_and_temperature() -> None:
    figure = svg("sweep", "2", "1", "0.5", "--heatmap", "--tau", "0.5,1,2,4")
    [mesh, *_] = [group for group in figure.iter(f"{SVG}g") if group.get("id", "").startswith("QuadMesh")]
    assert len(list(mesh.iter(f"{SVG}path"))) == 12


@pytest.mark.parametrize("format", ["svg", "pdf"])
def test_the_same_figure_has_the_same_bytes(format: str, tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.{format}" for i in range(2)]
    for file in files:
        assert here("compute", "cat=2", "dog=1", "-o", str(file), "--title", "Häuser").returncode == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    # Two runs within a second would have the same date.
    assert not re.search(b"CreationDate|dc:date", files[0].read_bytes())
    if format == "pdf":
        # A PDF keeps text as text.
        [page] = pytest.importorskip("pypdf").PdfReader(files[0]).pages
        assert {"Häuser", "cat", "dog", "0.731", "probability"} <= set(page.extract_text().split())


def test_a_png_has_the_size_and_the_resolution(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    assert here("compute", "2", "1", "-o", str(file), "--size", "5x3", "--dpi", "80").returncode == 0
    data = file.read_bytes()
    # The width and the height in pixels, and the resolution in pixels per meter.
    resolution = data.index(b"pHYs") + 4
    assert [int.from_bytes(data[i : i + 4]) for i in (16, 20, resolution)] == [400, 240, round(80 / 0.0254)]


# The dark theme has the fonts of the light one.
@pytest.mark.parametrize(
    ("theme", "width", "height"),
    [("light", 12.0, 8.0), ("paper", 3.0, 2.5)],
)
def test_no_text_is_outside_the_figure(theme: str, width: float, height: float) -> None:
    names = ["cat", LONG, LONG[::-1], "dog"]
    probs = np.array([0.7, 0.2, 0.06, 0.04])
    taus = np.geomspace(0.1, 10, 9)
    with canvas(Paper((width, height), 50, theme, "A title")) as page:
        left, right = page.figure.subplots(1, 2)
        draw_bars(left, Bars(names, probs, probs, "τ = 1"), page.theme)
        draw_curves(right, names, TauScale(taus), probs[:, np.newaxis] * np.ones(9), page.theme)
        encoded(page, "png")
        box = page.figure.get_tightbbox()
        assert box.x0 >= -0.01
        assert box.y0 >= -0.01
        assert box.x1 <= width + 0.01
        assert box.y1 <= height + 0.01


def test_bands_below_zero_are_inside_their_charts() -> None:
    places, values = np.array([1, 2, 3]), np.array([[-1.0, 0, 0.5]])
    with canvas(Paper()) as page:
        above, below = page.figure.subplots(2, 1)
        for axes in (above, below):
            draw_band(axes, places, np.array([-3.0, -1, 0]), np.ones(3), page.theme)
        draw_curves(above, ["energy"], TauScale(places), values, page.theme)
        draw_steps(below, ["regret"], places, values, page.theme, quantity="regret")
        assert above.get_ylim()[0] <= -3
        assert below.get_ylim()[0] <= -3


@pytest.mark.parametrize(
    "command",
    [("bandit", "1", "0", "--schedule", "all", "--runs", "2", "--steps", "5", "--seed", "1"), ("distill", "2", "1")],
    ids=["no_room_for_charts", "title_cut_off"],
)
def test_a_figure_that_is_too_small_is_an_error(command: tuple[str, ...]) -> None:
    done = here(*command, "-f", "svg", "--size", "1x1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "1 × 1 inches are too small for the figure; pass a larger --size" in done.stderr


def test_characters_that_no_font_has_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    fonts = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    missing = "no font on this system has \U00012000 (U+12000); the figure shows boxes instead"
    svg("compute", "\U00012000=2", "b=1", notes=f"tsoft: note: {missing}\n")


@pytest.fixture
def new_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A font with cuneiform that was installed after matplotlib stored its list of fonts."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.ttLib.tables._g_l_y_f import Glyph
    from matplotlib import font_manager

    names = [".notdef", "a"]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({0x12000: "a"})
    font.setupGlyf({name: Glyph() for name in names})
    font.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    font.setupHorizontalHeader()
    font.setupNameTable({"familyName": "New Cuneiform", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "cuneiform.ttf")
    (tmp_path / "broken.ttf").write_text("no font")
    files = [str(tmp_path / name) for name in ("cuneiform.ttf", "broken.ttf", "gone.ttf")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: files)


@pytest.mark.usefixtures("new_font")
def test_a_new_font_is_used() -> None:
    figure = svg("compute", "\U00012000=2", "b=1")
    assert "\U00012000" in texts(figure)
    assert any("New Cuneiform" in text.get("style", "") for text in figure.iter(f"{SVG}text"))


def test_an_api_response_shows_bounds() -> None:
    drawing = drawn("compute", "-i", RESPONSE, "--tau", "2", "--rows", "1", "--vocab-size", "1000", "-f", "svg")
    assert any(" to " in text for text in drawing.texts)


@pytest.mark.parametrize("options", [(), ("--heatmap",)])
def test_a_sweep_of_a_part_of_the_tokens_says_so(options: tuple[str, ...]) -> None:
    arguments = ("sweep", "-i", RESPONSE, "--rows", "1", "--show", "2", "--tau", "1,2", "-f", "svg")
    words = " ".join(drawn(*arguments, *options).texts)
    assert "probability among the listed tokens" in words
    assert "entropy (nats) among the listed tokens" in words


def test_an_unknown_probability_is_not_zero() -> None:
    """DeepSeek's API writes -9999 for the probability of a drawn token that it does not give."""
    token = {"token": " there", "logprob": -9999.0, "top_logprobs": []}
    response = json.dumps({"choices": [{"logprobs": {"content": [token]}}]})
    shown = drawn("compute", "-f", "svg", "--tau", "1", stdin=response).texts
    assert "0 to 1.000" in shown
    # The axis starts with 0.
    assert shown.count("0") == 1


def test_probabilities_up_to_1_are_on_the_axis() -> None:
    shown = drawn("compute", "9", "0", "--size", "10x4", "-f", "svg").texts
    assert "1" in shown
    assert not {"1.2", "1.25"} & set(shown)
