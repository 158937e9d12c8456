"""Damage to the headers of GGUF files."""

import random
import struct

# Numbers at which programs fail: limits of the types, infinities and NaN as float32, and small changes.
_WORDS = [
    struct.pack("<I", value)
    for value in (0, 1, 2, 3, 5, 7, 33, 255, 513, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
]
_WORDS += [struct.pack("<f", value) for value in (float("nan"), float("inf"), -float("inf"), -1.0, 1e38, 1e-45)]
_LONGS = [struct.pack("<Q", value) for value in (0, 1, 1 << 31, 1 << 40, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)]


def mutated_header(rng: random.Random, data: bytes) -> bytes:
    """Return a GGUF file with one to four changes to its header, or cut off.

    A change flips a bit, or overwrites, inserts or removes some bytes. Half of the changes are at the value of a key
    of the metadata or in the list of tensors, which have a meaning; the others are anywhere in the header.
    """
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4) if rng.random() < 0.3 else 1):
        _change(rng, changed, _place(rng, data))
    return bytes(changed)


def _place(rng: random.Random, data: bytes) -> int:
    """Return the index of a byte to change."""
    end = max(24, min(len(data), _header_size(data)))
    if rng.random() < 0.5:
        return rng.randrange(end)
    # A value follows the name of its key; an entry of the list of tensors follows the name of the tensor.
    names = [b"general.", b"llama.", b"tokenizer.", b".weight"]
    places = [i for name in names for i in _occurrences(data[:end], name)]
    if not places:
        return rng.randrange(end)
    return min(end - 1, rng.choice(places) + rng.randrange(64))


def _header_size(data: bytes) -> int:
    """Return about where the last entry of the list of tensors ends."""
    return data.rfind(b".weight") + 7 + 4 + 4 * 8 + 4 + 8 if b".weight" in data else len(data)


def _occurrences(data: bytes, text: bytes) -> list[int]:
    places, start = [], data.find(text)
    while start >= 0:
        places.append(start)
        start = data.find(text, start + 1)
    return places


def _change(rng: random.Random, data: bytearray, place: int) -> None:
    kind = rng.randrange(10)
    if kind == 0:
        del data[rng.randrange(len(data)) :]
    elif kind == 1:
        del data[place : place + rng.randint(1, 16)]
    elif kind == 2:
        data[place:place] = rng.randbytes(rng.randint(1, 16))
    elif kind < 5 and place < len(data):
        data[place] ^= 1 << rng.randrange(8)
    else:
        value = rng.choice(_WORDS if kind < 8 else _LONGS)
        data[place : place + len(value)] = value
