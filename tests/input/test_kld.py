"""Reading the logits of llama.cpp, written here by the formulas of its tools/perplexity/perplexity.cpp."""

import json
import struct
from typing import Any

import numpy as np
import pytest

import tsoft
from array_files import complaint, numbers, read, rows
from cases import each_case
from tool import here
from tsoft.core.softmax import Array
from tsoft.input import kld
from tsoft.input.labels import Labels
from tsoft.input.read_options import TargetSource


def stored_row(logits: Array) -> bytes:
    """Return a row as llama.cpp stores it: a scale, the lowest log-probability, and 16 bits per class."""
    z = logits.astype(np.float32)
    top = z.max()
    low = max(z.min(), top - np.float32(16))
    minimum = low - top - np.log(np.exp((z - top).astype(np.float64)).sum())
    scale = np.float32((top - low) / np.float32(65535))
    codes = np.round((np.maximum(z, low) - low) / scale) if scale else np.zeros(len(z))
    return struct.pack("<ff", scale, minimum) + codes.astype("<u2").tobytes() + bytes(2 * (len(z) % 2))


def stored(logits: Array, context: int, tokens: Array) -> bytes:
    """Return a file of chunks: logits (chunks, rows, classes), and tokens (chunks, context)."""
    chunks, _, classes = logits.shape
    start = b"_logits_" + struct.pack("<3i", context, classes, chunks) + tokens.astype("<i4").tobytes()
    return start + b"".join(stored_row(row) for row in logits.reshape(-1, classes))


def example(classes: int, context: int = 9, chunks: int = 3) -> tuple[Array, Array, bytes]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(chunks, context - 1 - context // 2, classes)) * 3
    tokens = rng.integers(0, classes, (chunks, context))
    return logits, tokens, stored(logits, context, tokens)


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize(("classes", "context"), [(5, 9), (6, 8), (1000, 16)])
def test_log_probabilities_and_targets(
    classes: int, context: int, piped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kld, "BLOCK", 4 * classes)
    logits, tokens, data = example(classes, context)
    blocks = read(data, "kld", piped=piped, targets=TargetSource())
    expected = tsoft.log_softmax(np.maximum(logits, logits.max(-1, keepdims=True) - 16)).reshape(-1, classes)
    # A code is a sixteenth of 1 / 4096, so it is off by at most half of that.
    assert abs(rows(blocks) - expected).max() < 16 / 65535 / 2 + 1e-5
    # A row predicts the token after it: those of the last tokens of each chunk.
    targets = np.concatenate([block.targets for block in blocks if block.targets is not None])
    assert targets.tolist() == tokens[:, -logits.shape[1] :].reshape(-1).tolist()
    assert [tokens[0, context // 2 + 1], tokens[0, -1]] == [targets[0], targets[logits.shape[1] - 1]]
    assert blocks[0].origin.quantity == "logprob"


def test_equal_logits_are_uniform() -> None:
    data = stored(np.zeros((1, 1, 4)), 4, np.zeros((1, 4)))
    assert rows(read(data, "kld")).tolist() == [[np.float32(-np.log(4))] * 4]


def test_classes_at_the_floor_are_noted() -> None:
    notes: list[str] = []
    flat = stored(np.array([[[0.0, -15.9]]]), 4, np.zeros((1, 4)))
    read(flat, "kld", note=notes.append)
    assert notes == []
    masked = stored(np.array([[[0.0, -15.9, -np.inf, -20.0]]]), 4, np.zeros((1, 4)))
    [block] = read(masked, "kld", note=notes.append)
    assert block.logits[0] == pytest.approx([0, -15.9, -16, -16], abs=2e-4)
    assert len(notes) == 1
    assert "it is an upper bound, not a value" in notes[0]


def test_calibrate_takes_the_tokens_as_targets() -> None:
    """Three of four rows are followed by the first token, so z / τ = ln 3."""
    logits, tokens = np.tile([2.0, 0.0], (1, 4, 1)), np.array([[1, 1, 1, 1, 1, 0, 0, 0, 1]])
    done = here("calibrate", "--format", "json", stdin=stored(logits[:, :4], 9, tokens))
    assert json.loads(done.stdout)[0]["tau"] == pytest.approx(2 / np.log(3), rel=1e-4)


def test_labels_name_the_tokens() -> None:
    _, _, data = example(3)
    [block] = read(data, "kld", labels=Labels(("a", "b", "c")))
    assert block.labels == ("a", "b", "c")
    assert complaint(data, "kld", labels=Labels(("a",))).startswith("3 classes, but --labels has 1 name")


WHOLE = example(3)[2]
BROKEN: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "empty": (b"", {}, "no logits: the input is empty"),
    "text": (b"2 1\n", {}, "not a file of logits of llama.cpp"),
    "more": (WHOLE + b"x", {}, "more bytes than the header declares"),
    "no chunks": (b"_logits_" + struct.pack("<3i", 8, 3, 0), {}, "invalid header: n_ctx = 8, n_vocab = 3, n_chunk = 0"),
    "huge": (b"_logits_" + struct.pack("<3i", 1 << 30, 3, 1 << 30), {}, "invalid header: n_ctx = 1073741824"),
    "a token": (stored(np.zeros((1, 1, 3)), 4, np.full((1, 4), 3)), {}, "a token is not one of the 3 classes"),
    "NaN": (
        WHOLE[:-8] + struct.pack("<4H", *[0] * 4),
        {"quantity": "prob"},
        "the file contains log-probabilities, not probabilities; remove --probs",
    ),
}


@each_case(("data", "reading", "message"), BROKEN.values())
def test_errors(data: bytes, reading: dict[str, Any], message: str) -> None:
    if data == WHOLE + b"x":
        with pytest.raises(Exception, match=message):
            read(data, "kld")
        return
    assert complaint(data, "kld", **reading).startswith(message)


def test_every_truncation_is_an_error() -> None:
    for cut in range(1, len(WHOLE)):
        with pytest.raises(Exception, match="cut off"):
            read(WHOLE[:cut], "kld")


def test_numbers_that_are_no_log_probabilities_are_an_error() -> None:
    row = struct.pack("<ff", np.nan, 0) + bytes(8)
    data = stored(numbers((1, 1, 3)), 4, np.zeros((1, 4)))[: -len(row)] + row
    assert complaint(data, "kld").startswith("row 0: NaN is not a log-probability")
