"""`tsoft anneal`: schedules against their formulas, in a pipe and on a terminal."""

import json
import os
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tsoft
from cases import each_case
from tool import here, in_terminal, out
from tsoft.core.schedules import SCHEDULES, ScheduleEndError, constant, cosine, linear

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
NAMES = ["constant", "linear", "cosine", "exponential", "inverse-time", "logarithmic"]
REACHING = ["linear", "cosine"]
# The schedules that are not constant.
MOVING = NAMES[1:]
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")

ends = st.floats(1e-20, 1e20)


def cosine_of(x: Decimal) -> Decimal:
    """Return the cosine, from its series, to the digits of the context."""
    term, total, k = Decimal(1), Decimal(1), 0
    while abs(term) > Decimal("1e-120"):
        k += 2
        term = -term * x * x / (k * (k - 1))
        total += term
    return total


def formula(name: str, a: Decimal, b: Decimal, k: int, steps: int) -> Decimal:
    """Return the temperature at step k, from the definition of the schedule."""
    t = Decimal(k) / (steps - 1)
    match name:
        case "constant":
            return a
        case "linear":
            return a + (b - a) * t
        case "cosine":
            return b + (a - b) * (1 + cosine_of(PI * t)) / 2
        case "exponential":
            return a * (t * (b / a).ln()).exp()
        case "inverse-time":
            return 1 / (1 / a + (1 / b - 1 / a) * t)
    return 1 / (1 / a + (1 / b - 1 / a) * Decimal(1 + k).ln() / Decimal(steps).ln())


def test_the_help_lists_all_schedules() -> None:
    assert list(SCHEDULES) == NAMES
    offered = " ".join(out("bandit", "--help", COLUMNS="200").split())
    assert f"{', '.join(NAMES)}, or all" in offered


@pytest.mark.parametrize("name", NAMES)
@given(a=ends, b=ends, steps=st.integers(2, 40))
def test_every_step_follows_the_formula(name: str, a: float, b: float, steps: int) -> None:
    taus = SCHEDULES[name](a, b, steps)
    assert taus.shape == (steps,)
    # The relative error of a power grows with its exponent.
    units = 16 + (4 * (abs(np.log(a)) + abs(np.log(b))) if name == "exponential" else 0)
    with localcontext() as context:
        # Enough digits for 1e20 + 1e-20 - 1e20.
        context.prec = 120
        for k, tau in enumerate(taus.tolist()):
            exact = formula(name, Decimal(a), Decimal(b), k, steps)
            assert abs(Decimal(tau) - exact) <= Decimal(units * 2.0**-53) * exact


@pytest.mark.parametrize("name", MOVING)
@given(a=st.floats(5e-324, 1.7e308), b=st.floats(5e-324, 1.7e308), steps=st.integers(1, 300))
def test_ends_are_exact_and_limit_the_range(name: str, a: float, b: float, steps: int) -> None:
    taus = SCHEDULES[name](a, b, steps)
    assert taus[0] == a
    assert taus[-1] == (b if steps > 1 else a)
    assert taus.min() == min(taus[0], taus[-1])
    assert taus.max() == max(taus[0], taus[-1])


@pytest.mark.parametrize("name", MOVING)
@given(a=st.floats(1e-3, 1e3), b=st.floats(1e-3, 1e3), steps=st.integers(2, 300))
def test_schedules_are_monotonic_and_symmetric(name: str, a: float, b: float, steps: int) -> None:
    taus = SCHEDULES[name](a, b, steps)
    rises = np.diff(taus) * np.sign(b - a)
    assert (rises >= -1e-13 * max(a, b)).all()
    if name != "logarithmic":
        assert taus == pytest.approx(SCHEDULES[name](b, a, steps)[::-1], rel=1e-13)


def test_linear_to_zero_is_exact() -> None:
    assert linear(3.0, 0.0, 7).tolist() == [float(Fraction(3) * (6 - k) / 6) for k in range(7)]
    assert linear(0.0, 3.0, 7).tolist() == linear(3.0, 0.0, 7)[::-1].tolist()


