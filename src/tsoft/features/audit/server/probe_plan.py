"""The plan of an audit: the settings of its probes, and the number of its requests."""

from dataclasses import dataclass

# How many log-probabilities to request, from the most to the fewest that servers allow.
LIST_SIZES = (1000, 256, 100, 50, 20, 5)
# How many log-probabilities to request with a draw.
SHOWN = 5
# OpenAI allows no higher temperature. At a high one, the same token twice is no accident.
HIGH, LOW = 2.0, 0.5
# The top_p of the probe that shows whether log-probabilities come after cutoffs.
LOW_TOP_P = 0.5
# How many choices to request at once.
CHOICE_COUNTS = (8, 4, 2)
# How often to repeat one request, to draw at temperature 0 from each prompt, and to draw with a cutoff; and the number
# of seeds, each of which is tried twice.
REPEATS, PER_PROMPT, PER_CUTOFF, SEEDS = 4, 2, 10, 6
# The biased tokens. Every vocabulary has these ids. Most tokenizers have special tokens and bytes below 1000.
BIASED, BIAS, PER_BIAS = (1000, 2000), 100, 3
# A min_p that removes all tokens but the most probable one, and those that nearly tie with it.
HIGH_MIN_P = 0.99
# The run examines its draws after these shares of all draws.
STAGES = (0.25, 0.5, 1.0)
# A prompt has about one token for this number of characters, and a chat's template adds about as many tokens as this.
_CHARACTERS, _TEMPLATE = 3, 24


@dataclass(frozen=True)
class ProbeBudget:
    """An upper bound on what an audit sends: the requests, the tokens to generate, and about how many tokens the
    prompts have."""

    requests: int
    generated: int
    prompted: int


def probe_budget(prompts: tuple[str, ...], draws: int, settings: int, *, chat: bool) -> ProbeBudget:
    """Return the budget of an audit of some settings with this number of draws.

    >>> probe_budget(("A random word:",), 400, 2, chat=False)
    ProbeBudget(requests=469, generated=547, prompted=2814)
    """
    count = len(prompts)
    lists = len(LIST_SIZES) + 2 + (count - 1) + REPEATS + 3 + (2 + len(STAGES)) * count
    tries = 2 * SEEDS + PER_PROMPT * count + 2 * PER_CUTOFF + len(BIASED) * PER_BIAS + 1 + settings
    choices = 2 * len(CHOICE_COUNTS)
    requests = lists + tries + choices + draws
    generated = lists + tries + 2 * sum(CHOICE_COUNTS) + max(CHOICE_COUNTS) * ((1 + len(STAGES)) * count + 3) + draws
    tokens = sum(len(prompt) // _CHARACTERS + 2 + _TEMPLATE * chat for prompt in prompts) / count
    return ProbeBudget(requests, generated, round(requests * tokens))


def stage_ends(draws: int) -> list[int]:
    """Return the number of draws at the end of each stage.

    >>> stage_ends(400), stage_ends(3)
    ([100, 200, 400], [1, 2, 3])
    """
    return sorted({max(1, round(draws * share)) for share in STAGES})
