"""The options that select a language model, and the prompt."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tsoft.errors import UsageError, exclusive
from tsoft.input.source import STDIN, open_input, stdin_conflict
from tsoft.input.utf8 import decode_text
from tsoft.notes import note
from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel

if TYPE_CHECKING:
    from tsoft.models.model import Model
    from tsoft.models.text_history import TextHistory
    from tsoft.options.plan import Plan

_option = in_panel("Model")
# No model has a context of as many tokens.
_MAX_PROMPT_BYTES = 1 << 24


@bundle
class PromptArgument:
    """The prompt, as an argument or as an option."""

    prompt: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROMPT]",
            show_default=False,
            help="Text to continue, in quotes. Without it, or with -, tsoft reads stdin.",
        ),
    ] = None
    prompt_option: Annotated[
        str | None, _option("--prompt", metavar="TEXT", help="Text to continue, in place of the argument.")
    ] = None

    @property
    def typed(self) -> list[str] | None:
        """The arguments, or the value of --prompt. Raise UsageError if both were typed."""
        if self.prompt_option is None:
            return self.prompt
        if self.prompt:
            raise UsageError("the prompt was passed twice, as an argument and with --prompt; remove one of them")
        return [self.prompt_option]


def top_logprobs_option(help: str) -> Any:
    """Return the option --top-logprobs, with this help."""
    return _option("--top-logprobs", min=1, metavar="N", help=help)


@bundle
class ModelOptions:
    """The model: a file of weights, a server, or an n-gram model of a text."""

    model: Annotated[
        str | None,
        _option(
            metavar="FILE.gguf",
            show_default="SmolLM2-135M-Instruct, which the extra llm installs",
            help="Run a GGUF model file with llama.cpp.",
        ),
    ] = None
    endpoint: Annotated[
        str | None,
        _option(
            metavar="URL",
            help="Use a server with OpenAI's API, such as http://localhost:8080/v1. The API key is in OPENAI_API_KEY.",
        ),
    ] = None
    remote_model: Annotated[
        str | None,
        _option(metavar="NAME", show_default="chosen by the server", help="With --endpoint: name of the model."),
    ] = None
    ngram: Annotated[
        str | None,
        _option(metavar="FILE", help="Build an n-gram model from a text file; - is stdin."),
    ] = None
    by: Annotated[
        Literal["word", "char"],
        _option(metavar="UNIT", help="With --ngram: whether tokens are words (word) or characters (char)."),
    ] = "word"
    order: Annotated[
        int | None,
        _option(
            min=1,
            max=20,
            metavar="N",
            show_default="3 for words, 8 for characters",
            help="With --ngram: the n of the n-grams, in tokens.",
        ),
    ] = None
    chat: Annotated[
        bool, _option("--chat", help="Send the prompt as the message of a user, and let the model answer it.")
    ] = False
    top_logprobs: Annotated[
        int, top_logprobs_option("With --endpoint: number of alternatives to request per token.")
    ] = 20
    timeout: Annotated[
        float,
        _option(
            min=0.1, metavar="SECONDS", show_default="60", help="With --endpoint: maximum time to wait for an answer."
        ),
    ] = 60.0
    threads: Annotated[
        int | None,
        _option(
            min=1, max=1024, metavar="N", show_default="one per core", help="With a model file: number of threads."
        ),
    ] = None


def open_model(options: ModelOptions, shared: Sequence[str] = ()) -> "Model":
    """Return the model that the options select.

    `shared` names the options that have an effect on every kind of model in this command. Raise UsageError if the
    options select several models, or if an option belongs to another kind of model.
    """
    kinds = [name for name in ("model", "endpoint", "ngram") if getattr(options, name) is not None]
    if len(kinds) > 1:
        raise UsageError(exclusive(*(f"--{kind}" for kind in kinds)))
    kind = kinds[0] if kinds else "model"
    _check_kind(options, kind, shared, is_chosen=bool(kinds))
    if kinds and getattr(options, kind) == "":
        raise UsageError(f"--{kind} needs a {'URL' if kind == 'endpoint' else 'file name'}")
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


# The options that work with one kind of model only.
_OPTIONS_BY_KIND = {
    "ngram": ("by", "order"),
    "endpoint": ("remote_model", "top_logprobs", "timeout"),
    "model": ("threads",),
}
_METAVARS = {"ngram": "FILE", "endpoint": "URL", "model": "FILE.gguf"}


def _check_kind(options: ModelOptions, kind: str, shared: Sequence[str], *, is_chosen: bool) -> None:
    for owning_kind, names in _OPTIONS_BY_KIND.items():
        for name in names:
            if owning_kind != kind and name not in shared and getattr(options, name) != getattr(ModelOptions(), name):
                option = f"--{name.replace('_', '-')}"
                fix = f"remove {option}" if is_chosen else f"add --{owning_kind} {_METAVARS[owning_kind]}"
                raise UsageError(f"{option} has no effect without --{owning_kind}; {fix}")
    if kind == "ngram" and options.chat:
        raise UsageError("--chat needs a chat model, and an n-gram model is not one; remove --chat")


def read_prompt(prompt: list[str] | None, options: ModelOptions, taus: list[str] | None = None) -> str:
    """Return the prompt argument or, if it is missing or `-`, the text on stdin without its last line break.

    Raise UsageError if the temperatures or the text of the model come from stdin, too.
    """
    from tsoft.options.temperatures import pieces

    readers = ["--tau -"] * ("-" in pieces(taus)) + ["--ngram -"] * (options.ngram == "-")
    if len(readers) > 1:
        raise UsageError(stdin_conflict(readers))
    if prompt and len(prompt) > 1:
        raise UsageError(f'the prompt must be one argument; put it in quotes: "{" ".join(prompt)[:60]}"')
    if prompt and prompt != ["-"]:
        return _with_note(prompt[0], options)
    if readers:
        raise UsageError(f"{readers[0]} reads stdin; pass the prompt as an argument")
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError('no prompt; pass it in quotes ("The capital of France is") or in a pipe')
    from tsoft.input.limits import read_limited

    with open_input("-") as stream:
        data = read_limited(stream, _MAX_PROMPT_BYTES, STDIN, "prompt")
    text = decode_text(data, STDIN, allows_nul=True)
    return _with_note(text.removesuffix("\n").removesuffix("\r"), options)


def _with_note(text: str, options: ModelOptions) -> str:
    """Return the prompt. Print a note if it ends with a space."""
    if text.endswith(" ") and text.strip() and options.ngram is None and not options.chat:
        from tsoft.notes import note

        note("the prompt ends with a space, but most tokens start with one; the model continues better without it")
    return text


def text_history(model: "Model", prompt_length: int, plan: "Plan") -> "TextHistory":
    """Return the tokens before each distribution of a text, and print a note if those of the prompt are unknown."""
    from tsoft.models.text_history import TextHistory

    if plan.needs_history and not model.has_prompt_tokens:
        note("the server does not return the tokens of the prompt, so the penalties and DRY ignore the prompt")
    return TextHistory(model, prompt_length, plan.breakers)
