"""The public Python library: names, signatures, documentation, errors, and the functions behind the commands.

The functions are compared with independent computations and with what the commands print.
"""

import ast
import builtins
import doctest
import inspect
import json
import pydoc
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from math import exp, inf, log, nan
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats

import tsoft
from cases import each_case
from labeled import digits
from tool import TESTS, environment, out
from tsoft.sampling.sampler_table import SAMPLERS, SamplerParameter

FUNCTIONS = [name for name in tsoft.__all__ if name not in ("Calibration", "LogitsError", "plot")]
FIGURES = [f"plot.{name}" for name in tsoft.plot.__all__]
SECTIONS = ["Parameters", "Returns", "Raises", "See Also", "Notes", "References", "Examples"]
IMPORTS = ast.Import | ast.ImportFrom
ROW = st.lists(st.floats(-8, 8), min_size=2, max_size=8)

# The samplers without a number.
FLAGS = [sampler.name for sampler in SAMPLERS.values() if sampler.parameters[0].is_flag]
# Each sampler of one number with the name of its argument, and the parameter of the table that has its range.
TRUNCATIONS: dict[str, tuple[str, SamplerParameter]] = {
    "top_n_sigma": ("n", SAMPLERS["top_n_sigma"].parameters[0]),
    "top_h": ("alpha", SAMPLERS["top_h"].parameters[0]),
    "top_k": ("k", SAMPLERS["top_k"].parameters[0]),
    "top_p": ("p", SAMPLERS["top_p"].parameters[0]),
    "min_p": ("p", SAMPLERS["min_p"].parameters[0]),
    "typical": ("p", SAMPLERS["typ_p"].parameters[0]),
    "epsilon_cutoff": ("epsilon", SAMPLERS["epsilon_cutoff"].parameters[0]),
    "eta_cutoff": ("epsilon", SAMPLERS["eta_cutoff"].parameters[0]),
    "tail_free": ("share", SAMPLERS["tfs"].parameters[0]),
    "top_a": ("a", SAMPLERS["top_a"].parameters[0]),
    "xtc": ("threshold", SAMPLERS["xtc"].parameters[1]),
    "smoothing": ("factor", SAMPLERS["smoothing"].parameters[0]),
    "edt": ("theta", SAMPLERS["edt"].parameters[0]),
    "soft_cap": ("cap", SAMPLERS["soft_cap"].parameters[0]),
}


# Documentation


def sections(text: str) -> list[str]:
    """Return the numpydoc sections of a docstring, in their order."""
    return re.findall(r"^(\w[\w ]+)\n-{3,}$", text, re.MULTILINE)


def public(name: str) -> Any:
    """Return what a name of tsoft stands for."""
    return attrgetter(name)(tsoft)


@each_case("name", FUNCTIONS + FIGURES)
def test_a_docstring_has_numpydoc_sections_in_the_standard_order(name: str) -> None:
    text = inspect.getdoc(public(name))
    assert text
    summary, blank, *_ = text.splitlines()
    assert summary.endswith(".")
    assert summary[0].isupper()
    assert blank == ""
    actual = sections(text)
    assert actual == [section for section in SECTIONS if section in actual]
    assert {"Parameters", "Returns", "Raises", "Examples"} <= set(actual)


@each_case("name", FUNCTIONS + FIGURES)
def test_a_docstring_documents_each_parameter_in_order(name: str) -> None:
    function = public(name)
    text = inspect.getdoc(function) or ""
    parameters = text.split("Parameters\n----------\n")[1].split("\n\n")[0]
    documented = re.findall(r"^(\w+) : ", parameters, re.MULTILINE)
    assert documented == list(inspect.signature(function).parameters)


@each_case("name", ["LogitsError", *FUNCTIONS, *FIGURES])
def test_the_examples_of_a_docstring_import_what_they_use(name: str) -> None:
    """A user has only these names. `test_examples` runs the examples, with the names of the module."""
    examples = doctest.DocTestParser().get_examples(public(name).__doc__)
    assert examples
    nodes = list(ast.walk(ast.parse("".join(example.source for example in examples))))
    imported = {alias.asname or alias.name for node in nodes if isinstance(node, IMPORTS) for alias in node.names}
    names = [node for node in nodes if isinstance(node, ast.Name)]
    used, stored = ({node.id for node in names if isinstance(node.ctx, kind)} for kind in (ast.Load, ast.Store))
    assert used <= {*imported, *stored, *vars(builtins)}


def test_the_package_docstring_lists_each_name_once() -> None:
    listed = re.findall(r"^    (\w+)  +\S", tsoft.__doc__ or "", re.MULTILINE)
    assert sorted(listed) == sorted(tsoft.__all__)


def test_the_manual_lists_each_function_once() -> None:
    page = (Path(tsoft.__file__).parent / "docs" / "library.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w.]+)\(", page, re.MULTILINE)
    assert sorted(listed) == sorted([*FUNCTIONS, *FIGURES])


def test_help_shows_signatures_and_summaries() -> None:
    text = pydoc.plain(pydoc.render_doc(tsoft))
    assert "top_p(z" in text
    assert "Keep the most probable classes that together have at least the probability p." in text
    assert set(dir(tsoft)) == {*tsoft.__all__, "__version__"}
    for name in FUNCTIONS:
        assert inspect.isfunction(getattr(tsoft, name))
        # The full names of numpy's types would be unreadable.
        assert "numpy._typing" not in str(inspect.signature(getattr(tsoft, name)))


