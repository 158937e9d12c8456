"""The first rows of an input, each drawn under its heading."""

from collections.abc import Callable, Iterable, Iterator

from tsoft.core.block import Block


def each_row(blocks: Iterable[Block], most: int, draw: Callable[[Block], Iterable[str]]) -> Iterator[str]:
    """The first `most` rows, each as a block of one row, each part as soon as it is drawn; then how many rows
    follow."""
    shown = total = 0
    for block in blocks:
        total += len(block.logits)
        for row in range(min(len(block.logits), most - shown)):
            if len(block.logits) > 1 or shown > 0 or block.partial:
                yield ("\n" if shown else "") + f"row {block.rows[row]}{_token(block)}\n"
            shown += 1
            yield from draw(block.part(row, row + 1))
    if total > shown:
        rows = "row" if total - shown == 1 else "rows"
        yield f"\n… {total - shown} more {rows} (--rows N shows more)\n"


def _token(block: Block) -> str:
    """The token that a server drew in a block, and of which of its choices it is."""
    if block.partial is None or block.labels is None:
        return ""
    label = block.labels[block.partial.index]
    shown = repr(label if len(label) <= 40 else label[:39] + "…")
    return f" {shown}" + f" of choice {block.partial.choice}" * block.partial.several
