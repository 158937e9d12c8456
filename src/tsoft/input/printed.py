"""Reading what Python prints: a tensor, an array, or a list, such as `tensor([[2., 1.], [0., -inf]])`.

Printed numbers are often rounded, which a note says. If the text leaves out numbers, it is an error.
"""

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.softmax import Array, LogitsError
from tsoft.errors import InputError, shortened
from tsoft.input.limits import read_at_most
from tsoft.input.quantity import QUANTITIES
from tsoft.input.read_options import ReadOptions
from tsoft.input.utf8 import decode_text

# Longer texts do not come from a screen.
LONGEST = 1 << 28
_START = re.compile(r"\s*(?:(?:torch\.|tf\.|np\.|numpy\.)?(?:[Tt]ensor|[Aa]rray)\(\s*)?(?=\[)")
# What may follow the brackets, such as `, device='cuda:0', dtype=torch.bfloat16)`.
_END = re.compile(r"(?:\s*,\s*(?:\w+=)?(?:'[^']*'|<[^<>]*>|\([^()]*\)|[\w.]+))*\s*\)?\s*")
# A number in a list, such as np.float32(2.5) or tensor(2.5).
_WRAPPED = re.compile(r"(?:np\.(?:float|int|uint)\d+|tensor)\(\s*([^][(),\s]+)\s*\)")
_TOKEN = re.compile(r"[][]|,|[^][,\s]+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf|nan")
_SAVE = "save the array with numpy.save('logits.npy', array)"


def read(stream: BinaryIO, options: ReadOptions) -> Iterator[Block]:
    """Yield the rows of the numbers. Raise InputError if numbers are left out, or anything else is among them."""
    data = read_at_most(stream, LONGEST + 1)
    if len(data) > LONGEST:
        raise InputError(f"{options.source}: too long for printed numbers; {_SAVE}")
    values = _array(decode_text(data, options.source), options)
    options.note(
        f"{options.source}: tsoft reads numbers that Python printed and may have rounded; to be exact, {_SAVE}"
    )
    if values.ndim == 1 and options.reads_column(len(values)):
        values = values[:, np.newaxis]
    quantity, rows = options.quantity or "logit", values.reshape(-1, values.shape[-1])
    try:
        logits, labels = options.logits(rows, QUANTITIES[quantity], None, options.source)
    except LogitsError as error:
        place = "" if error.column is None else f", class #{error.column if rows.shape[1] > 1 else 0}"
        raise InputError(f"{options.source}: row {error.row}{place}: {error.problem}") from None
    yield Block(logits, labels, 0, Origin(quantity, values.shape[:-1], is_binary=logits.shape != rows.shape))


def _array(text: str, options: ReadOptions) -> Array:
    """Return the array in a text. Raise InputError if the text is anything else, or leaves out numbers."""
    start = _START.match(text)
    if not start:
        raise InputError(f"{options.source}: not a printed tensor, array or list; pass --input-format text")
    end = _end(text, start.end())
    if end is None:
        raise InputError(f"{options.source}: a bracket is not closed; {_SAVE}")
    if "..." in text:
        raise InputError(f"{options.source}: the printed array leaves out numbers (...); {_SAVE}")
    if not _END.fullmatch(text, end):
        extra = shortened(text[end:].strip())
        raise InputError(f"{options.source}: unexpected text after the numbers: {extra!r}; remove it, or {_SAVE}")
    body = _WRAPPED.sub(r"\1", text[start.end() : end])
    if re.search(r"[\[,]\s*,|,\s*\]", body):
        raise InputError(f"{options.source}: a comma without a number before or after it; {_SAVE}")
    for match in _TOKEN.finditer(body):
        if match[0] not in ("[", "]", ",") and not _NUMBER.fullmatch(match[0]):
            line = 1 + text.count("\n", 0, start.end()) + body.count("\n", 0, match.start())
            raise options.error(line, f"{shortened(match[0])!r} is not a number; {_SAVE}")
    try:
        array = np.array(json.loads(_as_json(body)), np.float64)
    except (ValueError, RecursionError):
        problem = "the brackets do not contain an array, whose rows have the same length"
        raise InputError(f"{options.source}: {problem}; {_SAVE}") from None
    if array.size == 0:
        raise InputError(f"{options.source}: the brackets contain no numbers")
    return array


def _end(text: str, start: int) -> int | None:
    """Return the end of the brackets that open at `start`; None if they do not close."""
    depth = 0
    for match in re.finditer(r"[][]", text[start:]):
        depth += 1 if match[0] == "[" else -1
        if depth == 0:
            return start + match.end()
    return None


def _as_json(body: str) -> str:
    """Return brackets and numbers as JSON, with a comma between neighbors.

    >>> _as_json("[[ 2. -inf]\\n [ 1. .5]]")
    '[[2.0,-Infinity],[1.0,0.5]]'
    """
    tokens: list[str] = []
    for token in _TOKEN.findall(body):
        if token == ",":
            continue
        if tokens and token != "]" and tokens[-1] != "[":
            tokens.append(",")
        tokens.append(token if token in "[]" else json.dumps(float(token)))
    return "".join(tokens)
