"""Reading what Python prints, compared with numpy's reading of the same numbers."""

import numpy as np
import pytest

from array_files import complaint, numbers, read
from cases import each_case
from tsoft.core.softmax import Array
from tsoft.input.formats import FORMATS, by_content

TENSOR = "tensor([[ 4.2188,  3.4219,    -inf],\n        [10.4375, 13.2500, 11.1875]], {})\n"
EXPECTED = [[4.2188, 3.4219, -np.inf], [10.4375, 13.25, 11.1875]]


def rows(text: str) -> Array:
    """Read a text by its content. Check that tsoft prints a note."""
    assert by_content(text.encode()) == FORMATS["printed"], text
    notes: list[str] = []
    [block] = read(text.encode(), "printed", note=notes.append)
    assert notes == [
        "f: tsoft reads numbers that Python printed and may have rounded; to be exact, save the array with"
        " numpy.save('logits.npy', array)"
    ]
    return block.logits


@pytest.mark.parametrize(
    "end",
    [
        "device='cuda:0', dtype=torch.bfloat16",
        "grad_fn=<LogSoftmaxBackward0>",
        "device='cuda:0', dtype=torch.float16, requires_grad=True",
        "size=(2, 3)",
    ],
)
def test_tensors(end: str) -> None:
    assert rows(TENSOR.format(end)).tolist() == EXPECTED
    assert rows(f"torch.{TENSOR.format(end)}").tolist() == EXPECTED


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (40,), (3, 1)])
def test_arrays_of_numpy(shape: tuple[int, ...]) -> None:
    """Both forms, also with broken lines. The 17 digits that numpy prints here are exact."""
    for array in (numbers(shape), np.round(numbers(shape)), numbers(shape) * 1e-9):
        with np.printoptions(precision=17, floatmode="unique", threshold=1000):
            for text in (str(array), repr(array), f"\n{array}\n"):
                assert np.array_equal(rows(text), array.reshape(-1, shape[-1])), text


@each_case(
    "text",
    [
        "[4.2188, 3.4219, -inf]\n",
        "[[4.2188, 3.4219, -inf]]",
        "[np.float32(4.2188), np.float32(3.4219), np.float32(-inf)]",
        "[tensor(4.2188), tensor(3.4219), tensor(-inf)]",
        "[4.2188,\n 3.4219,\n -inf]",
        "array([4.2188, 3.4219, -inf], dtype=float32)",
        "np.array([4.2188, 3.4219, -inf])",
    ],
)
def test_lists_of_python(text: str) -> None:
    assert rows(text).tolist() == EXPECTED[:1]


@each_case("text", ["[PAD] 2\n", "[1]=2 [2]=3", "[1,2]", "[1.5, 2]", "[\n 1.5\n]", "[1e5,-2.0]", "[ 2 , 1 ]"])
def test_other_texts_are_not_printed_arrays(text: str) -> None:
    assert by_content(text.encode()) != FORMATS["printed"]


LEFT_OUT = "the printed array leaves out numbers (...); save the array with numpy.save('logits.npy', array)"
BROKEN = {
    "left out": (str(np.arange(2000.0)), LEFT_OUT),
    "left out of a tensor": ("tensor([[1., 2., ..., 3.]])", LEFT_OUT),
    "a word": ("[1., 2.,\n x]", "not a number"),
    "a complex number": (str(np.array([1 + 2j, 3])), "not a number"),
    "text below": ("tensor([1., 2.])\ntensor([3., 4.])\n", "unexpected text after the numbers"),
    "two arrays": ("[1. 2.]\n[3. 4.]\n", "unexpected text after the numbers: '[3. 4.]'"),
    "rows of two lengths": ("[[1., 2.], [3., -inf, 4.]]", "do not contain an array, whose rows have the same length"),
    "an open bracket": ("[[1. 2.]\n [3. 4.]", "a bracket is not closed"),
    "two commas": ("[1.,, 2., -inf]", "a comma without a number before or after it"),
    "NaN": ("[[nan, 1.0]]", "row 0, class #0: NaN is not a logit; write -inf to mask a class"),
    "empty": ("tensor([])", "the brackets contain no numbers"),
}  # fmt: skip


@each_case(("text", "message"), BROKEN.values())
def test_errors(text: str, message: str) -> None:
    assert message in complaint(text.encode(), "printed")


def test_a_long_text_is_read() -> None:
    text = "[" + " ".join(f"{x:.4f}" for x in range(20_000)) + "]"
    assert np.array_equal(rows(text), [np.arange(20_000)])
