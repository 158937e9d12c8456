"""Reading the metadata of GGUF files."""

import struct
from pathlib import Path
from typing import Any

import pytest

from tool import here
from tsoft.errors import InputError
from tsoft.input.gguf import read_metadata
from tsoft.input.settings.settings_reader import read

# The value types by number: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def string(text: str, order: str = "<") -> bytes:
    return struct.pack(order + "Q", len(text.encode())) + text.encode()


def scalar(kind: int, value: Any, order: str = "<") -> bytes:
    return string(value, order) if kind == 8 else struct.pack(order + FORMATS[kind], value)


def array(kind: int, values: list[Any], order: str = "<") -> bytes:
    return struct.pack(order + "IQ", kind, len(values)) + b"".join(scalar(kind, value, order) for value in values)


def model(pairs: list[tuple[str, int, bytes]], *, version: int = 3, order: str = "<", tensors: bytes = b"") -> bytes:
    """Return a GGUF file with these keys, types and values."""
    head = b"GGUF" + struct.pack(order + "IQQ", version, 0, len(pairs))
    return (
        head
        + b"".join(string(key, order) + struct.pack(order + "I", kind) + data for key, kind, data in pairs)
        + tensors
    )


SAMPLING = [
    ("general.architecture", 8, scalar(8, "llama")),
    ("general.sampling.temp", 6, scalar(6, 0.5)),
    ("tokenizer.ggml.tokens", 9, array(8, ["a", "Straße", ""])),
    ("tokenizer.ggml.scores", 9, array(6, [0.5, -1.0])),
    ("general.sampling.top_k", 5, scalar(5, 3)),
    ("general.sampling.penalty_repeat", 6, scalar(6, 1.5)),
    ("general.sampling.sequence", 8, scalar(8, "penalties;temperature;top_k")),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


@pytest.mark.parametrize(("version", "order"), [(3, "<"), (2, "<"), (3, ">")])
@pytest.mark.parametrize("kind", [*FORMATS, 8])
def test_values_of_each_type(path: Path, version: int, order: str, kind: int) -> None:
    special: dict[int, list[Any]] = {7: [True, False], 8: ["", "ü\n"]}
    values = special.get(kind, [1, 100])
    pairs = [("a", kind, scalar(kind, values[0], order)), ("b", 9, array(kind, values, order))]
    path.write_bytes(model(pairs, version=version, order=order))
    got = read_metadata(str(path))
    assert got == {"a": values[0], "b": values}
    assert type(got["a"]) is (float if kind in (6, 12) else type(values[0]))


def test_values_with_other_prefixes_are_skipped(path: Path) -> None:
    path.write_bytes(model(SAMPLING, tensors=b"\xff" * 100))
    got = read_metadata(str(path), "general.sampling.")
    assert list(got.values()) == [0.5, 3, 1.5, "penalties;temperature;top_k"]
    assert read_metadata(str(path))["tokenizer.ggml.tokens"] == ["a", "Straße", ""]


def test_sampling_settings(path: Path) -> None:
    path.write_bytes(model(SAMPLING))
    got = read(str(path))
    assert (got.origin.kind, got.origin.engine) == ("a GGUF model", "llama.cpp")
    # Only the listed samplers apply, so the defaults of others do not.
    values = (("tau", 0.5), ("top_k", 3.0), ("repetition_penalty", 1.5), ("penalty_last_n", 64.0))
    assert (got.values, got.samplers) == (values, ("penalties", "temperature", "top_k"))
    assert got.unused == ()
    done = here("compute", "2", "1", "0", "-1", "--settings", str(path), "--digits", "3")
    assert done.stdout == "0.867\t0.117\t0.0159\t0\n"
    assert f"tsoft: note: {path}, a GGUF model, sets temp 0.5, top_k 3\n" in done.stderr
    assert f"tsoft: note: {path}: tsoft ignores penalty_repeat 1.5, since the tokens before" in done.stderr
    # Without an order, llama.cpp's defaults complete the settings.
    path.write_bytes(model(SAMPLING[:-1]))
    assert dict(read(str(path)).values) == {**dict(values), "top_p": 0.95, "min_p": 0.05}
    # gguf-py, constants.py: the keys of mirostat and the penalties.
    names = ("mirostat", 5, 2), ("mirostat_tau", 6, 4.0), ("mirostat_eta", 6, 0.5), ("penalty_last_n", 5, -1)
    path.write_bytes(model([(f"general.sampling.{name}", kind, scalar(kind, value)) for name, kind, value in names]))
    got = read(str(path))
    assert dict(got.values) == {"mirostat_tau": 4, "mirostat_eta": 0.5, "tau": 0.8}
    assert got.samplers == ("temperature", "mirostat")
    # llama_sampler_init_penalties: a range below 0 is 0.
    penalty = ("temp", 6, 0.5), ("penalty_repeat", 6, 1.5), ("penalty_last_n", 5, -1)
    path.write_bytes(model([(f"general.sampling.{name}", kind, scalar(kind, value)) for name, kind, value in penalty]))
    got = read(str(path))
    assert "repetition_penalty" not in dict(got.values)
    assert got.unused == ("penalty_last_n -1 is taken as 0, as llama.cpp does",)


def test_tokens_that_a_model_suppresses(path: Path) -> None:
    """common/sampling.cpp: llama.cpp adds a bias of -inf for each token of llama_vocab_get_suppress_tokens."""
    suppressed = ("tokenizer.ggml.suppress_tokens", 9, array(5, [1, -1]))
    for pairs, tau in ([*SAMPLING[:2], suppressed], 0.5), ([suppressed], 0.8):
        path.write_bytes(model(pairs))
        got = read(str(path))
        assert (got.origin.kind, got.biases, dict(got.values)["tau"]) == ("a GGUF model", ((1, float("-inf")),), tau)
    done = here("compute", "2", "1", "0.5", "--settings", str(path), "--top-p", "1", "--min-p", "0", "--digits", "3")
    # 1 / (1 + exp(-1.5 / 0.8))
    assert done.stdout == "0.867\t0\t0.133\n"


def test_a_model_without_sampling_settings(path: Path) -> None:
    path.write_bytes(model(SAMPLING[:1]))
    with pytest.raises(
        InputError, match=r"no sampling settings: the GGUF metadata has no fields that start with general"
    ):
        read(str(path))


def test_incomplete_and_wrong_files(path: Path) -> None:
    whole = model(SAMPLING)
    for size in range(4, len(whole), 3):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"model\.gguf: byte \d+: the file ends within its GGUF metadata"):
            read_metadata(str(path))
    for content, problem in (
        (b"", "not a GGUF file: the file is empty"),
        (b"GGML" + whole[4:], "not a GGUF file: it starts with b'GGML'"),
        (model([], version=1), "GGUF version 1; tsoft reads versions 2 and 3"),
        (model([("a", 13, b"")]), "unknown value type 13 in the GGUF metadata"),
        (model([("a", 9, struct.pack("<IQ", 9, 0))]), "unknown value type 9 in the GGUF metadata"),
        (model([("a", 9, struct.pack("<IQ", 4, 2**63))]), "the file ends within its GGUF metadata"),
        (model([("a", 4, scalar(4, 1)), ("a", 4, scalar(4, 2))]), "the key 'a' is in the metadata twice"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_metadata(str(path))
        assert problem in str(caught.value)
    with pytest.raises(InputError, match="No such file"):
        read_metadata(str(path) + ".missing")
