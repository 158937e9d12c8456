"""The tokens of two responses to the same prompts, in pairs."""

from collections.abc import Iterable, Iterator, Sequence

from tsoft.core.block import Block
from tsoft.errors import InputError, joined, shortened
from tsoft.notes import note


def paired_texts(
    first: Iterable[Block],
    second: Iterable[Block],
    names: tuple[str, str],
    *,
    all_positions: bool = False,
    fix: str = "",
) -> Iterator[tuple[Block, Block]]:
    """Yield the tokens of two responses in pairs, text by text, up to the position at which the texts differ: after
    different texts, the distributions are not comparable. Print a note on the positions that are left out.

    names: those of the responses, for messages. all_positions: whether to yield the positions after different texts,
    too. fix: what the note on positions that are left out suggests. Raise InputError if the numbers of texts differ.
    """
    texts = [_texts(blocks) for blocks in (first, second)]
    if len(texts[0]) != len(texts[1]):
        counts = joined([f"{name} has {len(some)}" for name, some in zip(names, texts, strict=True)])
        raise InputError(f"the numbers of texts differ: {counts}; both need the same texts")
    for one, other in zip(*texts, strict=True):
        count = min(len(one), len(other))
        same = next((i for i in range(count) if drawn_token(one[i]) != drawn_token(other[i])), count)
        compared = count if all_positions else min(same + 1, count)
        _note_difference(one, other, same, compared, names, fix)
        yield from zip(one[:compared], other[:compared], strict=True)


def _texts(blocks: Iterable[Block]) -> list[list[Block]]:
    """Return the tokens of each text, in the order in which the texts begin."""
    texts: dict[int, list[Block]] = {}
    for block in blocks:
        assert block.partial
        texts.setdefault(block.partial.text, []).append(block)
    return list(texts.values())


def drawn_token(block: Block) -> str:
    """Return the text of the token that the server drew."""
    assert block.partial
    assert block.labels
    return block.labels[block.partial.index]


def _note_difference(
    first: Sequence[Block], second: Sequence[Block], same: int, compared: int, names: tuple[str, str], fix: str
) -> None:
    """Print a note if not all tokens of a text are compared, or if they follow different texts."""
    if same + 1 < min(len(first), len(second)):
        row = first[same].first_row
        tokens = joined([repr(shortened(drawn_token(text[same]))) for text in (first, second)])
        drawn = f"row {row}: the texts differ after {same} token{'s' * (same != 1)}: {joined(names)} drew {tokens}"
        if compared == same + 1:
            rest = max(len(first), len(second)) - compared
            tokens_after = "the token after them" if rest == 1 else f"the {rest} tokens after them"
            note("; ".join(filter(None, [f"{drawn}; tsoft leaves out {tokens_after}", fix])))
        else:
            note(f"{drawn}; the distributions after them depend on different texts")
    elif len(first) != len(second) and compared == min(len(first), len(second)):
        counts = joined([f"{name} has {len(text)}" for name, text in zip(names, (first, second), strict=True)])
        lengths = f"the texts differ in length: {counts} tokens"
        note(f"row {first[0].first_row}: {lengths}; tsoft compares the first {compared}")
