"""The numbers of the sampling parameters that a file sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tsoft.input.settings.file_kinds import REPLACEMENTS, FileKind


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


def limited(kind: FileKind, numbers: Numbers) -> Numbers:
    """Return the numbers as the program limits them."""
    values = dict(numbers.values)
    sentences = list(numbers.sentences)
    for parameter, (lowest, highest) in kind.rules.limits.items():
        value = values.get(parameter, lowest)
        if lowest <= value <= highest:
            continue
        values[parameter] = REPLACEMENTS.get(parameter, min(max(value, lowest), highest))
        name = numbers.fields[parameter]
        sentences.append(f"{name} {value:g} is taken as {values[parameter]:g}, as {kind.program} does")
    return replace(numbers, values=values, sentences=tuple(sentences))
