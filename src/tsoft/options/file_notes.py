"""The notes of many files, each of which is computed by itself."""

import os
from dataclasses import dataclass, field

from tsoft.notes import note


@dataclass(frozen=True, eq=False)
class FileNotes:
    """Prints the notes of files. Of those that differ only in the name of the file, it prints the first and counts the
    files of the others."""

    printed: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)

    def print(self, file: str, messages: list[str]) -> None:
        """Print the notes of a file."""
        for message in messages:
            named = with_file(message, file)
            common = named.removeprefix(os.path.abspath(file)).removeprefix(file)
            if common in self.printed:
                self.others.add(file)
            else:
                self.printed.add(common)
                note(named)

    def print_rest(self) -> None:
        """Print the number of the other files."""
        if count := len(self.others):
            note(f"{count} more file{'s have' if count > 1 else ' has'} notes that differ only in the name of the file")


def with_file(message: str, file: str) -> str:
    """Return a message that starts with the name of its file.

    >>> with_file("row 3: no", "a.npy"), with_file("a.npy: row 3: no", "a.npy")
    ('a.npy: row 3: no', 'a.npy: row 3: no')
    """
    return message if message.startswith((file, os.path.abspath(file))) else f"{file}: {message}"
