"""The texts of the lessons, which are the Markdown files in the folder `lessons`."""

from dataclasses import dataclass
from importlib.resources import files
from textwrap import fill

_COLUMNS = 80


@dataclass(frozen=True)
class LessonText:
    """What a lesson says: its title, the text, the task, a hint, and why the solution is what it is."""

    title: str
    text: str
    task: str
    hint: str
    why: str

    @classmethod
    def from_markdown(cls, markdown: str) -> "LessonText":
        """Read a text whose parts have the headings `# TITLE`, `## Task`, `## Hint` and `## Why`."""
        first, *parts = markdown.split("\n## ")
        title, text = first.removeprefix("# ").split("\n", 1)
        bodies = dict(part.split("\n", 1) for part in parts)
        words = (" ".join(body.split()) for body in (text, bodies["Task"], bodies["Hint"], bodies["Why"]))
        return cls(title, *words)

    def markdown(self, number: int) -> str:
        """Return the whole lesson as Markdown."""
        heading = f"# {number}. {self.title}"
        parts = (f"**{name}:** {part}" for name, part in (("Task", self.task), ("Hint", self.hint), ("Why", self.why)))
        paragraphs = (fill(part, _COLUMNS, break_on_hyphens=False) for part in (self.text, *parts))
        return "\n\n".join([heading, *paragraphs]) + "\n"


def lesson_texts() -> list[LessonText]:
    """Return the texts of all lessons, in order."""
    folder = files("tsoft.features.learn").joinpath("lessons")
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".md")), key=lambda path: path.name)
    return [LessonText.from_markdown(path.read_text("utf-8")) for path in paths]
