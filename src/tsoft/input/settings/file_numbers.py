"""The numbers of the sampling parameters that a file sets."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Numbers:
    """The parameters that a file sets, including those that are off, with the field of each, and sentences about how
    the numbers follow from the fields. `about_text` are those about the samplers that depend on the text."""

    values: Mapping[str, float]
    fields: Mapping[str, str]
    sentences: tuple[str, ...] = ()
    about_text: tuple[str, ...] = ()