def test_a_name_imports_only_numpy() -> None:
    """Importing tsoft imports no name yet, so not even numpy."""
    code = (
        "import sys, tsoft; hasattr(tsoft, 'nothing'); print('numpy' in sys.modules);"
        "[getattr(tsoft, n) for n in tsoft.__all__]; print(*sorted(sys.modules))"
    )
    first, *modules = subprocess.check_output([sys.executable, "-c", code], env=environment(), text=True).split()
    assert first == "False"
    assert "numpy" in modules
    assert not {"typer", "rich", "textual", "plotext", "orjson", "click", "matplotlib"} & set(modules)


# Samplers


@each_case("name", TRUNCATIONS)
def test_a_sampler_has_a_plain_signature(name: str) -> None:
    argument, _ = TRUNCATIONS[name]
    others = ["curve"] if name == "smoothing" else []
    assert list(inspect.signature(getattr(tsoft, name)).parameters) == ["z", argument, *others]


def test_the_samplers_of_the_table_are_public() -> None:
    depending_on_text = {"penalties", "dry", "mirostat", "adaptive_p"}
    covered = {*TRUNCATIONS, *FLAGS, *depending_on_text, "temperature", "logit_bias"}
    assert covered == {sampler.function.__name__ for sampler in SAMPLERS.values()}


@each_case("name", TRUNCATIONS)
def test_a_sampler_names_argument_value_and_range(name: str) -> None:
    argument, parameter = TRUNCATIONS[name]
    function, z = getattr(tsoft, name), [2.0, 1.0, 0.5]
    outside = [parameter.low - 1, nan, inf]
    outside += [parameter.high + 0.5] if parameter.high < inf else []
    outside += [parameter.low] if parameter.exclusive_low else []
    outside += [2.5] if parameter.whole else []
    for value in outside:
        with pytest.raises(ValueError, match=f"^{argument} must be {re.escape(parameter.range)}, got {value}$"):
            function(z, value)
    for value in [parameter.low] * (not parameter.exclusive_low) + [min(parameter.high, 1)]:
        assert function(z, **{argument: value}).tolist() == function(z, value).tolist()


def test_invalid_arguments_of_top_p_and_top_k_are_errors() -> None:
    assert tsoft.top_p([2, 1, 0.5, 0.1], p=0.5).tolist() == [2, -inf, -inf, -inf]
    with pytest.raises(ValueError, match=r"p must be a number from 0 to 1, got 1\.5"):
        tsoft.top_p([2, 1], 1.5)
    with pytest.raises(ValueError, match=r"k must be a whole number of at least 0, got 2\.5"):
        tsoft.top_k([2, 1], 2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [[0.5], None, "0.5", 1j, np.array([0.5])])
def test_a_parameter_that_is_no_number_is_an_error(value: Any) -> None:
    for name, argument in [("top_p", "p"), ("xtc", "threshold"), ("soft_cap", "cap")]:
        with pytest.raises(TypeError, match=f"^{argument} must be a number, got "):
            getattr(tsoft, name)([2, 1], value)


@pytest.mark.parametrize("value", [[0, 1], "x", 1.0, np.array([1])])
def test_an_argument_that_is_no_integer_is_named(value: Any) -> None:
    calls: dict[str, Callable[[], object]] = {
        "target": lambda: tsoft.majority_at_k([9, 7, 4], value, 5),
        "k": lambda: tsoft.majority_at_k([9, 7, 4], 0, value),
        "blank": lambda: tsoft.majority_at_k([9, 7, 4], 0, 5, blank=value),
        "index": lambda: tsoft.solve([2, 1], prob=0.5, index=value),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^{name} must be an integer, got {re.escape(repr(value))}$"):
            call()


@pytest.mark.parametrize("value", [[0, 1], "x", 1j, np.array([1])])
def test_an_argument_that_is_no_number_is_named(value: Any) -> None:
    calls: dict[str, Callable[[], object]] = {
        "draft_tau": lambda: tsoft.compare([2, 1], [2, 1], tau=1, draft_tau=value),
        "draft_tokens": lambda: tsoft.tokens_per_step([0.2, 0.5], value),
        "top_prob": lambda: tsoft.solve([2, 1], top_prob=value),
        "entropy": lambda: tsoft.solve([2, 1], entropy=value),
        "prob": lambda: tsoft.solve([2, 1], prob=value, index=0),
        "alpha": lambda: tsoft.soft_targets([2, 1], alpha=value),
        "level": lambda: tsoft.estimate_temperature([2, 1], [0], level=value),
        "tolerance": lambda: tsoft.audit_draws([2, 1], [0], 1, tolerance=value),
        "tau": lambda: tsoft.audit_draws([2, 1], [0], value),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^{name} must be a number, got {re.escape(repr(value))}$"):
            call()


@pytest.mark.parametrize("tau", [1.0, [0.0, 2.0, inf]])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3)])
def test_arrays_without_rows_have_empty_results(shape: tuple[int, ...], tau: Any) -> None:
    z = np.zeros(shape)
    by_row = np.shape(tau) + shape[:-1]
    for result in [
        tsoft.compare(z, z, tau),
        tsoft.compare(z, z, tau, draft_tau=0.5),
        tsoft.thermodynamics(z, tau),
    ]:
        assert {np.shape(array) for array in vars(result).values()} == {by_row}
    targets = tsoft.soft_targets(z, tau, student=z)
    assert targets.probs.shape == (*by_row, 3)
    assert targets.student is not None
    assert targets.student.kl.shape == targets.rest_entropy.shape == by_row


