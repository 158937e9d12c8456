"""`tsoft generate`: texts that a language model continues at each temperature."""

from contextlib import closing
from dataclasses import replace
from typing import Annotated

from tsoft.errors import UsageError, joined
from tsoft.options.bundle import bundle
from tsoft.options.command import bundled, in_panel
from tsoft.options.models import ModelOptions, PromptArgument, top_logprobs_option
from tsoft.options.output import PageFigureOptions, TextOutputOptions
from tsoft.options.sampler_options import ParameterOptions, SamplerOptions
from tsoft.options.seeds import Seed
from tsoft.options.temperatures import TemperatureOptions

_strategies, _texts = in_panel("Search"), in_panel("Texts")


@bundle
class TextOptions:
    """The number of texts, and how they end."""

    n: Annotated[int, _texts("-n", min=1, max=1000, metavar="N", help="Number of texts per temperature.")] = 1
    max_tokens: Annotated[
        int, _texts(min=1, max=1_000_000_000, metavar="N", help="Maximum number of tokens per text.")
    ] = 50
    stop: Annotated[
        list[str] | None,
        _texts(
            metavar="TEXT", help="End a text where TEXT would begin. Can be repeated; \\n is a line break, \\t a tab."
        ),
    ] = None
    seed: Seed = None


@bundle
class SearchOptions:
    """Searches for the most probable text, in addition to the sampled texts."""

    greedy: Annotated[
        bool,
        _strategies(
            "--greedy",
            help="Take the most probable token at each step. Texts are drawn only if you pass --tau or a sampler, too.",
        ),
    ] = False
    beams: Annotated[
        int | None,
        _strategies(
            min=1,
            max=64,
            metavar="K",
            help="Search for the most probable text, keeping the K best at each step. csv and json have all K texts.",
        ),
    ] = None
    length_penalty: Annotated[
        float,
        _strategies(
            min=0.0,
            max=10.0,
            metavar="α",
            show_default="0",
            help="With --beams: rank texts by log-probability / tokens^α. With 1, this is the mean per token.",
        ),
    ] = 0.0


@bundle
class TextModelOptions(ModelOptions):
    top_logprobs: Annotated[
        int,
        top_logprobs_option("Number of alternatives per token: in json and html, and in requests to --endpoint."),
    ] = 20


@bundled
def generate(
    prompt: PromptArgument,
    temperatures: TemperatureOptions,
    texts: TextOptions,
    searches: SearchOptions,
    model: TextModelOptions,
    parameters: ParameterOptions,
    rules: SamplerOptions,
    output: TextOutputOptions,
    figure: PageFigureOptions,
) -> None:
    """Generate text from a prompt at several temperatures.

    On a terminal, prints the texts side by side, each token colored by its
    probability, and measures of each text: its log-probability under the model
    at τ = 1, its sequence perplexity, and how much it repeats itself. In a
    pipe, prints one text per line. json has every token with its alternatives,
    and tsoft explore can open it. Ctrl-C ends the texts early and keeps them.

    Examples:
      tsoft generate "Once upon a time" --tau 0.2,0.7,1,1.5 --seed 1
      tsoft generate "The capital of France is" --tau 1 --greedy --beams 4
      tsoft generate "the cat" --ngram book.txt -n 3 --max-tokens 20
      tsoft generate "Once upon a time" --tau 1.5 --min-p 0.1 -o texts.json
      tsoft generate "Once upon a time" --tau 0.7,1.5 -o texts.html
    """
    from tsoft.features.generate.generation import Generation
    from tsoft.features.generate.strategies import PromptedModel
    from tsoft.options import models
    from tsoft.options.chosen_formats import chosen_formats
    from tsoft.options.output import PAGE_FORMAT
    from tsoft.options.plan import make_plan
    from tsoft.options.seeds import chosen_seed

    chosen = chosen_formats(output, figure)
    seed = chosen_seed(texts.seed)
    if searches.length_penalty and searches.beams is None:
        raise UsageError("--length-penalty has no effect without --beams; pass --beams K")
    plan = make_plan(rules, parameters, temperatures.tau)
    if plan.taus is None and not plan.has_chain and (searches.greedy or searches.beams):
        # Without temperatures and samplers, no text is sampled.
        plan = replace(plan, chains=())
        _check_unsampled(texts, searches)
    stops = tuple(_stop(text) for text in texts.stop or ())
    text = models.read_prompt(prompt.typed, model, temperatures.tau)
    with closing(models.open_model(model, shared=["top_logprobs"])) as opened_model:
        prompted = PromptedModel(opened_model, text, plan)
        has_alternatives = any(format in ("json", "jsonl", PAGE_FORMAT) for _, format in chosen)
        alternatives = model.top_logprobs if has_alternatives else 0
        limits = prompted.limits(texts.max_tokens, stops, alternatives)
        strategies = [
            *prompted.sampling(limits, texts.n, seed),
            *prompted.searches(limits, searches.greedy, searches.beams, searches.length_penalty),
        ]
        Generation(prompted, strategies, seed if plan.chains else None, chosen, figure).write()


def _check_unsampled(texts: TextOptions, searches: SearchOptions) -> None:
    """Raise UsageError for options without effect if no text is sampled."""
    unused = [option for option, is_typed in (("-n", texts.n > 1), ("--seed", texts.seed is not None)) if is_typed]
    typed = [option for option, is_typed in (("--greedy", searches.greedy), ("--beams", searches.beams)) if is_typed]
    if unused:
        have = "have" if len(unused) > 1 else "has"
        raise UsageError(f"{joined(unused)} {have} no effect on {joined(typed)}; pass --tau to sample texts, too")


def _stop(text: str) -> bytes:
    """Return the bytes of a --stop option."""
    from tsoft.input.fields import unescape

    if not text:
        raise UsageError("--stop: the text is empty; pass the text to stop at")
    return unescape(text).encode()
