"""Writing distributions as Parquet: a column per class, or one column of lists if the classes cannot be columns.

The metadata of the schema contains the name of the array and the labels of the classes.
"""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.input.arrow_table import TSOFT
from tsoft.input.columns import KEY_COLUMNS
from tsoft.output.distribution_array import DistributionArray
from tsoft.output.row_keys import ID
from tsoft.output.sink import Sink
from tsoft.output.text_arrays import are_integers
from tsoft.sampling.distributions import Distributions

# More classes than this become lists, because readers take long for many columns.
MOST_COLUMNS = 1000
# A row group has at least this number of values, except the last one.
GROUP = 1 << 20
ROW, TAU = KEY_COLUMNS[:2]


def pieces(first: Distributions, array: DistributionArray) -> Iterator[bytes]:
    """Yield a Parquet file in pieces: one record per row and temperature."""
    labels, classes = first.block.labels, first.block.logits.shape[1]
    has_columns = _may_be_columns(labels, classes)
    schema: pa.Schema | None = None
    sink, batches, size = Sink(), list[pa.RecordBatch](), 0
    writer: pq.ParquetWriter | None = None
    try:
        for result in array.same_classes(first):
            columns = _key_columns(result.block, result.taus, schema)
            rows = array.cells(result).reshape(-1, classes)
            columns |= _class_columns(rows, labels) if has_columns else {array.name(first): _lists(rows)}
            batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
            if schema is None or writer is None:
                schema = batch.schema.with_metadata(_metadata(array.name(first), labels))
                # Probabilities hardly repeat, so a dictionary of them would only take time.
                texts = [field.name for field in schema if pa.types.is_string(field.type)]
                writer = pq.ParquetWriter(sink, schema, use_dictionary=[*texts, TAU])
            batches.append(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            size += rows.size
            if size >= GROUP:
                writer.write_table(pa.Table.from_batches(batches))
                yield from sink.take()
                batches, size = [], 0
        if batches and writer:
            writer.write_table(pa.Table.from_batches(batches))
    finally:
        if writer is not None:
            writer.close()
    yield from sink.take()


def logits_file(row: Array, labels: Sequence[str]) -> bytes:
    """Return the bytes of a Parquet file of one row of logits, (n,), as a list."""
    sink = Sink()
    schema = pa.schema([pa.field("logits", pa.list_(pa.from_numpy_dtype(row.dtype), len(row)))])
    table = pa.Table.from_arrays([_lists(row[np.newaxis])], schema=schema.with_metadata(_metadata("logits", labels)))
    pq.write_table(table, sink, use_dictionary=False)
    return b"".join(sink.take())


def _metadata(name: str, labels: Sequence[str] | None) -> dict[bytes, bytes]:
    return {TSOFT: json.dumps({"array": name, "labels": labels}).encode()}


def _may_be_columns(labels: tuple[str, ...] | None, classes: int) -> bool:
    """Return whether each class can have a column: their names are unique, and differ from those of other columns."""
    names = set(labels or map(str, range(classes)))
    return len(names) == classes <= MOST_COLUMNS and "" not in names and names.isdisjoint((*KEY_COLUMNS, ID))


def _key_columns(block: Block, taus: Array, schema: pa.Schema | None) -> dict[str, pa.Array]:
    """Return the columns that identify the distributions of a block at some temperatures: the row, the key of the row
    if it has one, and the temperature."""
    columns = {ROW: _array(np.arange(block.rows.start, block.rows.stop).repeat(len(taus)))}
    if keys := block.keys:
        is_text = not are_integers(keys) if schema is None else schema.field(ID).type == pa.string()
        if not is_text and not are_integers(keys):
            raise InputError(
                f"row {block.first_row}: the row ids are numbers first, and then texts; use --format jsonl"
            )
        repeated = [str(key) if is_text else key for key in keys for _ in range(len(taus))]
        columns[ID] = pa.array(repeated, pa.string() if is_text else pa.int64())
    return columns | {TAU: _array(np.tile(np.asarray(taus, np.float64), len(block.logits)))}


def _class_columns(rows: Array, labels: tuple[str, ...] | None) -> dict[str, pa.Array]:
    names = labels or tuple(map(str, range(rows.shape[1])))
    return {name: _array(column) for name, column in zip(names, rows.T, strict=True)}


def _lists(rows: Array) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(_array(np.ascontiguousarray(rows).reshape(-1)), rows.shape[1])


def _array(numbers: Array) -> pa.Array:
    """Return numbers, (n,), as an array of Arrow. `pa.array` would import pandas if it is installed."""
    buffer = pa.py_buffer(np.ascontiguousarray(numbers))
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(numbers), [None, buffer])
