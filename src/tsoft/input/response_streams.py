"""Streams whose pieces are in an array of a document, such as a log."""

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tsoft.input.json_values import Object, is_index
from tsoft.input.response_lists import ANSWERS, Answer, FoundList, Path
from tsoft.input.response_texts import PIECE_MARKS, has_id, has_mark, is_piece
from tsoft.input.token_shapes import field

# Fields of pieces that are documents.
_DOCUMENT_MARKS = (*ANSWERS, "id", "type", "object")


@dataclass(frozen=True)
class Stream:
    """An array of pieces in a document: its path, the pieces with their indices, and the objects that contain it, the
    innermost first."""

    path: Path
    pieces: list[tuple[int, Object]]
    objects: tuple[Object, ...]

    def contains(self, found: FoundList) -> bool:
        """Return whether a list of tokens is in one of the pieces."""
        return found.path[: len(self.path)] == self.path


def streams_in(document: Object, lists: list[FoundList]) -> list[Stream]:
    """Return the streams in a document that has these lists of tokens."""
    arrays = defaultdict[Path, list[Answer]](list)
    for found in lists:
        path = found.answer.path
        ends = [i for i in range(1, len(path)) if isinstance(path[i], int) and path[i - 1] not in ANSWERS]
        if ends:
            arrays[path[: ends[-1]]].append(found.answer)
    streams = [(_stream(document, path), answers) for path, answers in arrays.items() if any(map(is_piece, answers))]
    return [stream for stream, answers in streams if _are_pieces(answers, stream) and not _is_one_piece(stream)]


def _are_pieces(answers: list[Answer], stream: Stream) -> bool:
    """Return whether the answers in an array are those of pieces, which are the elements or, if a mark or an id shows
    that they are no whole responses, in the elements."""
    insides = [[*itertools.takewhile(lambda record: record is not stream.objects[0], a.objects)] for a in answers]
    if all(any(map(_has_piece_mark, inside[-1:])) for inside in insides):
        return True
    are_marked = all(any(map(_has_piece_mark, inside)) for inside in insides)
    return are_marked and any(has_mark(answer) or has_id(answer) for answer in answers)


def _has_piece_mark(record: Object) -> bool:
    return not record.keys().isdisjoint(PIECE_MARKS)


def _is_one_piece(stream: Stream) -> bool:
    """Return whether an array is that of the answers in one piece of a stream, and not of its pieces: the object around
    it has an id, and each element another number. Protocol Buffers leave out the number 0."""
    numbers = [piece.get("index", 0) for _, piece in stream.pieces]
    if not all(map(is_index, numbers)) or len(set(numbers)) < len(numbers):
        return False
    are_answers = all(piece.keys().isdisjoint(_DOCUMENT_MARKS) for _, piece in stream.pieces)
    return are_answers and isinstance(field(stream.objects[0], "id"), str)


def _stream(document: Object, path: Path) -> Stream:
    value: Any = document
    objects: tuple[Object, ...] = ()
    for key in path:
        objects = (value, *objects) if isinstance(value, dict) else objects
        value = value[key]
    return Stream(path, [(i, piece) for i, piece in enumerate(value) if isinstance(piece, dict)], objects)
