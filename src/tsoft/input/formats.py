"""The input formats: how each is recognised, and the module that reads it."""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.input.read_options import ReadOptions

Reader = Callable[[BinaryIO, "ReadOptions"], "Iterator[Block]"]


@dataclass(frozen=True)
class Format:
    """A format by its name: its reader, as module and function, which is imported when it is used; the endings of
    its files' names; how its content `starts`, as patterns, where that identifies it. One with `keys` holds several
    arrays."""

    name: str
    reader_name: str
    endings: tuple[str, ...] = ()
    delimiter: str | None = None
    starts: tuple[bytes, ...] = ()
    keys: bool = False

    def reader(self) -> Reader:
        module, function = self.reader_name.split(".")
        return getattr(importlib.import_module(f"tsoft.input.{module}"), function)  # type: ignore[no-any-return]


# A JSON array or object, and not text that begins with a label such as [PAD] or [1]=2.
_JSON = rb'(?![^"\s]*=)(?:\[\s*(?:[\[{"\]]|-?\d|-?Infinity|NaN|null|true|false|$)|\{\s*(?:["}]|$))'

FORMATS = {
    format.name: format
    for format in (
        Format("text", "delimited.read", (".txt", ".dat")),
        Format("tsv", "delimited.read", (".tsv", ".tab"), delimiter="\t"),
        Format("csv", "delimited.read", (".csv",), delimiter=","),
        Format("response", "api_responses.read", starts=(b"data:", b"event:")),
        Format("json", "json.read", (".json",), starts=(_JSON,)),
        Format("jsonl", "json.read_lines", (".jsonl", ".ndjson")),
        Format("npy", "npy.read", (".npy",), starts=(rb"\x93NUMPY",)),
        Format("npz", "npz.read", (".npz",), starts=(rb"PK\x03\x04", rb"PK\x05\x06"), keys=True),
    )
}


def by_name(path: str) -> Format | None:
    """The format of a file, by the ending of its name; None for any other ending."""
    return next((f for f in FORMATS.values() if path.lower().endswith(f.endings) and f.endings), None)


def by_content(head: bytes) -> Format | None:
    """The format of a content, by its first bytes; None if these do not identify it."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((f for f in FORMATS.values() if any(re.match(start, head) for start in f.starts)), None)
