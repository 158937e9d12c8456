"""Round trips: tsoft reads what it wrote, and the same logits from two formats, and every number is the same.

The first trip writes probabilities, or their logarithms, and reads them again. Every format has all digits of a
float64, so the file has exactly the numbers that compute prints. Reading computes with logarithms, so the numbers read
differ by the rounding of these; `_units` is the limit.
"""

import csv
import importlib.util
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import inputs
import tool
from outcomes import Outcome

# Formats that compute writes and tsoft reads. tsv has the numbers alone, and npy has no place for anything else.
FORMATS = ["csv", "json", "jsonl", "npy", "npz", "tsv"]
FORMATS += ["parquet"] * (importlib.util.find_spec("pyarrow") is not None)
FORMATS += ["safetensors"] * (importlib.util.find_spec("safetensors") is not None)
UNLABELED = {"npy", "tsv"}


class TripError(Exception):
    """A difference between what was written and what was read."""


def run(rng: random.Random) -> Outcome:
    """Make one round trip in the current folder, which is empty."""
    name, trip = rng.choice([("written", _written), ("two formats", _two_formats)])
    try:
        trip(rng)
    except TripError as error:
        return Outcome(name, 1, str(error))
    return Outcome(name, 0)


def _written(rng: random.Random) -> None:
    """Write a block with compute, read it again, and compare."""
    block = inputs.rows(rng)
    names = [f"c{i}" for i in range(len(block[0]))] if rng.random() < 0.3 else inputs.labels(rng, len(block[0]))
    ids = [f"id {name}" for name in inputs.labels(rng, len(block))]
    records = [{"id": i, "labels": names, "logits": row} for i, row in zip(ids, block, strict=True)]
    lines = [json.dumps(record).replace("-Infinity", '"-inf"') for record in records]
    Path("block.jsonl").write_text("\n".join(lines) + "\n")
    tau, ending, log = rng.choice([0.5, 1.0, 2.0]), rng.choice(FORMATS), rng.random() < 0.5
    if ending == "tsv" and len(names) == 1:
        # One number per line is one vector.
        return
    options = ["-i", "block.jsonl", "--tau", repr(tau), *["--log"] * log]
    shown = _records(*options)
    _run(*options, "-o", f"out.{ending}")
    field, option = ("log_probs", "--logprobs") if log else ("probs", "--probs")
    _check_numbers(ending, _file_numbers(ending, names, field), [record[field] for record in shown])
    again = _records("-i", f"out.{ending}", option)
    probs = [record["probs"] for record in (_records(*options[:-1]) if log else shown)]
    if len(again) != len(block):
        raise TripError(f"{len(block)} rows became {len(again)} in {ending}")
    for row, before, after, i in zip(block, probs, again, ids, strict=True):
        _check_row(f"{ending} {field}", np.array(before), np.array(after["probs"]))
        if not np.allclose(before, _softmax(np.array(row), tau), rtol=1e-9, atol=1e-300):
            raise TripError(f"the formula is {_softmax(np.array(row), tau).tolist()}, compute printed {before}")
        if ending not in UNLABELED and (after.get("labels"), after.get("id")) != (names, i):
            raise TripError(f"{ending}: {names} and {i!r} became {after.get('labels')} and {after.get('id')!r}")


def _check_row(place: str, before: np.ndarray, after: np.ndarray) -> None:
    if before.shape != after.shape:
        raise TripError(f"{place}: {len(before)} classes became {len(after)}")
    different = np.abs(before - after) > _units(before) * np.spacing(before)
    if different.any():
        raise TripError(f"{place}: {before[different].tolist()} became {after[different].tolist()}")


def _units(probs: np.ndarray) -> np.ndarray:
    """Return how many units in the last place a probability may change when it is read again.

    Its logarithm is rounded by at most half a unit of its own, which moves the probability p by the factor
    1 ± |ln p| 2^-53: at most |ln p| units, since a unit of p is at least p 2^-53. The normalizer moves by the mean
    of this, at most ln n. The difference from the normalizer is rounded again, hence twice. The rest is the rounding of
    the exponential and the logarithm, which may be wrong by a unit more, of the division, and of the sum of n numbers.
    """
    with np.errstate(divide="ignore"):
        logs = np.where(probs > 0, -np.log(probs), 0)
    return np.asarray(2 * (logs + np.log(len(probs))) + 4 + len(probs))


