"""Notes: messages on stderr that are not errors."""

import sys

from tsoft.errors import visible


def note(message: str) -> None:
    """Print a note on stderr. If that fails, print no more messages, since the result matters more."""
    if sys.stderr is None:
        return
    try:
        print(f"tsoft: note: {visible(message)}", file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None
