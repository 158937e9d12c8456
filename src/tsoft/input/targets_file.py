"""Reading a file of targets in any of its formats."""

import os
from typing import BinaryIO

from tsoft.errors import InputError
from tsoft.input import npy
from tsoft.input.formats import FORMATS, by_content, by_name
from tsoft.input.read_options import ReadOptions, TargetSource
from tsoft.input.source import STDIN, open_input, with_head
from tsoft.input.targets import Targets, check_dtype, read_array, read_json, read_text


def read(name: str, options: TargetSource | None = None) -> Targets:
    """Read the targets in a file, one per row.

    The file is an array, a file of several arrays, a table, a JSON array, or a text with one target per line, with or
    without the header `target`. Raise InputError.
    """
    options = options or TargetSource()
    source = STDIN if name == "-" else name
    if source != STDIN and not (os.path.exists(name) or os.sep in name or "." in name):
        # It looks like the name of a column.
        raise InputError(f"{name}: no such file; for a column of the input, pass --target-column {name}")
    with open_input(name) as stream:
        head, stream = with_head(stream)
        format = by_content(head) or by_name(name) or FORMATS["text"]
        if format.keys:
            return _from_named(stream, format.name, source, options)
        if options.key.name is not None:
            option = options.key.option
            raise InputError(f"{source}: {option} selects an array of a file with several; remove {option}")
        if format.name == "npy":
            header = npy.read_header(stream, source, check_dtype)
            return read_array(header, stream, source, options.ignored)
        if by_content(head) is FORMATS["json"]:
            return read_json(stream, source, options.ignored)
        return read_text(stream, source, options.ignored)


def _from_named(stream: BinaryIO, format: str, source: str, options: TargetSource) -> Targets:
    """Return the targets in one of the arrays or columns of a file. The modules for each format import much."""
    reading = ReadOptions(source, targets=options)
    if format in ("parquet", "arrow"):
        from tsoft.input import arrow

        return arrow.read_targets(stream, format, reading)
    from tsoft.input.named_arrays import read_file_targets

    if format == "npz":
        from tsoft.input import npz

        with npz.opened(stream, reading) as file:
            return read_file_targets(file, source, options)
    if format == "safetensors":
        from tsoft.input import safetensors

        return read_file_targets(safetensors.opened(stream, reading), source, options)
    from tsoft.input import torch

    return read_file_targets(torch.opened(stream, reading), source, options)
