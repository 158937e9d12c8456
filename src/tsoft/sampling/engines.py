"""The table of engines: the samplers of each, their order and its rules.

An engine is a row of ENGINES: its samplers in its order, and how it treats temperatures at or near 0. A
sampler whose rule differs from tsoft's has its function in `engine_cutoffs` or `engine_samplers`; the row
cites the source and its version.
"""

from dataclasses import dataclass, replace

from tsoft.sampling.sampler_table import BIAS, SAMPLERS, Sampler
from tsoft.sampling.step import Step


@dataclass(frozen=True)
class Engine:
    """The samplers of an engine and its treatment of low temperatures.

    `samplers` are in the engine's order. `source` is the file that defines its rules, with a version. At
    temperature 0, and below `greedy_below`, the engine decodes greedily, which `greedy_message` describes.
    `greedy_below` is None if the engine's temperature sampler handles these temperatures. The engine raises other
    temperatures below `min_tau` to `min_tau`. With `reorders`, users of the engine can choose the order.
    """

    name: str
    source: str
    samplers: tuple[Sampler, ...]
    greedy_below: float | None
    greedy_message: str = ""
    min_tau: float = 0.0
    reorders: bool = False

    def is_greedy(self, tau: float) -> bool:
        return self.greedy_below is not None and (tau == 0 or tau < self.greedy_below)

    def has(self, name: str) -> bool:
        return any(parameter.name == name for sampler in self.samplers for parameter in sampler.parameters)

    def low_tau_message(self, tau: float) -> str | None:
        """Return what the engine does differently at a temperature near 0; None if it does nothing special."""
        if self.is_greedy(tau):
            return self.greedy_message
        return f"raises a temperature below {self.min_tau:g} to {self.min_tau:g}" if tau < self.min_tau else None

    def greedy_steps(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Return the steps of a chain when decoding is greedy: the biases, then the most probable class."""
        return (*(step for step in steps if step.sampler.parameters[0] is BIAS), Step(GREEDY, ()))


GREEDY = Sampler("greedy", "engine_cutoffs.greedy", ())


# Samplers of which most engines have only the first parameter.
_PLAIN = ("temperature", "smoothing")


def _samplers(*names: str, **functions: str) -> tuple[Sampler, ...]:
    """Return the named samplers of the table, after the biases. `functions` are the paths of the functions that
    replace those in the table, by the sampler's name. Only llama.cpp's temperature may be dynamic, and no engine here
    has a curve in its smoothing."""
    return tuple(
        replace(
            SAMPLERS[name],
            path=functions.get(name, SAMPLERS[name].path),
            parameters=SAMPLERS[name].parameters[: 1 if name in _PLAIN and name not in functions else None],
        )
        for name in ("logit_bias", *names)
    )


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "transformers",
            "transformers 5.23.0, generation/logits_process.py",
            _samplers(
                *("temperature", "top_h", "top_k", "top_p", "min_p", "typ_p", "epsilon_cutoff", "eta_cutoff"),
                top_k="engine_cutoffs.top_k_and_ties",
                typ_p="engine_cutoffs.typical_and_ties",
            ),
            0.0,
            "refuses temperature 0; tsoft shows its greedy decoding (do_sample=False), without samplers",
        ),
        Engine(
            "llama.cpp",
            "llama.cpp e19fb5f, src/llama-sampling.cpp; its server's order",
            _samplers(
                *("top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"),
                typ_p="engine_cutoffs.typical_exceeding",
                top_p="engine_cutoffs.top_p_from_above",
                min_p="engine_cutoffs.min_p_of_logits",
                temperature="engine_samplers.temperature_or_top",
            ),
            None,
            reorders=True,
        ),
        Engine(
            "vllm",
            "vLLM V1, v1/sample/sampler.py, v1/sample/ops/topk_topp_sampler.py",
            _samplers("temperature", "min_p", "top_k", "top_p", top_k="engine_cutoffs.top_k_and_ties"),
            1e-5,
            "decodes greedily at a temperature below 1e-05, without samplers",
            # sampling_params.py.
            min_tau=0.01,
        ),
        Engine(
            "sglang",
            "SGLang 0.5.23, srt/layers/sampler.py, the PyTorch path",
            # All three use the same sorted probabilities: top-p does not renormalize them after top-k.
            _samplers("temperature", "top_p", "top_k", "min_p", top_p="engine_cutoffs.top_p_and_equal"),
            1e-6,
            "replaces a temperature below 1e-06 with temperature 1 and top_k 1",
        ),
        Engine(
            "mlx-lm",
            "mlx-lm d78bf58, mlx_lm/sample_utils.py",
            _samplers(
                *("top_p", "min_p", "xtc", "top_k", "temperature"),
                top_p="engine_cutoffs.top_p_unguarded",
                min_p="engine_cutoffs.min_p_of_logits",
                xtc="engine_cutoffs.xtc_above",
            ),
            0.0,
            "decodes greedily at temperature 0, without samplers",
        ),
        Engine(
            "exllamav2",
            "exllamav2 da07fac, exllamav2_ext/ext_sampling.cpp",
            _samplers(
                *("smoothing", "temperature", "top_k", "top_p", "top_a", "min_p", "tfs", "typ_p", "xtc"),
                top_p="engine_samplers.top_p_fitting",
                tfs="engine_cutoffs.tail_free_exllamav2",
                typ_p="engine_cutoffs.typical_exllamav2",
            ),
            0.01,
            "replaces a temperature below 0.01 with temperature 1 and top_k 1",
        ),
    )
}
