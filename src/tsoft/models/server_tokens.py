"""The texts of tokens, by the names that servers write for them.

A name is usually the text of its token. Other names are:

- the text in the byte alphabet of GPT-2's vocabulary (github.com/openai/gpt-2, src/encoder.py, `bytes_to_unicode`),
  which has one character for each byte: mlx-lm, and vLLM 0.7.3 to 0.8;
- the text without the blank at its start, which SentencePiece's decoder removes: SGLang, vLLM before July 2026;
- U+FFFD or nothing for a part of a character: Ollama, SGLang, vLLM;
- the name of a control token, or nothing (llama.cpp);
- an id: vLLM with --return-tokens-as-token-ids, mlx-lm before 0.29.

A text continues only with tokens whose texts are known.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tsoft.input.api_tokens import REPLACEMENT
from tsoft.input.labels import token_label
from tsoft.models.response_choice import ResponseChoice

# The names of end tokens in the models that llama.cpp supports (src/llama-vocab.cpp), and in EXAONE, Seed-OSS, GLM-4
# and MiniMax-M2.
ENDS = {"</s>", "<eos>", "[EOS]", "<|im_end|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>"}
ENDS |= {"<|eom_id|>", "<end_of_turn>", "<turn|>", "<EOT>", "[EOT]", "<|EOT|>", "<|eot|>", "<|return|>", "<|call|>"}
ENDS |= {"<end_of_utterance>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>"}
ENDS |= {"[|endofturn|]", "<seed:eos>", "<|user|>", "[e~["}
# The form of the names of control tokens.
_CONTROL = re.compile(r"[<\[]\S+[>\]\[]")
_BYTES = re.compile("(?:<0x[0-9A-F]{2}>)+")
# Names in place of the texts of tokens: vLLM's, and what tsoft writes if a response has only ids.
_VLLM_ID, _ID = re.compile(r"token_id:\d+"), re.compile(r"#\d+")
ONLY_IDS = (
    "the server returns the ids of tokens without their texts, so tsoft cannot continue the text;"
    " start vLLM without --return-tokens-as-token-ids, or use a server that returns the texts"
)
_PART = "the server does not return the bytes of this token, a part of a character, so tsoft cannot continue the text"
_NO_BLANKS = "the server leaves out the spaces at the start of tokens, so tsoft cannot continue the text"
_REASONING = "the token belongs to the reasoning of the model ({}), and a server continues only answers"

# The bytes that are printable characters of Latin-1 stand for themselves.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
_BYTE_OF = {chr(byte): byte for byte in _PRINTABLE} | {chr(256 + i): byte for i, byte in enumerate(_OTHERS)}
# The signs of the byte alphabet for a blank and a line break.
_SIGNS = "\u0120\u010a"


@dataclass(frozen=True)
class ServerToken:
    """A token of a server: its label, the bytes that it adds to a text, and whether it ends the text. If the bytes are
    not known, `problem` says why."""

    label: str
    piece: bytes
    ends: bool = False
    problem: str = ""


@dataclass
class ServerNames:
    """What the responses of a server so far show about the names of its tokens: those that are `ids`, those that end a
    text, whether they are in the byte alphabet, and whether they lack blanks. If `has_named_ends`, an empty name is not
    that of the end."""

    ids: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=lambda: {*ENDS})
    is_in_bytes: bool = False
    lacks_blanks: bool = False
    has_named_ends: bool = False

    @property
    def caveat(self) -> str:
        """A note to the user on the names; empty if there is nothing to note."""
        return "the server leaves out the spaces at the start of tokens" if self.lacks_blanks else ""

    def learn(self, names: Sequence[str], drawn: int, choice: ResponseChoice, answer: Any) -> None:
        """Learn from the names of the first token of a response and its alternatives."""
        text = choice.text
        self.ids |= ids_in(names, answer)
        # A text in the list, such as in Maltese, is not a name in the byte alphabet.
        self.is_in_bytes |= are_in_byte_alphabet(names) and (text.isascii() or text not in names)
        labels = self.labels(names)
        self.lacks_blanks |= text == f" {labels[drawn]}" and text not in labels
        if choice.is_end and is_control_name(names[drawn]):
            self.ends.add(names[drawn])
        is_part = names[drawn] == "" == text and choice.finish_reason == "length"
        self.has_named_ends |= is_part or not self.ends.isdisjoint(names)

    def labels(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the labels of tokens: their texts, as far as their names show them."""
        return tuple(map(from_byte_alphabet, names) if self.is_in_bytes else names)

    def texts(self, names: Iterable[str]) -> list[str]:
        """Return the whole characters in the texts of tokens."""
        labels = self.labels(names)
        return [_bytes_of(label).decode(errors="ignore") if _BYTES.fullmatch(label) else label for label in labels]

    def token(self, label: str, choice: ResponseChoice | None = None) -> ServerToken:
        r"""Return the token with a label. `choice` is the choice of the response if the token was drawn.

        >>> ServerNames().token("<0xE2><0x80>").piece, ServerNames().token("</s>")
        (b'\xe2\x80', ServerToken(label='</s>', piece=b'', ends=True, problem=''))
        """
        if label in self.ends or (not label and self._is_end(choice)):
            return ServerToken(label, b"", ends=True)
        return ServerToken(label, _bytes_of(label), problem=self._problem(label))

    def _is_end(self, choice: ResponseChoice | None) -> bool:
        """Return whether an empty name is that of the end, rather than of a part of a character."""
        is_drawn = choice is not None and choice.finish_reason in ("stop", "length")
        return choice.finish_reason == "stop" if choice and is_drawn else not self.has_named_ends

    def _problem(self, label: str) -> str:
        if label in self.ids:
            return ONLY_IDS
        if not label or REPLACEMENT in label:
            return _PART
        return _NO_BLANKS if self.lacks_blanks else ""