@each_case("name", [*TRUNCATIONS, *FLAGS, "temperature", "logit_bias", "top"])
def test_a_row_without_a_softmax_is_an_error(name: str) -> None:
    arguments: dict[str, Any] = {"temperature": [0.5], "logit_bias": [{}], "top": [], **{flag: [] for flag in FLAGS}}
    value = arguments.get(name, [1])
    for row, problem in [([nan, 1], "class 0: NaN"), ([1, inf], r"class 1: \+inf"), ([-inf, -inf], "every class")]:
        with pytest.raises(tsoft.LogitsError, match=f"row 1.*{problem}"):
            getattr(tsoft, name)([[0, 1], row], *value)


@pytest.mark.parametrize("k", [1, 300, 66_000])
def test_top_k_keeps_the_first_of_many_tied_classes(k: int) -> None:
    kept = tsoft.top_k(np.zeros(70_000), k) > -inf
    assert kept[:k].all()
    assert not kept[k:].any()


@given(ROW, st.lists(st.one_of(st.floats(0.05, 20), st.sampled_from([0.0, inf])), max_size=4))
def test_a_list_of_temperatures_adds_a_leading_axis(row: list[float], taus: list[float]) -> None:
    z = np.array([row, row[::-1]])
    scaled = tsoft.temperature(z, taus)
    assert scaled.shape == (len(taus), *z.shape)
    for tau, result in zip(taus, scaled, strict=True):
        np.testing.assert_array_equal(result, tsoft.temperature(z, tau))
        np.testing.assert_allclose(tsoft.softmax(result), tsoft.softmax(z, tau), rtol=1e-13, atol=1e-300)


def test_temperature_checks_its_range() -> None:
    for arguments, argument in [((-1,), "tau"), ((1, -0.5), "dynatemp_range"), ((1, 0.5, nan), "dynatemp_exponent")]:
        with pytest.raises(ValueError, match=f"^{argument} must be "):
            tsoft.temperature([2, 1], *arguments)


def test_biases_are_a_mapping_or_pairs() -> None:
    z = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
    expected = z + np.array([0.5, 0, -inf])
    np.testing.assert_array_equal(tsoft.logit_bias(z, {0: 0.5, 2: -inf}), expected)
    np.testing.assert_array_equal(tsoft.logit_bias(z, [(0, 0.5), (2, -inf)]), expected)
    for index in (-1, 3):
        with pytest.raises(IndexError, match=f"there is no class {index}; the classes are 0 to 2"):
            tsoft.logit_bias(z, {index: 1})
    for bias in (nan, inf):
        with pytest.raises(ValueError, match=f"a bias must be a finite number or -inf, got {bias} for class 1"):
            tsoft.logit_bias(z, {1: bias})


# solve

MEASURES = ("top_prob", "entropy", "perplexity", "margin")


@pytest.mark.parametrize("measure", MEASURES)
def test_solve_inverts_a_measure(measure: str) -> None:
    function, row = getattr(tsoft, measure), [2.0, 1.0, 0.5, 0.1, -3.0]
    for tau in (0.3, 1.0, 10.0):
        target: dict[str, Any] = {measure: float(function(row, tau))}
        solution = tsoft.solve(row, **target)
        assert solution.reason is None
        assert solution.taus.shape == solution.reached.shape == (1,)
        assert function(row, solution.tau) == pytest.approx(target[measure], rel=1e-11)
        assert solution.reached[0] == function(row, solution.tau)
        assert solution.tau == pytest.approx(tau, rel=1e-6)


def test_solve_has_both_temperatures_of_a_class() -> None:
    z = np.array([[2.0, 1.0, 0.0, -3.0], [5.0, 1.0, 1.0, 1.0]])
    solution = tsoft.solve(z, prob=0.27, index=1)
    assert solution.taus.shape == (2, 2)
    low, high = solution.taus[0]
    assert low < high
    assert tsoft.softmax(z[0], [low, high])[:, 1] == pytest.approx([0.27, 0.27], rel=1e-11)
    assert solution.tau[0] == low
    assert np.isnan(solution.taus[1]).all()
    assert solution.reason[0] is None
    assert "is at most 1/4 = 0.25, reached at temperature inf" in solution.reason[1]


def test_solve_keeps_the_leading_axes() -> None:
    z = np.random.default_rng(0).normal(size=(2, 3, 5))
    solution = tsoft.solve(z, perplexity=2.0)
    assert (solution.taus.shape, solution.tau.shape, solution.reason.shape) == ((2, 3, 1), (2, 3), (2, 3))
    for index in np.ndindex(2, 3):
        assert solution.tau[index] == tsoft.solve(z[index], perplexity=2.0).tau
    assert np.ndim(tsoft.solve(z[0, 0], perplexity=2.0).tau) == 0


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        ({"top_prob": 0.73}, ["--top-prob", "0.73"]),
        ({"entropy": 1.0}, ["--entropy", "1"]),
        ({"perplexity": 3.5}, ["--perplexity", "3.5"]),
        ({"margin": 0.2}, ["--margin", "0.2"]),
        ({"prob": 0.27, "index": 1}, ["--prob", "#1=0.27"]),
    ],
)
def test_solve_agrees_with_the_command(arguments: dict[str, Any], typed: list[str]) -> None:
    z = [2.0, 1.0, 0.0, -3.0]
    record = json.loads(out("solve", *map(repr, z), *typed, "-f", "jsonl"))
    solution = tsoft.solve(z, **arguments)
    assert solution.taus[~np.isnan(solution.taus)].tolist() == record["taus"]
    assert solution.reached[~np.isnan(solution.taus)].tolist() == record["reached"]


