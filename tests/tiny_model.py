"""A llama model of a few kilobytes, which llama.cpp loads in milliseconds. Its tokens are the 256 bytes."""

import struct

import numpy as np

WIDTH, HIDDEN, HEADS, ALIGNMENT = 32, 32, 4, 32
_UINT32, _INT32, _FLOAT32, _STRING, _ARRAY = 4, 5, 6, 8, 9
_TOKENS = [*["<unk>", "<s>", "</s>"], *(f"<0x{byte:02X}>" for byte in range(256)), "a"]
# The types of tokens: unknown, control, byte, normal.
_TYPES = [2, 3, 3, *[6] * 256, 1]


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _number(format: str, kind: int, value: float) -> bytes:
    return struct.pack("<I" + format, kind, value)


def _array(kind: int, parts: list[bytes]) -> bytes:
    return struct.pack("<IIQ", _ARRAY, kind, len(parts)) + b"".join(parts)


def _metadata() -> dict[str, bytes]:
    return {
        "general.architecture": struct.pack("<I", _STRING) + _string("llama"),
        "llama.block_count": _number("I", _UINT32, 1),
        "llama.context_length": _number("I", _UINT32, 64),
        "llama.embedding_length": _number("I", _UINT32, WIDTH),
        "llama.feed_forward_length": _number("I", _UINT32, HIDDEN),
        "llama.attention.head_count": _number("I", _UINT32, HEADS),
        "llama.attention.head_count_kv": _number("I", _UINT32, HEADS),
        "llama.rope.freq_base": _number("f", _FLOAT32, 1e4),
        "llama.attention.layer_norm_rms_epsilon": _number("f", _FLOAT32, 1e-5),
        "llama.rope.dimension_count": _number("I", _UINT32, WIDTH // HEADS),
        "tokenizer.ggml.model": struct.pack("<I", _STRING) + _string("llama"),
        "tokenizer.ggml.tokens": _array(_STRING, [_string(token) for token in _TOKENS]),
        "tokenizer.ggml.scores": _array(_FLOAT32, [struct.pack("<f", 0.0)] * len(_TOKENS)),
        "tokenizer.ggml.token_type": _array(_INT32, [struct.pack("<i", kind) for kind in _TYPES]),
        "tokenizer.ggml.bos_token_id": _number("I", _UINT32, 1),
        "tokenizer.ggml.eos_token_id": _number("I", _UINT32, 2),
        "tokenizer.ggml.unknown_token_id": _number("I", _UINT32, 0),
    }


def _shapes() -> dict[str, tuple[int, ...]]:
    attention = {f"blk.0.attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
    return {
        "token_embd.weight": (WIDTH, len(_TOKENS)),
        "output_norm.weight": (WIDTH,),
        "output.weight": (WIDTH, len(_TOKENS)),
        "blk.0.attn_norm.weight": (WIDTH,),
        **attention,
        "blk.0.ffn_norm.weight": (WIDTH,),
        "blk.0.ffn_gate.weight": (WIDTH, HIDDEN),
        "blk.0.ffn_up.weight": (WIDTH, HIDDEN),
        "blk.0.ffn_down.weight": (HIDDEN, WIDTH),
    }


def tiny_model(changes: dict[str, bytes | None] | None = None) -> bytes:
    """Return the file. `changes` replaces the values of some keys, each with its type; None removes a key."""
    metadata = {key: value for key, value in (_metadata() | (changes or {})).items() if value is not None}
    generator, shapes = np.random.default_rng(0), _shapes()
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(metadata))
    header += b"".join(_string(key) + value for key, value in metadata.items())
    data = b""
    for name, shape in shapes.items():
        header += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += generator.normal(0.0, 0.5, shape).astype("<f4").tobytes()
    return header + bytes(-len(header) % ALIGNMENT) + data
