"""The seed of what is drawn at random."""

import secrets

from tsoft.errors import UsageError


def chosen(seed: int | None) -> int:
    """The seed that was typed, or a short one of the system's."""
    if seed is not None and seed >= 2**64:
        raise UsageError(f"--seed: {seed} is not a whole number from 0 to {2**64 - 1}")
    return secrets.randbits(32) if seed is None else seed
