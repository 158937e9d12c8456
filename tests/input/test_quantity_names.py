"""The names of columns, fields and arrays that state or suggest what the numbers are, in every format."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax

from tool import here

# Saves the numbers under a name in a folder, and returns the path of the file.
Save = Callable[[str, Path], str]
NUMBERS = [0.25, 0.75]
# The distribution of these numbers as each quantity.
AS = {"logits": softmax(NUMBERS), "probabilities": NUMBERS, "energies": softmax(np.negative(NUMBERS))}


def column(name: str, folder: Path) -> str:
    path = folder / "column.csv"
    path.write_text("\n".join([f'"{name}"', *map(str, NUMBERS)]))
    return str(path)


def field(name: str, folder: Path) -> str:
    path = folder / "field.json"
    path.write_text(json.dumps({name: NUMBERS}))
    return str(path)


def array(name: str, folder: Path) -> str:
    path = folder / "array.npz"
    arrays: dict[str, Any] = {name: NUMBERS}
    np.savez(path, **arrays)
    return str(path)


def parquet(name: str, folder: Path) -> str:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = folder / "column.parquet"
    pq.write_table(pa.table({name: NUMBERS}), path)
    return str(path)


def lists(name: str, folder: Path) -> str:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = folder / "lists.parquet"
    pq.write_table(pa.table({name: [NUMBERS]}), path)
    return str(path)


STATED = {
    "probs": "probabilities",
    "prob": "probabilities",
    "probability": "probabilities",
    "energy": "energies",
    "energies": "energies",
    "logit": "logits",
}


@pytest.mark.parametrize("save", [column, field, array, parquet, lists])
@pytest.mark.parametrize(("name", "quantity"), STATED.items())
def test_a_name_states_the_quantity_in_every_format(name: str, quantity: str, save: Save, tmp_path: Path) -> None:
    done = here("compute", "-i", save(name, tmp_path))
    assert_allclose(np.loadtxt(done.stdout.splitlines()), AS[quantity])
    assert "the name suggests" not in done.stderr


SUGGESTED = {
    "energy_kJ_mol": ("energies", "--energies"),
    "Relative energy (kcal/mol)": ("energies", "--energies"),
    "prob_x": ("probabilities", "--probs"),
    "neg_log_prob": ("negative log-probabilities", "--energies"),
    "negative logit": ("energies", "--energies"),
}


@pytest.mark.parametrize("save", [column, array, parquet, lists])
@pytest.mark.parametrize(("name", "quantity"), SUGGESTED.items())
def test_a_name_that_only_suggests_the_quantity_is_noted(
    name: str, quantity: tuple[str, str], save: Save, tmp_path: Path
) -> None:
    path, (numbers, option) = save(name, tmp_path), quantity
    done = here("compute", "-i", path)
    assert_allclose(np.loadtxt(done.stdout.splitlines()), AS["logits"])
    note = f"tsoft reads {name!r} as logits, but the name suggests {numbers}; if they are, pass {option}"
    assert done.stderr.startswith(f"tsoft: note: {path}: {note}\n")
    done = here("compute", "-i", path, option)
    assert_allclose(np.loadtxt(done.stdout.splitlines()), AS["energies" if option == "--energies" else numbers])
    assert "the name suggests" not in done.stderr


def test_the_columns_that_the_user_lists_have_the_same_note() -> None:
    done = here("compute", "--columns", "E_energy", stdin="E_energy,x\n1,2\n0,3\n")
    assert "'E_energy' as logits, but the name suggests energies; if they are, pass --energies\n" in done.stderr


def test_a_single_column_of_losses_is_noted() -> None:
    note = "tsoft reads 'NLL' as logits, but the name suggests negative log-probabilities; if they are, pass --energies"
    assert f"stdin: {note}\n" in here("compute", stdin="id,NLL\na,2.5\nb,0.1\n").stderr


def test_logits_in_a_name_are_logits(tmp_path: Path) -> None:
    for path in (array("prob_logits", tmp_path), array("neg_energy", tmp_path), column("minus energy", tmp_path)):
        assert "the name suggests" not in here("compute", "-i", path).stderr


def test_percentages_are_to_be_divided() -> None:
    done = here("compute", stdin="Probability (%) cat,Probability (%) dog\n70,30\n")
    assert "suggest probabilities; if they are, divide them by 100 and pass --probs\n" in done.stderr
    assert "; divide percentages by 100\n" in here("compute", "--probs", stdin="70,20,9\n").stderr
    assert "percentages" not in here("compute", "--probs", stdin="2.5,1,0\n").stderr


@pytest.mark.parametrize(
    ("name", "stated"), [("energy_eV", "energies"), ("log_softmax", "log_probs"), ("softmax", "probs")]
)
def test_the_fix_for_an_unknown_field_keeps_the_quantity(name: str, stated: str, tmp_path: Path) -> None:
    problem = f"{name!r}: expected a number, got an array; if it has the numbers of all classes, rename it to {stated}"
    assert problem in here("compute", "-i", field(name, tmp_path)).stderr


ONE, ALL = [1.25, 3.0], [[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]]


@pytest.mark.parametrize("name", ["logit", "prob", "logprob", "log_probability", "energy"])
def test_a_singular_name_does_not_take_precedence(name: str, tmp_path: Path) -> None:
    """It is common for one number per row: a confidence, or the log-probability of the chosen class."""
    arrays: dict[str, Any] = {name: ONE, "probs": ALL}
    path = str(tmp_path / "arrays.npz")
    np.savez(path, **arrays)
    for done in (here("compute", "-i", path), here("compute", stdin=json.dumps(arrays))):
        assert_allclose(np.loadtxt(done.stdout.splitlines()), ALL)
    arrays["scores"] = arrays.pop("probs")
    np.savez(path, **arrays)
    assert f"pass --key NAME to choose one: {name}, scores" in here("compute", "-i", path).stderr
    for other in ({"scores": ALL}, {"force": ONE}, {"text": ["a", "b"], "label": [0, 1]}, {"tokens": ["Hi", "!"]}):
        done = here("compute", stdin=json.dumps({name: ONE} | other))
        assert (done.stdout, done.returncode) == ("", 1)


@pytest.mark.parametrize("beside", [{"label": 1}, {"id": "a"}, {"labels": ["x", "y"]}, {"text": "a"}, {"meta": {}}])
def test_a_singular_name_states_the_quantity_of_the_only_array(beside: dict[str, Any]) -> None:
    done = here("compute", stdin=json.dumps({"energy": ONE} | beside))
    assert_allclose(np.loadtxt(done.stdout.splitlines()), softmax([-1.25, -3.0]))
