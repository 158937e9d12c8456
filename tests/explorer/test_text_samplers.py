"""The samplers that depend on the text, in the explorer: each row has the tokens before it, and the states after them.

The expected numbers are computed again from the definitions.
"""

import json
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax

from driven import Drive, Page, explore
from explorer.test_live_app import Capture, choose, live_on, opened, shown_likelihood, tokens
from markov import END, THE, Markov, Remote
from tsoft import cli
from tsoft.explorer.sliders import Sliders
from tsoft.explorer.token_likelihood import log_prob_text
from tsoft.models.tokens import NextDistribution
from tsoft.options.sampler_options import PARAMETERS

WIDE = (160, 60)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Markov:
    model = Markov()
    model.table[:, END] = -9
    return opened(monkeypatch, model)


def probs(page: Page) -> Any:
    assert page.app.session.snapshot
    return page.app.session.snapshot.probs


async def slider(page: Page, name: str) -> None:
    """Select a slider."""
    sliders = page.app.query_one(Sliders)
    sliders.choose(PARAMETERS[name])
    assert sliders.current is PARAMETERS[name]
    page.app.screen.set_focus(sliders)
    await page.settled()


async def switch(page: Page, name: str) -> None:
    """Switch a sampler on or off in the list, which has all of them."""
    names = [parameter.name for parameter in page.app.samplers.switches]
    await page.press("a", "home", *["down"] * names.index(name), "enter")


# Penalties and DRY.


def penalized(z: Any, before: Sequence[int], repetition: float, frequency: float) -> Any:
    z = z.copy()
    for token, count in Counter(before).items():
        z[token] = (z[token] * repetition if z[token] < 0 else z[token] / repetition) - count * frequency
    return z


def test_each_row_is_penalized_by_the_tokens_before_it(model: Markov) -> None:
    def expected(text: Sequence[int]) -> Any:
        return softmax(penalized(model.table[text[-1]], text, 1.5, 0.25))

    async def drive(page: Page) -> None:
        assert_allclose(probs(page), expected([THE]), rtol=1e-12)
        await page.press("S")
        text = [THE, *tokens(page)]
        assert_allclose(probs(page), expected(text), rtol=1e-12)
        # Going back, and continuing there.
        await page.press("p", "p", "p")
        assert_allclose(probs(page), expected(text[:-3]), rtol=1e-12)
        await choose(page, 5)
        text = [THE, *tokens(page)]
        assert len(text) == 9
        assert_allclose(probs(page), expected(text), rtol=1e-12)
        logs = [np.log(expected(text[:number])[text[number]]) for number in range(1, 9)]
        assert_allclose(shown_likelihood(page), sum(logs), rtol=1e-9)

    options = ("--repetition-penalty", "1.5", "--frequency-penalty", "0.25", "--seed", "4")
    assert live_on(drive, *options, size=WIDE) == 0


def test_penalties_are_switched_on_in_the_list(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "s")
        await switch(page, "presence_penalty")
        text = [THE, *tokens(page)]
        z = model.table[text[-1]].copy()
        z[list(set(text))] -= 0.5
        assert_allclose(probs(page), softmax(z), rtol=1e-12)
        assert "presence_penalty       0.5" in page.text("#sliders")
        # All tokens count, unless a number is typed.
        assert "penalty_last_n       all" in page.text("#sliders")
        await slider(page, "penalty_last_n")
        await page.press("enter", "0", "enter")
        assert_allclose(probs(page), softmax(model.table[text[-1]]), rtol=1e-12)
        await page.press("enter", *"all", "enter")
        assert_allclose(probs(page), softmax(z), rtol=1e-12)

    assert live_on(drive, "--seed", "1", size=WIDE) == 0


