"""`tsoft distill`: soft targets against high precision, closed forms, scipy and torch; the command and its files."""

import itertools
import json
import math
import os
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax
from scipy.stats import entropy

from cases import each_case
from tool import TESTS, here, here_on_terminal, in_terminal, out, run
from tsoft.core.averages import average_measures
from tsoft.core.block import Block
from tsoft.core.divergence import divergence
from tsoft.core.softmax import Array
from tsoft.errors import InputError
from tsoft.features.distill.command import with_student
from tsoft.features.distill.soft_targets import Distillation
from tsoft.input import targets_file
from tsoft.input.columns import STUDENT_MEASURES, TARGET_MEASURES, TEACHER_MEASURES
from tsoft.input.npy import PICKLED
from tsoft.input.read_options import TargetSource

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
INF = float("inf")
SAME = "both need the same classes"
NAMES = ("kl", "kl_tau2", "gradient", "gradient_tau2")


def measures_of(teacher: list[float], student: list[float], tau: float) -> list[float]:
    result = divergence(np.array([teacher]), np.array([student]), tau)
    return [float(getattr(result, name)[0]) for name in NAMES]


def exact(teacher: list[float], student: list[float], tau: float) -> list[float]:
    """Compute the same from the definition, with enough digits for 1 + exp(-500)."""
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 300, 10**12, -(10**12)
        weights = [[Decimal(z) / Decimal(tau) for z in logits] for logits in (teacher, student)]
        p, q = ([w.exp() / sum(z.exp() for z in logits) for w in logits] for logits in weights)
        kl = sum((a * (a / b).ln() for a, b in zip(p, q, strict=True) if a), Decimal(0))
        norm = sum((((b - a) / Decimal(tau)) ** 2 for a, b in zip(p, q, strict=True)), Decimal(0)).sqrt()
        square = Decimal(tau) ** 2
        return [float(number) for number in (kl, kl * square, norm, norm * square)]


logits = st.lists(st.floats(-10, 10), min_size=1, max_size=6)


@settings(max_examples=12)
@example(teacher=[0.0, 1.0], noise=[0.0] * 8, size=1e-13, offset=3.0, tau=1e20)
@given(
    teacher=logits,
    noise=st.lists(st.floats(-1, 1), min_size=8, max_size=8),
    size=st.sampled_from([1e-13, 1e-9, 1e-4, 0.1, 1]),
    offset=st.sampled_from([0.0, 3.0, 1000.0]),
    tau=st.sampled_from([0.05, 0.3, 1, 2.5, 20, 1e3, 1e8, 1e20, 1e60]),
)
def test_measures_do_not_cancel(
    teacher: list[float], noise: list[float], size: float, offset: float, tau: float
) -> None:
    """Not even if the student is very similar to the teacher, or both are nearly uniform."""
    student = [z + offset + size * e for z, e in zip(teacher, noise, strict=False)]
    # The relative error of a weight is the rounding error of its exponent.
    spread = max(map(abs, [*teacher, *student])) - min(map(abs, [*teacher, *student]))
    # The rounding errors of the decimals are multiplied by tau^2, too.
    assert measures_of(teacher, student, tau) == pytest.approx(
        exact(teacher, student, tau), rel=1e-13 + 2e-15 * (60 + spread) / tau, abs=1e-280 * max(1.0, tau**2)
    )


@given(
    teacher=st.lists(st.floats(-30, 30), min_size=4, max_size=4),
    student=st.lists(st.floats(-30, 30), min_size=4, max_size=4),
    tau=st.floats(0.1, 100),
)
def test_scipy_agrees(teacher: list[float], student: list[float], tau: float) -> None:
    p, q = softmax(np.array(teacher) / tau), softmax(np.array(student) / tau)
    kl, kl_tau2, gradient, gradient_tau2 = measures_of(teacher, student, tau)
    assert kl == pytest.approx(rel_entr(p, q).sum(), rel=1e-9, abs=1e-12)
    assert kl_tau2 == pytest.approx(kl * tau**2, rel=1e-12)
    assert gradient == pytest.approx(np.linalg.norm(q - p) / tau, rel=1e-9, abs=1e-12)
    assert gradient_tau2 == pytest.approx(gradient * tau**2, rel=1e-12)


@given(
    teacher=st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5),
    student=st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5),
)
def test_the_limits_at_infinity(teacher: list[float], student: list[float]) -> None:
    """KL tends to half the variance of the differences over τ², its gradient to the centered differences over n τ²."""
    d = np.array(teacher) - np.array(student)
    assert measures_of(teacher, student, INF) == pytest.approx(
        [0, d.var() / 2, 0, np.linalg.norm(d - d.mean()) / 5], rel=1e-9, abs=1e-18
    )
    assert measures_of(teacher, student, 1e30) == pytest.approx(
        [0, d.var() / 2, 0, np.linalg.norm(d - d.mean()) / 5], rel=1e-9, abs=1e-18
    )


@pytest.mark.parametrize(
    ("teacher", "student", "limits"),
    [
        # The same top class; another; one of the teacher's two; two for the teacher's one.
        ([3, 1, 0], [5, 1, 2], [0, 0, 0, 0]),
        ([3, 1, 0], [1, 5, 2], [INF, 0, INF, 0]),
        ([3, 1, 0], [2, 2, 1], [math.log(2), 0, INF, 0]),
        ([3, 3, 0], [2, 1, 1], [INF, 0, INF, 0]),
        ([3, 3, 0], [7, 7, 7], [math.log(1.5), 0, INF, 0]),
        ([3], [2], [0, 0, 0, 0]),
    ],
)
def test_the_limits_at_zero(teacher: list[float], student: list[float], limits: list[float]) -> None:
    assert measures_of(teacher, student, 0) == pytest.approx(limits)
    kl, kl_tau2, _, gradient_tau2 = measures_of(teacher, student, 1e-9)
    assert kl == pytest.approx(limits[0]) or (limits[0] == INF and kl > 1e8)
    assert kl_tau2 < 1e-8
    assert gradient_tau2 < 1e-8