def _file_numbers(ending: str, names: list[str], field: str) -> list[list[float]]:
    """Return the numbers in the file that compute wrote, read without tsoft."""
    name = f"out.{ending}"
    if ending == "parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(name)
        if field in table.column_names:
            # Labels that cannot be names of columns are in the file beside one column of lists.
            return [list(row) for row in table[field].to_pylist()]
        columns = [column.to_pylist() for column in table.columns[-len(names) :]]
        return [list(row) for row in zip(*columns, strict=True)]
    if ending == "safetensors":
        from safetensors.numpy import load_file

        return [[float(value) for value in row] for row in load_file(name)[field]]
    if ending in ("npy", "npz"):
        array = np.load(name)
        return [[float(value) for value in row] for row in (array[field] if ending == "npz" else array)]
    text = Path(name).read_text(encoding="utf-8")
    if ending in ("json", "jsonl"):
        records = json.loads(text) if ending == "json" else [json.loads(line) for line in text.split("\n") if line]
        return [[float(value) for value in record[field]] for record in records]
    with open(name, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t" if ending == "tsv" else ","))
    return [[float(value) for value in row[-len(names) :]] for row in rows[ending == "csv" :]]


def _check_numbers(ending: str, written: list[list[float]], shown: list[list[Any]]) -> None:
    expected = [[float(value) for value in row] for row in shown]
    if written != expected:
        raise TripError(f"{ending} has {written}, and json has {expected}")


def _two_formats(rng: random.Random) -> None:
    """Write the same logits in two formats without tsoft, and compare the output."""
    block = np.array(inputs.rows(rng))
    if block.shape[1] == 1:
        # A column of numbers is one vector in most formats.
        return
    names = [f"c{i}" for i in range(block.shape[1])]
    first, second = rng.sample(list(WRITERS), 2)
    options = rng.choice([[], ["--tau", "0.3,2"], ["--top-p", "0.8"], ["--min-p", "0.1", "--log"], ["--tau", "0"]])
    outputs = []
    for ending in (first, second):
        WRITERS[ending](f"logits.{ending}", block, names)
        records = _records("-i", f"logits.{ending}", *options)
        outputs.append([{key: value for key, value in record.items() if key not in LABELS} for record in records])
    if outputs[0] != outputs[1]:
        raise TripError(f"{first} and {second} with {options}: {outputs[0]} and {outputs[1]}")


# Fields that differ between formats with labels and without.
LABELS = {"labels", "top"}


def _write_csv(name: str, block: np.ndarray, names: list[str]) -> None:
    lines = [",".join(names), *(",".join(map(repr, row)) for row in block.tolist())]
    Path(name).write_text("\n".join(lines) + "\n")


def _write_json(name: str, block: np.ndarray, names: list[str]) -> None:
    text = json.dumps({"labels": names, "logits": block.tolist()})
    Path(name).write_text(text.replace("-Infinity", '"-inf"'))


def _write_txt(name: str, block: np.ndarray, names: list[str]) -> None:
    Path(name).write_text("".join(" ".join(map(repr, row)) + "\n" for row in block.tolist()))


def _write_npz(name: str, block: np.ndarray, names: list[str]) -> None:
    np.savez(name, logits=block, labels=np.array(names))


def _write_parquet(name: str, block: np.ndarray, names: list[str]) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(dict(zip(names, block.T, strict=True))), name)


def _write_safetensors(name: str, block: np.ndarray, names: list[str]) -> None:
    from safetensors.numpy import save_file

    save_file({"logits": block}, name)


WRITERS: dict[str, Callable[[str, np.ndarray, list[str]], None]] = {
    "csv": _write_csv,
    "json": _write_json,
    "txt": _write_txt,
    "npy": lambda name, block, names: np.save(name, block),
    "npz": _write_npz,
}
WRITERS |= {"parquet": _write_parquet} if "parquet" in FORMATS else {}
WRITERS |= {"safetensors": _write_safetensors} if "safetensors" in FORMATS else {}


def _run(*arguments: str) -> str:
    done = tool.here("compute", *arguments)
    if done.returncode:
        raise TripError(f"tsoft compute {' '.join(arguments)}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def _records(*arguments: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(_run(*arguments, "-f", "json"))
    return records


def _softmax(row: np.ndarray, tau: float) -> np.ndarray:
    # A difference beyond the largest number is infinite, and its probability 0.
    with np.errstate(over="ignore"):
        powers = np.exp((row - row.max()) / tau)
    return np.asarray(powers / powers.sum())
