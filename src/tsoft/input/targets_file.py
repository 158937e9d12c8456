"""Reading a file of targets in any of its formats."""

from tsoft.errors import InputError
from tsoft.input import npy
from tsoft.input.formats import FORMATS, by_content, by_name
from tsoft.input.read_options import TargetSource
from tsoft.input.source import STDIN, open_input, with_head
from tsoft.input.targets import Targets, check_dtype, parse_array, parse_text


def read(name: str, options: TargetSource | None = None) -> Targets:
    """Return the targets in a file, one per row.

    The file is an .npy or .npz of numbers or strings, or a text with one target per line, with or without the header
    `target`. Raise InputError.
    """
    options = options or TargetSource()
    source = STDIN if name == "-" else name
    with open_input(name) as stream:
        head, stream = with_head(stream)
        format = by_content(head) or by_name(name) or FORMATS["text"]
        if format.name == "npz":
            # npz imports zipfile, which other formats do not need.
            from tsoft.input import npz

            return npz.read_targets(stream, source, options)
        if options.key is not None:
            raise InputError(f"{source}: --targets-key selects an array of an .npz file; remove --targets-key")
        if format.name == "npy":
            header = npy.read_header(stream, source, check_dtype)
            return parse_array(header, stream.read(), source, options.ignored)
        return parse_text(stream.read(), source, options.ignored)
