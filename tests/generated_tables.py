"""The tables of the manual that are generated from the code."""

import re
from math import inf

from tsoft.sampling.engine import Engine
from tsoft.sampling.engines import DEFAULT_ENGINES, ENGINES, paths_of
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler, SamplerParameter

# The default values of the parameters that follow the drawn tokens, from other parameters.
_STATES = {"mirostat_mu": "2·S", "adaptive_mean": "the target"}

# A header, the line of dashes below it, and the rows.
_TABLE = re.compile(r"^(?P<header>\|.*\|)\n(?:\|.*\|\n)+", re.MULTILINE)

# The rules that differ from tsoft's, in words, by the path of their function.
RULES = {
    "engine_cutoffs.top_k_and_ties": "also keeps the classes that tie with the K-th",
    "engine_cutoffs.top_k_and_ties_above_1": "also keeps the classes that tie with the K-th; K = 1 is greedy",
    "engine_cutoffs.top_3000": "keeps the 3000 most probable classes",
    "engine_cutoffs.top_p_from_above": "sums from the most probable class down to the first sum of at least P",
    "engine_cutoffs.top_p_and_equal": (
        "removes a class if the sum of those above it exceeds P; the sum is not renormalized after top_k"
    ),
    "engine_cutoffs.top_p_and_ties": "keeps a class if the more probable ones sum to less than P, so all ties stay",
    "engine_cutoffs.top_p_and_ties_or_all": (
        "keeps a class if the more probable ones sum to less than P, so all ties stay; 0 is off"
    ),
    "engine_cutoffs.top_p_or_all": "0 is off",
    "engine_cutoffs.top_p_unguarded": "may remove every class; 0 is off",
    "engine_cutoffs.top_p_below": "removes the class at which the sum exceeds P, and those that tie with it",
    "engine_cutoffs.top_p_within": "removes the class at which the sum exceeds P",
    "engine_samplers.top_p_fitting": (
        "adds the classes by index, and removes the least probable ones whenever the sum exceeds P; 0 is off"
    ),
    "engine_samplers.top_p_fitting_descending": (
        "adds the classes from the most probable one down, and skips those with which the sum exceeds P; 0 is off"
    ),
    "engine_samplers.top_p_sharing": (
        "keeps all classes that tie with the last, at the total weight of those that are needed; 0 is greedy"
    ),
    "engine_cutoffs.min_p_of_logits": "compares logits with max + ln P",
    "engine_cutoffs.min_p_below_1": "1 is off",
    "engine_cutoffs.epsilon_cutoff_below_1": "1 is off",
    "engine_cutoffs.eta_cutoff_below_1": "1 is off",
    "engine_cutoffs.typical_and_ties": "also keeps the classes that tie with the last",
    "engine_cutoffs.typical_exceeding": "keeps one more class if the sum equals P",
    "engine_cutoffs.typical_exllamav2": "p + ln p in place of ln p; removes the class at which the sum reaches P",
    "engine_cutoffs.tail_free_exllamav2": "always removes the last of three or more classes; 0 is off",
    "engine_cutoffs.tail_free_always": "always removes the last class",
    "engine_cutoffs.tail_free_koboldcpp": "keeps one class fewer than tsoft, but keeps both if there are only two",
    "engine_cutoffs.top_n_sigma_of_sample": "sample standard deviation (n - 1); a masked class counts as 0",
    "engine_cutoffs.xtc_above": "a top choice is above T; all that tie with the least probable one stay",
    "engine_samplers.xtc_averaged": "averages both cases before adaptive_p",
    "engine_samplers.xtc_lowering": "lowers the logits by 999, so that adaptive_p brings the classes back",
    "engine_samplers.temperature_or_top": "at temperature 0, keeps the first of the most probable classes",
    "engine_samplers.adaptive_p_from_1e_8": "removes classes with a probability below 1e-8",
    "engine_penalties.presence_and_repetition": "repetition and presence over the last N tokens; no frequency",
    "engine_penalties.output_only_after_repetition": (
        "repetition over the prompt and the output; then presence and frequency over the output alone"
    ),
    "engine_penalties.output_only_before_repetition": (
        "all over the output alone: presence and frequency, then repetition (in overlap mode, the default)"
    ),
    "engine_penalties.repetition_only": "repetition over the whole text; no presence, no frequency",
    "engine_penalties.whole_text_at_0": "over the last N tokens; N = 0 is the whole text",
    "engine_penalties.dry_whole_text_at_0": "N = 0 is the whole text",
    "engine_penalties.dry_koboldcpp": "a breaker is penalized, too; N = 0 is the whole text",
    "engine_penalties.dry_up_to_50": (
        "a repetition counts up to 50 tokens, and from 1; the range is --penalty-last-n, 0 for the whole text"
    ),
}


