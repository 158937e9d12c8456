"""The columns of Arrow's tables, with the fields of structures, and their values as numbers and as texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tsoft.core.softmax import Array
from tsoft.errors import InputError, shortened

NULL = "null is not a number; fill it, or write -inf to mask a class (pandas writes NaN as null)"


@dataclass(frozen=True)
class Leaf:
    """A column: its name, its type, and its place, which is the index of a column and those of its fields."""

    name: str
    type: pa.DataType
    place: tuple[int, ...]

    def values(self, batch: pa.RecordBatch) -> pa.Array:
        """Return the values of the column in a batch, without dictionaries."""
        array = batch.column(self.place[0])
        for index in self.place[1:]:
            # Unlike `field`, `flatten` masks a field of a null structure.
            array = array.flatten()[index]
        return plain(array)


def plain(array: pa.Array) -> pa.Array:
    """Return an array of an extension type as its storage, and one with a dictionary as its values."""
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _plain_type(type: pa.DataType) -> pa.DataType:
    if isinstance(type, pa.BaseExtensionType):
        type = type.storage_type
    return type.value_type if pa.types.is_dictionary(type) else type


def leaf_columns(schema: pa.Schema) -> list[Leaf]:
    """Return the columns of a schema, with the fields of structures as columns."""

    def within(name: str, type: pa.DataType, place: tuple[int, ...]) -> Iterator[Leaf]:
        type = _plain_type(type)
        if pa.types.is_struct(type):
            for i in range(type.num_fields):
                field = type.field(i)
                yield from within(f"{name}.{field.name}", field.type, (*place, i))
        else:
            yield Leaf(name, type, place)

    return [leaf for i, field in enumerate(schema) for leaf in within(field.name, field.type, (i,))]


def is_number_type(type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_decimal(type))


def is_list_of_numbers(type: pa.DataType) -> bool:
    """Return whether a type is that of lists of numbers."""
    return _is_list(type) and is_number_type(_plain_type(type.value_type))


def is_list_of_texts(type: pa.DataType) -> bool:
    """Return whether a type is that of lists of strings."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return _is_list(type) and any(test(_plain_type(type.value_type)) for test in tests)


def _is_list(type: pa.DataType) -> bool:
    return any(test(type) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


@dataclass(frozen=True)
class ColumnPlace:
    """The place of numbers for messages: their file, their column, and the number of the first row."""

    source: str
    name: str
    first_row: int


def numbers_of_column(array: pa.Array, where: ColumnPlace) -> Array:
    """Return the numbers of an array. Raise InputError for a null, which is no number."""
    if array.null_count:
        row = where.first_row + int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise InputError(f"{where.source}: row {row}: {shortened(where.name)!r}: {NULL}")
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    return np.asarray(array.to_numpy(zero_copy_only=False))


def plain_numbers(leaves: Sequence[Leaf], batch: pa.RecordBatch) -> Array | None:
    """Return the numbers of columns, (rows, columns), at once, which is faster than one column after the other. Return
    None if they are not all floats of the same type, or if there is a null."""
    indices = [leaf.place[0] for leaf in leaves]
    types = {batch.schema.field(i).type for i in indices}
    if any(len(leaf.place) > 1 for leaf in leaves) or types not in ({pa.float64()}, {pa.float32()}):
        return None
    try:
        return np.asarray(batch.select(indices).to_tensor(row_major=True))
    except pa.ArrowException:
        return None


def classes_of(leaf: Leaf, batch: pa.RecordBatch, source: str) -> tuple[Array, list[str]]:
    """Return the true classes in a column as indices into a list of their distinct texts. A null is an empty text.

    Raise InputError for a column of lists or the like.
    """
    if pa.types.is_nested(leaf.type):
        problem = f"the column {shortened(leaf.name)!r} contains values of the type {shortened(str(leaf.type))}"
        raise InputError(f"{source}: {problem}; expected one class per row")
    encoded = leaf.values(batch).dictionary_encode("encode")
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return codes, [text_of(value) for value in encoded.dictionary.to_pylist()]


def text_of(value: Any) -> str:
    """Return a value as the text that a table in text has in its place.

    >>> text_of(3), text_of(3.0), text_of(0.5), text_of(True), text_of(None)
    ('3', '3', '0.5', 'true', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value % 1 == 0:
        return f"{value:.0f}"
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
