"""Generating the texts: shown while they grow, and written when they end."""

import itertools
import time
from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from tsoft.errors import TsoftError, UsageError
from tsoft.features.generate.interrupts import Interrupts
from tsoft.features.generate.strategies import PromptedModel
from tsoft.models.decoding import FAILED, INTERRUPTED, Strategy, run_decoders
from tsoft.notes import note
from tsoft.options import results
from tsoft.options.groups import OutputOptions
from tsoft.output.file import ended_by_signals
from tsoft.sampling.errors import NothingLeftError

if TYPE_CHECKING:
    from tsoft.features.generate.records import Written
    from tsoft.output.progress import Bar


class Generation:
    """Runs the strategies and writes their texts. Ctrl-C, or a server that fails, ends the texts early, and keeps what
    there is."""

    def __init__(
        self, prompted: PromptedModel, strategies: Sequence[Strategy], seed: int | None, output: OutputOptions
    ):
        self._prompted, self._strategies, self._seed, self._output = prompted, strategies, seed, output
        self._decoders = [decoder for strategy in strategies for decoder in strategy.decoders]
        self._error: BaseException | None = None
        self._interrupts = Interrupts()

    def write(self, format: str) -> None:
        """Write the texts, then raise the error that ended them early."""
        with self._interrupts.installed():
            results.put(self._table() if format == "table" else self._records(format), format, self._output)
        self._prompted.note_listed_mass()
        if self._error is not None:
            if self._output.output is not None:
                note(f"{self._output.output} has the texts as far as they came")
            raise self._error

    def _rounds(self) -> Iterator[None]:
        """Generate the texts, a token of each per round. An error ends them, and is raised only if there are none."""
        try:
            # The distribution after the prompt is known already.
            for decoder in self._decoders:
                decoder.advance([self._prompted.first])
            yield
            yield from run_decoders(
                lambda texts: self._interrupts.call(lambda: self._prompted.next(texts)), self._decoders
            )
        except (TsoftError, KeyboardInterrupt) as error:
            self._error = error
        except NothingLeftError as error:
            self._error = UsageError(str(error))
        for decoder in self._decoders:
            decoder.stop(INTERRUPTED if isinstance(self._error, KeyboardInterrupt) else FAILED)
        if self._error is not None and not any(self._lengths()):
            raise self._error

    def _lengths(self) -> list[int]:
        """The number of tokens of each text."""
        return [len(text.generated) for decoder in self._decoders for text in decoder.texts]

    def _table(self) -> Iterator[str]:
        """The texts side by side, on a terminal also while they grow."""
        from tsoft.features.generate import chart

        view, piece = results.plain_view(self._output), self._prompted.model.piece
        if self._output.output is None and chart.can_redraw():
            live_table = chart.LiveTable(self._prompted.prompt, self._strategies, piece, view)
            with ended_by_signals(), live_table:
                for _ in self._rounds():
                    live_table.show()
        else:
            for _ in self._rounds_with_progress():
                pass
        yield from chart.draw(self._prompted.prompt, self._strategies, piece, view, self._seed)

    def _records(self, format: str) -> Iterator[str]:
        """Each text as soon as it and those before it have ended."""
        from tsoft.features.generate.records import Telling, write
        from tsoft.output.number_format import NumberFormat

        model = self._prompted.model
        writing = NumberFormat(digits=self._output.digits)
        telling = Telling(self._prompted.prompt, model.name, model.vocab_size, model.piece, model.label, writing)
        yield from write(self._ended(), format, telling)

    def _ended(self) -> "Iterator[Written]":
        from tsoft.features.generate.records import written

        waiting = [(strategy, decoder) for strategy in self._strategies for decoder in strategy.decoders]
        for _ in itertools.chain(self._rounds_with_progress(), [None]):
            while waiting and not waiting[0][1].requested:
                strategy, decoder = waiting.pop(0)
                yield from written(strategy, decoder, self._seed)

    def _rounds_with_progress(self) -> Iterator[None]:
        """The rounds, with a progress bar if a user sees it and they take longer than a moment."""
        bar: Bar | None = None
        start = time.monotonic()
        is_watched = results.is_watched(self._output)
        try:
            for _ in self._rounds():
                yield
                if is_watched and time.monotonic() - start > results.MOMENT:
                    from tsoft.output import progress

                    bar = bar or progress.Bar()
                    length = int(fmean(self._lengths()))
                    bar.show(f"{length} tokens a text", length)
        finally:
            if bar:
                bar.stop()
