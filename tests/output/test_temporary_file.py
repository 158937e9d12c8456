"""Temporary files, which a run locks until it has renamed them. tests/test_errors.py kills runs."""

import os
from pathlib import Path

import pytest

from tsoft.output.temporary_file import temporary_file

pytest.importorskip("fcntl")


def test_a_closed_file_is_locked_until_the_end(tmp_path: Path) -> None:
    """It must not be removed between its last write and its new name."""
    path = str(tmp_path / "out")
    with temporary_file(path) as (descriptor, name):
        os.close(descriptor)
        with temporary_file(path) as (other, other_name):
            os.close(other)
            assert sorted(os.listdir(tmp_path)) == sorted(map(os.path.basename, (name, other_name)))
    with temporary_file(path) as (descriptor, name):
        os.close(descriptor)
        assert os.listdir(tmp_path) == [os.path.basename(name)]


def test_files_of_other_names_and_links_stay(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    for name in (".out.x.abcdefgh.tsoft.tmp", ".out.abcdefgh.tmp", "out.abcdefgh.tsoft.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".out.abcdefgh.tsoft.tmp").symlink_to("precious")
    before = set(os.listdir(tmp_path))
    with temporary_file(str(tmp_path / "out")) as (descriptor, name):
        os.close(descriptor)
        assert set(os.listdir(tmp_path)) == {*before, os.path.basename(name)}
