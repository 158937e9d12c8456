"""Notes: messages on stderr that are not errors."""

import sys

from tsoft.errors import visible


def note(message: str) -> None:
    """Print a note on stderr."""
    if sys.stderr is not None:
        print(f"tsoft: note: {visible(message)}", file=sys.stderr)
