"""Random JSON values."""

from collections.abc import Sequence
from random import Random
from typing import Any


def random_value(random: Random, leaves: Sequence[Any], names: Sequence[str], depth: int = 3) -> Any:
    """Return one of the leaves, or an array or an object of values that are at most `depth` levels deep."""
    kind = random.choice(["leaf", "array", "object"]) if depth else "leaf"
    if kind == "leaf":
        return random.choice(leaves)
    values = [random_value(random, leaves, names, depth - 1) for _ in range(random.randint(0, 4))]
    return values if kind == "array" else dict(zip(random.sample(names, len(values)), values, strict=True))
