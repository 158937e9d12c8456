"""The input formats: how tsoft recognizes each, and the module that reads it."""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from tsoft.errors import InputError
from tsoft.input.source import STDIN, with_head
from tsoft.input.utf8 import kind_of

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.input.read_options import ReadOptions

Reader = Callable[[BinaryIO, "ReadOptions"], "Iterator[Block]"]


@dataclass(frozen=True)
class Format:
    """An input format.

    `reader_name` is the module and function that reads it, imported on first use. `endings` are its file name endings.
    `starts` are patterns for the first bytes, if these identify the format. `keys` marks formats that contain several
    named arrays, `columns` those whose columns have names, and `lines` those that are read line by line.
    """

    name: str
    reader_name: str
    endings: tuple[str, ...] = ()
    delimiter: str | None = None
    starts: tuple[bytes, ...] = ()
    keys: bool = False
    columns: bool = False
    lines: bool = False

    def reader(self) -> Reader:
        module, function = self.reader_name.split(".")
        return getattr(importlib.import_module(f"tsoft.input.{module}"), function)  # type: ignore[no-any-return]


# A JSON array or object, also in a string, but not text that starts with a label such as [PAD] or [1]=2.
_JSON = rb'(?![^"\s]*=)(?:"\{\s*\\"|\[\s*(?:[\[{"\]]|-?\d|-?Infinity|NaN|null|true|false|$)|\{\s*(?:["}]|$))'
# What Python prints: a tensor or an array, or brackets around numbers that are not JSON, such as -inf, 2. or 2 1.
_PRINTED = (
    rb"(?:torch\.|tf\.|np\.|numpy\.)?(?:[Tt]ensor|[Aa]rray)\(\s*[\[.]",
    rb"\[[\[\s]*(?:np\.(?:float|int|uint)\d+|tensor)\(",
    rb"\[[\[\s]*[-+]?\d[\d.e+-]*(?:(?<=\.)(?![\d.e])|\s*\]\s*\[|\s+[-+]?(?:\d|inf|nan|\.{3}))(?=[^=]*$)",
    rb"\[[][\s\d.,e+-]*(?<=[][\s,+-])(?:inf|nan)\b(?!=)",
)
# A stream of server-sent events, which may start with comments.
_EVENTS = rb"(?:(?::|id:|retry:)[^\n]*\n\s*)*(?:data|event):"
_ZIP = rb"PK\x03\x04"

FORMATS = {
    format.name: format
    for format in (
        Format("text", "delimited.read", (".txt", ".dat"), columns=True, lines=True),
        Format("tsv", "delimited.read", (".tsv", ".tab"), delimiter="\t", columns=True, lines=True),
        Format("csv", "delimited.read", (".csv",), delimiter=",", columns=True, lines=True),
        Format("printed", "printed.read", starts=_PRINTED),
        Format("response", "api_responses.read", (".eval",), starts=(_EVENTS,), lines=True),
        Format("json", "json.read", (".json",), starts=(_JSON,), columns=True, lines=True),
        Format("jsonl", "json.read_lines", (".jsonl", ".ndjson"), columns=True, lines=True),
        Format("npy", "npy.read", (".npy",), starts=(rb"\x93NUMPY",)),
        Format(
            "torch",
            "torch.read",
            (".pt", ".pth"),
            starts=(_ZIP + rb".{26}[^\0]{0,100}?data\.pkl", rb"\x80\x02\x8a\nl\xfc\x9cF\xf9"),
            keys=True,
        ),
        Format("npz", "npz.read", (".npz",), starts=(_ZIP, rb"PK\x05\x06"), keys=True),
        Format("safetensors", "safetensors.read", (".safetensors",), starts=(rb".{4}\0{4}\{",), keys=True),
        Format(
            "parquet", "arrow.read_parquet", (".parquet", ".pq"), starts=(rb"PAR1[\0-\x1f]",), keys=True, columns=True
        ),
        Format(
            "arrow",
            "arrow.read",
            (".arrow", ".arrows", ".feather", ".ipc"),
            starts=(rb"ARROW1\0", rb"FEA1[\0-\x1f]", rb"\xff{4}.{3}\0.\0\0\0"),
            keys=True,
            columns=True,
        ),
        Format("kld", "kld.read", (".kld",), starts=(rb"_logits_.{3}[\0-\x0f]",)),
    )
}


def has_arrays(name: str) -> bool:
    """Return whether the name of a file is that of one of several arrays, which do not have columns."""
    format = by_name(name)
    return format is not None and format.keys and not format.columns


def by_name(path: str) -> Format | None:
    """Return the format that a file name's ending identifies; None for other endings."""
    return next((f for f in FORMATS.values() if path.lower().endswith(f.endings) and f.endings), None)


def by_content(head: bytes) -> Format | None:
    """Return the format that the first bytes identify; None if they identify no format."""
    # Blanks before text mean nothing, but the first byte of a binary file may be a blank.
    starts = (head, head.removeprefix(b"\xef\xbb\xbf").lstrip())
    return next(
        (f for f in FORMATS.values() for start in starts if any(re.match(p, start, re.DOTALL) for p in f.starts)), None
    )


