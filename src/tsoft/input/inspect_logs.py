"""Logs of Inspect: zip files of one JSON document per sample.

Source: github.com/UKGovernmentBEIS/inspect_ai, src/inspect_ai/log/_recorders/eval.py.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from tsoft.errors import InputError
from tsoft.input.json_values import parsed_json
from tsoft.input.read_options import ReadOptions
from tsoft.input.streams import seekable

# The first bytes of a zip file, and the folder of its samples.
ZIP = b"PK\x03\x04"
_FOLDER = "samples/"
# A sample that unpacks to more bytes may be a zip bomb.
_LARGEST = 1 << 30
# The exceptions of zipfile for a damaged or unsupported file.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


def samples(stream: BinaryIO, options: ReadOptions) -> Iterator[tuple[str, Any]]:
    """Yield the name and the document of each sample of a log, in the order of the log. Raise InputError."""
    file = seekable(stream, options.source, "a piped log of Inspect", options.note)
    try:
        with zipfile.ZipFile(file) as archive:
            members = [info for info in archive.infolist() if info.filename.startswith(_FOLDER)]
            if not members:
                raise InputError(f"{options.source}: a zip file without a folder samples is not a log of Inspect")
            for info in members:
                if info.file_size > _LARGEST:
                    raise InputError(f"{options.source}: {info.filename} unpacks to more than {_LARGEST >> 30} GB")
                yield info.filename, parsed_json(archive.read(info), options, 1)
    except _BROKEN as error:
        raise InputError(f"{options.source}: not a complete log of Inspect: {error}") from None
