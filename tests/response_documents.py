"""Documents with the tokens of responses, and what tsoft reads in them."""

import io
import json
from typing import Any

from tsoft.core.block import Block
from tsoft.input import api_responses
from tsoft.input import json as json_reader
from tsoft.input.read_options import ReadOptions


def read(data: bytes, **options: Any) -> tuple[list[Block], list[str]]:
    """Return the blocks of a file, and the notes on it."""
    notes: list[str] = []
    reading = ReadOptions("FILE", note=notes.append, **options)
    reader = api_responses.read if data.startswith((b"data:", b"PK")) else json_reader.read
    return list(reader(io.BytesIO(data), reading)), notes


def read_json(value: object, **options: Any) -> tuple[list[Block], list[str]]:
    return read(json.dumps(value).encode(), **options)


def texts(blocks: list[Block]) -> list[list[str]]:
    """Return the drawn tokens of each text."""
    found: dict[int, list[str]] = {}
    for block in blocks:
        assert block.partial
        assert block.labels
        found.setdefault(block.partial.text, []).append(block.labels[block.partial.index])
    return list(found.values())


def entry(text: str, logprob: float = -0.5) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "top_logprobs": [{"token": text, "logprob": logprob}]}


def choice(*tokens: str, **fields: Any) -> dict[str, Any]:
    return {"index": 0, "logprobs": {"content": [entry(token) for token in tokens]}} | fields


def lines(*documents: object) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def chunk(token: str, **fields: Any) -> dict[str, Any]:
    return {"choices": [choice(token, finish_reason=None)]} | fields


def end(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "logprobs": None, "finish_reason": "stop"}]} | fields
