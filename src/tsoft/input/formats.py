"""The input formats: how each is recognised, and the module that reads it."""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.input.reading import Reading

Reader = Callable[[BinaryIO, "Reading"], "Iterator[Block]"]


@dataclass(frozen=True)
class Format:
    """A format by its name: the module whose `read` reads it, which is imported when it is used; the endings of its
    files' names; how its content `starts` where that tells it (patterns). One with `keys` holds several arrays."""

    name: str
    module: str
    endings: tuple[str, ...] = ()
    delimiter: str | None = None
    starts: tuple[bytes, ...] = ()
    keys: bool = False

    def reader(self) -> Reader:
        return importlib.import_module(f"tsoft.input.{self.module}").read  # type: ignore[no-any-return]


# An array of something that JSON has, or an object. A label such as [PAD] or [1]=2 is none.
_JSON = rb'(?![^"\s]*=)(?:\[\s*(?:[\[{"\]]|-?\d|-?Infinity|NaN|null|true|false|$)|\{\s*(?:["}]|$))'

FORMATS = {
    format.name: format
    for format in (
        Format("text", "text", (".txt", ".dat")),
        Format("tsv", "text", (".tsv", ".tab"), delimiter="\t"),
        Format("csv", "text", (".csv",), delimiter=","),
        Format("response", "responses", starts=(b"data:", b"event:")),
        Format("json", "json_document", (".json",), starts=(_JSON,)),
        Format("jsonl", "json_lines", (".jsonl", ".ndjson")),
        Format("npy", "npy", (".npy",), starts=(rb"\x93NUMPY",)),
        Format("npz", "npz", (".npz",), starts=(rb"PK\x03\x04", rb"PK\x05\x06"), keys=True),
    )
}


def by_name(path: str) -> Format | None:
    """The format that a file's name tells."""
    return next((f for f in FORMATS.values() if path.lower().endswith(f.endings) and f.endings), None)


def by_content(head: bytes) -> Format | None:
    """The format that the first bytes of a content tell."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((f for f in FORMATS.values() if any(re.match(start, head) for start in f.starts)), None)
