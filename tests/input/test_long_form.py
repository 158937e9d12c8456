"""One class per line: the long form below a header with `label` and a quantity, and a single vector."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from scipy.special import expit, softmax

from cases import each_case
from tool import here

# Two distributions of two classes, and how these become lines of the long form after their keys.
Z = np.array([[2.0, 1.0], [0.0, 3.0]])
CLASSES = ("cat,2", "dog,1", "cat,0", "dog,3")


def text(header: str, keys: str, ends: str = ";;;") -> str:
    """Return lines below a header that ends with label and logit, with the keys before and the `ends` after them."""
    parts = zip(keys.split(), CLASSES, ends.split(";"), strict=True)
    return "\n".join([header, *(f"{key},{line}{end}" for key, line, end in parts)]) + "\n"


@each_case("name", ["image_id", "ImageId", "id", "qid", "idx"])
@each_case("quantity", ["logit", "Logit"])
def test_a_column_with_the_name_of_a_key_separates_the_distributions(name: str, quantity: str) -> None:
    done = here("compute", "-f", "jsonl", stdin=text(f"{name},label,{quantity}", "a a b b"))
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(record["id"], record["labels"]) for record in records] == [(key, ["cat", "dog"]) for key in "ab"]
    assert_allclose([record["probs"] for record in records], softmax(Z, 1))
    note = f"tsoft: note: stdin: tsoft reads {name!r} as the row ids; pass --columns logit if each line is a row\n"
    assert done.stderr == ("" if name == "id" else note)


def test_the_option_names_the_key() -> None:
    done = here("compute", "--id-column", "question", stdin=text("question,label,logit", "1 1 2 2"))
    assert_allclose(np.loadtxt(done.stdout.splitlines()), softmax(Z, 1))
    assert done.stderr == ""


def test_two_keys_separate_the_distributions_together() -> None:
    done = here("compute", "-f", "csv", "--digits", "3", stdin=text("doc_id,q_id,label,logit", "a,1 a,1 a,2 a,2"))
    assert done.stdout == 'row,id,tau,cat,dog\n0,"a, 1",1,0.731,0.269\n1,"a, 2",1,0.0474,0.953\n'


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "rownames"])
def test_a_column_that_numbers_the_lines_is_ignored(name: str) -> None:
    done = here("compute", stdin=text(f"{name},row,label,logit", "0,0 1,0 2,1 3,1"))
    assert_allclose(np.loadtxt(done.stdout.splitlines()), softmax(Z, 1))
    assert f"tsoft ignores {repr(name) if name else 'the unnamed column'}" in done.stderr


@pytest.mark.parametrize(("command", "lines"), [("compute", "a b c d"), ("calibrate", "a a b b")])
def test_a_label_may_be_the_class_of_a_line_or_the_target_of_a_row(command: str, lines: str) -> None:
    done = here(command, stdin=text("image_id,label,logit", lines))
    assert (done.returncode, done.stdout) == (1, "")
    assert "stdin:1: ambiguous: label may be the class of each line or the target of each row" in done.stderr
    done = here("calibrate", stdin=text("id,label,logit,target", "a b c d", ",cat;,dog;,cat;,dog"))
    assert "ambiguous: label may be the class of each line" in done.stderr
    # Both fixes work.
    row = here("compute", "--columns", "logit", stdin=text("image_id,label,logit", lines))
    z = np.array([2.0, 1.0, 0.0, 3.0])
    assert_allclose(np.loadtxt(row.stdout.splitlines()), softmax(np.column_stack([np.zeros(4), z]), 1))
    assert here("compute", stdin=text("row,label,logit", "0 0 1 1")).returncode == 0


@pytest.mark.parametrize(
    ("header", "keys", "options", "ignored"),
    [
        ("token_id,row,label,logit", "4,0 2,0 4,1 2,1", [], "token_id"),
        ("doc_id,row,label,logit", "1,0 2,0 1,1 2,1", [], "doc_id"),
        ("image_id,class_id,label,logit", "a,0 a,1 b,0 b,1", [], "class_id"),
        ("id,image_id,label,logit", "1,a 2,a 3,b 4,b", ["--id-column", "image_id"], "id"),
    ],
)
def test_a_column_that_differs_within_a_distribution_is_no_key(
    header: str, keys: str, options: list[str], ignored: str
) -> None:
    done = here("compute", *options, stdin=text(header, keys))
    assert_allclose(np.loadtxt(done.stdout.splitlines()), softmax(Z, 1))
    assert f"ignores {ignored!r}; pass --columns logit" in done.stderr


def test_classes_in_several_places_need_sorting() -> None:
    """As pandas' melt writes them, class by class. Then the first lines are of one class each."""
    lines = text("id,label,logit,target", "a a b b", ",cat;,cat;,dog;,dog").splitlines()
    for command in ("calibrate", "compute"):
        done = here(command, stdin="\n".join(lines[i] for i in (0, 1, 3, 2, 4)))
        problem = "a line of id a after those of another distribution; keep the lines of a distribution together"
        assert (done.returncode, done.stderr.splitlines()[-1]) == (
            1,
            f"tsoft: error: stdin:4: {problem}, for example by sorting them by id",
        )


