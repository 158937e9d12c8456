"""The page of generated texts: each token in the color of the probability with which it was chosen."""

from collections.abc import Iterator
from math import exp

from tsoft.charts.style import heat, number_text, tau_text
from tsoft.charts.view import View
from tsoft.errors import visible
from tsoft.features.generate.diversity import summary
from tsoft.features.generate.numbered_texts import NumberedText
from tsoft.models.decoding import Strategy
from tsoft.models.generated_text import GeneratedToken
from tsoft.models.model import Model
from tsoft.models.token_texts import token_texts
from tsoft.options.page_parts import bounds_text, token_name
from tsoft.output.text_page import PageAlternative, PageText, PageToken


def page_text(numbered: NumberedText, model: Model, view: View) -> PageText:
    """Return the section of a text."""
    texts = token_texts(numbered.text, model.piece)
    tokens = [page_token(token, text, model, view) for token, text in zip(numbered.text.generated, texts, strict=True)]
    return PageText(_title(numbered), tuple(_summary_lines(numbered, view)), tokens)


def _title(numbered: NumberedText) -> str:
    strategy = numbered.strategy
    heading = strategy.name if strategy.tau is None else tau_text(strategy.tau)
    if strategy.engine:
        heading = f"{strategy.engine} {heading}"
    return f"{heading}, text {numbered.number}" if len(strategy.texts) > 1 else heading


def _summary_lines(numbered: NumberedText, view: View) -> Iterator[str]:
    strategy = numbered.strategy
    if samplers := _samplers(strategy):
        yield f"samplers: {samplers}"
    measures = summary([numbered.text])
    parts = [f"{measures.tokens:g} token{'s' * (measures.tokens != 1)}"]
    if measures.tokens:
        perplexity = number_text(measures.sequence_perplexity, view.digits)
        parts += [
            f"log-probability {number_text(measures.logprob, view.digits)}",
            f"sequence perplexity {perplexity} (under the model at τ = 1)",
        ]
    if numbered.score is not None:
        parts.append(f"score {number_text(numbered.score, view.digits)}")
    parts.append(f"finish: {numbered.text.finish}")
    if numbered.seed is not None:
        parts.append(f"seed {numbered.seed}")
    yield "; ".join(parts)


def _samplers(strategy: Strategy) -> str:
    if strategy.chain is None or strategy.tau is None:
        return ""
    return visible(" → ".join(str(step) for step in strategy.chain.at(strategy.tau)))


def page_token(token: GeneratedToken, text: str, model: Model, view: View) -> PageToken:
    """Return a token that adds this text."""
    details = (
        f"chosen with probability {bounds_text(token.prob, token.prob, view)}",
        f"under the model at τ = 1: {_model_prob(token.logprob, view)}, rank {token.rank}",
    )
    alternatives = tuple(
        PageAlternative(token_name(model.label(number)), _model_prob(logprob, view), number == token.token)
        for number, logprob in token.alternatives
    )
    name = token_name(model.label(token.token))
    return PageToken(text, name, heat(token.prob), details, "alternatives, under the model at τ = 1", alternatives)


def _model_prob(logprob: float, view: View) -> str:
    prob = exp(logprob)
    return bounds_text(prob, prob, view)
