"""ExLlamaV2 da07fac (turboderp-org/exllamav2), exllamav2_ext/ext_sampling.cpp, cpp/sampling.cpp, generator/sampler.py.

Order: repetition, presence and frequency penalties in one pass back through the context, bias, then `sample_basic`:
smoothing and temperature with softmax, top-k, top-p, top-a, min-p, TFS, typical-p, mirostat, the temperature if it is
last (or the dynamic one), XTC. Most steps renormalize, and all but top-k stop at one candidate.

The candidates are the first part of an array, whose rest still has what earlier steps have removed. Min-p, top-a and
XTC read one place too far, so a removed class can come back, or a class can be there twice. Past the end of the array
there is unknown memory; here, a class with probability 0.

The source draws with a uniform number below 0.9998, so the last classes in candidate order are drawn a little less
often, or never; these are the probabilities before that. DRY there is a trie of n-grams, which this leaves out.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from sampling.transcriptions.common import (
    FLOAT,
    History,
    Row,
    Settings,
    biased,
    entropy,
    normalized,
    require,
    total,
)

DEFAULTS = Settings(temperature=0.8, top_k=50, top_p=0.8, repetition_penalty=1.025)
SUPPORTED = (
    "temperature temperature_last top_k top_p top_a min_p tfs typical_p smoothing_factor dynatemp_low dynatemp_high"
    " dynatemp_exponent xtc_probability xtc_threshold mirostat_tau mirostat_eta mirostat_mu repetition_penalty"
    " presence_penalty frequency_penalty penalty_last_n logit_bias"
)
Entry = tuple[np.float32, int]
BEYOND: Entry = (FLOAT(0), -1)


@dataclass
class Candidates:
    """An array of probabilities with class ids, of which the first `count` are the candidates."""

    entries: list[Entry] = field(default_factory=list)
    count: int = 0

    def front(self) -> list[Entry]:
        """The candidates."""
        return self.entries[: self.count]

    def largest(self) -> np.float32:
        """The largest probability of a candidate."""
        return max(p for p, _ in self.front())

    def put(self, entries: list[Entry], count: int) -> None:
        """Write entries at the start of the array, and set the number of candidates."""
        self.entries[: len(entries)] = entries
        self.count = count

    def swap(self, i: int, j: int) -> None:
        """Exchange two entries."""
        self.entries[i], self.entries[j] = self.entries[j], self.entries[i]

    def normalize(self) -> None:
        """Multiply the candidates by the reciprocal of their sum."""
        factor = FLOAT(FLOAT(1) / total(np.array([p for p, _ in self.front()], FLOAT)))
        self.put([(FLOAT(p * factor), token) for p, token in self.front()], self.count)


def exllamav2(logits: Row, settings: Settings, history: History) -> Row:
    """The CPU sampler; a temperature under 0.01 becomes 1 with top-k 1. All zero if XTC removes everything."""
    require(settings, "exllamav2", SUPPORTED)
    z = biased(penalized(logits, settings, history), settings.logit_bias)
    tau = 1 if settings.temperature is None else settings.temperature
    first, last = (1, tau) if settings.temperature_last else (tau, 1)
    k = settings.top_k or 0
    if first < 0.01:
        first, k = 1, 1
    candidates = tempered(z, first, settings.smoothing_factor or 0)
    if 0 < k < len(z):
        top_k(candidates, k, int(np.argmax(z)))
        candidates.normalize()
    for step in steps(settings):
        if candidates.count > 1:
            step(candidates)
            candidates.normalize()
    cool(candidates, last, settings)
    if settings.xtc_probability:
        xtc(candidates, settings.xtc_probability, 0.1 if settings.xtc_threshold is None else settings.xtc_threshold)
    out = np.zeros(len(z) + 1, FLOAT)
    for p, token in candidates.front():
        out[token] += p
    return normalized(out[:-1]) if out[:-1].any() else out[:-1]


def penalized(logits: Row, settings: Settings, history: History) -> Row:
    """Newest token first: z > 0 divided by r, else times r, minus presence, once; minus frequency each time."""
    z = np.array(logits, FLOAT)
    seen: set[int] = set()
    r = FLOAT(1 if settings.repetition_penalty is None else settings.repetition_penalty)
    for token in reversed(history.last(-1 if settings.penalty_last_n is None else settings.penalty_last_n)):
        if token not in seen:
            z[token] = z[token] / r if z[token] > 0 else z[token] * r
            z[token] -= FLOAT(settings.presence_penalty or 0)
            seen.add(token)
        z[token] -= FLOAT(settings.frequency_penalty or 0)
    return z


def tempered(z: Row, tau: float, smoothing: float) -> Candidates:
    """softmax(z / τ), or with a smoothing factor F that of −F·(z − max)² / τ, in index order."""
    shifted = (z - z.max()).astype(FLOAT)
    scale = FLOAT(FLOAT(1) / FLOAT(FLOAT(tau) / FLOAT(smoothing) if smoothing > 0 else tau))
    weights = np.exp((-shifted * shifted if smoothing > 0 else shifted) * scale).astype(FLOAT)
    p = weights * FLOAT(FLOAT(1) / total(weights))
    return Candidates([*((FLOAT(value), token) for token, value in enumerate(p)), *[BEYOND] * 4], len(z))


def steps(settings: Settings) -> list[Callable[[Candidates], None]]:
    """Top-p to mirostat, as far as the request sets them."""
    s, found = settings, list[Callable[[Candidates], None]]()
    if s.top_p is not None and 0 < s.top_p < 1:
        found.append(partial(top_p, limit=FLOAT(s.top_p)))
    if s.top_a is not None and s.top_a > 0:
        found.append(partial(top_a, a=FLOAT(s.top_a)))
    if s.min_p is not None and 0 < s.min_p < 1:
        found.append(partial(min_p, share=FLOAT(s.min_p)))
    if s.tfs is not None and 0 < s.tfs < 1:
        found.append(partial(tail_free, z=FLOAT(s.tfs)))
    if s.typical_p is not None and 0 < s.typical_p < 1:
        found.append(partial(typical, mass=FLOAT(s.typical_p)))
    if s.mirostat_tau is not None:
        found.append(partial(mirostat, mu=s.mirostat_mu or 2 * s.mirostat_tau))
    return found


def top_k(candidates: Candidates, k: int, maximum: int) -> None:
    """A heap of k; a later class replaces the smallest (of tied ones the lowest id) only if it is strictly larger."""
    if k == 1:
        candidates.swap(0, maximum)
        candidates.count = 1
        return
    heap = candidates.entries[:k]
    heapq.heapify(heap)
    for entry in candidates.entries[k : candidates.count]:
        if entry[0] > heap[0][0]:
            heapq.heapreplace(heap, entry)
    candidates.put(sorted(heap, reverse=True), k)


def top_p(candidates: Candidates, limit: np.float32) -> None:
    """In candidate order into a heap, out of which the smallest go while the sum exceeds p and more than one is left.

    So the class that crosses p goes, but a smaller one later in the order stays if it still fits under p, and of tied
    ones the lowest ids go. Candidates under 1e-6 are skipped.
    """
    heap: list[Entry] = []
    mass = FLOAT(0)
    for entry in candidates.front():
        p = entry[0]
        if p < FLOAT(1e-6) or (mass > limit and p < heap[0][0]):
            continue
        heapq.heappush(heap, entry)
        mass = FLOAT(mass + p)
        while mass > limit and len(heap) > 1:
            mass = FLOAT(mass - heapq.heappop(heap)[0])
    candidates.put(sorted(heap, reverse=True), len(heap))


def top_a(candidates: Candidates, a: np.float32) -> None:
    """Keeps what is at least a · max²."""
    keep_threshold(candidates, a * candidates.largest() * candidates.largest())


def min_p(candidates: Candidates, share: np.float32) -> None:
    """Keeps what is at least share · max."""
    keep_threshold(candidates, candidates.largest() * share)


def keep_threshold(candidates: Candidates, threshold: np.float32) -> None:
    """Moves entries of at least the threshold to the front, and counts them.

    When the search from the front has passed the one from the back, the last kept entry is exchanged with the one after
    it, and both count. That brings in an entry under the threshold, or one that an earlier step has removed.
    """
    entries = candidates.entries
    i, j = 0, candidates.count - 1
    while j >= i:
        while entries[i][0] >= threshold and j >= i:
            i += 1
        if entries[j][0] >= threshold:
            candidates.swap(i, j)
            i += 1
        j -= 1
    candidates.count = i


def discard_tiny(candidates: Candidates) -> int:
    """Moves candidates under 1e-8 behind the others, and returns how many others there are."""
    tiny = FLOAT(1e-8)
    i, j = 0, candidates.count - 1
    while i <= j:
        if candidates.entries[j][0] < tiny:
            j -= 1
        elif candidates.entries[i][0] >= tiny:
            i += 1
        else:
            candidates.swap(i, j)
            i, j = i + 1, j - 1
    return i


def sort_descending(candidates: Candidates) -> int:
    """Sorts what is not tiny, and returns how many that are. The source's quicksort leaves ties in another order."""
    size = discard_tiny(candidates)
    candidates.put(sorted(candidates.entries[:size], key=lambda entry: -entry[0]), candidates.count)
    return size


