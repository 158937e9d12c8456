"""The input formats: how tsoft recognizes each, and the module that reads it."""

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
    """An input format.

    `reader_name` is the module and function that reads it, imported on first use. `endings` are its file name endings.
    `starts` are patterns for the first bytes, if these identify the format. `keys` marks formats that contain several
    named arrays.
    """

    name: str
    reader_name: str
    endings: tuple[str, ...] = ()
    delimiter: str | None = None
    starts: tuple[bytes, ...] = ()
    keys: bool = False

    def reader(self) -> Reader:
        module, function = self.reader_name.split(".")
        return getattr(importlib.import_module(f"tsoft.input.{module}"), function)  # type: ignore[no-any-return]


# A JSON array or object, but not text that starts with a label such as [PAD] or [1]=2.
_JSON = rb'(?![^"\s]*=)(?:\[\s*(?:[\[{"\]]|-?\d|-?Infinity|NaN|null|true|false|$)|\{\s*(?:["}]|$))'

FORMATS = {
    format.name: format
    for format in (
        Format("text", "delimited.read", (".txt", ".dat")),
        Format("tsv", "delimited.read", (".tsv", ".tab"), delimiter="\t"),
        Format("csv", "delimited.read", (".csv",), delimiter=","),
        Format("response", "api_responses.read", (".eval",), starts=(b"data:", b"event:")),
        Format("json", "json.read", (".json",), starts=(_JSON,)),
        Format("jsonl", "json.read_lines", (".jsonl", ".ndjson")),
        Format("npy", "npy.read", (".npy",), starts=(rb"\x93NUMPY",)),
        Format("npz", "npz.read", (".npz",), starts=(rb"PK\x03\x04", rb"PK\x05\x06"), keys=True),
    )
}


def by_name(path: str) -> Format | None:
    """Return the format that a file name's ending identifies; None for other endings."""
    return next((f for f in FORMATS.values() if path.lower().endswith(f.endings) and f.endings), None)


def by_content(head: bytes) -> Format | None:
    """Return the format that the first bytes identify; None if they identify no format."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((f for f in FORMATS.values() if any(re.match(start, head) for start in f.starts)), None)