def test_solve_needs_exactly_one_target() -> None:
    with pytest.raises(ValueError, match=r"pass exactly one of top_prob, entropy, .*; got none"):
        tsoft.solve([2, 1])
    with pytest.raises(ValueError, match="got entropy and margin"):
        tsoft.solve([2, 1], entropy=0.5, margin=0.5)
    for arguments in ({"prob": 0.5}, {"top_prob": 0.5, "index": 1}):
        with pytest.raises(ValueError, match="prob needs index, and index needs prob"):
            tsoft.solve([2, 1], **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the entropy must be a number of at least 0, got -1"):
        tsoft.solve([2, 1], entropy=-1)
    with pytest.raises(IndexError, match="there is no class 2; the classes are 0 to 1"):
        tsoft.solve([2, 1], prob=0.5, index=2)


# sample


@pytest.mark.parametrize("size", [None, 7, (2, 3), 0, ()])
def test_draws_have_the_rows_and_the_size(size: Any) -> None:
    shape = () if size is None else (size,) if isinstance(size, int) else size
    z = np.zeros((2, 3, 4))
    assert np.shape(tsoft.sample(z, size=size)) == (2, 3, *shape)
    assert np.shape(tsoft.sample(z, [1, 2], size)) == (2, 2, 3, *shape)
    assert np.shape(tsoft.sample(z[0, 0], size=size)) == shape
    assert np.shape(tsoft.sample(z[:0], [1, 2], size)) == (2, 0, 3, *shape)
    assert np.shape(tsoft.sample(z, [], size)) == (0, 2, 3, *shape)


@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_draws_and_counts_have_the_probabilities(tau: float) -> None:
    z = np.array([[2.0, 1.0, 0.5, -inf, 0.1], [0.0, 0.0, 3.0, 1.0, -inf]])
    probs = tsoft.softmax(z, tau)
    drawn = tsoft.sample(z, tau, 20_000, rng=5)
    counted = tsoft.sample_counts(z, tau, 20_000, rng=6)
    for row, numbers in [*enumerate(np.bincount(each, minlength=5) for each in drawn), *enumerate(counted)]:
        unmasked = probs[row] > 0
        assert numbers[~unmasked].sum() == 0
        assert numbers.sum() == 20_000
        assert stats.chisquare(numbers[unmasked], 20_000 * probs[row][unmasked]).pvalue > 1e-3


def test_an_integer_is_the_seed_of_the_command() -> None:
    z = np.random.default_rng(1).normal(size=(3, 4)).round(3)
    text, taus = "\n".join(" ".join(map(str, row)) for row in z.tolist()), [0.5, 2.0]
    typed = ("sample", "--tau", "0.5,2", "-n", "20", "--seed", "7", "-f", "jsonl")
    records = [json.loads(line) for line in out(*typed, "--draws", stdin=text).splitlines()]
    drawn, counted = tsoft.sample(z, taus, 20, rng=7), tsoft.sample_counts(z, taus, 20, rng=7)
    assert [record["draws"] for record in records] == drawn.swapaxes(0, 1).reshape(6, 20).tolist()
    records = [json.loads(line) for line in out(*typed, stdin=text).splitlines()]
    assert [record["counts"] for record in records] == counted.swapaxes(0, 1).reshape(6, 4).tolist()


def test_a_generator_advances_and_a_seed_repeats() -> None:
    z = np.zeros((2, 1000))
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    first, second = tsoft.sample(z, size=50, rng=one), tsoft.sample(z, size=50, rng=one)
    assert (first != second).any()
    np.testing.assert_array_equal(first, tsoft.sample(z, size=50, rng=other))
    np.testing.assert_array_equal(tsoft.sample(z, size=50, rng=4), tsoft.sample(z, size=50, rng=4))
    assert (tsoft.sample(z, size=50) != tsoft.sample(z, size=50)).any()
    # Each row has its own random stream, and fewer draws are the first of more draws.
    assert (first[0] != first[1]).any()
    np.testing.assert_array_equal(tsoft.sample(z, size=20, rng=4), tsoft.sample(z, size=50, rng=4)[:, :20])


def test_a_billion_draws_are_counted() -> None:
    counted = tsoft.sample_counts([2, 1, 0.5], size=10**18, rng=1)
    np.testing.assert_allclose(counted / 1e18, tsoft.softmax([2, 1, 0.5]), rtol=1e-7)
    assert counted.sum() == 10**18


@pytest.mark.parametrize("function", [tsoft.sample, tsoft.sample_counts])
def test_a_size_and_a_seed_are_not_negative(function: Any) -> None:
    with pytest.raises(ValueError, match=r"size must be .*, got -1"):
        function([2, 1], size=-1)
    with pytest.raises(ValueError, match="rng must be a Generator or a whole number of at least 0, got -1"):
        function([2, 1], size=1, rng=-1)
    with pytest.raises(ValueError, match="tau must be from 0 to inf, got -1"):
        function([2, 1], -1)


# fit_temperature and reliability

VALIDATION = digits("val")
COMMAND = ("calibrate", "-i", str(TESTS / "data/digits-val.npz"), "-f", "json", "--seed", "3")


def nll(z: Any, targets: Any, tau: float) -> float:
    log_probs = special.log_softmax(np.asarray(z, float) / tau, axis=-1)
    return -float(log_probs[np.arange(len(z)), targets].mean())


@given(st.integers(0, 10**6), st.floats(0.3, 5))
def test_a_fit_has_the_least_nll(seed: int, tau: float) -> None:
    random = np.random.default_rng(seed)
    z = random.normal(size=(60, 4)) * 3
    targets = (z / tau + random.gumbel(size=z.shape)).argmax(1)
    fit = tsoft.fit_temperature(z, targets)
    assume(0 < fit.tau < inf)
    best = optimize.minimize_scalar(
        lambda t: nll(z, targets, exp(t)),
        bounds=(log(fit.tau) - 2, log(fit.tau) + 2),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit.tau == pytest.approx(exp(best.x), rel=1e-5)
    assert fit.tau_low < fit.tau < fit.tau_high
    assert fit.interval == "sandwich"
    assert fit.log_tau_error == pytest.approx(log(fit.tau_high / fit.tau) / stats.norm.ppf(0.975), rel=1e-9)


def test_a_fit_of_any_shape_equals_that_of_its_rows() -> None:
    z, targets = VALIDATION.logits[:600], VALIDATION.targets[:600]
    assert tsoft.fit_temperature(z, targets) == tsoft.fit_temperature(
        z.reshape(20, 30, -1), targets.reshape(20, 30).astype(float)
    )
    one = tsoft.reliability(z, targets, 2.0, rng=1)
    assert one.measures == tsoft.reliability(z.reshape(20, 30, -1), targets.reshape(20, 30), 2.0, rng=1).measures


def test_a_fit_and_its_reports_equal_those_of_the_command() -> None:
    """The command uses one generator: for the interval, then at τ = 1, then at the fit."""
    record = json.loads(out(*COMMAND, "--resamples", "200"))[0]
    z, targets = VALIDATION.logits, VALIDATION.targets
    fit = tsoft.fit_temperature(z, targets, resamples=200, rng=3)
    fields = {name: getattr(fit, name) for name in ("tau", "tau_low", "tau_high", "interval", "log_tau_error")}
    assert fields == {name: record[name] for name in fields}
    assert fields["interval"] == "bootstrap"
    generator = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,)))
    assert tsoft.fit_temperature(z, targets, resamples=200, rng=generator) == fit
    for tau, expected in zip((1.0, fit.tau), record["reports"], strict=True):
        report = tsoft.reliability(z, targets, tau, resamples=200, rng=generator)
        # The order of the sum over rows depends on the number of temperatures.
        assert report.measures == pytest.approx({name: expected[name] for name in report.measures}, rel=1e-14)
        assert (report.tau, report.rows) == (tau, expected["rows"])


