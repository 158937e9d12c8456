"""Settings files on the command line: the samplers that depend on the text before the token."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tool import here

LOGITS = {"a": 2.0, "b": 1.0, "c": -1.0}
UNKNOWN = "since the tokens before the distribution are unknown; pass --history FILE"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def softmax(z: Any) -> Any:
    powers = np.exp(np.asarray(z) - np.max(z))
    return powers / powers.sum()


def computed(settings: Any, *options: str, history: str = "") -> tuple[list[float], list[str]]:
    """Return the probabilities of `tsoft compute` with a settings file, and its notes about the file."""
    Path("f.json").write_text(json.dumps(settings))
    if history:
        Path("h.txt").write_text(history)
        options = (*options, "--history", "h.txt")
    logits = (f"{label}={z}" for label, z in LOGITS.items())
    done = here("compute", *logits, "--settings", "f.json", *options)
    assert done.returncode == 0, done.stderr
    notes = [line.removeprefix("tsoft: note: ") for line in done.stderr.splitlines()]
    return [float(p) for p in done.stdout.split()], [note for note in notes if note.startswith("f.json")]


PENALTIES = {"repetition_penalty": 2, "presence_penalty": 0.5, "penalty_last_n": 2, "dry_multiplier": 0.8}


def test_settings_that_need_the_history_are_ignored_without_it() -> None:
    got, notes = computed({"temperature": 2, **PENALTIES, "dry_sequence_breakers": ["b"]})
    assert got == pytest.approx(softmax(np.array([*LOGITS.values()]) / 2))
    assert notes[0] == "f.json, settings, sets temperature 2"
    fields = "repetition_penalty 2, presence_penalty 0.5, penalty_last_n 2 and dry_multiplier 0.8"
    assert notes[1] == f"f.json: tsoft ignores {fields}, {UNKNOWN}"
    assert len(notes) == 3
    # The engine need not have them, either.
    assert computed({"temperature": 2, **PENALTIES}, "--like", "mlx-lm")[0] == pytest.approx(got)


def test_settings_that_need_the_history_apply_with_it() -> None:
    settings = {"temperature": 2, **PENALTIES, "dry_multiplier": 0}
    got, notes = computed(settings, history="c\na\na\n")
    # The last two tokens are "a": its logit is halved first.
    assert got == pytest.approx(softmax(np.array([2 / 2 - 0.5, 1, -1]) / 2))
    fields = "temperature 2, repetition_penalty 2, presence_penalty 0.5, penalty_last_n 2"
    assert notes[0] == f"f.json, settings, sets {fields}"
    assert not any("ignores" in note for note in notes)
    # Typed options override the file.
    got, notes = computed(settings, "--penalty-last-n", "1", "--repetition-penalty", "1", history="c\na\n")
    assert got == pytest.approx(softmax(np.array([2 - 0.5, 1, -1]) / 2))
    assert notes[0] == "f.json, settings, sets temperature 2, presence_penalty 0.5"


def test_sequence_breakers_of_a_file() -> None:
    """After "a b c a b", the token c would extend the repetition of "a b"; a breaker b leaves no repetition."""
    plain, history = np.array([*LOGITS.values()]), "a\nb\nc\na\nb\n"
    settings = {"dry_multiplier": 0.8, "dry_sequence_breakers": ["\n", "b"]}
    got, notes = computed(settings, history=history)
    assert got == pytest.approx(softmax(plain))
    assert notes[0] == r'f.json, settings, sets dry_multiplier 0.8, dry_sequence_breakers ["\n", "b"]'
    penalized = softmax(plain - [0, 0, 0.8])
    assert computed({"dry_multiplier": 0.8, "dry_sequence_breakers": []}, history=history)[0] == pytest.approx(
        penalized
    )
    got, notes = computed(settings, "--dry-sequence-breaker", "x", history=history)
    assert got == pytest.approx(penalized)
    assert notes[0] == "f.json, settings, sets dry_multiplier 0.8"
    # The multiplier may be on the command line alone.
    typed = ("--dry-multiplier", "0.8")
    assert computed({"temperature": 1}, *typed, history=history)[0] == pytest.approx(penalized)
    others = {"dry_sequence_breakers": ["b"], "temperature": 1}
    assert computed(others, *typed, history=history)[0] == pytest.approx(softmax(plain))


def test_an_option_switches_a_sampler_of_the_file_on() -> None:
    """The file's other numbers for the sampler, which is off there, apply. One that means nothing is an error then."""
    settings: dict[str, Any] = {"repeat_penalty": 1, "repeat_last_n": 1, "dry_multiplier": 0, "dry_base": 0}
    got, notes = computed(settings, "--presence-penalty", "1", history="c\na\n")
    assert got == pytest.approx(softmax([1, 1, -1]))
    assert notes[0] == "f.json, settings, sets repeat_last_n 1"
    got, notes = computed({**settings, "repeat_last_n": -1}, "--presence-penalty", "1", history="c\na\n")
    assert got == pytest.approx(softmax([1, 1, -2]))
    assert notes[0] == "f.json, settings, sets repeat_last_n all"
    Path("f.json").write_text(json.dumps(settings))
    done = here("compute", "a=2", "b=1", "--settings", "f.json", "--dry-multiplier", "1", "--history", "h.txt")
    assert done.stderr == "tsoft: error: f.json: dry_base: expected a finite number of at least 1, got 0\n"