def test_tau_squared_kl_is_finite_if_kl_overflows() -> None:
    kl, kl_tau2, gradient, gradient_tau2 = measures_of([0, 1e300], [1e300, 0], 1e-20)
    assert kl == INF
    assert gradient == pytest.approx(math.sqrt(2) * 1e20)
    assert kl_tau2 == pytest.approx(1e280)
    assert gradient_tau2 == pytest.approx(math.sqrt(2) * 1e-20)
    assert measures_of([1000, 0], [1000, -1e308], 1e-300) == [0, 0, 0, 0]
    assert measures_of([1e308, -1e308], [-1e308, 1e308], 0) == [INF, 0, INF, 0]
    assert measures_of([1.7e308, -1.7e308], [1.7e308, -1.7e308], 1e308) == [0, 0, 0, 0]
    assert measures_of([1.7e308, -1.7e308], [-1.7e308, 1.7e308], 1.7e308)[0] == pytest.approx(
        exact([1, -1], [-1, 1], 1)[0]
    )


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 50.0, INF])
def test_masks(tau: float) -> None:
    """A class that only the student masks makes KL infinite. A class that only the teacher masks adds the student's
    probability of it. A class that both mask has no effect."""
    assert measures_of([2, 1, 0], [2, 1, -INF], tau)[:2] == [INF, INF]
    assert measures_of([2, 1, -INF], [1, 1.5, -INF], tau) == pytest.approx(measures_of([2, 1], [1, 1.5], tau))
    # If the student gives these classes nearly all probability, the remaining probability is mostly rounding error.
    for student in ([3.0, 2, 1], [3.0, 2, 90]):
        actual = measures_of([2, 1, -INF], student, tau)
        if 0 < tau < INF:
            p, q = np.append(softmax(np.array([2, 1]) / tau), 0), softmax(np.array(student) / tau)
            kl, norm = rel_entr(p, q).sum(), np.linalg.norm(q - p) / tau
            assert actual == pytest.approx([kl, kl * tau**2, norm, norm * tau**2])
        elif tau == 0:
            assert actual == ([0, 0, 0, 0] if student[2] == 1 else [INF, 0, INF, 0])
        else:
            assert actual == pytest.approx([math.log(1.5), INF, 0, INF])


def test_rows_are_independent() -> None:
    rng = np.random.default_rng(1)
    teacher, student = rng.standard_normal((2, 40, 6)) * 10.0 ** rng.integers(-3, 3, (40, 1))
    for tau in (0.0, 0.1, 1.0, 30.0, INF):
        whole = divergence(teacher, student, tau)
        for r in range(40):
            alone = divergence(teacher[r : r + 1], student[r : r + 1], tau)
            for name in NAMES:
                assert getattr(whole, name)[r] == pytest.approx(getattr(alone, name)[0], rel=1e-14)


def test_a_row_of_large_logits_does_not_change_others() -> None:
    teacher, student = np.array([[1.5e-322, 0.0], [1.7e308, 0.0]]), np.array([[1e-322, 0.0], [1.7e308, 1.0]])
    whole, alone = divergence(teacher, student, 1e-322), divergence(teacher[:1], student[:1], 1e-322)
    for name in NAMES:
        assert getattr(whole, name)[0] == getattr(alone, name)[0]


@pytest.mark.oracle
def test_torch_agrees() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rng = np.random.default_rng(2)
    teacher, student = rng.standard_normal((2, 30, 7)) * 3
    classes = rng.integers(0, 7, 30)
    taus = np.array([0.3, 1.0, 2.0, 8.0])
    result = Distillation(Block(teacher), taus, classes, student, 0.1)
    t, y = torch.tensor(teacher), torch.tensor(classes)
    for k, tau in enumerate(taus.tolist()):
        v = torch.tensor(student, requires_grad=True)
        kl = functional.kl_div((v / tau).log_softmax(-1), (t / tau).softmax(-1), reduction="none").sum(-1)
        kl.sum().backward()
        assert result.kl[k] == pytest.approx(kl.detach().numpy(), rel=1e-10)
        assert result.gradient[k] == pytest.approx(v.grad.norm(dim=-1).numpy(), rel=1e-10)
        cross_entropy = functional.cross_entropy(v, y, reduction="none")
        assert result.cross_entropy[k] == pytest.approx(cross_entropy.detach().numpy(), rel=1e-12)
        loss = 0.1 * cross_entropy + 0.9 * tau**2 * kl
        assert result.loss[k] == pytest.approx(loss.detach().numpy(), rel=1e-10)
        assert result.gradient_tau2[k] == pytest.approx(v.grad.norm(dim=-1).numpy() * tau**2, rel=1e-10)


def test_measures_of_the_other_classes() -> None:
    rng = np.random.default_rng(3)
    teacher, classes = rng.standard_normal((20, 6)) * 4, rng.integers(0, 6, 20)
    taus = np.array([0.2, 1.0, 3.0, 40.0])
    result = Distillation(Block(teacher), taus, classes)
    assert result.measures == TEACHER_MEASURES
    for k, tau in enumerate(taus):
        for r, y in enumerate(classes):
            p = softmax(teacher[r] / tau)
            rest = np.delete(p, y)
            assert result.rest_prob[k, r] == pytest.approx(rest.sum(), rel=1e-12)
            assert result.rest_entropy[k, r] == pytest.approx(entropy(rest), rel=1e-10)
            # The divergence from evenly smoothed targets.
            smooth = np.full(6, rest.sum() / 5)
            smooth[y] = p[y]
            assert result.information[k, r] == pytest.approx(rel_entr(p, smooth).sum(), rel=1e-9, abs=1e-15)
            assert result.information[k, r] == pytest.approx(rest.sum() * (np.log(5) - entropy(rest)), rel=1e-6)


