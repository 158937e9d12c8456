"""gzip files, and text in UTF-16 and UTF-32."""

import gzip
import io
import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest

from array_files import Pipe, saved
from tool import here, in_turns, out
from tsoft.errors import InputError
from tsoft.input import unpacked
from tsoft.input.unpacked import unpacked as unpack

TEXT = "".join(f"{i} {-i / 7}\n" for i in range(5000))


def content(data: bytes) -> bytes:
    """Return the content of data that arrive in small pieces."""
    return unpack(io.BufferedReader(Pipe(data)), "f").read()


def problem(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        content(data)
    return str(caught.value)


def test_gzip_files_of_all_kinds_are_unpacked() -> None:
    """Python's gzip module writes them: one member, several, an empty one, and zeros at the end, as tapes have."""
    text = TEXT.encode()
    packed = gzip.compress(text)
    for data, expected in {
        packed: text,
        gzip.compress(text[:999]) + gzip.compress(b"") + gzip.compress(text[999:]): text,
        packed + bytes(5000): text,
        packed + bytes(3) + packed: text + text,
        gzip.compress(b""): b"",
    }.items():
        assert content(data) == expected


def test_a_truncated_gzip_file_is_an_error_at_every_length() -> None:
    packed = gzip.compress(TEXT.encode()[:3000])
    for length in [*range(4, 200), *range(200, len(packed), 97), len(packed) - 1]:
        assert problem(packed[:length]) == "f: the gzip file is cut off; copy it again"


def test_a_damaged_gzip_file_is_an_error() -> None:
    packed = gzip.compress(TEXT.encode())
    wrong_sum = packed[:-8] + bytes(4) + packed[-4:]
    for data in (wrong_sum, packed + b"more", packed[:50] + b"\xff" * 50 + packed[100:]):
        assert problem(data).startswith("f: the gzip file is damaged (")


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "SMALL_FILE", 1 << 18)
    bomb = gzip.compress(bytes(1 << 21))
    stream = unpack(io.BufferedReader(io.BytesIO(bomb)), "f")
    with pytest.raises(InputError, match="like a zip bomb; if you trust the file, unpack it with gunzip"):
        stream.read(1 << 20)
    # Text of numbers is packed less than this.
    assert content(gzip.compress(TEXT.encode() * 4)) == TEXT.encode() * 4


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-32-be"])
def test_text_in_another_encoding_is_utf_8(encoding: str) -> None:
    mark = "" if encoding in ("utf-16", "utf-32") else "\ufeff"
    text = f"é 😀 \n{TEXT[:20_000]}"
    data = f"{mark}{text}".encode(encoding)
    assert content(data).decode() == text
    assert content(gzip.compress(data)).decode() == text
    assert problem(data[:-1]) == f"f: not {encoding[:6].upper()} text (truncated data); save it as UTF-8"


@pytest.mark.parametrize("text", ['{"choices": []}', "[2,\n1]", "{\n}"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_json_in_utf_16_without_a_mark_is_named(encoding: str, text: str) -> None:
    for form in ("json", "jsonl"):
        done = here("compute", "--input-format", form, stdin=text.encode(encoding))
        assert done.returncode == 1
        assert "if it is UTF-16, convert it with iconv -f UTF-16 -t UTF-8" in done.stderr


def test_a_lone_surrogate_is_an_error() -> None:
    assert problem(b"\xff\xfe1\0\0\xd81\0").startswith("f: not UTF-16 text (illegal")


@pytest.mark.parametrize("data", [b"", b"\x1f", b"\xff", b"1", b"\0\0\xfe", b"2 1\n"])
def test_other_data_is_unchanged(data: bytes) -> None:
    assert content(data) == data


def test_every_text_may_be_packed_or_in_utf_16(tmp_path: Path) -> None:
    """Tables, JSON, labels and targets, and by name, too."""
    expected = out("compute", "cat=2", "dog=1", "--format", "json")
    for name, text in {"a.csv": "cat,dog\n2,1\n", "a.json": '{"cat": 2, "dog": 1}', "a": "cat=2 dog=1\n"}.items():
        for data in (gzip.compress(text.encode()), text.encode("utf-16"), gzip.compress(text.encode("utf-16"))):
            assert out("compute", "--format", "json", stdin=data) == expected
            path = tmp_path / (f"{name}.gz" if data.startswith(b"\x1f\x8b") else name)
            path.write_bytes(data)
            assert out("compute", "-i", str(path), "--format", "json") == expected
    labels = tmp_path / "labels.txt"
    labels.write_bytes("cat\r\ndog\r\n".encode("utf-16"))
    assert out("compute", "2", "1", "--labels", f"@{labels}", "--format", "json") == expected
    targets = tmp_path / "targets.txt.gz"
    targets.write_bytes(gzip.compress(b"target\n0\n0\n1\n"))
    logits = "2 0\n2 0\n2 0\n"
    done = here("calibrate", "--targets", str(targets), "--format", "json", stdin=logits)
    # Two of three targets are the first class: 2 / τ = ln 2.
    assert json.loads(done.stdout)[0]["tau"] == pytest.approx(2 / np.log(2))


def test_arrays_may_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "a.npy.gz"
    path.write_bytes(gzip.compress(saved(np.array([[2.0, 1.0]]))))
    assert out("compute", "-i", str(path)) == out("compute", "2", "1")


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_packed_lines_are_read_as_they_arrive() -> None:
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(b"2 1\n") + packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(2)]
    turns = [*((piece, b"0.731\t0.269\n") for piece in packed), (packer.flush(), b"")]
    assert in_turns("compute", "--digits", "3", turns=turns) == (0, b"")
