"""The fields of a token in JSON."""

from typing import Any

from tsoft.errors import InputError
from tsoft.models.model import Model


def token_fields(token: int, logprob: float, model: Model) -> dict[str, Any]:
    """Return a token as servers write it, with its bytes if they are a part of a character."""
    label = model.label(token)
    try:
        piece = model.piece(token)
    except InputError:
        # A server may not return the bytes of an alternative.
        piece = b""
    fields: dict[str, Any] = {"token": label, "id": token, "logprob": logprob}
    return fields if not piece or label.encode() == piece else fields | {"bytes": list(piece)}
