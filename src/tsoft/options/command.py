"""What Typer does not do by itself: negative numbers as arguments, and options shared by commands."""

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

# A token that would be a number, were it not for Typer's options: -1, -.5, -inf, -nan=3.
_NEGATIVE = re.compile(r" *-(?:\d|\.\d|(?:inf|infinity|nan)(?:[\s,;=]|$))", re.IGNORECASE)


def shield(token: str) -> str:
    """A blank before what starts like a negative number, so that it is not taken for options.

    >>> shield("-inf"), shield("-i"), shield(" -1")
    (' -inf', '-i', '  -1')
    """
    return f" {token}" if _NEGATIVE.match(token) else token


def unshield(value: Any) -> Any:
    """What was typed, of a value that `shield` may have changed.

    >>> unshield([" -inf", "2", "  -1"])
    ['-inf', '2', ' -1']
    """
    if isinstance(value, str):
        return value[1:] if value.startswith(" ") and _NEGATIVE.match(value) else value
    return [unshield(item) for item in value] if isinstance(value, list | tuple) else value


class LogitsCommand(TyperCommand):
    """A command whose arguments may be negative numbers, in any order with its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            rest = super().parse_args(ctx, [shield(arg) for arg in args])
        except typer.TyperException as error:
            error.message = re.sub(r"(?<=')( +-)", lambda blanks: blanks[0][1:], error.message)
            raise
        ctx.params = {name: unshield(value) for name, value in ctx.params.items()}
        return rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        for param in self.params:
            default = getattr(param, "show_default", None)
            if isinstance(default, str):
                # Typer would put the words in parentheses, as if they were not the default.
                param.help = rf"{param.help} [dim]\[default: {default}][/dim]"  # type: ignore[attr-defined]
                param.show_default = False  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def bundled(function: Callable[..., None]) -> Callable[..., None]:
    """`function` for Typer: a parameter whose type is a dataclass becomes the dataclass's fields,
    each an option, so that commands that share options name them once."""
    bundles = {p.name: p.annotation for p in inspect.signature(function).parameters.values()}

    def command(**values: Any) -> None:
        function(
            **{
                name: bundle(**{field.name: values[field.name] for field in dataclasses.fields(bundle)})
                for name, bundle in bundles.items()
            }
        )

    parameters = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.type)
        for bundle in bundles.values()
        for field in dataclasses.fields(bundle)
    ]
    command.__doc__ = function.__doc__
    command.__name__ = function.__name__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


def option_name(field: "dataclasses.Field[Any]") -> str:
    """The option that a bundle's field is, as a person types it."""
    info = field.type.__metadata__[0]  # type: ignore[union-attr]
    # In Annotated, the first of an option's names is in the place of its default.
    names = [name for name in (info.default, *(info.param_decls or ())) if str(name).startswith("--")]
    return names[0].split("/")[0] if names else "--" + field.name.replace("_", "-")


def in_panel(name: str) -> Callable[..., Any]:
    """What declares an option that --help lists in the panel of that name."""
    return functools.partial(typer.Option, rich_help_panel=name)