def test_measures_of_the_other_classes_at_the_limits() -> None:
    result = Distillation(Block(np.array([[5.0, 2.0, 2.0, 0.0]])), np.array([0.0, 1e-3, INF]))
    assert result.main_classes.tolist() == [0]
    assert result.rest_prob[:, 0].tolist() == [0, 0, 0.75]
    assert result.rest_entropy[:, 0] == pytest.approx([math.log(2), math.log(2), math.log(3)])
    assert result.information[:, 0].tolist() == [0, 0, 0]
    # A target that is not the top class: at 0, the others have all the probability.
    missed = Distillation(Block(np.array([[5.0, 2.0, 0.0]])), np.array([0.0]), np.array([2]))
    assert missed.information[:, 0].tolist() == [math.log(2)]
    # A single class.
    for row in ([3.0], [3.0, -INF]):
        result = Distillation(Block(np.array([row])), np.array([0.0, 1.0, INF]))
        assert result.rest_prob[:, 0].tolist() == [0, 0, 0]
        assert np.isnan(result.rest_entropy).all()
        assert np.isnan(result.information).all()


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_the_loss_with_a_weight_of_0_or_1(alpha: float) -> None:
    """A term of weight 0 may be infinite."""
    result = Distillation(Block(np.array([[2.0, 1.0]])), np.array([1.0]), np.array([1]), np.array([[1.0, -INF]]), alpha)
    assert result.loss[0, 0] == INF
    student = np.array([[1.0, -1000.0]])
    result = Distillation(Block(np.array([[2.0, -INF]])), np.array([INF]), np.array([0]), student, alpha)
    assert (result.cross_entropy[0, 0], np.signbit(result.cross_entropy[0, 0])) == (0, False)
    assert result.loss[0, 0] == (0 if alpha == 1 else INF)


def test_measures_of_float32_are_float64() -> None:
    rng = np.random.default_rng(4)
    teacher, student = rng.standard_normal((2, 10, 5)).astype(np.float32)
    result = Distillation(Block(teacher), np.array([2.0]), None, student)
    wide = Distillation(Block(teacher.astype(float)), np.array([2.0]), None, student.astype(float))
    assert result.probs.dtype == np.float32
    assert all((getattr(result, name) == getattr(wide, name)).all() for name in TEACHER_MEASURES + STUDENT_MEASURES)


def blocks(values: Array, *sizes: int, labels: tuple[str, ...] | None = None) -> list[Block]:
    bounds = np.cumsum([0, *sizes]).tolist()
    return [Block(values[a:b], labels, a) for a, b in itertools.pairwise(bounds)]


def test_blocks_of_different_lengths_are_paired() -> None:
    teacher, student = np.arange(24.0).reshape(2, 12, 1)
    for teacher_sizes, student_sizes in (((12,), (12,)), ((5, 7), (12,)), ((12,), (3, 1, 8)), ((1, 6, 5), (4, 4, 4))):
        pairs = list(with_student(iter(blocks(teacher, *teacher_sizes)), iter(blocks(student, *student_sizes)), "s"))
        assert np.concatenate([block.logits for block, _ in pairs]).tolist() == teacher.tolist()
        assert np.concatenate([block.logits for _, block in pairs]).tolist() == student.tolist()
        assert [row for block, _ in pairs for row in block.rows] == list(range(12))


@pytest.mark.parametrize(
    ("student", "labels", "message"),
    [
        (np.zeros((11, 3)), None, "s: the student has 11 rows, but the teacher has more; both need the same rows"),
        (np.zeros((13, 3)), None, "s: the teacher has 12 rows, but the student has more; both need the same rows"),
        (np.zeros((12, 1)), None, f"row 0: the student has 1 class, but the teacher has 3; {SAME}"),
        (np.zeros((12, 2)), None, f"row 0: the student has 2 classes, but the teacher has 3; {SAME}"),
        (
            np.zeros((12, 3)),
            ("a", "c", "b"),
            "row 0: class 1 of the student is 'c', of the teacher 'b'; both need the same classes in the same order",
        ),
    ],
)
def test_rows_that_cannot_be_paired(student: Array, labels: tuple[str, ...] | None, message: str) -> None:
    teacher = blocks(np.zeros((12, 3)), 5, 7, labels=("a", "b", "c"))
    with pytest.raises(InputError) as caught:
        list(with_student(iter(teacher), iter(blocks(student, len(student), labels=labels)), "s"))
    assert str(caught.value) == message


def test_targets_make_one_row_into_several_before_they_are_paired(tmp_path: Path) -> None:
    # A file with one number per line is one row, unless there are as many targets.
    numbers, pairs = [-2.0, -0.1, 1.5], [[0.0, 1.0], [0.0, 2.0], [0.0, 0.5]]
    for name, text in (("targets", "0\n1\n1\n"), ("column", "-2\n-0.1\n1.5\n"), ("pairs", json.dumps(pairs))):
        (tmp_path / name).write_text(text)
    options = ["--targets", str(tmp_path / "targets"), "--tau", "1", "-f", "json"]
    column, rows = str(tmp_path / "column"), str(tmp_path / "pairs")
    for teacher, student, expected in (
        (column, rows, [measures_of([0, z], pair, 1)[0] for z, pair in zip(numbers, pairs, strict=True)]),
        (rows, column, [measures_of(pair, [0, z], 1)[0] for z, pair in zip(numbers, pairs, strict=True)]),
    ):
        done = here("distill", "-i", teacher, "--student", student, *options)
        assert done.returncode == 0, done.stderr
        assert [record["kl"] for record in json.loads(done.stdout)] == pytest.approx(expected)
    (tmp_path / "one").write_text("[[0, 1]]")
    done = here("distill", "-i", column, "--student", str(tmp_path / "one"), *options)
    assert "the student has 1 row, but the teacher has more" in done.stderr


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "u1"])
def test_targets_of_an_array(tmp_path: Path, dtype: str) -> None:
    block = Block(np.zeros((3, 4)), ("a", "b", "x", "y"))
    for values in (np.array([3, 0, 1], dtype), np.array([[3], [0], [1]], dtype)):
        np.save(tmp_path / "y.npy", values)
        assert targets_file.read(str(tmp_path / "y.npy")).block_indices(block).tolist() == [3, 0, 1]
    # If a label is a number, a number is a label, as in a text.
    block = Block(np.zeros((3, 4)), ("0", "3", "1", "y"))
    assert targets_file.read(str(tmp_path / "y.npy")).block_indices(block).tolist() == [1, 0, 2]


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_labels_from_a_pipe(tmp_path: Path) -> None:
    """The pipe is read once, for the teacher and the student."""
    (tmp_path / "z.csv").write_text("2,0,1\n1,0,3\n")
    (tmp_path / "s.csv").write_text("2,0,1\n1,1,3\n")
    typed = ["distill", "-i", str(tmp_path / "z.csv"), "--student", str(tmp_path / "s.csv"), "-f", "json", "--labels"]
    assert run(*typed, "@/dev/stdin", stdin="a\nb\nc\n").stdout == out(*typed, "a,b,c")