def test_ids_that_never_repeat_are_those_of_rows_or_of_distributions() -> None:
    done = here("compute", stdin="id,prob,label\nx,0.5,yes\ny,0.75,no\nz,0.25,yes\n")
    assert done.returncode == 1
    assert "stdin:1: ambiguous: label may be the class of each line or the target of each row" in done.stderr
    for lines in ("x,0.5,yes\ny,0.75,no\ny,0.25,yes\n", "x,1,yes\n"):
        assert here("compute", stdin=f"id,prob,label\n{lines}").returncode == 0
    assert here("compute", "--id-column", "id", stdin="id,logit,label\nx,0.5,yes\ny,0.75,no\n").returncode == 0


@pytest.mark.parametrize("header", ["label,logit", "model_id,label,logit"])
def test_a_label_that_repeats_is_that_of_another_distribution(header: str) -> None:
    lines = text(header, "m m m m")
    lines = lines if header.startswith("model") else lines.replace("m,", "")
    done = here("compute", stdin=lines)
    problem = "the label 'cat' repeats; add a column row to separate the distributions, or index if classes share a"
    fix = "label, or pass --columns logit if each line is a row"
    assert f"stdin:4: field {header.count(',')}: {problem} {fix}\n" in done.stderr
    assert here("compute", stdin="row,label,index,logit\n0,a,0,1\n0,a,1,2\n").returncode == 0
    assert here("compute", stdin="row,label,logit\n0,,1\n0,,2\n0,a,2\n").returncode == 0
    assert here("compute", stdin="label,logit\na,1\nb,2\nc,2\na,3\n").stdout.count("\t") == 3


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_rows_with_the_same_key_and_different_names_may_be_classes(form: str) -> None:
    def calibrated(classes: str) -> str:
        lines = [line.split(",") for line in text("image_id,class,logit", "a a b b").splitlines()]
        rows = [(key, name, float(z)) for (key, _, z), name in zip(lines[1:], classes.split(), strict=True)]
        objects = [json.dumps(dict(zip(lines[0], row, strict=True))) for row in rows]
        table = ["image_id,class,logit", *(",".join(map(str, row)) for row in rows)]
        return here("calibrate", stdin="\n".join(table if form == "csv" else objects)).stderr

    note = "stdin: rows with the same id, 'a', have different true classes; if each line is a class, save CSV with"
    assert f"{note} the columns id, label and logit\n" in calibrated("cat dog cat dog")
    assert "same id" not in calibrated("cat cat dog dog")
    # Candidates for one query are right or wrong.
    assert "same id" not in calibrated("0 1 0 1")


@pytest.mark.parametrize(
    ("name", "options"),
    [("target", []), ("Target", []), ("gold", ["--target-column", "gold"]), ("Target", ["--target-column", "Target"])],
)
def test_all_lines_of_a_distribution_name_its_target(name: str, options: list[str]) -> None:
    lines = text(f"row,label,logit,{name}", "0 0 1 1", ",dog;,dog;,dog;,dog")
    done = here("calibrate", *options, stdin=lines)
    # The gaps of the two targets are 1 and -3, so the derivative of the NLL is zero at this 1 / tau.
    beta = brentq(lambda beta: expit(beta) - 3 * expit(-3 * beta), 0.01, 10)
    assert float(done.stdout) == pytest.approx(1 / beta, rel=1e-6)
    done = here("calibrate", *options, stdin=lines.replace("dog,3,dog", "dog,3,cat"))
    problem = "the target is not that of line 4, which has the same distribution"
    assert done.stderr.endswith(f"tsoft: error: stdin:5: field 4: {problem}\n")
    done = here("calibrate", *options, stdin=lines.replace(",dog\n", ",bird\n"))
    assert "stdin:2: field 4: unknown class 'bird'; choose from cat, dog\n" in done.stderr