def test_reliability_by_its_definition() -> None:
    z, targets = VALIDATION.logits, VALIDATION.targets
    report = tsoft.reliability(z, targets, 1.7, bins=10, resamples=0)
    probs = special.softmax(z.astype(float) / 1.7, axis=-1)
    confidence, right = probs.max(1), probs.argmax(1) == targets
    gaps = []
    for low in range(10):
        inside = (confidence > low / 10) & (confidence <= (low + 1) / 10)
        gaps += [(inside.mean(), abs(right[inside].mean() - confidence[inside].mean()))] if inside.any() else []
    assert report.ece == pytest.approx(sum(share * gap for share, gap in gaps), rel=1e-9)
    assert report.mce == pytest.approx(max(gap for _, gap in gaps), rel=1e-9)
    assert report.nll == pytest.approx(nll(z, targets, 1.7), rel=1e-9)
    one_hot = np.eye(z.shape[1])[targets]
    assert report.brier == pytest.approx(((probs - one_hot) ** 2).sum(1).mean(), rel=1e-9)
    assert (report.accuracy, report.confidence) == pytest.approx((right.mean(), confidence.mean()), rel=1e-9)
    assert len(report.equal_width.counts) == 10
    assert np.isnan(report.equal_width.chance.mean)
    assert repr(report).startswith("Report(tau=1.7, rows=")
    assert f"ece={report.ece:.6g}" in repr(report)


def test_a_fit_at_a_limit_has_a_reason() -> None:
    right = tsoft.fit_temperature([[2, 0], [0, 1]], [0, 1])
    assert (right.tau, right.interval) == (0.0, None)
    assert np.isnan([right.tau_low, right.tau_high, right.log_tau_error]).all()
    assert right.reason == "every target is the most probable class of its row, so the NLL falls all the way to τ = 0"
    assert tsoft.fit_temperature([[2, 0], [0, 1]], [1, 0]).tau == inf


