"""JSON: in, a document or lines of it; out, an array of records."""

from collections.abc import Iterable, Iterator

from tsoft.input.json_lines import records
from tsoft.output.number_format import NumberFormat
from tsoft.sampling.distributions import Distributions

# What comes before an array's first element, between two and after the last.
START, BETWEEN, END = "[\n", ",\n", "\n]\n"


def write(results: Iterable[Distributions], writing: NumberFormat) -> Iterator[str]:
    """The array is left open where the rows end in an error, so that no reader takes it for whole."""
    yield from array(record for result in results for record in records(result, writing))


def array(elements: Iterable[str]) -> Iterator[str]:
    """The text of an array of such JSON texts, an element at a time."""
    before = START
    for element in elements:
        yield before + element
        before = BETWEEN
    yield END
