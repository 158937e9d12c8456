"""A step of a chain: a sampler with its settings; and the error if it removes every class."""

from typing import Any

from tsoft.frozen import frozen
from tsoft.sampling.history import History
from tsoft.sampling.sampler_table import BIAS, Sampler, SamplerParameter


@frozen
class Step:
    """A sampler and the values of its parameters. A sampler that needs it has the `history`."""

    sampler: Sampler
    values: tuple[Any, ...]
    history: History | None = None

    @property
    def settings(self) -> list[tuple[SamplerParameter, Any]]:
        """The parameters with their values, without a temperature that is not set yet."""
        parameters = self.sampler.parameters
        return list(zip(parameters[len(parameters) - len(self.values) :], self.values, strict=True))

    @property
    def names(self) -> set[str]:
        """The names of the sampler and of its parameters that have a value other than 0."""
        return {self.sampler.name, *(parameter.name for parameter, value in self.settings if value)}

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the sampler's function after the logits."""
        first_is_argument = not (self.sampler.at_random or any(each.is_flag for each in self.sampler.parameters[:1]))
        history = (self.history,) if self.sampler.needs_history else ()
        return (*history, *(self.values if first_is_argument else self.values[1:]))

    @property
    def raw_settings(self) -> list[SamplerParameter]:
        """The parameters whose effect changes with a constant that is added to all logits."""
        return [each for each, value in self.settings if each.needs_raw_logits and value != each.off]

    def __str__(self) -> str:
        """Return the sampler and its values as text, without parameters after the first that are off.

        >>> from tsoft.sampling.sampler_table import SAMPLERS
        >>> str(Step(SAMPLERS["top_k"], (40,))), str(Step(SAMPLERS["temperature"], (1.0, 0.5, 1.0)))
        ('top_k 40', 'temperature 1 dynatemp_range 0.5')
        """
        words = [self.sampler.name]
        for parameter, value in self.settings:
            if parameter.is_flag:
                continue
            if parameter is BIAS:
                words.append(f"of {len(value)} class{'es' * (len(value) != 1)}")
            elif parameter is self.sampler.parameters[0] and self.sampler.switches == 1:
                words.append(f"{value:g}")
            elif value != parameter.off or self.sampler.at_random:
                words.append(f"{parameter.name} {value:g}")
        return " ".join(words)


class ChainError(ValueError):
    """A chain cannot be applied to a row. `row` counts from 0 over all leading axes; `problem` is a sentence about it,
    and `fix` what the user who typed the settings can do."""

    def __init__(self, row: int, problem: str, fix: str):
        super().__init__(problem)
        self.row, self.problem, self.fix = row, problem, fix

    def __str__(self) -> str:
        return f"row {self.row}: {self.problem}"

    @property
    def with_fix(self) -> str:
        return f"{self}; {self.fix}"


class AllRemovedError(ChainError):
    """A sampler removes every class of a row."""

    def __init__(self, row: int, step: str, classes: str = "class"):
        super().__init__(row, f"{step} removes every {classes}", "use a less strict setting")
        self.step = step


class RawLogitsError(ChainError):
    """A step needs the raw logits, but they are known only up to a constant."""

    def __init__(self, row: int, step: Step, reason: str, fix: str):
        super().__init__(row, f"{step} needs the raw logits, but {reason}", fix)


class PartialDistributionError(ChainError):
    """A step cannot be applied to a distribution of which a response lists only a part."""

    def __init__(self, row: int, problem: str):
        super().__init__(row, problem, "remove the sampler, or pass the logits of the whole vocabulary")
