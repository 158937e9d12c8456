"""The temperatures of schedules, out."""

from collections.abc import Iterator, Sequence

import numpy as np

from tsoft.core.schedules import TemperatureSchedule
from tsoft.input import json_document
from tsoft.input.json_lines import json_number
from tsoft.output.number_format import NumberFormat

# So many steps become text at once.
PIECE = 1 << 16


def write(courses: Sequence[TemperatureSchedule], name: str, writing: NumberFormat) -> Iterator[str | bytes]:
    """The courses in a format by its name. tsv: a line a step, of a temperature for each schedule; csv: the
    same after the step, with a header; json and jsonl: a record for each step of each schedule."""
    if name in ("json", "jsonl"):
        records = (record for course in courses for record in _records(course, writing))
        yield from json_document.array(records) if name == "json" else (record + "\n" for record in records)
        return
    if name == "csv":
        yield ",".join(["step", *(course.schedule for course in courses)]) + "\n"
    taus = np.column_stack([course.taus for course in courses])
    for first in range(0, len(taus), PIECE):
        lines = writing.lines(taus[first : first + PIECE])
        yield lines if name == "tsv" else _numbered(lines.decode(), first)


def _numbered(lines: str, first: int) -> str:
    """The lines with commas, each after its number."""
    return "".join(f"{step},{line}\n" for step, line in enumerate(lines.replace("\t", ",").splitlines(), first))


def _records(course: TemperatureSchedule, writing: NumberFormat) -> Iterator[str]:
    import orjson

    for step, tau in enumerate(course.taus.tolist()):
        yield orjson.dumps({"schedule": course.schedule, "step": step, "tau": json_number(tau, writing)}).decode()
