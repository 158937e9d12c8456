"""What a model says of the next token, out: logits and their tokens."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import softmax
from tsoft.input import npz
from tsoft.input.fields import join_labels
from tsoft.input.json_lines import json_number
from tsoft.input.responses import UNKNOWN
from tsoft.models.tokens import NextDistribution
from tsoft.output.number_format import NumberFormat
from tsoft.sampling.distributions import falling


@dataclass(frozen=True, eq=False)
class Said:
    """What a model of that name, with so many tokens, says of what comes after a prompt."""

    prompt: str
    model: str
    size: int | None
    next: NextDistribution


def write(said: Said, name: str, writing: NumberFormat) -> Iterator[str | bytes]:
    """The logits in a format by its name: json, jsonl and npz with their labels, csv a class a line, the most
    probable first, tsv and npy the numbers alone. Of a server's answer json has what a response has."""
    block = said.next.block
    row, labels = block.logits[0], block.labels or ()
    if name in ("json", "jsonl"):
        yield _record(said, writing) + "\n"
    elif name == "csv":
        yield "index,label,logit\n"
        order = falling(row, softmax(row))
        for i, text in zip(order.tolist(), writing.texts(row[order]), strict=True):
            yield join_labels([str(i), labels[i], text], ",") + "\n"
    elif name == "tsv":
        yield writing.lines(block.logits).decode()
    elif name == "npy":
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, row, allow_pickle=False)
        yield buffer.getvalue()
    else:
        yield npz.arrays({"logits": row, npz.LABELS: np.array(labels)})


def _record(said: Said, writing: NumberFormat) -> str:
    import orjson

    record: dict[str, Any] = {"prompt": said.prompt, "model": said.model}
    block = said.next.block
    if block.partial is None:
        record |= {"labels": block.labels, "logits": json_number(block.logits[0], writing)}
    else:
        tokens = _alternatives(block, writing)
        record["logprobs"] = [{**tokens[block.partial.index], "top_logprobs": tokens}]
    return orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _alternatives(block: Block, writing: NumberFormat) -> list[dict[str, Any]]:
    """What a server gave, as it gave it."""
    assert block.partial
    pairs = zip(block.labels or (), block.partial.logprobs.tolist(), strict=True)
    return [
        {"token": label, "logprob": UNKNOWN if isnan(logprob) else json_number(logprob, writing)}
        for label, logprob in pairs
    ]