TEACHER, STUDENT = np.array([[3.0, 0, 1], [0.5, 2, -1]]), np.array([[1.0, 0.5, 0], [1, 1.5, 0.3]])
KL = rel_entr(softmax(TEACHER, axis=1), softmax(STUDENT, axis=1)).sum(1)
# The files of the teacher and of the student, and the options for their arrays.
PAIRS = {
    "an array of several": ("t.npy", "s_of_two.npz", ["--student-key", "student"]),
    "the only array": ("t_of_two.npz", "s.npz", ["--key", "teacher"]),
    "a file of one array": ("t_of_two.npz", "s.npy", ["--key", "teacher"]),
    "two arrays of one file": ("both.npz", "both.npz", ["--key", "teacher", "--student-key", "student"]),
    "the name of targets": ("both_y.npz", "both_y.npz", ["--key", "target", "--student-key", "y"]),
    "the same name": ("t_as_z.npz", "s_as_z.npz", ["--key", "z"]),
    "another name": ("t_as_z.npz", "both.npz", ["--key", "z", "--student-key", "student"]),
}


@pytest.fixture
def pairs_of_arrays(tmp_path: Path) -> Path:
    np.save(tmp_path / "t.npy", TEACHER)
    np.save(tmp_path / "s.npy", STUDENT)
    np.savez(tmp_path / "s.npz", student=STUDENT)
    np.savez(tmp_path / "t_of_two.npz", teacher=TEACHER, other=np.eye(2))
    np.savez(tmp_path / "s_of_two.npz", student=STUDENT, other=np.eye(2))
    np.savez(tmp_path / "both.npz", teacher=TEACHER, student=STUDENT)
    np.savez(tmp_path / "both_y.npz", target=TEACHER, y=STUDENT)
    np.savez(tmp_path / "t_as_z.npz", z=TEACHER, other=np.eye(2))
    np.savez(tmp_path / "s_as_z.npz", z=STUDENT, other=np.eye(2))
    return tmp_path


@each_case(("name", "case"), PAIRS.items())
def test_teacher_and_student_may_be_in_arrays_of_different_names(
    name: str, case: tuple[str, str, list[str]], pairs_of_arrays: Path
) -> None:
    teacher, student, keys = case
    files = str(pairs_of_arrays / teacher), str(pairs_of_arrays / student)
    done = here("distill", "-i", files[0], "--student", files[1], *keys, "--tau", "1", "-f", "json")
    assert [record["kl"] for record in json.loads(done.stdout)] == pytest.approx(KL.tolist())
    assert ("ignores the array" in done.stderr) == ("two" in teacher + student or "as_z" in teacher)
    keys = [key.replace("--student-key", "--draft-key") for key in keys]
    done = here("compare", *files, *keys, "--per-row", "-f", "json")
    assert [record["kl"] for record in json.loads(done.stdout)] == pytest.approx(KL.tolist())
    assert "in every row" not in done.stderr


def test_errors_name_the_option_for_the_array_of_the_student(pairs_of_arrays: Path) -> None:
    teacher, student = str(pairs_of_arrays / "t.npy"), str(pairs_of_arrays / "s_of_two.npz")
    fix = f"{student}: no array is called logits or probs; pass {{}} NAME to choose one: student, other\n"
    assert fix.format("--student-key") in here("distill", "-i", teacher, "--student", student).stderr
    assert fix.format("--draft-key") in here("compare", teacher, student).stderr
    done = here("distill", "-i", student, "--student", teacher, "--key", "student", "--student-key", "z")
    assert (
        f"--student-key selects an array of a file with several, such as an .npz, but {teacher} is npy" in done.stderr
    )
    assert "--student-key has no effect without --student" in here("distill", "1", "2", "--student-key", "z").stderr


def test_one_array_as_teacher_and_student_is_noted(pairs_of_arrays: Path) -> None:
    file = str(pairs_of_arrays / "both.npz")
    done = here("distill", "-i", file, "--student", file, "--key", "teacher", "--tau", "2")
    note = f"{file}: the student has the teacher's logits in every row; --student-key selects another array\n"
    assert done.stderr.endswith(f"tsoft: note: {note}")
    ignored = f"tsoft: note: {{}}{file}: tsoft ignores the array 'student'"
    assert done.stderr.splitlines()[:2] == [ignored.format(""), ignored.format("the student: ")]
    done = here("compare", file, file, "--key", "teacher")
    assert f"{file}: A and B have the same logits in every row; --draft-key selects another array of B\n" in done.stderr
    assert "in every row" not in here("compare", file, file, "--key", "teacher", "--draft-tau", "2").stderr


