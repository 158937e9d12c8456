"""Tables that JSON has as the names of the columns and an array of rows, as pandas and Weights & Biases write them."""

from typing import Any

from tsoft.errors import counted, shortened
from tsoft.input.json_values import Location, as_list

# The fields with properties of a table: those of pandas' orient="table" and of Weights & Biases.
_PROPERTIES = {"schema", "ncols", "nrows", "column_types", "_type"}


def records(value: Any, location: Location) -> list[Any] | None:
    """Return the rows of a table as objects, or whatever stands in their place; None if a value is no such table. Raise
    InputError for a row with another number of values than columns.

    >>> records({"columns": ["cat", "dog"], "index": ["a"], "data": [[2, 1]]}, Location("FILE"))
    [{'index': 'a', 'cat': 2, 'dog': 1}]
    """
    if not isinstance(value, dict) or not isinstance(data := value.get("data"), list):
        return None
    fields = value.keys() - _PROPERTIES
    if "schema" in value and fields == {"data"}:
        return data
    if not isinstance(columns := value.get("columns"), list) or not fields <= {"columns", "index", "data"}:
        return None
    if not all(isinstance(name, str | int) for name in columns):
        raise location.error("columns: expected names, one per column")
    index = as_list(value.get("index", []), location.at("index"))
    if index and len(index) != len(data):
        raise location.error(f"{counted(len(index), 'value')} in index, but {counted(len(data), 'row')} in data")
    names = [*["index"] * bool(index), *map(str, columns)]
    repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if repeated is not None:
        raise location.error(f"two columns have the name {shortened(repeated)!r}; write each name once")
    rows = [as_list(row, location.at(f"row {i}")) for i, row in enumerate(data)]
    for i, row in enumerate(rows):
        if len(row) != len(columns):
            raise location.error(f"row {i}: {counted(len(row), 'value')}, but {counted(len(columns), 'column')}")
    return [dict(zip(names, [*index[i : i + 1], *row], strict=True)) for i, row in enumerate(rows)]
