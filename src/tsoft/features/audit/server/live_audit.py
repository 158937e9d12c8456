"""The audit of a live server: what it will send, the consent of the user, and the probes."""

import sys
from collections.abc import Callable, Mapping

from tsoft.errors import UsageError
from tsoft.features.audit.requested import Requested
from tsoft.features.audit.server.probe_client import ProbeClient
from tsoft.features.audit.server.probe_options import ProbeOptions
from tsoft.features.audit.server.probe_plan import ProbeBudget, probe_budget
from tsoft.features.audit.server.prober import ProbePlan, Prober
from tsoft.features.audit.server.probes import ServerProbes
from tsoft.features.audit.server.prompts import CHAT_PROMPTS, COMPLETION_PROMPTS
from tsoft.features.audit.server.request_settings import request_settings
from tsoft.notes import note


def probe_server(
    options: ProbeOptions,
    requested: Requested,
    typed: Mapping[str, float],
    seed: int,
    is_clear: Callable[[ServerProbes], bool],
) -> ServerProbes:
    """Send the probes of an audit to the server of the options, and return them with the answers.

    `typed` are the parameters of samplers that the user has set, which the requests have, also those that switch a
    sampler off. The seeds of the requests come from `seed`. `is_clear` returns whether the draws so far decide.

    Raise UsageError for wrong options, or if the user does not agree to the number of requests. Raise InputError if the
    server does not answer the first request; later, an error or Ctrl-C ends the run, and `ended` explains why.
    """
    if not options.endpoint:
        raise UsageError("--endpoint needs a URL")
    prompts, settings = _prompts(options), request_settings(requested, typed)
    client = ProbeClient(
        options.endpoint, options.remote_model, chat=options.chat, timeout=options.timeout, jobs=options.jobs
    )
    try:
        budget = probe_budget(prompts, options.requests, len(settings.values), chat=options.chat)
        _ask(budget, client.host, yes=options.yes)
        plan = ProbePlan(prompts, settings, options.requests, options.top_logprobs, seed)
        return Prober(client, plan, options.remote_model).run(is_clear)
    finally:
        client.close()


def _prompts(options: ProbeOptions) -> tuple[str, ...]:
    from tsoft.models.model import encoded_prompt

    if not options.prompt:
        return CHAT_PROMPTS if options.chat else COMPLETION_PROMPTS
    prompts = tuple(dict.fromkeys(options.prompt))
    for prompt in prompts:
        encoded_prompt(prompt)
        if not prompt:
            raise UsageError("--prompt: the prompt is empty; pass a text that the server can continue")
    return prompts


def _ask(budget: ProbeBudget, host: str, *, yes: bool) -> None:
    """Print what the audit sends, and ask for consent on a terminal. Raise UsageError without it."""
    text = (
        f"up to {budget.requests:,} requests to {host}, with about {budget.prompted:,} prompt tokens and"
        f" {budget.generated:,} generated tokens"
    )
    if yes:
        note(f"the audit sends {text}")
        return
    if sys.stdin is None or sys.stderr is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"the audit sends {text}; pass --yes to agree")
    import typer

    note(f"the audit sends {text}")
    if not typer.confirm("Send them?", err=True):
        raise UsageError("the audit did not start; pass --requests N for fewer draws")
