"""What a learner has done, in a file of the platform's state folder."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from tsoft.errors import InputError, OutputError
from tsoft.output.file import open_output


@dataclass(frozen=True)
class Progress:
    """The number of the lesson to resume, and the numbers of the lessons whose tasks were solved."""

    current: int = 1
    solved: frozenset[int] = frozenset()

    def at(self, number: int) -> "Progress":
        return replace(self, current=number)

    def with_solved(self, numbers: Collection[int]) -> "Progress":
        return replace(self, solved=self.solved.union(numbers))


def progress_file() -> Path:
    """Return the path of the file, which may not exist."""
    from platformdirs import user_state_path

    return user_state_path("tsoft", appauthor=False) / "learn.json"


def read_progress(path: Path, lessons: Collection[int]) -> Progress:
    """Return the progress in a file, or that of a beginner if the file does not exist. Raise InputError."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Progress()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; pass --restart to begin again") from None
    except (ValueError, RecursionError):
        data = None
    match data:
        case {"format": "tsoft learn", "current": int(current), "solved": [*solved]} if all(
            type(number) is int and number in lessons for number in (current, *solved)
        ):
            return Progress(current, frozenset(solved))
    raise InputError(f"{path}: not the progress of tsoft learn; pass --restart to begin again")


def write_progress(progress: Progress, path: Path) -> None:
    """Write the progress to a file, whose folder is created. Raise OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent}: {error.strerror or error}") from None
    data = {"format": "tsoft learn", "current": progress.current, "solved": sorted(progress.solved)}
    with open_output(str(path)) as out:
        out(json.dumps(data) + "\n")
