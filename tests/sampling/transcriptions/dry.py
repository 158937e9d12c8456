"""DRY: how long a repetition each token would continue, as llama.cpp, KoboldCpp and ExLlamaV3 find it.

llama.cpp 0c1e57098, src/llama-sampler.cpp, llama_sampler_dry_apply. The source finds the repetitions with the
Z-algorithm, this with a loop over all pairs.
"""

from collections.abc import Sequence

Breakers = Sequence[Sequence[int]]


def repetition_limit(window: Sequence[int], breakers: Breakers) -> int:
    """How far back from the end a repetition may reach: to the end of the last sequence breaker in the window.

    The scan goes back from the newest token, looks for breakers by their first token, and stops at the first token
    where one fits into the window, with the longest that fits.
    """
    size = len(window)
    for back in range(size):
        start = size - 1 - back
        tails = [
            len(breaker) - 1
            for breaker in breakers
            if len(breaker) - 1 <= back and list(window[start : start + len(breaker)]) == list(breaker)
        ]
        if tails:
            return back - max(tails)
    return size


def match_lengths(window: Sequence[int], limit: int, allowed: int) -> dict[int, int]:
    """For each token that would continue an earlier sequence, the length of the longest such sequence."""
    size = len(window)
    lengths: dict[int, int] = {}
    for end in range(size - 1):
        length = 0
        while length < min(limit, end + 1) and window[end - length] == window[size - 1 - length]:
            length += 1
        if length >= allowed:
            follower = window[end + 1]
            lengths[follower] = max(length, lengths.get(follower, length))
    return lengths
