"""The options for the place of the work on many files."""

from typing import Annotated

from tsoft.errors import UsageError
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel

_files = in_panel("Many files")


@bundle
class JobOptions:
    """Where the work on many files is done."""

    jobs: Annotated[
        int | None,
        _files(
            "--jobs",
            "-j",
            min=1,
            metavar="N",
            show_default="1, or all workers of a cluster",
            help="Number of files to process in parallel.",
        ),
    ] = None
    backend: Annotated[
        str | None,
        _files(
            "--backend",
            metavar="NAME",
            show_default="loky",
            help="How joblib starts jobs: loky (processes), dask (a Dask cluster on this machine), or the backend of"
            " another package, such as ray.",
        ),
    ] = None
    cluster: Annotated[
        str | None,
        _files("--cluster", metavar="ADDRESS", help="Run on the Dask cluster at ADDRESS, such as tcp://host:8786."),
    ] = None

    @property
    def are_used(self) -> bool:
        """Whether jobs are started at all."""
        return (self.jobs or 1) > 1 or self.backend is not None or self.cluster is not None

    @property
    def are_typed(self) -> bool:
        """Whether the user typed any of these options."""
        return (self.jobs, self.backend, self.cluster) != (None, None, None)

    @property
    def is_local(self) -> bool:
        """Whether the jobs are processes of this machine."""
        return self.cluster is None and self.backend in (None, "loky", "dask")

    @property
    def are_children(self) -> bool:
        """Whether the jobs are child processes of this process, which joblib does not end with it."""
        return self.cluster is None and self.backend in (None, "loky")

    @property
    def typed(self) -> str:
        """The option that starts jobs, as typed."""
        if self.cluster is not None:
            return f"--cluster {self.cluster}"
        return f"--jobs {self.jobs}" if self.backend is None else f"--backend {self.backend}"

    def check(self) -> None:
        """Raise UsageError for options that exclude each other."""
        if self.cluster is not None and self.backend not in (None, "dask"):
            raise UsageError(f"--cluster is the address of a Dask cluster; remove --backend {self.backend}")
        if self.cluster is not None and self.jobs is not None:
            raise UsageError(
                "--jobs has no effect with --cluster, which uses all workers of the cluster; remove --jobs"
            )
        for option, value in {"--backend": self.backend, "--cluster": self.cluster}.items():
            if value == "":
                raise UsageError(f"{option} needs a value")
