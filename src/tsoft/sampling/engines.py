"""How each engine samples: its order, and its rules where they are not those of the table.

An engine is a row of ENGINES: its samplers in their order, and what it does at temperature 0. Where a
rule differs there is a function of its own here; the source and its version stand in the row.
"""

from dataclasses import dataclass, replace

from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU, Sampler
from tsoft.sampling.step import Step


@dataclass(frozen=True)
class Engine:
    """How an engine samples. `samplers` are in its order, with its rules; `source` is where they stand,
    with a version. Temperature 0, and what is under `greedy_below`, it takes for greedy decoding, as
    `at_zero` says; None where its temperature sampler itself does so. What is under `coldest` besides it
    raises to that. With `reorders` the order is for its user to choose."""

    name: str
    source: str
    samplers: tuple[Sampler, ...]
    greedy_below: float | None
    at_zero: str = ""
    coldest: float = 0.0
    reorders: bool = False

    def is_greedy(self, tau: float) -> bool:
        return self.greedy_below is not None and (tau == 0 or tau < self.greedy_below)

    def has(self, parameter: str) -> bool:
        return any(parameter == its.name for sampler in self.samplers for its in sampler.parameters)

    def when_cold(self, tau: float) -> str | None:
        """What it does of its own at a temperature near 0, None where that is nothing."""
        if self.is_greedy(tau):
            return self.at_zero
        return f"raises a temperature under {self.coldest:g} to it" if tau < self.coldest else None

    def greedy_steps(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """What is left of a chain's steps where decoding is greedy: the biases, and then the top class."""
        return (*(step for step in steps if step.sampler.parameters[0] is BIAS), Step(GREEDY, ()))


GREEDY = Sampler("greedy", "engine_rules.greedy", ())


def _rules(*names: str, **rules: str) -> tuple[Sampler, ...]:
    """Those samplers of the table, after the biases. Where the engine has a rule of its own, `rules` names
    its function in `engine_rules`. Only llama.cpp's temperature may be dynamic."""
    return tuple(
        replace(
            SAMPLERS[name],
            path=f"engine_rules.{rules[name]}" if name in rules else SAMPLERS[name].path,
            parameters=(TAU,) if name == "temperature" and name not in rules else SAMPLERS[name].parameters,
        )
        for name in ("logit_bias", *names)
    )


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "transformers",
            "transformers 5.23.0, generation/logits_process.py",
            _rules(
                *("temperature", "top_h", "top_k", "top_p", "min_p", "typ_p", "epsilon_cutoff", "eta_cutoff"),
                top_k="top_k_and_ties",
                typ_p="typical_and_ties",
            ),
            0.0,
            "refuses temperature 0: this is its greedy decoding (do_sample=False), without samplers",
        ),
        Engine(
            "llama.cpp",
            "llama.cpp e19fb5f, src/llama-sampling.cpp; its server's order",
            _rules(
                *("top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"),
                typ_p="typical_over",
                top_p="top_p_from_above",
                min_p="min_p_of_logits",
                temperature="temperature_or_top",
            ),
            None,
            reorders=True,
        ),
        Engine(
            "vllm",
            "vLLM V1, v1/sample/sampler.py, v1/sample/ops/topk_topp_sampler.py",
            _rules("temperature", "min_p", "top_k", "top_p", top_k="top_k_and_ties"),
            1e-5,
            "decodes greedily at a temperature under 1e-05, without samplers",
            # sampling_params.py.
            coldest=0.01,
        ),
        Engine(
            "sglang",
            "SGLang 0.5.23, srt/layers/sampler.py, the PyTorch path",
            # All three look at the same sorted probabilities: top-p's sum is not of what top-k leaves.
            _rules("temperature", "top_p", "top_k", "min_p", top_p="top_p_and_equal"),
            1e-6,
            "takes a temperature under 1e-06 for temperature 1 with top_k 1",
        ),
        Engine(
            "mlx-lm",
            "mlx-lm d78bf58, mlx_lm/sample_utils.py",
            _rules(
                *("top_p", "min_p", "xtc", "top_k", "temperature"),
                top_p="top_p_unguarded",
                min_p="min_p_of_logits",
                xtc="xtc_over",
            ),
            0.0,
            "takes temperature 0 for argmax, without samplers",
        ),
        Engine(
            "exllamav2",
            "exllamav2 da07fac, exllamav2_ext/ext_sampling.cpp",
            _rules(
                *("smoothing", "temperature", "top_k", "top_p", "top_a", "min_p", "tfs", "typ_p", "xtc"),
                top_p="top_p_what_fits",
                tfs="tail_free_exllamav2",
                typ_p="typical_exllamav2",
            ),
            0.01,
            "takes a temperature under 0.01 for temperature 1 with top_k 1",
        ),
    )
}
