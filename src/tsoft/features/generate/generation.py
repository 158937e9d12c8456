"""Generation of the texts, which are shown while they grow and written when they end."""

import itertools
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from tsoft.errors import TsoftError, UsageError
from tsoft.features.generate.interrupts import Interrupts
from tsoft.features.generate.numbered_texts import NumberedText, numbered_texts
from tsoft.features.generate.result import GenerateResult
from tsoft.features.generate.strategies import PromptedModel
from tsoft.models.decoding import Strategy, run_decoders
from tsoft.models.generated_text import FAILED, INTERRUPTED
from tsoft.notes import note
from tsoft.options import writing
from tsoft.options.output import FigureOptions, OutputOptions
from tsoft.output.file import ended_by_signals, files_together
from tsoft.output.watching import watched
from tsoft.sampling.step import ChainError

if TYPE_CHECKING:
    from tsoft.charts.view import View


class Generation:
    """A run of the strategies, which writes their texts.

    Ctrl-C or a server error ends the texts early and keeps the tokens generated so far.
    """

    def __init__(
        self,
        prompted: PromptedModel,
        strategies: Sequence[Strategy],
        seed: int | None,
        chosen: Sequence[tuple[OutputOptions, str]],
        figure: FigureOptions,
    ):
        self._prompted, self._strategies, self._seed = prompted, strategies, seed
        # The first file is written while the texts grow.
        self._chosen, self._output, self._figure = chosen, chosen[0][0], figure
        self._has_run = False
        self._decoders = [decoder for strategy in strategies for decoder in strategy.decoders]
        self._error: BaseException | None = None
        self._interrupts = Interrupts()

    def write(self) -> None:
        """Write the texts to each file, then raise the error that ended them early."""
        # The files stay although the error is raised after them.
        with self._interrupts.installed(), files_together():
            for file, format in self._chosen:
                result = GenerateResult(self._ended(), self._prompted.prompt, self._prompted.model, self._drawn)
                writing.write(result, format, file, lambda: writing.view(self._output), self._figure)
        self._prompted.note_listed_mass()
        if self._error is not None:
            for file, _ in self._chosen:
                if file.file is not None:
                    note(f"{file.file} contains the texts generated so far")
            raise self._error

    def _rounds(self) -> Iterator[None]:
        """Generate the texts, one token of each per round.

        An error ends the texts. It is raised here only if all texts are empty. After the first time, there is no round.
        """
        if self._has_run:
            return
        self._has_run = True
        try:
            # The distribution after the prompt is already known.
            for decoder in self._decoders:
                decoder.advance([self._prompted.first])
            yield
            yield from run_decoders(
                lambda texts: self._interrupts.call(lambda: self._prompted.next(texts)), self._decoders
            )
        except (TsoftError, KeyboardInterrupt) as error:
            self._error = error
        except ChainError as error:
            self._error = UsageError(error.with_fix)
        for decoder in self._decoders:
            decoder.stop(INTERRUPTED if isinstance(self._error, KeyboardInterrupt) else FAILED)
        if self._error is not None and not any(self._lengths()):
            raise self._error

    def _lengths(self) -> list[int]:
        """Return the number of tokens of each text."""
        return [len(text.generated) for decoder in self._decoders for text in decoder.texts]

    def _drawn(self, view: "View") -> Iterator[str]:
        """Draw the texts side by side, on a terminal also while they grow."""
        from tsoft.features.generate import chart

        prompt, piece = self._prompted.prompt, self._prompted.model.piece
        if self._output.file is None and chart.can_redraw():
            with ended_by_signals(), chart.live_table(prompt, self._strategies, piece, view) as redraw:
                for _ in self._rounds():
                    redraw()
        else:
            for _ in self._rounds_with_progress():
                pass
        yield from chart.draw(prompt, self._strategies, piece, view, self._seed)

    def _ended(self) -> Iterator[NumberedText]:
        """Yield each text as soon as it and all texts before it have ended."""
        waiting = [(strategy, decoder) for strategy in self._strategies for decoder in strategy.decoders]
        for _ in itertools.chain(self._rounds_with_progress(), [None]):
            while waiting and not waiting[0][1].requested:
                strategy, decoder = waiting.pop(0)
                yield from numbered_texts(strategy, decoder, self._seed)

    def _rounds_with_progress(self) -> Iterator[None]:
        """Yield the rounds, with a progress bar if a user is watching and they take longer than a moment."""
        if not writing.is_watched(self._output):
            return self._rounds()
        return watched(self._rounds(), self._progress)

    def _progress(self, _: None, __: float) -> tuple[str, int]:
        length = int(fmean(self._lengths()))
        return f"{length} tokens per text", length