def tail_free(candidates: Candidates, z: np.float32) -> None:
    """Keeps one class more than the second differences whose cumulative share is at most z, so the last class goes."""
    if candidates.count < 3:
        return
    size = sort_descending(candidates)
    p = [entry[0] for entry in candidates.entries[:size]]
    bends = [abs(FLOAT(-p[i] + FLOAT(2) * p[i + 1] - p[i + 2])) for i in range(size - 2)]
    running, count = FLOAT(0), 0
    with np.errstate(divide="ignore", invalid="ignore"):
        share = FLOAT(1) / total(np.array(bends, FLOAT)) if bends else FLOAT(0)
        for bend in bends:
            running = FLOAT(running + bend * share)
            if running > z:
                break
            count += 1
    candidates.count = count + 1


def typical(candidates: Candidates, mass: np.float32) -> None:
    """By the distance of y = p + ln p from Σ p·y, as the source has it; the class that reaches the mass goes."""
    entries = candidates.entries[: discard_tiny(candidates)]
    scores = [FLOAT(p + np.log(FLOAT(p + FLOAT(1e-10)))) for p, _ in entries]
    center = FLOAT(0)
    for (p, _), score in zip(entries, scores, strict=True):
        center = FLOAT(center + p * score)
    order = sorted(range(len(entries)), key=lambda i: abs(FLOAT(scores[i] - center)))
    running, written = FLOAT(0), list[Entry]()
    for i in order:
        written.append(entries[i])
        running = FLOAT(running + entries[i][0])
        if running >= mass:
            break
    reached = running >= mass
    candidates.put(written, max(len(written) - int(reached), 1))


