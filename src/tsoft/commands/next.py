"""`tsoft next`: what a language model says of the token after a prompt."""

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from tsoft.commands.command import bundled
from tsoft.commands.models import ModelOptions, Prompt
from tsoft.commands.options import Knobs, Look, Output, Rules, Temperatures

if TYPE_CHECKING:
    from tsoft.core.tokens import Next


@bundled
def next(
    prompt: Prompt,
    model: ModelOptions,
    temperatures: Temperatures,
    knobs: Knobs,
    rules: Rules,
    output: Output,
    look: Look,
) -> None:
    """Ask a language model for the next token's logits.

    A terminal gets the table of tsoft compute, at any temperatures and with
    any samplers; a pipe gets the logits and the tokens as one json record,
    which every command takes, and a file what its name says.

    tsoft next "The capital of France is" --tau 0.5,1,2
    tsoft next "The capital of France is" | tsoft compute --tau 0.7 --top-p 0.9 --show 10
    tsoft next "Once upon a time" -o next.npz
    tsoft next "the cat sat on" --text book.txt
    """
    from tsoft.commands import models, outputs

    outputs.refuse("next", long=output.long, with_logits=output.with_logits)
    name = _format(output)
    if name != "table":
        _refuse(name, temperatures, knobs, rules, output)
    text = models.prompted(prompt.prompt, model, temperatures.tau)
    with closing(models.opened(model)) as asked:
        [found] = asked.next([asked.prompt(text)])
        if name == "table":
            _show(found, temperatures, knobs, rules, output, look)
        else:
            from tsoft.formats import nexts
            from tsoft.formats.write import Writing

            said = nexts.Said(text, asked.name, asked.size, found)
            outputs.put(nexts.write(said, name, Writing(digits=output.digits)), name, output)


def _format(output: Output) -> str:
    """As elsewhere, but that a pipe gets a record: of numbers alone nobody knows the tokens."""
    from tsoft.commands import outputs

    name = outputs.checked_format(output, arrays=True)
    if output.format is None and output.output is None and name != "table":
        return outputs.checked_format(replace(output, format="json"), arrays=True)
    return name


def _refuse(name: str, temperatures: Temperatures, knobs: Knobs, rules: Rules, output: Output) -> None:
    """A usage error for what is done to logits, which are written as they are."""
    from tsoft.commands import outputs
    from tsoft.errors import UsageError

    if temperatures.tau is not None or knobs != Knobs() or rules != Rules():
        raise UsageError(
            f"next writes logits in {name}, to which a temperature and samplers are still to come:"
            " pipe them into tsoft compute"
        )
    outputs.refuse(f"next in {name}, which writes logits", log=output.log, bits=output.bits)


def _show(found: "Next", temperatures: Temperatures, knobs: Knobs, rules: Rules, output: Output, look: Look) -> None:
    """A table of what is left at each temperature."""
    from functools import partial

    from tsoft.commands import inputs, outputs
    from tsoft.commands.drawing import drawn
    from tsoft.commands.plan import plan as planned
    from tsoft.commands.responses import noted

    plan = planned(rules, knobs, temperatures.tau)
    taus = inputs.temperatures(plan.taus)
    charted = len(taus) > 1 if look.chart is None else look.chart
    draw = partial(drawn, chart=charted, explain=False)
    looking = outputs.view(output, look)
    with outputs.followed(noted(iter([found.block])), taus, plan) as blocks:
        for block in blocks:
            outputs.put(draw(outputs.by_plan(block, taus, plan), looking), "table", output)
