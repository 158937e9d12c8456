"""Errors about the command line: Typer's, in the form of all other errors."""

import pytest

from cases import each_case
from tool import here


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("compute 2 1 --taus 1", "unknown option --taus; did you mean --tau?"),
        ("compute 2 1 --tp_p 0.9", "unknown option --tp_p; did you mean --top-p?"),
        ("compute 2 1 --q_q", "unknown option --q_q\n"),
        ("compute 2 1 --qqqqq", "unknown option --qqqqq\n"),
        ("compute 2 1 --CSV", "unknown option --CSV; did you mean --format csv?"),
        ("learn --json", "unknown option --json\n"),
        ("compute 2 1 -T 0.5", "unknown option -T; did you mean -t?"),
        ("generate a --n=3", "unknown option --n; did you mean -n?"),
        ("score --max_new_tokens 3", "unknown option --max_new_tokens\n"),
        ("generate a --max_new_tokens 3", "unknown option --max_new_tokens; did you mean --max-tokens?"),
        ("sweep 2 1 --start 0.1", "unknown option --start; did you mean --from?"),
        ("sample 2 1 --count 9", "unknown option --count; did you mean -n or --counts?"),
        ("generate a -p b", "unknown option -p; did you mean --prompt or --top-p?"),
        (
            "solve 2 1 --target 0.7",
            "unknown option --target; did you mean --top-prob, --entropy, --perplexity, --margin or --prob?",
        ),
        ("sweep 2 1 --measures entropy", "unknown option --measures; did you mean --measure?"),
        ("sample 2 1 --explain", "unknown option --explain; it is an option of compute\n"),
        ("solve 2 1 --from 1", "unknown option --from; it is an option of sweep, anneal and bandit\n"),
        ("compare -i a", "unknown option -i; compare takes its files as arguments: tsoft compare FILE_A FILE_B\n"),
        ("bandit --tau 1", "unknown option --tau; for a constant temperature, pass --schedule constant --from 0.1\n"),
        (
            "compute 2 1 --perplexity",
            "unknown option --perplexity; to print one measure, use tsoft sweep --measure perplexity --tau 0.5,1\n",
        ),
        ("next --rows 3", "unknown option --rows; it is an option of compute and other commands\n"),
        ("compute 2 1 --no-color", "unknown option --no-color; set the environment variable NO_COLOR=1\n"),
        ("compute 2 1 --temp 1", "unknown option --temp; did you mean --temperature?"),
        ("compute 2 1 -x", "unknown option -x"),
        ("compute a=2 b=1 --logit-bias a=1 --logit-bias a=2", "--logit-bias: 'a' has several biases; pass one"),
        ("compute 2 1 --tau", "--tau needs a value"),
        ("compute 2 1 -t", "-t needs a value"),
        ("compute 2 1 --explain=3", "--explain takes no value"),
        ("compute 2 1 --digits x", "--digits: expected a whole number from 1 to 17, got 'x'"),
        ("compute 2 1 --digits 1.5", "--digits: expected a whole number from 1 to 17, got '1.5'"),
        ("compute 2 1 --digits 99", "--digits: expected a whole number from 1 to 17, got 99"),
        ("compute 2 1 --digits -3", "--digits: expected a whole number from 1 to 17, got -3"),
        ("compute 2 1 --show 0", "--show: expected a whole number of at least 1, got 0"),
        ("anneal --steps 0", "--steps: expected a whole number from 1 to 10000000, got 0"),
        ("generate x --timeout 0", "--timeout: expected a number of at least 0.1, got 0.0"),
        ("compute 2 1 --top-p -5%", "--top-p: expected a number or a percentage from 0% to 100%, got '-5%'"),
        ("compute 2 1 --top-k 1,000", "--top-k: expected a number, got '1,000'; did you mean 1.000 or 1000?"),
        ("compute 1,234.5 2", "argument 1: '1,234.5' is not a number; did you mean 1234.5?"),
        ("compute 2 1 --top-p x", "--top-p: expected a number or a percentage from 0% to 100%, got 'x'"),
        (
            "compute 2 1 --top-p 0,9",
            "--top-p: expected a number or a percentage from 0% to 100%, got '0,9'; did you mean 0.9?",
        ),
        ("anneal --from 2,5", "--from: expected a number, got '2,5'; did you mean 2.5?"),
        ("compute 2 1 --applied-tau x", "--applied-tau: expected a number, got 'x'"),
        (
            "compute 2 1 -f CSV",
            "--format: unknown value 'CSV'; did you mean 'csv'? choose from table, tsv, csv, json, jsonl, npy, ",
        ),
        ("sweep 2 1 --measure topprob", "--measure: unknown value 'topprob'; did you mean 'top-prob'? choose from "),
        ("anneal x", "unexpected argument 'x'; anneal takes no arguments\n"),
        ("anneal x y", "unexpected arguments: x y; anneal takes no arguments\n"),
        ("compare 2 1 0.5", "unexpected argument '0.5'; compare takes FILE_A and FILE_B\n"),
        ("compute 2 help", "argument 2: 'help' is not a number; for the options, pass --help\n"),
        ("compute -", "argument 1: '-' is not a number; to read stdin, pass -i -\n"),
        ("compute cat:2 dog:-1.5", "argument 1: 'cat:2' is not a number; did you mean cat=2?\n"),
        (
            "compute 2 1 --typical-p 95",
            "--typical-p: expected a number above 0, at most 1, got 95; for 95 %, pass 0.95\n",
        ),
        ("solve a=2 b=1 --prob a=.6 --bits", "--bits has no effect on tsv; use --format table, json or jsonl\n"),
        ("solve 2 1 --margin .6 --bits -f csv", "--bits has no effect on csv; use --format table, json or jsonl\n"),
        ("help temperature samplers", "help prints one page; pass one of temperature, samplers\n"),
        ("anneal README.md", "unexpected argument 'README.md'"),
        ("compote 2 1", "unknown command 'compote'; did you mean 'compute'?"),
        ("Compute 2 1", "unknown command 'Compute'; did you mean 'compute'?"),
        ("qqqqq", "unknown command 'qqqqq'; run 'tsoft' to list the commands"),
        ("samplers", "unknown command 'samplers'; to read this page of the manual, type: tsoft help samplers"),
        ("manual", "unknown command 'manual'; did you mean 'help'?"),
        ("version", "unknown command 'version'; did you mean '--version'?"),
        ("gen", "unknown command 'gen'; did you mean 'generate'?"),
        ("README.md", "no command; to read 'README.md', type: tsoft compute -i README.md\n"),
        ("--qqqqq", "unknown option --qqqqq"),
        ("-i a.csv --tau 2", "no command; to compute probabilities, type: tsoft compute -i a.csv --tau 2\n"),
        ("--foo 2 1", "no command, and tsoft compute has no option --foo; run 'tsoft' to list the commands"),
        ("2 1 --fo_o=3", "no command, and tsoft compute has no option --fo_o; run 'tsoft' to list the commands"),
        ("[2,1] --top_p 1", "no command; to compute probabilities, type: tsoft compute '[2,1]' --top_p 1"),
        ("-1 2 -t0.5 -h", "no command; to compute probabilities, type: tsoft compute -1 2 -t0.5 -h"),
        ("next a b --prompt c", "the prompt was passed twice, as an argument and with --prompt; remove one of them"),
        ("generate a --prompt=", "the prompt was passed twice, as an argument and with --prompt; remove one of them"),
        (
            "compute 2 1 --input-format csv",
            "--input-format has no effect on logits that are arguments; remove --input-format",
        ),
        ("solve 2 1 --top-prob 73", "--top-prob: expected a number from 0 to 1, got 73; for 73 %, pass 0.73"),
        ("solve 2 1 --margin 101", "--margin: expected a number from 0 to 1, got 101\n"),
    ],
)
def test_usage_error(line: str, message: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.chdir(request.config.rootpath)
    done = here(*line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"tsoft: error: {message}")


@each_case("option", ["--format", "--input-format", "--units", "--top-p", "--digits"])
@each_case("value", ["\x1b[31m", "is not a", "it's \u202e", "\udcff"])
def test_a_hostile_value_is_escaped_once(option: str, value: str) -> None:
    done = here("compute", "2", "1", option, value)
    assert done.returncode == 2
    assert repr(value) in done.stderr


def test_the_hint_names_the_command() -> None:
    for line in ("compute 2 --tau", "compute 2 --qqqqq", "compute 2 --digits x"):
        assert here(*line.split()).stderr.splitlines()[1:] == ["Try 'tsoft compute --help'."]
    assert here("--qqqqq").stderr.splitlines()[1:] == ["Try 'tsoft --help'."]


def test_a_repeated_option_with_one_value_is_noted() -> None:
    done = here("compute", "2", "-1", "--top_k", "1", "-t", "1", "--top-k=2", "--tau", "2", "--energies", "--energies")
    assert done.stderr == "tsoft: note: --top-k occurs 2 times; tsoft uses only the last one\n"
    assert len(done.stdout.splitlines()) == 2
