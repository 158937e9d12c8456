"""The option --seed."""

from typing import Annotated, Any

import typer

from tsoft.errors import UsageError


def seed_option(repeated: str) -> Any:
    """Return the option --seed. `repeated` is a sentence's end that says what the same seed repeats."""
    return typer.Option(
        "--seed",
        min=0,
        metavar="N",
        show_default="a new seed each time",
        help=f"Seed of the random numbers: the same seed gives {repeated}",
    )


Seed = Annotated[int | None, seed_option("the same result.")]


def chosen_seed(seed: int | None) -> int:
    """Return the typed seed, or a random one of 32 bits."""
    import secrets

    if seed is not None and seed >= 2**64:
        raise UsageError(f"--seed: expected a whole number from 0 to {2**64 - 1}, got {seed}")
    return secrets.randbits(32) if seed is None else seed
