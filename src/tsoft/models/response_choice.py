"""The first choice of a response with one token."""

from dataclasses import dataclass
from typing import Any

from tsoft.input.json_values import Object
from tsoft.input.response_kinds import removed_text
from tsoft.input.response_lists import THOUGHTS
from tsoft.models.server_errors import value_at


@dataclass(frozen=True, eq=False)
class ResponseChoice:
    """A choice of a response, as the server writes it."""

    value: Object

    @property
    def text(self) -> str:
        """The text of the answer; empty if there is none."""
        text = value_at(self.value, "message", "content") or self.value.get("text")
        return text if isinstance(text, str) else ""

    @property
    def reasoning(self) -> str | None:
        """The name of the field with the reasoning, if the answer has not begun; None without one."""
        message = self.value.get("message")
        fields = message.items() if isinstance(message, dict) and not self.text else ()
        return next((name for name, text in fields if text and any(word in name for word in THOUGHTS)), None)

    @property
    def has_tokens(self) -> bool:
        """Whether the choice has tokens with log-probabilities, of its answer or of its reasoning."""
        logprobs = self.value.get("logprobs")
        return isinstance(logprobs, dict) and any(isinstance(value, list) and value for value in logprobs.values())

    @property
    def finish_reason(self) -> object:
        return self.value.get("finish_reason")

    @property
    def is_end(self) -> bool:
        """Whether the model ended the text with this token, which adds nothing to it."""
        return self.finish_reason == "stop" and not self.text and self.reasoning is None

    @property
    def silence(self) -> str | None:
        """The reason why a choice without tokens has none, and never will; None if it is unknown."""
        if self.reasoning is not None:
            problem = "the server returns no log-probabilities of the reasoning with which the answer begins"
            return f"{problem} ({self.reasoning}); switch the reasoning off, or use another server"
        return removed_text(self.value)


def first_choice(answer: Any) -> ResponseChoice | None:
    """Return the first choice of a response; None if it has none."""
    choice = value_at(answer, "choices", 0)
    return ResponseChoice(choice) if isinstance(choice, dict) and choice else None
