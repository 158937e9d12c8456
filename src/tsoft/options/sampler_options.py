"""The options for samplers: their parameters, their order, and the engine whose rules they follow."""

from collections.abc import Callable
from math import inf
from typing import Annotated, Any

from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel
from tsoft.options.numbers import share
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, SamplerParameter

# The parameters of all samplers, by name.
PARAMETERS = {parameter.name: parameter for sampler in SAMPLERS.values() for parameter in sampler.parameters}

_option = in_panel("Samplers")


def _default(parameter: SamplerParameter) -> str | bool:
    """Return the default as help shows it; False if its text says what the default is."""
    return parameter.off is not None and ("all" if parameter.off == inf else f"{parameter.off:g}")


# One option per parameter, except for the temperature, which has separate options.
_OPTIONS = {
    parameter.name: Annotated[
        list[str] | None if parameter is BIAS else bool | None if parameter.is_flag else float | None,
        _option(
            parameter.option,
            metavar=parameter.metavar or None,
            parser=share if parameter.high == 1 and not parameter.is_flag else None,
            help=parameter.help,
            # A parameter that turns its sampler on has no default to show.
            show_default=parameter not in sampler.switch_parameters and _default(parameter),
        ),
    ]
    for sampler in SAMPLERS.values()
    for parameter in sampler.parameters
    if parameter is not TAU
}
_Parameters: Any = bundle(type("_Parameters", (), {"__annotations__": _OPTIONS, **dict.fromkeys(_OPTIONS)}))


@bundle
class ParameterOptions(_Parameters):  # type: ignore[misc]
    """The values of the sampler parameters, by name; None for a parameter that is not set."""


def _engines(incomplete: str) -> list[str]:
    from tsoft.sampling.engines import ENGINES

    return [name for name in ENGINES if name.startswith(incomplete)]


def _engines_or_all(incomplete: str) -> list[str]:
    return [*_engines(incomplete), *["all"] * "all".startswith(incomplete)]


def like_option(metavar: str, more: str = "", completion: Callable[[str], list[str]] = _engines_or_all) -> Any:
    """Return the option --like, with `more` at the end of its help. `completion` returns what TAB offers."""
    return _option(
        "--like",
        metavar=metavar,
        help="Use the order and rules of an engine: transformers, llama.cpp, vllm, sglang, mlx-lm, exllamav2,"
        " exllamav3, tabbyapi, ollama, koboldcpp or text-generation-webui; vllm@pytorch names a code path."
        f"{more}",
        autocompletion=completion,
    )


@bundle
class SamplerOptions:
    """The order of the samplers, the engine whose rules they follow, and a settings file."""

    samplers: Annotated[
        str | None,
        _option(
            "--samplers",
            metavar="NAME;…",
            show_default="that of transformers",
            help='Order of the samplers, such as "top_k;top_p;temperature".',
        ),
    ] = None
    like: Annotated[list[str] | None, like_option("ENGINE,…", " Several engines, or all, are compared.")] = None
    defaults: Annotated[
        bool,
        _option(
            "--defaults",
            help="With --like: add the engine's defaults for the settings that a request leaves out.",
        ),
    ] = False
    settings: Annotated[
        str | None,
        _option(
            "--settings",
            metavar="FILE",
            help="Read sampler settings from a generation_config.json, a preset, a request to a server, a Modelfile,"
            " a GGUF model, a llama.cpp response, YAML, a command, or a Dockerfile.",
        ),
    ] = None
    dry_sequence_breaker: Annotated[
        list[str] | None,
        _option(
            "--dry-sequence-breaker",
            metavar="TEXT",
            show_default='\\n, :, " and *',
            help="With --dry-multiplier: a repeated sequence does not reach back beyond a token with TEXT. Can be"
            " repeated; \\n is a line break, and none stands for no breaker.",
        ),
    ] = None


@bundle
class OneEngineOptions(SamplerOptions):
    """The options of a command that follows the rules of a single engine."""

    like: Annotated[list[str] | None, like_option("ENGINE", completion=_engines)] = None
