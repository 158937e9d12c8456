"""The notes and errors of many files, each of which is computed by itself."""

import os
from dataclasses import dataclass, field

from tsoft.errors import TsoftError, UsageError
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


@dataclass(frozen=True, eq=False)
class FileErrors:
    """Prints the errors of files. An error of usage is printed once, for the first file that has it, after the others.
    `failed` are the files with errors."""

    failed: list[str] = field(default_factory=list)
    usage: dict[str, list[str]] = field(default_factory=dict)

    def print(self, file: str, error: TsoftError) -> None:
        """Print the error of a file, unless it is one of usage."""
        self.failed.append(file)
        if isinstance(error, UsageError):
            self.usage.setdefault(str(error), []).append(file)
        else:
            _report(error, file)

    def print_rest(self, files: int) -> None:
        """Print the errors of usage. If all files have the same one, raise it instead."""
        for message, with_it in self.usage.items():
            if len(with_it) == files:
                raise UsageError(message)
            _report(UsageError(message), with_it[0])


def _report(error: TsoftError, file: str) -> None:
    from tsoft.options.ending import Ending

    Ending(error.exit_code, with_file(str(error), file)).report()


def with_file(message: str, file: str) -> str:
    """Return a message that starts with the name of its file.

    >>> with_file("row 3: no", "a.npy"), with_file("a.npy: row 3: no", "a.npy")
    ('a.npy: row 3: no', 'a.npy: row 3: no')
    """
    return message if message.startswith((file, os.path.abspath(file))) else f"{file}: {message}"
