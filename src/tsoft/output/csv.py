"""Comma-separated values with a header, out: wide, a class a column, or long, a class a line."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input.fields import join_labels, quoted
from tsoft.output.number_format import NumberFormat
from tsoft.sampling.distributions import Distributions, descending_order


def write(results: Iterable[Distributions], writing: NumberFormat) -> Iterator[str]:
    """Wide, or long where it is asked for or the first blocks differ in their labels."""
    if writing.long:
        yield from write_long(results, writing, ",")
        return
    results = iter(results)
    head = list(itertools.islice(results, 1))
    while head and head[0].block.labels_vary and head[-1].block.first_row == head[0].block.first_row:
        following = next(results, None)
        if following is None:
            break
        head.append(following)
    differ = len({result.block.labels for result in head}) > 1
    results = itertools.chain(head, results)
    yield from write_long(results, writing, ",") if differ else _write_wide(results, writing)


def _write_wide(results: Iterable[Distributions], writing: NumberFormat) -> Iterator[str]:
    columns: list[str] | None = None
    for result in results:
        names, values = _names(result.block), writing.values(result)
        lines = []
        if columns is None:
            columns = names
            lines.append(join_labels([*_keys(result), *(result.measure_names if writing.before else ()), *names], ","))
        elif names != columns:
            problem = f"{result.block.location}: its classes are not those of the header"
            raise InputError(f"{problem}; --long and --format jsonl take rows that differ")
        taus, numbers = writing.texts(result.taus), _numbers(values, writing)
        for r, row in enumerate(result.block.rows):
            for t, tau in enumerate(taus):
                measures = [writing.text(value) for value in writing.measures(result, t, r)] if writing.before else []
                lines.append(",".join([str(row), tau, *_engine(result), *measures, next(numbers)]))
        yield "".join(line + "\n" for line in lines)


def _numbers(values: Array, writing: NumberFormat) -> Iterator[str]:
    """A row's numbers at a temperature with commas between them, row by row."""
    lines = writing.lines(values.swapaxes(0, 1).reshape(-1, values.shape[2]))
    return iter(lines.decode().replace("\t", ",").splitlines())


def write_long(results: Iterable[Distributions], writing: NumberFormat, delimiter: str) -> Iterator[str]:
    """A class a line, most probable first, as many as `show` says. The label is empty where the
    classes have none."""
    header = False
    for result in results:
        head = [*_keys(result), "index", "label", "logprob" if writing.log else "prob"]
        lines = [] if header else [join_labels(head, delimiter)]
        header = True
        # A label is never a line's first field or its last, where a tab would be a blank around it.
        labels = [quoted(label) for label in result.block.labels or ("",) * result.block.logits.shape[1]]
        values, taus = writing.values(result), writing.texts(result.taus)
        each = [(r, t) for r in range(len(result.block.logits)) for t in range(len(taus))]
        orders = [descending_order(result.block.logits[r], result.probs[t, r])[: writing.show] for r, t in each]
        texts = iter(
            writing.texts(np.concatenate([values[t, r, order] for (r, t), order in zip(each, orders, strict=True)]))
        )
        for (r, t), order in zip(each, orders, strict=True):
            keys = delimiter.join([str(result.block.rows[r]), taus[t], *_engine(result)])
            # The order comes first: it is what ends.
            pairs = zip(order.tolist(), texts, strict=False)
            lines += [f"{keys}{delimiter}{i}{delimiter}{labels[i]}{delimiter}{text}" for i, text in pairs]
        yield "".join(line + "\n" for line in lines)


def _keys(result: Distributions) -> list[str]:
    """The names of the columns that tell one vector from the next."""
    return ["row", "tau", *("engine" for _ in _engine(result))]


def _engine(result: Distributions) -> list[str]:
    return [] if result.engine is None else [result.engine]


def _names(block: Block) -> list[str]:
    """The columns' names: the labels, else the classes' indices."""
    return list(block.labels or map(str, range(block.logits.shape[1])))