def test_cosine_keeps_its_digits_near_zero() -> None:
    """The plain formula, b + (a - b) (1 + cos(pi t)) / 2, would round to a multiple of 1e-16."""
    steps = 10**5
    taus = cosine(1.0, 0.0, steps)
    small = PI / (steps - 1)
    with localcontext() as context:
        context.prec = 130
        exact = (1 - cosine_of(small)) / 2
    assert float(taus[-2]) == pytest.approx(float(exact), rel=1e-14)
    assert cosine(5, 0.1, 3)[1] == 2.55


def test_logarithmic_keeps_its_digits_near_a_hot_end() -> None:
    steps = 10**6
    taus = SCHEDULES["logarithmic"](1e-300, 1e300, steps)
    with localcontext() as context:
        context.prec = 60
        exact = 1 / ((1 - Decimal(steps - 1).ln() / Decimal(steps).ln()) / Decimal("1e-300"))
    assert float(taus[-2]) == pytest.approx(float(exact), rel=1e-13)


def test_constant_takes_0_and_inf() -> None:
    for tau in (0.0, 2.0, float("inf")):
        assert constant(tau, 1.0, 3).tolist() == [tau] * 3


@each_case("name", NAMES)
@each_case("tau", [0.0, -1.0, float("nan"), float("inf")])
@each_case("last", [False, True])
def test_ends_that_a_schedule_does_not_take(name: str, tau: float, last: bool) -> None:
    is_valid = (name in REACHING and tau == 0) or (name == "constant" and (last or tau >= 0))
    a, b = (1.0, tau) if last else (tau, 1.0)
    if is_valid:
        SCHEDULES[name](a, b, 5)
    else:
        with pytest.raises(ScheduleEndError) as caught:
            SCHEDULES[name](a, b, 5)
        assert caught.value.last is last


def test_compute_and_sweep_read_the_temperatures() -> None:
    column = out("anneal", "--from", "2", "--to", "0", "--steps", "5", "--schedule", "linear")
    assert column == "2.0\n1.5\n1.0\n0.5\n0.0\n"
    taus = [2, 1.5, 1, 0.5, 0]
    probs = out("compute", "2", "1", "0.5", "--tau", "-", stdin=column)
    assert [[float(p) for p in line.split("\t")] for line in probs.splitlines()] == tsoft.softmax(
        [2, 1, 0.5], taus
    ).tolist()
    swept = out("sweep", "2", "1", "0.5", "--tau", "-", stdin=column)
    assert [float(line.split("\t")[0]) for line in swept.splitlines()] == taus


@posix
def test_a_pipe_to_sweep_and_compute() -> None:
    annealed = "tsoft anneal --from 4 --to 1 --steps 3 --schedule exponential,linear"
    shown = in_terminal(f"{annealed} | cut -f 1 | tsoft sweep 2 1 --tau - | cut -f 1")
    assert shown == "4.0\n2.0\n1.0\n"
    shown = in_terminal(f"{annealed} | cut -f 2 | tsoft compute 2 1 --tau - -f tsv")
    assert [float(line.split("\t")[0]) for line in shown.splitlines()] == tsoft.softmax([2, 1], [4, 2.5, 1])[
        :, 0
    ].tolist()
    many = annealed.replace("--steps 3", "--steps 999999")
    assert in_terminal(f"{many} | head -1") == "4.0\t4.0\n"


def test_several_schedules_are_columns_in_the_typed_order() -> None:
    typed = ("anneal", "--steps", "4", "--schedule", "linear,exponential", "--schedule", "LINEAR;inverse_time")
    lines = out(*typed).splitlines()
    columns = list(zip(*([float(field) for field in line.split("\t")] for line in lines), strict=True))
    names = ["linear", "exponential", "inverse-time"]
    assert columns == [tuple(SCHEDULES[name](5, 0.1, 4)) for name in names]
    header, *rows = out(*typed, "-f", "csv").splitlines()
    assert header == "step,linear,exponential,inverse-time"
    assert rows == [f"{k}," + line.replace("\t", ",") for k, line in enumerate(lines)]
    assert out("anneal", "--schedule", "all", "-f", "csv").startswith("step," + ",".join(NAMES) + "\n")


