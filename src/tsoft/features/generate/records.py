"""Texts that a model wrote, out: a line or a record each. A record is read back as a response, a row a token."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tsoft.features.generate.diversity import summary
from tsoft.input import json_document
from tsoft.input.fields import escape, join_labels
from tsoft.input.json_lines import json_number
from tsoft.models.decoding import SAMPLE, BeamSearch, Decoder, GeneratedText, GeneratedToken, Strategy
from tsoft.output.number_format import NumberFormat

COLUMNS = (
    "way", "tau", "engine", "continuation", "finish", "tokens", "logprob", "mean_logprob", "sequence_perplexity",
    "distinct_1", "distinct_2", "repeated_4", "score", "seed", "text",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Written:
    """A text, the way that it came, and which of that way's it is, from 0. A beam's has a score."""

    way: Strategy
    number: int
    text: GeneratedText
    seed: int | None = None
    score: float | None = None


def written(way: Strategy, search: Decoder, seed: int | None) -> Iterator[Written]:
    """The texts of one of a way's searches."""
    first = list(way.decoders).index(search)
    for number, text in enumerate(search.texts, first):
        score = search.score(text) if isinstance(search, BeamSearch) else None
        yield Written(way, number, text, seed if way.kind == SAMPLE else None, score)


@dataclass(frozen=True, eq=False)
class Telling:
    """What is told of texts besides: their prompt, and their model's name, its number of tokens, and how it
    reads and calls them."""

    prompt: str
    model: str
    size: int | None
    piece: Callable[[int], bytes]
    label: Callable[[int], str]
    writing: NumberFormat


def write(found: Iterable[Written], name: str, telling: Telling) -> Iterator[str]:
    """The texts in a format by its name. tsv: the text alone, a line each, of a beam the best; csv: a header, and
    what it costs; json and jsonl: every step with its alternatives."""
    if name in ("json", "jsonl"):
        records = (_json(one, telling) for one in found)
        yield from json_document.array(records) if name == "json" else (record + "\n" for record in records)
        return
    header = ",".join(COLUMNS) + "\n"
    for one in found:
        text = one.text.data.decode(errors="replace")
        if name == "csv":
            yield header + join_labels(_cells(one, text, telling.writing), ",") + "\n"
            header = ""
        elif one.text in one.way.best:
            yield escape(text) + "\n"


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
        **asdict(found) | {"tokens": len(one.text.generated)},
        "sequence_perplexity": found.sequence_perplexity,
        "score": one.score,
        "seed": one.seed,
    }


def _cells(one: Written, text: str, writing: NumberFormat) -> list[str]:
    found = _measured(one) | {"text": text}
    return [
        "" if value is None else writing.text(value) if isinstance(value, float) else str(value)
        for value in (found[name] for name in COLUMNS)
    ]


def _json(one: Written, telling: Telling) -> str:
    import orjson

    writing = telling.writing
    found = {
        name: json_number(value, writing) if isinstance(value, float) else value
        for name, value in _measured(one).items()
        if value is not None
    }
    chain = one.way.chain
    record = {
        "prompt": telling.prompt,
        "model": telling.model,
        **({} if telling.size is None else {"vocab_size": telling.size}),
        **found,
        **({} if chain is None or one.way.tau is None else {"samplers": [str(step) for step in chain.at(one.way.tau)]}),
        "text": one.text.data.decode(errors="replace"),
        "logprobs": [_step(step, telling) for step in one.text.generated],
    }
    return orjson.dumps(record).decode()


def _step(step: GeneratedToken, telling: Telling) -> dict[str, Any]:
    return {
        **_token(step.token, step.logprob, telling),
        "chosen_prob": json_number(step.prob, telling.writing),
        "top_logprobs": [_token(token, logprob, telling) for token, logprob in step.alternatives],
    }


def _token(token: int, logprob: float, telling: Telling) -> dict[str, Any]:
    """A token as servers write one. Its bytes are told where they are a part of a character."""
    piece, label = telling.piece(token), telling.label(token)
    found: dict[str, Any] = {"token": label, "id": token, "logprob": json_number(logprob, telling.writing)}
    return found if not piece or label.encode() == piece else found | {"bytes": list(piece)}
