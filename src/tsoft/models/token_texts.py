"""The texts that tokens add to a text."""

from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable

from tsoft.errors import visible_lines
from tsoft.models.generated_text import GeneratedText

Piece = Callable[[int], bytes]


def token_texts(text: GeneratedText, piece: Piece, first: int = 0) -> list[str]:
    """Return what each token adds to a text, from its `first` token on, with control characters escaped.

    A character of several tokens belongs to the last one. An incomplete one at the end of an ended text is replaced.
    """
    start = sum(len(piece(token.token)) for token in text.generated[:first])
    parts = []
    for token in text.generated[first:]:
        stop = start + len(piece(token.token))
        parts.append(text.data[start:stop])
        start = stop
    return decoded_pieces(parts, is_complete=text.finish is not None)


def decoded_pieces(pieces: Iterable[bytes], *, is_complete: bool) -> list[str]:
    """Return the text of each piece of a UTF-8 text, with control characters escaped.

    A character of several pieces belongs to the last one. At the end of a complete text, an incomplete one is replaced.

    >>> decoded_pieces([b"caf\\xc3", b"\\xa9", b"\\xc3"], is_complete=True) == ["caf", "é", "\\ufffd"]
    True
    """
    decoder = getincrementaldecoder("utf-8")("replace")
    texts = [decoder.decode(piece) for piece in pieces]
    if is_complete and texts:
        texts[-1] += decoder.decode(b"", True)
    return list(map(visible_lines, texts))
