"""A JSON array of records, out."""

from collections.abc import Iterable, Iterator

from tsoft.core.block import Distributions
from tsoft.formats.jsonl import records
from tsoft.formats.write import Writing


def write(results: Iterable[Distributions], writing: Writing) -> Iterator[str]:
    """The array is left open where the rows end in an error, so that no reader takes it for whole."""
    before = "[\n"
    for result in results:
        for record in records(result, writing):
            yield before + record
            before = ",\n"
    yield "\n]\n"
