"""A step of a chain: a sampler with its settings; and the error if it removes every class."""

from dataclasses import dataclass
from typing import Any

from tsoft.sampling.sampler_table import BIAS, Sampler, SamplerParameter


@dataclass(frozen=True)
class Step:
    """A sampler and the values of its parameters."""

    sampler: Sampler
    values: tuple[Any, ...]

    @property
    def settings(self) -> list[tuple[SamplerParameter, Any]]:
        """The parameters with their values, without a temperature that is not set yet."""
        parameters = self.sampler.parameters
        return list(zip(parameters[len(parameters) - len(self.values) :], self.values, strict=True))

    def __str__(self) -> str:
        """Return the sampler and its values as text, without parameters after the first that are off.

        >>> from tsoft.sampling.sampler_table import SAMPLERS
        >>> str(Step(SAMPLERS["top_k"], (40,))), str(Step(SAMPLERS["temperature"], (1.0, 0.5, 1.0)))
        ('top_k 40', 'temperature 1 dynatemp_range 0.5')
        """
        words = [self.sampler.name]
        for parameter, value in self.settings:
            if parameter is BIAS:
                words.append(f"of {len(value)} class{'es' * (len(value) != 1)}")
            elif parameter is self.sampler.parameters[0]:
                words.append(f"{value:g}")
            elif value != parameter.off or self.sampler.by_chance:
                words.append(f"{parameter.name} {value:g}")
        return " ".join(words)


class AllRemovedError(ValueError):
    """A sampler removes every class of a row. `row` counts from 0 over all leading axes."""

    def __init__(self, row: int, step: str):
        super().__init__(f"row {row}: {step} removes every class")
        self.row, self.step = row, step

    @property
    def with_fix(self) -> str:
        """The message for a user who typed the settings."""
        return f"{self}; use a less strict setting"
