"""Texts as they are made: seen while they grow, and written when they end."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tsoft.errors import TsoftError, UsageError
from tsoft.features.generate.interrupts import Interrupts
from tsoft.features.generate.strategies import Asked
from tsoft.models.decoding import FAILED, INTERRUPTED, Strategy, run_decoders
from tsoft.notes import note
from tsoft.options import results
from tsoft.options.groups import OutputOptions
from tsoft.output.file import ended_by_signals
from tsoft.sampling.errors import NothingLeftError

if TYPE_CHECKING:
    from tsoft.features.generate.records import Written
    from tsoft.output.progress import Bar


class Writer:
    """The ways to texts, and how their texts are written. Ctrl-C, or a server that fails, ends them early, and
    loses nothing that there is."""

    def __init__(self, asked: Asked, ways: Sequence[Strategy], seed: int | None, output: OutputOptions):
        self._asked, self._ways, self._seed, self._output = asked, ways, seed, output
        self._error: BaseException | None = None
        self._interrupts = Interrupts()

    def write(self, name: str) -> None:
        """The texts in a format by its name, and then what ended them early."""
        with self._interrupts.standing():
            results.put(self._table() if name == "table" else self._records(name), name, self._output)
        self._asked.say()
        if self._error is not None:
            if self._output.output is not None:
                note(f"{self._output.output} has the texts as far as they came")
            raise self._error

    def _rounds(self) -> Iterator[None]:
        """Brings the texts to their end, whatever that is."""
        decoders = [search for way in self._ways for search in way.decoders]
        try:
            # What comes after the prompt is known already.
            for search in decoders:
                search.advance([self._asked.first])
            yield
            yield from run_decoders(lambda texts: self._interrupts.waiting(lambda: self._asked.next(texts)), decoders)
        except (TsoftError, KeyboardInterrupt) as error:
            self._error = error
        except NothingLeftError as error:
            self._error = UsageError(str(error))
        for search in decoders:
            search.stop(INTERRUPTED if isinstance(self._error, KeyboardInterrupt) else FAILED)
        if self._error is not None and not any(text.generated for search in decoders for text in search.texts):
            raise self._error

    def _table(self) -> Iterator[str]:
        """The texts side by side, on a terminal while they are written."""
        from tsoft.features.generate import chart

        looking, piece = results.plain_view(self._output), self._asked.model.piece
        if self._output.output is None and chart.can_watch():
            watching = chart.Watching(self._asked.prompt, self._ways, piece, looking)
            with ended_by_signals(), watching:
                for _ in self._rounds():
                    watching.show()
        else:
            for _ in self._watched():
                pass
        yield from chart.draw(self._asked.prompt, self._ways, piece, looking, self._seed)

    def _records(self, name: str) -> Iterator[str]:
        """Each text as soon as it and those before it are ended."""
        from tsoft.features.generate.records import Telling, write
        from tsoft.output.number_format import NumberFormat

        asked = self._asked
        model = asked.model
        writing = NumberFormat(digits=self._output.digits)
        telling = Telling(asked.prompt, model.name, model.vocab_size, model.piece, model.label, writing)
        yield from write(self._ended(), name, telling)

    def _ended(self) -> "Iterator[Written]":
        from tsoft.features.generate.records import written

        waiting = [(way, search) for way in self._ways for search in way.decoders]
        for _ in itertools.chain(self._watched(), [None]):
            while waiting and not waiting[0][1].requested:
                way, search = waiting.pop(0)
                yield from written(way, search, self._seed)

    def _watched(self) -> Iterator[None]:
        """The rounds, with how far they are, where someone sees it and it takes longer than a moment."""
        bar: Bar | None = None
        start = time.monotonic()
        watching = results.is_watched(self._output)
        try:
            for number, _ in enumerate(self._rounds(), 1):
                yield
                if watching and time.monotonic() - start > results.MOMENT:
                    from tsoft.output import progress

                    bar = bar or progress.Bar()
                    bar.show(f"{number} tokens a text", number)
        finally:
            if bar:
                bar.stop()