def test_results_of_pipelines(tmp_path: Path) -> None:
    """Each array of objects is a distribution, not rows with their true classes."""
    files_rows = {
        "teacher": [[("cat", 0.9), ("dog", 0.1)], [("dog", 0.6), ("cat", 0.4)]],
        "student": [[("cat", 0.7), ("dog", 0.3)], [("dog", 0.55), ("cat", 0.45)]],
    }
    for name, rows in files_rows.items():
        document = [[{"label": label, "score": score} for label, score in row] for row in rows]
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    files = ["-i", str(tmp_path / "teacher.json"), "--student", str(tmp_path / "student.json")]
    records = json.loads(here("distill", *files, "--tau", "1", "-f", "json").stdout)
    teacher, student = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[0.7, 0.3], [0.55, 0.45]])
    assert [record["kl"] for record in records] == pytest.approx(rel_entr(teacher, student).sum(-1), rel=1e-12)


def test_targets_of_text(tmp_path: Path) -> None:
    path = tmp_path / "y.txt"
    path.write_text("\ufeffdog\r\n#2\n a b \n")
    targets = targets_file.read(str(path))
    block = Block(np.zeros((3, 3)), ("a b", "dog", "7"))
    assert targets.block_indices(block).tolist() == [1, 2, 0]
    assert targets.block_indices(block.part(1, 3)).tolist() == [2, 0]
    targets.check_count(3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[2, 0, -100]", [2, 0, -1]), ('[\n"b",\n"a",\n"7"]\n', [1, 0, 2]), ("[7, 7.0, 7]", [2, 2, 2])],
)
def test_targets_of_a_json_array(tmp_path: Path, text: str, expected: list[int]) -> None:
    path = tmp_path / "y.json"
    path.write_text(text)
    labels = ("a", "b", "c" if "-100" in text else "7")
    targets = targets_file.read(str(path), TargetSource(ignored=-100))
    assert targets.block_indices(Block(np.zeros((3, 3)), labels)).tolist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no targets: the input is empty"),
        (b"\n\n", "no targets: the input is empty"),
        (b"0\nx\n", ":2: unknown class 'x'"),
        (b"0\n\n1\n", ":2: empty; write a class's label or index"),
        (b"0\n-1\n", ":2: unknown class '-1'; use a label, or an index from 0 to 2"),
        (b"0\n1.5\n", ":2: unknown class '1.5'; use a label, or an index from 0 to 2"),
        (b"0\n3\n", ":2: unknown class '3'; use a label, or an index from 0 to 2"),
        (b"b\na\n", ':1: 2 classes have the label \'b\'; choose one by its index: "#1", "#2"'),
        (b"0\n\xff\n", ":2: not UTF-8 text (byte 0xff); convert it to UTF-8"),
        (b"0\n", ": 1 target, but the logits have more rows; expected one target per row"),
        (
            b"0\n1\n2\n",
            ": 3 targets, but the logits have 2 rows; expected one target per row; if the first line is a header,"
            " remove it",
        ),
        (b"0\n1\n2\n1\n", ": 4 targets, but the logits have 2 rows; expected one target per row"),
        (
            b"id,label\n0,b\n",
            ":1: unknown class 'id,label'; choose from a, b#1, b#2; expected one target per line, such as those"
            " of cut -d',' -f2 without their header, in the order of the rows",
        ),
        (b"0,\n1,\n", ":1: unknown class '0,'; choose from a, b#1, b#2; remove the separator at the end of each line"),
        (
            b"0\n1\ta\n",
            ":2: unknown class '1\\ta'; choose from a, b#1, b#2; expected one target per line, such as those of",
        ),
        (
            b'{"label": 0}\n{"label": 1}\n',
            ":2: not JSON: unexpected content after document; expected one JSON array of targets, or a text with one"
            " target per line",
        ),
        (b"[0, 3]", ": row 1: unknown class '3'; use a label, or an index from 0 to 2"),
        (b"[0]", ": 1 target, but the logits have more rows; expected one target per row"),
        (b"[]", ": no targets: the array is empty"),
        (b"[[0], [1]]", ": row 0: expected a label or an index, got an array"),
        (b'{"target": 0}', ": expected an array of targets, got an object"),
        (b"\x93NUMPY\x01", "version"),
    ],
)
def test_errors_in_a_text_of_targets(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "y"
    path.write_bytes(content)
    teacher = tmp_path / "t.csv"
    teacher.write_text("a,b,b\n1,2,3\n3,2,1\n")
    done = here("distill", "-i", str(teacher), "--targets", str(path), "--tau", "1")
    assert done.returncode == 1
    assert done.stderr.startswith(f"tsoft: error: {path}")
    assert message in done.stderr or "cut off" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([0.0, 1.5]), ": row 1: unknown class '1.5'; use an index from 0 to 2"),
        (np.array([[0, 1], [1, 0]]), ": an array of 2 × 2 that looks one-hot; save array.argmax(1), one index per row"),
        (
            np.array([0, -1]),
            ": row 1: unknown class '-1'; use an index from 0 to 2; to leave out the rows with this target, pass"
            " --ignore-index -1",
        ),
        (np.array([0, 3]), ": row 1: unknown class '3'; use an index from 0 to 2"),
        (
            np.array(["0", None]),
            f": {PICKLED}; save an array of numbers or strings",
        ),
    ],
)
def test_errors_in_an_array_of_targets(tmp_path: Path, array: Array, message: str) -> None:
    path = tmp_path / "y.npy"
    np.save(path, array, allow_pickle=True)
    done = here("distill", "--targets", str(path), "--tau", "1", stdin="1 2 3\n3 2 1\n")
    assert (done.returncode, done.stderr) == (1, f"tsoft: error: {path}{message}\n")


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[str], Distillation]:
    """Return the options for a teacher, a student and targets, and the expected distillation."""
    rng = np.random.default_rng(5)
    teacher, student = rng.standard_normal((2, 9, 4)) * 3
    classes = rng.integers(0, 4, 9)
    np.save(tmp_path / "t.npy", teacher)
    (tmp_path / "s.txt").write_text("".join(" ".join(map(repr, row)) + "\n" for row in student.tolist()))
    np.save(tmp_path / "y.npy", classes)
    options = [
        "-i",
        str(tmp_path / "t.npy"),
        "--student",
        str(tmp_path / "s.txt"),
        "--targets",
        str(tmp_path / "y.npy"),
    ]
    return options, Distillation(Block(teacher), np.array([1.0, 3.0]), classes, student, 0.3)


