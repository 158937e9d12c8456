"""Random inputs: valid bytes of every format that tsoft reads, and damaged copies of them."""

import gzip
import importlib.util
import io
import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from tool import TESTS

DATA = TESTS / "data"

HOSTILE_LABELS = [
    "",
    " ",
    "a,b",
    'say "x"',
    "a\tb",
    "a\nb",
    "\x1b[31m",
    "é",
    "日本",
    "[red]",
    "#1",
    "-1",
    "nan",
    "=",
    "\u202e",
]
# Text at which parsers fail. No NUL, so that it also serves as an argument.
SNIPPETS = [
    b"nan",
    b"-inf",
    b"1e400",
    b"\xff",
    b"\xef\xbb\xbf",
    b'"',
    b"[[[[",
    b"{}",
    b"\r",
    b"\n\n",
    b",,",
    b"\t",
    b"#",
    b"1e308",
]
SNIPPETS += ["²".encode(), "\u2028".encode(), b'"\\ud800"', b"99999999999999999999", b"Infinity", b"null"]


def number(rng: random.Random) -> float:
    """Return a logit: usually an ordinary one, sometimes an extreme one."""
    if rng.random() < 0.85:
        return round(rng.gauss(0, 3), rng.randint(0, 6))
    return rng.choice([0.0, -0.0, 1e308, -1e308, 5e-324, 1e-300, -745.2, 1e16, 0.1 + 0.2, -float("inf")])


def labels(rng: random.Random, count: int) -> list[str]:
    """Return distinct labels, of which some are hostile."""
    hostile = rng.sample(HOSTILE_LABELS, len(HOSTILE_LABELS)) if rng.random() < 0.3 else []
    return (hostile + [f"c{i}" for i in range(count)])[:count]


def rows(rng: random.Random, shape: tuple[int, int] | None = None) -> list[list[float]]:
    """Return rows of logits, each with a finite one, of this or of a random shape."""
    height, width = shape or (rng.randint(1, 6), rng.randint(1, 8))
    block = [[number(rng) for _ in range(width)] for _ in range(height)]
    for row in block:
        row[rng.randrange(width)] = rng.gauss(0, 3)
    return block


def targets(rng: random.Random, block: list[list[float]]) -> list[int]:
    """Return a class for each row, usually the most probable one, and never one that is masked."""
    finite = [[i for i, value in enumerate(row) if value > -float("inf")] for row in block]
    return [
        max(places, key=row.__getitem__) if rng.random() < 0.6 else rng.choice(places)
        for row, places in zip(block, finite, strict=True)
    ]


def _names(block: list[list[float]]) -> list[str]:
    return [f"c{i}" for i in range(len(block[0]))]


def _lines(block: list[list[float]], separator: str, with_header: bool) -> bytes:
    header = [separator.join(_names(block))] if with_header else []
    return "\n".join([*header, *(separator.join(map(repr, row)) for row in block), ""]).encode()


def _long(_: random.Random, block: list[list[float]]) -> bytes:
    return "\n".join(["label,logit", *(f"c{i},{value!r}" for i, value in enumerate(block[0])), ""]).encode()


def _json(rng: random.Random, block: list[list[float]]) -> bytes:
    names = labels(rng, len(block[0]))
    shapes = [
        block,
        block[0],
        dict(zip(names, block[0], strict=True)),
        {"labels": names, "logits": block},
        [{"labels": names, "logits": row} for row in block],
        [dict(zip(names, row, strict=True)) for row in block],
    ]
    return json.dumps(rng.choice(shapes), ensure_ascii=rng.random() < 0.5).encode()


def _json_lines(rng: random.Random, block: list[list[float]]) -> bytes:
    names = labels(rng, len(block[0]))
    return "\n".join(json.dumps({"id": i, "labels": names, "logits": row}) for i, row in enumerate(block)).encode()


def _chat(rng: random.Random) -> bytes:
    """Return the answer of a chat API with log-probabilities."""
    content = []
    for _ in range(rng.randint(1, 4)):
        weights = sorted((rng.random() + 1e-3 for _ in range(rng.randint(2, 6))), reverse=True)
        logs = [float(np.log(weight / (sum(weights) * 1.05))) for weight in weights]
        tops = [{"token": f"t{i}", "logprob": log} for i, log in enumerate(logs)]
        content.append({**rng.choice(tops), "top_logprobs": tops})
    return json.dumps({"choices": [{"index": 0, "logprobs": {"content": content}}]}).encode()


def response(rng: random.Random) -> tuple[str, bytes]:
    """Return an ending, and the answer of a chat API or of one of the products in tests/data/responses."""
    files = sorted(DATA.joinpath("responses").iterdir())
    file = rng.choice(files) if rng.random() < 0.8 else None
    return (file.suffix, file.read_bytes()) if file else (".json", _chat(rng))


def settings(rng: random.Random) -> tuple[str, bytes]:
    """Return the name and the bytes of a file with sampling settings of one of the products in tests/data/settings."""
    file = rng.choice(sorted(DATA.joinpath("settings").iterdir()))
    return file.name, file.read_bytes()


