"""Commands that can compute many files into a folder."""

import functools
import os
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from tsoft.options.command import names_file
from tsoft.options.folder_options import FolderOptions


def into_folder(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command that computes each input file by itself if the output is a folder, and calls `function` if not.

    The parameters of `function` are bundles of options, one of which is FolderOptions.
    """

    @functools.wraps(function)
    def command(**bundles: Any) -> None:
        options_of = [(bundle, field) for bundle in bundles.values() for field in fields(bundle)]
        values = {field.name: getattr(bundle, field.name) for bundle, field in options_of}
        folder = next(filter(_is_folder, values["output"] or []), None)
        options = next(bundle for bundle in bundles.values() if isinstance(bundle, FolderOptions))
        if folder is None:
            _note_one_file(values["output"] or [], values[options.shards_field] or [])
            function(**bundles)
        else:
            from tsoft.options.folder_run import FolderRun

            files = frozenset(field.name for _, field in options_of if names_file(field))
            FolderRun(function.__module__, function.__name__, options, values, files, folder)()

    return command


def _is_folder(name: str) -> bool:
    return name.endswith(("/", os.sep)) or os.path.isdir(name)


def _note_one_file(outputs: list[str], inputs: list[str]) -> None:
    """Print a note if the results of several files go to one new file whose name may be meant as that of a folder."""
    new = next((name for name in outputs if not (os.path.splitext(name)[1] or os.path.exists(name))), None)
    are_several = len(inputs) > 1 or any(os.path.isdir(name) or "*" in name for name in inputs)
    if new and new != "-" and are_several:
        from tsoft.notes import note

        note(f"--output {new} is one file for all results; for a file each, pass -o {new}/")
