"""Saved calibrations: a JSON file with a temperature, or with the weights and biases of vector scaling."""

# Signatures in help() show the names of the types.
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from tsoft.core.softmax import Array, require_softmax, softmax, validate_logits
from tsoft.core.vector_scaling import VectorScaling
from tsoft.errors import shortened
from tsoft.input.quantity import QUANTITIES, both_classes

# How to write the scores of a binary classifier.
SCORE_FIX = (
    "give a column of single scores a header, save an array of scores with shape (rows, 1), or write each score z as"
    " the two logits 0,z"
)
# What the field `format` says, and the version of the fields.
FORMAT, VERSION = "tsoft calibration", 1
# Beyond this temperature or its inverse, float32 may not be able to represent it.
_WIDEST = 1e30
_NOT_A_CALIBRATION = "this is not a calibration; pass a file that tsoft calibrate --save wrote"
# The quantities whose logits are logarithms of probabilities.
_LOGARITHMS = ("prob", "logprob")


@dataclass(frozen=True, eq=False)
class Calibration:
    """A saved calibration of a classifier: `tsoft calibrate --save` writes it, and `Calibration.load` reads it.

    Calling it with logits returns the calibrated probabilities.

    Attributes
    ----------
    method : str
        "temperature" for softmax(z / tau), or "vector" for softmax(w * z + b) [1]_.
    classes : int
        The number of classes.
    labels : tuple of str or None
        The names of the classes, if they have names.
    tau : float or None
        The temperature; None for vector scaling.
    weights, biases : tuple of float or None
        The weight w and the bias b of each class; None for a temperature.
    quantity : str
        What the numbers were before they became logits: "logit", "prob", "logprob" or "energy".
    fit : Mapping
        How the calibration was fitted.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
       section 4.2.

    Examples
    --------
    >>> import tsoft
    >>> calibration = tsoft.Calibration("temperature", classes=2, tau=2.0)
    >>> calibration([2, 0]).round(4)
    array([0.7311, 0.2689])
    """

    method: str
    classes: int
    labels: tuple[str, ...] | None = None
    tau: float | None = None
    weights: tuple[float, ...] | None = None
    biases: tuple[float, ...] | None = None
    quantity: str = "logit"
    fit: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read a calibration that `tsoft calibrate --save` wrote.

        Parameters
        ----------
        path : str or os.PathLike
            The JSON file.

        Returns
        -------
        Calibration
            The calibration, to be called with logits.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is not such a file.
        """
        with open(path, "rb") as file:
            data = file.read()
        try:
            return parsed_calibration(data)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None

    def __call__(self, z: ArrayLike) -> Array:
        """Return the calibrated probabilities of logits, (..., n).

        `z` are the logits of the same classes in the same order; of a calibration that was fitted to probabilities,
        their natural logarithms. A calibration that was fitted to one score per row also takes single scores,
        (..., 1), those of the second class. Raise ValueError for another number of classes, and LogitsError for a row
        without a softmax.
        """
        logits = validate_logits(z)
        if self.is_binary and logits.shape[-1] == 1:
            quantity = QUANTITIES["logprob" if self.quantity in _LOGARITHMS else "logit"]
            logits = both_classes(logits.reshape(-1, 1), quantity).reshape(*logits.shape[:-1], 2)
        require_softmax(logits)
        if logits.shape[-1] != self.classes:
            fix = "; pass single scores as an array of shape (rows, 1)" if self.is_binary else ""
            problem = f"the calibration has {self.classes} classes, but the logits have {logits.shape[-1]}"
            raise ValueError(problem + fix)
        if self.tau is not None:
            return softmax(logits, self.tau)
        return softmax(self._vector.logits(logits))

    def logits(self, z: Array) -> Array:
        """Return the calibrated logits of rows, (..., n), whose softmax is the calibrated probabilities.

        Raise ValueError for a number out of the range of float64.
        """
        if self.tau is None:
            return self._vector.logits(z)
        if not 1 / _WIDEST < self.tau < _WIDEST:
            z = z.astype(np.float64, copy=False)
        with np.errstate(over="ignore"):
            scaled = np.asarray(z / z.dtype.type(self.tau))
            if np.isfinite(scaled).all() or not np.isinf(scaled[np.isfinite(z)]).any():
                return scaled
            # Only differences count. Those to the maximum do not overflow upwards, and no class becomes masked.
            differences = (z - z.max(-1, keepdims=True)) / z.dtype.type(self.tau)
        return np.where(np.isneginf(z), -np.inf, np.maximum(differences, -np.finfo(z.dtype).max))

    @property
    def _vector(self) -> VectorScaling:
        return VectorScaling(np.array(self.weights), np.array(self.biases))

    @property
    def description(self) -> str:
        """What the calibration is, for a message."""
        text = "vector scaling" if self.tau is None else f"τ = {self.tau:.6g}"
        source, rows = self.fit.get("source"), self.fit.get("rows")
        return f"{text}, fitted to {rows} rows of {shortened(str(source))}" if source and rows else text

    @property
    def is_binary(self) -> bool:
        """Whether it was fitted to rows of one number each, that of the second of two classes."""
        return self.classes == 2 and self.fit.get("is_binary") is True

    def problem_with(self, classes: int, labels: Sequence[str] | None, quantity: str) -> str | None:
        """Return why the calibration is not one of these classes, or of logits of this kind; None if it may be."""
        if classes != self.classes:
            fix = f"; {SCORE_FIX}" if self.is_binary else ""
            return f"the calibration has {self.classes} classes, but the row has {classes}{fix}"
        if labels and self.labels and tuple(labels) != self.labels:
            pairs = zip(self.labels, labels, strict=True)
            index, (fitted, other) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
            names = f"class {index} is {shortened(other)!r} in the row, but {shortened(fitted)!r} in the calibration"
            return f"{names}; both need the same classes in the same order"
        kinds = {each if each not in _LOGARITHMS else "logprob" for each in (quantity, self.quantity)}
        if self.tau is None and len(kinds) > 1:
            return f"the calibration was fitted to the quantity {self.quantity}, but the row has {quantity}"
        return None

    @property
    def json(self) -> bytes:
        """The file of the calibration."""
        import orjson

        values = {"tau": self.tau} if self.tau is not None else {"weights": self.weights, "biases": self.biases}
        fields = {
            "format": FORMAT,
            "version": VERSION,
            "method": self.method,
            **values,
            "classes": self.classes,
            "labels": self.labels,
            "quantity": self.quantity,
            "fit": dict(self.fit),
        }
        return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def parsed_calibration(data: bytes) -> Calibration:
    """Return the calibration in a file. Raise ValueError if it is not one.

    >>> parsed_calibration(Calibration("temperature", 2, ("a", "b"), tau=1.5).json).labels
    ('a', 'b')
    """
    import orjson

    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        # What starts like JSON may be a damaged calibration.
        raise ValueError(f"not JSON: {error}" if data.lstrip().startswith(b"{") else _NOT_A_CALIBRATION) from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ValueError(_NOT_A_CALIBRATION)
    version = fields.get("version")
    if version != VERSION:
        raise ValueError(f"version {version!r} of the file is unknown; this tsoft reads version {VERSION}")
    classes, method, quantity = fields.get("classes"), fields.get("method"), fields.get("quantity")
    if not _is_count(classes):
        raise ValueError(f"classes: expected a whole number above 1, got {classes!r}")
    if quantity not in ("logit", "energy", *_LOGARITHMS):
        raise ValueError(f"quantity: {shortened(repr(quantity))} is unknown")
    fit = fields.get("fit")
    known: dict[str, Any] = {"labels": _labels(fields.get("labels"), classes), "quantity": quantity}
    known["fit"] = fit if isinstance(fit, dict) else {}
    if method == "temperature":
        tau = fields.get("tau")
        if not _is_number(tau) or tau <= 0:
            raise ValueError(f"tau: expected a finite number above 0, got {shortened(repr(tau))}")
        return Calibration(method, classes, tau=float(tau), **known)
    if method == "vector":
        weights, biases = (_numbers(fields, name, classes) for name in ("weights", "biases"))
        return Calibration(method, classes, weights=weights, biases=biases, **known)
    raise ValueError(f"method: {shortened(repr(method))} is unknown; expected temperature or vector")


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 1


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _labels(value: object, classes: int) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != classes or not all(isinstance(label, str) for label in value):
        raise ValueError(f"labels: expected {classes} names, or null")
    return tuple(value)


def _numbers(fields: Mapping[str, Any], name: str, classes: int) -> tuple[float, ...]:
    value = fields.get(name)
    if not isinstance(value, list) or len(value) != classes or not all(map(_is_number, value)):
        raise ValueError(f"{name}: expected {classes} numbers")
    return tuple(map(float, value))
