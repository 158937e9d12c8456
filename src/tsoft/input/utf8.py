"""Decoding text, and naming a file that is not text for what it is."""

import codecs
import re

from tsoft.errors import InputError

# Patterns for the first bytes of files that are not text: what they are, and the fix. Those of binary files require
# bytes that no text contains, because a text may start with the letters GGUF, PAR1 or BZh.
_KINDS = (
    (
        rb"\x80[\x02-\x05](?:\x8a\nl\xfc\x9cF\xf9|.{0,40}torch)|PK\x03\x04.{26}[^\0]{0,100}?data\.pkl",
        "a PyTorch file; save the array with numpy.save('logits.npy', tensor.float().numpy())",
    ),
    (
        rb"\x80[\x02-\x05]|\([ldt]p0\n|c[\w.]+\n\w+\n[(pq]",
        "a Python pickle, which tsoft never loads; save the data as text or with numpy.save",
    ),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32 text; convert it with iconv -f UTF-32 -t UTF-8"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8"),
    (rb"\x1f\x8b", "a gzip file; unpack it with gunzip"),
    (rb"BZh[1-9]1AY&SY", "a bzip2 file; unpack it with bunzip2"),
    (rb"\xfd7zXZ", "an xz file; unpack it with unxz"),
    (rb"\x28\xb5\x2f\xfd", "a Zstandard file; unpack it with unzstd"),
    (rb"7z\xbc\xaf|Rar!\x1a", "an archive; unpack it"),
    (rb"PAR1[\0-\x1f]", "a Parquet file; for logits, pass --input-format parquet"),
    (rb"ARROW1\0|FEA1[\0-\x1f]|\xff{4}.{3}\0.\0\0\0", "an Arrow file; for logits, pass --input-format arrow"),
    (rb"\x93NUMPY", "a NumPy array; for logits, pass --input-format npy"),
    (rb"_logits_.{3}[\0-\x0f]", "llama.cpp's file of logits; pass --input-format kld"),
    (rb".{4}\0{4}\{", "a safetensors file; for logits, pass --input-format safetensors"),
    (rb"\x89HDF", "an HDF5 file; save the array with numpy.save('logits.npy', h5py.File('FILE')['NAME'][:])"),
    (
        rb"MATLAB 5\.0 MAT",
        "a MATLAB file; save the array with numpy.save('logits.npy', scipy.io.loadmat('FILE')['NAME'])",
    ),
    (rb"GGUF(?:[\x01-\xff]\x00{3}|\x00{3}[\x01-\xff])", "a GGUF model; run it with tsoft next --model FILE"),
    (rb"\x89PNG\r|GIF8[79]a[^\n]{0,9}\0|\xff\xd8\xff|BM.{4}\0{4}", "an image; pass the numbers as text or as .npy"),
    (rb"%PDF-\d", "a PDF file; pass the numbers as text or as .npy"),
    (rb"\x7fELF|MZ.{0,40}\0|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe", "a program; pass the numbers as text or as .npy"),
    (rb"SQLite format 3\0", "an SQLite database; save the table with sqlite3 -csv -header FILE 'SELECT * FROM NAME'"),
    (
        rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|docProps|xl/)",
        "an Excel workbook or other Office file; save the sheet as CSV",
    ),
    (rb"\xd0\xcf\x11\xe0", "an old Office file; save the sheet as CSV"),
    (rb"PK\x03\x04", "a zip file, as .npz files are; pass an .npz with --input-format npz, or unpack it"),
    (rb".{257}ustar", "a tar archive; unpack it"),
)


def kind_of(head: bytes) -> str | None:
    """Return what a file with these first bytes is, and the fix; None if it may be text.

    >>> kind_of(b"\\x1f\\x8b\\x08")
    'a gzip file; unpack it with gunzip'
    """
    return next((kind for start, kind in _KINDS if re.match(start, head, re.DOTALL)), None)


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
    raise InputError(f"{source}:{line}: not UTF-8 text ({problem}); {_encoding_fix(content)}")


def _encoding_fix(data: bytes) -> str:
    """Return how to convert data that is not UTF-8 text. In UTF-16, every second byte of ASCII text is NUL.

    >>> _encoding_fix("2 1".encode("utf-16-le"))
    'if it is UTF-16, convert it with iconv -f UTF-16 -t UTF-8'
    """
    start = data[:1000]
    halves = (start[::2], start[1::2])
    has_nul = [0 in half for half in halves]
    if any(2 * half.count(0) > len(half) for half in halves) and has_nul in ([True, False], [False, True]):
        return "if it is UTF-16, convert it with iconv -f UTF-16 -t UTF-8"
    return "convert it to UTF-8"