@each_case("function", [tsoft.fit_temperature, tsoft.reliability])
@each_case(
    ("z", "targets", "problem"),
    [
        ([[2, 1], [0, 1]], [0], r"targets must have shape \(2,\), one per row of logits; got \(1,\)"),
        ([[2, 1], [0, 1]], [[1, 0], [0, 1]], r"targets must be indices of shape \(2,\); for one-hot rows pass"),
        ([[2, 1], [0, 1]], [0, 2], "targets must be from 0 to 1, got 2"),
        ([[2, 1], [0, 1]], [0, -1], "targets must be from 0 to 1, got -1"),
        ([[2, 1], [0, 1]], [0, 0.5], "targets must be integers, got an array of float64"),
        ([[2, 1], [0, 1]], ["a", "b"], "targets must be integers, got an array of <U1"),
        (
            [[2], [0]],
            [0, 0],
            r"expected at least two logits per row, got one; for a binary classifier, pass \[0, s\] for each logit s",
        ),
        ([2, 0, 1], [1, 0, 1], "expected at least two logits per row, got one; for a binary classifier"),
        (np.zeros((0, 3)), np.zeros(0, int), "there are no rows"),
        ([[2, 1], [nan, 1]], [0, 1], "row 1, class 0: NaN"),
    ],
)
def test_targets_that_do_not_match(function: Any, z: Any, targets: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        function(z, targets)


def test_invalid_arguments_of_a_fit_are_errors() -> None:
    z, targets = VALIDATION.logits, VALIDATION.targets
    with pytest.raises(ValueError, match=r"every row looks like probabilities, not logits; pass np\.log\(probs\)"):
        tsoft.fit_temperature(tsoft.softmax(z), targets)
    with pytest.raises(ValueError, match="all logits of each row are equal"):
        tsoft.fit_temperature([[1, 1], [2, 2]], [0, 1])
    with pytest.raises(ValueError, match="row 0: the target, class #1, is masked"):
        tsoft.fit_temperature([[1.0, -inf, 0.0], [2.0, 2.0, 0.0]], [1, 1])
    for function in (tsoft.fit_temperature, tsoft.reliability):
        with pytest.raises(ValueError, match="resamples must be a whole number of at least 0, got -1"):
            function(z, targets, resamples=-1)
    with pytest.raises(ValueError, match="bins must be a whole number of at least 1, got 0"):
        tsoft.reliability(z, targets, bins=0)
    with pytest.raises(ValueError, match="tau must be a single number"):
        tsoft.reliability(z, targets, [1, 2])  # type: ignore[arg-type]


# thermodynamics


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=6), st.floats(0.3, 10), st.randoms(use_true_random=False))
def test_thermodynamics_by_its_definition(energies: list[float], kt: float, random: Any) -> None:
    g = [random.randint(1, 5) for _ in energies]
    e = np.repeat(energies, g)
    probs = special.softmax(-e / kt)
    result = tsoft.thermodynamics(energies, kt, degeneracy=g)
    assert result.log_z == pytest.approx(special.logsumexp(-e / kt), rel=1e-12, abs=1e-12)
    assert result.free_energy == pytest.approx(-kt * result.log_z, rel=1e-12, abs=1e-12)
    assert result.mean_energy == pytest.approx(probs @ e, rel=1e-9, abs=1e-12)
    assert result.entropy == pytest.approx(stats.entropy(probs), rel=1e-9)
    variance = probs @ (e - probs @ e) ** 2
    assert result.heat_capacity == pytest.approx(variance / kt**2, rel=1e-7, abs=1e-12)
    levels = tsoft.softmax(np.log(g) - np.array(energies) / kt)
    np.testing.assert_allclose(levels, np.add.reduceat(probs, np.cumsum([0, *g[:-1]])), rtol=1e-10)


def test_thermodynamics_agrees_with_the_command() -> None:
    typed = (
        "sweep",
        "--energies",
        "0",
        "0.05",
        "0.1",
        "--degeneracy",
        "1,3,5",
        "--units",
        "eV",
        "--tau",
        "100,300,1000",
    )
    records = [json.loads(line) for line in out(*typed, "-f", "jsonl").splitlines()]
    result = tsoft.thermodynamics([0, 0.05, 0.1], [100, 300, 1000], degeneracy=[1, 3, 5], units="eV")
    for name in ("log_z", "free_energy", "mean_energy", "entropy", "heat_capacity"):
        assert getattr(result, name).tolist() == [record[name] for record in records], name
    with pytest.raises(ValueError, match=r"units must be one of eV, .*; got 'J'"):
        tsoft.thermodynamics([0, 1], 300, units="J")


def test_the_heat_capacity_is_the_slope_of_the_entropy() -> None:
    """The difference of the entropies at two temperatures is the integral of C / T."""
    ends = tsoft.thermodynamics([0.0, 1.0, 1.5], [0.2, 3.0]).entropy
    gained, _ = integrate.quad(lambda t: float(tsoft.thermodynamics([0.0, 1.0, 1.5], t).heat_capacity) / t, 0.2, 3.0)
    assert ends[1] - ends[0] == pytest.approx(gained, rel=1e-8)


# soft_targets


