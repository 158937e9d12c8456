"""Measures averaged over rows, out: a line or a record a temperature."""

from tsoft.core.averages import Averages
from tsoft.input import json_document
from tsoft.input.json_lines import json_number
from tsoft.output.number_format import NumberFormat
from tsoft.sampling.distributions import measure_unit


def write(found: Averages, name: str, writing: NumberFormat) -> str:
    """The averages in a format by its name: tsv without a header, csv with one, json or jsonl. Each
    measure is followed by its standard deviation."""
    columns = ["tau", "rows", *(column for measure in found.by_measure for column in (measure, f"{measure}_sd"))]
    rows = [_row(found, t, writing) for t in range(len(found.taus))]
    if name in ("json", "jsonl"):
        import orjson

        records = [
            orjson.dumps({c: json_number(v, writing) for c, v in zip(columns, row, strict=True)}).decode()
            for row in rows
        ]
        return (
            "".join(record + "\n" for record in records) if name == "jsonl" else "".join(json_document.array(records))
        )
    delimiter = "," if name == "csv" else "\t"
    lines = [delimiter.join([writing.text(row[0]), str(row[1]), *map(writing.text, row[2:])]) for row in rows]
    return "".join(line + "\n" for line in ([delimiter.join(columns)] if name == "csv" else []) + lines)


def _row(found: Averages, t: int, writing: NumberFormat) -> list[float]:
    row: list[float] = [float(found.taus[t]), found.rows]
    for measure, average in found.by_measure.items():
        row += [float(value[t] / measure_unit(measure, writing.bits)) for value in (average.mean, average.deviation)]
    return row
