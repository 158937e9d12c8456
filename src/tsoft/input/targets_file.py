"""The true classes of rows, from a file of their own."""

from tsoft.input import npy
from tsoft.input.formats import FORMATS, by_content, by_name
from tsoft.input.source import STDIN, open_input, with_head
from tsoft.input.targets import Targets, _lines, array, wrong


def read(name: str) -> Targets:
    """The targets in a file: an .npy or .npz of numbers or texts, or a text with one a line, under a heading
    `target` or none. Raises InputError."""
    source = STDIN if name == "-" else name
    with open_input(name) as bytes_:
        head, bytes_ = with_head(bytes_)
        told = by_content(head) or by_name(name) or FORMATS["text"]
        if told.name == "npz":
            from tsoft.input import npz

            return npz.read_targets(bytes_, source)
        if told.name == "npy":
            header = npy.read_header(bytes_, source, wrong)
            return array(header, bytes_.read(), source)
        return _lines(bytes_.read(), source)