def test_constant_beside_a_schedule_that_ends_at_0() -> None:
    typed = ("--schedule", "constant,linear", "--from", "2", "--to", "0", "--steps", "3")
    assert out("anneal", *typed) == "2.0\t2.0\n2.0\t1.0\n2.0\t0.0\n"


def test_records() -> None:
    records = json.loads(out("anneal", "--steps", "2", "--schedule", "cosine,linear", "-f", "json"))
    assert records == [
        {"schedule": name, "step": k, "tau": tau} for name in ("cosine", "linear") for k, tau in enumerate([5, 0.1])
    ]
    lines = out("anneal", "--steps", "1", "--schedule", "constant", "--from", "inf", "-f", "jsonl")
    assert json.loads(lines) == {"schedule": "constant", "step": 0, "tau": "inf"}


def test_digits_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert out("anneal", "--steps", "3", "--schedule", "exponential", "--digits", "2") == "5\n0.71\n0.1\n"
    target = tmp_path / "taus.csv"
    assert out("anneal", "--steps", "2", "-o", str(target)) == ""
    assert target.read_text() == "step,cosine\n0,5.0\n1,0.1\n"
    monkeypatch.setattr("tsoft.features.anneal.result.PIECE_SIZE", 100)
    many = out("anneal", "--steps", "250", "-f", "csv").splitlines()
    assert [line.split(",")[0] for line in many[1:]] == list(map(str, range(250)))


@each_case(
    ("typed", "message"),
    [
        (["--to", "0", "--schedule", "exponential"], "--to 0: exponential needs a finite temperature above 0; linear"),
        (["--to", "0", "--schedule", "cosine,inverse-time"], "--to 0: inverse-time needs"),
        (["--to", "0", "--schedule", "logarithmic"], "--to 0: logarithmic needs"),
        (["--to", "0", "--schedule", "constant"], "--to has no effect on --schedule constant; remove --to"),
        (["--to", "0.1", "--schedule", "constant,constant"], "--to has no effect on --schedule constant; remove --to"),
        (["--from", "inf"], "--from inf: cosine needs a finite temperature from 0"),
        (
            ["--from", "inf", "--schedule", "exponential"],
            "--from inf: exponential needs a finite temperature above 0\n",
        ),
        (["--from", "-1"], "--from -1: cosine needs"),
        (["--to", "nan"], "--to nan: cosine needs"),
        (["--from", "nan", "--schedule", "constant"], "--from nan: constant needs a temperature from 0 to inf"),
        (["--from", "x"], "--from: expected a "),
        (["--steps", "0"], "--steps: "),
        (
            ["--schedule", "cosin"],
            "--schedule: unknown schedule 'cosin'; did you mean 'cosine'? choose from const",
        ),
        (["--schedule", ""], "--schedule: unknown schedule ''"),
        (["--schedule", "\x1b[31m"], "--schedule: unknown schedule '\\x1b[31m'"),
        (["-f", "npy"], "--format: unknown value 'npy'; "),
        (["2"], "unexpected argument '2'"),
        (["--shedule", "cosine"], "unknown option --shedule"),
    ],
)
def test_errors_in_the_options(typed: list[str], message: str) -> None:
    done = here("anneal", *typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


@posix
def test_a_terminal_shows_the_table_without_the_chart() -> None:
    shown = in_terminal("tsoft anneal --schedule linear --from 4 --to 0 --steps 5 --no-chart", NO_COLOR="1")
    assert [line.split() for line in shown.splitlines()][0::2] == [
        ["step", "0", "1", "2", "3", "4"],
        ["linear", "4", "3", "2", "1", "0"],
    ]
    assert "∞" in in_terminal("tsoft anneal --schedule constant --from inf --steps 2", NO_COLOR="1")


@posix
@pytest.mark.parametrize(
    "typed", ["--steps 1", "--steps 2", "--from 1e-300 --to 1e300", "--from 0 --to 0", "--steps 300000"]
)
def test_any_schedule_fits_a_narrow_terminal(typed: str) -> None:
    shown = in_terminal(f"tsoft anneal --schedule linear,cosine {typed}", width=40, NO_COLOR="1")
    assert "Warning" not in shown
    assert max(map(len, shown.splitlines())) <= 40
    assert "step" in shown
