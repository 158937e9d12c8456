"""`tsoft next`: what a language model says of the token after a prompt."""

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from tsoft.options.command import bundled
from tsoft.options.groups import (
    DisplayOptions,
    DistributionOptions,
    ParameterOptions,
    SamplerOptions,
    TemperatureOptions,
)
from tsoft.options.models import ModelOptions, PromptArgument

if TYPE_CHECKING:
    from tsoft.models.tokens import NextDistribution


@bundled
def next(
    prompt: PromptArgument,
    model: ModelOptions,
    temperatures: TemperatureOptions,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    output: DistributionOptions,
    look: DisplayOptions,
) -> None:
    """Ask a language model for the next token's logits.

    A terminal gets the table of tsoft compute, at any temperatures and with
    any samplers; a pipe gets the logits and the tokens as one json record,
    which every command takes, and a file what its name says.

    tsoft next "The capital of France is" --tau 0.5,1,2
    tsoft next "The capital of France is" | tsoft compute --tau 0.7 --top-p 0.9 --show 10
    tsoft next "Once upon a time" -o next.npz
    tsoft next "the cat sat on" --ngram book.txt
    """
    from tsoft.options import models, results

    results.refuse("next", long=output.long, with_logits=output.with_logits)
    name = _format(output)
    if name != "table":
        _refuse(name, temperatures, parameters, rules, output)
    text = models.read_prompt(prompt.prompt, model, temperatures.tau)
    with closing(models.open_model(model)) as asked:
        [found] = asked.next([asked.prompt(text)])
        if name == "table":
            _show(found, temperatures, parameters, rules, output, look)
        else:
            from tsoft.features.next import records
            from tsoft.output.number_format import NumberFormat

            said = records.Said(text, asked.name, asked.vocab_size, found)
            results.put(records.write(said, name, NumberFormat(digits=output.digits)), name, output)


def _format(output: DistributionOptions) -> str:
    """As elsewhere, but that a pipe gets a record: of numbers alone nobody knows the tokens."""
    from tsoft.options import results

    name = results.checked_format(output, arrays=True)
    if output.format is None and output.output is None and name != "table":
        return results.checked_format(replace(output, format="json"), arrays=True)
    return name


def _refuse(
    name: str,
    temperatures: TemperatureOptions,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    output: DistributionOptions,
) -> None:
    """A usage error for what is done to logits, which are written as they are."""
    from tsoft.errors import UsageError
    from tsoft.options import results

    if temperatures.tau is not None or parameters != ParameterOptions() or rules != SamplerOptions():
        raise UsageError(
            f"next writes logits in {name}, to which a temperature and samplers are still to come:"
            " pipe them into tsoft compute"
        )
    results.refuse(f"next in {name}, which writes logits", log=output.log, bits=output.bits)


def _show(
    found: "NextDistribution",
    temperatures: TemperatureOptions,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    output: DistributionOptions,
    look: DisplayOptions,
) -> None:
    """A table of what is left at each temperature."""
    from functools import partial

    from tsoft.charts.distributions import drawn
    from tsoft.options import logits, results
    from tsoft.options.plan import plan as planned
    from tsoft.options.responses import noted

    plan = planned(rules, parameters, temperatures.tau)
    taus = logits.temperatures(plan.taus)
    charted = len(taus) > 1 if look.chart is None else look.chart
    draw = partial(drawn, chart=charted, explain=False)
    looking = results.view(output, look)
    with results.followed(noted(iter([found.block])), taus, plan) as blocks:
        for block in blocks:
            results.put(draw(results.by_plan(block, taus, plan), looking), "table", output)
