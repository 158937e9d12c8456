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
        if folder is None:
            function(**bundles)
        else:
            from tsoft.options.folder_run import FolderRun

            options = next(bundle for bundle in bundles.values() if isinstance(bundle, FolderOptions))
            files = frozenset(field.name for _, field in options_of if names_file(field))
            FolderRun(function.__module__, function.__name__, options, values, files, folder)()

    return command


def _is_folder(name: str) -> bool:
    return name.endswith(("/", os.sep)) or os.path.isdir(name)
