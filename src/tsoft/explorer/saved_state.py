"""The whole state of the explorer as a file: its rows, the samplers, the edits, the mark and the compared engine."""

import json
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from tsoft.core.block import Block, Origin
from tsoft.errors import TsoftError
from tsoft.explorer.checked_json import CheckedJson, number_value
from tsoft.explorer.explorer_state import ExplorerState, Picture
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.sampler_state import LogitBiases, SamplerSetting, SamplerState
from tsoft.input.json_values import Location
from tsoft.input.limits import read_limited
from tsoft.output.control_characters import escaped_json
from tsoft.sampling.engines import ENGINES, Engine
from tsoft.sampling.sampler_table import BIAS, SAMPLERS, TAU

ENDING = ".tsoft"
VERSION = 1
# A file has at most this many logits, which keeps it below about 50 MB, and labels of a usual length.
MAX_LOGITS, MAX_BYTES = 1_000_000, 1 << 27


class UnsavableError(TsoftError):
    """A state that a file cannot contain."""


@dataclass(frozen=True, eq=False)
class SavedState:
    """The rows, each a block of one row, with their `titles`, if any, and their logit `biases`; the state; and whether
    entropies are in bits.
    """

    blocks: tuple[Block, ...]
    titles: tuple[str, ...]
    biases: tuple[LogitBiases, ...]
    state: ExplorerState
    bits: bool = False

    def text(self) -> str:
        """Return the text of the file. Raise UnsavableError."""
        if any(block.partial is not None for block in self.blocks):
            raise UnsavableError("a saved state cannot contain an API response; save the numbers as .json")
        if any(samplers.needs_history for samplers in self.state.all_samplers):
            problem = "a saved state does not contain the tokens before the distribution"
            raise UnsavableError(f"{problem}; switch the penalties and DRY off, or save the numbers as .json")
        if sum(block.logits.size for block in self.blocks) > MAX_LOGITS:
            raise UnsavableError(f"a saved state contains at most {MAX_LOGITS} logits; save the numbers as .json")
        data = {
            "format": "tsoft explore",
            "version": VERSION,
            "bits": self.bits,
            "titles": list(self.titles),
            "rows": [_row_data(block, biases) for block, biases in zip(self.blocks, self.biases, strict=True)],
            "state": _state_data(self.state),
        }
        text = json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n"
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise UnsavableError("a label or a row id is not valid text, so a saved state cannot contain it")
        text = escaped_json(text.encode())
        if len(text.encode()) > MAX_BYTES:
            raise UnsavableError(f"a saved state has at most {MAX_BYTES >> 20} MB; save the numbers as .json")
        return text


def read_state(data: bytes, source: str) -> SavedState:
    """Return the state of a file. Raise InputError, which names the `source`, if a part is damaged."""
    root = CheckedJson.parsed(data, source)
    if not isinstance(root.value, dict) or root.value.get("format") != "tsoft explore":
        root.refuse("not a saved state of tsoft explore")
    if root.value.get("version") != VERSION:
        root.refuse("saved by another version of tsoft; this version reads version 1")
    _, _, bits, titles, rows, state = root.fields("format", "version", "bits", "titles", "rows", "state")
    read = [_read_row(row, number) for number, row in enumerate(rows.items())]
    if not read:
        rows.refuse("expected one row at least")
    names = tuple(title.text() for title in titles.items())
    if len(names) not in (0, len(read)):
        titles.refuse(f"expected one title per row, or no title; got {len(names)} for {len(read)} rows")
    blocks, biases = zip(*read, strict=True)
    return SavedState(blocks, names, biases, _read_state(state, blocks), bits.flag())


def open_state(name: str) -> SavedState:
    """Return the state of the file with this name. Raise InputError."""
    try:
        with open(name, "rb") as file:
            data = read_limited(file, MAX_BYTES, name, "saved state")
    except (OSError, ValueError) as error:
        raise Location(name).error(getattr(error, "strerror", None) or str(error)) from None
    return read_state(data, name)


# Rows.


def _row_data(block: Block, biases: LogitBiases) -> dict[str, Any]:
    key = block.keys[0] if block.keys else None
    return {
        **({} if key is None else {"key": key if isinstance(key, str) else int(key)}),
        "quantity": block.origin.quantity,
        "labels": None if block.labels is None else list(block.labels),
        "logits": list(map(number_value, block.logits[0].astype(np.float64).tolist())),
        "biases": [[index, number_value(bias)] for index, bias in biases],
    }


def _read_row(row: CheckedJson, number: int) -> tuple[Block, LogitBiases]:
    # The row of an input without keys has none.
    has_key = isinstance(row.value, dict) and "key" in row.value
    quantity, labels, logits, biases, *keys = row.fields("quantity", "labels", "logits", "biases", *["key"] * has_key)
    values = [_read_logit(logit) for logit in logits.items()]
    if not any(value > -inf for value in values):
        logits.refuse("one class at least must not be masked")
    names = None if labels.value is None else tuple(label.text() for label in labels.items(len(values)))
    origin = Origin(quantity.choice(("logit", "energy", "prob", "logprob")), labels_vary=True)
    pairs = _read_pairs(biases, len(values), is_bias=True)
    block = Block(np.array([values], np.float64), names, number, origin, keys=[_read_key(key) for key in keys] or None)
    return block, pairs


def _read_key(key: CheckedJson) -> str | int:
    if type(key.value) is int:
        return key.value
    if not isinstance(key.value, str):
        key.refuse("expected a text or a whole number")
    return key.text()


def _read_logit(value: CheckedJson) -> float:
    number = value.number()
    if number == inf:
        value.refuse("a logit is a number or -inf")
    return number


