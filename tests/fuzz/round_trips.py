"""Round trips: compute writes a random block, tsoft reads it back, and every number and label is the same."""

import json
import random
from pathlib import Path

import numpy as np

import inputs
import tool
from outcomes import Outcome

# Formats that compute writes and tsoft reads.
FORMATS = ("csv", "json", "jsonl", "npy", "npz", "tsv")
UNLABELED = {"npy", "tsv"}


def run(rng: random.Random) -> Outcome:
    """Make a round trip in the current folder, which is empty."""
    difference = problem(rng)
    return Outcome("compute", 1 if difference else 0, difference)


def problem(rng: random.Random) -> str:
    """Make a round trip in the current folder and return what differs; empty if nothing does."""
    block = inputs.rows(rng)
    names = [f"c{i}" for i in range(len(block[0]))] if rng.random() < 0.3 else inputs.labels(rng, len(block[0]))
    logits, tau = np.array(block), rng.choice([0.5, 1.0, 2.0])
    Path("block.json").write_text(json.dumps({"labels": names, "logits": block}).replace("-Infinity", '"-inf"'))
    ending = rng.choice(FORMATS)
    if ending == "tsv" and len(names) == 1:
        # tsv has no header, and one number per line is one vector.
        return ""
    log = rng.random() < 0.5
    written = tool.here("compute", "-i", "block.json", "--tau", repr(tau), "-o", f"out.{ending}", *(["--log"] * log))
    if written.returncode:
        return f"compute -o out.{ending} ended with exit code {written.returncode}: {written.stderr}"
    kind = "--logprobs" if log else "--probs"
    again = tool.here("compute", "-i", f"out.{ending}", kind, "-f", "json")
    if again.returncode:
        return f"tsoft cannot read its own out.{ending}: {again.stderr}"
    records = json.loads(again.stdout)
    if len(records) != len(block):
        return f"{len(block)} rows became {len(records)} in {ending}"
    for row, record in zip(logits, records, strict=True):
        expected = _softmax(row, tau)
        if len(record["probs"]) != len(row):
            return f"{len(row)} classes became {len(record['probs'])} in {ending}"
        if not np.allclose(record["probs"], expected, rtol=1e-9, atol=1e-300):
            return f"{ending}{' --log' * log}: {expected.tolist()} became {record['probs']}"
        if ending not in UNLABELED and record.get("labels") != names:
            return f"{ending}: the labels {names} became {record.get('labels')}"
    return ""


def _softmax(row: np.ndarray, tau: float) -> np.ndarray:
    # A difference beyond the largest number is infinite, and its probability 0.
    with np.errstate(over="ignore"):
        powers = np.exp((row - row.max()) / tau)
    return np.asarray(powers / powers.sum())
