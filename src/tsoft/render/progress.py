"""How far a long stream is, on stderr while it lasts."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tsoft.core.draw import Sample
from tsoft.render.style import tau_text


class Bar:
    """A bar that is on the screen until it is stopped, and then is gone."""

    def __init__(self, sample: Sample) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            # A terminal that cannot move its cursor would keep it.
            disable=not console.is_interactive,
        )
        self._task = self._progress.add_task("")
        self.show(sample, 0)
        self._progress.start()

    def show(self, sample: Sample, done: int) -> None:
        """So many of the sample's draws are done."""
        text = f"drawing row {sample.row}, {tau_text(sample.tau)}"
        self._progress.update(self._task, description=text, completed=done, total=sample.size)

    def stop(self) -> None:
        self._progress.stop()
