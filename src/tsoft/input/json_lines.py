"""JSON, a value a line: in, any that has rows; out, a record for each row and temperature."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.block import Block
from tsoft.core.measures import total_variation
from tsoft.output.number_format import NumberFormat
from tsoft.sampling.distributions import Distributions, unit

if TYPE_CHECKING:
    from tsoft.sampling.explanation import Stage


def write(results: Iterable[Distributions], writing: NumberFormat) -> Iterator[str]:
    for result in results:
        yield "".join(record + "\n" for record in records(result, writing))


def records(result: Distributions, writing: NumberFormat) -> Iterator[str]:
    """The records of a block's rows, each at every temperature, as JSON without line breaks."""
    import orjson

    for r in range(len(result.block.logits)):
        for t in range(len(result.taus)):
            yield orjson.dumps(_record(result, writing, t, r), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _record(result: Distributions, writing: NumberFormat, t: int, r: int) -> dict[str, Any]:
    number = partial(json_number, writing=writing)
    labels, top = result.block.labels, int(result.top[t, r])
    entropy, perplexity, *others = map(number, writing.measures(result, t, r))
    record = {
        "row": result.block.rows[r],
        "tau": number(result.taus[t]),
        **({"labels": labels, "probs": number(result.probs[t, r])} if result.block.partial is None else {}),
        **_of_token(result, writing, t),
        "entropy": entropy,
        "perplexity": perplexity,
        "top": top if labels is None else labels[top],
        **dict(zip(result.measured[2:], others, strict=True)),
        **_of_energies(result.block),
    }
    if result.chain:
        record |= _chained(result, writing, t, r)
    if writing.log:
        record["log_probs"] = number(writing.values(result)[t, r])
    if "logits" in writing.extras:
        given = result.block.partial
        record["logits"] = number(
            result.block.logits[r] if given is None else np.where(given.unknown, np.nan, result.block.logits[r])
        )
    return record


def _of_energies(block: Block) -> dict[str, Any]:
    """What a record of energies says of them, where that is not as by default."""
    if block.ensemble is None:
        return {}
    unit, degeneracy = block.ensemble.unit, block.ensemble.degeneracy
    return {
        **({} if unit is None else {"units": unit.name}),
        **({} if degeneracy is None else {"degeneracy": degeneracy}),
    }


def _of_token(result: Distributions, writing: NumberFormat, t: int) -> dict[str, Any]:
    """What a record of a server's token has: the token and its choice, and in place of the probabilities
    those among the listed alternatives and the bounds of those among all classes; null is what is not
    known."""

    number = partial(json_number, writing=writing)
    block, given = result.block, result.block.partial
    if given is None:
        return {}
    assert block.labels
    low, high = (None, None) if result.bounds is None else (number(bound[t, 0]) for bound in result.bounds)
    record = {
        "token": block.labels[given.index],
        "choice": given.choice,
        "labels": block.labels,
        "probs_low": low,
        "probs_high": high,
        "probs_listed": number(np.where(given.unknown, np.nan, result.probs[t, 0])),
    }
    if result.chosen:
        chosen = result.chosen
        probs, perplexity = chosen.token.probs(), chosen.text.perplexity(chosen.tokens)
        record["rank"] = given.rank or f">{given.above}"
        for name, found in (("chosen", probs), ("text_logprob", chosen.text), ("sequence_perplexity", perplexity)):
            record |= {f"{name}_{end}": number(getattr(found, end)[t]) for end in ("low", "high", "listed")}
    return record


def _chained(result: Distributions, writing: NumberFormat, t: int, r: int) -> dict[str, Any]:
    """What a chain adds to a record: whose it is, how many classes it leaves, how far it is from those
    beside it, and its steps."""
    assert result.chain
    record: dict[str, Any] = {} if result.engine is None else {"engine": result.engine}
    record["samplers"] = [str(step) for step in result.chain.at(float(result.taus[t]))]
    record["kept"] = int(result.kept[t, r].sum())
    if result.beside:
        record["total_variation"] = {
            str(other.engine): json_number(total_variation(result.probs[t, r], other.probs[t, r]), writing)
            for other in result.beside
            if other.chain is not result.chain
        }
    if "steps" in writing.extras:
        from tsoft.sampling.explanation import removed_by

        stages = result.stages(t, r)
        record["steps"] = [_stage(stage, result.block, writing) for stage in stages]
        record["removed_by"] = [None if i < 0 else i for i in removed_by(stages, len(result.block.logits[r])).tolist()]
    return record


def _stage(stage: "Stage", block: Block, writing: NumberFormat) -> dict[str, Any]:
    number = partial(json_number, writing=writing)
    return {
        "sampler": stage.step.sampler.name,
        "knobs": {parameter.name: _knob(value, parameter.whole, writing) for parameter, value in stage.step.settings},
        "kept": int(stage.kept.sum()),
        "cut": number(stage.cut),
        "entropy": number(stage.entropy / unit("entropy", writing.bits)),
        "top": stage.top if block.labels is None else block.labels[stage.top],
        "threshold": None if stage.threshold is None else number(stage.threshold),
        "keeps": stage.keeps,
    }


def _knob(value: Any, whole: bool, writing: NumberFormat) -> Any:
    """What a knob is set to: a number, or of the biases the class and the number of each."""
    if isinstance(value, tuple):
        return [[index, json_number(bias, writing)] for index, bias in value]
    return int(value) if whole else json_number(value, writing)


def json_number(value: ArrayLike, writing: NumberFormat) -> Any:
    """A number or an array as orjson takes it: it would write null for what JSON cannot hold."""
    value = np.asarray(value)
    if writing.digits is None and np.isfinite(value).all():
        return np.ascontiguousarray(value) if value.ndim else value.item()
    if value.ndim:
        return [json_number(element, writing) for element in value]
    if not np.isfinite(value):
        # The margin of one class is none.
        return None if np.isnan(value) else repr(float(value))
    return float(writing.text(float(value)))
