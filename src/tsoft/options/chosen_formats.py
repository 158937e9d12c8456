"""The format of each output, and a check of the options that have an effect on some formats only.

A display option implies the format table unless a format is chosen. Any other option without effect is an error.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import Field, fields
from typing import Any, TypeVar

from tsoft.errors import UsageError
from tsoft.options.command import option_name
from tsoft.options.output import (
    ARRAY_FORMATS,
    BINARY_FORMATS,
    EXTRAS,
    FIGURE_FORMATS,
    PAGE_FORMAT,
    TEXT_FORMATS,
    Displayed,
    FigureOptions,
    OnlyIn,
    OutputOptions,
)

T = TypeVar("T")


def chosen_formats(
    output: OutputOptions,
    *bundles: Any,
    arrays: bool = False,
    default: str = "tsv",
    forms: Callable[[str], Iterable[str]] = lambda _: (),
) -> list[tuple[OutputOptions, str]]:
    """Return the options and the format for each file, or for stdout, in the order of writing, after a check of every
    option in the bundles that is not at its default.

    arrays: whether the result can be written as an array of distributions. default: the format in a pipe. forms:
    returns the further forms that a format has here. Raise UsageError for an option without effect on every format.
    """
    limited = [
        (option, marker)
        for option, metadata in _typed_options(output, *bundles)
        for marker in metadata
        if isinstance(marker, OnlyIn)
    ]
    chosen = [(file, _format(file, limited, arrays, default, forms)) for file in output.destinations]
    formats = [format for _, format in chosen]
    written = {form for format in formats for form in (format, *forms(format))}
    for option, mark in limited:
        if mark.forms.isdisjoint(written):
            raise UsageError(f"{option} has no effect on {' or '.join(formats)}; use {mark}")
    for file, format in chosen:
        _check_format(format, file, arrays)
    if not written.isdisjoint(FIGURE_FORMATS):
        for bundle in bundles:
            if isinstance(bundle, FigureOptions):
                bundle.check_size()
    # A page or an array may refuse a result that every other format accepts. No other file exists by then.
    return sorted(chosen, key=lambda each: (each[1] != PAGE_FORMAT, each[1] not in ARRAY_FORMATS))


def _format(
    output: OutputOptions,
    limited: list[tuple[str, OnlyIn]],
    arrays: bool,
    default: str,
    forms: Callable[[str], Iterable[str]],
) -> str:
    """Return the format of one file, or of stdout."""
    format = _named_format(output, arrays)
    if format is not None:
        return format
    format = "table" if output.file is None and is_terminal(sys.stdout) else default
    is_shown = any(
        isinstance(mark, Displayed) and mark.forms.isdisjoint((format, *forms(format))) for _, mark in limited
    )
    return "table" if is_shown else format


def _check_format(format: str, output: OutputOptions, arrays: bool) -> None:
    """Raise UsageError for a format that the result or the destination does not permit, or that needs a package."""
    if format in ARRAY_FORMATS and not arrays:
        problem = f"{format} is for the distributions of compute and sweep"
        raise UsageError(f"{problem}; pass --format with one of {_format_names(output, arrays)}")
    if format == PAGE_FORMAT and not output.has_page:
        problem = "html is for the texts of generate and score, and of an API response in compute"
        raise UsageError(f"{problem}; pass --format with one of {_format_names(output, arrays)}")
    if format in BINARY_FORMATS:
        from tsoft.output import file

        if file.is_terminal(output.file):
            place = output.file if output.file not in (None, "-") else "stdout"
            problem = f"{format} is binary, and {place} is a terminal"
            raise UsageError(f"{problem}; write to a file, -o FILE.{format}, or to a pipe")
    if format in EXTRAS:
        from importlib.util import find_spec

        package, extra = EXTRAS[format]
        if find_spec(package) is None:
            raise UsageError(f"{format} needs {package}; run pip install 'tsoft[{extra}]'")


def kept_for(chosen: Sequence[Any], parts: Iterable[T]) -> Iterable[T]:
    """Return the parts of a result, in memory if they are written to several files."""
    return list(parts) if len(chosen) > 1 else parts


def typed_fields(*bundles: Any) -> "list[Field[Any]]":
    """Return the fields of the bundles that are not at their defaults."""
    return [field for bundle in bundles for field in fields(bundle) if getattr(bundle, field.name) != field.default]


def _typed_options(*bundles: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """Return the options that are not at their defaults: each as it was typed, with the metadata of its type."""
    return [
        (option_name(field, getattr(bundle, field.name)), getattr(field.type, "__metadata__", ()))
        for bundle in bundles
        for field in typed_fields(bundle)
    ]


def refuse(command: str, *bundles: Any) -> None:
    """Raise UsageError if an option of the bundles was typed, because it has no effect on the command."""
    for option, _ in _typed_options(*bundles):
        raise UsageError(f"{option} has no effect on {command}; remove {option}")


def _named_format(output: OutputOptions, arrays: bool) -> str | None:
    """Return the format that --format or the ending of the output file chooses; None if neither does."""
    if output.file == "":
        raise UsageError("--output needs a file name")
    if output.format is not None or output.file is None:
        return output.format
    from tsoft.input.formats import by_name

    ending = os.path.splitext(output.file)[1]
    if ending[1:].lower() in (*FIGURE_FORMATS, PAGE_FORMAT):
        return ending[1:].lower()
    known = by_name(output.file)
    is_read_only = known is not None and known.name not in ("text", *TEXT_FORMATS, *ARRAY_FORMATS)
    if is_read_only or (known is None and ending and not os.path.exists(output.file)):
        problem = f"{output.file}: cannot tell the format from the ending {ending}"
        raise UsageError(f"{problem}; pass --format with one of {_format_names(output, arrays)}")
    return known.name if known and known.name in (*TEXT_FORMATS, *ARRAY_FORMATS) else None


def _format_names(output: OutputOptions, arrays: bool) -> str:
    pages = (PAGE_FORMAT,) if output.has_page else ()
    return ", ".join(("table", *TEXT_FORMATS, *(ARRAY_FORMATS if arrays else ()), *FIGURE_FORMATS, *pages))


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal; it is None if the process has none."""
    return stream is not None and stream.isatty()
