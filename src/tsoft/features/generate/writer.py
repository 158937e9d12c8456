"""Texts as they are made: seen while they grow, and written when they end."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tsoft.errors import TsoftError, UsageError
from tsoft.features.generate.interrupts import Interrupts
from tsoft.features.generate.result import GenerateResult, Source, Written, written
from tsoft.features.generate.strategies import Asked
from tsoft.models.decoding import FAILED, INTERRUPTED, Strategy, rounds
from tsoft.notes import note
from tsoft.options import output as outputs
from tsoft.options.output import OutputOptions
from tsoft.output.file import ended_by_signals
from tsoft.output.watching import watched
from tsoft.sampling.step import AllRemovedError

if TYPE_CHECKING:
    from tsoft.charts.view import View


class Writer:
    """The ways to texts, and how their texts are written. Ctrl-C, or a server that fails, ends them early, and
    loses nothing that there is."""

    def __init__(self, asked: Asked, ways: Sequence[Strategy], seed: int | None, output: OutputOptions):
        self._asked, self._ways, self._seed, self._output = asked, ways, seed, output
        self._error: BaseException | None = None
        self._interrupts = Interrupts()

    def write(self, name: str) -> None:
        """The texts in a format by its name, and then what ended them early."""
        model = self._asked.model
        source = Source(self._asked.prompt, model.name, model.size, model.piece, model.label)
        result = GenerateResult(self._ended(), source, self._drawn)
        with self._interrupts.standing():
            outputs.write(result, name, self._output, lambda: outputs.view(self._output))
        self._asked.say()
        if self._error is not None:
            if self._output.output is not None:
                note(f"{self._output.output} has the texts as far as they came")
            raise self._error

    def _rounds(self) -> Iterator[None]:
        """Brings the texts to their end, whatever that is."""
        searches = [search for way in self._ways for search in way.searches]
        try:
            # What comes after the prompt is known already.
            for search in searches:
                search.answer([self._asked.first])
            yield
            yield from rounds(lambda texts: self._interrupts.waiting(lambda: self._asked.next(texts)), searches)
        except (TsoftError, KeyboardInterrupt) as error:
            self._error = error
        except AllRemovedError as error:
            self._error = UsageError(str(error))
        for search in searches:
            search.stop(INTERRUPTED if isinstance(self._error, KeyboardInterrupt) else FAILED)
        if self._error is not None and not any(text.steps for search in searches for text in search.texts):
            raise self._error

    def _drawn(self, view: "View") -> Iterator[str]:
        """The texts side by side, on a terminal while they are written."""
        from tsoft.features.generate import chart

        piece = self._asked.model.piece
        if self._output.output is None and chart.can_watch():
            watching = chart.Watching(self._asked.prompt, self._ways, piece, view)
            with ended_by_signals(), watching:
                for _ in self._rounds():
                    watching.show()
        else:
            for _ in self._watched():
                pass
        yield from chart.draw(self._asked.prompt, self._ways, piece, view, self._seed)

    def _ended(self) -> Iterator[Written]:
        """Each text as soon as it and those before it have ended."""
        waiting = [(way, search) for way in self._ways for search in way.searches]
        for _ in itertools.chain(self._watched(), [None]):
            while waiting and not waiting[0][1].asked:
                way, search = waiting.pop(0)
                yield from written(way, search, self._seed)

    def _watched(self) -> Iterator[int]:
        """The rounds, with a progress bar where it is seen and they take longer than a moment."""
        rounds = (number for number, _ in enumerate(self._rounds(), 1))
        if not outputs.is_watched(self._output):
            return rounds
        return watched(rounds, lambda number, _: (f"{number} tokens a text", number))
