"""What is noted of an engine: what it does near τ = 0, and where float32 or a tie decides."""

import contextlib
from typing import TYPE_CHECKING

from tsoft.notes import note
from tsoft.options.plan import Plan
from tsoft.sampling.engines import Engine
from tsoft.sampling.errors import AllRemovedError
from tsoft.sampling.float32_check import FragileDecision, fragile_decisions

if TYPE_CHECKING:
    from tsoft.core.block import Block
    from tsoft.core.softmax import Array
    from tsoft.sampling.chain import Chain


def say(plan: Plan, block: "Block", taus: "Array", said: set[str]) -> None:
    """Notes which classes a block lacks that have a bias; what a chain's engine does otherwise at
    a temperature; and where a class stays or goes by rounding or by a tie. Of each engine it is the first
    of either kind, which `said` remembers."""
    lacking = [bias.name for bias in plan.biases if bias.index(block) is None]
    if lacking and "biases" not in said:
        said.add("biases")
        names = ", ".join(map(repr, lacking[:5])) + ", …" * (len(lacking) > 5)
        note(f"row {block.first_row}: no class is called {names}, to which a logit_bias is given")
    for chain in plan.of(block):
        if chain is None or chain.engine is None:
            continue
        for tau in taus.tolist():
            _say_of(chain.engine, tau, said)
            _say_doubt(chain, chain.engine.name, block, tau, said)


def _say_of(engine: Engine, tau: float, said: set[str]) -> None:
    """What the engine does of its own at a temperature near 0."""
    sentence = engine.low_tau_message(tau)
    if sentence and sentence not in said:
        said.add(sentence)
        note(f"{engine.name} {sentence}")


def _say_doubt(chain: "Chain", engine: str, block: "Block", tau: float, said: set[str]) -> None:
    if engine in said:
        return
    # Where nothing is left, the distribution itself is an error.
    with contextlib.suppress(AllRemovedError):
        if found := fragile_decisions(chain, block.logits, tau):
            said.add(engine)
            note(_doubted(found[0], block, engine, tau))


def _doubted(doubt: FragileDecision, block: "Block", engine: str, tau: float) -> str:
    name = block.names[doubt.index] if block.partial else repr(block.names[doubt.index])
    where = f"row {block.rows[doubt.row]}, τ = {tau:g}: {doubt.step} of {engine}"
    if doubt.is_tie:
        return f"{where} removes {name}, which ties with a class that stays: which of them does is up to its sort"
    return f"{where} decides {name} otherwise in float32: it is {doubt.slack:.2g} from the threshold"
