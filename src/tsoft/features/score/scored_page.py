"""The page of scored texts: each token in the color of its probability."""

from collections.abc import Iterator, Sequence
from math import exp, isnan

from tsoft.charts.style import heat, number_text, tau_text
from tsoft.charts.view import View
from tsoft.errors import visible
from tsoft.features.score.chart import MAX_SPANS, best_text, interval_text
from tsoft.features.score.reading import Scorer
from tsoft.features.score.scored_text import ScoredText
from tsoft.models.token_texts import decoded_pieces
from tsoft.options.page_parts import bounds_text, new_page, token_name
from tsoft.output.text_page import PageAlternative, PageText, PageToken, TextPage


def scored_page(texts: Sequence[ScoredText], scorer: Scorer, view: View, *, spans: bool) -> TextPage:
    """Return the page of texts at their first temperature."""
    tau = tau_text(float(texts[0].taus[0]))
    prompt = {} if scorer.prompt is None else {"prompt": scorer.prompt}
    facts = {"model": scorer.model.name, **prompt, "colors": f"by the probability of each token at {tau}"}
    sections = (_section(text, scorer, view, named=len(texts) > 1, spans=spans) for text in texts)
    return new_page("Scored text", facts, sections)


def _section(text: ScoredText, scorer: Scorer, view: View, *, named: bool, spans: bool) -> PageText:
    parts = decoded_pieces(text.pieces, is_complete=True)
    tokens = [_token(text, i, part, scorer, view) for i, part in enumerate(parts)]
    if text.first is not None:
        tokens.insert(0, PageToken(visible(text.first), token_name(text.first), None, ("not scored",), "", ()))
    lines = [*_summary(text, view), *(_spans(text, view) if spans else ())]
    return PageText(visible(text.name) if named else "", tuple(lines), tokens)


def _summary(text: ScoredText, view: View) -> Iterator[str]:
    totals = text.totals(0)
    perplexity, bits = (number_text(value, view.digits) for value in (totals.sequence_perplexity, totals.bits_per_byte))
    logprob = number_text(totals.logprob, view.digits)
    yield f"{totals.tokens} token{'s' * (totals.tokens != 1)}; log-probability {logprob}"
    yield f"sequence perplexity {perplexity}; {bits} bits per byte"
    if text.best is not None:
        interval = interval_text(text.best, view)
        yield f"best τ {best_text(text.best, view)}" + (f", 95 % interval {interval}" if interval else "")
    if impossible := int(text.impossible.sum()):
        tokens = f"{impossible} token{'s' * (impossible != 1)}"
        yield f"{tokens} of probability 0 under the model, which the other numbers leave out"


def _spans(text: ScoredText, view: View) -> Iterator[str]:
    for span in text.spans[:MAX_SPANS]:
        piece = b"".join(text.pieces[span.start : span.stop]).decode(errors="replace")
        yield f"improbable: {token_name(piece)}, excess {number_text(span.excess, view.digits or 3)} nats"


def _token(text: ScoredText, i: int, part: str, scorer: Scorer, view: View) -> PageToken:
    """Return a token that adds this text."""
    token, model = text.tokens[i], scorer.model
    prob = exp(float(text.measurements.logprobs[i, 0]))
    entropy = float(text.measurements.entropies[i, 0])
    details = [f"probability {bounds_text(prob, prob, view)}", f"rank {token.rank}"]
    details += [] if isnan(entropy) else [f"entropy {number_text(entropy, view.digits)} nats"]
    alternatives = tuple(
        PageAlternative(token_name(model.label(number)), _prob(logprob, view), number == token.token)
        for number, logprob in token.alternatives
    )
    heading = "alternatives, at τ = 1"
    return PageToken(part, token_name(text.labels[i]), heat(prob), tuple(details), heading, alternatives)


def _prob(logprob: float, view: View) -> str:
    prob = exp(logprob)
    return bounds_text(prob, prob, view)
