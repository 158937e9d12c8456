"""Writing arrays of distributions as safetensors, with the labels and textual keys in the metadata."""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save

from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.output.distribution_array import DistributionArray
from tsoft.output.row_keys import ID
from tsoft.output.text_arrays import are_integers
from tsoft.sampling.distributions import Distributions

# Keeping more bytes than this in memory is worth a note.
NOTE_BYTES = 1 << 24


def pieces(first: Distributions, array: DistributionArray) -> Iterator[bytes]:
    """Yield a safetensors file of the array and the temperatures. Its header comes first, so the array is kept in
    memory, with a note if it is large."""
    copies, size = [], 0
    for piece in array.pieces(first):
        if size <= NOTE_BYTES < size + piece.nbytes:
            array.note("safetensors are written at once, so tsoft keeps the whole array in memory; npy avoids this")
        size += piece.nbytes
        copies.append(np.array(piece).reshape(-1))
    numbers, axes = np.concatenate(copies), first.block.origin.axes
    copies.clear()
    taus = () if len(array.taus) == 1 else (len(array.taus),)
    rows = (array.rows(first, numbers.size),) if axes is None else axes
    probs = numbers.reshape(*rows, *taus, first.block.logits.shape[1])
    yield arrays_file({array.name(first): probs, "taus": np.asarray(array.taus)}, first.block.labels, array.keys)


def arrays_file(arrays: Mapping[str, Array], labels: Sequence[str] | None, keys: Sequence[str | int] = ()) -> bytes:
    """Return the bytes of a safetensors file of arrays, with the labels of the classes and the keys of the rows."""
    metadata = {} if labels is None else {"labels": json.dumps(labels)}
    if keys and are_integers(keys):
        arrays = {**arrays, ID: np.array(keys, np.int64)}
    elif keys:
        metadata[ID] = json.dumps([str(key) for key in keys])
    try:
        return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata))
    except SafetensorError as error:
        # The metadata has a limit of 100 MB.
        raise InputError(f"the labels and row ids do not fit into safetensors ({error}); use --format npz") from None
