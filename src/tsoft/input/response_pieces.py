"""The JSON values of a source with responses: one document, lines, or the lines of a saved stream, whose pieces may
have different ids."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from tsoft.input.json_lines import joined_lines, numbered_lines
from tsoft.input.json_values import Location, parsed_json
from tsoft.input.lines import Skipped
from tsoft.input.read_options import ReadOptions

# The data of the last line of a stream.
_END = b"[DONE]"


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


def pieces_in(stream: BinaryIO, options: ReadOptions) -> Iterator[Piece]:
    """Yield the values of a source, and the ends of its streams."""
    for number, data, streamed in _json_texts(stream, options):
        location = Location(options.source if number == 1 else f"{options.source}:{number}")
        is_end = streamed and data.strip() == _END
        yield Piece(location, None if is_end else parsed_json(data, options, number), streamed, is_end)


def _json_texts(stream: BinaryIO, options: ReadOptions) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the JSON texts of a source, one per line or one that spans all lines.

    Each text is yielded with the number of its first line, and whether it is a `data:` line of a stream.
    """
    streamed = is_ended = False
    event: list[bytes] = []
    first, skipped = 0, Skipped(options)
    batches = numbered_lines(stream, options)
    for batch in batches:
        for i, (number, line) in enumerate(batch):
            text = line.strip()
            field, colon, data = text.partition(b":")
            if colon and field in (b"data", b"event", b"id", b"retry", b""):
                streamed = True
                is_ended = is_ended or data.strip() == _END
                if field == b"data" and data.strip():
                    first = first if event else number
                    event.append(data)
                    if not _is_cut_off(event[0]):
                        yield first, event.pop(), True
                    skipped = Skipped(options)
                else:
                    skipped.add(line)
            elif event and not text:
                # An event with several lines of data ends with a blank line.
                yield first, b"\n".join(event), True
                event = []
            elif text and is_ended:
                options.note(
                    f"{options.source}:{number}: tsoft ignores the lines after the end of the stream, data: [DONE]"
                )
                return
            elif text and streamed:
                raise options.error(number, "expected a line of a stream, which starts with data:")
            elif text[:1] in (b"{", b"[") and not _is_cut_off(text):
                yield number, text, False
                skipped = Skipped(options)
            elif text:
                yield number, joined_lines(itertools.chain([batch[i:]], batches), options), False
                return
            else:
                skipped.add(line)
    if event:
        yield first, b"\n".join(event), True


def _is_cut_off(text: bytes) -> bool:
    """Return whether a line begins a JSON text that spans lines: the last character does not close the first bracket.

    >>> _is_cut_off(b" {"), _is_cut_off(b'{"a": [\\n'), _is_cut_off(b"[DONE]")
    (True, True, False)
    """
    text = text.strip()
    return text.startswith((b"{", b"[")) and (text[:1], text[-1:]) not in ((b"{", b"}"), (b"[", b"]"))


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
