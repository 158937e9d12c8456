"""`tsoft learn`: the lessons are solved with keys, and every number in their texts is computed."""

import re
import sys
import textwrap
from collections.abc import Callable
from math import e, exp, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax, softmax

from driven import Page, Size, driven
from explorer_checks import check_command
from tool import here
from tsoft.core.softmax import Array
from tsoft.explorer.examples import DIGITS
from tsoft.explorer.sliders import Sliders
from tsoft.features.learn import starts
from tsoft.features.learn.lesson_panel import LessonPanel
from tsoft.features.learn.lesson_text import lesson_texts
from tsoft.sampling.sampler_table import TAU

LETTERS, ANIMALS, DIGIT = (np.array(list(logits.values())) for logits in (starts.LETTERS, starts.ANIMALS, DIGITS))
COUNT = 13


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the progress of a test in a folder of the test."""
    from tsoft.features.learn import course

    file = tmp_path / "state" / "learn.json"
    monkeypatch.setattr(course, "progress_file", lambda: file)
    # An installed model takes a second to load.
    monkeypatch.setattr(starts, "installed_model", lambda: None)
    return file


def learn(
    monkeypatch: pytest.MonkeyPatch, drive: Callable[[Page], object], *arguments: str, size: Size = (80, 24)
) -> int:
    """Run `tsoft learn` as on a terminal of this size."""
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: True)
        return driven(drive, "learn", "--seed", "3", *arguments, size=size)  # type: ignore[arg-type]


def is_solved(page: Page) -> bool:
    return page.app.screen.query_one(LessonPanel).is_solved


def solved_lessons() -> list[int]:
    lines = here("learn", "--list").stdout.splitlines()
    assert len(lines) == COUNT
    return [int(line.split()[0]) for line in lines if line.endswith("done")]


def cleared(text: str) -> tuple[str, ...]:
    """Return the keys that replace the text of a field."""
    return (*["backspace"] * 5, *text, "enter")


def target(text: str) -> tuple[str, ...]:
    """Return the keys that go to a target."""
    return ("equals_sign", *text, "enter")


TYPE_B = ("tab", "down", "enter")
# For each lesson, keys that do not solve its task, and keys that then solve it.
SOLUTIONS: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {
    1: ((*TYPE_B, *cleared("1.2")), ("enter", *cleared("1.193"))),
    2: (("enter", *cleared("0.68")), target("top-prob 73%")),
    3: (("0", *TYPE_B, *cleared("1.999")), ("enter", *cleared("2"))),
    4: (("8",), ("tab", "minus")),
    5: (("left",), target("perplexity 3")),
    6: (("0",), target("top-prob 91.7%")),
    7: (("S",) * 9, ("S",)),
    # Top-k keeps 40 tokens, but the samplers may not change.
    8: (("down", "space"), ("space", "down", *["left_square_bracket"] * 2)),
    # A lower top-p removes the token by the rules of vLLM, too.
    9: ((*["down"] * 3, "enter", *cleared("0.3"), "tab", *["down"] * 9), ("u", "l", "up", "enter")),
    10: (("S",), ("backspace",) * 10 + ("0", "S")),
    11: (("0", "S", "1"), ("backspace",) * 10 + ("tab", "down", "enter", "enter", "enter")),
    12: (target("8 30%"), target("3 25%")),
    13: (("enter", *cleared("1.36")), ("enter", *cleared("1.34"))),
}


# Other ways to the goal, and why they do not count.
OBJECTIONS: dict[int, tuple[tuple[str, ...], str]] = {
    # The same ratio by a change of τ; the same heat capacity with another logit.
    1: (("enter", *cleared("0.7213")), "only the logits may change"),
    4: (("tab", "minus"), "set τ to ∞ first"),
    6: ((*TYPE_B, *cleared("-2.4")), "only τ may change"),
    8: (("down", "down", "left"), "only the order may change"),
}


@pytest.mark.parametrize("number", range(1, COUNT + 1))
def test_task_is_solved_with_keys(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, right = SOLUTIONS[number]

    async def object_to(page: Page, keys: tuple[str, ...], objection: str) -> None:
        initial = page.app.state
        await page.press(*keys)
        assert objection in page.text("#lesson")
        assert not is_solved(page)
        while page.app.state != initial:
            await page.press("u")
        page.app.screen.set_focus(sliders := page.app.query_one(Sliders))
        sliders.choose(TAU)
        await page.press("home")

    async def drive(page: Page) -> None:
        if number in OBJECTIONS:
            await object_to(page, *OBJECTIONS[number])
        await page.press(*wrong)
        assert not is_solved(page)
        assert solved_lessons() == []
        await page.press(*right)
        assert is_solved(page), page.text()
        assert "Solved" in page.text("#lesson")
        assert page.app.screen.query_one("#lesson-reading").size.height == 1

    assert learn(monkeypatch, drive, str(number)) == 0
    assert solved_lessons() == [number]


def test_draws_at_another_temperature_do_not_solve_lesson_7(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drive(page: Page) -> None:
        await page.press("0", *["S"] * 10)
        assert "only the draws count" in page.text("#lesson")

    assert learn(monkeypatch, drive, "7") == 0
    assert solved_lessons() == []


def test_lesson_9_is_solved_by_a_comparison_that_follows_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drive(page: Page) -> None:
        await page.press("shift+tab", *["down"] * 9)
        assert not is_solved(page)
        await page.press("l", "up", "space", "down", "enter")
        assert is_solved(page)

    assert learn(monkeypatch, drive, "9") == 0


# Going through the lessons.


def test_lessons_follow_one_another(monkeypatch: pytest.MonkeyPatch, progress_file: Path) -> None:
    seen = []

    async def drive(page: Page) -> None:
        text = page.text("#lesson")
        seen.append(text[: text.index("  ")].strip())
        if len(seen) == 1:
            await page.click(*page.find("Next ›"))
        elif len(seen) == 2:
            # Shift F2, as most terminals report it.
            await page.press("f14")
        elif len(seen) == 3:
            await page.press("f2")
        else:
            await page.press("f2")
            assert "This is the last lesson" in page.text()
            assert "Next" not in page.text("#lesson")

    assert learn(monkeypatch, drive, "12") == 0
    assert seen == ["12/13", "13/13", "12/13", "13/13"]
    assert '"current": 13' in progress_file.read_text()


def test_the_next_run_resumes_with_the_current_lesson(monkeypatch: pytest.MonkeyPatch, progress_file: Path) -> None:
    async def drive(page: Page) -> None:
        assert "5/13" in page.text("#lesson")

    progress_file.parent.mkdir()
    progress_file.write_text('{"format": "tsoft learn", "current": 5, "solved": []}')
    assert learn(monkeypatch, drive) == 0


def test_f1_shows_the_hint_and_the_text_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drive(page: Page) -> None:
        text = page.text("#lesson")
        await page.press("f1")
        assert "Hint. It is between" in page.text("#lesson")
        await page.press("f1")
        assert page.text("#lesson") == text
        # The keys of the lesson are in the help.
        await page.press("question_mark")
        assert "F1  show the hint" in page.text()

    assert learn(monkeypatch, drive, "2", size=(120, 40)) == 0


def test_long_text_scrolls_on_a_small_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drive(page: Page) -> None:
        assert "F3 more" in page.text("#lesson")
        await page.resize(120, 40)
        assert "F3 more" not in page.text("#lesson")
        await page.resize(60, 18)
        assert "F3 more" in page.text("#lesson")
        assert "choices for each." not in page.text("#lesson")
        await page.press("f3")
        assert "choices for each." in page.text("#lesson")
        await page.press("f3")
        assert "A language model" in page.text("#lesson")
        # Another page starts at its top.
        await page.press("f3", "0", "S")
        assert "Solved" in page.text("#lesson")

    assert learn(monkeypatch, drive, "10", size=(60, 18)) == 0


# The progress.


def test_restart_forgets_the_progress(monkeypatch: pytest.MonkeyPatch, progress_file: Path) -> None:
    async def look(page: Page) -> None:
        assert "1/13" in page.text("#lesson")

    progress_file.parent.mkdir()
    progress_file.write_text('{"format": "tsoft learn", "current": 12, "solved": [12]}')
    assert solved_lessons() == [12]
    assert learn(monkeypatch, look, "--restart") == 0
    assert solved_lessons() == []


def test_two_runs_keep_what_the_other_has_solved(monkeypatch: pytest.MonkeyPatch, progress_file: Path) -> None:
    async def drive(page: Page) -> None:
        progress_file.write_text('{"format": "tsoft learn", "current": 5, "solved": [5]}')
        await page.press(*target("3 25%"))

    assert learn(monkeypatch, drive, "12") == 0
    assert solved_lessons() == [5, 12]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 5000,
        '{"format": "tsoft learn", "current": 14, "solved": []}',
        '{"format": "tsoft learn", "current": 1, "solved": [true]}',
        '{"format": "tsoft learn", "current": 1, "solved": [[1]]}',
        '{"format": "tsoft learn", "current": null, "solved": []}',
        '{"format": "tsoft explore", "current": 1, "solved": []}',
        "\udcff",
    ],
)
def test_damaged_progress_is_an_error(content: str, progress_file: Path) -> None:
    progress_file.parent.mkdir()
    progress_file.write_bytes(content.encode(errors="surrogateescape"))
    done = here("learn", "--list")
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"{progress_file}: not the progress of tsoft learn; pass --restart" in done.stderr
    # The texts need no progress.
    assert "Freezing" in here("learn", "3").stdout
    assert here("learn", "--restart", "3").returncode == 0
    assert here("learn", "--list").returncode == 0


def test_progress_that_cannot_be_saved_is_a_note(progress_file: Path) -> None:
    progress_file.parent.write_text("a file")
    done = here("learn", "--restart", "3")
    assert done.returncode == 0
    assert f"note: the progress is not saved: {progress_file.parent}: File exists" in done.stderr
    assert "Freezing" in done.stdout


def test_progress_that_cannot_be_saved_any_more_is_a_note_at_the_end(
    monkeypatch: pytest.MonkeyPatch, progress_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def drive(page: Page) -> None:
        progress_file.unlink()
        progress_file.mkdir()
        await page.press(*target("3 25%"))
        assert is_solved(page)

    assert learn(monkeypatch, drive, "12") == 0
    assert capsys.readouterr().err.count(f"note: the progress is not saved: {progress_file}: ") == 1


def test_progress_that_cannot_be_read_is_an_error(progress_file: Path) -> None:
    progress_file.mkdir(parents=True)
    done = here("learn", "--list")
    assert done.returncode == 1
    assert f"{progress_file}: Is a directory; pass --restart" in done.stderr


# The texts.


def test_a_pipe_gets_markdown() -> None:
    for number, text in enumerate(lesson_texts(), start=1):
        printed = here("learn", str(number)).stdout
        assert printed.startswith(f"# {number}. {text.title}\n\n")
        assert "**Task:**" in printed
        assert max(map(len, printed.splitlines())) <= 80
    assert here("learn").stdout.count("**Task:**") == COUNT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0"], "there is no lesson 0; choose one from 1 to 13"),
        (["14"], "there is no lesson 14; choose one from 1 to 13"),
        (["--list", "3"], "--list and a lesson are mutually exclusive"),
        (["--list", "--restart"], "--list and --restart are mutually exclusive"),
        (["--seed", "3", "3"], "--seed has no effect in a pipe"),
    ],
)
def test_usage_errors(arguments: list[str], message: str) -> None:
    done = here("learn", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_texts_are_short() -> None:
    texts = lesson_texts()
    assert len(texts) == COUNT
    for text in texts:
        assert len(text.text.split()) <= 80
        for part in (text.text, f"Task: {text.task}", f"Hint. {text.hint}", f"✓ Solved. {text.why}"):
            # Above the explorer on a screen of 80 × 24, there is room for eight lines.
            lines = textwrap.wrap(re.sub(r"\*\*|`", "", part), 78, break_on_hyphens=False)
            assert len(lines) <= 8, text.title
            # A number stays on the line of its sign.
            assert not [line for line in lines if line[0] in "%=÷×−" or line[-1] in "=÷×−"], text.title


def entropy(logits: Array, tau: float = 1.0) -> float:
    probs = softmax(logits / tau)
    return float(-(probs * np.log(probs)).sum())


def tau_of(measure: Callable[[float], float], value: float) -> float:
    return float(brentq(lambda tau: measure(tau) - value, 0.05, 50))


def heat_capacity(tau: float) -> float:
    """Of two levels, one unit apart: the variance of the energy, divided by the square of the temperature."""
    _, p = softmax(np.array([0, -1]) / tau)
    return float(p * (1 - p) / tau**2)


def kept(tau_before: float) -> int:
    """Return how many of the next tokens top-p 0.9 keeps at a temperature."""
    logits = starts.next_tokens().input.rows.block(0).logits[0]
    return int(np.searchsorted(np.cumsum(np.sort(softmax(logits / tau_before))[::-1]), 0.9) + 1)


def nll(tau: float) -> float:
    logits, targets = starts.classified_digits()
    return float(-log_softmax(logits / tau, axis=-1)[np.arange(len(targets)), targets].mean())


def confidence(tau: float) -> float:
    return float(softmax(starts.classified_digits()[0] / tau, axis=-1).max(axis=-1).mean())


def accuracy() -> float:
    logits, targets = starts.classified_digits()
    return float((logits.argmax(axis=-1) == targets).mean())


def percents(*probs: float) -> list[str]:
    return [f"{100 * prob:.1f}" for prob in probs]


def computed_numbers() -> dict[int, list[str]]:
    """Return the numbers in the texts, computed with scipy."""
    tops = [softmax(LETTERS / tau).max() for tau in (0.5, 1, 2)]
    top_tau = tau_of(lambda tau: softmax(LETTERS / tau).max(), 0.73)
    sure = tau_of(lambda tau: entropy(ANIMALS, tau), log(3))
    first, second = np.sort(softmax(ANIMALS / sure))[:-3:-1]
    peak = minimize_scalar(lambda tau: -heat_capacity(tau), bounds=(0.1, 2), method="bounded").x
    three = tau_of(lambda tau: softmax(DIGIT / tau)[3], 0.25)
    ratios = [softmax(DIGIT / tau)[3] / softmax(DIGIT / tau)[9] for tau in (1, three)]
    best = minimize_scalar(nll, bounds=(0.5, 3), method="bounded").x
    p = softmax(LETTERS)[0]
    return {
        1: [f"{e:.2f}", f"{log(2):.3f}", f"{log(1000):.2f}", f"{0.5 + log(2):.3f}"],
        2: [*percents(*tops), f"{top_tau:.3f}"],
        3: [],
        4: [f"{log(4):.3f}", f"{log(3):.3f}", *percents(1 / 3)],
        5: [f"{exp(entropy(ANIMALS)):.2f}", f"{sure:.3f}", f"{log(3):.3f}", *percents(first - second)],
        6: [f"{heat_capacity(peak):.3f}", f"{heat_capacity(1):.3f}", f"{peak:.3f}"],
        7: [f"{p:.3f}", *percents(sqrt(p * (1 - p) / 1000)), *percents(sqrt(p * (1 - p) / 2400))],
        8: [str(kept(1.5))],
        9: [str(kept(1.5))],
        10: [],
        11: [f"{0.45 * 0.4:.2f}", f"{0.35 * 0.8 * 0.9:.3f}"],
        12: [*percents(softmax(DIGIT)[3]), f"{three:.3f}", *(f"{ratio:.2f}" for ratio in ratios)],
        13: [
            *percents(accuracy(), confidence(1), confidence(1.3)),
            *(f"{nll(tau):.4f}" for tau in (1, 1.5, 1.3)),
            f"{best:.2f}",
        ],
    }


# The numbers that a text defines: logits, temperatures, settings, goals, counts, keys, and the names of digits.
DEFINED = {
    1: {"0.5", "2"},
    2: {"2", "1", "0.5", "0.1", "73"},
    3: {"0", "0.001", "2"},
    4: {"0", "1", "8", "4", "3"},
    5: {"0", "1", "3", "3.00"},
    6: {"1"},
    7: {"1", "1000", "2400"},
    8: {"1000", "1.5", "0.9", "1", "90"},
    9: {"1000", "1.5", "0.9", "1", "90"},
    10: {"1.5", "0.2", "1", "2"},
    11: {"0", "0.45", "0.4", "0.35", "0.8", "0.9"},
    12: {"3", "8", "1", "9", "5", "0", "25", "2", "10"},
    13: {"674", "1", "1.5", "1.3"},
}


@pytest.mark.parametrize("number", range(1, COUNT + 1))
def test_each_number_in_a_text_is_computed(number: int) -> None:
    text = lesson_texts()[number - 1]
    words = " ".join([text.title, text.text, text.task, text.hint, text.why])
    written = re.findall(r"\d+(?:\.\d+)?", words)
    assert set(written) == set(computed_numbers()[number]) | DEFINED[number]


def test_the_states_of_the_lessons_are_those_of_the_texts() -> None:
    assert [*LETTERS] == [2, 1, 0.5, 0.1]
    assert kept(1.0) == 9
    assert starts.classified_digits()[0].shape == (674, 10)
    assert starts.next_tokens().input.rows.block(0).logits.shape == (1, 1000)
    assert len({token for following in starts.CUPS.values() for token in following}) == 10
    assert len(starts.ANIMALS) == 5


# The copied command.


def test_copied_command_shows_the_distribution_of_the_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    """No option opens the model of this lesson, so the command lists the logits."""

    async def drive(page: Page) -> None:
        await page.press("0", "s", "s", "1", "c")
        assert page.app.copied == [page.app.command_line]
        check_command(page.app)

    assert learn(monkeypatch, drive, "10") == 0