def test_all_formats_contain_the_same_numbers(files: tuple[list[str], Distillation]) -> None:
    typed, whole = files
    options = ["distill", *typed, "--tau", "1,3", "--alpha", "0.3"]
    lines = [line.split("\t") for line in out(*options).splitlines()]
    assert len(lines) == 18
    measures = TEACHER_MEASURES + STUDENT_MEASURES + TARGET_MEASURES
    for line, (r, t) in zip(lines, np.ndindex(9, 2), strict=True):
        assert line[:3] == [str(r), repr(whole.taus[t].item()), str(whole.main_classes[r])]
        expected = [getattr(whole, name)[t, r] for name in measures] + whole.probs[t, r].tolist()
        assert [float(field) for field in line[3:]] == pytest.approx(expected, rel=1e-13)
    header, *rows = out(*options, "-f", "csv").splitlines()
    assert header == ",".join(["row", "tau", "target", *measures, "0", "1", "2", "3"])
    assert [row.split(",") for row in rows] == lines
    records = json.loads(out(*options, "-f", "json"))
    assert [json.loads(line) for line in out(*options, "-f", "jsonl").splitlines()] == records
    for record, line in zip(records, lines, strict=True):
        assert list(record) == ["row", "tau", "labels", "probs", "target", *measures, "alpha"]
        assert [record[name] for name in ("row", "tau", "target", *measures)] == list(map(float, line[:12]))
        assert record["probs"] == list(map(float, line[12:]))
        assert (record["labels"], record["alpha"]) == (None, 0.3)


def test_means(files: tuple[list[str], Distillation]) -> None:
    typed, whole = files
    printed = out("distill", *typed, "--tau", "1,3", "--alpha", "0.3", "--mean", "-f", "csv")
    header, *rows = printed.splitlines()
    names = TEACHER_MEASURES + STUDENT_MEASURES + TARGET_MEASURES
    assert header.split(",") == ["tau", "rows", *(column for name in names for column in (name, f"{name}_sd"))]
    for t, row in enumerate(rows):
        statistics = [f(getattr(whole, name)[t]) for name in names for f in (np.mean, np.std)]
        assert [float(field) for field in row.split(",")] == pytest.approx([whole.taus[t], 9, *statistics], rel=1e-12)
    [record, _] = json.loads(out("distill", *typed, "--tau", "1,3", "--mean", "-f", "json"))
    assert record["loss"] == pytest.approx(np.mean(0.5 * whole.cross_entropy[0] + 0.5 * whole.kl_tau2[0]))


def test_means_ignore_rows_without_the_measure() -> None:
    values = np.array([[[1.0, np.nan, 3.0]], [[np.nan, np.nan, np.nan]]])
    averages = average_measures([values[..., :1], values[..., 1:]], np.ones(1), ["a", "b"])
    assert averages.rows == 3
    assert [averages.by_measure[name].rows.tolist() for name in ("a", "b")] == [[2], [0]]
    assert (averages.by_measure["a"].mean[0], averages.by_measure["a"].deviation[0]) == (2, 1)
    assert np.isnan(averages.by_measure["b"].mean[0])
    done = here("distill", "--mean", "--tau", "1", "-f", "jsonl", stdin="1 2 0\n3\n")
    assert json.loads(done.stdout)["rest_entropy"] == pytest.approx(entropy(softmax([1, 0])))
    names, cause = "rest_entropy and information", "because the others do not have these measures"
    assert f"tsoft: note: {names}: the mean is over 1 of 2 rows, {cause}\n" in done.stderr


def test_a_teacher_alone() -> None:
    printed = out("distill", "cat=6", "dog=4", "car=0", "-f", "jsonl", "--tau", "0,1,inf")
    cold, one, hot = map(json.loads, printed.splitlines())
    assert (one["target"], one["labels"]) == ("cat", ["cat", "dog", "car"])
    assert list(one) == ["row", "tau", "labels", "probs", "target", *TEACHER_MEASURES]
    p = softmax([6, 4, 0])
    assert one["rest_prob"] == pytest.approx(p[1] + p[2])
    assert (cold["rest_prob"], hot["rest_prob"]) == (0, pytest.approx(2 / 3))
    assert [record["tau"] for record in (cold, one, hot)] == [0, 1, "inf"]
    default = out("distill", "6", "4", "0").splitlines()
    assert [line.split("\t")[1] for line in default] == ["1.0", "2.0", "4.0", "8.0", "16.0"]


def test_infinite_and_undefined_measures() -> None:
    printed = out("distill", "2", "1", "--student", "-", "--tau", "1", "-f", "jsonl", stdin="1 -inf\n")
    assert json.loads(printed)["kl"] == "inf"
    assert json.loads(out("distill", "2", "--tau", "1", "-f", "jsonl"))["information"] is None
    assert out("distill", "2", "--tau", "1").split("\t")[3:6] == ["0.0", "nan", "nan"]


def test_probabilities_of_float32_are_written_as_float32(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array([[2, 1, 0.5]], np.float32))
    path = str(tmp_path / "t.npy")
    assert out("distill", "-i", path, "--tau", "2").strip().split("\t")[6:] == out(
        "compute", "-i", path, "--tau", "2"
    ).strip().split("\t")