def _bytes_of(label: str) -> bytes:
    return bytes.fromhex(re.sub("[<>]|0x", "", label)) if _BYTES.fullmatch(label) else label.encode()


def is_control_name(name: str) -> bool:
    """Return whether a name has the form of that of a control token.

    >>> is_control_name("<|im_end|>"), is_control_name("<")
    (True, False)
    """
    return _CONTROL.fullmatch(name) is not None


def of_reasoning(token: ServerToken, field: str) -> ServerToken:
    """Return a token of a reasoning, which the server has in this field."""
    return ServerToken(token.label, token.piece, token.ends, _REASONING.format(field))


def ids_in(names: Sequence[str], answer: Any) -> set[str]:
    """Return the names of tokens that are ids. "#5" may also be the text of a token, which is then in the answer.

    >>> ids_in(["token_id:5"], {}), ids_in(["#5"], {"tokens": [5]}), ids_in(["#5"], {"tokens": ["#5"]})
    ({'token_id:5'}, {'#5'}, set())
    """
    ids = set(filter(_VLLM_ID.fullmatch, names))
    if others := set(filter(_ID.fullmatch, names)):
        body = json.dumps(answer)
        ids |= {name for name in others if f'"{name}"' not in body}
    return ids


def are_in_byte_alphabet(names: Iterable[str]) -> bool:
    """Return whether names are written in the byte alphabet: some have its sign for a blank or a line break, and none
    has a blank or a line break itself.

    >>> are_in_byte_alphabet(["The", "\\u0120cat"]), are_in_byte_alphabet([" \\u0120", "a"])
    (True, False)
    """
    joined = "".join(names)
    return any(sign in joined for sign in _SIGNS) and not any(blank in joined for blank in " \n")


def from_byte_alphabet(name: str) -> str:
    """Return the label of a token whose name is in the byte alphabet. Special tokens may have other names.

    >>> [from_byte_alphabet(name) for name in ("\\u0120caf", "\\xc3\\xa9", "\\xc3", "</s>")]
    [' caf', 'é', '<0xC3>', '</s>']
    """
    return token_label(bytes(map(_BYTE_OF.__getitem__, name))) if _BYTE_OF.keys() >= {*name} else name


def is_partial(label: str) -> bool:
    """Return whether the token with a label is only a part of a character, whether its bytes are known or not.

    >>> is_partial("\\ufffd"), is_partial("<0xF0>"), is_partial("a")
    (True, True, False)
    """
    return REPLACEMENT in label or _BYTES.fullmatch(label) is not None
