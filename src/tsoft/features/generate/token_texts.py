"""The texts that the tokens of a generated text add to it."""

from codecs import getincrementaldecoder
from collections.abc import Callable

from tsoft.errors import visible_lines
from tsoft.models.generated_text import GeneratedText

Piece = Callable[[int], bytes]


def token_texts(text: GeneratedText, piece: Piece, first: int = 0) -> list[str]:
    """Return what each token adds to a text, from its `first` token on, with control characters escaped.

    A character of several tokens belongs to the last one. An incomplete one at the end of an ended text is replaced.
    """
    decoder = getincrementaldecoder("utf-8")("replace")
    start = sum(len(piece(token.token)) for token in text.generated[:first])
    texts = []
    for token in text.generated[first:]:
        stop = start + len(piece(token.token))
        texts.append(decoder.decode(text.data[start:stop]))
        start = stop
    if text.finish is not None and texts:
        texts[-1] += decoder.decode(b"", True)
    return list(map(visible_lines, texts))
