"""The options for computing many files into a folder."""

from typing import Annotated, ClassVar

from tsoft.errors import UsageError
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel
from tsoft.options.job_options import JobOptions

_files = in_panel("Many files")


@bundle
class FolderOptions(JobOptions):
    """How to compute many files into a folder."""

    resume: Annotated[
        bool, _files("--resume", help="With -o FOLDER/: continue an interrupted run, and compute only what it lacks.")
    ] = False
    keep_going: Annotated[
        bool,
        _files("--keep-going", help="With -o FOLDER/: after an error in a file, compute the others, and exit with 1."),
    ] = False
    # The name of the field with the files to compute.
    shards_field: ClassVar[str] = "inputs"

    def refuse(self, *, jobs: bool = True, jobs_need: str = "-o FOLDER/") -> None:
        """Raise UsageError for an option without effect, because the output is no folder. With `jobs`, the options of
        jobs have no effect, either; `jobs_need` are the options with which they would have one."""
        needed = {"resume": "-o FOLDER/", "keep_going": "-o FOLDER/"}
        if jobs:
            needed |= dict.fromkeys(("jobs", "backend", "cluster"), jobs_need)
        for name, options in needed.items():
            if getattr(self, name) not in (None, False):
                raise UsageError(f"--{name.replace('_', '-')} has no effect without {options}; add {options}")


@bundle
class RandomFolderOptions(FolderOptions):
    """The same for a command with random numbers, so that each file needs a seed of its own."""
