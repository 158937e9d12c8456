"""What the columns of a table are: logits, the key of the rows, their true classes, or none of these."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from cases import each_case
from tool import here

# Four rows of two classes with one mistake, and the temperature with the smallest negative log-likelihood.
Z, Y = np.array([[2.0, 0], [1, 0], [3, 1], [0, 1]]), np.array([0, 1, 0, 1])


def fitted(z: Any, y: Any) -> float:
    """Return the temperature that minimizes the NLL, found by scipy."""

    def nll(log_tau: float) -> float:
        return -float(log_softmax(np.asarray(z, float) / np.exp(log_tau), 1)[np.arange(len(y)), y].sum())

    return float(np.exp(minimize_scalar(nll, bounds=(-4, 4), method="bounded", options={"xatol": 1e-12}).x))


def table(header: str, *columns: Any, delimiter: str = ",") -> str:
    lines = [delimiter.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([header.replace(",", delimiter), *lines]) + "\n"


def tau(text: str, *options: str) -> tuple[float, str]:
    """Return the temperature that calibrate prints, and its first note."""
    done = here("calibrate", *options, stdin=text)
    assert done.returncode == 0, done.stderr
    return float(done.stdout), done.stderr.split("\n")[0].removeprefix("tsoft: note: stdin: ")


IDS = {
    "id": [1, 2, 3, 4],
    "Id": ["img_1", "img_2", "img_3", "img_4"],
    "index": [7, 8, 9, 10],
    "Unnamed: 0": [0, 1, 2, 3],
    "": [0, 1, 2, 3],
    "image_id": ["007", "003", "001", "012"],
    "ImageID": [5.0, 6.0, 7.0, 8.0],
    "row": [3, 1, 1, 7],
    "__index_level_0__": [17, 4, 12, 6],
    **{name: [0, 1, 2, 3] for name in ("level_0", "rownames", "row.names", "rowid")},
    **{name: [7, 8, 9, 10] for name in ("uid", "qid", "GUID")},
}


@pytest.mark.parametrize(
    ("name", "ids", "delimiter"),
    [*((*pair, ",") for pair in IDS.items()), ("id", [1, 2, 3, 4], "\t"), ("", [0, 1, 2, 3], ";")],
)
def test_a_key_is_no_class_and_is_in_the_output(name: str, ids: list[Any], delimiter: str) -> None:
    text = table(f"{name},cat,dog,target", ids, Z[:, 0], Z[:, 1], ["cat", "dog", "cat", "dog"], delimiter=delimiter)
    found, note = tau(text)
    assert found == pytest.approx(fitted(Z, Y), rel=1e-6)
    shown = repr(name) if name else "the unnamed column"
    assert note.startswith(f"tsoft reads {shown} as the row ids and 'target' as the true classes")
    done = here("compute", "-f", "jsonl", stdin=text)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert_allclose([record["probs"] for record in records], softmax(Z, 1))
    assert [str(record["id"]) for record in records] == [str(key).removesuffix(".0") for key in ids]
    assert done.stderr.count("\n") == 1
    assert f"reads {shown} as the row ids and ignores 'target' (true classes)" in done.stderr


TARGETS: dict[str, list[Any]] = {
    "target": ["cat", "dog", "cat", "dog"],
    "Label": [0, 1, 0, 1],
    "y": [0.0, 1.0, 0.0, 1.0],
    "class": ["cat", "dog", "cat", "dog"],
    "TARGET": ["false", "true", "False", "True"],
}


@pytest.mark.parametrize(("name", "targets"), TARGETS.items())
def test_a_target_is_no_class(name: str, targets: list[Any]) -> None:
    found, note = tau(table(f"{name},cat,dog", targets, Z[:, 0], Z[:, 1]))
    assert found == pytest.approx(fitted(Z, Y), rel=1e-6)
    assert note.startswith(f"tsoft reads {name!r} as the true classes")


def test_a_column_label_is_no_class_next_to_a_file_of_targets(tmp_path: Path) -> None:
    (tmp_path / "y.txt").write_text("0\n1\n0\n1\n")
    text = table("logit_0,logit_1,label", Z[:, 0], Z[:, 1], [0, 1, 0, 1])
    found, note = tau(text, "--targets", str(tmp_path / "y.txt"))
    assert found == pytest.approx(fitted(Z, Y), rel=1e-6)
    assert note.startswith("tsoft ignores 'label' (true classes)")
    (tmp_path / "y.txt").write_text("0\n0\n0\n1\n")
    done = here("calibrate", "--targets", str(tmp_path / "y.txt"), stdin=text)
    difference = "the true class in the input is logit_1, but in the file of targets logit_0, which tsoft uses"
    assert f"stdin:3: {difference}\n" in done.stderr


LOGITS = {
    "an id of fractions": (
        "id,a,b\n3.5,1,0\n0.1,0,1\n",
        "tsoft reads 'id' as a logit, because 3.5 is not a count",
    ),
    "a negative index": (
        "index,a,b\n-1,1,0\n",
        "tsoft reads 'index' as a logit, because -1 is not a count",
    ),
    "a label of fractions": (
        "a,b,label\n1,0,0.5\n",
        "tsoft reads 'label' as a logit, because 0.5 is not a class",
    ),
    "a result": (
        "cat,dog,pred\n1,0,1\n",
        "tsoft reads 'pred' as a logit; pass --columns if that is wrong",
    ),
    "a column that may hold targets": (
        "cat,dog,y\n1.5,0,1\n",
        "tsoft reads 'y' as a logit; pass --columns if that is wrong",
    ),
    "a prediction, by the words of its name": (
        "PredictedLabel,cat,dog\n3,0.5,1\n",
        "tsoft reads 'PredictedLabel' as a logit; pass --columns if that is wrong",
    ),
    "true and predicted classes, by the words of their names": (
        "true label,Pred-Class,Actual,cat,dog\n3,2,1,0.5,1\n",
        "tsoft reads 'true label', 'Pred-Class' and 'Actual' as logits; pass --columns if that is wrong",
    ),
    "a date": (
        "date,cat,dog\n20240101,1,2\n",
        "tsoft reads 'date' as a logit; pass --columns if that is wrong",
    ),
    "a second line of the header": (
        "a,a,b,b\n0,1,0,1\n0.5,1,2,3\n",
        "some columns have the same name, and the first row has only whole numbers; if it is a second line of the"
        " header, join the two lines",
    ),
    "a probability": (
        "raw,Probability\n-0.5,0.4\n",
        "tsoft reads 'Probability' as a logit; pass --columns if that is wrong",
    ),
    "an error of reinforcement learning, and a value": (
        "left,right,TD_error,value\n1,0,1,2\n",
        "tsoft reads 'TD_error' and 'value' as logits; pass --columns if that is wrong",
    ),
    "columns of Weights & Biases": (
        "_step,_runtime,_timestamp,left,right\n2,7.5,1700.5,0,1\n",
        "tsoft reads '_step', '_runtime' and '_timestamp' as logits; pass --columns if that is wrong",
    ),
    "a score and a result": (
        "Score,y_true\n1.5,1\n",
        "tsoft reads 'y_true' as a logit; pass --columns if that is wrong",
    ),
    "a score and a class": (
        "margin,class\n1.5,1\n",
        "tsoft reads 'class' as a logit; pass --columns if that is wrong",
    ),
    "results alone": (
        "y_true,y_pred\n1,0\n",
        "tsoft reads 'y_true' and 'y_pred' as logits; pass --columns if that is wrong",
    ),
    "a probability and a result": (
        "correct,proba\n1,0.4\n",
        "tsoft reads 'correct' as a logit; pass --columns if that is wrong\n"
        "tsoft: note: stdin: tsoft reads 'proba' as logits, but the name suggests probabilities; if they are, pass"
        " --probs\n",
    ),
    "probabilities and a result": (
        "prob_a,prob_b,pred\n0.5,0.25,1\n",
        "tsoft reads 'pred' as a logit; pass --columns if that is wrong\n"
        "tsoft: note: stdin: tsoft reads 'prob_a' and 'prob_b' as logits, but the names suggest probabilities; if they"
        " are, pass --probs\n",
    ),
    "an energy and its degeneracy": (
        "Degeneracy,energy\n3,0.4\n",
        "tsoft reads 'Degeneracy' as a logit; if it holds degeneracies, pass --columns 'energy' and list them with"
        " --degeneracy\ntsoft: note: stdin: tsoft reads 'energy' as logits, but the name suggests energies; if they"
        " are, pass --energies\n",
    ),
    "an odd name": (
        "logit_0,logit_1,x\n1,0,1\n",
        "tsoft reads 'x' as a logit, like 'logit_0' and 'logit_1'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "note"), LOGITS.values(), ids=LOGITS.keys())
def test_a_doubtful_logit_is_noted(text: str, note: str) -> None:
    done = here("compute", stdin=text)
    z = np.loadtxt(text.splitlines()[1:], delimiter=",", ndmin=2)
    assert_allclose(np.loadtxt(done.stdout.splitlines(), ndmin=2), softmax(z, 1))
    assert done.stderr.startswith(f"tsoft: note: stdin: {note}")


@pytest.mark.parametrize(
    ("header", "row", "problem"),
    [
        ("True Label,Predicted Label,Confidence", "2,9,0.8", "'True Label' and 'Predicted Label' are labels, and"),
        ("id,goldLabel,prob,PredClass", "a,2,0.8,2", "'goldLabel' and 'PredClass' are labels, and 'prob' is no"),
        ("y_true,y_pred,max-prob,margin,fold", "1,0,0.8,0.5,3", "'y_true' and 'y_pred' are labels, and 'max-prob', 'm"),
        ("label,prediction,score", "1,0,0.8", "'label' and 'prediction' are labels, and 'score' is no distribution"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_labels_and_the_score_of_a_prediction_are_no_distribution(
    header: str, row: str, problem: str, form: str
) -> None:
    text = f"{header}\n{row}\n"
    if form == "jsonl":
        values = [
            float(value) if "." in value else int(value) if value.isdigit() else value for value in row.split(",")
        ]
        text = json.dumps(dict(zip(header.split(","), values, strict=True)))
    done = here("compute", stdin=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: stdin:1: no logits: {problem}" in done.stderr
    assert "list the columns of the logits with --columns" in done.stderr


@pytest.mark.parametrize(("header", "row"), [("E,g", "0.5,3"), ("J,x", "1.5,0.25"), ("e0,multiplicity", "1,1")])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_degeneracies_next_to_energies_are_noted(header: str, row: str, form: str) -> None:
    text = f"{header}\n{row}\n"
    if form == "jsonl":
        text = json.dumps(dict(zip(header.split(","), map(float, row.split(",")), strict=True)))
    degeneracy, energy = sorted(header.split(","), key=lambda name: name not in ("g", "J", "multiplicity"))
    fix = f"if it holds degeneracies, pass --columns {energy!r} and list them with --degeneracy"
    done = here("compute", "--energies", stdin=text)
    assert done.stderr == f"tsoft: note: stdin: tsoft reads {degeneracy!r} as an energy; {fix}\n"


def test_notes_on_energies_do_not_call_them_logits() -> None:
    for text, note in (
        ("pred,cat\n1,2\n", "tsoft reads 'pred' as an energy; pass"),
        ("id,cat\n0.5,2\n", "tsoft reads 'id' as an energy, because 0.5 is not a count; pass"),
        ("e_0,e_1,x\n0.5,2,1\n", "tsoft reads 'x' as an energy, like 'e_0' and 'e_1'; pass"),
        ("energy\n0.5\n1\n", "the header has one column of energies, 'energy', which"),
    ):
        assert here("compute", "--energies", stdin=text).stderr.startswith(f"tsoft: note: stdin: {note}")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("header", ["conf,cat,dog", "y,cat,dog", "x,p0,p1"])
def test_each_doubtful_column_has_only_one_note(header: str, form: str) -> None:
    rows = [[k, 0.25 * k * k, 3.5 - k / 4] for k in (0, 1, 2, 3)]
    text = table(header, *zip(*rows, strict=True))
    if form == "jsonl":
        text = "".join(json.dumps(dict(zip(header.split(","), row, strict=True))) + "\n" for row in rows)
    assert here("compute", stdin=text).stderr.count("\n") == 1


def test_integers_are_logits_without_a_note_among_integers() -> None:
    assert here("compute", stdin="x,y\n2,1\n").stderr == ""


def test_a_squid_is_a_class() -> None:
    done = here("compute", "-f", "csv", stdin="squid,android\n1,2\n")
    assert (done.stdout.splitlines()[0], done.stderr) == ("row,tau,squid,android", "")


def test_levels_are_classes_unless_there_are_as_many_others() -> None:
    done = here("compute", "-f", "csv", stdin="level_0,level_1,level_2,other\n1,2,3,4\n")
    assert done.stdout.splitlines()[0] == "row,tau,level_0,level_1,level_2,other"
    done = here("compute", "-f", "json", stdin="level_0,level_1,cat,dog\n1,a,3,4\n")
    assert [(record["labels"], record["id"]) for record in json.loads(done.stdout)] == [(["cat", "dog"], 1)]


def test_options_decide() -> None:
    text = "file,cat,dog,gold,y\na,2,0,cat,9\nb,1,0,dog,9\nc,3,1,cat,9\nd,0,1,dog,9\n"
    options = ("--target-column", "gold", "--columns", "cat,dog")
    found, note = tau(text, *options)
    assert found == pytest.approx(fitted(Z, Y), rel=1e-6)
    assert note == "tsoft ignores 'y' (true classes) and 'file'"
    done = here("compute", "--columns", "dog,c*", "--id-column", "file", "-f", "csv", "--digits", "3", stdin=text)
    assert done.stdout.splitlines()[:2] == ["row,id,tau,dog,cat", "0,a,1,0.119,0.881"]
    assert "ignores 'gold' and 'y'" in done.stderr
    # Numbers are keys, too, if --id-column says so.
    done = here("compute", "--id-column", "n", "-f", "csv", "--digits", "3", stdin="n,a,b\n5.5,1,1\n2,0,0\n")
    assert done.stdout == "row,id,tau,a,b\n0,5.5,1,0.5,0.5\n1,2,1,0.5,0.5\n"
    assert done.stderr == ""


ONE_COLUMN = "list the columns of the logits with --columns, and write the targets in one column"
COUNT = "pass --id-column 'id' if it names the rows, or list the columns of the logits with --columns"
ERRORS = {
    "a count that stops": (
        "id,a,b\n1,2,0\n2,2,0\n4,2,0\n", [],
        f"4: field 1: expected 3, as the column 'id' counts the rows, got '4'; {COUNT}",
    ),
    "a label that is no class": (
        "a,b,label\n1,0,1\n1,0,0.5\n", [],
        "3: field 3: '0.5' is not a class, but tsoft ignores the column 'label' as one of true classes;"
        " list the columns of the logits with --columns",
    ),
    "numbers after colons": (
        "1:0.5 2:0.25\n1:0.75 2:1\n", [], "2: field 1: '1:0.75' is not a number; write '1=0.75'",
    ),
    "the results of several texts": (
        "id,prob\nspam,0.9\nham,0.75\nspam,0.5\n", [],
        "4: the label 'spam' repeats; if these are the classes of several distributions, write each in one line,"
        " such as cat=2 dog=1",
    ),
    "vertical bars": ("a|b\n1|2\n", [], "2: field 1: '1|2' is not a number; separate the fields with commas"),
    "a text that nobody named": (
        "a,file,b\n1,x.png,0\n", [],
        "2: field 2: 'x.png' is not a number; if 'file' names the rows, pass --id-column file; or list"
        " the logits with --columns 'a,b'",
    ),
    "no such column": (
        "cat,dog\n1,0\n", ["--columns", "cat,dgo"],
        "1: --columns: unknown column 'dgo'; did you mean 'dog'? choose from cat, dog",
    ),
    "no such key": (
        "cat,dog\n1,0\n", ["--id-column", "x"],
        "1: --id-column: unknown column 'x'; choose from cat, dog",
    ),
    "a column twice": (
        "cat,dog\n1,0\n", ["--columns", "cat,cat"],
        "1: --columns lists 'cat' twice; remove one",
    ),
    "a key and a logit": (
        "cat,dog\n1,0\n", ["--columns", "cat", "--id-column", "cat"],
        "1: --columns and --id-column both name 'cat'; remove it from one of them",
    ),
    "two keys": (
        "n,n,a\n1,2,0\n", ["--id-column", "n"],
        "1: --id-column: 2 columns are called 'n'; rename one",
    ),
    "no logits": (
        "id,target\n1,0\n", [],
        "1: the header names no class; add one column per class",
    ),
    "a number without a name": (
        ",a\n0.5,1\n", [],
        "1: field 1: the column has no name; name it, or list the columns of the logits with --columns",
    ),
    "a number without a name at the end": (
        "a,b,\n1,2,3\n", [],
        "1: field 3: the column has no name; name it, or list the columns of the logits with --columns",
    ),
    "separators at the ends of lines": (
        "a,b,\n1,2,\n", [],
        "1: field 3: the column has no name; remove the separator at the end of each line, or list the columns of the"
        " logits with --columns",
    ),
    "a separator at the end of the first line": (
        "1,2,\n", [], "1: the line ends with a separator; remove it from each line, or write the number after it",
    ),
    "several labels and a number": (
        ",,0\n0,cat,2\n", [],
        "1: 2 texts and a number; expected a label and a number, or a header; if each line is a class, write a header"
        " such as id,label,logit above",
    ),
    "a header of several levels": (
        ",logits,logits\n,0,1\n0,1.5,2\n", [],
        "1: the unnamed column is empty in the first row; if that row is part of the header, join the two; else pass"
        " --id-column ''",
    ),
    "logits and probabilities": (
        "id,logit_a,logit_b,prob_a,prob_b\n0,2,1,0.7,0.3\n", [],
        "1: ambiguous: 'logit_a' and 'logit_b' have the same classes as 'prob_a' and 'prob_b'; list the columns of one"
        " kind with --columns 'logit_*'",
    ),
    "probabilities and logits": (
        "cat (prob),cat (logit),dog (prob),dog (logit)\n0.7,2,0.3,1\n", [],
        "1: ambiguous: 'cat (logit)' and 'dog (logit)' have the same classes as 'cat (prob)' and 'dog (prob)'; list the"
        " columns of one kind with --columns '* (logit)'",
    ),
    "numbers and probabilities": (
        "cat,dog,cat.prob,dog.prob\n2,1,0.7,0.3\n", [],
        "1: ambiguous: 'cat.prob' and 'dog.prob' have the same classes as 'cat' and 'dog'; list the columns of one"
        " kind with --columns '*.prob'",
    ),
    "a logit and its probability": (
        "Logit,Log_Prob\n2,-0.3\n", [],
        "1: ambiguous: the columns are logits and log-probabilities; list the columns of one kind with --columns"
        " 'Logit'",
    ),
    "tokens with two numbers each": (
        "Token,prob,logit\na,0.5,2\n", [],
        "1: ambiguous: the columns are probabilities and logits; list the columns of one kind with --columns"
        " 'logit'; if the lines are the tokens of a text, save the table as JSON Lines",
    ),
    "logits and probabilities of other classes": (
        "logit_a,logit_b,logit_c,prob_a,prob_b\n2,1,0,0.7,0.3\n", [],
        "1: ambiguous: the columns are logits and probabilities; list the columns of one kind with --columns 'logit_*'",
    ),
    "logits, probabilities and more": (
        "size,prob_a,prob_b,logit_a,logit_b,entropy\n7.5,0.7,0.3,2,1,0.6\n", [],
        "1: ambiguous: 'logit_a' and 'logit_b' have the same classes as 'prob_a' and 'prob_b'; list the columns of one"
        " kind with --columns 'logit_*'",
    ),
    "one-hot targets and more": (
        "logit_cat,logit_dog,size,true_dog,true_cat\n2.5,1,7.5,1,0\n", [],
        "1: ambiguous: 'true_dog' and 'true_cat' look like one-hot targets of 'logit_cat' and 'logit_dog';"
        f" {ONE_COLUMN}",
    ),
    "one-hot targets": (
        "logit_cat,logit_dog,y_cat,y_dog\n2.5,1,1,0\n", [],
        f"1: ambiguous: 'y_cat' and 'y_dog' look like one-hot targets of 'logit_cat' and 'logit_dog'; {ONE_COLUMN}",
    ),
    "one-hot targets before the logits": (
        "id;b y;a y;a z;b z\nu;1;0;2.5;1\n", [],
        f"1: ambiguous: 'b y' and 'a y' look like one-hot targets of 'a z' and 'b z'; {ONE_COLUMN}",
    ),
    "numbered one-hot targets": (
        "z0,z1,z2,y0,y1,y2\n2.5,1,0.5,0.0,0.0,1.0\n", [],
        f"1: ambiguous: 'y0', 'y1' and 'y2' look like one-hot targets of 'z0', 'z1' and 'z2'; {ONE_COLUMN}",
    ),
    "one-hot targets next to classes and more": (
        "size,cat,dog,cat_true,dog_true\n7.5,2.5,1,1,0\n", [],
        f"1: ambiguous: 'cat_true' and 'dog_true' look like one-hot targets of 'cat' and 'dog'; {ONE_COLUMN}",
    ),
    "one-hot targets with the names of the classes": (
        "cat,dog,cat.1,dog.1\n2.5,1,1,0\n", [],
        f"1: ambiguous: 'cat.1' and 'dog.1' look like one-hot targets of 'cat' and 'dog'; {ONE_COLUMN}",
    ),
    "decimal commas": (
        "2,5\t1,5\n", [],
        "1: commas and tabs in one line; separate fields with only one of them, and write 1.5 instead"
        " of 1,5",
    ),
    "a word between blanks is a quantity": (
        "cat logit,dog logit,max prob\n1.5,0.2,0.8\n", [],
        "1: ambiguous: the columns are logits and probabilities; list the columns of one kind with --columns '* logit'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_errors(text: str, options: list[str], message: str) -> None:
    done = here("compute", *options, stdin=text)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"tsoft: error: stdin:{message}"


@pytest.mark.parametrize(
    ("header", "first", "second", "option"),
    [
        ("a_1,a_2,b_1,b_2", "'a_1' and 'a_2'", "'b_1' and 'b_2'", "--columns 'a_*'"),
        ("m1,m2,n1,n2", "'m1' and 'm2'", "'n1' and 'n2'", "--columns 'm*'"),
        ("cat,dog,new cat,new dog", "'cat' and 'dog'", "'new cat' and 'new dog'", "--columns 'cat,dog'"),
        ("p(x|a),p(y|a),p(x|b),p(y|b)", "'p(x|a)' and 'p(y|a)'", "'p(x|b)' and 'p(y|b)'", "--columns 'p(*|a)'"),
        ("u,v,u,v", "'u' and 'v'", "'u' and 'v'", "--columns after you rename the columns of the same name"),
    ],
)
def test_groups_of_columns_with_the_same_classes_are_noted(header: str, first: str, second: str, option: str) -> None:
    done = here("compute", stdin=f"{header}\n0.5,1,0.5,2\n")
    problem = f"{first} have the same classes as {second}, but tsoft reads all as one distribution"
    assert (done.returncode, done.stdout.count("\t")) == (0, 3)
    assert done.stderr == f"tsoft: note: stdin: {problem}; to read the first ones, pass {option}\n"


@pytest.mark.parametrize(
    ("header", "note"),
    [
        ("s_cat,s_dog,t_cat,t_dog,Loss", "'s_cat' and 's_dog' have the same classes as 't_cat' and 't_dog'"),
        ("size,s/0,s/1,t/0,t/1", "'s/0' and 's/1' have the same classes as 't/0' and 't/1'"),
        ("obs_0,obs_1,obs_2,q_1,q_2", "'obs_0', 'obs_1' and 'obs_2' are numbered like 'q_1' and 'q_2'"),
        (
            "new_a,new_b,new_c,old_c,old_b,old_a,x,y",
            "'new_a', 'new_b' and 'new_c' have the same classes as 'old_c', 'old_b' and 'old_a'",
        ),
    ],
)
def test_groups_of_columns_next_to_further_columns_are_noted(header: str, note: str) -> None:
    names = header.split(",")
    for text in (f"{header}\n{'0.5,' * len(names)}", json.dumps(dict.fromkeys(names, 0.5))):
        done = here("compute", stdin=text.rstrip(","))
        start = f"tsoft: note: stdin: {note}, but tsoft reads all as one distribution; to read the first ones, pass"
        assert (done.returncode, done.stderr.count(start)) == (0, 1)


@each_case(
    "text",
    [
        "a_1,a_2,b_1,c_2\n0.5,1,0,1\n",
        "set_alarm,set_timer,stop_alarm,stop_timer,weather\n0.5,1,0,1,2\n",
        "nose,left_eye,right_eye,left_ear,right_ear,left_hip,right_hip\n0.5,1,0,1,2,1,1\n",
        "version_1,version_3,model_1,model_2,x\n0.5,1,0,1,2\n",
        "high probability,solar energy\n0.5,1\n",
        "solar energy,wind energy,coal\n0.5,1,2\n",
        "value,cost\n0.5,1\n",
        "a1,b1\n0.5,1\n",
        "c0,c1,c10,c11\n0.5,1,0,1\n",
        "A-,A+,B-,B+\n0.5,1,0,1\n",
        '" the",The," a",A\n0.5,1,0,1\n',
        "B-PER,I-PER,B-LOC,I-LOC,O\n0.5,1,0,1,2\n",
    ],
)
def test_classes_that_share_parts_of_their_names_are_logits(text: str) -> None:
    z = np.loadtxt(text.splitlines()[1:], delimiter=",", ndmin=2)
    done = here("compute", stdin=text)
    assert_allclose(np.loadtxt(done.stdout.splitlines(), ndmin=2), softmax(z, 1))
    assert done.stderr == ""


def test_a_result_does_not_hide_a_column_unlike_the_numbered_ones() -> None:
    done = here("compute", stdin="q_0,q_1,q_2,action,reward\n0.5,1.2,0.1,1,0.2\n")
    assert "tsoft reads 'action' as a logit, like 'q_0' and 'q_1'; pass --columns" in done.stderr
    assert "tsoft reads 'reward' as a logit; pass --columns" in done.stderr


TARGET_ERRORS = {
    "no such target": (
        "a,b\n1,0\n", ["--target-column", "x"],
        "stdin:1: --target-column: unknown column 'x'; choose from a, b",
    ),
    "counted from 1": (
        "a,b,y\n1,0,1\n1,0,2\n", [],
        "stdin:3: field 3: unknown class '2'; use a label, or an index from 0 to 1; the targets seem"
        " to start at 1; subtract 1 from each",
    ),
    "out of range": (
        "a,b,y\n1,0,0\n1,0,2\n", [],
        "stdin:3: field 3: unknown class '2'; use a label, or an index from 0 to 1",
    ),
    "-1 and 1": (
        "neg,pos,target\n0.5,1,1\n2,1,-1\n", [],
        "stdin:3: field 3: unknown class '-1'; use a label, or an index from 0 to 1; if the classes are -1 and 1, write"
        " 0 or the label in place of -1; to leave out the rows with this target, pass --ignore-index -1",
    ),
    "a label of two classes": (
        "a,a,target\n1,0.5,a\n", [],
        'stdin:2: field 3: 2 classes have the label \'a\'; choose one by its index: "#0", "#1"; tsoft reads the column'
        " 'target' as the true classes; pass --target-column or --columns if it is not",
    ),
    "left out": (
        "a,b,y\n1,0,1\n1,0,-100\n", [],
        "stdin:3: field 3: unknown class '-100'; use a label, or an index from 0 to 1; to leave out the"
        " rows with this target, pass --ignore-index -100",
    ),
    "a class of the targets next to a single score": (
        "class,x,label\n2,1,class\n0,2,x\n", [],
        "stdin:1: ambiguous: the column 'class' may contain classes or logits; list the columns of the"
        " logits with --columns",
    ),
    "the same in another row": (
        "y,dog,label\n2,1,dog\n0,2,y\n", [],
        "stdin:1: ambiguous: the column 'y' may contain classes or logits; list the columns of the"
        " logits with --columns",
    ),
    "classes or logits": (
        "x,y,z,target\n1,2,0,x\n", [],
        "stdin:1: ambiguous: the column 'y' may contain classes or logits; list the columns of the"
        " logits with --columns",
    ),
    "a class that is a logit": (
        "x,y,z\n1,2,0\n1,0.5,1\n", [],
        "stdin:3: field 2: unknown class '0.5'; use a label, or an index from 0 to 1; tsoft reads the"
        " column 'y' as the true classes; pass --target-column or --columns if it is not",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "message"), TARGET_ERRORS.values(), ids=TARGET_ERRORS.keys())
def test_errors_in_targets(text: str, options: list[str], message: str) -> None:
    done = here("calibrate", *options, stdin=text.replace("x,y,z\n1,2", "x,y,z\n1,1"))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"tsoft: error: {message}")


@pytest.mark.parametrize(
    ("form", "order"),
    [
        *(("{}", order) for order in ([1, 0], [0, 1, 10, 11, *range(2, 10)])),
        *((form, [0, 10, *range(1, 10)]) for form in ("logit_{}", "p{}", "class {}", "v2_{}_logit", "logit[{}]")),
        *((form, [1, 0]) for form in ("{}_logit", "p(y={})")),
    ],
)
def test_the_numbers_in_the_names_of_classes_are_their_indices_in_any_order(form: str, order: list[int]) -> None:
    random = np.random.default_rng(1)
    z = random.normal(size=(100, len(order))).round(3)
    y = (z + 2 * random.gumbel(size=z.shape)).argmax(1)
    text = table(",".join([*map(form.format, order), "target"]), *z.T[order], y)
    assert tau(text)[0] == pytest.approx(fitted(z, y), rel=1e-6)
    positions = [f'"#{order.index(target)}"' for target in y]
    text = table(",".join([*map(form.format, order), "target"]), *z.T[order], positions)
    assert tau(text)[0] == pytest.approx(fitted(z, y), rel=1e-6)


@pytest.mark.parametrize(
    ("names", "target"),
    [("c1,c10,c2", 0), ("c0,c2,c5", 2), ("c0 (x),c2 (x),c5 (x)", 2), ("1_c,2_c,4_c", 1), ("p(y=5),p(y=1),p(y=2)", 0)],
)
def test_other_numbers_in_the_names_of_classes_are_ambiguous(names: str, target: int) -> None:
    done = here("calibrate", stdin=f"{names},target\n1,2,3,{target}\n")
    listed = ", ".join(map(repr, names.split(",")))
    problem = f"ambiguous: the classes ({listed}, …) are numbered, but not in the order 0, 1, 2, …"
    assert done.returncode == 1
    assert f"stdin:2: field 4: {problem}; write the labels of the classes as targets" in done.stderr


@pytest.mark.parametrize("names", ["class_1,class_2,class_3", "y2019,y2020,y2021", "1 day,2 days,3 days", "c0,c2,c9"])
def test_numbers_that_can_only_be_indices(names: str) -> None:
    """Numbers in names from 1 in order, and those that no target can mean, do not matter."""
    targets = [0, 1, 1, 0] if names == "c0,c2,c9" else [0, 2, 1, 0]
    z = np.array([[2.0, 0, 1], [1, 0, 2], [0, 1, 0.5], [0, 1, 0]])
    text = table(f"{names},target", *z.T, targets)
    assert tau(text)[0] == pytest.approx(fitted(z, np.array(targets)), rel=1e-6)


@pytest.mark.parametrize("form", ["P_{}", ".pred_{}", "confidence({})", "P (class={})", "{} logit", "z.{}"])
@pytest.mark.parametrize("classes", [("cat", "dog"), ("cat", "car"), ("True", "False")])
def test_targets_may_leave_out_what_all_labels_share(form: str, classes: tuple[str, str]) -> None:
    targets = [classes[y].lower() for y in Y]
    text = table(",".join([*map(form.format, classes), "target"]), *Z.T, targets)
    assert tau(text)[0] == pytest.approx(fitted(Z, Y), rel=1e-6)
    records = "".join(
        json.dumps({"logits": dict(zip(map(form.format, classes), z, strict=True)), "target": target}) + "\n"
        for z, target in zip(Z.tolist(), targets, strict=True)
    )
    assert tau(records)[0] == pytest.approx(fitted(Z, Y), rel=1e-6)


def test_targets_are_numbers_in_any_notation() -> None:
    targets = ["+3", "8.0", "3", "8"]
    assert tau(table("3.0,8,target", *Z.T, targets))[0] == pytest.approx(fitted(Z, Y), rel=1e-6)
    done = here("calibrate", stdin=table("3.5,8.5,target", *Z.T, [3, 8, 3, 8]))
    assert "unknown class '3'; choose from 3.5, 8.5" in done.stderr


@pytest.mark.parametrize("names", ["P_cat,Q_dog", "Pcat,Pdog", "cat_P,dog"])
def test_a_part_of_a_label_is_unknown_if_the_labels_do_not_share_the_rest(names: str) -> None:
    done = here("calibrate", stdin=f"{names},target\n2,1,cat\n")
    assert done.returncode == 1
    assert "unknown class 'cat'" in done.stderr


def test_labels_and_marked_indices_are_clear_whatever_the_numbers_in_the_names() -> None:
    assert here("calibrate", stdin='c1,c10,c2,target\n1,2,3,c2\n9,1,2,"#0"\n1,2,0,c1\n').returncode == 0


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_headers_of_pandas_and_r(mark: str) -> None:
    for text in (
        ",0,1\n0,2,0\n1,1,0\n",
        '"","V1","V2"\n"1",2,0\n"2",1,0\n',
        "Unnamed: 0\t0\t1\r\n0\t2\t0\r\n1\t1\t0\r\n",
        "\t0\t1\n0\t2\t0\n1\t1\t0\n",
        "\t0\t1\ttarget\n0\t2\t0\t0\n1\t1\t0\t1\n",
        "#,cat,dog\n1,2,0\n2,1,0\n",
        "\tcat\tdog\n\t2\t0\n\t1\t0\n",
        "\t2\t0\n\t1\t0\n",
    ):
        assert_allclose(np.loadtxt(here("compute", stdin=mark + text).stdout.splitlines()), softmax(Z[:2], 1))
    for text, line in (
        ("0,1\n2,0\n", "which counts the columns from 0"),
        ("1;2\n2;0\n2;0.5\n", "which counts the columns from 1"),
        ("3,8\n0.5,1.5\n-2.5,0.5\n", "of whole numbers"),
        ("-1.0,1.0\n0.5,1.5\n-2.5,-inf\n2.5,0.5\n", "of whole numbers"),
    ):
        assert here("compute", stdin=mark + text).stderr == (
            f"tsoft: note: stdin:1: tsoft reads this line, {line}, as a row; if it is a header, remove it\n"
        )
    for text in ("1,2\n2,0\n", "3,8\n0.5,1\n-2.5,0.5\n", "3,3\n0.5,1.5\n-2.5,0.5\n", "3,8\n0.5,1.5\n"):
        assert here("compute", stdin=mark + text).stderr == ""


def test_a_comment_that_may_be_a_header_or_a_row_is_noted() -> None:
    done = here("compute", stdin="# cat dog\n2 0\n1 0\n")
    note = "tsoft ignores this comment; if it is the header of the columns, remove the #"
    assert done.stderr == f"tsoft: note: stdin:1: {note}\n"
    assert here("compute", stdin="# two rows\n2 0 1\n").stderr == ""
    # The headers of PLUMED, and of CP2K's energies.
    assert f"{note}! FIELDS\n" in here("compute", stdin="#! FIELDS time E\n0 1.5\n").stderr
    assert f"{note}\n" in here("compute", stdin="# Step Nr.   Time[fs]  Kin.[a.u.]\n0 0.5 1.5\n").stderr
    energies = here("compute", stdin="# energy (kcal/mol)\n0.5\n1.2\n")
    assert "this comment mentions energies; if the numbers are these, pass --energies\n" in energies.stderr
    assert "mentions" not in here("compute", "--energies", stdin="# energy (kcal/mol)\n0.5\n1.2\n").stderr
    done = here("compute", stdin="id,cat,dog\na,2,0\n#1,1,0\n# a, b, c\n")
    assert here("compute", stdin="id,cat,dog\na,2,0\n# a, b, c\n").returncode == 0
    problem = "a line that starts with # is a comment; write the first field in quotes if it is a row"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"tsoft: error: stdin:3: {problem}")


def test_a_key_may_contain_another_delimiter() -> None:
    done = here("compute", "-f", "csv", "--digits", "3", stdin="id\tcat\tdog\nNew York, NY\t2\t0\n")
    assert done.stdout == 'row,id,tau,cat,dog\n0,"New York, NY",1,0.881,0.119\n'


def test_labels_between_tabs_may_have_commas() -> None:
    done = here("compute", "-f", "json", stdin="\tcat, wild\ttarget\tdog\n5\t2\t1\t0\n6\t1\t0\t0\n")
    records = json.loads(done.stdout)
    assert [record["labels"] for record in records] == [["cat, wild", "dog"]] * 2
    assert_allclose([record["probs"] for record in records], softmax([[2, 0], [1, 0]], 1))


def test_a_column_of_logits_is_one_distribution() -> None:
    for text, header in (
        ("logit\n2\n0\n", "row,tau,0,1"),
        ("id,logit\na,2\nb,0\n", "row,tau,a,b"),
        (",0\n0,2\n1,0\n", "row,tau,0,1"),
        ("Unnamed: 0,0\n0,2\n1,0\n", "row,tau,0,1"),
        (",1\na,2\nb,0\n", "row,tau,a,b"),
        ("index,0\na,2\nb,0\n", "row,tau,a,b"),
        ("id,logit\n10,2\n11,0\n", "row,tau,10,11"),
        ("index,logit\n7,2\n3,0\n", "row,tau,7,3"),
        ("token,logit\nthe,2\na,0\n", "row,tau,the,a"),
        ("energy,state\n-2,a\n0,b\n", "row,tau,a,b"),
    ):
        done = here("compute", "-f", "csv", "--digits", "3", stdin=text)
        assert done.stdout == f"{header}\n0,1,0.881,0.119\n"
        assert "which is read as one distribution with one class per line" in done.stderr
    assert here("compute", "--tau", "2", stdin="id,prob\na,0.9\nb,0.1\n").stdout == "0.7499999999999999\t0.25\n"
    assert "row 0 has one class" in here("compute", stdin="[[1], [2]]").stderr


def test_texts_next_to_a_number_that_may_not_be_one_per_class_are_errors() -> None:
    for text in ("word,score\nthe,2\na,0\n", "word,n,logit\nthe,1,2\na,2,0\n"):
        assert here("compute", stdin=text).stderr.startswith("tsoft: error: stdin:2: field 1: 'the' is not a number")


def test_the_fix_for_lines_of_labels_and_energies_keeps_the_quantity() -> None:
    done = here("compute", stdin="label,E_energy\na,0.5\nb,2\n")
    assert "for one class per line, rename 'E_energy' to energy; for one row per line, pass --columns" in done.stderr


def test_a_name_before_a_number_may_be_a_class() -> None:
    assert here("compute", "-f", "csv", stdin="id,2\nego,1\n").stdout.splitlines()[0] == "row,tau,id,ego"
    done = here("compute", stdin="class,0\ncat,2.5\ndog,1.5\n")
    assert "2: field 1: 'cat' is not a number; if 'class' names the rows, pass --id-column class;" in done.stderr


WHOLE_NOTE = "in the first rows; pass --columns if that is wrong"


@pytest.mark.parametrize(
    ("header", "columns", "note"),
    [
        ("cat,dog,top", [[0.5, 1.25, -0.5, 2], [1.5, 0.5, 2.5, -1.5], [1, 0, 1, 0]], "'top' as a logit, but it has"),
        (
            "cat,dog,u,v",
            [[0.5, 1.25, -0.5] * 4, [1.5, 2, 0.5] * 4, [3, 1, 2] * 4, [7, 7, 5] * 4],
            "'u' and 'v' as logits",
        ),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_columns_of_whole_numbers_next_to_fractions_are_noted(
    header: str, columns: list[list[float]], note: str, form: str
) -> None:
    text = table(header, *columns)
    if form == "jsonl":
        text = "".join(
            json.dumps(dict(zip(header.split(","), row, strict=True))) + "\n" for row in zip(*columns, strict=True)
        )
    done = here("compute", stdin=text)
    assert done.stderr.startswith(f"tsoft: note: stdin: tsoft reads {note}")
    assert (done.stderr.count("\n"), done.stderr.count("only whole numbers " + WHOLE_NOTE)) == (1, 1)


@pytest.mark.parametrize("header", ["right,guess,sure", ""])
def test_a_column_with_fractions_next_to_several_of_whole_numbers_is_noted(header: str) -> None:
    right, guess, sure = [3, 1, 2] * 4, [7, 7, 5] * 4, [0.5, 1, 0.25] * 4
    done = here("compute", stdin=table(header, right, guess, sure).lstrip("\n"))
    column = "'sure'" if header else "class #2"
    reading = f"tsoft reads {column} as a logit, but the others have only whole numbers in the first rows"
    assert done.stderr.startswith(f"tsoft: note: stdin: {reading}; ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "columns",
    [
        [[0.5, 1.25, -0.5, 2], [1.5, 0.5, 2.5, -1.5], [0, 0, 0, 0]],
        [[0.5, 1.25, -0.5, 2], [1.5, 0.5, 2.5, -1.5], [-10000] * 4],
        [[2, 1, 0], [0.5, 1.5, 2.5]],
        [[2, 1, 0, 3], [0.5, 1.5, 2, 2], [1, 0, 1, 1.5]],
        [[2, 1, 0, 3], [1, 1, 2, 0], [1.5, 0.5, 1, 1.5]],
    ],
)
def test_whole_numbers_by_chance_of_a_reference_class_or_a_mask_have_no_note(columns: list[list[float]]) -> None:
    assert here("compute", stdin=table("abc"[: len(columns)].replace("", ",")[1:-1], *columns)).stderr == ""


SCORES = np.array([[0.5, 1.25, -0.5], [1.5, 0.75, 2.5], [0.25, 0.5, 0], [-1.5, 2.25, 0.125]])
HUGE = np.tile(SCORES, (3, 1)) * 3e307
SUMMARIES = {
    "highest": (SCORES, SCORES.max(axis=1), []),
    "lowest": (SCORES, SCORES.min(axis=1), ["--energies"]),
    "sum": (SCORES, SCORES.sum(axis=1), []),
    "sum that overflows with the others": (HUGE, HUGE.sum(axis=1), []),
    "highest of probabilities": (softmax(SCORES, 1), softmax(SCORES, 1).max(axis=1), ["--probs"]),
    "highest of whole numbers": (np.arange(30).reshape(10, 3) % 7, (np.arange(30).reshape(10, 3) % 7).max(axis=1), []),
}


@pytest.mark.parametrize(("name", "parts"), SUMMARIES.items())
def test_a_column_that_is_a_summary_of_the_others_is_noted(name: str, parts: tuple[Any, Any, list[str]]) -> None:
    classes, summary, options = parts
    done = here("compute", *options, stdin=table("a,b,c,d", *classes.T.tolist(), summary.tolist()))
    assert f", but it is the {name.split()[0]} of the others {WHOLE_NOTE}\n" in done.stderr
    assert "tsoft reads 'd' as" in done.stderr


@pytest.mark.parametrize(
    "columns",
    [
        # Two classes that are the same, a sum that is always 0, two rows, and whole numbers in a few rows.
        [SCORES[:, 0], SCORES[:, 0], SCORES[:, 1] - 10],
        [SCORES[:, 0], -SCORES[:, 0], np.zeros(4)],
        [SCORES[:2, 0], SCORES[:2, 1], SCORES[:2, :2].max(axis=1)],
        [[1, 2, 3, 4], [4, 3, 2, 1], [4, 3, 3, 4]],
        # With two classes, each is the highest of the others if both are the same.
        [SCORES[:, 0], SCORES[:, 0]],
    ],
)
def test_a_class_that_is_a_summary_by_chance_has_no_note(columns: list[Any]) -> None:
    text = table("abc"[: len(columns)].replace("", ",")[1:-1], *(np.array(column).tolist() for column in columns))
    assert "of the others" not in here("compute", stdin=text).stderr


def test_the_better_of_two_keys_is_used() -> None:
    done = here("compute", "-f", "csv", "--digits", "3", stdin="Unnamed: 0,row,id,a,b\n0,5,x,1,1\n1,6,y,0,0\n")
    assert done.stdout == "row,id,tau,a,b\n0,x,1,0.5,0.5\n1,y,1,0.5,0.5\n"
    assert "reads 'id' as the row ids and ignores 'Unnamed: 0' and 'row'" in done.stderr


def test_output_with_keys_is_read_back() -> None:
    text = "id,cat,dog\n4,2,1\n5,0,3\n"
    for options in (["--tau", "1,2"], ["--tau", "1,2", "--long"]):
        written = here("compute", "-f", "csv", *options, stdin=text).stdout
        again = here("compute", "-f", "csv", "--probs", stdin=written).stdout
        assert [line.split(",")[1] for line in again.splitlines()] == ["id", "4", "4", "5", "5"]
        first, last = ([float(p) for p in again.splitlines()[i].split(",")[3:]] for i in (1, -1))
        assert [first, last] == [pytest.approx(softmax([2, 1])), pytest.approx(softmax([0, 1.5]))]


def test_many_rows_with_keys_and_targets() -> None:
    """The faster parser finds the same, and an error still names the line."""
    random = np.random.default_rng(0)
    z = random.normal(size=(500, 3)).round(3) * 3
    y = (z + random.gumbel(size=z.shape)).argmax(1)
    text = table("id,a,b,c,label", range(5, 505), *z.T, y)
    assert tau(text)[0] == pytest.approx(fitted(z, y), rel=1e-6)
    assert tau(text.replace("id,", "name,"), "--id-column", "name")[0] == pytest.approx(fitted(z, y), rel=1e-6)
    wrong = text.splitlines()
    wrong[400] = wrong[400].replace("404", "405", 1)
    done = here("calibrate", stdin="\n".join(wrong))
    assert "stdin:401: field 1: expected 404, as the column 'id' counts the rows, got '405'" in done.stderr


def test_one_logit_next_to_true_classes_is_a_binary_classifier_in_every_command() -> None:
    done = here("compute", stdin="logit,target\n2.0,1\n-1.0,0\n")
    assert [[float(p) for p in line.split("\t")] for line in done.stdout.splitlines()] == [
        pytest.approx([1 / (1 + math.exp(z)), 1 / (1 + math.exp(-z))]) for z in (2.0, -1.0)
    ]
    assert "one number per row, so tsoft reads a binary classifier" in done.stderr


def test_a_header_that_counts_the_columns_beside_keys_is_an_error() -> None:
    """As pandas writes a frame without names, with tabs."""
    for form in ("tsv", "jsonl"):
        done = here("compute", "-f", form, stdin="\t1\t2\n0\t-1.7\t0.2\n1\t1.1\t0.4\n")
        assert done.returncode == 1
        assert "and the next one has one more number; write id before the first number" in done.stderr
    for rows in ("1\t2\n3\t1\t2\n", "1 2\n0 1 2\n"):
        assert here("compute", stdin=rows).returncode == 0


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("form", ["csv", "json", "jsonl"], ids=["a table", "an array of objects", "lines of objects"])
def test_a_column_that_counts_the_rows_is_noted(form: str, start: int) -> None:
    rows = [{"sample": start + i, "cat": z, "dog": 0.5} for i, z in enumerate([2, 1, 3])]
    if form == "csv":
        texts = ["sample,cat,dog", *(",".join(map(str, row.values())) for row in rows)]
    else:
        texts = [json.dumps(row) for row in rows]
    text = json.dumps(rows) if form == "json" else "\n".join(texts)
    done = here("compute", stdin=text)
    note = "stdin: tsoft reads 'sample' as a logit, but it counts the rows; if it is not a logit, pass"
    note += " --id-column sample"
    assert (done.returncode, done.stderr) == (0, f"tsoft: note: {note}\n")


WHOLE = "".join(f"{i + 1} {7 * i % 5}\n" for i in range(10))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("0 2.5 1\n1 0 1\n2 3 0\n", []),
        (" 1  0.000\n 2  0.371\n 3  1.200\n", ["--energies"]),
        (WHOLE, []),
        # A position in each of several texts counts only the first rows.
        ("".join(f"{i % 10} {7 * i % 5}\n" for i in range(20)), []),
        ("0,2.5,1\n1,0,1\n2,3,0\n", ["--labels", "a,b,c"]),
        ("[[0, 2.5], [1, 0], [2, 3]]", []),
    ],
)
def test_a_column_without_a_name_that_counts_the_rows_is_noted(text: str, options: list[str]) -> None:
    quantity = "an energy" if "--energies" in options else "a logit"
    note = f"stdin: tsoft reads class #0 as {quantity}, but it counts the rows; remove the column if that is wrong"
    done = here("compute", *options, stdin=text)
    assert (done.returncode, done.stderr) == (0, f"tsoft: note: {note}\n")


def test_the_note_on_counting_rows_names_only_columns_without_another_note() -> None:
    # pred counts the rows, too, but another note says that it may be a result.
    done = here("compute", stdin="pred,sample,cat\n0,0,0.5\n1,1,0.25\n2,2,0.75\n")
    assert "'sample' as a logit, but it counts the rows; if it is not a logit, pass --id-column sample" in done.stderr


def test_a_column_of_an_array_that_counts_the_rows_is_noted(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", np.column_stack([np.arange(20), np.random.default_rng(1).normal(size=(20, 2))]))
    note = "tsoft reads class #0 as a logit, but it counts the rows; remove the column if that is wrong"
    assert here("compute", "-i", str(tmp_path / "z.npy")).stderr == f"tsoft: note: {tmp_path / 'z.npy'}: {note}\n"


@each_case(
    "text",
    [
        "\n".join(WHOLE.splitlines()[:-1]),
        "0 3 1\n1 2 1\n2 1 0\n",
        "0 3.5\n1 2.5\n3 1\n",
        "2 3.5\n3 2.5\n4 1\n",
        "sample,cat\n1,2\n2,0\n",
        "sample,cat\n1,2\n2,0\n4,0\n",
        "sample,cat\n2,2\n3,0\n4,1\n",
        "cat,dog\n0,1\n1,2\n2,3\n",
        "0 3\n1 2\n2 1\n",
    ],
)
def test_other_columns_do_not_count_the_rows(text: str) -> None:
    assert here("compute", stdin=text).stderr == ""
    assert here("compute", "--probs", stdin="1 0\n1 0\n1 0\n").stderr == ""
    assert here("compute", "--columns", "b,a", stdin="a,b\n0,2\n1,2\n2,5\n").stderr == ""
