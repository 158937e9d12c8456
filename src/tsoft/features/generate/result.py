"""What `tsoft generate` found: texts, and what each costs. A text in JSON is read back as a response, a row a token."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tsoft.features.generate.diversity import summary
from tsoft.models.decoding import SAMPLE, Beam, Continuation, Search, Step, Strategy
from tsoft.options.result import Result
from tsoft.output.records import Column, In, Records

if TYPE_CHECKING:
    from tsoft.charts.view import View

COLUMNS = (
    "way", "tau", "engine", "continuation", "finish", "tokens", "logprob", "mean_logprob", "sequence_perplexity",
    "distinct_1", "distinct_2", "repeated_4", "score", "seed", "text",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Written:
    """A text, the way that it came, and which of that way's it is, from 0. A beam's has a score."""

    way: Strategy
    number: int
    text: Continuation
    seed: int | None = None
    score: float | None = None


def written(way: Strategy, search: Search, seed: int | None) -> Iterator[Written]:
    """The texts of one of a way's searches."""
    first = list(way.searches).index(search)
    for number, text in enumerate(search.texts, first):
        score = search.score(text) if isinstance(search, Beam) else None
        yield Written(way, number, text, seed if way.kind == SAMPLE else None, score)


@dataclass(frozen=True, eq=False)
class Source:
    """Where texts come from: their prompt, and their model's name, its number of tokens, the bytes and the label
    of a token."""

    prompt: str
    model: str
    size: int | None
    piece: Callable[[int], bytes]
    label: Callable[[int], str]


@dataclass(frozen=True, eq=False)
class GenerateResult(Result):
    """Texts, each as soon as it and those before it have ended; or what `drawn` draws of them."""

    texts: Iterable[Written]
    source: Source
    drawn: "Callable[[View], Iterator[str]]"

    def records(self) -> Iterator[Records]:
        """In tsv the texts alone, of a beam the best; in csv what each costs, too."""
        for written in self.texts:
            values = _measured(written) | {"text": written.text.data.decode(errors="replace")}
            best = In.TSV if written.text in written.way.best else In(0)
            yield Records(
                [Column(name, [values[name]], In.CSV | best if name == "text" else In.CSV) for name in COLUMNS]
            )

    def objects(self) -> Iterator[Iterable[Mapping[str, Any]]]:
        return ([_object(written, self.source)] for written in self.texts)

    def render(self, view: "View") -> Iterator[str]:
        return self.drawn(view)


def _measured(one: Written) -> dict[str, Any]:
    """What a text is, and what it costs, by the names of the columns."""
    found = summary([one.text])
    way = one.way
    return {
        "way": way.kind if way.width is None else f"{way.kind} {way.width}",
        "tau": way.tau,
        "engine": way.engine,
        "continuation": one.number,
        "finish": one.text.finish,
        **asdict(found) | {"tokens": len(one.text.steps)},
        "sequence_perplexity": found.sequence_perplexity,
        "score": one.score,
        "seed": one.seed,
    }


def _object(written: Written, source: Source) -> dict[str, Any]:
    """A text with every step and its alternatives."""
    strategy = written.way
    chain = strategy.chain
    return {
        "prompt": source.prompt,
        "model": source.model,
        **({} if source.size is None else {"vocab_size": source.size}),
        **{name: value for name, value in _measured(written).items() if value is not None},
        **(
            {}
            if chain is None or strategy.tau is None
            else {"samplers": [str(step) for step in chain.at(strategy.tau)]}
        ),
        "text": written.text.data.decode(errors="replace"),
        "logprobs": [_step(step, source) for step in written.text.steps],
    }


def _step(step: Step, source: Source) -> dict[str, Any]:
    return {
        **_token(step.token, step.logprob, source),
        "chosen_prob": step.prob,
        "top_logprobs": [_token(token, logprob, source) for token, logprob in step.alternatives],
    }


def _token(token: int, logprob: float, source: Source) -> dict[str, Any]:
    """A token as servers write one, with its bytes where they are a part of a character."""
    piece, label = source.piece(token), source.label(token)
    fields: dict[str, Any] = {"token": label, "id": token, "logprob": logprob}
    return fields if not piece or label.encode() == piece else fields | {"bytes": list(piece)}