def test_the_tree_penalizes_the_tokens_of_a_branch(model: Markov) -> None:
    async def drive(page: Page) -> None:
        text, probs = [THE], []
        for _ in range(4):
            after = softmax(penalized(model.table[text[-1]], text, 3, 2))
            text.append(int(after.argmax()))
            probs.append(after.max())
        # The first token of each branch.
        await page.press("t", *["right"] * 6)
        assert f"p {log_prob_text(np.log(probs).sum())}" in page.text("#branch-measures")
        await page.press("enter")
        assert tokens(page) == text[1:]
        assert_allclose(np.exp(shown_likelihood(page)), np.prod(probs), rtol=1e-9)

    assert live_on(drive, "--repetition-penalty", "3", "--frequency-penalty", "2", size=WIDE) == 0


def test_dry_ends_a_loop(model: Markov) -> None:
    model.table[:] = -1.0
    first, second, third = 1, 2, 3
    model.table[THE, first] = model.table[first, second] = model.table[second, first] = 1.0
    model.table[first, third] = 0.5

    async def drive(page: Page) -> None:
        await page.press("S")
        assert tokens(page)[:4] == [first, second, first, third]

    assert live_on(drive, "--tau", "0", "--dry-multiplier", "2", "--dry-allowed-length", "1") == 0


class Server(Remote):
    """A server, which does not return the tokens of a prompt."""

    has_prompt_tokens = False


def test_the_unknown_prompt_of_a_server_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    server = opened(monkeypatch, Server())
    # The same distribution after each token, in which that of the prompt is the most probable.
    server.table[:] = -2.0
    server.table[:, [THE, 1, 2, 3]] = np.log([0.5, 0.2, 0.1, 0.1])

    async def drive(page: Page) -> None:
        assert "so penalties and DRY ignore it" in page.text("#head")
        assert_allclose(probs(page)[:2], [5 / 7, 2 / 7])
        await choose(page, 0)
        assert_allclose(probs(page)[:2], softmax(np.log([5, 2]) - [0.5, 0]))

    assert live_on(drive, "--presence-penalty", "0.5", "--top-k", "2", size=WIDE) == 0


def test_no_command_has_the_text(model: Markov, capfd: Capture) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "c")
        assert "No command can pass the tokens before the row" in page.notices

    assert live_on(drive, "--dry-multiplier", "1", size=WIDE) == 0
    assert capfd.readouterr().out == ""


# Mirostat and adaptive-p.


def mirostat_rows(model: Markov, text: Sequence[int], target: float, eta: float, mu: float | None = None) -> list[Any]:
    """Return mu and the probabilities of each row of a text. A token that mirostat removes leaves mu."""
    mu, rows = 2 * target if mu is None else mu, []
    for i, token in enumerate(text):
        p = softmax(model.table[token])
        kept = (-np.log2(p) <= mu) | (np.arange(len(p)) == p.argmax())
        p = np.where(kept, p, 0) / p[kept].sum()
        rows.append((mu, p))
        if i + 1 < len(text) and p[text[i + 1]]:
            mu -= eta * (-log2(p[text[i + 1]]) - target)
    return rows


async def check_rows(page: Page, rows: list[Any], *, first: str) -> None:
    """Go to each row, the last one first, and check its state and its probabilities."""
    await page.press("N", "N")
    for number, (mu, expected) in reversed(list(enumerate(rows))):
        assert_allclose(probs(page), expected, rtol=1e-9)
        assert re.search(rf"mirostat_mu +{mu:.5g} ", page.text("#sliders"))
        assert (f"mirostat_mu {mu:.5g}, {first} before the first token" in page.text("#head")) is (number > 0)
        await page.press("p")


MIROSTAT = ("--mirostat-tau", "1.5", "--mirostat-eta", "0.5", "--seed", "2")


def test_the_limit_of_mirostat_follows_from_the_text_before_the_row(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "s", "s")
        text = [THE, *tokens(page)]
        rows = mirostat_rows(model, text, 1.5, 0.5)
        await check_rows(page, rows, first="3")
        logs = [np.log(p[token]) for (_, p), token in zip(rows, text[1:], strict=False)]
        await page.press("p", "p")
        assert_allclose(shown_likelihood(page), sum(logs), rtol=1e-9)
        # Another text from the second row on, through a token that the sampler removes.
        await page.press("P", "n", "s")
        await choose(page, 11)
        await page.press("s")
        text = [THE, *tokens(page)]
        rows = mirostat_rows(model, text, 1.5, 0.5)
        assert rows[-3][1][text[-2]] == 0
        await check_rows(page, rows, first="3")

    assert live_on(drive, *MIROSTAT, size=WIDE) == 0


