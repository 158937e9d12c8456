"""The progress of long work, on stderr while it lasts."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar:
    """A bar that is on the screen until it is stopped. Without a `total` there is only a text."""

    def __init__(self, total: int | None = None, text: str = "") -> None:
        console = Console(stderr=True)
        share = () if total is None else (BarColumn(), TextColumn("{task.percentage:3.0f}%"), TimeRemainingColumn())
        self._progress = Progress(
            TextColumn("{task.description}"),
            *share,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            # A terminal that cannot move its cursor would keep it.
            disable=not console.is_interactive,
        )
        self._task = self._progress.add_task(text, total=total)
        self._progress.start()

    def show(self, text: str, done: int, total: int | None = None) -> None:
        self._progress.update(self._task, description=text, completed=done, total=total)

    def stop(self) -> None:
        """Removes the bar from the screen."""
        self._progress.stop()