_PRINTED_OBJECT = "an object that Python printed; print it as JSON: print({})"
# A line of a Markdown, Org, reST or SQL table that separates rows. Dashes alone separate documents of YAML.
_RULE = rb"(?=[^\n]*(?:[|+:=]|-[ \t]+-))[ \t|+:=-]*[=-]{2}[ \t|+:=-]*\r?"
_PYDANTIC = _PRINTED_OBJECT.format("response.model_dump_json()")
# Other texts, such as those that Python prints, without logits in a form that tsoft reads: what they are, and the fix.
_UNREADABLE = {
    rb"\{'[^'\n]*'\s*:\s*(?:tensor|array)\(": (
        "a dictionary that Python printed; print it with json.dumps(…, default=lambda array: array.tolist())"
    ),
    rb"\{'[^'\n]*'\s*:": "a dictionary that Python printed; print it with json.dumps",
    rb"Tensor\(shape=": "a tensor that Paddle printed; print its numbers: print(tensor.numpy())",
    rb"\(\d+, \d+\)\t": "a sparse matrix that SciPy printed; print its numbers: print(matrix.toarray())",
    rb"Out\[\d+\]:": "an output of IPython; remove the prompt before the numbers",
    rb"\w+\((?:loss|logits|sequences)=": (
        "a model's output that Python printed; save it with numpy.save('logits.npy', output.logits.float().numpy())"
    ),
    # vLLM's and TensorRT-LLM's outputs are not Pydantic models.
    rb"\[?RequestOutput\(": _PRINTED_OBJECT.format("json.dumps(output, default=vars)"),
    rb"[A-Z]\w+\(\s*\n\s+\w+=": _PYDANTIC,
    rb"\[?[A-Z]\w+\(\w+=(?:['\"\[]|None\b|[A-Z]\w+\(|[\w.]+, \w+=[^\d\s])": _PYDANTIC,
    # LangChain's messages and Gemini's responses.
    rb"\w+=(?:'|\[?[A-Z]\w*\(\w+=|\[[A-Z]\w*\()": _PRINTED_OBJECT.format("json.dumps(response, default=vars)"),
    rb"\w+ \{\s*\n\s+\w+(?: \{|: )": (
        "a protobuf message as text; print it with google.protobuf.json_format.MessageToJson"
    ),
    rb"\[\s*None,\s*\{|\[\s*\(\s*[-+]?[\d.]+\s*,": "a list that Python printed; print it with json.dumps",
    rb"\(\s*[-+]?[\d.]+\s*,": "a tuple that Python printed; print it as a list: print(list(values))",
    rb"Parameter containing:": "a parameter that PyTorch printed; print its numbers: print(parameter.data)",
    rb"<tf\.(?:Tensor|Variable)": "a tensor that TensorFlow printed; print its numbers: print(tensor.numpy())",
    rb"\{\s*\w+: (?:'|\[\s|\{)": "an object that Node.js printed; print it with JSON.stringify",
    rb"\w+ =[ \t]*\r?\n\s*\n": (
        "a matrix that MATLAB or Octave printed; save it with dlmwrite('FILE.csv', matrix, 'precision', 17)"
    ),
    rb"\d+(?:\xc3\x97\d+ |-element )\w+\{": (
        "an array that Julia printed; save it: using DelimitedFiles; writedlm(\"FILE.csv\", array, ',')"
    ),
    rb"(?:#[^\n]*\n|\s)*@\s*(?:title|xaxis|yaxis|TYPE|view|legend|s\d)\b": (
        "a GROMACS or Grace file (.xvg); remove its lines of settings: grep -v '^[@&]' FILE"
    ),
    rb"shape: \(": "a data frame that polars printed; save it with df.write_csv('FILE.csv')",
    rb"(?:[^\n]*\n)?" + _RULE + rb"(?:\n|$)": (
        "a table with drawn lines, as in Markdown; save it as CSV: commas between fields, and no such lines"
    ),
    rb"(?i:<!doctype html|<html\b)": "a web page, perhaps the error of a proxy; save the server's response",
    # The headers of curl -i, a log, or Markdown.
    rb"(?m:(?:.*\n)*?[^#\n]*\"\w*log_?prob\w*\"\s*:)": "JSON inside another text; save the JSON alone",
}


def _printed(head: bytes) -> str | None:
    """Return what text that tsoft cannot read is, and the fix; None for any other content."""
    return next((kind for start, kind in _UNREADABLE.items() if re.match(start, head.lstrip())), None)


def detect(stream: BinaryIO, name: str) -> tuple[Format, BinaryIO]:
    """Return the format of a file by its name or else by its content, and the stream from its start.

    A name that ends in .gz has the ending before it. The content decides for names that end in .txt and the like, too,
    and a stream of events is often saved under the name of a JSON file. Raise InputError for content that tsoft cannot
    read.
    """
    named = by_name(re.sub(r"\.gz$", "", name, flags=re.IGNORECASE))
    is_json = named is not None and named.name in ("json", "jsonl")
    if named is not None and named.name != "text" and not is_json:
        return named, stream
    head, stream = with_head(stream)
    format = by_content(head)
    if format is None and (kind := _printed(head) or (None if is_json else kind_of(head))) is not None:
        raise InputError(f"{STDIN if name == '-' else name}: this is {kind}")
    if is_json and format != FORMATS["response"]:
        format = named
    return format or FORMATS["text"], stream
