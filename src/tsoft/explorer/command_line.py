"""The `tsoft compute` command that shows the same as the explorer."""

import shlex
from collections.abc import Sequence

import numpy as np

from tsoft.core.softmax import Array
from tsoft.explorer.explorer_rows import MAX_TYPED, ExplorerRow
from tsoft.explorer.sampler_state import LogitBiases, SamplerState, exact_text
from tsoft.sampling.engines import Engine
from tsoft.sampling.sampler_table import BIAS

# The number of rows that `tsoft compute` shows by default.
DEFAULT_ROWS = 3


def command_line(
    state: SamplerState,
    row: ExplorerRow,
    arguments: Sequence[str] | None,
    compared: Engine | None = None,
    *,
    history: Sequence[str] = (),
    bits: bool = False,
) -> str:
    """Return the command with these arguments for the input; if they are None, with the row's logits.

    The logits come first, unless a label starts with a hyphen. The command compares the engine with the `compared` one.
    `history` are the arguments for the tokens before the distribution.

    >>> import numpy as np
    >>> from tsoft.core.block import Block, class_names
    >>> row = ExplorerRow(0, Block(np.array([[2.0, -1.0]]), ("a cat", "-")), ["a cat", "-"])
    >>> print(command_line(SamplerState.from_chain(None, 0.5), row, None))
    tsoft compute --tau 0.5 -- 'a cat=2' -=-1
    """
    rows = ["--rows", str(row.number + 1)] if row.number >= DEFAULT_ROWS else []
    words = _logit_arguments(row) if arguments is None else [*rows, *arguments]
    # Options cannot follow --.
    end = words.index("--") if "--" in words else len(words)
    return _line("tsoft", "compute", *words[:end], *history, *_options(state, row, compared, bits), *words[end:])


def edit_biases(original: Array, row: ExplorerRow) -> LogitBiases | None:
    """Return the biases that turn the `original` logits, (n,), into those of an edited row, with its biases.

    Return None if the row has other classes, if rounding or a mask prevents exact biases, or if they are too many.

    >>> import numpy as np
    >>> from tsoft.core.block import Block
    >>> row = ExplorerRow(0, Block(np.array([[2.5, -np.inf, 0.5]])), ["#0", "#1", "#2"])
    >>> edit_biases(np.array([2.0, 1.0, 0.5]), row)
    ((0, 0.5), (1, -inf))
    """
    if len(original) != row.classes:
        return None
    original = original.astype(np.float64)
    changed = np.flatnonzero(original != row.logits)
    with np.errstate(all="ignore"):
        biases = row.logits[changed] - original[changed]
        is_exact = original[changed] + biases == row.logits[changed]
    if len(changed) > MAX_TYPED or not is_exact.all() or np.isnan(biases).any():
        return None
    return tuple(zip(changed.tolist(), biases.tolist(), strict=True))


def piped_command_line(
    state: SamplerState,
    row: ExplorerRow,
    model: Sequence[str],
    text: str,
    compared: Engine | None = None,
    *,
    bits: bool = False,
) -> str:
    """Return the command for the next token after a text. The options `model` select the model.

    >>> import numpy as np
    >>> from tsoft.core.block import Block
    >>> row = ExplorerRow(0, Block(np.zeros((1, 2))), ["#0", "#1"])
    >>> print(piped_command_line(SamplerState.from_chain(None, 0.5), row, ["--ngram", "book.txt"], "Once upon"))
    tsoft next --ngram book.txt 'Once upon' | tsoft compute --tau 0.5
    """
    prompt = ["--", text] if text.startswith("-") else [text]
    options = _options(state, row, compared, bits)
    return f"{_line('tsoft', 'next', *model, *prompt)} | {_line('tsoft', 'compute', *options)}"


def _options(state: SamplerState, row: ExplorerRow, compared: Engine | None, bits: bool) -> list[str]:
    options = [*state.options, *(["--like", compared.name] if compared else []), *["--bits"] * bits]
    for index, bias in row.biases:
        options += [BIAS.option, f"#{index}={exact_text(bias)}"]
    return options


def _line(*words: str) -> str:
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Return a word quoted for a shell, and printable on a terminal."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(c if c.isprintable() and c not in "\\'" else _escaped(c) for c in word)
    return f"$'{escaped}'"


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def protected(arguments: Sequence[str]) -> list[str]:
    """Return the arguments, after `--` if one of them could be mistaken for an option."""
    return ["--", *arguments] if any(word.startswith("-") and "=" in word for word in arguments) else [*arguments]


def _logit_arguments(row: ExplorerRow) -> list[str]:
    """Return the row's logits as arguments."""
    texts = list(map(exact_text, row.block.logits[0].tolist()))
    labels = row.block.labels
    if labels is None:
        return texts
    return protected([f"{label}={text}" for label, text in zip(labels, texts, strict=True)])
