"""Decoding text, and naming a file that is not text for what it is."""

import codecs
import re

from tsoft.errors import InputError

# Patterns for the first bytes of files that tsoft cannot read as text: what they are, and the fix.
_KINDS = (
    (rb"\x80[\x02-\x05]", "a Python pickle, which tsoft never loads; save the data as text or with numpy.save"),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32 text; convert it with iconv -f UTF-32 -t UTF-8"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8"),
    (rb"\x1f\x8b", "a gzip file; unpack it with gunzip"),
    (rb"BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "a compressed file; unpack it"),
    (rb"PAR1", "a Parquet file; save the table as CSV"),
    (rb"\x89HDF", "an HDF5 file; save the array with numpy.save"),
    (rb"GGUF", "a GGUF model; run it with tsoft next --model FILE"),
    (rb"PK\x03\x04", "a zip file, as .npz files are; pass an .npz with --input-format npz, or unpack it"),
    (rb"[^\0]{1,7}\0{1,7}\{\"", "a safetensors file; save the array with numpy.save"),
)


def kind_of(head: bytes) -> str | None:
    """Return what a file with these first bytes is, and the fix; None if it may be text.

    >>> kind_of(b"\\x1f\\x8b\\x08")
    'a gzip file; unpack it with gunzip'
    """
    return next((kind for start, kind in _KINDS if re.match(start, head)), None)


def decode_text(data: bytes, source: str, number: int = 1, *, allows_nul: bool = False) -> str:
    """Decode lines of UTF-8 text, the first of which has that number, without a byte order mark at the start of line 1.

    Raise InputError, which names the line of the first wrong byte, or the kind of the file. By default, a NUL byte is
    wrong, too; with `allows_nul`, only in a file of a kind that is not text.
    """
    content = data.removeprefix(codecs.BOM_UTF8) if number == 1 else data
    try:
        text = content.decode()
        if "\0" not in text or (allows_nul and kind_of(content) is None):
            return text
        position, problem = content.index(0), "a NUL byte"
    except UnicodeDecodeError as error:
        position, problem = error.start, f"byte 0x{content[error.start]:02x}"
    if number == 1 and (kind := kind_of(content)):
        raise InputError(f"{source}: this is {kind}")
    line = number + content.count(b"\n", 0, position)
    fix = "if it is UTF-16, convert it with iconv -f UTF-16 -t UTF-8" if b"\0" in content else "convert it to UTF-8"
    raise InputError(f"{source}:{line}: not UTF-8 text ({problem}); {fix}")
