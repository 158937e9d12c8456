"""TabbyAPI e632af4 (theroyallab/tabbyAPI), backends/exllamav3/sampler.py and model.py, on ExLlamaV3 1.6.5.

Order: bias, repetition, presence and frequency penalties, bans, temperature, top-k, top-p, min-p, the temperature if it
is last, XTC, and adaptive-p or a draw. DRY, top-a, TFS, typical-p, smoothing and mirostat are ignored on ExLlamaV3.

The order of the filters is not that of ExLlamaV3's fused kernel, so a stack with min-p next to top-k or top-p runs step
by step, as does one with XTC or adaptive-p; one with min-p alone, or without it, runs in the kernel.
"""

from sampling.transcriptions.common import History, Row, Settings, greedy, require
from sampling.transcriptions.exllamav3 import COMBO, fused, is_set, penalized, stepwise


def tabbyapi(logits: Row, settings: Settings, history: History) -> Row:
    """TabbyAPI's stack. With adaptive-p, temperature 0 divides by 0 instead of being greedy."""
    require(settings, "TabbyAPI on ExLlamaV3", f"{COMBO} xtc_probability xtc_threshold")
    z = penalized(logits, settings, history)
    adaptive = settings.adaptive_target is not None and settings.adaptive_target < 1
    if settings.temperature == 0:
        if adaptive:
            raise NotImplementedError("TabbyAPI divides by temperature 0 before adaptive-p")
        return greedy(z)
    cuts = is_set(settings.top_k, 0) or is_set(settings.top_p, 1)
    xtc = bool(settings.xtc_probability) and (settings.xtc_threshold or 0.1) <= 0.5
    if adaptive or xtc or (settings.min_p and cuts):
        return stepwise(z, settings, ("top_k", "top_p", "min_p"), crossing=True)
    if settings.top_k == 1:
        return greedy(z)
    return fused(z, settings, crossing=True)
