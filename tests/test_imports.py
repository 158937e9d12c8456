"""Each command imports only what it uses, because imports take most of the time of a short run."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from tool import environment


@functools.cache
def imported(*arguments: str, stdin: str = "", **changes: str) -> frozenset[str]:
    """Return the names of the modules that a run of tsoft imports."""
    command = [sys.executable, "-X", "importtime", "-m", "tsoft", *arguments]
    done = subprocess.run(command, input=stdin.encode(), capture_output=True, env=environment(**changes), timeout=60)
    assert done.returncode == 0
    lines = done.stderr.decode().splitlines()
    return frozenset(line.rsplit("|", 1)[1].strip() for line in lines if line.startswith("import time:"))


@pytest.mark.parametrize("stdin", ["", "2 1\n"])
def test_compute_in_a_pipe_imports_no_chart_and_no_table(stdin: str) -> None:
    modules = imported("compute", *([] if stdin else ["2", "1"]), stdin=stdin)
    assert "numpy" in modules
    # importlib.metadata alone would take a tenth of the time that tsoft needs to start.
    assert modules.isdisjoint({"rich", "plotext", "textual", "orjson", "importlib.metadata", "tempfile", "csv"})
    assert modules.isdisjoint({"concurrent.futures", "pydantic", "pyarrow", "safetensors", "torch"})
    assert not any(module.startswith("tsoft.charts") for module in modules)


def test_sample_in_a_pipe_imports_no_table() -> None:
    modules = imported("sample", "2", "1", "-n", "1100000")
    assert "tsoft.core.draw" in modules
    assert modules.isdisjoint({"rich", "plotext", "orjson"})
    assert not any(module.startswith("tsoft.charts") for module in modules)


@pytest.mark.parametrize(
    "arguments", [("anneal",), ("bandit", "1", "0.5", "--steps", "10", "--runs", "5", "--seed", "1")]
)
def test_anneal_and_bandit_in_a_pipe_import_no_chart(arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments)
    assert "tsoft.core.schedules" in modules
    assert modules.isdisjoint({"rich", "plotext"})
    assert not any(module.startswith("tsoft.charts") for module in modules)


def test_distill_in_a_pipe_imports_no_chart_and_no_table() -> None:
    modules = imported("distill", "2", "1", "0")
    assert "tsoft.features.distill.soft_targets" in modules
    assert modules.isdisjoint({"rich", "plotext", "orjson", "tsoft.input.targets"})
    assert not any(module.startswith("tsoft.charts") for module in modules)


def test_calibrate_in_a_pipe_imports_no_table() -> None:
    text = "a,b,target\n2,0,a\n2,0,a\n2,0,b\n"
    modules = imported("calibrate", stdin=text)
    assert "tsoft.core.fit" in modules
    assert modules.isdisjoint({"rich", "plotext", "orjson", "tempfile", "zipfile"})
    assert not any(module.startswith("tsoft.charts") for module in modules)


def test_only_commands_that_use_a_model_import_it() -> None:
    barn = str(Path(__file__).parent / "data" / "barn.txt")
    modules = imported("generate", "The cat", "--ngram", barn, "--seed", "1")
    assert "tsoft.models.ngram" in modules
    assert modules.isdisjoint({"rich", "plotext", "orjson", "urllib3", "llama_cpp", "tsoft.models.llama"})
    assert not any(module.startswith(("tsoft.charts", "tsoft.models.endpoint")) for module in modules)
    assert not any(module.startswith("tsoft.models") for module in imported("compute", "2", "1"))


def test_compute_imports_no_reader_without_input_and_orjson_only_for_json() -> None:
    modules = imported("compute", "2", "1")
    assert modules.isdisjoint({"tsoft.input.delimited", "orjson"})
    assert "orjson" in imported("compute", "2", "1", "-f", "json")


def test_a_table_imports_plotext_only_for_a_chart() -> None:
    modules = imported("compute", "2", "1", "-f", "table")
    assert "rich" in modules
    assert "plotext" not in modules
    assert "plotext" in imported("compute", "2", "1", "-f", "table", "--chart")


@pytest.mark.parametrize("arguments", [("--help",), ("compute", "--help"), ("calibrate", "--help"), ("--version",)])
def test_help_imports_no_slow_package(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments).isdisjoint({"numpy", "rich"})


def test_the_list_of_commands_imports_no_command() -> None:
    assert "tsoft.options.output" in imported("compute", "--help")
    for arguments in ((), ("--help",)):
        assert "tsoft.options.output" not in imported(*arguments)
