"""Random inputs: valid bytes of every format that tsoft reads, and damaged copies of them."""

import gzip
import io
import json
import random

import numpy as np

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


def rows(rng: random.Random) -> list[list[float]]:
    """Return rows of logits of the same length, each with a finite one."""
    width = rng.randint(1, 8)
    block = [[number(rng) for _ in range(width)] for _ in range(rng.randint(1, 6))]
    for row in block:
        row[rng.randrange(width)] = rng.gauss(0, 3)
    return block


def _lines(rng: random.Random, separator: str, with_header: bool) -> bytes:
    block = rows(rng)
    header = [separator.join(f"c{i}" for i in range(len(block[0])))] if with_header else []
    return "\n".join([*header, *(separator.join(map(repr, row)) for row in block), ""]).encode()


def _long(rng: random.Random) -> bytes:
    [row, *_] = rows(rng)
    return "\n".join(["label,logit", *(f"c{i},{value!r}" for i, value in enumerate(row)), ""]).encode()


def _json(rng: random.Random) -> bytes:
    block = rows(rng)
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


def _json_lines(rng: random.Random) -> bytes:
    block = rows(rng)
    names = labels(rng, len(block[0]))
    return "\n".join(json.dumps({"id": i, "labels": names, "logits": row}) for i, row in enumerate(block)).encode()


def _response(rng: random.Random) -> bytes:
    """Return the answer of a chat API with log-probabilities."""
    content = []
    for _ in range(rng.randint(1, 4)):
        weights = sorted((rng.random() + 1e-3 for _ in range(rng.randint(2, 6))), reverse=True)
        logs = [float(np.log(weight / (sum(weights) * 1.05))) for weight in weights]
        tops = [{"token": f"t{i}", "logprob": log} for i, log in enumerate(logs)]
        content.append({**rng.choice(tops), "top_logprobs": tops})
    return json.dumps({"choices": [{"index": 0, "logprobs": {"content": content}}]}).encode()


def _array(rng: random.Random) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(rows(rng), dtype=rng.choice(["<f8", "<f4", ">f8", "<f2"])))
    return stream.getvalue()


def _archive(rng: random.Random) -> bytes:
    stream = io.BytesIO()
    block = rows(rng)
    np.savez(stream, logits=np.array(block), labels=np.array(labels(rng, len(block[0]))))
    return stream.getvalue()


# The format's ending, and how to write it.
FORMATS = {
    ".txt": lambda rng: _lines(rng, " ", with_header=False),
    ".csv": lambda rng: _lines(rng, rng.choice(",;"), with_header=True),
    ".tsv": lambda rng: _lines(rng, "\t", with_header=rng.random() < 0.5),
    ".long.csv": _long,
    ".json": _json,
    ".jsonl": _json_lines,
    ".response.json": _response,
    ".npy": _array,
    ".npz": _archive,
}


def valid(rng: random.Random) -> tuple[str, bytes]:
    """Return an ending and bytes in that format, sometimes compressed or in UTF-16."""
    ending = rng.choice(list(FORMATS))
    with np.errstate(all="ignore"):
        data = FORMATS[ending](rng)
    if rng.random() < 0.1:
        return ending + ".gz", gzip.compress(data, mtime=0)
    if ending not in (".npy", ".npz") and rng.random() < 0.05:
        return ending, data.decode().encode("utf-16")
    return ending, data


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
