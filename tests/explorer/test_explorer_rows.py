"""The rows of the explorer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from characters import CHARACTERS
from explorer.states import Z
from tsoft.core.block import Block
from tsoft.errors import visible
from tsoft.explorer.explorer_rows import ExplorerRows, likelihood
from tsoft.explorer.sampler_state import SamplerState
from tsoft.sampling.sampler_table import SAMPLERS

LABELS = ("cat", "Dog", "", "dog", "[red]", "\x1b[31mx", "日本")


def test_a_row_has_an_order_ranks_and_names() -> None:
    rows = ExplorerRows([Block(np.stack([Z, Z[::-1]]), LABELS), Block(Z[np.newaxis], LABELS, first_row=2)])
    assert len(rows) == 3
    row = rows.row(1)
    assert row.logits.tolist() == Z[::-1].tolist()
    assert row.order.tolist() == sorted(range(7), key=lambda i: (-row.logits[i], i))
    assert row.ranks[row.order].tolist() == [1, 2, 3, 4, 5, 6, 7]
    exp = np.exp(Z[::-1] - 3)
    np.testing.assert_allclose(row.probs_at_one, exp / exp.sum(), rtol=1e-14)
    assert [row.name(i) for i in range(7)] == ["cat", "Dog", "#2", "dog", "[red]", "\\x1b[31mx", "日本"]
    assert [row.word(i) for i in range(7)] == ["cat", "Dog", "#2", "dog", "[red]", "\\x1b[31mx", "日本"]
    assert rows.block(2).first_row == 2
    assert rows.row(2).number == 2


def test_a_row_s_order_depends_on_its_biases() -> None:
    rows = ExplorerRows([Block(Z[np.newaxis])])
    row = rows.row(0, ((5, 10.0), (0, -np.inf)))
    assert row.order[0] == 5
    assert row.ranks[0] >= 6
    assert row.logits[5] == 9
    assert rows.row(0).logits[5] == -1


@given(st.text(CHARACTERS, max_size=3))
def test_names_match_in_upper_and_lower_case(text: str) -> None:
    row = ExplorerRows([Block(Z[np.newaxis], LABELS)]).row(0)
    names = [row.name(i).casefold() for i in range(row.classes)]
    assert row.matching(text).tolist() == [i for i, name in enumerate(names) if visible(text).casefold() in name]
    assert row.matching("DOG").tolist() == [1, 3]


def test_a_name_matches_as_the_screen_shows_it() -> None:
    row = ExplorerRows([Block(np.zeros((1, 4)), ("a\nb", "a\x07", "ab", "a\\nb"))]).row(0)
    assert row.matching("A\\n").tolist() == row.matching("a\nB").tolist() == [0, 3]
    assert row.matching("x07").tolist() == [1]


def test_the_listing_has_the_matching_classes_in_either_order() -> None:
    row = ExplorerRows([Block(Z[np.newaxis, ::-1], LABELS)]).row(0)
    assert row.listing("", input_order=True).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert row.listing("", input_order=False).tolist() == [6, 5, 3, 4, 2, 1, 0]
    assert row.listing("D", input_order=True).tolist() == [1, 3, 4]
    assert row.listing("D", input_order=False).tolist() == [3, 4, 1]
    assert row.listing("bird", input_order=False).tolist() == []


@pytest.mark.parametrize("sizes", [[1], [3], [1, 1, 1], [2, 1, 4]])
def test_every_row_of_every_block_has_its_number(sizes: list[int]) -> None:
    logits = np.arange(sum(sizes) * 2.0).reshape(-1, 2)
    ends = np.cumsum(sizes)
    rows = ExplorerRows(
        [Block(logits[end - size : end], first_row=int(end - size)) for size, end in zip(sizes, ends, strict=True)]
    )
    assert len(rows) == sum(sizes)
    for number in range(len(rows)):
        assert rows.block(number).logits.tolist() == [logits[number].tolist()]
        assert rows.block(number).first_row == number


def test_blocks_are_appended_and_truncated() -> None:
    rows = ExplorerRows([Block(Z[np.newaxis])])
    rows.append(Block(np.stack([Z, Z[::-1]]), first_row=1))
    assert len(rows) == 3
    assert rows.row(2).logits.tolist() == Z[::-1].tolist()
    rows.truncate(1)
    assert len(rows) == 1


def test_a_row_s_likelihood_is_that_of_its_most_probable_class() -> None:
    rows = ExplorerRows([Block(Z[np.newaxis])])
    chain = SamplerState.from_chain(None, 0.5).with_value(SAMPLERS["top_k"].parameters[0], 2).chain()
    exp = np.exp(Z[:2] / 0.5)
    assert likelihood(rows.block(0), 0.5, chain) == pytest.approx(exp[0] / exp.sum(), rel=1e-14)
    assert rows.drawn_tokens is None
