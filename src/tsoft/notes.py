"""What is said on stderr that is no error."""

import sys

from tsoft.errors import visible


def note(message: str) -> None:
    """Says something that is no error."""
    if sys.stderr is not None:
        print(f"tsoft: note: {visible(message)}", file=sys.stderr)
