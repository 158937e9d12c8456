"""Servers that draw from known logits with settings of their own, in plain numpy, and the audits of their draws.

A server may apply a setting that was not requested (hidden), or not apply one that was (ignored). The draws and the
sets of classes do not use the samplers of tsoft, so that they are a second source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.partial_distribution import PartialDistribution
from tsoft.features.audit.audit import Audit
from tsoft.features.audit.evidence import UNLISTED, DrawnRow, Evidence
from tsoft.features.audit.findings import AuditReport, Verdict
from tsoft.features.audit.requested import Requested
from tsoft.sampling.chain import chain_of
from tsoft.sampling.engines import ENGINES
from tsoft.sampling.sampler_table import SAMPLERS

Array = Any
# The samplers of three engines, in their order.
ORDERS = {
    "transformers": ("temperature", "top_k", "top_p", "min_p"),
    "llama.cpp": ("top_k", "top_p", "min_p", "temperature"),
    "vllm@pytorch": ("temperature", "min_p", "top_k", "top_p"),
}
# Which log-probabilities a server returns: those of its model, those after the temperature, or those after the cutoffs.
STAGES = ("raw", "tempered", "cut")


@dataclass(frozen=True)
class SimulatedServer:
    """A server with its engine, its temperature, and its cutoffs by name."""

    engine: str
    tau: float
    cutoffs: Mapping[str, float] = field(default_factory=dict)

    def logprobs(self, z: Array, stage: str = "cut") -> Array:
        """Return the log-probabilities of logits, (n,), at a stage: (n,). The last stage is what it draws from."""
        if stage == "cut":
            for name in ORDERS[self.engine]:
                z = z / self.tau if name == "temperature" else self._cut(z, name)
        elif stage == "tempered":
            z = z / self.tau
        with np.errstate(divide="ignore"):
            return np.log(_softmax(z))

    def _cut(self, z: Array, name: str) -> Array:
        """Return the logits with -inf for the classes that a cutoff removes."""
        if name not in self.cutoffs:
            return z
        value, order = self.cutoffs[name], np.argsort(-z, kind="stable")
        probs = _softmax(z)[order]
        if name == "top_k":
            is_kept = np.arange(len(z)) < value
        elif name == "top_p":
            is_kept = probs.cumsum() - probs < value
        else:
            is_kept = probs >= value * probs[0]
        is_kept[0] = True
        cut = np.full(len(z), -np.inf)
        cut[order[is_kept]] = z[order[is_kept]]
        return cut


def _softmax(z: Array) -> Array:
    weights = np.exp(z - z.max())
    return weights / weights.sum()


@dataclass(frozen=True)
class Form:
    """What the evidence is: some `rows` with the same number of `draws` each. A row has the logits of all classes, or
    the log-probabilities at a `stage` of the `listed` most probable ones; if `has_chosen`, it lists its draw, too."""

    name: str
    rows: int
    draws: int
    listed: int | None = None
    stage: str = "raw"
    has_chosen: bool = False


def zipf_logits(random: np.random.Generator, classes: int) -> Array:
    """Return logits like those of a language model: a long tail by Zipf's law, peaked in some rows and flat in
    others."""
    ranks = np.arange(1, classes + 1)
    exponent, shift = random.uniform(1.0, 2.0), random.uniform(0.0, 4.0)
    z = -exponent * np.log(ranks + shift) + random.normal(0.0, 0.3, classes)
    z[0] += random.exponential(0.7)
    return np.asarray(random.permutation(z))


@dataclass(frozen=True)
class Cell:
    """One combination of a server, what was requested of it, and the form of the evidence.

    `true_findings` are the names of the findings that may be contradicted, because the server does not apply the
    requested settings.
    """

    case: str
    server: SimulatedServer
    requested_tau: float
    requested_cutoffs: Mapping[str, float]
    form: Form
    true_findings: tuple[str, ...] = ()
    classes: int = 300

    @property
    def name(self) -> str:
        return f"{self.form.name}/{self.server.engine}/{self.server.tau:g}/{self.case}"

    @property
    def true_tau(self) -> float:
        """The temperature of the draws relative to the log-probabilities that the server returns."""
        return self.server.tau if self.form.stage == "raw" else 1.0

    def with_draws(self, total: int) -> "Cell":
        """Return the same cell with another number of draws in all."""
        form = self.form
        changed = replace(form, rows=total) if form.draws == 1 else replace(form, draws=total // form.rows)
        return replace(self, form=changed)

    def audit(self, random: np.random.Generator) -> Audit:
        """Draw, and return the audit of the draws."""
        rows = tuple(self._row(random, r) for r in range(self.form.rows))
        return Audit(Evidence(rows, may_be_tempered=self.form.stage != "raw"), self.requested)

    def _row(self, random: np.random.Generator, r: int) -> DrawnRow:
        z = zipf_logits(random, self.classes)
        probs = np.exp(self.server.logprobs(z))
        draws = random.choice(len(z), self.form.draws, p=probs / probs.sum())
        if self.form.listed is None:
            return DrawnRow(Block(z[np.newaxis], first_row=r), draws)
        logprobs = self.server.logprobs(z, self.form.stage)
        order = np.argsort(-logprobs, kind="stable")
        listed = order[: self.form.listed]
        # After the cutoffs, a server lists no removed class.
        listed = listed[logprobs[listed] > -np.inf]
        cap = float(logprobs[listed[-1]])
        if self.form.has_chosen and draws[0] not in listed:
            listed = np.append(listed, draws[0])
        place = np.full(len(z), UNLISTED)
        place[listed] = np.arange(len(listed))
        partial = PartialDistribution(logprobs[listed], max(0, int(place[draws[0]])), cap)
        block = Block(logprobs[listed][np.newaxis], first_row=r, partial=partial)
        return DrawnRow(block, place[draws], self.form.has_chosen)

    @property
    def requested(self) -> Requested:
        active = [
            sampler
            for sampler in SAMPLERS.values()
            if sampler.is_temperature or any(one.name in self.requested_cutoffs for one in sampler.parameters)
        ]
        return Requested(
            self.requested_tau, chain_of(ENGINES[self.server.engine], None, active, dict(self.requested_cutoffs))
        )

    def false_contradictions(self, report: AuditReport) -> list[str]:
        """Return the names of the findings that are contradicted although the server applies the requested settings."""
        names = [finding.name for finding in report.findings if finding.verdict is Verdict.CONTRADICTED]
        return [name for name in names if name not in self._true_findings]

    def is_found(self, report: AuditReport) -> bool:
        """Return whether a report shows what the server does wrong."""
        names = {finding.name for finding in report.findings if finding.verdict is Verdict.CONTRADICTED}
        return bool(names & self._true_findings)

    @property
    def _true_findings(self) -> set[str]:
        names = set(self.true_findings)
        return names | {"together"} if names & {"tau", "other_cutoffs"} else names


# Evidence with 400 draws, except for the single draws, of which 200 are as slow as many more in few rows.
FORMS = (
    Form("whole", 5, 80),
    Form("single", 200, 1),
    Form("list20", 5, 80, 20),
    Form("list5", 5, 80, 5),
    Form("chosen20", 200, 1, 20, has_chosen=True),
    Form("chosen5", 200, 1, 5, has_chosen=True),
    Form("tempered20", 5, 80, 20, "tempered"),
    Form("cut20", 5, 80, 20, "cut"),
)
_CUTOFFS: tuple[Mapping[str, float], ...] = (
    {},
    {"top_k": 20},
    {"top_p": 0.9},
    {"min_p": 0.05},
    {"top_k": 40, "top_p": 0.9},
)
TAUS = (0.3, 0.7, 1.0, 1.4)


def cells_of(form: Form, engine: str, tau: float) -> list[Cell]:
    """Return the cells of a form, an engine and a temperature: servers that do what was requested, with hidden cutoffs,
    with ignored ones, and with another temperature."""
    cells = []
    for cutoffs in _CUTOFFS:
        name = "+".join(f"{key}={value:g}" for key, value in cutoffs.items()) or "plain"
        server = SimulatedServer(engine, tau, cutoffs)
        cells.append(Cell(name, server, tau, cutoffs, form))
        if not cutoffs:
            continue
        cells.append(Cell(f"hidden {name}", server, tau, {}, form, ("other_cutoffs",)))
        cells.append(Cell(f"ignored {name}", SimulatedServer(engine, tau), tau, cutoffs, form, (*cutoffs, "order")))
    both = SimulatedServer(engine, tau, {"top_k": 20, "top_p": 0.95})
    cells.append(Cell("top_p=0.95, hidden top_k=20", both, tau, {"top_p": 0.95}, form, ("other_cutoffs",)))
    for requested in (0.8 * tau, 1.25 * tau):
        case, top_p = f"requested tau {requested / tau:g}x", {"top_p": 0.9}
        cells.append(Cell(case, SimulatedServer(engine, tau), requested, {}, form, ("tau",)))
        server = SimulatedServer(engine, tau, top_p)
        cells.append(Cell(f"{case}, top_p=0.9", server, requested, top_p, form, ("tau",)))
    return cells


CELLS = [cell for form in FORMS for engine in ORDERS for tau in TAUS for cell in cells_of(form, engine, tau)]