def test_a_history_that_the_file_does_not_need_is_an_error() -> None:
    Path("f.json").write_text('{"temperature": 1, "repeat_penalty": 1.0, "repeat_last_n": 64}')
    Path("h.txt").write_text("a\n")
    done = here("compute", "a=2", "b=1", "--settings", "f.json", "--history", "h.txt")
    assert done.returncode == 2
    assert "--history has no effect without a sampler that depends on it" in done.stderr


def test_mirostat_and_adaptive_p_of_a_file_need_no_history() -> None:
    # Before the first token, mirostat keeps the classes with a surprise of at most twice its target.
    got, notes = computed({"mirostat": 2, "mirostat_tau": 1, "mirostat_eta": 0.2, "top_k": 0})
    assert got == pytest.approx([*softmax([2, 1]), 0])
    assert notes[0] == "f.json, settings, sets mirostat_tau 1, mirostat_eta 0.2"
    typed = computed({"temperature": 1}, "--adaptive-target", "0.3", "--adaptive-decay", "0.5")[0]
    assert computed({"adaptive_target": 0.3, "adaptive_decay": 0.5})[0] == pytest.approx(typed)


def test_a_model_knows_the_history() -> None:
    """All four words of the text are equally probable. Only the first one is in the prompt."""
    Path("text.txt").write_text("ab ac ab ad")
    Path("f.json").write_text('{"presence_penalty": 2}')
    done = here("next", "--ngram", "text.txt", "--order", "2", "ab a", "-f", "table", "--settings", "f.json")
    assert "f.json, settings, sets presence_penalty 2\n" in done.stderr
    penalized, *others = softmax([-2, 0, 0, 0])
    assert done.stdout.count(f" {penalized:.4f} ") == 1
    assert done.stdout.count(f" {others[0]:.4f} ") == 3


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"repetition_penalty": 0}, "repetition_penalty: expected a finite number above 0, got 0"),
        ({"rep_pen": 2, "rep_pen_range": -5}, "rep_pen_range: expected a whole number of at least 0, got -5"),
        ({"rep_pen": 2, "repeat_last_n": 1.5}, "repeat_last_n: expected a whole number of at least 0, got 1.5"),
        ({"dry_multiplier": -1}, "dry_multiplier: expected a finite number of at least 0, got -1"),
        ({"dry_multiplier": 1, "dry_base": 0.5}, "dry_base: expected a finite number of at least 1, got 0.5"),
        ({"mirostat": 2, "mirostat_tau": 0}, "mirostat_tau: expected a finite number above 0, got 0"),
        ({"mirostat": 2, "mirostat_lr": 2}, "mirostat_lr: expected a number from 0 to 1, got 2"),
        ({"adaptive_target": 1.5}, "adaptive_target: expected a number from 0 to 1, got 1.5"),
        ({"adaptive_target": 0.5, "adaptive_decay": -1}, "adaptive_decay: expected a number from 0 to 0.99, got -1"),
    ],
)
def test_numbers_out_of_range(settings: Any, problem: str) -> None:
    Path("f.json").write_text(json.dumps(settings))
    done = here("compute", "2", "1", "--settings", "f.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"tsoft: error: f.json: {problem}\n"