def _read_pairs(pairs: CheckedJson, classes: int, *, is_bias: bool = False) -> tuple[tuple[int, float], ...]:
    """Return pairs of a class index and a logit, or a bias, which may be -inf. The indices must ascend."""
    read = []
    for pair in pairs.items():
        index, logit = pair.items(2)
        read.append((index.whole(classes), _read_logit(logit) if is_bias else _read_finite(logit)))
    if not is_bias and [index for index, _ in read] != sorted({index for index, _ in read}):
        pairs.refuse("the class indices must ascend")
    return tuple(read)


def _read_finite(value: CheckedJson) -> float:
    number = value.number()
    if abs(number) == inf:
        value.refuse("expected a finite number")
    return number


# The state.


def _state_data(state: ExplorerState) -> dict[str, Any]:
    return {
        "row": state.number,
        "input_order": state.input_order,
        "filter": state.filter,
        "samplers": _samplers_data(state.samplers),
        "edits": [{"row": number, "edit": _edit_data(edit)} for number, edit in state.edits],
        "mark": None if state.mark is None else _picture_data(state.mark),
        "compared": state.compared.name if state.compared else None,
    }


def _read_state(state: CheckedJson, blocks: tuple[Block, ...]) -> ExplorerState:
    row, input_order, text, samplers, edits, mark, compared = state.fields(
        "row", "input_order", "filter", "samplers", "edits", "mark", "compared"
    )
    read_edits = []
    for item in edits.items():
        number, edit = item.fields("row", "edit")
        read_edits.append((number.whole(len(blocks)), _read_edit(edit, blocks[number.whole(len(blocks))])))
    if [number for number, _ in read_edits] != sorted({number for number, _ in read_edits}):
        edits.refuse("the rows must ascend")
    read_samplers = _read_samplers(samplers)
    return ExplorerState(
        read_samplers,
        row.whole(len(blocks)),
        input_order.flag(),
        text.text(),
        tuple((number, edit) for number, edit in read_edits if edit != RowEdit()),
        None if mark.value is None else _read_picture(mark, blocks),
        _read_compared(compared, read_samplers.engine),
    )


def _read_compared(compared: CheckedJson, engine: Engine | None) -> Engine | None:
    other = _read_engine(compared)
    if other and (engine is None or other is engine):
        compared.refuse("only an engine is compared, with another one")
    return other


def _picture_data(picture: Picture) -> dict[str, Any]:
    return {
        "row": picture.number,
        "edit": _edit_data(picture.edit),
        "samplers": _samplers_data(picture.samplers),
    }


def _read_picture(picture: CheckedJson, blocks: tuple[Block, ...]) -> Picture:
    row, edit, samplers = picture.fields("row", "edit", "samplers")
    number = row.whole(len(blocks))
    return Picture(number, _read_edit(edit, blocks[number]), _read_samplers(samplers))


def _edit_data(edit: RowEdit) -> dict[str, Any]:
    return {
        "logits": [list(pair) for pair in edit.logits],
        "added": [list(pair) for pair in edit.added],
        "masked": list(edit.masked),
    }


def _read_edit(edit: CheckedJson, block: Block) -> RowEdit:
    logits, added, masked = edit.fields("logits", "added", "masked")
    classes = [item.items(2) for item in added.items()]
    new = tuple((label.text(), _read_finite(logit)) for label, logit in classes)
    count = block.logits.shape[1] + len(new)
    indices = tuple(index.whole(count) for index in masked.items())
    if list(indices) != sorted(set(indices)):
        masked.refuse("the class indices must ascend")
    read = RowEdit(_read_pairs(logits, count), new, indices)
    if not (read.applied(block).logits > -inf).any():
        edit.refuse("one class at least must not be masked")
    return read


def _samplers_data(samplers: SamplerState) -> dict[str, Any]:
    return {
        "engine": samplers.engine.name if samplers.engine else None,
        "settings": [
            {
                "sampler": setting.sampler.name,
                "on": setting.on,
                "values": {
                    name: None if value is None else number_value(value) for name, value in setting.values.items()
                },
            }
            for setting in samplers.settings
            if not setting.sampler.needs_history
        ],
    }


def _read_samplers(samplers: CheckedJson) -> SamplerState:
    engine_name, settings = samplers.fields("engine", "settings")
    engine = _read_engine(engine_name)
    read = tuple(_read_setting(setting) for setting in settings.items())
    names = [setting.sampler.name for setting in read]
    if len(set(names)) < len(names):
        settings.refuse("a sampler is repeated")
    if not any(setting.on and setting.sampler.parameters[0] is TAU for setting in read):
        settings.refuse("the temperature is missing, or off")
    state = SamplerState(read, engine)
    if not state.is_reorderable and replace(state, engine=None).with_engine(engine) != state:
        settings.refuse(f"{engine_name.value} has another order of the samplers")
    return state


def _read_engine(name: CheckedJson) -> Engine | None:
    return None if name.value is None else ENGINES[name.choice(tuple(ENGINES))]


def _read_setting(setting: CheckedJson) -> SamplerSetting:
    name, on, values = setting.fields("sampler", "on", "values")
    sampler = SAMPLERS[name.choice([sampler.name for sampler in SAMPLERS.values() if not sampler.needs_history])]
    parameters = [parameter for parameter in sampler.parameters if parameter is not BIAS]
    read: dict[str, float | None] = {}
    for parameter, value in zip(parameters, values.fields(*(p.name for p in parameters)), strict=True):
        if parameter is sampler.state_parameter and value.value is None:
            read[parameter.name] = None
            continue
        number = value.number()
        if not (number >= 0 if parameter is TAU else parameter.allows(number)):
            value.refuse(f"expected {'a number from 0 to inf' if parameter is TAU else parameter.range}")
        read[parameter.name] = number
    return SamplerSetting(sampler, read, on.flag())
