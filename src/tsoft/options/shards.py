"""Files that are each computed by themselves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """A file to compute, and the name of the file for its result in the folder."""

    file: str
    output: str
