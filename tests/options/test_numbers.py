"""One rule for numbers in options, and percentages."""

from collections.abc import Callable

import pytest

from cases import each_case
from tool import here, out
from tsoft.options.numbers import share, whole_number


@each_case(
    "option",
    ["--digits", "--show", "--rows", "--vocab-size", "--applied-tau", "--top-k", "--top-p", "--min-p", "--top-n-sigma"],
)
@each_case("text", ["1_0", "٣", "0x1", "1,5", "", "one"])
def test_an_option_takes_the_numbers_that_logits_take(option: str, text: str) -> None:
    done = here("compute", "2", "1", option, text)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{option}: expected a" in done.stderr


@each_case(
    "line",
    [
        "sample 2 1 --seed ٣",
        "sample 2 1 -n 1_0",
        "anneal --steps 1_0",
        "anneal --from 1_0",
        "bandit 1 2 --runs ١",
        "bandit 1 2 --sd 1_0",
        "solve 2 1 --entropy 0_1",
        "solve 2 1 --prob #0=0_1",
        "solve 2 1 --prob #٠=0.7",
        "sweep 2 1 --to 1_0",
        "compute 2 1 --logit-bias #0=1_0",
        "compute 2 1 --logit-bias #٠=1",
        "generate x --timeout nan",
        "calibrate --bins ٣",
    ],
)
def test_no_option_reads_other_digits_or_underscores(line: str) -> None:
    done = here(*line.split())
    assert (done.returncode, done.stdout) == (2, "")


def assert_refused(parse: Callable[[str], float], text: str) -> None:
    # The messages of Python's parsers are not shown.
    with pytest.raises(ValueError):  # noqa: PT011
        parse(text)


def test_whole_numbers_are_exact() -> None:
    assert [whole_number(text) for text in ("1e3", " 7 ", "-5", "100.0", "9007199254740993")] == [
        1000,
        7,
        -5,
        100,
        9007199254740993,
    ]
    assert whole_number("1e23") == 10**23
    for text in ("1.5", "1e400", "1e999999999", "inf", "nan", "1e-5", "1_0"):
        assert_refused(whole_number, text)
    assert out("sample", "2", "1", "-n", "9", "--seed", "1e3") == out("sample", "2", "1", "-n", "9", "--seed", "1000")


def test_a_percentage_is_the_nearest_float() -> None:
    for k in range(1001):
        assert share(f"{k / 10:.1f}%") == float(f"{k}e-3")


@each_case("text", ["101%", "-1%", "%", "x%", "1_0%", "nan%", "5%%", "٣%"])
def test_what_is_no_percentage(text: str) -> None:
    assert_refused(share, text)


@pytest.mark.parametrize(
    ("percent", "decimal"),
    [
        ("solve 2 1 0.5 --top-prob 73%", "solve 2 1 0.5 --top-prob 0.73"),
        ("solve 2 1 0.5 --margin 20%", "solve 2 1 0.5 --margin 0.2"),
        ("solve a=2 b=1 --prob b=7.3%", "solve a=2 b=1 --prob b=0.073"),
        ("compute 3 2 1 --top-p 90%", "compute 3 2 1 --top-p 0.9"),
        ("compute 3 2 1 --min-p 5%", "compute 3 2 1 --min-p 0.05"),
        ("compute 3 2 1 --xtc-probability 50% --xtc-threshold 10%", "compute 3 2 1 --xtc-probability 0.5"),
    ],
)
def test_a_share_can_be_a_percentage(percent: str, decimal: str) -> None:
    assert out(*percent.split()) == out(*decimal.split())


@pytest.mark.parametrize("line", ["solve 2 1 --entropy 50%", "solve 2 1 --perplexity 50%", "compute 2 1 --top-k 50%"])
def test_other_options_take_no_percentage(line: str) -> None:
    done = here(*line.split())
    assert (done.returncode, done.stdout) == (2, "")


def test_underscores_in_the_name_of_an_option() -> None:
    line = ("compute", "3", "2", "1")
    assert out(*line, "--top_p", "0.7") == out(*line, "--top_p=0.7") == out(*line, "--top-p", "0.7")
    assert out("sweep", "2", "1", "--measure", "top_prob") == out("sweep", "2", "1", "--measure", "top-prob")
    assert "--no-chart has no effect on csv" in here(*line, "--no_chart", "-f", "csv").stderr
    # The value of an option keeps its underscores.
    assert "unknown sampler 'a_b'" in here(*line, "--samplers", "a_b").stderr