@given(st.integers(0, 10**6), st.floats(0.3, 10), st.floats(0, 1))
def test_soft_targets_by_their_definition(seed: int, tau: float, alpha: float) -> None:
    random = np.random.default_rng(seed)
    teacher, student = random.normal(size=(2, 3, 2, 5)) * 3
    targets = random.integers(0, 5, (3, 2))
    result = tsoft.soft_targets(teacher, tau, student=student, targets=targets, alpha=alpha)
    p, q = (special.softmax(z / tau, axis=-1) for z in (teacher, student))
    np.testing.assert_allclose(result.probs, p, rtol=1e-12)
    rest = np.where(np.arange(5) == targets[..., np.newaxis], 0, p)
    np.testing.assert_allclose(result.rest_prob, rest.sum(-1), rtol=1e-12)
    np.testing.assert_allclose(result.rest_entropy, stats.entropy(rest, axis=-1), rtol=1e-9, atol=1e-14)
    information = rest.sum(-1) * (log(4) - stats.entropy(rest, axis=-1))
    np.testing.assert_allclose(result.information, information, rtol=1e-7, atol=1e-12)
    loss = result.student
    assert loss
    kl = special.rel_entr(p, q).sum(-1)
    np.testing.assert_allclose(loss.kl, kl, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(loss.kl_tau2, tau**2 * kl, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(loss.gradient, np.linalg.norm(q - p, axis=-1) / tau, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(loss.gradient_tau2, np.linalg.norm(q - p, axis=-1) * tau, rtol=1e-7, atol=1e-12)
    assert loss.cross_entropy is not None
    assert loss.loss is not None
    log_q = special.log_softmax(student, axis=-1)
    cross_entropy = -np.take_along_axis(log_q, targets[..., np.newaxis], -1)[..., 0]
    np.testing.assert_allclose(loss.cross_entropy, cross_entropy, rtol=1e-12)
    np.testing.assert_allclose(loss.loss, alpha * cross_entropy + (1 - alpha) * tau**2 * kl, rtol=1e-7, atol=1e-12)


def test_soft_targets_agree_with_the_command() -> None:
    files = {name: str(TESTS / "data" / name) for name in ("teacher.csv", "student.csv", "targets.txt")}
    typed = ("--student", files["student.csv"], "--targets", files["targets.txt"], "--tau", "1,4", "-f", "jsonl")
    records = [json.loads(line) for line in out("distill", "-i", files["teacher.csv"], *typed).splitlines()]
    teacher, student = (
        np.loadtxt(Path(files[name]), delimiter=",", skiprows=1) for name in ("teacher.csv", "student.csv")
    )
    result = tsoft.soft_targets(teacher, [1, 4], student=student, targets=[0, 2])
    assert result.student
    for name in ("probs", "rest_prob", "rest_entropy", "information"):
        assert [record[name] for record in records] == getattr(result, name).swapaxes(0, 1).reshape(
            4, *result.probs.shape[2:] * (name == "probs")
        ).tolist()
    for name in ("kl", "kl_tau2", "gradient", "gradient_tau2", "cross_entropy", "loss"):
        assert [record[name] for record in records] == getattr(result.student, name).T.ravel().tolist(), name


def test_soft_targets_of_a_teacher_alone() -> None:
    result = tsoft.soft_targets([6, 4, 0, -1], [0, 1, inf])
    assert result.student is None
    assert result.probs.shape == (3, 4)
    np.testing.assert_allclose(result.rest_prob, 1 - tsoft.top_prob([6, 4, 0, -1], [0, 1, inf]), rtol=1e-12)
    assert np.ndim(tsoft.soft_targets([6, 4, 0, -1], 2.0).rest_prob) == 0


def test_invalid_arguments_of_soft_targets_are_errors() -> None:
    with pytest.raises(ValueError, match=r"student must have the teacher's shape \(2,\), got \(3,\)"):
        tsoft.soft_targets([2, 1], student=[1, 2, 3])
    with pytest.raises(ValueError, match=r"alpha must be from 0 to 1, got 1\.5"):
        tsoft.soft_targets([2, 1], alpha=1.5)
    with pytest.raises(ValueError, match="targets must be from 0 to 1, got 2"):
        tsoft.soft_targets([2, 1], targets=2)
    student = np.zeros((20_000, 10))
    student[15_000, 3] = nan
    with pytest.raises(tsoft.LogitsError, match="row 15000, class 3: NaN"):
        tsoft.soft_targets(np.zeros_like(student), student=student)


WRONG_NUMBERS: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = [
    (tsoft.sample_counts, ([2, 1],), {"size": 9.99}),
    (tsoft.sample_counts, ([2, 1],), {"size": None}),
    (tsoft.sample, ([2, 1],), {"size": 1.5}),
    (tsoft.sample, ([2, 1],), {"size": (2, 1.5)}),
    (tsoft.sample, ([2, 1],), {"rng": 1.9}),
    (tsoft.sample, ([2, 1],), {"rng": "a"}),
    (tsoft.reliability, ([[2, 1]], [0]), {"bins": 2.5}),
    (tsoft.reliability, ([[2, 1]], [0]), {"bins": float("nan")}),
    (tsoft.reliability, ([[2, 1]], [0]), {"rng": 1.5}),
    (tsoft.reliability, ([[2, 1]], [0]), {"resamples": 1.5}),
    (tsoft.fit_temperature, ([[2, 1], [0, 1]], [0, 0]), {"resamples": 1.5}),
]


@each_case(("function", "arguments", "options"), WRONG_NUMBERS)
def test_only_whole_numbers_are_sizes_seeds_and_bins(
    function: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="whole number"):
        function(*arguments, **options)


def test_masked_arrays_are_errors() -> None:
    masked = np.ma.masked_array([1.0, 2.0, 3.0], [False, False, True])
    for function in (tsoft.softmax, tsoft.entropy, tsoft.sample):
        with pytest.raises(TypeError, match="masked array"):
            function(masked)
    with pytest.raises(TypeError, match="masked array"):
        tsoft.softmax([masked, masked])
    with pytest.raises(TypeError, match="tau must not be a masked array"):
        tsoft.softmax([2, 1], masked)
    z, counts = np.ones((3, 4)), np.ma.masked_array([2, 1, 1], [False, True, False])
    calls: dict[str, Callable[[], object]] = {
        "targets": lambda: tsoft.soft_targets(z, targets=counts),
        "groups": lambda: tsoft.temperature_difference(z, [0, 1, 2], counts),
        "confidence": lambda: tsoft.confidence_measures(masked / 3, [1, 0, 1]),
        "right": lambda: tsoft.confidence_measures([0.5, 0.9, 1], counts / 2),
        "taus": lambda: tsoft.turning_point(masked, [1, 2, 3]),
        "entropies": lambda: tsoft.turning_point([1, 2, 3], masked),
        "values": lambda: tsoft.best_temperature([0.5], [masked]),
        "draws": lambda: tsoft.estimate_temperature([2, 1, 0], counts),
        "n": lambda: tsoft.pass_at_k(counts, 1, 1),
        "counts": lambda: tsoft.majority_at_k(counts, 0, 1),
        "acceptance": lambda: tsoft.tokens_per_step(masked / 3, 2),
        "energies": lambda: tsoft.thermodynamics(masked),
        "degeneracy": lambda: tsoft.thermodynamics([1, 2, 3], degeneracy=counts),
        "tokens": lambda: tsoft.penalties([2, 1, 0], counts, repetition=1.1),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^{name} must not be a masked array$"):
            call()
    filled = masked.filled(-np.inf)
    assert tsoft.softmax(filled).tolist() == [*tsoft.softmax([1.0, 2.0]).tolist(), 0.0]


@pytest.mark.parametrize("tau", ["1", b"1", 1j, np.complex128(1 + 5j), np.timedelta64(1, "s"), ["1"]])
def test_a_tau_that_is_no_real_number(tau: Any) -> None:
    for function in (tsoft.softmax, tsoft.log_sum_exp, tsoft.temperature):
        with pytest.raises(TypeError, match="tau must be a real number"):
            function([2, 1], tau)


@pytest.mark.parametrize("tau", [10**400, -(10**400), [10**400]])
def test_a_tau_outside_the_range_of_float64(tau: Any) -> None:
    for function in (tsoft.softmax, tsoft.log_sum_exp, tsoft.temperature):
        with pytest.raises(ValueError, match="tau must be in the range of float64"):
            function([2, 1], tau)


def test_array_arguments_of_a_wrong_type_are_named() -> None:
    z, targets = np.eye(3), [0, 1, 2]
    with pytest.raises(TypeError, match=r"^groups must be only numbers or only strings$"):
        tsoft.temperature_difference(z, targets, np.array([None, "a", "b"]))
    with pytest.raises(TypeError, match=r"^degeneracy must be real numbers, got an array of <U1$"):
        tsoft.thermodynamics([1, 2], degeneracy=["a", "b"])
    with pytest.raises(ValueError, match=r"^units must be one of eV, "):
        tsoft.thermodynamics([1, 2], units=["eV"])  # type: ignore[arg-type]
    with warnings.catch_warnings(action="error"), pytest.raises(ValueError, match="targets must be integers"):
        tsoft.fit_temperature(z, [0, 1, np.inf])


def test_no_rows_of_draws_carry_no_information() -> None:
    z, draws = np.empty((0, 3)), np.empty((0, 4), int)
    estimate = tsoft.estimate_temperature(z, draws)
    assert (estimate.tau_low, estimate.tau_high, estimate.total) == (0, np.inf, 0)
    assert tsoft.audit_draws(z, draws, 1).draws == 0


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="longdouble is float64")
@pytest.mark.parametrize("logit", ["1e400", "-1e400"])
def test_logits_outside_the_range_of_float64(logit: str) -> None:
    with pytest.raises(ValueError, match=f"must be in the range of float64, got {logit[:-4]}1?e"):
        tsoft.softmax(np.array(["1", logit], np.longdouble))
    with pytest.raises(ValueError, match="tau must be in the range of float64, got 1e"):
        tsoft.softmax([2, 1], np.array("1e400", np.longdouble))
    assert tsoft.softmax(np.array(["1", "-inf"], np.longdouble)).tolist() == [1, 0]


def test_the_order_of_the_memory_does_not_change_a_fit() -> None:
    rng = np.random.default_rng(2)
    for n in (3, 10, 81, 700):
        z = rng.normal(size=(100, n)) * 3
        targets = tsoft.sample(z, 1.7, rng=1)
        groups = np.arange(100) % 2
        for function in (tsoft.fit_temperature, lambda z, y, groups=groups: tsoft.temperature_difference(z, y, groups)):
            assert repr(function(z, targets)) == repr(function(np.asfortranarray(z), targets))


def test_integers_of_numpy_are_whole_numbers() -> None:
    integers: Any = np.int64(10), np.uint8(1)
    assert tsoft.sample_counts([2, 1], size=integers[0], rng=integers[1]).sum() == 10


def test_a_bias_of_class_true_changes_only_class_1() -> None:
    biases: Any = {True: 1}
    assert tsoft.logit_bias([2, 1], biases).tolist() == [2, 2]
