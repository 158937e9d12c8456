"""Rows of a binary classifier that may instead be the classes of one distribution."""

from collections.abc import Iterator

from tsoft.core.block import Block
from tsoft.errors import shortened
from tsoft.input.read_options import ReadOptions


def noting_repeated_keys(blocks: Iterator[Block], options: ReadOptions) -> Iterator[Block]:
    """Yield the blocks of an input. Print a note if neighboring rows of one number have the same key, but the names of
    two classes as targets."""
    is_noted = False
    for block in blocks:
        key = None if is_noted or not block.origin.is_binary or block.labels is None else _repeated_key(block)
        if key is not None:
            is_noted = True
            problem = f"rows with the same id, {shortened(key)!r}, have different true classes"
            fix = "if each line is a class, save CSV with the columns id, label and logit"
            options.note(f"{options.source}: {problem}; {fix}")
        yield block


def _repeated_key(block: Block) -> str | None:
    """Return the first key of two neighboring rows with different targets; None if there is no such key."""
    if block.keys is None or block.targets is None or isinstance(block.keys, range):
        return None
    differs = (block.targets[1:] != block.targets[:-1]).tolist()
    pairs = zip(block.keys, block.keys[1:], differs, strict=False)
    return next((str(key) for key, following, is_other in pairs if is_other and key == following), None)
