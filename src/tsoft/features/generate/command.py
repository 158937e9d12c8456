"""`tsoft generate`: texts that a language model writes at each temperature."""

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from tsoft.options.command import bundled
from tsoft.options.models import ModelOptions, PromptArgument
from tsoft.options.output import OutputOptions
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.seeds import Seed
from tsoft.options.temperatures import TemperatureOptions

_STRATEGIES, _TEXTS = "Ways", "Texts"


@dataclass(frozen=True)
class TextOptions:
    """How many texts, and where they end."""

    n: Annotated[
        int, typer.Option("-n", min=1, max=1000, metavar="N", help="Texts at each temperature.", rich_help_panel=_TEXTS)
    ] = 1
    max_tokens: Annotated[
        int,
        typer.Option(
            "--max-tokens",
            min=1,
            max=1_000_000_000,
            metavar="N",
            help="How many tokens a text has at most.",
            rich_help_panel=_TEXTS,
        ),
    ] = 50
    stop: Annotated[
        list[str] | None,
        typer.Option(
            "--stop",
            metavar="TEXT",
            help="A text ends before this; may be given again. \\n and \\t are a line break and a tab.",
            rich_help_panel=_TEXTS,
        ),
    ] = None
    seed: Seed = None


@dataclass(frozen=True)
class SearchOptions:
    """Searches for the most probable text, beside the sampled ones."""

    greedy: Annotated[
        bool,
        typer.Option(
            "--greedy",
            help="The most probable token at each step, at τ = 1; texts are drawn beside it where --tau or a sampler is"
            " given.",
            rich_help_panel=_STRATEGIES,
        ),
    ] = False
    beams: Annotated[
        int | None,
        typer.Option(
            "--beams",
            min=1,
            max=64,
            metavar="K",
            help="The most probable text that a search with the K best so far finds, at τ = 1; csv and json have K.",
            rich_help_panel=_STRATEGIES,
        ),
    ] = None
    length_penalty: Annotated[
        float,
        typer.Option(
            "--length-penalty",
            min=0.0,
            max=10.0,
            metavar="α",
            help="--beams: best is log-probability / tokens^α; 0 compares texts, 1 their means a token.",
            rich_help_panel=_STRATEGIES,
        ),
    ] = 0.0


@bundled
def generate(
    prompt: PromptArgument,
    temperatures: TemperatureOptions,
    texts: TextOptions,
    searches: SearchOptions,
    model: ModelOptions,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    output: OutputOptions,
) -> None:
    """Let a language model go on from a prompt, at each temperature.

    A terminal gets the texts side by side as they are written, each token in
    the colour of its probability, and what each text costs: its mean
    log-probability under the model at τ = 1, its sequence perplexity, and how
    much it repeats itself. A pipe gets a text a line; json every step with its
    alternatives, which tsoft explore opens. Ctrl-C ends it, and keeps what
    there is.

    tsoft generate "Once upon a time" --tau 0.2,0.7,1,1.5 --seed 1
    tsoft generate "The capital of France is" --tau 1 --greedy --beams 4
    tsoft generate "the cat" --ngram book.txt -n 3 --max-tokens 20
    tsoft generate "Once upon a time" --tau 1.5 --min-p 0.1 -o texts.json
    """
    from tsoft.errors import UsageError
    from tsoft.features.generate.generation import Generation
    from tsoft.features.generate.strategies import PromptedModel
    from tsoft.options import models
    from tsoft.options.output import chosen_format
    from tsoft.options.plan import make_plan
    from tsoft.options.seeds import chosen_seed

    format = chosen_format(output)
    seed = chosen_seed(texts.seed)
    if searches.length_penalty and searches.beams is None:
        raise UsageError("--length-penalty says which of --beams is best, which is not given")
    plan = make_plan(rules, parameters, temperatures.tau)
    if plan.taus is None and not plan.has_chain and (searches.greedy or searches.beams):
        # Neither temperatures nor samplers: nothing is sampled.
        plan = replace(plan, chains=())
        if texts.n > 1 or texts.seed is not None:
            raise UsageError("-n and --seed are for what is drawn, and without --tau nothing is")
    stops = tuple(_stop(text) for text in texts.stop or ())
    text = models.read_prompt(prompt.prompt, model, temperatures.tau)
    with closing(models.open_model(model)) as opened_model:
        prompted = PromptedModel(opened_model, text, plan)
        alternatives = model.top_logprobs if format in ("json", "jsonl") else 0
        limits = prompted.limits(texts.max_tokens, stops, alternatives)
        strategies = [
            *prompted.sampling(limits, texts.n, seed),
            *prompted.searches(limits, searches.greedy, searches.beams, searches.length_penalty),
        ]
        Generation(prompted, strategies, seed if plan.chains else None, output).write(format)


def _stop(text: str) -> bytes:
    """The bytes of a --stop option."""
    from tsoft.errors import UsageError
    from tsoft.input.fields import unescape
    from tsoft.options.logits import decoded

    if not text:
        raise UsageError("--stop needs a text")
    return unescape(decoded(text, "--stop")).encode()
