"""The rows and targets of `tsoft calibrate` and `distill`: binary classifiers, rows to leave out, and files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from scipy.special import expit, logit

from cases import each_case
from tool import here
from tsoft.core.labeled_rows import LabeledRows

# A binary classifier: one logit per row, and the temperature with sum (sigmoid(z / tau) - y) z = 0.
Z, Y = np.array([2.0, -1, 0.5, -0.3]), np.array([1, 0, 0, 1])
TAU = float(brentq(lambda tau: ((expit(Z / tau) - Y) * Z).sum(), 0.1, 10, xtol=1e-14))
NOTE = "one number per row, so tsoft reads a binary classifier: z is the logit of class #1, and 0 that of #0"
WORDS = ["pos", "neg", "neg", "pos"]


def calibrated(*arguments: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
    done = here("calibrate", *arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def lines(*columns: Any) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def objects(**fields: Any) -> str:
    return "".join(json.dumps(dict(zip(fields, row, strict=True))) + "\n" for row in zip(*fields.values(), strict=True))


TEXTS = {
    "a table": ("logit,target\n" + lines(Z, Y), NOTE),
    "floats": ("score,y\n" + lines(Z, Y.astype(float)), NOTE),
    "booleans": ("score,target\n" + lines(Z, ["True", "False", "False", "True"]), NOTE),
    "names": ("score,target\n" + lines(Z, WORDS), "z is the logit of class 'pos', and 0 that of 'neg'"),
    "the column's own name": ("neg,target\n" + lines(-Z, WORDS), "z is the logit of class 'neg', and 0 that of 'pos'"),
    **{
        f"a name in {name}": (
            f"{name},target\n" + lines(-Z, WORDS),
            "z is the logit of class 'neg', and 0 that of 'pos'",
        )
        for name in ("logit_neg", "Neg", "score (NEG)", "neg.margin")
    },
    "a name with another word": (
        "not_neg,target\n" + lines(Z, WORDS),
        "z is the logit of class 'pos', and 0 that of 'neg'",
    ),
    "a longer name": (
        "p_no_y,target\n" + lines(-Z, [{"neg": "no y", "pos": "y"}[word] for word in WORDS]),
        "z is the logit of class 'no y', and 0 that of 'y'",
    ),
    "an object whose field names a class": (
        objects(z_neg=(-Z).tolist(), label=WORDS),
        "z is the logit of class 'neg', and 0 that of 'pos'",
    ),
    "probabilities": ("prob,target\n" + lines(expit(Z), Y), "each is the probability of class #1, and the rest"),
    "a record": (json.dumps({"logits": Z.tolist(), "targets": Y.tolist()}), NOTE),
    "a record of rows": (json.dumps({"logits": Z[:, np.newaxis].tolist(), "labels": Y.tolist()}), NOTE),
    "a record of rows with labels": (
        json.dumps({"logits": Z[:, np.newaxis].tolist(), "targets": Y.tolist(), "labels": ["no", "yes"]}),
        "z is the logit of class 'yes', and 0 that of 'no'",
    ),
    "objects": (objects(logit=Z.tolist(), target=Y.tolist()), NOTE),
    "objects with booleans": (objects(logits=Z[:, np.newaxis].tolist(), label=(Y == 1).tolist()), NOTE),
    "objects with names": (objects(z=Z.tolist(), label=WORDS), "z is the logit of class 'pos', and 0 that of 'neg'"),
}


@pytest.mark.parametrize(("text", "note"), TEXTS.values(), ids=TEXTS.keys())
def test_one_number_per_row_is_a_binary_classifier(text: str, note: str) -> None:
    stdout, stderr = calibrated(stdin=text)
    assert float(stdout) == pytest.approx(TAU, rel=1e-9)
    assert note in stderr


# Those whose numbers are Z, without a column y, which commands that take no targets read as a class.
UNUSED = {
    name: TEXTS[name][0]
    for name in TEXTS
    if name in ("a table", "booleans", "names", "probabilities") or name.startswith(("a record", "objects"))
}


@each_case(("name", "text"), UNUSED.items())
def test_one_number_per_row_is_a_binary_classifier_in_commands_that_ignore_the_targets(name: str, text: str) -> None:
    if name == "objects with names":
        problem = "one number and the label 'pos'; the object may be a row or one class; pass --columns 'z' if it is a"
        assert f"stdin:1: {problem} row, or" in here("compute", stdin=text).stderr
    chosen = ["--columns", "z"] if name == "objects with names" else []
    done = here("compute", *chosen, stdin=text)
    assert_allclose(np.loadtxt(done.stdout.splitlines()), np.column_stack([expit(-Z), expit(Z)]), rtol=1e-12)
    assert "tsoft reads a binary classifier" in done.stderr


def test_compute_reads_one_row_if_the_targets_cannot_be_those_of_a_binary_classifier(
    tmp_path: Path,
) -> None:
    row: dict[str, Any] = {"logits": [3.0, 2, 1, 0]}
    named = row | {"labels": ["a", "b", "c", "d"], "targets": [0, 1, 1, 0]}
    np.savez(tmp_path / "ids.npz", **row, labels=[7, 8, 9, 10])
    np.savez(tmp_path / "few.npz", **row, labels=[7, 9, 7, 9])
    np.savez(tmp_path / "named.npz", **named)
    np.savez(tmp_path / "targets.npz", **row, targets=[0, 1, 1, 0])
    for done in (
        here("compute", "-i", str(tmp_path / "ids.npz")),
        here("compute", "-i", str(tmp_path / "few.npz")),
        here("compute", "-i", str(tmp_path / "named.npz")),
        here("compute", "-i", str(tmp_path / "targets.npz"), "--labels", "a,b,c,d"),
        here("compute", stdin=json.dumps(named)),
        here("compute", stdin=json.dumps(row | {"target": [0, 1, 0, 0]})),
        here("compute", stdin=json.dumps(row | {"labels": [7, 8, 9, 0]})),
        here("compute", stdin=json.dumps(row | {"labels": [7, 8, 7, 7]})),
    ):
        assert len(done.stdout.split()) == 4
        assert "(true classes)" in done.stderr
    # The ids of two tokens.
    assert len(here("compute", stdin='{"logits": [2.5, 1], "labels": [0, 1]}').stdout.split()) == 2


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("targets", [Y, Y == 1, Y.astype(float), np.array(WORDS)], ids=["int", "bool", "float", "text"])
def test_arrays_of_one_number_per_row(shape: tuple[int, ...], targets: Any, tmp_path: Path) -> None:
    z, y, both = str(tmp_path / "z.npy"), str(tmp_path / "y.npy"), str(tmp_path / "a.npz")
    np.save(z, Z.reshape(shape))
    np.save(y, targets)
    np.savez(both, logits=Z.reshape(shape), targets=targets)
    for files in ([z, y], [both], ["-i", z, "--targets", both]):
        stdout, stderr = calibrated(*files)
        assert float(stdout) == pytest.approx(TAU, rel=1e-9)
        assert NOTE in stderr
        assert ("class #0 'neg' and class #1 'pos'" in stderr) == (targets.dtype.kind == "U")
        assert "another order" not in stderr
        if targets.dtype.kind == "U":
            assert calibrated(*files, "--labels", "pos,neg", code=3)[0] == "inf\n"
    probs = np.loadtxt(here("compute", "-i", both).stdout.splitlines())
    assert_allclose(probs, np.column_stack([expit(-Z), expit(Z)]), rtol=1e-12)


@pytest.mark.parametrize("signs", [2 * Y - 1, 2.0 * Y - 1], ids=["int", "float"])
def test_arrays_of_targets_minus_1_and_1(signs: Any, tmp_path: Path) -> None:
    z, y, both = str(tmp_path / "z.npy"), str(tmp_path / "y.npy"), str(tmp_path / "a.npz")
    np.save(z, Z)
    np.save(y, signs)
    np.savez(both, logits=Z, targets=signs)
    for files in ([z, y], [both]):
        stdout, stderr = calibrated(*files)
        assert float(stdout) == pytest.approx(TAU, rel=1e-9)
        assert "the targets name class #0 '-1' and class #1 '1'" in stderr
    np.save(y, np.where(signs > 0, 2, signs))
    assert "unknown class '2'" in calibrated(z, y, code=1)[1]


@pytest.mark.parametrize("name", ["y", "target"])
def test_the_option_that_names_the_classes_minus_1_and_1(name: str) -> None:
    for text in (f"score,{name}\n" + lines(Z, 2 * Y - 1), objects(**{"score": Z.tolist(), name: (2 * Y - 1).tolist()})):
        stderr = calibrated(stdin=text, code=1)[1]
        fixes = "if the classes are -1 and 1, pass --labels=-1,1; to leave out the rows with this target, pass"
        assert f"unknown class '-1'; use an index from 0 to 1; {fixes} --ignore-index -1\n" in stderr
        assert float(calibrated("--labels=-1,1", stdin=text)[0]) == pytest.approx(TAU, rel=1e-9)
    # Next to a 0, and among more classes, -1 is no class.
    for text in ("score,y\n1,0\n1,-1\n", "a,b,c,y\n1,2,3,-1\n", "a,b,y\n1,2,-1\n"):
        assert "--labels" not in calibrated(stdin=text, code=1)[1]


@pytest.mark.parametrize(
    "arguments", [["-", "true_class"], ["--targets", "true_class"], ["--test", "a.csv", "--test-targets", "true_class"]]
)
def test_a_column_in_the_place_of_a_file_of_targets(arguments: list[str], tmp_path: Path) -> None:
    text = "a,b,true_class\n1,2,0\n2,1,0\n"
    (tmp_path / "a.csv").write_text(text)
    arguments = [str(tmp_path / word) if word == "a.csv" else word for word in arguments]
    problem = "true_class: no such file; for a column of the input, pass --target-column true_class"
    assert f"tsoft: error: {problem}\n" in calibrated(*arguments, stdin=text, code=1)[1]


def test_a_text_of_one_number_per_line(tmp_path: Path) -> None:
    for targets in ("target\n1\n0\n0\n1\n", "+1\n-1\n-1\n+1\n"):
        (tmp_path / "y.txt").write_text(targets)
        for text in (lines(Z), "logit\n" + lines(Z), f"array({Z.tolist()})"):
            for labels in ([], ["--labels=-1,1"] if "+" in targets else ["--labels", "no,yes"]):
                stdout, stderr = calibrated("--targets", str(tmp_path / "y.txt"), *labels, stdin=text)
                assert float(stdout) == pytest.approx(TAU, rel=1e-9)
                assert "another order" not in stderr
    wrong = calibrated("--probs", "--targets", str(tmp_path / "y.txt"), stdin="0.5\n0.2\n1\n7\n", code=1)[1]
    assert "stdin:4: 7 is not a probability" in wrong


def test_labels_name_the_classes_of_a_binary_classifier() -> None:
    text = "score,target\n" + lines(-Z, WORDS)
    stdout, stderr = calibrated("--labels", "pos,neg", stdin=text)
    assert float(stdout) == pytest.approx(TAU, rel=1e-9)
    assert "z is the logit of class 'neg', and 0 that of 'pos'" in stderr


def test_errors_of_binary_classifiers() -> None:
    probs = calibrated(stdin="p,target\n" + lines(expit(Z), Y), code=1)[1]
    assert "the number of every row is from 0 to 1, so they look like probabilities; pass --probs, or write" in probs
    assert float(calibrated("--probs", stdin="p,target\n" + lines(expit(Z), Y))[0]) == pytest.approx(TAU, rel=1e-9)
    only = calibrated(stdin="z,target\n" + lines(Z, ["pos"] * 4), code=1)[1]
    assert "every target is 'pos'; name both classes with --labels NEGATIVE,POSITIVE" in only
    third = calibrated(stdin="z,target\n" + lines(Z, ["a", "b", "c", "a"]), code=1)[1]
    assert "stdin:4: field 2: unknown class 'c'; choose from a, b" in third
    mixed = calibrated(stdin='{"logits": [[1], [1, 2]], "targets": [1, 0]}', code=1)[1]
    assert "expected one number, as in the first row, got 2" in mixed
    assert "stdin:3: field 1: 2 is not a probability" in calibrated("--probs", stdin="p,y\n0.5,1\n2,0\n", code=1)[1]


def test_the_gap_of_two_logits_gives_the_same() -> None:
    """Also at the ends, where a probability is 0 or 1."""
    z = np.append(Z, [np.inf, -np.inf])
    text = "prob,target\n" + lines(expit(z), [*Y, 1, 0])
    assert float(calibrated(stdin=text)[0]) == pytest.approx(TAU, rel=1e-9)
    assert_allclose(logit(expit(Z)), Z)


ROWS = np.array([[2.0, 0], [1, 0], [9, 9], [3, 1], [0, 1]])
LEFT_OUT = np.array([0, 1, -100, 0, 1])
KEPT = "2,0,0\n1,0,1\n3,1,0\n0,1,1\n"


def test_rows_are_left_out(tmp_path: Path) -> None:
    expected = calibrated(stdin="a,b,target\n" + KEPT)[0]
    z, y, both = str(tmp_path / "z.npy"), str(tmp_path / "y.npy"), str(tmp_path / "a.npz")
    np.save(z, ROWS)
    np.save(y, LEFT_OUT)
    np.savez(both, logits=ROWS, labels=LEFT_OUT)
    text = "a,b,target\n" + lines(*ROWS.T, LEFT_OUT)
    record = json.dumps({"logits": ROWS.tolist(), "targets": LEFT_OUT.tolist()})
    for arguments, stdin in (((z, y), ""), ((both,), ""), ((), text), ((), record)):
        stdout, stderr = calibrated(*arguments, "--ignore-index", "-100", stdin=stdin)
        assert stdout == expected
        assert "tsoft leaves out 1 of 5 rows, whose target is -100\n" in stderr
        message = calibrated(*arguments, stdin=stdin, code=1)[1]
        assert "to leave out the rows with this target, pass --ignore-index -100\n" in message
    stdout = calibrated("--ignore-index", "-100", "--test", both, "-f", "json", stdin=text)[0]
    assert [(report["rows"], report["ignored"]) for report in json.loads(stdout)[0]["reports"]] == [(4, 1)] * 4
    nothing = calibrated("--ignore-index", "0", stdin="a,b,target\n1,2,0\n", code=1)[1]
    assert "there are no rows" in nothing


def test_names_are_found_behind_a_row_that_is_left_out() -> None:
    for text in (
        "z,target\n9,-100\n" + lines(Z, WORDS),
        '{"z": 9, "target": -100}\n' + objects(z=Z.tolist(), target=WORDS),
    ):
        assert float(calibrated("--ignore-index", "-100", stdin=text)[0]) == pytest.approx(TAU, rel=1e-9)


def test_distill_leaves_rows_out(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("a,b\n" + lines(*ROWS[::-1].T))
    text = "id,a,b,target\n" + lines("vwxyz", *ROWS.T, LEFT_OUT)
    options = ("--student", str(tmp_path / "s.csv"), "--ignore-index", "-100", "--tau", "1", "-f", "csv")
    done = here("distill", *options, stdin=text)
    assert [line.split(",")[:2] for line in done.stdout.splitlines()[1:]] == [
        ["0", "v"],
        ["1", "w"],
        ["3", "y"],
        ["4", "z"],
    ]
    assert "tsoft leaves out 1 of 5 rows, whose target is -100\n" in done.stderr


def test_arrays_are_chosen_by_name(tmp_path: Path) -> None:
    path = str(tmp_path / "a.npz")
    np.savez(path, z=ROWS[[0, 1, 3, 4]], gold=LEFT_OUT[[0, 1, 3, 4]], other=np.arange(3))
    stdout, stderr = calibrated(path, "--key", "z", "--targets-key", "gold")
    assert stdout == calibrated(stdin="a,b,target\n" + KEPT)[0]
    assert "tsoft ignores the array 'other'" in stderr
    separate = calibrated(path, "--key", "z", "--targets", path, "--targets-key", "gold")
    assert separate[0] == stdout
    assert "tsoft ignores the array 'other'" in separate[1]
    message = calibrated(path, "--key", "z", "--targets-key", "gld", code=1)[1]
    assert "unknown array 'gld'; did you mean 'gold'? choose from z, gold, other" in message


def test_files_in_the_wrong_order(tmp_path: Path) -> None:
    z, y = str(tmp_path / "z.npy"), str(tmp_path / "y.npy")
    np.save(z, ROWS[:2])
    np.save(y, np.array([0, 1]))
    message = calibrated(y, z, code=1)[1]
    assert message.endswith(
        "an array of 2 × 2; expected one target per row; pass the logits first, then one integer per row\n"
    )


def test_fields_of_records_that_are_not_used() -> None:
    text = objects(logits=ROWS[:2].tolist(), target=[0, 1], id=["a", "b"], model="xy", split="tv")
    stderr = calibrated(stdin=text)[1]
    assert "tsoft ignores the fields 'model' and 'split'\n" in stderr
    done = here("compute", "-f", "csv", "--digits", "3", stdin=text)
    assert done.stdout == "row,id,tau,0,1\n0,a,1,0.881,0.119\n1,b,1,0.731,0.269\n"
    assert done.stderr == "tsoft: note: stdin: tsoft ignores the fields 'target' (true classes), 'model' and 'split'\n"


# The classes of each row in another order, with their logits, and the same rows in one order.
SHUFFLED = [("cat", "dog", "owl"), ("owl", "cat", "dog"), ("dog", "owl", "cat"), ("cat", "owl", "dog")]
MIXED = [[2.0, 1.0, 0.5], [0.25, 3.0, 1.0], [1.5, 0.0, 1.25], [-1.0, 0.5, 1.0]]
TRUE = ["cat", "dog", "cat", "owl"]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_classes_in_another_order_are_matched_by_name(form: str) -> None:
    rows = [dict(zip(names, row, strict=True)) for names, row in zip(SHUFFLED, MIXED, strict=True)]
    table = lines(*([row[name] for row in rows] for name in SHUFFLED[0]), TRUE)
    if form == "jsonl":
        text = "".join(json.dumps(row | {"target": target}) + "\n" for row, target in zip(rows, TRUE, strict=True))
    else:
        each = [(i, name, row[name], TRUE[i]) for i, row in enumerate(rows) for name in row]
        text = "row,label,logit,target\n" + lines(*zip(*each, strict=True))
    stdout, stderr = calibrated(stdin=text)
    assert stdout == calibrated(stdin="cat,dog,owl,target\n" + table)[0]
    assert stderr.count("the classes are in another order than in the first row; tsoft matches them by name") == 1
    assert "the classes of this row are not those" in calibrated(stdin=text.replace("owl", "fox", 1), code=1)[1]


def test_rows_to_leave_out_are_matched_by_name_too() -> None:
    text = '{"a": 1, "b": 3, "target": "a"}\n{"b": 1, "a": 5, "target": -1}\n{"b": 5, "a": 1, "target": "b"}\n'
    expected = calibrated(stdin="a,b,target\n1,3,a\n1,5,b\n")[0]
    assert calibrated("--ignore-index", "-1", stdin=text)[0] == expected


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("name", ["target_idx", "label_id", "classId", "y index"])
def test_the_number_of_a_class_is_a_target_and_no_key(name: str, form: str) -> None:
    columns = {"cat": [2.0, 1, 0, 1], "dog": [1.0, 3, 2, 0.5], name: [0, 1, 0, 0]}
    text = objects(**columns) if form == "jsonl" else f"cat,dog,{name}\n" + lines(*columns.values())
    stdout, stderr = calibrated(stdin=text)
    assert stdout == calibrated(stdin=text.replace(name, "target"))[0]
    assert f"reads {name!r} as the true classes" in stderr
    assert f"ignores {name!r}" in here("compute", stdin=text).stderr
    if form == "csv":
        both = f"cat,dog,label,{name}\n" + lines(*list(columns.values())[:2], [0, 1, 0, 0], [9, 9, 9, 7])
        assert calibrated(stdin=both)[0] == stdout


@pytest.mark.parametrize("name", ["target_idx", "label_id", "token_id"])
def test_label_id_is_read_as_the_target_not_as_a_key(name: str) -> None:
    text = objects(logits=[[1, 2], [3, 2], [2, 1]], **{name: [1, 0, 1]})
    done = here("compute", "-f", "csv", stdin=text)
    assert done.stdout.splitlines()[0] == "row,tau,0,1"
    assert f"ignores the field '{name}'" in done.stderr
    if name == "token_id":
        assert "the rows have no targets" in calibrated(stdin=text, code=1)[1]
    else:
        tau, notes = calibrated(stdin=text)
        assert tau == calibrated(stdin=text.replace(name, "target"))[0]
        assert f"tsoft reads the field '{name}' as the true classes" in notes


SPLITS = {"a": LabeledRows(np.array([[2.0, 0], [1, 0], [0, 1], [3, 1]]), np.array([0, 1, 1, 0]))}
SPLITS["b"] = LabeledRows(np.array([[1.0, 0], [0, 0.5], [0, 1], [3, 2]]), np.array([0, 1, 0, 0]))


@pytest.mark.parametrize("files", [("both", "both"), ("a", "b"), ("a", "both"), ("a", "other_b")])
def test_the_arrays_of_the_test_rows_may_have_other_names(files: tuple[str, str], tmp_path: Path) -> None:
    arrays = {f"z_{name}": rows.logits for name, rows in SPLITS.items()}
    arrays |= {f"y_{name}": rows.targets for name, rows in SPLITS.items()}
    np.savez(tmp_path / "both.npz", **arrays)  # type: ignore[arg-type]
    np.savez(tmp_path / "a.npz", z_a=arrays["z_a"], y_a=arrays["y_a"])
    np.savez(tmp_path / "b.npz", z_b=arrays["z_b"], y_b=arrays["y_b"])
    np.savez(tmp_path / "other_b.npz", logits=arrays["z_b"], targets=arrays["y_b"])
    for name, rows in SPLITS.items():
        np.savez(tmp_path / f"plain_{name}.npz", logits=rows.logits, targets=rows.targets)
    expected = calibrated(str(tmp_path / "plain_a.npz"), "--test", str(tmp_path / "plain_b.npz"), "-f", "json")[0]
    fit, test = (str(tmp_path / f"{name}.npz") for name in files)
    keys = [] if files[1] == "other_b" else ["--test-key", "z_b", "--test-targets-key", "y_b"]
    stdout, stderr = calibrated(fit, "--key", "z_a", "--targets-key", "y_a", "--test", test, *keys, "-f", "json")
    assert stdout == expected
    assert "the fit uses" not in stderr
    assert ("ignores the arrays 'z_a' and 'y_a'" in stderr) == (files == ("a", "both"))


def test_errors_name_the_options_for_the_arrays_of_the_test_rows(tmp_path: Path) -> None:
    fit, test = str(tmp_path / "a.npz"), str(tmp_path / "b.npz")
    np.savez(fit, z=np.eye(2), y=[0, 1], other=np.eye(2))
    np.savez(test, a=np.eye(2), b=np.eye(2), c=[0, 1])
    typed = (fit, "--key", "z", "--targets-key", "y", "--test")
    assert "pass --test-key NAME to choose one: a, b, c\n" in calibrated(*typed, test, code=1)[1]
    assert "or pass --test-targets-key NAME or" in calibrated(*typed, test, "--test-key", "a", code=1)[1]
    problem = f"--test-key selects other rows of {fit}, which need other targets; pass --test-targets-key NAME"
    for tested in (fit, str(tmp_path / "[a]*")):
        assert problem in calibrated(*typed, tested, "--test-key", "other", code=2)[1]
    note = "so the measures are optimistic; pass rows of other files, or of another array with --test-key\n"
    assert note in here("calibrate", *typed, fit).stderr
    for option in ("--test-key", "--test-targets-key"):
        assert f"{option} has no effect without --test" in calibrated(fit, option, "a", code=2)[1]


def test_the_number_of_a_class_names_the_classes_of_one_distribution() -> None:
    done = here("compute", "-f", "csv", stdin="class_id,logit\nx3,1\nx1,2\n")
    assert done.stdout.splitlines()[0] == "row,tau,x3,x1"


@pytest.mark.parametrize("labels", [["cat", "dog"], ["0", "1", "2"]])
def test_labels_that_never_repeat_may_be_those_of_lines(labels: list[str]) -> None:
    text = "label,score\n" + lines(labels, range(len(labels)))
    done = here("compute", stdin=text)
    problem = "ambiguous: each line may be one class, since no label repeats, or one row; for one class per"
    assert (done.returncode, f"stdin:1: {problem}" in done.stderr) == (1, True)
    assert here("compute", "--columns", "score", stdin=text).returncode == 0
    assert here("compute", stdin=text.replace("score", "logit")).stdout.count("\n") == 1
    assert here("compute", stdin=f"{text}{labels[0]},2\n").stdout.count("\n") == len(labels) + 1


def test_one_integer_under_labels_is_the_target_of_a_row() -> None:
    text = '{"logits": [1, 2], "labels": 1}\n{"logits": [3, 2.5], "labels": 1}\n'
    assert calibrated(stdin=text)[0] == calibrated(stdin=text.replace("labels", "target"))[0]


@pytest.mark.parametrize("end", ["", "\n", "\n\n \n"])
@pytest.mark.parametrize("spelling", ["1 -1 1 -1", "1.0 -1.0 +1 -1", "+1 -1 1.0 -1.00"])
def test_targets_in_a_file_are_numbers_in_any_notation(spelling: str, end: str, tmp_path: Path) -> None:
    (tmp_path / "y.txt").write_text(spelling.replace(" ", "\n") + end)
    stdout, stderr = calibrated("--targets", str(tmp_path / "y.txt"), stdin="2\n-1\n-0.5\n1\n")
    assert stdout == calibrated(stdin="z,target\n2,1\n-1,0\n-0.5,1\n1,0\n")[0]
    assert "the targets name class #0 '-1' and class #1 '" in stderr


def test_several_spellings_of_0_and_1_are_two_classes(tmp_path: Path) -> None:
    (tmp_path / "y.txt").write_text("1\n0\n+1\n0.0\n")
    stdout, _ = calibrated("--targets", str(tmp_path / "y.txt"), stdin="2\n-1\n-0.5\n1\n")
    assert stdout == calibrated(stdin="z,target\n2,1\n-1,0\n-0.5,1\n1,0\n")[0]


COUNTS = "if the targets are numbers, do they count from 1?"


@pytest.mark.parametrize(
    ("names", "targets", "note"),
    [
        ("cat,dog,owl", [1, 2], "no target is class 'cat', but every other class occurs; "),
        ("c1,c2,c3", [1] * 15, "no target is class 'c1', whose name counts from 1; "),
        ("c1,c2,c3", [1] * 4, None),
        ("cat,dog,owl", [1] * 15, None),
    ],
)
def test_targets_that_may_count_from_1_are_noted(names: str, targets: list[int], note: str | None) -> None:
    text = f"{names},target\n" + "".join(f"0.5,{i % 3}.25,1.5,{target}\n" for i, target in enumerate(targets))
    stderr = here("calibrate", stdin=text).stderr
    assert (COUNTS in stderr) == (note is not None)
    assert (note or "") in stderr


INDEX, TWO = "use an index from 0 to 1", [[1, 2], [2, 1]]
WRONG = {
    "too few": ({"logits": [[1, 2], [2, 1]], "targets": [0]}, "targets: 1 values, but 2 rows; write one per row"),
    "a fraction": ({"logits": TWO, "targets": [0, 1.5]}, f"row 1: targets: unknown class '1.5'; {INDEX}"),
    "null": ({"logits": TWO, "targets": [0, None]}, "row 1: targets: expected a class's label or index, got null"),
    "a class and a target": (
        {"row": 0, "label": "cat", "logit": 2.5, "target": "cat"},
        "one number and the label 'cat'; the object may be a row or one class; pass --columns 'logit' if it is a row,"
        ' or write all classes in one object, such as {"cat": 2, "dog": 1}',
    ),
    "no number": (
        {"scores": {"a": 1, "b": 2, "c": 3}, "label": "cat"},
        "'scores': expected a number, got an object; if it has the numbers of all classes, rename it to logits,"
        " probs, logprobs or energies",
    ),
    "counted from 1": (
        {"logits": TWO, "targets": [1, 2]},
        f"row 1: targets: unknown class '2'; {INDEX}; the targets seem to start at 1; subtract 1 from each",
    ),
    "one for all": ({"logits": [[1, 2], [2, 1]], "target": 0}, "target: expected one value for each of 2 rows, got 0"),
    "one-hot": (
        {"logits": [2, 1, 0], "target": [0, 1, 0]},
        "target: ambiguous: this may be one-hot, or one target for each number; write the index of the class, or the"
        " logits as one array per row",
    ),
    "a word": ({"cat": 1, "dog": 2, "label": "cow"}, "label: unknown class 'cow'; choose from cat, dog"),
}  # fmt: skip


@each_case(("value", "message"), WRONG.values())
def test_errors_in_json(value: dict[str, Any], message: str) -> None:
    assert calibrated(stdin=json.dumps(value), code=1)[1].splitlines()[-1] == f"tsoft: error: stdin:1: {message}"


def test_every_row_has_a_target_or_none_has() -> None:
    one, none = '{"logits": [1, 2], "target": 0}', '{"logits": [1, 2]}'
    for text, problem in (
        (f"{one}\n{none}", "no target, although the first row has one"),
        (f"{none}\n{one}", "a target, unlike the first row"),
    ):
        done = here("distill", "--tau", "1", stdin=text)
        assert (done.returncode, done.stderr) == (1, f"tsoft: error: stdin:2: {problem}; write one for each row\n")


def test_objects_with_keys_and_targets() -> None:
    text = objects(id=[4, 5, 6, 7], cat=[2.0, 1, 3, 0], dog=[0.0, 0, 1, 1], target=["cat", "dog", "cat", "dog"])
    assert calibrated(stdin=text)[0] == calibrated(stdin="a,b,target\n" + KEPT)[0]
    done = here("compute", "-f", "csv", "--digits", "3", "--columns", "dog,cat", stdin=text)
    assert done.stdout.splitlines()[:2] == ["row,id,tau,dog,cat", "0,4,1,0.119,0.881"]
    done = here("compute", stdin=text.replace('"id": 6', '"id": 9'))
    assert "stdin:3: 'id': expected 6, as this field counts the rows, got 9" in done.stderr


def test_keys_of_objects_may_be_strings_of_digits() -> None:
    for text in ('[{"id":"1","a":2,"b":1},{"id":"2","a":0,"b":3}]', '{"id":"1","a":2,"b":1}\n{"id":"7","a":0,"b":3}'):
        done = here("compute", "-f", "json", stdin=text)
        assert [record["id"] for record in json.loads(done.stdout)] == ["1", "2" if text[0] == "[" else "7"]


def test_a_number_of_the_wrong_kind_is_named() -> None:
    """calibrate has no numbers as arguments."""
    message = calibrated("2", "1", code=2)[1]
    assert message == "tsoft: error: '2' is not a file; calibrate reads logits and targets from files or from a pipe\n"


@pytest.mark.parametrize(("classes", "code"), [(2, 0), (3, 1)])
def test_booleans_in_an_array_are_only_classes_of_a_binary_classifier(tmp_path: Path, classes: int, code: int) -> None:
    np.save(tmp_path / "z.npy", np.array([[2, 0, 1], [1, 0, 2], [0, 1, 3], [0, 2, 0]])[:, :classes])
    np.save(tmp_path / "y.npy", np.array([False, True, True, True]))
    done = here("calibrate", str(tmp_path / "z.npy"), str(tmp_path / "y.npy"), "-f", "tsv")
    assert done.returncode == code
    if code:
        assert "y.npy: row 0: unknown class 'false'; use an index from 0 to 2" in done.stderr
    else:
        # The slope of the NLL in x = 1 / tau for the gaps 2, -1, 1 and 2 of the targets.
        slope = brentq(lambda x: sum(gap * expit(-gap * x) for gap in (2, -1, 1, 2)), 0.01, 10)
        assert float(done.stdout) == pytest.approx(1 / slope)
