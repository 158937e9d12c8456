"""The names of classes: as `--labels` gives them, and of tokens."""

from dataclasses import dataclass

from tsoft.errors import InputError, UsageError


@dataclass(frozen=True)
class Labels:
    """Class names in the order of the classes. A vocabulary with ids may name fewer classes than the logits have,
    since models pad theirs; a list names every class."""

    names: tuple[str, ...]
    is_vocabulary: bool = False

    def matching(self, classes: int) -> tuple[str, ...]:
        """The names of that many classes. Raises ValueError if there are fewer or more names."""
        missing = classes - len(self.names)
        if missing == 0 or (self.is_vocabulary and missing > 0):
            return self.names + ("",) * missing
        raise ValueError(f"{classes} classes, but --labels names {len(self.names)}")


def parse(text: str) -> Labels:
    """The labels in `a,b,c`, or in `@FILE`: one per line, a JSON array, or a JSON object {token: id}."""
    if not text.startswith("@"):
        return Labels(tuple(text.split(",")))
    name = text[1:]
    if not name:
        raise UsageError("--labels @ needs a file's name")
    try:
        with open(name, encoding="utf-8-sig", newline="") as file:
            content = file.read().replace("\r\n", "\n")
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{name}: the labels are not UTF-8 text") from None
    if content.lstrip()[:1] in ("[", "{"):
        labels = _from_json(name, content)
        if labels is not None:
            return labels
    return Labels(tuple(content.removesuffix("\n").split("\n")))


def _from_json(name: str, content: str) -> Labels | None:
    """The labels of a JSON text; None for plain lines that begin like one, as `[PAD]` does."""
    import orjson

    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if name.lower().endswith(".json"):
            raise InputError(f"{name}:{error.lineno}: {error.msg}") from None
        return None
    if isinstance(value, list):
        not_text = next((i for i, label in enumerate(value) if not isinstance(label, str)), None)
        if not_text is not None:
            raise InputError(f"{name}: label {not_text} is not a string")
        return Labels(tuple(value))
    if not isinstance(value, dict):
        raise InputError(f"{name}: labels are an array of strings or an object {{token: id}}")
    return _from_vocabulary(name, value)


def _from_vocabulary(name: str, ids: dict[str, object]) -> Labels:
    names: dict[int, str] = {}
    for token, i in ids.items():
        if not isinstance(i, int) or isinstance(i, bool) or not 0 <= i < 1 << 24:
            raise InputError(f"{name}: the id of {token!r} is not a class's index")
        if i in names:
            raise InputError(f"{name}: {names[i]!r} and {token!r} have the same id, {i}")
        names[i] = token
    return Labels(tuple(names.get(i, "") for i in range(max(names, default=-1) + 1)), is_vocabulary=True)


def token_label(piece: bytes) -> str:
    """The name of a token: its text, or its bytes if these are only a part of a character.

    >>> token_label(b" Paris"), token_label(b"\\xe2\\x80")
    (' Paris', '<0xE2><0x80>')
    """
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "".join(f"<0x{byte:02X}>" for byte in piece)
