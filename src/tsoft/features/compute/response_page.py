"""The page of an API response: its texts, each token in the color of its probability."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from tsoft.charts.style import heat, number_text, tau_text
from tsoft.charts.view import View
from tsoft.core.sequence_likelihood import ChosenToken, Likelihood
from tsoft.errors import UsageError, visible, visible_lines
from tsoft.features.compute.text_likelihoods import TextKey, TextLikelihoods
from tsoft.options.page_parts import bounds_text, new_page
from tsoft.output.text_page import PageAlternative, PageText, PageToken, TextPage
from tsoft.sampling.distributions import descending_order
from tsoft.sampling.partial_distributions import PartialDistributions


def response_page(results: Iterable[PartialDistributions], view: View) -> TextPage:
    """Return the page of the tokens of a response, each at one temperature. Tokens of several texts may alternate."""
    likelihoods, tokens, facts = TextLikelihoods(), defaultdict[int, list[PageToken]](list), dict[str, str]()
    models = defaultdict[int, set[str]](set)
    for result in results:
        if not facts:
            facts = _facts(result)
        likelihoods.add(result)
        tokens[result.partial.text].append(page_token(result, view))
        # The first pieces of a stream may not have it.
        models[result.partial.text] |= {result.block.origin.model} - {""}
    names = {text: ", ".join(sorted(found)) for text, found in models.items()}
    is_one = len(set(names.values())) == 1
    texts = [
        _text(key, chosen, tokens, view, model="" if is_one else names[key.text])
        for key, chosen in likelihoods.last_tokens.items()
    ]
    if is_one and (model := next(iter(names.values()))):
        facts = {"model": model} | facts
    return new_page("API response", facts, texts)


def _facts(result: PartialDistributions) -> dict[str, str]:
    tau = tau_text(float(result.taus[0]))
    facts = {"temperature": tau}
    if result.chain:
        facts["samplers"] = " → ".join(str(step) for step in result.chain.at(float(result.taus[0])))
    if result.engine is not None:
        facts["engine"] = result.engine
    return facts | {"colors": f"by the probability at {tau}, or by its upper bound if only bounds are known"}


def page_token(result: PartialDistributions, view: View) -> PageToken:
    """Return the token that the server drew."""
    block, index = result.block, result.partial.index
    assert block.labels
    label, names = block.labels[index], list(map(visible, block.names))
    low, high = (bound[0, 0] for bound in result.bounds)
    listed = float(result.probs[0, 0, index])
    measure = "log-probability" if view.log else "probability"
    details = [f"{measure} {bounds_text(low[index], high[index], view)}"]
    if not result.exact[0] and not result.partial.unknown[index]:
        details.append(f"among the listed tokens {bounds_text(listed, listed, view)}")
    details.append(f"rank {result.rank(0, index)}")
    if result.partial.unknown[index]:
        details = ["probability unknown"]
    order = descending_order(block.logits[0], result.probs[0, 0])
    alternatives = [
        PageAlternative(names[i], _alternative_text(result, i, low[i], high[i], view), i == index)
        for i in order[: view.show].tolist()
    ]
    rest = order[view.show :]
    if len(rest):
        share = bounds_text(low[rest].sum(), min(high[rest].sum(), 1.0), view)
        alternatives.append(PageAlternative(f"… {len(rest)} more", share))
    if not result.exact[0]:
        alternatives.append(PageAlternative("unlisted tokens", _unlisted_text(low, high, view)))
    color = None if np.isnan(high[index]) else heat(float(high[index]))
    return PageToken(visible_lines(label), names[index], color, tuple(details), "alternatives", tuple(alternatives))


def _alternative_text(result: PartialDistributions, i: int, low: float, high: float, view: View) -> str:
    if not result.kept[0, 0, i] and not result.undecided[0, 0, i] and not result.partial.unknown[i]:
        return "removed"
    return bounds_text(low, high, view)


def _unlisted_text(low: np.ndarray, high: np.ndarray, view: View) -> str:
    """Return the probability of all unlisted tokens, which is what the listed ones do not have."""
    # More than the rounding of the sums.
    slack = len(low) * 2.0**-52
    # An unknown token may have the rest of the probability.
    least = 0.0 if np.isnan(high).any() else max(0.0, 1.0 - float(high.sum()) - slack)
    return bounds_text(least, max(0.0, 1.0 - float(np.nansum(low))) + slack, view)


def _text(key: TextKey, chosen: ChosenToken, tokens: dict[int, list[PageToken]], view: View, *, model: str) -> PageText:
    """Return the section of a text, with the name of its `model` unless it is empty."""
    summary = f"{chosen.tokens} token{'s' * (chosen.tokens != 1)}"
    measures = {
        "log-probability": chosen.text,
        "sequence perplexity": chosen.text.perplexity(chosen.tokens),
    }
    lines = [f"{name}: {_likelihood_text(likelihood, view)}" for name, likelihood in measures.items()]
    title = f"text {key.text}" if len(tokens) > 1 else ""
    named = [f"model: {visible(model)}"] if model else []
    return PageText(title, (*named, summary, *lines), tokens[key.text])


def _likelihood_text(likelihood: Likelihood, view: View) -> str:
    """Return bounds on a measure of a text, and its value among the listed tokens if that differs."""
    listed, low, high = (float(values[0]) for values in (likelihood.listed, likelihood.low, likelihood.high))
    if np.isnan(listed):
        return "unknown"
    ends = number_text(low, view.digits), number_text(high, view.digits)
    if ends[0] == ends[1]:
        return ends[0]
    return f"{ends[0]} … {ends[1]} ({number_text(listed, view.digits)} among the listed tokens)"


def require_one(taus: "np.ndarray", chains: int) -> None:
    """Raise UsageError for several temperatures or engines, because a page has room for one color per token."""
    if len(taus) > 1:
        raise UsageError(f"html shows a text at one temperature, and --tau has {len(taus)}; pass only one")
    if chains > 1:
        raise UsageError("html shows a text after one chain of samplers; pass --like with one engine")
