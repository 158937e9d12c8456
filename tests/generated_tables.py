"""The tables of the manual that are generated from the code."""

import re
from math import inf

from tsoft.sampling.engines import ENGINES, Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

# A header, the line of dashes below it, and the rows.
_TABLE = re.compile(r"^(?P<header>\|.*\|)\n(?:\|.*\|\n)+", re.MULTILINE)


def updated(page: str) -> str:
    """Return the text of a page with each generated table updated. The header of a table identifies it."""
    return _TABLE.sub(lambda match: TABLES.get(match["header"], match[0]), page)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> tuple[str, str]:
    """Return the header of a table, and the whole table."""
    header, *lines = (_line(cells) for cells in (columns, tuple("---" for _ in columns), *rows))
    return header, "".join(f"{line}\n" for line in (header, *lines))


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _option(parameter: SamplerParameter) -> str:
    return f"`{f'{parameter.option} {parameter.metavar}'.rstrip()}`"


def _values(parameter: SamplerParameter) -> str:
    if parameter is BIAS:
        return "any number, or -inf"
    if parameter is TAU:
        return "0 to inf"
    if parameter.is_flag:
        return "none"
    kind = "whole, " if parameter.whole else ""
    low = f"above {parameter.low:g}" if parameter.exclusive_low else f"{parameter.low:g}"
    if parameter.high == inf:
        return f"{kind}{low}" if parameter.exclusive_low else f"{kind}{low} or more"
    return f"{kind}{low}, at most {parameter.high:g}" if parameter.exclusive_low else f"{low} to {parameter.high:g}"


def _default(sampler: Sampler, parameter: SamplerParameter) -> str:
    if parameter is TAU:
        return "1"
    if parameter.off is None or parameter.is_flag:
        return "off"
    return f"{parameter.off:g}" + " (off)" * (parameter is sampler.parameters[0] or parameter.off == parameter.low)


def _near_zero(engine: Engine) -> str:
    """Return how an engine treats temperatures at and near 0."""
    if engine.greedy_below is None:
        return "at temperature 0, its temperature sampler keeps only the most probable class"
    messages = (engine.low_tau_message(tau) for tau in (0.0, engine.min_tau / 2))
    return "; ".join(dict.fromkeys(filter(None, messages)))


def _name(engine: Engine) -> str:
    return f"`{engine.name}`"


_PARAMETERS = [(sampler, parameter) for sampler in SAMPLERS.values() for parameter in sampler.parameters]

# The tables are narrow, because `tsoft help` shows them on a terminal of 80 columns.
TABLES = dict(
    (
        _table(
            ("option", "what it does"),
            [(_option(parameter), parameter.help) for _, parameter in _PARAMETERS],
        ),
        _table(
            ("option", "values", "default", "name in `--samplers`"),
            [
                (_option(parameter), _values(parameter), _default(sampler, parameter), f"`{sampler.name}`")
                for sampler, parameter in _PARAMETERS
            ],
        ),
        _table(
            ("engine", "samplers, in order"),
            [
                (_name(engine), " → ".join(f"`{sampler.name}`" for sampler in engine.samplers))
                for engine in ENGINES.values()
            ],
        ),
        _table(
            ("engine", "at temperatures near 0"),
            [(_name(engine), _near_zero(engine)) for engine in ENGINES.values()],
        ),
        _table(
            ("engine", "source and version"),
            [(_name(engine), engine.source) for engine in ENGINES.values()],
        ),
    )
)
