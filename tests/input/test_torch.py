"""Reading PyTorch files, with a module in place of torch, which is not installed for the tests."""

import io
import sys
import types
import zipfile
from typing import Any

import numpy as np
import pytest

from array_files import complaint, numbers, read, rows
from tool import here
from tsoft.core.softmax import Array
from tsoft.input.formats import FORMATS, by_content
from tsoft.input.read_options import ArrayKey, TargetSource


class FakeTensor:
    """What tsoft uses of a tensor. The dtype bfloat16 has no numpy."""

    def __init__(self, array: Array, dtype: str):
        self.array, self.dtype = array, dtype

    def detach(self) -> "FakeTensor":
        return self

    def is_floating_point(self) -> bool:
        return self.array.dtype.kind == "f"

    def float(self) -> "FakeTensor":
        return FakeTensor(self.array.astype(np.float32), "float32")

    def numpy(self) -> Array:
        if self.dtype == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


def tensor(array: Array, dtype: str | None = None) -> FakeTensor:
    return FakeTensor(array, dtype or array.dtype.name)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The content that the module loads, which the test sets."""
    content: list[Any] = []

    def load(stream: Any, *, map_location: str, weights_only: bool) -> Any:
        assert (map_location, weights_only) == ("cpu", True)
        assert stream.read(2) == b"PK"
        if isinstance(content[0], Exception):
            raise content[0]
        return content[0]

    names = {name: name for name in ("float16", "float32", "float64")}
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(load=load, Tensor=FakeTensor, **names))
    return content


def stored() -> bytes:
    """Return the start of a file that torch.save writes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\0.")
        archive.writestr("archive/version", b"3\n")
    return data.getvalue()


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_a_tensor_is_read(loaded: list[Any], piped: bool) -> None:
    array = numbers((2, 3, 4), "f4")
    loaded.append(tensor(array, "bfloat16"))
    blocks = read(stored(), "torch", piped=piped)
    assert np.array_equal(rows(blocks), array.reshape(-1, 4))
    assert blocks[0].origin.axes == (2, 3)
    assert by_content(stored()) == FORMATS["torch"]


def test_a_dictionary_is_read(loaded: list[Any]) -> None:
    array = numbers((2, 2))
    loaded.append({"logits": tensor(array), "labels": ["cat", "dog"], "targets": tensor(np.array([1, 0])), "step": 3})
    [block] = read(stored(), "torch", targets=TargetSource())
    assert block.labels == ("cat", "dog")
    assert block.targets is not None
    assert block.targets.tolist() == [1, 0]
    loaded[0] = {"a": {"b": tensor(array)}, "c": tensor(array + 1)}
    assert np.array_equal(rows(read(stored(), "torch", key=ArrayKey("a.b"))), array)


def test_a_list_or_tuple_has_tensors_with_numbers_as_names(loaded: list[Any]) -> None:
    array = numbers((2, 2))
    loaded.append((tensor(array), tensor(np.array([1, 0]))))
    assert complaint(stored(), "torch") == "no array is called logits or probs; pass --key NAME to choose one: 0, 1"
    [block] = read(stored(), "torch", key=ArrayKey("0"), targets=TargetSource(key=ArrayKey("1", "--targets-key")))
    assert np.array_equal(rows([block]), array)
    assert block.targets is not None
    assert block.targets.tolist() == [1, 0]
    loaded[0] = {"logits": [tensor(array), tensor(array + 1)]}
    assert np.array_equal(rows(read(stored(), "torch", key=ArrayKey("logits.1"))), array + 1)
    loaded[0] = [tensor(array)] * 30
    assert complaint(stored(), "torch").endswith("18, 19, …")


def test_a_transposed_tensor_keeps_its_shape(loaded: list[Any]) -> None:
    array = numbers((3, 2)).T
    loaded.append(tensor(array))
    assert rows(read(stored(), "torch")).tolist() == array.tolist()


def test_what_torch_does_not_load_is_an_error(loaded: list[Any]) -> None:
    loaded.append(RuntimeError("Weights only load failed. Unsupported class Model\nmore"))
    assert complaint(stored(), "torch").startswith(
        "torch does not load this file: Weights only load failed. Unsupported class Model; save the array with"
    )
    # What torch 2.13 reports for an array of numpy.
    loaded[0] = RuntimeError(
        "Weights only load failed. Two options, \x1b[1mdo those\x1b[0m. \n\tUnsupported global: GLOBAL numpy.x was"
    )
    assert complaint(stored(), "torch").startswith("torch does not load this file: it contains numpy.x, which is not")
    loaded[0] = RuntimeError("Do \x1b[1mthis\x1b[0m.\nmore")
    assert complaint(stored(), "torch").startswith("torch does not load this file: Do this.; save")
    loaded[0] = {"a": 1}
    assert complaint(stored(), "torch").startswith("the PyTorch file has no tensors; save the array with numpy.save")


def test_without_torch_the_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    fix = "save the array with numpy.save('logits.npy', tensor.float().numpy())"
    message = f"this is a PyTorch file, which needs torch; run pip install torch, or {fix}"
    assert complaint(stored(), "torch") == message
    path = tmp_path / "labels.pt"
    path.write_bytes(stored())
    for typed in (["-i", str(path)], ["1", "--labels", f"@{path}"]):
        assert f"{path}: this is a PyTorch file" in here("compute", *typed).stderr