def test_an_api_response() -> None:
    """Each token has its own alternatives. With --listed-only, the soft targets are the probabilities among these."""
    path = str(TESTS / "data" / "llama-server.json")
    typed = ("-i", path, "--tau", "1,2", "-f", "jsonl", "--listed-only")
    distilled, computed = (here(command, *typed) for command in ("distill", "compute"))
    assert (distilled.returncode, distilled.stderr) == (0, computed.stderr)
    for distill_line, compute_line in zip(distilled.stdout.splitlines(), computed.stdout.splitlines(), strict=True):
        record, computed_record = json.loads(distill_line), json.loads(compute_line)
        assert (record["row"], record["tau"], record["labels"]) == (
            computed_record["row"],
            computed_record["tau"],
            computed_record["labels"],
        )
        assert record["probs"] == computed_record["probs_listed"] == computed_record["probs"]
        assert record["target"] == computed_record["top"]
        assert record["rest_prob"] == pytest.approx(1 - computed_record["top_prob"])
    refused = here("distill", "-i", path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "depends on tokens that the response does not list; pass --listed-only" in refused.stderr


def test_rows_with_different_classes() -> None:
    done = here("distill", "-f", "csv", "--tau", "1", stdin="1 2 3\n1 2\n")
    assert done.returncode == 1
    assert done.stderr == "tsoft: error: stdin:2: the classes differ from those in the header; use --format jsonl\n"
    assert len(out("distill", "-f", "jsonl", "--tau", "1", stdin="1 2 3\n1 2\n").splitlines()) == 2


@each_case(
    ("typed", "message"),
    [
        (["2", "1", "--alpha", "0.5"], "--alpha has no effect without --student; add --student FILE"),
        (["2", "1", "--alpha", "1.5"], "--alpha: expected a number from 0 to 1, got 1.5"),
        (["2", "1", "--alpha", "nan"], "--alpha: expected a number from 0 to 1, got nan"),
        (["2", "1", "--student", "-", "--targets", "-"], "only one of --student and --targets can read stdin"),
        (["--student", "-"], "only one of the teacher's logits and --student can read stdin"),
        (["2", "1", "--targets", "-", "--tau", "1,-"], "only one of --targets and --tau can read stdin"),
        (["2", "1", "--student", ""], "--student needs a file name"),
        (["2", "1", "--tau", "-1"], "--tau: '-1' is not a temperature"),
        (["2", "1", "-f", "npy"], "--format: unknown value 'npy'; "),
        (["2", "x"], "argument 2: 'x' is not a number"),
    ],
)
def test_errors_in_the_options(typed: list[str], message: str) -> None:
    done = here("distill", *typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


def test_alpha_needs_targets_from_the_input_or_a_file(tmp_path: Path) -> None:
    student = tmp_path / "s.csv"
    student.write_text("a,b\n1,2\n")
    typed = ("distill", "--student", str(student), "--alpha", "0.3", "--tau", "2", "-f", "jsonl")
    record = json.loads(here(*typed, stdin="a,b,target\n2,1,b\n").stdout)
    assert record["loss"] == pytest.approx(0.3 * record["cross_entropy"] + 0.7 * record["kl_tau2"])
    done = here(*typed, stdin="a,b\n2,1\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tsoft: error: --alpha has no effect without targets; add --targets FILE\n"


def test_errors_in_the_files(tmp_path: Path) -> None:
    student = tmp_path / "s.txt"
    student.write_text("1 x\n")
    done = here("distill", "2", "1", "--student", str(student))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"tsoft: error: {student}:1: field 2: 'x' is not a number\n"
    student.write_text("1 2\n3 4\n")
    done = here("distill", "2", "1", "--student", str(student))
    assert (
        done.stderr
        == f"tsoft: error: {student}: the teacher has 1 row, but the student has more; both need the same rows\n"
    )
    done = here("distill", "2", "1", "--student", str(tmp_path / "none"))
    assert done.stderr == f"tsoft: error: {tmp_path / 'none'}: No such file or directory\n"


@posix
@pytest.mark.parametrize("logits", [(6, 4, 0, -1), (7, 2, 1, -3)])
def test_the_title_has_the_most_informative_temperature_to_three_digits(logits: tuple[int, ...]) -> None:
    shown = here_on_terminal("distill", *map(str, logits), NO_COLOR="1")
    [title] = [line for line in shown.splitlines() if line.startswith("information (nats), highest at τ = ")]
    grid = np.linspace(0.5, 10, 20_001)
    others = softmax(np.array(logits) / grid[:, None], axis=1)[:, 1:]
    information = others.sum(1) * (np.log(3) - entropy(others, axis=1))
    assert title.split()[-1] == f"{grid[np.argmax(information)]:.3g}"


@posix
def test_charts_of_soft_targets() -> None:
    shown = in_terminal("tsoft distill cat=6 dog=4 car=0 truck=-1", NO_COLOR="1")
    assert "highest at" in shown
    assert "evenness" in shown
    assert "top cat" in shown
    assert "highest at" not in in_terminal("tsoft distill cat=6 dog=4 car=0 --no-chart", NO_COLOR="1")
    # Information that only falls, only rises, or is 0 has no highest point.
    cold = here_on_terminal("distill", "6", "1", "0", "--targets", "-", stdin="1\n", NO_COLOR="1")
    assert "target #1" in cold
    assert "highest at" not in cold
    assert "highest at" not in in_terminal("tsoft distill 6 4", NO_COLOR="1")


@posix
@pytest.mark.parametrize(
    ("typed", "width"),
    [
        *((typed, 40) for typed in ("2", "2 -inf 1", "1e308 -1e308 0", "--tau 0,inf 3 2 1", "'\x1b[31m=2' b=1 c=0")),
        *(("--tau 0,inf 3 2 1", width) for width in (80, 160)),
    ],
)
def test_any_row_fits_any_width(typed: str, width: int) -> None:
    shown = in_terminal(f"tsoft distill {typed}", width, NO_COLOR="1")
    assert "Warning" not in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= width


@pytest.mark.parametrize("more", [[], ["--student", "S"], ["--student", "S", "--targets", "T"]])
def test_compute_reads_the_csv_of_distill(tmp_path: Path, more: list[str]) -> None:
    """The measures are not classes."""
    (tmp_path / "S").write_text("0 1\n")
    (tmp_path / "T").write_text("1\n")
    files = [str(tmp_path / word) if word in "ST" else word for word in more]
    written = here("distill", "cat=2", "dog=1", "--tau", "1,2", "-f", "csv", *files).stdout
    again = here("compute", "--probs", "-f", "csv", stdin=written).stdout
    assert again.splitlines()[0] == "row,tau,cat,dog"
    assert [line.split(",")[2:] for line in again.splitlines()] == [
        line.split(",")[-2:] for line in written.splitlines()
    ]


def test_targets_in_the_input(tmp_path: Path) -> None:
    table = "a,b,target\n2,0,b\n0,3,b\n"
    path = tmp_path / "t"
    path.write_text("b\nb\n")
    from_input = here("distill", "--tau", "1", "-f", "csv", stdin=table)
    from_file = here("distill", "--tau", "1", "-f", "csv", "--targets", str(path), stdin="a,b\n2,0\n0,3\n")
    assert from_input.stdout == from_file.stdout != ""
    assert [line.split(",")[2] for line in from_input.stdout.splitlines()] == ["target", "1", "1"]
    twice = here("distill", "--tau", "1", "--targets", str(path), stdin=table)
    assert twice.returncode == 0
    assert twice.stderr.startswith("tsoft: note: stdin: tsoft ignores 'target' (true classes)")


def test_logits_near_the_largest_float() -> None:
    """At inf, the gradient times tau^2 is the norm of the differences over n, even if the differences overflow."""
    teacher, student = np.array([[9e307, 0.0, -9e307]]), np.array([[-9e307, 0.0, 9e307]])
    result = divergence(teacher, student, np.inf)
    assert result.kl == 0
    assert result.kl_tau2 == np.inf
    np.testing.assert_allclose(result.gradient_tau2, 9e307 / 3 * (2 * np.sqrt(2.0)), rtol=1e-14)
    assert result.gradient == 0


@pytest.mark.parametrize(
    ("teacher", "student", "problem"),
    [
        (
            "id,a,b\nx,3,0\ny,0,3\n",
            "id,a,b\ny,0,3\nx,3,0\n",
            "the row id is 'x' in the teacher and 'y' in the student; put",
        ),
        (
            "a,b,target\n3,0,a\n0,3,b\n",
            "a,b,target\n0,3,b\n3,0,a\n",
            "is 'a' in the teacher and 'b' in the student; both",
        ),
        (
            "a,b,target\n3,0,-100\n0,3,b\n",
            "a,b,target\n3,0,a\n0,3,b\n",
            "is not one of the classes in the teacher and 'a' in the student; both",
        ),
    ],
)
def test_keys_and_true_classes_show_that_the_rows_differ(
    tmp_path: Path, teacher: str, student: str, problem: str
) -> None:
    (tmp_path / "t.csv").write_text(teacher)
    (tmp_path / "s.csv").write_text(student)
    typed = [
        "distill",
        "-i",
        str(tmp_path / "t.csv"),
        "--tau",
        "1",
        "--ignore-index",
        "-100",
        "-f",
        "json",
        "--student",
    ]
    done = here(*typed, str(tmp_path / "s.csv"))
    assert (done.returncode, done.stdout) == (1, "")
    assert problem in done.stderr
    assert {record["kl"] for record in json.loads(here(*typed, str(tmp_path / "t.csv")).stdout)} == {0}


def test_ids_in_arrays_show_that_the_rows_differ(tmp_path: Path) -> None:
    for name, ids in (("t", ["7", "8"]), ("s", ["8", "7"])):
        np.savez(tmp_path / f"{name}.npz", logits=np.eye(2), id=np.array(ids))
    done = here("distill", "-i", str(tmp_path / "t.npz"), "--student", str(tmp_path / "s.npz"))
    assert done.returncode == 1
    assert "row 0: the row id is '7' in the teacher and '8' in the student; put the rows of both" in done.stderr


def test_true_classes_may_be_in_the_file_of_the_student(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n3,0\n")
    (tmp_path / "s.csv").write_text("a,b,target\n1,0,b\n")
    typed = ["--student", str(tmp_path / "s.csv"), "--tau", "1", "-f", "json"]
    [record] = json.loads(here("distill", "-i", str(tmp_path / "t.csv"), *typed).stdout)
    assert record["cross_entropy"] == pytest.approx(math.log(1 + math.e))


def test_classes_of_which_only_one_file_has_names(tmp_path: Path) -> None:
    np.save(tmp_path / "unnamed.npy", [[3.0, 0, 1]])
    pair = [str(tmp_path / "named.csv"), str(tmp_path / "unnamed.npy")]
    for teacher, student, name in ((*pair, "the teacher"), (*reversed(pair), "the student")):
        (tmp_path / "named.csv").write_text("logit_0,logit_1,logit_5\n3,0,1\n")
        done = here("distill", "-i", teacher, "--student", student, "--tau", "1", "-f", "json")
        note = f"tsoft: note: only {name} names its classes, so tsoft takes those of both in their order\n"
        copied = f"tsoft: note: {student}: the student has the teacher's logits in every row\n"
        assert (done.stderr, json.loads(done.stdout)[0]["kl"]) == (note + copied, 0)
        (tmp_path / "named.csv").write_text("logit_2,logit_0,logit_1\n1,3,0\n")
        done = here("distill", "-i", teacher, "--student", student, "--tau", "1", "-f", "json")
        assert done.returncode == 1
        assert f"{name} has numbered classes that are not in order ('logit_2', 'logit_0', 'logit_1', …)" in done.stderr