def updated(page: str) -> str:
    """Return the text of a page with each generated table updated. The header of a table identifies it."""
    return _TABLE.sub(lambda match: TABLES.get(match["header"], match[0]), page)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> tuple[str, str]:
    """Return the header of a table, and the whole table."""
    header, *lines = (_line(cells) for cells in (columns, tuple("---" for _ in columns), *rows))
    return header, "".join(f"{line}\n" for line in (header, *lines))


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _option(parameter: SamplerParameter) -> str:
    return f"`{f'{parameter.option} {parameter.metavar}'.rstrip()}`"


def _values(parameter: SamplerParameter) -> str:
    if parameter is BIAS:
        return "any number, or -inf"
    if parameter is TAU:
        return "0 to inf"
    if parameter.low == -inf:
        return "any number"
    if parameter.is_flag:
        return "–"
    kind = "whole, " if parameter.whole else ""
    low = f"above {parameter.low:g}" if parameter.exclusive_low else f"{parameter.low:g}"
    if parameter.high == inf:
        return f"{kind}{low}" if parameter.exclusive_low else f"{kind}{low} or more"
    return f"{kind}{low}, at most {parameter.high:g}" if parameter.exclusive_low else f"{low} to {parameter.high:g}"


def _default(sampler: Sampler, parameter: SamplerParameter) -> str:
    if parameter is TAU:
        return "1"
    if parameter.off is None or parameter.is_flag:
        return _STATES[parameter.name] if parameter is sampler.state_parameter else "off"
    is_off = parameter in sampler.switch_parameters or parameter.off == parameter.low
    return "all" if parameter.off == inf else f"{parameter.off:g}" + " (off)" * is_off


def _near_zero(engine: Engine) -> str:
    """Return how an engine treats temperatures at and near 0."""
    if engine.low_tau.greedy_below is None:
        return "at temperature 0, its temperature sampler keeps only the most probable class"
    messages = (engine.low_tau_message(tau) for tau in (0.0, engine.min_tau / 2))
    return "; ".join(dict.fromkeys(filter(None, messages)))


def _order(samplers: tuple[Sampler, ...]) -> str:
    return " → ".join(f"`{sampler.name}`" for sampler in samplers)


def _rules(samplers: tuple[Sampler, ...], usual: tuple[Sampler, ...] = ()) -> str:
    """Return the rules that differ from tsoft's, or from the `usual` ones, and the values of parameters that are not
    set."""
    known = {sampler.name: _rule(sampler) for sampler in usual}
    rules = {sampler.name: _rule(sampler) for sampler in samplers}
    changed = {name: rule or "as in tsoft" for name, rule in rules.items() if rule != known.get(name, "")}
    return ". ".join(f"`{name}`: {rule}" for name, rule in changed.items())


def _rule(sampler: Sampler) -> str:
    """Return the rule of a sampler; empty if it is tsoft's."""
    usual = {parameter.name: parameter.off for _, parameter in _PARAMETERS}
    values = [
        f"{parameter.option} is {parameter.off:g}" + " (off)" * (parameter is sampler.parameters[0])
        for parameter in sampler.parameters
        if parameter.off is not None and parameter.off != usual[parameter.name]
    ]
    rule = [RULES[sampler.path]] if sampler.path.startswith("engine_") else []
    return "; ".join([*rule, *values])


