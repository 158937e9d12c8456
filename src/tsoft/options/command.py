"""Extensions of Typer: negative numbers as arguments, and options that commands share."""

import dataclasses
import functools
import inspect
import itertools
import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from tsoft.errors import ReaderGoneError, UsageError
from tsoft.options.numbers import read_strictly
from tsoft.options.temperatures import in_kelvin, logits_after, note_logits_after_tau

# An argument that Typer would take for an option: -1, -.5, -inf, -nan=3, -Infinity].
_NEGATIVE = re.compile(r" *-(?:\d|\.\d|(?:inf|infinity|nan)(?:[\s,;=\]}]|$))", re.IGNORECASE)


def shield(token: str) -> str:
    """Return the argument with a blank in front of a negative number, so that Typer does not take it for an option.

    >>> shield("-inf"), shield("-i"), shield(" -1")
    (' -inf', '-i', '  -1')
    """
    return f" {token}" if _NEGATIVE.match(token) else token


def unshield(value: Any) -> Any:
    """Return the value as it was typed, without the blanks that `shield` adds.

    >>> unshield([" -inf", "2", "  -1"])
    ['-inf', '2', ' -1']
    """
    if isinstance(value, str):
        return value[1:] if value.startswith(" ") and _NEGATIVE.match(value) else value
    return [unshield(item) for item in value] if isinstance(value, list | tuple) else value


_LAST_SECTIONS = ("Output", "Table and chart", "Samplers", "Figure", "Many files")


class PlainHelp:
    """The --help of a command in plain text, which needs no slow import."""

    help: str | None
    get_params: Callable[[Any], list[Any]]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        # The mark \b keeps the line breaks of a paragraph, such as those of examples.
        first, *rest = inspect.cleandoc(self.help or "").split("\n\n")
        formatter.write_paragraph()
        formatter.write_text("\n\n".join([first, *(f"\b\n{paragraph}" for paragraph in rest)]))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            default = "Arguments" if param.param_type_name == "argument" else "Options"
            if record := _help_record(param, ctx):
                sections.setdefault(param.rich_help_panel or default, []).append(record)
        # The sort keeps the order of the others.
        write_sections({name: sections[name] for name in sorted(sections, key=_place)}, formatter)


def _place(section: str) -> int:
    """Return the place of a section of --help: the last ones have the same order in all commands. What most users need
    is before the long list of samplers."""
    return _LAST_SECTIONS.index(section) if section in _LAST_SECTIONS else -1


def _help_record(param: Any, ctx: Any) -> tuple[str, str] | None:
    """Return the names of a parameter and its help; None for a hidden one."""
    default = getattr(param, "show_default", None)
    if isinstance(default, str):
        # Typer would put these words in parentheses.
        param.help, param.show_default = f"{param.help} [default: {default}]", False
    if record := param.get_help_record(ctx):
        names, text = record
        # Typer puts two spaces before the default and the range.
        return names, text.replace("  [", " [")
    return None


