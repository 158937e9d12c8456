"""The options that select a language model, and its prompt."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tsoft.errors import InputError, UsageError
from tsoft.input.source import STDIN, open_input
from tsoft.options.command import in_panel

if TYPE_CHECKING:
    from tsoft.models.model import Model

_option = in_panel("Model")


@dataclass(frozen=True)
class PromptArgument:
    """The prompt of a model."""

    prompt: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROMPT]",
            show_default=False,
            help="The text so far, in quotes. Without any, or for -, stdin is read.",
        ),
    ] = None


@dataclass(frozen=True, eq=False, repr=False)
class ModelOptions:
    """The model: a file of weights, a server, or the n-grams of a text."""

    model: Annotated[
        str | None,
        _option(
            metavar="FILE.gguf",
            help="A model's weights; by default those of SmolLM2-135M-Instruct, which the extra llm brings.",
        ),
    ] = None
    endpoint: Annotated[
        str | None,
        _option(
            metavar="URL",
            help="A server with OpenAI's API, as http://localhost:8080/v1; its key is read from OPENAI_API_KEY.",
        ),
    ] = None
    remote_model: Annotated[str | None, _option(metavar="NAME", help="Which of the server's models.")] = None
    ngram: Annotated[
        str | None,
        _option(metavar="FILE", help="An n-gram model of a text (- is stdin), for which nothing has to be installed."),
    ] = None
    by: Annotated[Literal["word", "char"], _option(metavar="UNIT", help="--ngram: a token is a word, or a char.")] = (
        "word"
    )
    order: Annotated[
        int | None,
        _option(
            min=1, max=20, metavar="N", help="--ngram: how many tokens an n-gram has, by default 3 words or 8 chars."
        ),
    ] = None
    chat: Annotated[bool, _option("--chat", help="The prompt is a user's message, which the model answers.")] = False
    top_logprobs: Annotated[
        int,
        _option(
            min=1, metavar="N", help="Alternatives of each token: asked of a server, and written to a text's json."
        ),
    ] = 20
    timeout: Annotated[float, _option(min=0.1, metavar="SECONDS", help="How long a server may take to answer.")] = 60.0
    threads: Annotated[
        int | None, _option(min=1, max=1024, metavar="N", help="--model: threads at work, by default one a core.")
    ] = None


def open_model(options: ModelOptions) -> "Model":
    """The model that the options select. Raises UsageError if they select several, or if an option belongs to another
    kind of model."""
    kinds = [name for name in ("model", "endpoint", "ngram") if getattr(options, name) is not None]
    if len(kinds) > 1:
        raise UsageError(f"{' and '.join('--' + kind for kind in kinds)}: which model is it?")
    kind = kinds[0] if kinds else "model"
    _check_kind(options, kind)
    if kind == "ngram":
        from tsoft.models.ngram import Ngram

        return Ngram.of_file(str(options.ngram), options.by, options.order)
    if kind == "endpoint":
        from tsoft.models.endpoint import Endpoint

        return Endpoint(
            str(options.endpoint),
            options.remote_model,
            chat=options.chat,
            alternatives=options.top_logprobs,
            timeout=options.timeout,
        )
    from tsoft.models.llama import Llama

    return Llama(options.model, chat=options.chat, threads=options.threads)


# The options of one kind of model only.
_OPTIONS_BY_KIND = {"ngram": ("by", "order"), "endpoint": ("remote_model", "timeout"), "model": ("threads",)}


def _check_kind(options: ModelOptions, kind: str) -> None:
    for owner, names in _OPTIONS_BY_KIND.items():
        for name in names:
            if owner != kind and getattr(options, name) != getattr(ModelOptions(), name):
                raise UsageError(f"--{name.replace('_', '-')} is for --{owner}")
    if kind == "ngram" and options.chat:
        raise UsageError("--chat is for a model that was made to answer, which --ngram is not")


def read_prompt(prompt: list[str] | None, options: ModelOptions, taus: list[str] | None = None) -> str:
    """The prompt argument, or stdin if there is none or it is `-`, without its last line break. Raises UsageError if
    the temperatures or the text of the model are read from stdin, too."""
    from tsoft.options.temperatures import pieces

    readers = ["--tau -"] * ("-" in pieces(taus)) + ["--ngram -"] * (options.ngram == "-")
    if len(readers) > 1:
        raise UsageError(f"{' and '.join(readers)}: stdin is there once")
    if prompt and len(prompt) > 1:
        raise UsageError(f'the prompt is one argument, in quotes: "{" ".join(prompt)[:60]}"')
    if prompt and prompt != ["-"]:
        from tsoft.input.arguments import decode

        return _with_note(decode(prompt[0], "the prompt"), options)
    if readers:
        raise UsageError(f"{readers[0]} reads stdin, so the prompt is typed")
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError('no prompt: type it in quotes ("The capital of France is"), or pipe it in')
    with open_input("-") as bytes_:
        data = bytes_.read()
    try:
        return _with_note(data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r"), options)
    except UnicodeDecodeError as error:
        raise InputError(f"{STDIN}: byte {error.start}: the prompt is not UTF-8 text") from None


def _with_note(text: str, options: ModelOptions) -> str:
    """The prompt. Notes a blank at its end, after which few tokens are likely."""
    if text.endswith(" ") and text.strip() and options.ngram is None and not options.chat:
        from tsoft.notes import note

        note("the prompt ends in a blank: most tokens begin with their own, so that few of them go on from here")
    return text
