"""The tokens of an API response: a drawn token, its alternatives, and their labels and log-probabilities."""

import base64
import contextlib
import math
import re
from dataclasses import dataclass

from tsoft.input.fields import is_number, number
from tsoft.input.json_problems import SURROGATE
from tsoft.input.json_values import Location, described
from tsoft.input.labels import token_label
from tsoft.input.quantity import QUANTITIES, SLACK

# OpenAI, vLLM and DeepSeek write this for a token whose log-probability they do not return, and llama.cpp writes the
# lowest float32. A finite number this low stands for "unknown" or for 0.
UNKNOWN = -9999.0
# TabbyAPI writes this for the logarithm of 0: backends/exllamav3/model.py, handle_logprobs.
_ZERO = -1000.0
# Numbers of the same token may be rounded differently. The difference that rounding explains, absolute and relative.
_ROUNDING = 1e-3
# A token that is part of a character, as OpenAI and llama.cpp write it in responses without bytes.
_BYTES = re.compile(r"bytes?: ?((?:\\x[0-9a-fA-F]{2})+)")
# What a decoder writes for bytes that are only part of a character.
REPLACEMENT = "\ufffd"


def hides_bytes(label: str) -> bool:
    r"""Return whether different tokens may have this text: decoders write U+FFFD, or nothing, for part of a character.

    >>> hides_bytes("\ufffd"), hides_bytes(""), hides_bytes("a")
    (True, True, False)
    """
    return not label or REPLACEMENT in label


@dataclass(frozen=True)
class ApiToken:
    """A token in a response: its label, its log-probability as the server writes it, None if the response has no
    number, and its id and bytes if it has them."""

    label: str
    number: float | None
    id: object = None
    data: bytes | None = None

    @property
    def logprob(self) -> float:
        """The log-probability; NaN if unknown.

        >>> [ApiToken("a", number).logprob for number in (-0.5, -9999, -1000, -math.inf)]
        [-0.5, nan, -inf, -inf]
        """
        if self.number is None or -math.inf < self.number <= UNKNOWN:
            return math.nan
        return -math.inf if self.number == _ZERO else self.number

    def is_same(self, other: "ApiToken") -> bool | None:
        """Return whether two tokens are the same; None if the response does not show it, because they share only their
        text.

        >>> ApiToken("a", -1, id=1).is_same(ApiToken("a", -1, id=2)), ApiToken("a", -1).is_same(ApiToken("a", -1))
        (False, None)
        """
        if self.id is not None and other.id is not None:
            return self.id == other.id
        if self.label != other.label:
            return False
        if self.data is None or other.data is None or hides_bytes(self.label):
            return None
        return self.data == other.data

    def agrees(self, other: "ApiToken") -> bool:
        """Return whether two tokens have the same number, except for rounding. A missing number agrees with any.

        >>> ApiToken("a", -1.2346).agrees(ApiToken("a", -1.23456)), ApiToken("a", -1).agrees(ApiToken("a", -2))
        (True, False)
        """
        if self.number is None or other.number is None or self.number == other.number:
            return True
        return math.isclose(self.number, other.number, rel_tol=_ROUNDING, abs_tol=_ROUNDING)


@dataclass(frozen=True)
class DrawnToken:
    """A token that a server drew, and its alternatives, which may include it.

    `tempered` is true if samplers have changed the probabilities. With `keyed_by_text`, the alternatives are the names
    of a JSON object, which cannot contain two tokens with the same text.
    """

    location: Location
    token: ApiToken
    alternatives: list[ApiToken]
    tempered: bool = False
    keyed_by_text: bool = False


def logprob_of(value: object, location: Location) -> float | None:
    """Return a log-probability; None if it is missing or null, UNKNOWN if it is NaN."""
    logprob = number_of(value, location)
    if logprob is not None and math.isnan(logprob):
        return UNKNOWN
    if logprob is not None and not logprob <= SLACK:
        raise location.error(QUANTITIES["logprob"].problem(number_text(logprob)))
    return logprob


def log_of_prob(value: object, location: Location) -> float | None:
    """Return the logarithm of a probability; None if it is missing or null, UNKNOWN if it is NaN."""
    prob = number_of(value, location)
    if prob is None or math.isnan(prob):
        return None if prob is None else UNKNOWN
    if not 0 <= prob <= 1 + SLACK:
        raise location.error(QUANTITIES["prob"].problem(number_text(prob)))
    return math.log(prob) if prob else -math.inf


def number_text(value: float) -> str:
    """Return a number for a message."""
    return f"{value:.6g}"


def number_of(value: object, location: Location) -> float | None:
    """Return a number, which may be a string; None if it is missing or null."""
    if value is None:
        return None
    if isinstance(value, str) and is_number(value):
        return number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise location.error(f"expected a number, got {described(value)}")
    try:
        return float(value)
    except OverflowError:
        raise location.error("too large; the largest number is 1.8e308") from None


def label_of(token: object, data: bytes | None, location: Location) -> str:
    r"""Return the label of a token: its text or, if the token is only part of a character or has no text, its bytes.
    Raise InputError for a lone surrogate, which a live server's answer may have.

    >>> label_of(" Paris", None, Location("")), label_of("bytes:\\xe2\\x80", None, Location(""))
    (' Paris', '<0xE2><0x80>')
    """
    if token is None and data:
        return token_label(data)
    if not isinstance(token, str):
        raise location.error(
            "missing; expected a string" if token is None else f"expected a string, got {described(token)}"
        )
    escaped = _BYTES.fullmatch(token)
    if data is None:
        data = bytes.fromhex(escaped[1].replace("\\x", "")) if escaped else b""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return token_label(data)
    try:
        return text if escaped and data else token.encode().decode()
    except UnicodeEncodeError:
        raise location.error(SURROGATE) from None


def bytes_of(values: object, token: object, location: Location) -> bytes | None:
    """Return the bytes that a token has as an array of numbers or in base64; None if it has none.

    openai-python writes them as floats in transcriptions (types/audio/transcription.py), and Inspect writes the code
    points of the characters for Together (model/_providers/together.py).
    """
    if values is None or values in ([], ""):
        return None
    if isinstance(token, str) and values == [*map(ord, token)]:
        return token.encode(errors="surrogatepass")
    if isinstance(values, str):
        return _bytes_of_text(values, token, location)
    try:
        if not isinstance(values, list) or not {*map(type, values)} <= {int, float}:
            raise ValueError
        data = bytes(map(int, values))
        if [*data] != values:
            raise ValueError
    except (ValueError, OverflowError):
        raise location.error("expected an array of whole numbers from 0 to 255") from None
    return data


def _bytes_of_text(text: str, token: object, location: Location) -> bytes:
    """Return the bytes in base64, as protobuf's MessageToJson writes them, or those of the token's text."""
    if text == token:
        return text.encode(errors="surrogatepass")
    with contextlib.suppress(ValueError):
        data = base64.b64decode(text, validate=True)
        if not isinstance(token, str) or REPLACEMENT in token or data.decode(errors="replace") == token:
            return data
    raise location.error("expected an array of whole numbers from 0 to 255, or these bytes in base64")