@pytest.mark.parametrize("header", ["row,label,logit,is_true", "id,label,prob,rank", "row,Label,Logit,is_true"])
@pytest.mark.parametrize("command", ["compute", "calibrate"])
def test_other_columns_may_be_logits(command: str, header: str) -> None:
    done = here(command, stdin=text(header, "0 0 1 1", ",1;,0;,0;,1"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "ambiguous: each line may be one class, since 'label' and" in done.stderr.replace("Label", "label")


FIRST_FIELD, PAIR = "write the first field in quotes", 'write "#" and the number, with a space between them,'
COMMENTS = {
    "long form": ("label,logit\nthe,2\n#,1\na,0.5\n", 3, FIRST_FIELD),
    "long form with a key": ("id,label,logit\n1,a,2\n#2,a,1\n", 3, FIRST_FIELD),
    "long form with tabs": ("label\tprob\nthe\t0.5\n##\t0.2\n", 3, FIRST_FIELD),
    "label and number": ("the 2\n# 1\na 0.5\n", 2, FIRST_FIELD),
    "indented": ("the 2\n  # 1\na 0.5\n", 2, FIRST_FIELD),
    "the first line": ("# 1\nthe 2\na 0.5\n", 1, FIRST_FIELD),
    "the first line with a comma": ("#,1\nthe,2\na,0.5\n", 1, FIRST_FIELD),
    "label=number": ("the=2\n#=1\na=0.5\n", 2, PAIR),
}


@pytest.mark.parametrize(("lines", "number", "fix"), COMMENTS.values(), ids=COMMENTS.keys())
def test_a_comment_that_looks_like_a_class_is_an_error(lines: str, number: int, fix: str) -> None:
    done = here("compute", stdin=lines)
    message = f"tsoft: error: stdin:{number}: a line that starts with # is a comment; {fix} if it is a class\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


@pytest.mark.parametrize("lines", ["the=1 a=2\n#=3 b=4\n", "the=1 #=3\n", "the=1,#=3\n"])
def test_a_comment_that_looks_like_a_class_of_a_labeled_row_is_an_error(lines: str) -> None:
    done = here("compute", stdin=lines)
    assert (done.returncode, done.stdout) == (1, "")
    assert "'#=3' starts a comment; if it is a class, write one class per line, with its label in quotes" in done.stderr


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_comment_in_the_place_of_the_last_label_is_an_error(delimiter: str) -> None:
    lines = "logit,label\n2,the #1\n1,#\n".replace(",", delimiter)
    message = "'#' starts a comment; if it is a field, write it in quotes"
    if delimiter == "\t":
        # A tab may also precede a comment.
        message = "expected 2 fields, as in the header, got 1"
    assert here("compute", stdin=lines).stderr == f"tsoft: error: stdin:3: {message}\n"
    done = here("compute", "-f", "csv", "--digits", "3", stdin=lines.replace("#\n", '"#"\n'))
    assert (done.stdout, done.stderr) == ('row,tau,"the #1","#"\n0,1,0.731,0.269\n', "")


QUOTED = {
    "long form": 'label,logit\nthe,2\n"#",1\n',
    "label and number": 'the 2\n"#" 1\n',
    "label=number": 'the=2\n"#" 1\n',
    "after comments": 'label,logit\n# tau 1\n#\nthe,2 # 3\n"#",1\n# cat,3\n',
    "a vector after comments": '# epoch 5\n# lr=0.5\nthe=2 # best=1\n"#" 1\n# 2, 1 and 0\n',
}


@pytest.mark.parametrize("lines", QUOTED.values(), ids=QUOTED.keys())
def test_the_class_in_quotes_is_read_and_other_comments_are_ignored(lines: str) -> None:
    done = here("compute", "-f", "csv", "--digits", "3", stdin=lines)
    assert (done.stdout, done.stderr) == ('row,tau,the,"#"\n0,1,0.731,0.269\n', "")


def test_comments_in_rows_of_labels_and_of_numbers_are_ignored() -> None:
    assert here("compute", "--digits", "3", stdin="the=2 a=1 # tau=1\n# b=1 c=2\n").stdout == "0.731\t0.269\n"
    assert here("compute", "--digits", "3", stdin="2 1 #tau=1\n#b=1 c=2\n#,1\n# 3\n").stdout == "0.731\t0.269\n"
