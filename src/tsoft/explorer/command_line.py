"""The `tsoft compute` line that shows what the explorer shows."""

import shlex
from collections.abc import Sequence

from tsoft.explorer.rows import Row
from tsoft.explorer.sampler_state import Board, exact
from tsoft.sampling.sampler_table import BIAS

# Rows that compute shows of many.
SHOWN = 3


def command_line(board: Board, row: Row, typed: Sequence[str] | None, *, bits: bool = False) -> str:
    """With the words that were `typed` for the input, or the row's own numbers where there are none.

    >>> import numpy as np
    >>> from tsoft.core.block import Block, class_names
    >>> row = Row(0, Block(np.array([[2.0, -1.0]]), ("a cat", "-")), ["a cat", "-"])
    >>> print(command_line(Board.of(None, 0.5), row, None))
    tsoft compute --tau 0.5 -- 'a cat=2' -=-1
    """
    # Of many rows compute shows the first few, if it is not asked for more.
    further = ["--rows", str(row.number + 1)] if row.number >= SHOWN else []
    words = _numbers(row) if typed is None else [*further, *typed]
    return _line("tsoft", "compute", *_options(board, row, bits), *words)


def piped_line(board: Board, row: Row, model: Sequence[str], text: str, *, bits: bool = False) -> str:
    """The same of the next token after a text, which the model of these options is asked for.

    >>> import numpy as np
    >>> from tsoft.core.block import Block
    >>> row = Row(0, Block(np.zeros((1, 2))), ["#0", "#1"])
    >>> print(piped_line(Board.of(None, 0.5), row, ["--ngram", "book.txt"], "Once upon"))
    tsoft next --ngram book.txt 'Once upon' | tsoft compute --tau 0.5
    """
    prompt = ["--", text] if text.startswith("-") else [text]
    return f"{_line('tsoft', 'next', *model, *prompt)} | {_line('tsoft', 'compute', *_options(board, row, bits))}"


def _options(board: Board, row: Row, bits: bool) -> list[str]:
    options = [*board.options, *["--bits"] * bits]
    for index, bias in row.biases:
        options += [BIAS.option, f"#{index}={exact(bias)}"]
    return options


def _line(*words: str) -> str:
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """A word as a shell takes it, and a terminal."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(c if c.isprintable() and c not in "\\'" else _escaped(c) for c in word)
    return f"$'{escaped}'"


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def apart(arguments: Sequence[str]) -> list[str]:
    """Arguments that nothing takes for options."""
    return ["--", *arguments] if any(word.startswith("-") and "=" in word for word in arguments) else [*arguments]


def _numbers(row: Row) -> list[str]:
    """The row's logits as arguments."""
    texts = list(map(exact, row.block.logits[0].tolist()))
    labels = row.block.labels
    if labels is None:
        return texts
    return apart([f"{label}={text}" for label, text in zip(labels, texts, strict=True)])