def test_the_limit_of_mirostat_is_set_before_the_first_token(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s")
        await slider(page, "mirostat_mu")
        await page.press("enter", "2", "enter")
        text = [THE, *tokens(page)]
        await check_rows(page, mirostat_rows(model, text, 1.5, 0.5, 2.0), first="2")
        # A step starts from the value before the first token, too.
        await slider(page, "mirostat_mu")
        await page.press("N", "right")
        await check_rows(page, mirostat_rows(model, text, 1.5, 0.5, 2.2), first="2.2")
        await page.press("u", "u")
        await check_rows(page, mirostat_rows(model, text, 1.5, 0.5), first="3")
        # The word resets it, so that it follows the target again.
        await slider(page, "mirostat_mu")
        await page.press("enter", "9", "enter", "enter", *"default", "enter")
        await slider(page, "mirostat_tau")
        await page.press("enter", "1", "enter")
        await check_rows(page, mirostat_rows(model, text, 1.0, 0.5), first="2")

    assert live_on(drive, *MIROSTAT, size=WIDE) == 0


def test_the_tree_and_a_kept_text_have_their_own_states(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "s", "k", "P", "t", "right", "right", "right", "right", "down", "enter")
        text = [THE, *tokens(page)]
        assert len(text) == 4
        rows = mirostat_rows(model, text, 1.5, 0.5)
        logs = [np.log(p[token]) for (_, p), token in zip(rows, text[1:], strict=False)]
        assert_allclose(shown_likelihood(page), sum(logs), rtol=1e-9)
        await check_rows(page, rows, first="3")
        await page.press("b")
        kept = page.text("#box")
        await page.press("enter")
        text = [THE, *tokens(page)]
        rows = mirostat_rows(model, text, 1.5, 0.5)
        logs = [np.log(p[token]) for (_, p), token in zip(rows, text[1:], strict=False)]
        assert log_prob_text(sum(logs)) in kept
        await check_rows(page, rows, first="3")

    assert live_on(drive, *MIROSTAT, size=WIDE) == 0


def test_adaptive_p_carries_its_mean_for_two_engines(model: Markov) -> None:
    """tsoft's order and llama.cpp's are the same for these samplers, and vLLM has no adaptive-p."""

    def rows(text: Sequence[int]) -> list[Any]:
        mean, rows = 0.3, []
        for i, token in enumerate(text):
            p = softmax(model.table[token])
            distance = abs(p - min(max(0.6 - mean, 0), 1)) / 0.3
            rows.append((mean, softmax(5 - 10 * distance**2 / (1 + distance))))
            if i + 1 < len(text):
                mean = 0.8 * mean + 0.2 * p[text[i + 1]]
        return rows

    async def drive(page: Page) -> None:
        await page.press("s", "s", "s", "s")
        text = [THE, *tokens(page)]
        for mean, expected in reversed(rows(text)):
            assert_allclose(probs(page), expected, rtol=1e-9)
            assert re.search(rf"adaptive_mean +{mean:.5g} ", page.text("#sliders"))
            assert page.app.session.engine_comparison
            assert_allclose(
                page.app.session.engine_comparison.second.probs, softmax(model.table[text.pop()]), rtol=1e-9
            )
            await page.press("p")

    options = ("--adaptive-target", "0.3", "--adaptive-decay", "0.8", "--seed", "6")
    assert explore_compared(drive, *options) == 0


def explore_compared(drive: Drive, *options: str) -> int:
    async def compare(page: Page) -> None:
        from tsoft.sampling.engines import ENGINES

        page.app.change(page.app.state.like(ENGINES["llama.cpp"], ENGINES["vllm"]))
        await drive(page)

    return live_on(compare, *options, size=WIDE)


def test_a_mark_and_the_curves_have_the_state_of_their_row(model: Markov) -> None:
    async def drive(page: Page) -> None:
        await page.press("s", "s", "s")
        rows = mirostat_rows(model, [THE, *tokens(page)], 1.5, 0.5)
        await page.press("p", "m", "n")
        assert f"TV {abs(rows[3][1] - rows[2][1]).sum() / 2:.4f}," in page.text("#head")
        page.lines("#curve")
        assert page.app._view.curves
        one = np.flatnonzero(np.isclose(np.geomspace(0.01, 100, 49), 1))
        assert_allclose(page.app._view.curves.probs[one[0]], rows[3][1][list(page.app._view.curves.indices)], rtol=1e-9)

    assert live_on(drive, *MIROSTAT, size=WIDE) == 0


def test_the_command_and_the_export_have_the_state_of_the_row(
    model: Markov, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    z: list[float] = []
    expected: list[float] = []

    async def drive(page: Page) -> None:
        await page.press("s", "s", "s", "p", "c")
        z.extend(model.table[tokens(page)[1]].tolist())
        mu, _ = mirostat_rows(model, [THE, *tokens(page)[:2]], 1.5, 0.5)[-1]
        assert f"--mirostat-mu {mu:.5}" in page.app.command_line
        expected.extend(probs(page).tolist())
        await page.press("x", "ctrl+u")
        await page.paste("a.tsoft")
        await page.press("enter")
        assert "a saved state does not contain how the tokens of the text change the samplers" in page.notices

    assert live_on(drive, *MIROSTAT, size=WIDE) == 0
    second = shlex.split(capfd.readouterr().out.splitlines()[0].split(" | ")[1])
    assert not (tmp_path / "a.tsoft").exists()
    assert cli.run([*second[1:], "-f", "json", "-o", "out.json", *map(str, z)]) == 0
    assert json.loads((tmp_path / "out.json").read_text())[0]["probs"] == expected


class Listed(Markov):
    """A server that lists only the two most probable tokens of the first row, and all tokens of others."""

    def after(self, token: int) -> NextDistribution:
        return Remote.after(self, token) if token == THE else super().after(token)  # type: ignore[arg-type]


def test_a_state_that_the_server_does_not_determine_is_unknown(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    model = Listed()
    model.table[THE] = np.linspace(0, 0.1, len(model.table))
    opened(monkeypatch, model)

    async def drive(page: Page) -> None:
        await choose(page, 0)
        assert "row 0: the alternatives that the server lists do not determine" in page.text("#head")
        await page.press("c", "s", "e", "d", "m")
        assert "The state of the samplers is unknown here, so no command can show this row." in page.notices
        assert "Press x" not in page.notices
        assert len(tokens(page)) == 1
        await page.press("p")
        assert "determine" not in page.text("#head")

    assert live_on(drive, "--mirostat-tau", "4", size=WIDE) == 0
    assert capfd.readouterr().out == ""


# Without a model.

FOUR = ("A=3", "B=2", "C=1", "D=0")


def test_without_a_text_mirostat_is_a_filter_that_draws_do_not_change(capfd: Capture) -> None:
    async def drive(page: Page) -> None:
        names = [parameter.name for parameter in page.app.samplers.switches]
        await page.press("a")
        assert "penalty" not in page.text("#box").replace("penalties", "")
        assert "dry_multiplier" not in page.text("#box")
        mirostat = [name for name in names if "pen" not in name and "dry" not in name].index("mirostat_tau")
        await page.press("home", *["down"] * mirostat, "enter")
        assert page.option("--mirostat-tau") == "5"
        assert "mirostat_mu       10 " in page.text("#sliders")
        await slider(page, "mirostat_mu")
        await page.press("enter", "2", "enter", "s", "S")
        expected = softmax([3, 2, 1, 0])
        kept = -np.log2(expected) <= 2
        assert 0 < kept.sum() < 4
        assert_allclose(probs(page), np.where(kept, expected, 0) / expected[kept].sum())
        assert page.option("--mirostat-mu") == "2"
        await page.press("enter", *"default", "enter")
        assert page.option("--mirostat-mu") is None
        await page.press("enter", *"inf", "enter")
        assert "inf is not a finite number, or default" in page.text("#parameters")

    assert explore(drive, *FOUR, size=WIDE) == 0


def test_history_of_a_file(tmp_path: Path, capfd: Capture) -> None:
    file = tmp_path / "tokens.txt"
    file.write_text("A\nB\nA\n")
    out = tmp_path / "out.json"

    async def drive(page: Page) -> None:
        assert_allclose(probs(page), softmax([3 - 2 * 0.5, 2 - 0.5, 1, 0]))
        await switch(page, "repetition_penalty")
        expected = softmax(penalized(np.array([3.0, 2, 1, 0]), [0, 1, 0], 1.1, 0.5))
        assert_allclose(probs(page), expected)
        assert cli.run([*shlex.split(page.app.command_line)[1:], "-o", str(out)]) == 0
        assert json.loads(out.read_bytes())[0]["probs"] == probs(page).tolist()
        # Without a penalty, compute refuses the tokens.
        await switch(page, "repetition_penalty")
        await switch(page, "frequency_penalty")
        assert page.option("--history") is None
        assert_allclose(probs(page), softmax([3, 2, 1, 0]))

    options = ("--history", str(file), "--prompt-tokens", "1", "--frequency-penalty", "0.5")
    assert explore(drive, *FOUR, *options, size=WIDE) == 0


def test_a_note_says_that_the_history_counts_as_generated(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tokens.txt"
    file.write_text("A\nB\n")

    async def drive(page: Page) -> None:
        pass

    options = ("--history", str(file), "--frequency-penalty", "0.5", "--like", "vllm")
    for more, count in (((), 1), (("--prompt-tokens", "1"), 0)):
        assert explore(drive, *FOUR, *options, *more) == 0
        assert capfd.readouterr().err.count("all 2 tokens of ") == count


def test_the_command_has_the_sequence_breakers(tmp_path: Path) -> None:
    file = tmp_path / "tokens.txt"
    file.write_text("A\nB\nC\nA\nB\n")
    commands: list[list[str]] = []

    async def drive(page: Page) -> None:
        commands.append(shlex.split(page.app.command_line))

    options = ("--history", str(file), "--dry-multiplier", "1")
    # The defaults of engines differ, and the user can change the engine.
    defaults = [word for breaker in ("\\n", ":", '"', "*") for word in ("--dry-sequence-breaker", breaker)]
    for more in (
        (),
        ("--dry-sequence-breaker", "none"),
        ("--dry-sequence-breaker", "B\\n", "--dry-sequence-breaker", "A"),
    ):
        assert explore(drive, *FOUR, *options, *more) == 0
        words = commands.pop()
        assert [words[i + 1] for i, word in enumerate(words) if word == "--dry-sequence-breaker"] == list(
            (more or defaults)[1::2]
        )


def test_a_sampler_that_needs_raw_logits_cannot_follow_one_that_shifts_them(tmp_path: Path) -> None:
    file = tmp_path / "tokens.txt"
    file.write_text("A\n")

    async def drive(page: Page) -> None:
        await slider(page, "repetition_penalty")
        await page.press("right_square_bracket")
        assert "needs the raw logits, but edt, which precedes it, subtracts the highest" in page.text("#head")
        await page.press("left_square_bracket")
        assert "raw logits" not in page.text("#head")

    typed = ("--history", str(file), "--repetition-penalty", "2", "--edt-theta", "1")
    assert explore(drive, *FOUR, *typed, size=WIDE) == 0


async def never(_: Page) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["2", "1", "--presence-penalty", "1"], "--presence-penalty depends on the tokens before the distribution; "),
        (["2", "1", "--history", "FILE"], "FILE:1: unknown class 'A'"),
        (["2", "1", "--prompt-tokens", "1"], "--prompt-tokens has no effect without"),
        (["--prompt", "a", "--history", "FILE"], "--prompt and --history are mutually exclusive"),
    ],
)
def test_wrong_arguments(arguments: list[str], problem: str, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "tokens.txt"
    file.write_text("A\n")
    assert explore(never, *(str(file) if word == "FILE" else word for word in arguments)) == 2
    assert problem.replace("FILE", str(file)) in capsys.readouterr().err
