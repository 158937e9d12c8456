"""Each command imports only what it uses, because imports take most of the time of a short run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tool import environment

BARN = Path(__file__).parent / "data" / "barn.txt"
GENERATE = f"generate The --ngram {BARN} --seed 1"
# Runs of tsoft in one process, each with its stdin. Later runs import more.
HELP = dict.fromkeys(["", "--help", "--version", "compute --help", "sweep --help", "calibrate --help"], "")
RUNS = {
    "compute 2 1": "",
    "compute": "2 1\n",
    **dict.fromkeys(["anneal", "bandit 1 0.5 --steps 10 --runs 5", "distill 2 1 0"], ""),
    "calibrate": "a,b,target\n2,0,a\n2,0,a\n2,0,b\n",
    **dict.fromkeys(["sample 2 1 -n 1100000", GENERATE], ""),
    **dict.fromkeys(["compute 2 1 -f json", "compute 2 1 -f table", "compute 2 1 -f table --chart"], ""),
    f"score --ngram {BARN} -f table": "In the evening the cat sat by the river.",
}
CODE = """
import json, os, sys
from tsoft import __main__, cli
modules = []
for command, text in json.loads(sys.argv[1]):
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    os.dup2(reader, 0)
    sys.stdin = open(0, closefd=False)
    assert cli.run(command.split()) == 0, command
    modules.append([name for name, module in sys.modules.items() if module])
print(json.dumps(modules), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def modules() -> dict[str, set[str]]:
    """The names of the modules that each run and those before it have imported."""
    imported: dict[str, set[str]] = {}
    for runs in (HELP, RUNS):
        command = [sys.executable, "-c", CODE, json.dumps([*runs.items()])]
        done = subprocess.run(command, capture_output=True, env=environment(), timeout=60)
        assert done.returncode == 0, done.stderr
        imported |= zip(runs, map(set, json.loads(done.stderr.splitlines()[-1])), strict=True)
    return imported


def test_help_imports_no_slow_package(modules: dict[str, set[str]]) -> None:
    assert modules["calibrate --help"].isdisjoint({"numpy", "orjson", "rich"})


def test_the_list_of_commands_imports_no_command(modules: dict[str, set[str]]) -> None:
    assert "tsoft.options.output" not in modules["--version"]
    assert "tsoft.options.output" in modules["compute --help"]


def test_compute_in_a_pipe_imports_no_slow_package(modules: dict[str, set[str]]) -> None:
    assert "numpy" in modules["compute"]
    # importlib.metadata alone would take a tenth of the time that tsoft needs to start.
    assert modules["compute"].isdisjoint({"textual", "importlib.metadata", "tempfile", "csv", "concurrent.futures"})
    assert modules["compute"].isdisjoint({"pydantic", "pyarrow", "safetensors", "torch"})


def test_compute_imports_a_reader_only_for_input(modules: dict[str, set[str]]) -> None:
    readers = {"tsoft.input.delimited", "tsoft.input.read_options", "tsoft.input.labels"}
    assert modules["compute 2 1"].isdisjoint(readers)
    assert "tsoft.input.delimited" in modules["compute"]


def test_no_command_in_a_pipe_imports_a_chart_or_a_table(modules: dict[str, set[str]]) -> None:
    imported = modules[GENERATE]
    assert imported >= {"tsoft.core.schedules", "tsoft.features.bandit.simulation", "tsoft.core.draw"}
    assert imported >= {"tsoft.features.distill.soft_targets", "tsoft.core.fit", "tsoft.models.ngram"}
    assert imported.isdisjoint({"rich", "plotext", "orjson"})
    assert not any(module.startswith("tsoft.charts") for module in imported)


def test_distill_imports_no_targets_and_calibrate_no_archive(modules: dict[str, set[str]]) -> None:
    assert "tsoft.input.targets" not in modules["distill 2 1 0"]
    assert modules["calibrate"].isdisjoint({"tempfile", "zipfile"})


def test_only_commands_that_use_a_model_import_it(modules: dict[str, set[str]]) -> None:
    assert not any(module.startswith("tsoft.models") for module in modules["calibrate"])
    assert modules[GENERATE].isdisjoint({"urllib3", "llama_cpp", "tsoft.models.llama"})
    assert not any(module.startswith("tsoft.models.endpoint") for module in modules[GENERATE])


def test_json_imports_orjson_and_only_a_chart_imports_plotext(modules: dict[str, set[str]]) -> None:
    assert "orjson" in modules["compute 2 1 -f json"]
    assert "rich" in modules["compute 2 1 -f table"]
    assert "plotext" not in modules["compute 2 1 -f table"]
    assert "plotext" in modules["compute 2 1 -f table --chart"]
