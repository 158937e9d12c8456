"""The tokens before the distribution, from `--history`, for the samplers that depend on them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from tsoft.errors import UsageError
from tsoft.frozen import frozen
from tsoft.notes import note
from tsoft.options.bundle import bundle
from tsoft.options.class_names import class_index
from tsoft.options.command import in_panel

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.options.input import LogitsOptions
    from tsoft.sampling.history import History

_option = in_panel("Samplers")

OPTION = "--history"


@bundle
class HistoryOptions:
    """The tokens before the distribution."""

    history: Annotated[
        str | None,
        _option(
            OPTION,
            metavar="FILE",
            help="Read the tokens before the distribution, one per line, for the penalties and DRY: a label, or # and"
            " an index. All of them count as generated, unless --prompt-tokens is passed.",
        ),
    ] = None
    prompt_tokens: Annotated[
        int | None,
        _option(
            "--prompt-tokens",
            min=0,
            metavar="N",
            help="With --history: the first N tokens are the prompt, which some engines do not penalize.",
        ),
    ] = None


@frozen(eq=False)
class TokenNames:
    """The names of the tokens before a distribution, oldest first, of which the first `prompt_tokens` are the prompt.
    `breakers` are the sequence breakers of DRY, and `source` is the file of the names, one per line. `noted` are the
    names of which a note said that no class has them."""

    names: tuple[str, ...]
    prompt_tokens: int
    breakers: tuple[bytes, ...]
    source: str
    noted: set[str] = field(default_factory=set)

    def history(self, block: "Block") -> "History":
        """Return the tokens as classes of a block.

        A token that is not among the classes, since the input has only some tokens of the vocabulary, has an index from
        the number of classes up. Raise UsageError for a name that several classes have, for an index that is too high,
        and if no name is a class.
        """
        import numpy as np

        from tsoft.sampling.history import History, sequence_breaks

        indices = self._indices(block)
        tokens = np.array([indices[name] for name in self.names], np.int64)
        pieces = [self._text(block, index, name) for name, index in zip(self.names, tokens.tolist(), strict=True)]
        return History(tokens, self.prompt_tokens, *sequence_breaks(pieces, self.breakers))

    def _indices(self, block: "Block") -> dict[str, int]:
        """Return the index of each name. Print a note on those that are not among the classes."""
        labels = block.labels or ()
        counts = Counter(labels)
        positions = {label: i for i, label in enumerate(labels)}
        # The first line of each name.
        lines = {name: line for line, name in reversed(list(enumerate(self.names, 1)))}
        indices: dict[str, int] = {}
        missing: list[str] = []
        for name in dict.fromkeys(self.names):
            if counts[name] == 1:
                indices[name] = positions[name]
            elif counts[name] > 1 or block.labels is None or ("#" in name and _is_index(name, block)):
                number = f"#{name}" if block.labels is None and name.isdecimal() else name
                indices[name] = self._index(block, number, lines[name])
            else:
                missing.append(name)
        if missing and block.partial is None:
            if not indices:
                self._index(block, missing[0], lines[missing[0]])
            self._note_missing(missing)
        return indices | {name: block.logits.shape[1] + i for i, name in enumerate(missing)}

    def _index(self, block: "Block", name: str, line: int) -> int:
        """Return the index of a class. Raise UsageError, with the line of its name, if there is none or several."""
        place = f"{self.source}:{line}"
        try:
            index = class_index(block, name, place)
        except UsageError as error:
            raise UsageError(f"{error}; {OPTION} has one token per line") from None
        if index is None:
            raise UsageError(f"{place}: row {block.first_row} has no class {name!r}")
        return index

    def _note_missing(self, names: list[str]) -> None:
        new = [name for name in names if name not in self.noted]
        self.noted.update(new)
        if new:
            shown = ", ".join(map(repr, new[:5])) + ", …" * (len(new) > 5)
            note(f"{self.source}: these tokens are not among the classes, so no penalty applies to them: {shown}")

    def _text(self, block: "Block", index: int, name: str) -> bytes:
        """Return the text of a token: its label, if the file has its index."""
        labels = block.labels or ()
        return (labels[index] if index < len(labels) else name).encode(errors="replace")


def _is_index(name: str, block: "Block") -> bool:
    """Return whether a name is # and an index, or a label that several classes have with the index of one of them."""
    return re.fullmatch(r"#[0-9]+", name) is not None or name in block.names


@frozen
class TextSource:
    """Where the tokens before the distribution come from. `input` and `taus` are options that may also read stdin, and
    `fix` is how the user passes the tokens."""

    options: HistoryOptions
    input: "LogitsOptions | None" = None
    taus: list[str] | None = None
    fix: str = "pass --history FILE"

    def refuse(self) -> None:
        """Raise UsageError if the user passed tokens that no sampler depends on."""
        for option, value in ((OPTION, self.options.history), ("--prompt-tokens", self.options.prompt_tokens)):
            if value is not None:
                fix = "pass a penalty or --dry-multiplier, too"
                raise UsageError(f"{option} has no effect without a sampler that depends on it; {fix}")

    def read(self, breakers: Sequence[bytes]) -> TokenNames | None:
        """Return the tokens of --history; None without the option."""
        if self.options.history is None:
            if self.options.prompt_tokens is not None:
                raise UsageError("--prompt-tokens has no effect without --history; pass --history FILE")
            return None
        from tsoft.input.fields import unescape
        from tsoft.input.labels import MAX_BYTES
        from tsoft.input.limits import read_limited
        from tsoft.input.source import STDIN, open_input
        from tsoft.input.utf8 import decode_text

        self._check_stdin(self.options.history)
        source = STDIN if self.options.history == "-" else self.options.history
        with open_input(self.options.history) as file:
            content = decode_text(read_limited(file, MAX_BYTES, source, "history"), source, allows_nul=True)
        lines = content.replace("\r\n", "\n").removesuffix("\n").split("\n") if content else []
        if (prompt_tokens := self.options.prompt_tokens or 0) > len(lines):
            raise UsageError(f"--prompt-tokens {prompt_tokens}: {source} has only {len(lines)} tokens")
        return TokenNames(tuple(map(unescape, lines)), prompt_tokens, tuple(breakers), source)

    def _check_stdin(self, file: str) -> None:
        from tsoft.options.temperatures import pieces

        if not file:
            raise UsageError(f"{OPTION} needs a file name")
        reads_logits = self.input is not None and not self.input.logits and self.input.has_stdin
        if file == "-" and (reads_logits or "-" in pieces(self.taus)):
            others = "the logits" if reads_logits else "--tau -"
            raise UsageError(f"{OPTION} - and {others} both read stdin; pass --history FILE")
