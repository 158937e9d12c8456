"""Hints at the option that an unknown one may mean: its name in other tools, a format, or an option of another
command."""

from typing import Any

from tsoft.errors import joined, nearest

_TARGETS = ("--top-prob", "--entropy", "--perplexity", "--margin", "--prob")
# Names in other tools, without their dashes. The hint is at those of the options that the command has.
_SYNONYMS = {
    "api-base": ("--endpoint",),
    "base-url": ("--endpoint",),
    "classes": ("--labels",),
    "count": ("-n", "--counts"),
    "cv": ("--folds",),
    "dask": ("--cluster",),
    "decimals": ("--digits",),
    "end": ("--to",),
    "engine": ("--like",),
    "label-column": ("--target-column",),
    "limit": ("--show", "--rows"),
    "m": ("--model",),
    "max-length": ("--max-tokens",),
    "max-new-tokens": ("--max-tokens",),
    "n-predict": ("--max-tokens",),
    "names": ("--labels",),
    "nucleus": ("--top-p",),
    "num": ("-n", "--steps"),
    "p": ("--prompt", "--top-p"),
    "points": ("--steps",),
    "precision": ("--digits",),
    "random-state": ("--seed",),
    "repeat-last-n": ("--penalty-last-n",),
    "repeat-penalty": ("--repetition-penalty",),
    "round": ("--digits",),
    "s": ("--seed",),
    "samples": ("-n", "--resamples"),
    "size": ("-n",),
    "start": ("--from",),
    "stop": ("--to",),
    "target": ("--target-column", "--targets", *_TARGETS),
    "workers": ("--jobs",),
}
# What to type in place of options that a command deliberately lacks, by the command and the option.
_FILES = "compare takes its files as arguments: tsoft compare FILE_A FILE_B"
_MEASURES = {"--measure": "entropy", **{option: option.removeprefix("--") for option in _TARGETS if option != "--prob"}}
_INSTEAD = {
    "compare": {"-i": _FILES, "--input": _FILES},
    "bandit": {"--tau": "for a constant temperature, pass --schedule constant --from 0.1"},
    "compute": {
        option: f"to print one measure, use tsoft sweep --measure {measure} --tau 0.5,1"
        for option, measure in _MEASURES.items()
    },
}
_VARIABLES = {"color": "FORCE_COLOR", "no-color": "NO_COLOR"}
# More commands with an option than this are not listed.
_MOST_COMMANDS = 3


def option_hint(name: str, context: Any) -> str:
    """Return a hint at what an option that a command does not have may mean; empty if there is none."""
    names = {option.lstrip("-"): option for param in context.command.params for option in _names(param)}
    typed = name.lstrip("-").replace("_", "-").lower()
    if typed in _VARIABLES:
        return f"; set the environment variable {_VARIABLES[typed]}=1"
    meant = [each for each in _SYNONYMS.get(typed, ()) if each.lstrip("-") in names]
    meant = meant or [names[each] for each in (typed, typed.removesuffix("s"), f"{typed}s") if each in names][:1]
    if typed in _formats(context.command):
        meant = [f"--format {typed}"]
    if meant:
        return f"; did you mean {joined(meant, 'or')}?"
    if (instead := _INSTEAD.get(context.command.name, {}).get(name)) is not None:
        return f"; {instead}"
    if commands := context.find_root().command.commands_with(name):
        others = commands if len(commands) <= _MOST_COMMANDS else [commands[0], "other commands"]
        return f"; it is an option of {joined(others)}"
    # Typing errors rarely change the first letter, and --rows is not --probs.
    longer = [each for each in names if each.startswith(typed) and len(typed) > 1]
    similar = longer[0] if longer else nearest(typed, [each for each in names if each[:1] == typed[:1]])
    return f"; did you mean {names[similar]}?" if similar and len(similar) > 1 else ""


def _names(param: Any) -> list[str]:
    return [name for name in (*param.opts, *param.secondary_opts) if name.startswith("-")]


def _formats(command: Any) -> tuple[str, ...]:
    """Return the values of --format; none if the command has no such option."""
    return next((tuple(param.type.choices) for param in command.params if "--format" in param.opts), ())
