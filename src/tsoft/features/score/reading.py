"""Reading texts, and scoring them with a model."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tsoft.core.softmax import Array
from tsoft.errors import InputError, UsageError, visible
from tsoft.features.score.scored_text import ScoredText, TokenMeter
from tsoft.features.score.tau_curve import best_tau
from tsoft.features.score.windows import Window, WindowSizes
from tsoft.input.limits import read_limited
from tsoft.input.source import STDIN, open_input
from tsoft.input.utf8 import decode_text
from tsoft.models.endpoint import Endpoint
from tsoft.models.model import Model, ReadingModel
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.notes import note

# The largest text in bytes.
MAX_BYTES = 1 << 26

# A distribution, the index of the token of the text in it, None if it has no such token, and the token's number.
Step = tuple[NextDistribution, int | None, int]
# Shows the progress of the work on the tokens of a text.
Progress = Callable[[Iterable[Step], int], Iterable[Step]]


@dataclass(frozen=True)
class InputText:
    """A text and its name."""

    name: str
    text: str


@dataclass(frozen=True, eq=False)
class ScoreSettings:
    """What to compute for each text: the measures at `taus`, (k,), the number of `alternatives` of each token, and with
    `has_curve` the curve over τ."""

    taus: Array
    alternatives: int
    sizes: WindowSizes
    has_curve: bool


def read_text(file: str) -> InputText:
    """Return the UTF-8 text of a file, or of stdin for `-`, without its last line break.

    Raise InputError for an empty text.
    """
    name = STDIN if file == "-" else file
    if len(file.split()) > 1 and not os.path.exists(file):
        raise InputError(f"{file}: no such file; to score a text, pipe it to tsoft score")
    with open_input(file) as stream:
        data = read_limited(stream, MAX_BYTES, name, "text")
    text = decode_text(data, name, allows_nul=True).removesuffix("\n").removesuffix("\r")
    if not text:
        raise InputError(f"{name}: the text is empty; there is nothing to score")
    return InputText(name, text)


@dataclass(frozen=True, eq=False)
class _Reading:
    """The `count` steps of a text, its `first` token if it is not scored, and the number of windows."""

    steps: Iterator[Step]
    count: int
    first: int | None
    windows: int = 1


class Scorer:
    """Scores texts after a prompt with a model. Notes that concern all texts are printed once."""

    def __init__(self, model: Model, prompt: str | None, settings: ScoreSettings):
        self.model, self.prompt, self.settings = model, prompt, settings
        self._noted: set[str] = set()

    def scored(self, source: InputText, progress: Progress) -> ScoredText:
        """Return the scores of a text. Raise InputError if no token of it can be scored."""
        settings = self.settings
        meter = TokenMeter(settings.taus, settings.alternatives, has_curve=settings.has_curve)
        if isinstance(self.model, Endpoint):
            reading = self._server_reading(self.model, source)
        else:
            assert isinstance(self.model, ReadingModel)
            reading = self._reading(self.model, source)
        if not reading.count:
            problem = "the text has only one token, which nothing precedes"
            raise InputError(f"{source.name}: {problem}; pass --prompt TEXT")
        for following, index, token in progress(reading.steps, reading.count):
            meter.add(following, index, token)
        return self._text(source, meter, reading)

    def _reading(self, model: ReadingModel, source: InputText) -> _Reading:
        """Return how a model on this machine reads a text."""
        given, text = model.prompted(self.prompt, source.text)
        first = text[0] if self.prompt is None else None
        if first is not None and len(text) == 1:
            return _Reading(iter(()), 0, first)
        sizes = self._sizes(model)
        windows = sizes.windows(len(given), len(text), has_prompt=self.prompt is not None)
        if len(windows) > 1:
            least = min(len(given) + window.first - window.start for window in windows[1:])
            problem = f"{source.name}: the text has {len(text)} tokens, more than a window of {sizes.window}"
            read = f"the model reads it in {len(windows)} windows, and each token after the first window has at least"
            note(f"{problem}; {read} {least} tokens of context")
        steps = _steps(model, given, text, windows)
        return _Reading(steps, len(text) - (first is not None), first, len(windows))

    def _sizes(self, model: Model) -> WindowSizes:
        """Return the sizes of the windows. Raise UsageError for those that do not fit the model."""
        sizes, limit = self.settings.sizes, model.context_length
        if limit is None and sizes != WindowSizes():
            option = "--window" if sizes.window else "--stride"
            raise UsageError(
                f"{option} has no effect with {visible(model.name)}, which reads texts of any length; remove {option}"
            )
        if sizes.window and limit and sizes.window > limit:
            raise UsageError(f"--window {sizes.window}: the model accepts at most {limit} tokens")
        return WindowSizes(sizes.window or limit, sizes.stride)

    def _server_reading(self, model: Endpoint, source: InputText) -> _Reading:
        """Return how a server reads a text."""
        if self.settings.sizes != WindowSizes():
            option = "--window" if self.settings.sizes.window else "--stride"
            raise UsageError(f"{option} has no effect with --endpoint, because the server reads the whole text")
        prompt = self.prompt or ""
        tokens = model.echoed(prompt, source.text)
        unscored = not prompt or tokens[0].distribution is None
        if prompt and tokens[0].start < len(prompt.encode()):
            spans = f"the token {model.label(tokens[0].token)!r} spans the end of the prompt and the start of the text"
            note(f"{source.name}: {spans}; tsoft counts it as a part of the text")
        scored = tokens[1:] if unscored else tokens
        steps = ((each.distribution, each.index, each.token) for each in scored if each.distribution is not None)
        return _Reading(steps, len(scored), tokens[0].token if unscored else None)

    def _text(self, source: InputText, meter: TokenMeter, reading: _Reading) -> ScoredText:
        model, settings, first = self.model, self.settings, reading.first
        if first is not None:
            self._note("the first token of a text is not scored, because nothing precedes it; pass --prompt TEXT")
        measurements = meter.measurements()
        best = None
        if measurements.curve is not None:
            best = best_tau(measurements.curve)
        elif isinstance(model, Endpoint) and settings.has_curve:
            self._note("the server lists only some tokens, so the entropies and the curve over τ are unknown")
        numbers = [token.token for token in meter.tokens]
        text = ScoredText(
            source.name,
            meter.tokens,
            [model.piece(number) for number in numbers],
            [model.label(number) for number in numbers],
            settings.taus,
            measurements,
            best,
            None if first is None else model.label(first),
            reading.windows,
        )
        if count := int(text.impossible.sum()):
            note(f"{source.name}: {_impossible_text(text, count)}")
        return text

    def _note(self, sentence: str) -> None:
        if sentence not in self._noted:
            self._noted.add(sentence)
            note(sentence)


def _impossible_text(text: ScoredText, count: int) -> str:
    """Return what the totals leave out: `count` tokens of probability 0."""
    cause, total = "probability 0 under the model", len(text.tokens)
    if count == total:
        tokens = "the only token has" if total == 1 else f"all {total} tokens have"
        return f"{tokens} {cause}, so the totals are unknown"
    verb, pronoun = ("has", "it") if count == 1 else ("have", "them")
    example = repr(text.labels[int(text.impossible.argmax())])[:40]
    return f"{count} of {total} tokens {verb} {cause}, such as {example}; the totals leave {pronoun} out"


def _steps(model: ReadingModel, given: Tokens, text: Tokens, windows: Sequence[Window]) -> Iterator[Step]:
    for window in windows:
        read = given + text[window.start : window.stop]
        following = model.after_each(read, len(given) + window.first - window.start)
        for distribution, token in zip(following, text[window.first : window.stop + 1], strict=True):
            # An n-gram model numbers a word that it does not know after all others.
            is_known = token < distribution.block.logits.shape[1]
            yield distribution, token if is_known else None, token
