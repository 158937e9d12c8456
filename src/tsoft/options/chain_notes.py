"""Notes on chains: biases without a class, the text before the rows, logits that look like log-probabilities, an
engine's rules near τ = 0, and decisions by a tie or by float32."""

import contextlib
from typing import TYPE_CHECKING

from tsoft.errors import joined
from tsoft.notes import note
from tsoft.options.biases import Bias, missing_names
from tsoft.sampling.class_caveats import caveats_of_rows
from tsoft.sampling.engine import Engine
from tsoft.sampling.float32_check import FragileDecision, fragile_decisions
from tsoft.sampling.step import AllRemovedError

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.softmax import Array
    from tsoft.options.token_names import TokenNames
    from tsoft.sampling.chain import Chain

# The logarithm of the sum of log-probabilities is 0, less what unlisted classes and rounding to a few digits take away.
_MISSING, _ROUNDING = 0.1, 1e-3


class ChainNotes:
    """Notes on chains with these biases and these tokens before each row. Prints each kind of note once per engine."""

    def __init__(self, biases: tuple[Bias, ...], history: "TokenNames | None" = None):
        self._biases = biases
        self._history = history
        self._noted: set[str] = set()

    def note(self, block: "Block", chains: "tuple[Chain | None, ...]", taus: "Array") -> None:
        """Print the notes on a block that the chains are about to change."""
        self._note_missing(block)
        self._note_history(block)
        self._note_logprobs(block, chains)
        for chain in chains:
            if chain is None or chain.engine is None:
                continue
            for tau in taus.tolist():
                self._note_engine(chain, chain.engine, tau)
                # On a partial distribution, a decision by a tie is undecided.
                if block.partial is None:
                    self._note_fragile(chain, chain.engine.name, block, tau)
                    self._note_caveats(chain, chain.engine, block, tau)

    def _note_missing(self, block: "Block") -> None:
        missing = missing_names(self._biases, block)
        if missing and "biases" not in self._noted:
            self._noted.add("biases")
            names = ", ".join(map(repr, missing[:5])) + ", …" * (len(missing) > 5)
            note(f"row {block.first_row}: tsoft ignores the logit_bias of {names}: no class has this name")

    def _note_history(self, block: "Block") -> None:
        """Note a text that changes nothing. The rows may be the positions of one text, which have longer and longer
        texts before them, so also note the same text before several rows."""
        if self._history is None or "history" in self._noted:
            return
        source, names = self._history.source, self._history.names
        if not names:
            note(f"{source} has no tokens, so the samplers that depend on them change nothing")
        elif block.first_row + len(block.logits) > 1:
            note(f"tsoft takes the tokens of {source} for the text before each row")
        else:
            return
        self._noted.add("history")

    def _note_logprobs(self, block: "Block", chains: "tuple[Chain | None, ...]") -> None:
        """Print a note if a chain needs the raw logits, and the logits look like log-probabilities."""
        steps = [step for chain in chains if chain for step in chain.steps]
        names = dict.fromkeys(parameter.name for step in steps for parameter in step.raw_settings)
        if names and "raw" not in self._noted and _look_like_logprobs(block):
            self._noted.add("raw")
            reason = "the logits are below 0, and their exponentials sum to about 1"
            effect = f"if they are log-probabilities, the result is wrong, because {joined(list(names))}"
            note(f"{block.part(0, 1).location}: {reason}; {effect} needs the raw logits")

    def _note_engine(self, chain: "Chain", engine: Engine, tau: float) -> None:
        """Print a note on each value that the engine refuses, or treats in a way of its own."""
        settings = [setting for step in chain.at(tau) for setting in step.settings]
        refusals = [engine.refusal(parameter.name, value) for parameter, value in settings]
        if any(engine.applied_bias(bias.value) != bias.value for bias in self._biases):
            refusals.append("clamps biases to the range {:g} to {:g}; tsoft does, too".format(*engine.api.bias_range))
        for message in filter(None, [engine.low_tau_message(tau), *refusals]):
            if (sentence := f"{engine.name} {message}") not in self._noted:
                self._noted.add(sentence)
                note(sentence)

    def _note_fragile(self, chain: "Chain", engine: str, block: "Block", tau: float) -> None:
        if engine in self._noted:
            return
        # If no class remains, computing the distribution raises the error later.
        with contextlib.suppress(AllRemovedError):
            if decisions := fragile_decisions(chain, block.logits, tau):
                self._noted.add(engine)
                note(_fragile_message(decisions[0], block, engine, tau))

    def _note_caveats(self, chain: "Chain", engine: Engine, block: "Block", tau: float) -> None:
        caveats = [each for each in engine.caveats if each.message(engine.name) not in self._noted]
        with contextlib.suppress(AllRemovedError):
            for caveat, row, index in caveats_of_rows(chain, block.logits, tau, caveats):
                sentence = caveat.message(engine.name)
                if sentence not in self._noted:
                    self._noted.add(sentence)
                    note(f"{sentence} (row {block.rows[row]}, τ = {tau:g}: {block.names[index]!r})")


def _look_like_logprobs(block: "Block") -> bool:
    """Return whether the rows look like log-probabilities, perhaps without the least probable classes."""
    from tsoft.core.softmax import log_sum_exp

    if block.origin.quantity != "logit" or block.partial is not None or not (block.logits < 0).all():
        return False
    sums = log_sum_exp(block.logits)
    return bool(((sums > -_MISSING) & (sums < _ROUNDING)).all())


def _fragile_message(decision: FragileDecision, block: "Block", engine: str, tau: float) -> str:
    name = repr(block.names[decision.index])
    place, step = f"row {block.rows[decision.row]}, τ = {tau:g}", decision.step
    if decision.is_tie:
        effect = f"removes {name} but keeps a class that ties with it; which one depends on the engine's sort"
        return f"{place}: {step} of {engine} {effect}"
    effect = f"float32 rounding in {engine} may decide otherwise"
    return f"{place}: {name} is so close to the threshold of {step} that {effect}"
