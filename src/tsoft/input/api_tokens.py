"""The tokens of an API response: a generated token, its alternatives, and their labels and log-probabilities."""

import math
import re
from dataclasses import dataclass

from tsoft.input.json_values import Location, described, is_index
from tsoft.input.labels import token_label
from tsoft.input.quantity import QUANTITIES, SLACK

# OpenAI writes this for a very unlikely token, instead of its log-probability.
UNKNOWN = -9999.0
# A token that is part of a character, as OpenAI and llama.cpp write it in responses without bytes.
_BYTES = re.compile(r"bytes?: ?((?:\\x[0-9a-fA-F]{2})+)")


@dataclass(frozen=True)
class ApiToken:
    """A token in a response: its label, its id if it has one, and its log-probability, None if unknown."""

    label: str
    id: int | None
    logprob: float | None

    def is_same(self, other: "ApiToken") -> bool:
        """Return whether two tokens have the same id or, if one has no id, the same label."""
        return self.label == other.label if None in (self.id, other.id) else self.id == other.id


@dataclass(frozen=True)
class DrawnToken:
    """A generated token and its alternatives, which may include it. `tempered` is true if samplers have changed the
    probabilities."""

    location: Location
    token: ApiToken
    alternatives: list[ApiToken]
    tempered: bool = False


def logprob_of(value: object, location: Location) -> float | None:
    """Return a log-probability; None if the server marks it as unknown."""
    number = _number(value, location)
    if number == UNKNOWN:
        return None
    if not number <= SLACK:
        raise location.error(QUANTITIES["logprob"].problem(_number_text(number)))
    return number


def log_of_prob(value: object, location: Location) -> float:
    """Return the logarithm of a probability."""
    number = _number(value, location)
    if not 0 <= number <= 1 + SLACK:
        raise location.error(QUANTITIES["prob"].problem(_number_text(number)))
    return math.log(number) if number else -math.inf


def _number_text(number: float) -> str:
    return "NaN" if math.isnan(number) else f"{number:.6g}"


def _number(value: object, location: Location) -> float:
    if value is None:
        raise location.error("missing; expected a number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise location.error(f"expected a number, got {described(value)}")
    try:
        return float(value)
    except OverflowError:
        raise location.error("too large; the largest number is 1.8e308") from None


def label_of(token: object, byte_list: object, location: Location) -> str:
    r"""Return the label of a token: its text or, if the token is only part of a character, its bytes.

    >>> label_of(" Paris", None, Location("")), label_of("bytes:\\xe2\\x80", None, Location(""))
    (' Paris', '<0xE2><0x80>')
    """
    if not isinstance(token, str):
        raise location.error(
            "missing; expected a string" if token is None else f"expected a string, got {described(token)}"
        )
    escaped = _BYTES.fullmatch(token)
    if byte_list is not None:
        if not isinstance(byte_list, list) or not all(is_index(byte) and byte < 256 for byte in byte_list):
            raise location.at("bytes").error("expected an array of whole numbers from 0 to 255")
        data = bytes(byte_list)
    else:
        data = bytes.fromhex(escaped[1].replace("\\x", "")) if escaped else b""
    try:
        text = data.decode()
        return text if escaped and data else token.encode(errors="replace").decode()
    except UnicodeDecodeError:
        return token_label(data)
