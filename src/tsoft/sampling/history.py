"""The tokens before a distribution, for the samplers that depend on them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tsoft.frozen import frozen

if TYPE_CHECKING:
    from tsoft.core.softmax import Array


@frozen(eq=False)
class History:
    """The tokens of a text, oldest first: (m,) class indices, of which the first `prompt_length` are the prompt.

    A token that is not a class of the distribution has an index from the number of classes up. `breaks` are (m,)
    integers for the sampler DRY: the number of tokens after the first one of the longest sequence breaker that begins
    at each token, -1 for a token at which none begins. `is_breaker` are (m,) booleans: whether a token alone breaks
    sequences. Both are None if nothing breaks a sequence.

    >>> import numpy as np
    >>> History(np.array([3, 1, 4, 1, 5]), prompt_length=2).generated
    array([4, 1, 5])
    """

    tokens: "Array"
    prompt_length: int = 0
    breaks: "Array | None" = None
    is_breaker: "Array | None" = None

    @property
    def generated(self) -> "Array":
        """The tokens after the prompt."""
        return self.tokens[self.prompt_length :]

    def last(self, count: float) -> "Array":
        """Return the last `count` tokens.

        >>> import numpy as np
        >>> History(np.array([3, 1, 4])).last(2), History(np.array([3, 1, 4])).last(0)
        (array([1, 4]), array([], dtype=int64))
        """
        return self.tokens[len(self.tokens) - int(min(count, len(self.tokens))) :]


# By default, a token that contains one of these ends a repeated sequence, as in llama.cpp.
SEQUENCE_BREAKERS = ("\n", ":", '"', "*")
DEFAULT_BREAKERS = tuple(breaker.encode() for breaker in SEQUENCE_BREAKERS)


def sequence_breaks(pieces: Sequence[bytes], breakers: Sequence[bytes]) -> "tuple[Array, Array]":
    """Return the `breaks` and `is_breaker` of a history whose tokens have these bytes.

    A breaker occurs at a token that contains it, or that ends with its first bytes if the tokens that follow are the
    rest of it.

    >>> sequence_breaks([b"a:", b"b\\r", b"\\n"], [b":", b"\\r\\n"])
    (array([ 0,  1, -1]), array([ True, False, False]))
    """
    import numpy as np

    contains_breaker = {piece: any(breaker in piece for breaker in breakers) for piece in set(pieces)}
    is_breaker = np.array([contains_breaker[piece] for piece in pieces], bool)
    breaks = np.where(is_breaker, 0, -1)
    long_breakers = [breaker for breaker in breakers if len(breaker) > 1]
    for i in range(len(pieces) if long_breakers else 0):
        for breaker in long_breakers:
            breaks[i] = max(breaks[i], _tail_length(pieces, i, breaker))
    return breaks, is_breaker


def _tail_length(pieces: Sequence[bytes], i: int, breaker: bytes) -> int:
    """Return the number of tokens after token i that complete a breaker; -1 if it does not occur there."""
    lengths = [-1]
    for size in range(1, len(breaker)):
        rest, following = breaker[size:], i + 1
        if not pieces[i].endswith(breaker[:size]):
            continue
        while rest and following < len(pieces) and pieces[following] and rest.startswith(pieces[following]):
            rest, following = rest.removeprefix(pieces[following]), following + 1
        if not rest:
            lengths.append(following - i - 1)
    return max(lengths)