def mirostat(candidates: Candidates, mu: float) -> None:
    """From the largest, until a probability is under 2^−μ; at least one."""
    size = sort_descending(candidates)
    threshold = FLOAT(2.0**-mu)
    small = [i for i in range(1, size) if candidates.entries[i][0] < threshold]
    candidates.count = max(small[0] if small else size, 1)


def cool(candidates: Candidates, last: float, settings: Settings) -> None:
    """The temperature after the samplers, fixed or dynamic: a power of the probabilities."""
    low, high = settings.dynatemp_low or 0, settings.dynatemp_high or 0
    if candidates.count < 2 or (last == 1 and high <= low):
        return
    p = np.array([entry[0] for entry in candidates.front()], FLOAT)
    if high > low:
        exponent = FLOAT(1 if settings.dynatemp_exponent is None else settings.dynatemp_exponent)
        share = entropy(p) / (-np.log(FLOAT(1) / FLOAT(len(p))))
        last = float(FLOAT(low) + FLOAT(high - low) * share**exponent)
    powers = p ** FLOAT(FLOAT(1) / FLOAT(last))
    pairs = zip(powers, candidates.front(), strict=True)
    candidates.put([(FLOAT(power), token) for power, (_, token) in pairs], candidates.count)
    candidates.normalize()


def xtc(candidates: Candidates, probability: float, threshold: float) -> None:
    """Both cases of XTC in one distribution: a class loses `probability` of its share if the NEXT entry qualifies.

    The source means to spare the least probable class over the threshold, but compares an index with a probability, and
    looks one place too far. For sorted candidates that amounts to XTC (but for the place after the last), else not.
    """
    over = [p for p, _ in candidates.front() if p >= FLOAT(threshold)]
    if len(over) <= 1:
        return
    mass = FLOAT(0)
    for p in over:
        mass = FLOAT(mass + p)
    mass = FLOAT(mass - min(over))
    gain = FLOAT(1) + FLOAT(probability) * mass / FLOAT(FLOAT(1) - mass) if mass < 1 else FLOAT(math.inf)
    for i in range(candidates.count):
        p, token = candidates.entries[i]
        excluded = candidates.entries[i + 1][0] >= FLOAT(threshold)
        factor = FLOAT(FLOAT(1) - FLOAT(probability)) if excluded else gain
        candidates.entries[i] = (FLOAT(p * factor), token)
