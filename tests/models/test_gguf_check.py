"""What the header of a model file must contain before llama.cpp loads the file."""

import random
import struct
from pathlib import Path

import pytest

from gguf_headers import mutated_header
from tiny_model import tiny_model
from tsoft.errors import InputError
from tsoft.models.gguf_check import check_model

UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9


def uint32(value: int) -> bytes:
    return struct.pack("<II", UINT32, value)


def float32(value: float) -> bytes:
    return struct.pack("<If", FLOAT32, value)


def string(text: str) -> bytes:
    return struct.pack("<IQ", STRING, len(text)) + text.encode()


def array(kind: int, count: int) -> bytes:
    """Return an array of zeros, or of empty strings."""
    return struct.pack("<IIQ", ARRAY, kind, count) + bytes((8 if kind == STRING else 4) * count)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny.gguf"


def test_model_that_is_complete(path: Path) -> None:
    path.write_bytes(tiny_model())
    check_model(str(path))
    # Layers may have different numbers of heads, and a number may be missing.
    heads = struct.pack("<IIQII", ARRAY, UINT32, 2, 4, 0)
    path.write_bytes(tiny_model({"llama.attention.head_count_kv": heads, "tokenizer.ggml.scores": None}))
    check_model(str(path))


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("general.architecture", None, "its header does not name an architecture"),
        ("general.architecture", uint32(1), "its header does not name an architecture"),
        ("general.architecture", string("gpt2"), "its header has no block_count"),
        ("general.alignment", uint32(24), "general.alignment is 24, which is not a power of two"),
        ("general.alignment", string("32"), "general.alignment is '32', which is not a power of two"),
        ("llama.block_count", uint32(0), "block_count is 0"),
        ("llama.block_count", uint32(2**31), "block_count is 2147483648"),
        ("llama.block_count", float32(1.0), "block_count is 1.0"),
        ("llama.embedding_length", None, "its header has no embedding_length"),
        ("llama.context_length", uint32(0), "context_length is 0"),
        ("llama.attention.layer_norm_rms_epsilon", float32(float("nan")), "layer_norm_rms_epsilon is nan"),
        ("llama.attention.layer_norm_rms_epsilon", float32(-1e-5), "layer_norm_rms_epsilon is -"),
        ("llama.attention.layer_norm_rms_epsilon", float32(float("inf")), "layer_norm_rms_epsilon is inf"),
        ("llama.rope.freq_base", float32(float("nan")), "rope.freq_base is nan"),
        ("llama.attention.head_count", uint32(33), "attention.head_count is 33"),
        ("llama.attention.head_count_kv", uint32(3), "attention.head_count_kv is 3, which does not divide"),
        ("llama.attention.head_count_kv", array(FLOAT32, 2), "attention.head_count_kv is (0.0, 0.0)"),
        ("tokenizer.ggml.tokens", None, "it has no vocabulary"),
        ("tokenizer.ggml.tokens", array(STRING, 0), "it has no vocabulary"),
        ("tokenizer.ggml.tokens", array(FLOAT32, 260), "it has no vocabulary"),
        ("tokenizer.ggml.tokens", array(STRING, 259), "scores does not have a number for each of the 259 tokens"),
        (
            "tokenizer.ggml.token_type",
            array(INT32, 261),
            "token_type does not have a number for each of the 260 tokens",
        ),
    ],
)
def test_wrong_values(path: Path, key: str, value: bytes | None, problem: str) -> None:
    path.write_bytes(tiny_model({key: value}))
    with pytest.raises(InputError) as raised:
        check_model(str(path))
    assert str(raised.value).startswith(f"{path}: the model cannot be loaded: ")
    assert problem in str(raised.value)


def test_wrong_tensors(path: Path) -> None:
    whole = tiny_model()
    entry = whole.index(b"token_embd.weight") + len("token_embd.weight")
    dimensions, width, tokens, kind, offset = struct.unpack("<IQQIQ", whole[entry : entry + 32])
    assert (dimensions, width, tokens, kind, offset) == (2, 32, 260, 0, 0)
    for values, problem in (
        ((2, 32, 300, 0, 0), "the tensor token_embd.weight has the shape (32, 300), but there are 260 tokens"),
        ((2, 2**40, 2**40, 0, 0), "has the shape (1099511627776, 1099511627776), which is out of range"),
        ((2, 32, 0, 0, 0), "has the shape (32, 0), which is out of range"),
        ((9, 32, 260, 0, 0), "the tensor 'token_embd.weight' has 9 dimensions"),
        ((2, 32, 260, 0, 32 * 10**6), "the tensor 'token_embd.weight' is at byte 32000000 of "),
        ((2, 32, 260, 0, 1), "the tensor 'token_embd.weight' is at byte 1 of "),
    ):
        path.write_bytes(whole[:entry] + struct.pack("<IQQIQ", *values) + whole[entry + 32 :])
        with pytest.raises(InputError) as raised:
            check_model(str(path))
        assert problem in str(raised.value)
    for count in (2**64 - 1, 10**6):
        path.write_bytes(whole[:8] + struct.pack("<Q", count) + whole[16:])
        with pytest.raises(InputError, match="the file ends within its GGUF metadata"):
            check_model(str(path))


def test_damaged_headers_are_errors_of_the_input(path: Path) -> None:
    rng, data, messages = random.Random(1), tiny_model(), []
    for _ in range(150):
        path.write_bytes(mutated_header(rng, data))
        try:
            check_model(str(path))
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert all(message.startswith(f"{path}: ") for message in messages)
