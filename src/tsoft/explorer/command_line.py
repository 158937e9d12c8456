"""The `tsoft compute` line that shows what the explorer shows."""

import shlex
from collections.abc import Sequence

from tsoft.core.samplers import BIAS
from tsoft.explorer.board import Board, exact
from tsoft.explorer.rows import Row


def command_line(board: Board, row: Row, typed: Sequence[str] | None) -> str:
    """With the words that were `typed` for the input, or the row's own numbers where there are none.

    >>> import numpy as np
    >>> from tsoft.core.block import Block, class_names
    >>> row = Row(0, Block(np.array([[2.0, -1.0]]), ("a cat", "-")), ["a cat", "-"])
    >>> print(command_line(Board.of(None, 0.5), row, None))
    tsoft compute --tau 0.5 -- 'a cat=2' -=-1
    """
    options = [*board.options]
    for index, bias in row.biases:
        options += [BIAS.option, f"#{index}={exact(bias)}"]
    return shlex.join(["tsoft", "compute", *options, *(_numbers(row) if typed is None else typed)])


def _numbers(row: Row) -> list[str]:
    """The row's logits as arguments."""
    texts = list(map(exact, row.block.logits[0].tolist()))
    labels = row.block.labels
    if labels is None:
        return texts
    words = [f"{label}={text}" for label, text in zip(labels, texts, strict=True)]
    return ["--", *words] if any(word.startswith("-") for word in words) else words
