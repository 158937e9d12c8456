"""The windows in which a model reads a text that is longer than its context."""

from dataclasses import dataclass

from tsoft.errors import UsageError


@dataclass(frozen=True)
class Window:
    """The model reads the tokens of a text from `start` up to, but without, `stop`. It scores those from `first` to
    `stop`, which is the token after the last one that it reads."""

    start: int
    stop: int
    first: int


@dataclass(frozen=True)
class WindowSizes:
    """The number of tokens in a window, with those of the prompt; None for no limit. The next window starts `stride`
    tokens later; None for half a window."""

    window: int | None = None
    stride: int | None = None

    def windows(self, given: int, count: int, *, has_prompt: bool) -> list[Window]:
        """Return the windows of a text of `count` tokens after a prompt of `given` tokens, which begins each window.

        Each token is scored once, with at least window - stride tokens of context, the first tokens of the text with
        all that precede them. Without a prompt, the first token is not scored, even if the model begins every text
        with a token. Raise UsageError if the prompt fills the window, or if the stride exceeds the rest of it.

        >>> WindowSizes(6, 2).windows(2, 8, has_prompt=True)
        [Window(start=0, stop=4, first=0), Window(start=2, stop=6, first=5), Window(start=4, stop=7, first=7)]
        """
        room = count if self.window is None else self.window - given
        if room < 1:
            raise UsageError(
                f"a window of {self.window} tokens has no room for a text after the prompt, which has {given}"
            )
        unscored = 0 if has_prompt and given else 1
        windows = [Window(0, min(room, count - 1), unscored)]
        if room >= count - 1:
            return windows
        stride = self.stride or max(1, min(room, (self.window or room) // 2))
        if stride > room:
            raise UsageError(f"--stride {stride}: a window has room for only {room} tokens; pass a smaller stride")
        while windows[-1].stop < count - 1:
            last = windows[-1]
            windows.append(Window(last.start + stride, min(last.stop + stride, count - 1), last.stop + 1))
        return windows