def _array(rng: random.Random, block: list[list[float]]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(block, dtype=rng.choice(["<f8", "<f4", ">f8", "<f2"])))
    return stream.getvalue()


def _archive(rng: random.Random, block: list[list[float]]) -> bytes:
    stream = io.BytesIO()
    arrays = {"logits": np.array(block), "targets": np.array(targets(rng, block))}
    if rng.random() < 0.5:
        arrays["labels"] = np.array(labels(rng, len(block[0])))
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _table(rng: random.Random, block: list[list[float]]) -> Any:
    """Return an Arrow table with a column for each class, or with a column of lists."""
    import pyarrow

    columns = np.array(block).T
    kind = rng.choice([pyarrow.float64(), pyarrow.float32()])
    if rng.random() < 0.5:
        names = labels(rng, len(columns)) if rng.random() < 0.3 else _names(block)
        return pyarrow.table([pyarrow.array(column, kind) for column in columns], names=names)
    ids = pyarrow.array([f"r{i}" for i in range(len(block))])
    return pyarrow.table({"id": ids, "logits": pyarrow.array(block, pyarrow.list_(kind))})


def _parquet(rng: random.Random, block: list[list[float]]) -> bytes:
    import pyarrow.parquet

    stream = io.BytesIO()
    compression = rng.choice(["none", "snappy", "zstd"])
    pyarrow.parquet.write_table(_table(rng, block), stream, compression=compression)
    return stream.getvalue()


def _arrow(rng: random.Random, block: list[list[float]]) -> bytes:
    import pyarrow

    stream, table = io.BytesIO(), _table(rng, block)
    with rng.choice([pyarrow.ipc.new_file, pyarrow.ipc.new_stream])(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=rng.randint(1, 4))
    return stream.getvalue()


def _safetensors(rng: random.Random, block: list[list[float]]) -> bytes:
    from safetensors.numpy import save

    tensor = np.array(block, dtype=rng.choice(["float64", "float32", "float16"]))
    return bytes(save({rng.choice(["logits", "x"]): tensor, "targets": np.array(targets(rng, block))}))


# The ending of each text format, and how to write it.
TEXTS: dict[str, Callable[[random.Random, list[list[float]]], bytes]] = {
    ".txt": lambda _, block: _lines(block, " ", with_header=False),
    ".csv": lambda rng, block: _lines(block, rng.choice(",;"), with_header=True),
    ".tsv": lambda rng, block: _lines(block, "\t", with_header=rng.random() < 0.5),
    ".long.csv": _long,
    ".json": _json,
    ".jsonl": _json_lines,
}
FORMATS = TEXTS | {".npy": _array, ".npz": _archive}
if importlib.util.find_spec("pyarrow"):
    FORMATS |= {".parquet": _parquet, ".arrow": _arrow, ".feather": _arrow}
if importlib.util.find_spec("safetensors"):
    FORMATS[".safetensors"] = _safetensors


def valid(rng: random.Random, block: list[list[float]] | None = None) -> tuple[str, bytes]:
    """Return an ending and these or random logits in that format, sometimes compressed or in UTF-16."""
    ending = rng.choice(list(FORMATS))
    with np.errstate(all="ignore"):
        data = FORMATS[ending](rng, block or rows(rng))
    if rng.random() < 0.1:
        return ending + ".gz", gzip.compress(data, mtime=0)
    if ending in TEXTS and rng.random() < 0.05:
        return ending, data.decode().encode("utf-16")
    return ending, data


def problem_records(rng: random.Random) -> bytes:
    """Return records of `tsoft choose`: counts, answers or entropies of problems at temperatures, as CSV or JSON."""
    kind = rng.choice(["counts", "answers", "entropies"])
    records: list[dict[str, object]] = []
    for problem, tau in itertools.product(range(rng.randint(1, 6)), (0.2, 0.5, 1.0, 1.5)[: rng.randint(1, 4)]):
        values: dict[str, object] = {"problem": f"p{problem}", "tau": tau}
        if kind == "counts":
            n = rng.randint(1, 12)
            records.append(values | {"n": n, "correct": rng.randint(0, n)})
        elif kind == "answers":
            records += [values | {"answer": rng.choice("ab"), "target": "a"} for _ in range(rng.randint(1, 4))]
        else:
            records.append(values | {"entropy": rng.random()})
    if rng.random() < 0.5:
        return json.dumps(records).encode()
    lines = [",".join(records[0]), *(",".join(map(str, record.values())) for record in records)]
    return "\n".join([*lines, ""]).encode()


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return the bytes with one to four changes: a flip, a cut, a repetition, an insertion, or a second input."""
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data) + 1)
        end = min(len(data), place + rng.randint(1, 20))
        kind = rng.randrange(6)
        if kind == 0 and place < len(data):
            data = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place]
        elif kind == 2:
            data = data[:place] + data[end:]
        elif kind == 3:
            data = data[:end] + data[place:]
        elif kind == 4:
            data = data[:place] + rng.choice(SNIPPETS) + data[place:]
        else:
            data = data[:place] + valid(rng)[1]
    return data
