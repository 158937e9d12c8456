"""The options for the audit of a live server."""

from typing import Annotated

from tsoft.options.bundle import bundle
from tsoft.options.command import in_panel

_option = in_panel("Server")


@bundle
class ProbeOptions:
    """The server to audit, and what to send."""

    endpoint: Annotated[
        str | None,
        _option(
            metavar="URL",
            help="Audit a server with OpenAI's API, such as http://localhost:8080/v1. The API key is in"
            " OPENAI_API_KEY.",
        ),
    ] = None
    remote_model: Annotated[
        str | None, _option(metavar="NAME", show_default="chosen by the server", help="Name of the model.")
    ] = None
    chat: Annotated[bool, _option("--chat", help="Send the prompts as messages of a user.")] = False
    prompt: Annotated[
        list[str] | None,
        _option(
            metavar="TEXT",
            show_default="five short texts with an uncertain next token",
            help="Draw the token after this text. Can be repeated.",
        ),
    ] = None
    requests: Annotated[
        int,
        _option(min=1, max=1_000_000, metavar="N", help="Maximum number of draws with the settings to audit."),
    ] = 400
    top_logprobs: Annotated[
        int | None,
        _option(
            min=1,
            metavar="N",
            show_default="up to 1000, as many as the server has",
            help="Number of alternatives to request per token.",
        ),
    ] = None
    jobs: Annotated[int, _option(min=1, max=64, metavar="N", help="Maximum number of simultaneous requests.")] = 4
    timeout: Annotated[float, _option(min=0.1, metavar="SECONDS", help="Maximum time to wait for an answer.")] = 60.0
    yes: Annotated[bool, _option("--yes", help="Send the requests without asking first.")] = False
