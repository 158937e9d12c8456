"""What comes in and goes out as bytes: one module a format, named in this table."""

import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.input.read_options import ReadOptions
    from tsoft.output.number_format import NumberFormat
    from tsoft.sampling.distributions import Distributions

Reader = Callable[[BinaryIO, "ReadOptions"], "Iterator[Block]"]
Writer = Callable[[Iterable["Distributions"], "NumberFormat"], Iterator[str | bytes | memoryview]]


@dataclass(frozen=True)
class Format:
    """A format by its name, the endings of its files' names, how its content `starts` where that tells
    it (patterns), and the modules whose `read` and `write` are its way in and its way out, each imported
    when it is used. A `binary` one is not for a terminal; one with `keys` holds several arrays."""

    name: str
    endings: tuple[str, ...] = ()
    reads: str | None = None
    writes: str | None = None
    delimiter: str | None = None
    starts: tuple[bytes, ...] = ()
    binary: bool = False
    keys: bool = False

    def reader(self) -> Reader:
        assert self.reads
        module, _, function = self.reads.rpartition(".")
        return getattr(importlib.import_module(f"tsoft.{module}"), function)  # type: ignore[no-any-return]

    def writer(self) -> Writer:
        assert self.writes
        return importlib.import_module(f"tsoft.{self.writes}").write  # type: ignore[no-any-return]


# An array of something that JSON has, or an object. A label such as [PAD] or [1]=2 is none.
_JSON = rb'(?![^"\s]*=)(?:\[\s*(?:[\[{"\]]|-?\d|-?Infinity|NaN|null|true|false|$)|\{\s*(?:["}]|$))'

FORMATS = {
    format.name: format
    for format in (
        Format("text", (".txt", ".dat"), reads="input.delimited.read"),
        Format("tsv", (".tsv", ".tab"), reads="input.delimited.read", writes="output.tsv", delimiter="\t"),
        Format("csv", (".csv",), reads="input.delimited.read", writes="output.csv", delimiter=","),
        Format("response", reads="input.api_responses.read", starts=(b"data:", b"event:")),
        Format("json", (".json",), reads="input.json.read", writes="input.json_document", starts=(_JSON,)),
        Format("jsonl", (".jsonl", ".ndjson"), reads="input.json.read_lines", writes="input.json_lines"),
        Format("npy", (".npy",), reads="input.npy.read", writes="input.npy", starts=(rb"\x93NUMPY",), binary=True),
        Format(
            "npz",
            (".npz",),
            reads="input.npz.read",
            writes="input.npz",
            starts=(rb"PK\x03\x04", rb"PK\x05\x06"),
            binary=True,
            keys=True,
        ),
    )
}
INPUTS = tuple(name for name, format in FORMATS.items() if format.reads)
OUTPUTS = tuple(name for name, format in FORMATS.items() if format.writes)


def by_name(path: str) -> Format | None:
    """The format that a file's name tells."""
    return next((f for f in FORMATS.values() if path.lower().endswith(f.endings) and f.endings), None)


def by_content(head: bytes) -> Format | None:
    """The format that the first bytes of a content tell."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((f for f in FORMATS.values() if any(re.match(start, head) for start in f.starts)), None)
