"""Draws and counts, out."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tsoft.core.chi_square import goodness_of_fit
from tsoft.core.softmax import Array
from tsoft.features.sample.samples import Sample
from tsoft.input import json_document
from tsoft.input.fields import escape, join_labels
from tsoft.input.json_lines import json_number
from tsoft.output.number_format import NumberFormat

# Texts leave together from about so many characters on, and where the rows that came together end.
TOGETHER = 1 << 16

# How the draws of a sample are made: plainly, or so that their progress is seen.
Draws = Callable[[Sample], Iterator[Array]]


@dataclass(frozen=True)
class Telling:
    """What is told of a sample: `each` draw, or else the counts; a class by its `index` or by its
    label; whose rules the chain has, where it is an `engine`'s; numbers as `writing` says."""

    each: bool
    index: bool
    engine: bool
    writing: NumberFormat
    draws: Draws


def write(groups: Iterable[Iterable[Sample]], name: str, telling: Telling) -> Iterator[str]:
    """The samples in a format by its name. tsv: a label a line, or a label and a count; csv: the same
    with a header and keys; json and jsonl: a record a sample, with counts, and with each draw where
    that is asked for. No more than a piece of a sample is held."""
    columns = "row,tau," + "engine," * telling.engine + "index,label" + ",count,expected" * (not telling.each)
    start, between, end = {
        "csv": (columns + "\n", "", ""),
        "json": (json_document.START, json_document.BETWEEN, json_document.END),
    }.get(name, ("", "", ""))
    texts = {"tsv": _lines, "csv": _rows, "json": _record, "jsonl": _record_line}[name]
    before = itertools.chain([start], itertools.repeat(between))
    for group in groups:
        yield from _together(
            text for sample in group for text in itertools.chain([next(before)], texts(sample, telling))
        )
    if end:
        yield end


def _together(texts: Iterable[str]) -> Iterator[str]:
    """The same in fewer, longer texts."""
    waiting: list[str] = []
    length = 0
    for text in texts:
        waiting.append(text)
        length += len(text)
        if length >= TOGETHER:
            yield "".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield "".join(waiting)


def _lines(sample: Sample, telling: Telling) -> Iterator[str]:
    """A draw or a class a line."""
    labels = None if telling.index else sample.labels

    def label(index: int) -> str:
        return str(index) if labels is None else escape(labels[index])

    if telling.each:
        yield from _each_draw(lambda index: label(index) + "\n", sample, telling)
    else:
        yield "".join(f"{label(index)}\t{count}\n" for index, count in enumerate(sample.counts.tolist()))


def _rows(sample: Sample, telling: Telling) -> Iterator[str]:
    """The same with its keys: the row, the temperature, the engine, the class's index and its label."""
    keys = f"{sample.row},{telling.writing.text(sample.tau)}," + f"{sample.engine}," * telling.engine

    def row(index: int) -> str:
        return keys + join_labels([str(index), sample.labels[index] if sample.labels else ""], ",")

    if telling.each:
        yield from _each_draw(lambda index: row(index) + "\n", sample, telling)
    else:
        pairs = zip(sample.counts.tolist(), telling.writing.texts(sample.expected), strict=True)
        yield "".join(f"{row(index)},{count},{expected}\n" for index, (count, expected) in enumerate(pairs))


def _each_draw(line: Callable[[int], str], sample: Sample, telling: Telling) -> Iterator[str]:
    """A line a draw. Where there are many, each class's is made once."""
    if sample.size < len(sample.probs):
        for piece in telling.draws(sample):
            yield "".join(map(line, piece.tolist()))
        return
    lines = np.array([line(index) for index in range(len(sample.probs))], object)
    for piece in telling.draws(sample):
        yield "".join(lines.take(piece).tolist())


def _record_line(sample: Sample, telling: Telling) -> Iterator[str]:
    yield from _record(sample, telling)
    yield "\n"


def _record(sample: Sample, telling: Telling) -> Iterator[str]:
    """A record, with its draws as they are made and their tally after them."""

    number = partial(json_number, writing=telling.writing)
    head = {
        "row": sample.row,
        "tau": number(sample.tau),
        **({"engine": sample.engine} if telling.engine else {}),
        "n": sample.size,
        "seed": sample.seed,
        "labels": sample.labels,
        "probs": number(sample.probs),
        "expected": number(sample.expected),
    }
    yield _json(head)[:-1]
    counts = sample.counts if not telling.each else np.zeros(len(sample.probs), np.int64)
    if telling.each:
        yield ',"draws":'
        before = "["
        for piece in telling.draws(sample):
            counts += np.bincount(piece, minlength=len(counts))
            yield before + _json(piece)[1:-1]
            before = ","
        yield "]"
    fit = goodness_of_fit(counts, sample.probs)
    tail = {
        "counts": counts,
        "statistic": fit and number(fit.statistic),
        "degrees": fit and fit.degrees,
        "p_value": fit and number(fit.p_value),
    }
    yield "," + _json(tail)[1:]


def _json(value: Any) -> str:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
