"""Streams whose pieces are in an array of a document, such as a log, and streams whose pieces have different ids."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tsoft.input.json_values import Location, Object
from tsoft.input.response_lists import ANSWERS, FoundList, Path
from tsoft.input.response_texts import is_piece

# Fields that the pieces of a stream have, and other objects of an unfinished answer do not.
_PIECE_MARKS = (*ANSWERS, "delta", "done", "stop")


@dataclass(frozen=True)
class Stream:
    """An array of pieces in a document: its path, the pieces, and the objects that contain it, the innermost first."""

    path: Path
    pieces: list[Object]
    objects: tuple[Object, ...]

    def contains(self, found: FoundList) -> bool:
        """Return whether a list of tokens is in one of the pieces."""
        return found.path[: len(self.path)] == self.path


def streams_in(document: Object, lists: list[FoundList]) -> list[Stream]:
    """Return the streams in a document that has these lists of tokens."""
    paths: dict[Path, None] = {}
    for found in lists:
        path = found.answer.path
        ends = [i for i in range(1, len(path)) if isinstance(path[i], int) and path[i - 1] not in ANSWERS]
        if ends and path[: ends[-1]] not in paths and is_piece(found.answer):
            paths[path[: ends[-1]]] = None
    streams = (_stream(document, path) for path in paths)
    return [stream for stream in streams if all(_has_mark(piece) for piece in stream.pieces)]


def _has_mark(piece: object) -> bool:
    return isinstance(piece, dict) and not piece.keys().isdisjoint(_PIECE_MARKS)


def _stream(document: Object, path: Path) -> Stream:
    value: Any = document
    objects: tuple[Object, ...] = ()
    for key in path:
        objects = (value, *objects) if isinstance(value, dict) else objects
        value = value[key]
    return Stream(path, value, objects)


@dataclass(frozen=True)
class Piece:
    """A value in a source: its location, and whether it is in a line of a saved stream. The end of a stream has no
    value."""

    location: Location
    value: object
    is_streamed: bool
    is_end: bool = False

    @property
    def id(self) -> str | None:
        """The id of a line of a stream; None without one."""
        name = self.value.get("id") if self.is_streamed and isinstance(self.value, dict) else None
        return name if isinstance(name, str) and name else None

    @property
    def is_finished(self) -> bool:
        """Whether the piece ends an answer."""
        choices = self.value.get("choices") if isinstance(self.value, dict) else None
        return isinstance(choices, list) and any(isinstance(c, dict) and c.get("finish_reason") for c in choices)


def with_ids_of_texts(pieces: Iterable[Piece], note: Callable[[str], None]) -> Iterator[Piece]:
    """Yield the pieces of a source, with the id of the first one if each piece of a stream has another id, as some
    servers write them.

    Only the end of the stream shows this, since the texts of other streams have the same id in several pieces. Until
    then, pieces with other ids than the first one wait.
    """
    ids: set[str] = set()
    waiting: list[Piece] = []
    are_of_texts = False
    for piece in pieces:
        if piece.is_end:
            yield from _joined(waiting, note)
            ids, waiting, are_of_texts = set(), [], False
        elif not are_of_texts and piece.id is not None:
            are_of_texts = piece.id in ids or (not ids and piece.is_finished)
            ids.add(piece.id)
            if are_of_texts:
                yield from waiting[1:]
                waiting = []
            else:
                waiting.append(piece)
        elif len(waiting) > 1:
            waiting.append(piece)
        # The first piece does not wait, but it is kept for its id.
        if len(waiting) < 2:
            yield piece
    yield from _joined(waiting, note)


def _joined(pieces: list[Piece], note: Callable[[str], None]) -> Iterator[Piece]:
    """Yield the pieces after the first one, with its id."""
    if len(pieces) > 1:
        note(pieces[0].location.message("each piece of the stream has another id; tsoft reads them as one answer"))
    for piece in pieces[1:]:
        if isinstance(piece.value, dict):
            yield replace(piece, value=piece.value | {"id": pieces[0].id})
        else:
            yield piece