def _variants(engine: Engine) -> dict[str, str]:
    """Return the changed order and rules of an engine's variants by their conditions."""
    facts: dict[str, list[str]] = {}
    for variant in engine.variants:
        names = [sampler.name for sampler in variant.samplers]
        same = [sampler for sampler in engine.samplers if sampler.name in names]
        missing = [f"`{sampler.name}`" for sampler in engine.samplers if sampler.name not in names]
        if [sampler.name for sampler in same] != names or len(missing) > len(names):
            order = _order(variant.samplers)
        else:
            order = f"without {' and '.join(missing)}" if missing else ""
        text = ". ".join(filter(None, [order, _rules(variant.samplers, engine.samplers)]))
        facts.setdefault(text, []).append(" and ".join(f"`{name}`" for name in variant.condition))
    return {f"with {', or '.join(conditions)}": text for text, conditions in facts.items()}


def _facts(engine: Engine, usual: tuple[Sampler, ...] = ()) -> dict[str, str]:
    """Return what the manual says about an engine, by topic."""
    source, api = engine.source, engine.api
    defaults = ", ".join(f"{_name(name)} {value:g}" for name, value in api.defaults)
    return {
        "source": f"{source.version} ({source.date}), {source.files}; {source.check}",
        "path": source.path,
        "order": _order(engine.samplers),
        "rules": _rules(engine.samplers, usual),
        **_variants(engine),
        "near τ = 0": _near_zero(engine),
        "accepts": ", ".join(f"{_name(limit.parameter)} {limit}" for limit in api.limits),
        "biases": "" if api.bias_range == (-inf, inf) else "clamped to the range {:g} to {:g}".format(*api.bias_range),
        "`--defaults`": f"{defaults}{';' * bool(api.defaults_note)} {api.defaults_note}".strip(),
        "API logprobs": api.logprobs,
        "not computed": _caveats(engine),
    }


def _caveats(engine: Engine) -> str:
    """Return what tsoft does not compute, one sentence for all samplers with the same caveat."""
    samplers: dict[str, list[str]] = {}
    for caveat in engine.caveats:
        samplers.setdefault(caveat.sentence, []).append(" and ".join(caveat.names))
    return ". ".join(f"With {' or '.join(names)}, {text}" for text, names in samplers.items())


def _name(parameter: str) -> str:
    return "temperature" if parameter == TAU.name else parameter


def _engine_table(engine: Engine) -> tuple[str, str]:
    """Return the table of an engine; of a path that is not the default one, only what differs from that."""
    default = DEFAULT_ENGINES[engine.family]
    facts = _facts(engine, default.samplers if engine.name != default.name else ())
    if engine.name != default.name:
        usual = _facts(default)
        facts = {topic: text for topic, text in facts.items() if usual.get(topic) != text}
    elif paths := paths_of(engine.family):
        facts["other paths"] = ", ".join(f"`{name}`" for name in paths[1:])
    return _table((f"`{engine.name}`", ""), [(topic, text) for topic, text in facts.items() if text])


_PARAMETERS = [(sampler, parameter) for sampler in SAMPLERS.values() for parameter in sampler.parameters]

# The tables are narrow, because `tsoft help` shows them on a terminal of 80 columns.
TABLES = dict(
    (
        _table(
            ("option", "values", "default", "name in `--samplers`"),
            [
                (_option(parameter), _values(parameter), _default(sampler, parameter), f"`{sampler.name}`")
                for sampler, parameter in _PARAMETERS
            ],
        ),
        *(_engine_table(ENGINES[name]) for engine in DEFAULT_ENGINES for name in (engine, *paths_of(engine)[1:])),
    )
)