def write_sections(sections: dict[str, list[tuple[str, str]]], formatter: Any) -> None:
    """Write lists of names and their help, below the titles of their sections."""
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class LogitsCommand(PlainHelp, TyperCommand):
    """A command that takes negative numbers as arguments, before and after its options, and reads all numbers by the
    same rule."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for param in self.params:
            read_strictly(param)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        shielded = [shield(arg) for arg in args]
        try:
            rest = super().parse_args(ctx, list(shielded))
        except typer.TyperException as error:
            _restore_name(error, args)
            # Some messages are the value alone, others quote it.
            error.message = re.sub(r"(?<=')( +-)", lambda blanks: blanks[0][1:], unshield(error.message))
            # The parser's own errors lack the context, which names the command.
            error.ctx = getattr(error, "ctx", None) or ctx  # type: ignore[attr-defined]
            raise
        values = {name: unshield(value) for name, value in ctx.params.items()}
        if not ctx.resilient_parsing:
            values |= {param.name: _as_text(param, values[param.name]) for param in self.params if param.name in values}
        ctx.params = in_kelvin(values)
        if not ctx.resilient_parsing:
            note_logits_after_tau(args, ctx.params.get("logits"))
            if "logits" in ctx.params:
                self._note_logits_after_flags(ctx, args, shielded)
            self._note_repeated_options(ctx, shielded)
        return rest

    def _note_logits_after_flags(self, ctx: Any, args: list[str], shielded: list[str]) -> None:
        """Print a note if logits follow an option without a value, since they may be meant as its value. If none
        precede it, as in `compute --probs 0.2 0.8`, they are not."""
        from tsoft.input.fields import is_number

        flags = [param for param in self.params if getattr(param, "is_flag", False)]
        names = {name for flag in flags for name in (*flag.opts, *flag.secondary_opts)}
        for place, arg in enumerate(args):
            numbers = [*itertools.takewhile(is_number, args[place + 1 :])] if arg in names else []
            if numbers and self.make_parser(ctx).parse_args(shielded[:place])[0].get("logits"):
                from tsoft.notes import note

                note(f"{logits_after(arg, numbers)}, because {arg} takes no value")

    def _note_repeated_options(self, ctx: Any, args: list[str]) -> None:
        """Print a note for each option with one value that occurs several times."""
        if sum(arg.startswith("-") for arg in args) < 2:
            return  # most commands, whose arguments need not be parsed again
        *_, order = self.make_parser(ctx).parse_args(list(args))
        single = [param for param in order if param.param_type_name == "option" and not param.multiple]
        for param, count in Counter(single).items():
            if count > 1 and not getattr(param, "is_flag", False):
                from tsoft.notes import note

                option = next(name for name in param.opts if name.startswith("--"))
                note(f"{option} occurs {count} times; tsoft uses only the last one")


def _as_text(param: Any, value: Any) -> Any:
    """Return the value of an option or an argument, read as UTF-8 whatever the locale. The name of a file may be any
    bytes. Raise UsageError for other values that are not UTF-8."""
    if isinstance(value, list | tuple):
        return [_as_text(param, item) for item in value]
    if not isinstance(value, str) or value.isascii() or _is_file_name(param, value):
        return value
    data = os.fsencode(value)
    try:
        return data.decode()
    except UnicodeDecodeError:
        name = next((option for option in param.opts if option.startswith("--")), "the argument")
        shown = data.decode(errors="backslashreplace")
        raise UsageError(f"{name}: '{shown}' is not UTF-8 text; type it in UTF-8") from None


def _is_file_name(param: Any, value: str) -> bool:
    if param.name == "logits":
        # explore opens a file that it has saved.
        return value.lower().endswith(".tsoft")
    metavar = param.metavar or ""
    return value.startswith("@") if "@FILE" in metavar else "FILE" in metavar or param.name == "files"


def _restore_name(error: Any, args: list[str]) -> None:
    """Let an error about an option show its name as typed, which may have underscores for hyphens."""
    name = getattr(error, "option_name", None)
    typed = (arg.partition("=")[0] for arg in args)
    if name is not None:
        error.option_name = next((word for word in typed if word.replace("_", "-") == name), name)


def bundled(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command for Typer that calls `function`.

    Each parameter of `function` is a dataclass whose fields are options, so that commands can share groups of options.
    """
    bundles = {p.name: p.annotation for p in inspect.signature(function).parameters.values()}

    def command(**values: Any) -> None:
        call = functools.partial(
            function,
            **{
                name: bundle(**{field.name: values[field.name] for field in dataclasses.fields(bundle)})
                for name, bundle in bundles.items()
            },
        )
        if "output" in values:
            _with_files_together(call)
        else:
            call()

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


def _with_files_together(call: Callable[[], None]) -> None:
    """Call a command whose output files appear together when it ends, also with an exit code that is an answer."""
    from tsoft.output.file import files_together

    ending = None
    with files_together():
        try:
            call()
        except (typer.Exit, ReaderGoneError) as error:
            ending = error
    if ending is not None:
        raise ending


def option_name(field: "dataclasses.Field[Any]", value: Any = None) -> str:
    """Return the option that sets a bundle's field, as typed: for an on/off option, the name that sets `value`."""
    info = field.type.__metadata__[0]  # type: ignore[union-attr]
    # In Annotated, Typer keeps an option's first name in the place of its default.
    names = [name for name in (info.default, *(info.param_decls or ())) if str(name).startswith("--")]
    if not names:
        return "--" + field.name.replace("_", "-")
    on, _, off = str(names[0]).partition("/")
    return off if off and value is False else on


def names_file(field: "dataclasses.Field[Any]") -> bool:
    """Return whether the option of a bundle's field names a file, as its metavar says."""
    return "FILE" in (field.type.__metadata__[0].metavar or "")  # type: ignore[union-attr]


def in_panel(name: str) -> Callable[..., Any]:
    """Return a function that declares options in this panel of --help."""
    return functools.partial(typer.Option, rich_help_panel=name)
