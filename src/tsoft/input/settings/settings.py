"""The sampling settings in a file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SettingsSource:
    """Where settings come from. `kind` is the kind of file, in words for a note. `engine` is None if the file does not
    determine the engine. `path` is the object with the settings; empty for the outermost one."""

    file: str
    kind: str
    engine: str | None = None
    path: str = ""

    @property
    def where(self) -> str:
        """The file and the path, for the start of a message about a field."""
        return f"{self.file}: {self.path}" if self.path else self.file


@dataclass(frozen=True)
class Settings:
    """The settings in a file, without parameters that are off. Their ranges are not checked."""

    origin: SettingsSource
    # The parameters and their numbers, in the file's order, then the engine's defaults. A range of all tokens is inf,
    # since an engine may have another default.
    values: tuple[tuple[str, float], ...]
    # Each parameter that the file sets, and the field that sets it.
    fields: tuple[tuple[str, str], ...] = ()
    # The parameters whose numbers are the engine's defaults.
    defaults: tuple[str, ...] = ()
    # Each token's id or text, and the bias added to its logit; -inf bans the token.
    biases: tuple[tuple[int | str, float], ...] = ()
    # Parameters of samplers that are off in the file. They apply if the command line switches the sampler on.
    idle: tuple[tuple[str, float], ...] = ()
    # The texts at which DRY ends a repeated sequence.
    breakers: tuple[str, ...] | None = None
    # The samplers in the file's order, without those that tsoft does not have.
    samplers: tuple[str, ...] | None = None
    # Sentences about settings that tsoft cannot apply, or that the engine would not apply.
    unused: tuple[str, ...] = ()
    # Sentences about defaults that the engine would apply.
    hidden: tuple[str, ...] = ()

    def name(self, parameter: str) -> str:
        """Return the file's name for a parameter.

        >>> Settings(SettingsSource("f", "settings"), (("tau", 0.5),), fields=(("tau", "temp"),)).name("tau")
        'temp'
        """
        return dict(self.fields).get(parameter, "temperature" if parameter == "tau" else parameter)
