"""Class labels from `--labels`, and the labels of tokens."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tsoft.errors import InputError, UsageError, shortened
from tsoft.input.json_problems import json_problem
from tsoft.input.limits import read_limited
from tsoft.input.source import open_input
from tsoft.input.utf8 import decode_text

# Larger vocabularies do not exist; a larger id is a mistake that would take much memory.
LARGEST_ID = (1 << 24) - 1
# A list of as many labels of 30 bytes.
MAX_BYTES = 1 << 29
# At most this share of the labels of one distribution repeat.
_MOST_REPEATED = 0.25
# The fix for lines with the classes of several distributions.
CLASSES_IN_A_LINE = "if these are the classes of several distributions, write each in one line, such as cat=2 dog=1"


def first_repeated(labels: Sequence[str]) -> int | None:
    """Return the index of the first label that repeats, if so many do that they are rather those of several
    distributions. Some tokens of a vocabulary have the same text, and classes without a name have an empty label.

    >>> first_repeated(["cat", "dog", "cat"]), first_repeated(["a", "b", "c", "d", "a"])
    (2, None)
    """
    named = [*filter(None, labels)]
    if len(named) - len({*named}) <= _MOST_REPEATED * len(named):
        return None
    seen: dict[str, int] = {}
    return next(i for i, label in enumerate(labels) if label and seen.setdefault(label, i) != i)


def repeats(label: str) -> str:
    """Return the problem with a label that repeats."""
    return f"the label {shortened(label)!r} repeats"


def key_labels(keys: Sequence[str | int]) -> tuple[str, ...] | None:
    """Return keys as the labels of classes; None if there are none, or if they are the indices of the classes.

    >>> key_labels([10, 11]), key_labels(["0", "1"])
    (('10', '11'), None)
    """
    labels = tuple(map(str, keys))
    return None if labels == tuple(map(str, range(len(labels)))) else labels


@dataclass(frozen=True)
class Labels:
    """Labels in the order of the classes.

    A vocabulary ({token: id}) may have fewer names than there are classes, since models pad their output; any other
    list must name every class.
    """

    names: tuple[str, ...]
    is_vocabulary: bool = False

    def matching(self, classes: int) -> tuple[str, ...]:
        """Return one label per class. Raise ValueError if the number of labels differs."""
        missing = classes - len(self.names)
        if missing == 0 or (self.is_vocabulary and missing > 0):
            return self.names + ("",) * missing
        count = len(self.names)
        names = f"{count} name{'s' * (count != 1)}"
        fix = "pass one name per class"
        raise ValueError(f"{classes} class{'es' * (classes != 1)}, but --labels has {names}; {fix}")


def parse(text: str) -> Labels:
    """Parse the value of `--labels`: `a,b,c`, or `@FILE` with one label per line, a JSON array, an object {token: id},
    or a tokenizer.json. The JSON may also be the value itself. Raise UsageError or InputError."""
    if not text.startswith("@"):
        return _typed(text)
    name = text[1:]
    if not name:
        raise UsageError("--labels @ needs a file name")
    # A file called - is not stdin here, from which the logits may come.
    with open_input("./-" if name == "-" else name) as file:
        data = read_limited(file, MAX_BYTES, name, "list of labels")
    # A vocabulary may have a token that is a NUL byte.
    content = decode_text(data, name, allows_nul=True).replace("\r\n", "\n")
    if not content:
        raise InputError(f"{name}: no labels: the input is empty")
    if content.lstrip()[:1] in ("[", "{"):
        labels = _from_json(name, content)
        if labels is not None:
            return labels
    return Labels(tuple(content.removesuffix("\n").split("\n")))


def _typed(text: str) -> Labels:
    """Return the labels of a list or of JSON."""
    if text[:1] in ("[", "{"):
        try:
            labels = _from_json("--labels", text)
        except InputError as error:
            raise UsageError(str(error)) from None
        if labels is not None:
            return labels
    names = text.split(",")
    # Each of the labels [PAD] and [CLS] has both brackets.
    if (
        len(names) > 1
        and (names[0][:1], names[-1][-1:]) in (("[", "]"), ("{", "}"))
        and names[0][-1:] not in ("]", "}")
    ):
        raise UsageError(f"--labels: {text!r} is not JSON; write the labels without brackets")
    return Labels(tuple(names))


def _from_json(name: str, content: str) -> Labels | None:
    """Parse labels from JSON. Return None for plain lines whose first label starts like JSON, such as `[PAD]`."""
    import orjson

    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if name.lower().endswith(".json") or "surrogate" in error.msg:
            raise InputError(f"{name}:{error.lineno}: {json_problem(error.msg)}") from None
        return None
    if isinstance(value, list):
        not_text = next((i for i, label in enumerate(value) if not isinstance(label, str)), None)
        if not_text is not None:
            raise InputError(f"{name}: label {not_text} of the array is not a string; put it in quotes")
        return Labels(tuple(value))
    if not isinstance(value, dict):
        raise InputError(f"{name}: expected an array of strings or an object {{token: id}}")
    if isinstance(value.get("model"), dict):
        return _from_vocabulary(name, _vocabulary_of_tokenizer(name, value))
    # orjson keeps only the last value of a name.
    counts = Counter(token for token, _ in json.loads(content, object_pairs_hook=list))
    if len(counts) < counts.total():
        raise InputError(
            f"{name}: the token {shortened(counts.most_common(1)[0][0])!r} occurs twice; write one id per token"
        )
    return _from_vocabulary(name, value)


def _vocabulary_of_tokenizer(name: str, tokenizer: dict[str, Any]) -> dict[str, object]:
    """Return the tokens and ids in Hugging Face's tokenizer.json: the model's vocabulary, an object {token: id} or a
    list of pairs [token, score], and the added tokens, some of which are in both."""
    ids: dict[str, object] = {}
    try:
        vocabulary = tokenizer["model"]["vocab"]
        if isinstance(vocabulary, list) and all(isinstance(pair, list) for pair in vocabulary):
            pairs = [(token, i) for i, (token, _) in enumerate(vocabulary)]
        else:
            pairs = [*vocabulary.items()]
        pairs += [(token["content"], token["id"]) for token in tokenizer.get("added_tokens") or []]
        if not pairs or not all(isinstance(token, str) and ids.setdefault(token, i) == i for token, i in pairs):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError):
        problem = "model.vocab or added_tokens is not as in a tokenizer.json of Hugging Face, with one id per token"
        raise InputError(f"{name}: {problem}; pass an object {{token: id}}") from None
    return ids


def _from_vocabulary(name: str, ids: dict[str, object]) -> Labels:
    """Return the labels of an object {token: id}. Ids that no token has become empty labels."""
    names: dict[int, str] = {}
    for token, i in ids.items():
        if not isinstance(i, int) or isinstance(i, bool) or not 0 <= i <= LARGEST_ID:
            problem = f"expected a whole number from 0 to {LARGEST_ID}, got {shortened(repr(i))}"
            raise InputError(f"{name}: the id of {shortened(token)!r}: {problem}")
        if i in names:
            raise InputError(
                f"{name}: {shortened(names[i])!r} and {shortened(token)!r} have the same id, {i}; ids must be unique"
            )
        names[i] = token
    return Labels(tuple(names.get(i, "") for i in range(max(names, default=-1) + 1)), is_vocabulary=True)


def token_label(piece: bytes) -> str:
    """Return a token's label: its text, or its bytes if they are only part of a character.

    >>> token_label(b" Paris"), token_label(b"\\xe2\\x80")
    (' Paris', '<0xE2><0x80>')
    """
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "".join(f"<0x{byte:02X}>" for byte in piece)
