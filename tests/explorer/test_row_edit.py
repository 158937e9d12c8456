"""The edits of a copy of a row, and the text that the user types for them."""

from math import inf

import numpy as np
import pytest

from cases import each_case
from tsoft.core.block import Block, Origin
from tsoft.explorer.command_line import edit_biases
from tsoft.explorer.explorer_rows import ExplorerRow, ExplorerRows
from tsoft.explorer.row_edit import RowEdit
from tsoft.explorer.typed_class import EntryError, typed_class, typed_logit


def row(logits: list[float], quantity: str = "logit") -> ExplorerRow:
    return ExplorerRows([Block(np.array([logits]), origin=Origin(quantity))]).row(0)


def test_an_edit_changes_a_copy() -> None:
    block = Block(np.array([[2.0, 1.0]], np.float32), ("a", "b"))
    edit = RowEdit().with_logit(1, 0.1).with_class("c", 3.0).with_mask(0, True)
    applied = edit.applied(block)
    assert applied.logits.tolist() == [[-inf, 0.1, 3.0]]
    assert applied.labels == ("a", "b", "c")
    assert block.logits.tolist() == [[2.0, 1.0]]
    # A mask keeps the logit, and another typed logit ends the mask.
    assert edit.with_mask(0, False).applied(block).logits.tolist() == [[2.0, 0.1, 3.0]]
    assert edit.with_logit(0, 5.0).applied(block).logits.tolist() == [[5.0, 0.1, 3.0]]
    assert edit.with_mask(2, True).with_mask(2, False) == edit
    assert RowEdit().applied(block) is block


def test_a_row_without_labels_gets_them_only_for_a_named_class() -> None:
    block = Block(np.zeros((1, 2)))
    assert RowEdit().with_class("", 1.0).applied(block).labels is None
    assert RowEdit().with_class("new", 1.0).applied(block).names == ["#0", "#1", "new"]


def test_typed_classes() -> None:
    assert typed_class(" a=b = -1e3", row([1])) == ("a=b", -1000)
    assert typed_class("2", row([1], "energy")) == ("", -2)
    assert typed_logit("-∞", row([1])) == typed_logit("inf", row([1], "energy")) == -inf
    assert typed_logit("−1.5", row([1])) == -1.5


@each_case("text", ["", "cat", "cat=", "1=cat", "nan", "a=inf", "a=-inf", "\udc80=1"])
def test_bad_classes(text: str) -> None:
    with pytest.raises(EntryError):
        typed_class(text, row([1]))


def test_a_mask_of_energies_is_inf() -> None:
    with pytest.raises(EntryError, match=r"-inf is neither a number nor inf"):
        typed_logit("-inf", row([1], "energy"))


@pytest.mark.parametrize(
    ("original", "edited", "biases"),
    [
        ([1, 2], [1.5, 2], ((0, 0.5),)),
        ([1, 2], [1, -inf], ((1, -inf),)),
        # A bias cannot end a mask, and 1e16 + b has no float 0.1.
        ([1, -inf], [1, 0], None),
        ([1, 1e16], [1, 0.1], None),
        ([1], [1, 2], None),
        ([0] * 40, [1] * 40, None),
    ],
)
def test_edits_as_biases(original: list[float], edited: list[float], biases: object) -> None:
    assert edit_biases(np.array(original), row(edited)) == biases
