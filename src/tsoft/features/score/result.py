"""The results of `tsoft score`: the totals of each text, or the measures of each token.

A text in JSON can be read back as an API response, with one row per token.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from tsoft.features.score.reading import Scorer
from tsoft.features.score.scored_text import ScoredText, ScoredToken
from tsoft.features.score.tau_curve import CURVE_TAUS
from tsoft.models.model import Model
from tsoft.models.token_fields import token_fields
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View
    from tsoft.figures.canvas import Canvas
    from tsoft.output.text_page import TextPage


@dataclass(frozen=True, eq=False)
class ScoreResult(Result):
    """The scores of texts, which `texts` computes once, at the first `tau_count` of their temperatures. With `spans`,
    json and the display contain the least probable spans. A display contains a chart if `chart` is true."""

    texts: Callable[[], Sequence[ScoredText]]
    scorer: Scorer
    tau_count: int
    spans: bool = False
    chart: bool = True

    def records(self) -> Iterator[Records]:
        """Yield one record per text and temperature. tsv has only the sequence perplexity, after the name of the file
        and the temperature if there are several."""
        for text in self.texts():
            rows = [self._totals(text, k) for k in range(self.tau_count)]
            yield Records([Column(name, [row[name] for row in rows], self._shown(name)) for name in rows[0]])

    def _shown(self, name: str) -> In:
        in_tsv = {
            "file": len(self.texts()) > 1,
            "tau": self.tau_count > 1,
            "sequence_perplexity": True,
        }
        return In.CSV | In.TSV if in_tsv.get(name) else In.CSV

    def _totals(self, text: ScoredText, k: int) -> dict[str, Any]:
        return {"file": text.name, **_total_fields(text, k), **_best_fields(text)}

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        return ([self._object(text)] for text in self.texts())

    def _object(self, text: ScoredText) -> dict[str, Any]:
        """Return a text with its tokens and their alternatives, without the fields that are None."""
        model, curve = self.scorer.model, text.measurements.curve
        fields = {
            "file": text.name,
            "prompt": self.scorer.prompt,
            "model": model.name,
            "vocab_size": model.vocab_size,
            "windows": text.windows,
            "unscored": text.first,
            **_total_fields(text, len(text.taus) - 1),
            **_best_fields(text),
            "at_taus": [_total_fields(text, k) for k in range(self.tau_count)],
            "curve": None
            if curve is None
            else {"tau": CURVE_TAUS.tolist(), "sequence_perplexity": curve.perplexities.tolist()},
            "spans": _spans(text) if self.spans else None,
            "text": b"".join(text.pieces).decode(errors="replace"),
            "logprobs": [_token_object(text, i, model) for i in range(len(text.tokens))],
        }
        return {name: value for name, value in fields.items() if value is not None}

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.score.chart import draw_texts

        return draw_texts(self.texts(), self.tau_count, view, spans=self.spans, chart=self.chart)

    def draw(self, page: "Canvas", view: "View") -> None:
        from tsoft.features.score.figure import draw

        draw(page, self.texts())

    def page(self, view: "View") -> "TextPage":
        from tsoft.features.score.scored_page import scored_page

        return scored_page(self.texts(), self.scorer, view, spans=self.spans)


class TokensResult(ScoreResult):
    """The same with a record or a line for each token."""

    def records(self) -> Iterator[Records]:
        """Yield one record per token and temperature. A token has the number of its text and its place in it."""
        for text in self.texts():
            yield Records(_token_columns(text, self.tau_count), headed=True)

    def render(self, view: "View") -> Iterator[str]:
        from tsoft.features.score.chart import draw_tokens

        return draw_tokens(self.texts(), self.tau_count, view)

    def draw(self, page: "Canvas", view: "View") -> None:
        raise NotImplementedError


def _total_fields(text: ScoredText, k: int) -> dict[str, Any]:
    """Return the totals at a temperature by the names of their columns."""
    totals = text.totals(k)
    return {
        "tau": totals.tau,
        "tokens": totals.tokens,
        "byte_count": totals.size,
        "impossible": int(text.impossible.sum()),
        "logprob": totals.logprob,
        "mean_logprob": totals.mean_logprob,
        "sequence_perplexity": totals.sequence_perplexity,
        "bits_per_byte": totals.bits_per_byte,
    }


def _best_fields(text: ScoredText) -> dict[str, Any]:
    """Return the best temperature, and its interval and how it was computed; None for what is unknown."""
    best = text.best
    names = ("best_tau", "best_tau_low", "best_tau_high")
    if best is None:
        return {**dict.fromkeys(names), "block_length": None, "reason": None}
    values = (None if isnan(value) else value for value in (best.tau, best.low, best.high))
    return {
        **dict(zip(names, values, strict=True)),
        "block_length": best.block_length,
        "reason": best.reason,
    }


def _token_columns(text: ScoredText, tau_count: int) -> list[Column]:
    """Return the columns of the tokens: for each token, a record per temperature."""
    places = [(i, k) for i in range(len(text.tokens)) for k in range(tau_count)]
    measured = text.measurements
    entropies = [float(measured.entropies[i, k]) for i, k in places]
    return [
        Column("file", [text.name] * len(places)),
        Column("row", [i for i, _ in places]),
        Column("tau", [float(text.taus[k]) for _, k in places]),
        Column("token", [text.labels[i] for i, _ in places]),
        Column("logprob", [float(measured.logprobs[i, k]) for i, k in places]),
        Column("rank", [text.tokens[i].rank for i, _ in places]),
        Column("entropy", [None if isnan(entropy) else entropy for entropy in entropies]),
    ]


def _token_object(text: ScoredText, i: int, model: Model) -> dict[str, Any]:
    """Return a token at τ = 1, with its alternatives."""
    token: ScoredToken = text.tokens[i]
    entropy = float(text.measurements.entropies[i, -1])
    return {
        **token_fields(token.token, token.logprob, model),
        "rank": token.rank,
        **({} if isnan(entropy) else {"entropy": entropy}),
        "top_logprobs": [token_fields(number, logprob, model) for number, logprob in token.alternatives],
    }


def _spans(text: ScoredText) -> list[dict[str, Any]]:
    """Return the least probable spans, by the rows of their first and last tokens."""
    return [
        {
            "first_row": span.start,
            "last_row": span.stop - 1,
            "excess": span.excess,
            "text": span_text(text, span.start, span.stop),
        }
        for span in text.spans
    ]


def span_text(text: ScoredText, start: int, stop: int) -> str:
    """Return the text of some tokens."""
    return b"".join(text.pieces[start:stop]).decode(errors="replace")
