"""The numbers of the sampling parameters that a file sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Numbers:
    """The parameters that a file sets, including those that are off, with the field of each, and sentences about how
    the numbers follow from the fields. `about_text` are those about the samplers that depend on the text. `idle` are
    other parameters of such samplers that are off."""

    values: Mapping[str, float]
    fields: Mapping[str, str]
    sentences: tuple[str, ...] = ()
    about_text: tuple[str, ...] = ()
    idle: Mapping[str, float] = field(default_factory=dict)
