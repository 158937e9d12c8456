"""The field of a request that limits the number of tokens of an answer."""

import json

from tsoft.input.json_values import Object
from tsoft.models.http import HttpResponse, Server

_NAME = "max_tokens"
# OpenAI's current models accept only this name, and other servers only the first.
_NEW_NAME = "max_completion_tokens"


class TokenLimit:
    """Sends requests with the name of the field that the server accepts."""

    def __init__(self) -> None:
        self._name = _NAME

    def request(self, server: Server, path: str, fields: Object) -> HttpResponse:
        """POST the fields of a request, among them `max_tokens`. Raise InputError as the server does."""
        response = server.request(path, json.dumps(self.named(fields)).encode())
        if response.status == 400 and self._name == _NAME and _NEW_NAME.encode() in response.body:
            self._name = _NEW_NAME
            response = server.request(path, json.dumps(self.named(fields)).encode())
        return response

    def named(self, fields: Object) -> Object:
        """Return the fields as they are sent."""
        return {self._name if name == _NAME else name: value for name, value in fields.items()}
