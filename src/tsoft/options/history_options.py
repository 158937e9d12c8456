"""The tokens before the distribution, from `--history`, for the samplers that depend on them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from tsoft.errors import UsageError
from tsoft.frozen import frozen
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel

if TYPE_CHECKING:
    from tsoft.options.input import LogitsOptions
    from tsoft.options.token_names import TokenNames

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

    def read(self, breakers: Sequence[bytes]) -> "TokenNames | None":
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
        from tsoft.options.token_names import TokenNames

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
