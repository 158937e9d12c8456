"""`tsoft calibrate --by`: a temperature per group, and a test of whether they differ."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tsoft
from labeled import digits
from tool import here
from tsoft.features.calibrate import labeled_groups, labeled_input

VAL, TEST = digits("val"), digits("test")
MEASURES = "nll,brier,ece,ece_mass,mce,auroc"
NAMES = np.array(["pen", "scan", "photo"])
GROUPS = NAMES[np.random.default_rng(1).integers(0, 3, 674)]
# A group whose logits are larger.
LOGITS = VAL.logits.astype(float) * np.where(GROUPS == "pen", 2.0, 1.0)[:, np.newaxis]


def table(path: Path, logits: Any = LOGITS, targets: Any = VAL.targets, groups: Any = GROUPS) -> str:
    """Write a CSV with the groups in a column, and return its path."""
    lines = [",".join([*map(str, range(10)), "source", "target"])]
    lines += [",".join([*map(repr, z), g, str(y)]) for z, g, y in zip(logits.tolist(), groups, targets, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def printed(*arguments: str) -> str:
    """Return the output of calibrate, which also prints a note on the column of the targets."""
    done = here("calibrate", *arguments, "--by", "source")
    assert done.returncode == 0, done.stderr
    return done.stdout


def fitted() -> dict[str, float]:
    """Return the temperature of each group, in the order of their first rows."""
    return {name: tsoft.fit_temperature(LOGITS[name == GROUPS], VAL.targets[name == GROUPS]).tau for name in order()}


def order() -> list[str]:
    return list(dict.fromkeys(GROUPS.tolist()))


def test_a_pipe_prints_the_temperature_of_each_group(tmp_path: Path) -> None:
    lines = [line.split("\t") for line in printed(table(tmp_path / "a.csv")).splitlines()]
    assert [name for name, _ in lines] == order()
    assert {name: float(tau) for name, tau in lines} == pytest.approx(fitted(), rel=1e-9)


@pytest.mark.parametrize("held", [1 << 28, 1000])
def test_json_has_the_groups_and_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    """Also if the rows do not fit in memory."""
    monkeypatch.setattr(labeled_input, "MAX_IN_MEMORY", held)
    options = "-f", "json", "--resamples", "20", "--measures", MEASURES
    [record] = json.loads(printed(table(tmp_path / "a.csv"), *options))
    difference = tsoft.temperature_difference(LOGITS, VAL.targets, GROUPS)
    assert difference
    assert record["by"] == "source"
    assert record["difference_statistic"] == pytest.approx(difference.statistic, rel=1e-9)
    assert (record["difference_degrees"], record["difference_p"]) == (2, pytest.approx(difference.p_value, rel=1e-6))
    assert record["tau"] == pytest.approx(tsoft.fit_temperature(LOGITS, VAL.targets).tau, rel=1e-9)
    assert record["reports"][0]["rows"] == 674
    for group in record["groups"]:
        chosen = group["group"] == GROUPS
        z, targets = LOGITS[chosen], VAL.targets[chosen]
        assert group["tau"] == pytest.approx(fitted()[group["group"]], rel=1e-9)
        assert group["tau_low"] < group["tau"] < group["tau_high"]
        assert group["interval"] == ("bootstrap" if held > 1000 else "sandwich")
        for report in group["reports"]:
            library = tsoft.reliability(z, targets, report["tau"], resamples=0, measures=MEASURES.split(",")).measures
            known = {name: value for name, value in library.items() if value == value}
            assert {name: report[name] for name in known} == pytest.approx(known, rel=1e-9)


def test_csv_has_a_line_per_report_and_group(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv"), "--test", table(tmp_path / "b.csv", TEST.logits, TEST.targets)
    header, *lines = printed(*path, "-f", "csv", "--measures", "nll,mce", "--resamples", "5").splitlines()
    assert header.startswith("group,data,tau,rows,nll,nll_chance_mean,")
    keys = [tuple(line.split(",")[:2]) for line in lines]
    assert keys == [(name, data) for name in ("", *order()) for data in ("fit", "fit", "test", "test")]
    rows = {line.split(",")[0]: int(line.split(",")[3]) for line in lines}
    assert sum(rows.values()) == 2 * 674


def test_the_table_shows_the_test_and_marks_miscalibration(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv")
    shown = printed(path, "-f", "table", "--measures", "ece,auroc", "--resamples", "40")
    assert "\nThe temperatures of the groups differ (p " in shown
    reports = json.loads(printed(path, "-f", "json", "--measures", "ece", "--resamples", "40"))[0]["groups"]
    for group in reports:
        line = next(line for line in shown.splitlines() if line.startswith(f" {group['group']}, τ = 1 "))
        before = group["reports"][0]
        assert ("*" in line.split()[4]) == (before["ece"] > before["ece_chance_95"])
        assert f"{before['ece']:.4f}" in line
    equal = printed(table(tmp_path / "b.csv", VAL.logits), "-f", "table", "--resamples", "0")
    assert "do not show that the temperatures of the groups differ (p = " in " ".join(equal.split())


def test_json_and_a_group_with_markup(tmp_path: Path) -> None:
    rows = [
        {"logits": z, "target": int(y), "of": f"\x1b[31m{g}"}
        for z, y, g in zip(LOGITS.tolist(), VAL.targets, GROUPS, strict=True)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = here("calibrate", str(path), "--by", "of", "-f", "table", "--resamples", "5")
    assert done.returncode == 0
    assert "\\x1b[31mpen" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,g,target\n1,2,x,0\n2,1,,1\n", "stdin:3: 'g' is empty, so the row has no group; write a group, or remove"),
        ("a,b,h,target\n1,2,x,0\n", "stdin:1: --by: unknown column 'g'; choose from a, b, h, target"),
        (
            '{"logits": [1, 2], "target": 0, "g": null}\n',
            "stdin:1: 'g' is missing or null, so the row has no group; write a group, or remove the row",
        ),
        (
            "a,b,g,target\n" + "".join(f"{i},0,k{i},0\n" for i in range(4)),
            "stdin:5: 'g' has more than 3 different values; pass a column of groups with --by",
        ),
        ("a,b,g,target\n1,2,x,0\n2,1,x,1\n2,2,y,1\n", "stdin: group 'y': all logits of each row are equal"),
    ],
)
def test_errors_in_the_groups(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labeled_groups, "MAX_GROUPS", 3)
    done = here("calibrate", "--by", "g", stdin=text)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"tsoft: error: {message}" in done.stderr


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--by", ""], "--by needs the name of a column"),
        (
            ["--by", "g", "--id-column", "h"],
            "--id-column has no effect with --by; remove it, and list the logits with --columns",
        ),
        (["--by", "g", "--chart"], "--chart has no effect with --by; remove one of the two"),
        (
            ["--by", "g", "-o", "a.json", "-o", "a.svg"],
            "--by has no effect on svg; run tsoft without --by for the figure",
        ),
        (["--by", "g", "-f", "svg"], "--by has no effect on svg; use --format table, tsv, csv, json or jsonl"),
    ],
)
def test_errors_in_the_options(typed: list[str], message: str) -> None:
    done = here("calibrate", *typed, stdin="a,b,g,target\n1,2,x,0\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"tsoft: error: {message}\n"


def test_an_array_file_has_no_columns(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", logits=LOGITS, targets=VAL.targets)
    file = str(tmp_path / "a.npz")
    done = here("calibrate", file, "--by", "g")
    assert done.returncode == 2
    assert (
        done.stderr
        == f"tsoft: error: --by selects columns by name, but {file} (npz) has no column names; remove --by\n"
    )
    done = here("calibrate", file, "--by", "g", "--target-column", "t")
    assert (
        done.stderr
        == f"tsoft: error: --by and --target-column select columns by name, but {file} (npz) has no column names;"
        " remove --by and --target-column\n"
    )


def test_notes_on_groups(tmp_path: Path) -> None:
    """A group with few rows, one at a limit, and groups that only one of the two files has."""
    right = LOGITS.argmax(1) == VAL.targets
    groups = np.where(right & (np.arange(674) % 10 == 0), "right", np.where(np.arange(674) < 40, "few", "rest"))
    path = table(tmp_path / "a.csv", groups=groups)
    test = table(tmp_path / "b.csv", TEST.logits, TEST.targets, np.where(np.arange(674) < 300, "rest", "new"))
    done = here("calibrate", path, "--test", test, "--by", "source")
    assert done.returncode == 3
    limit = "group 'right': every target is the most probable class of its row, so the NLL falls all the way to τ = 0"
    assert f"{path}: {limit}; its rows do not determine a temperature; see " in done.stderr
    assert f"{path}: with as few as " in done.stderr
    assert "rows in groups 'right' and 'few', their fits are imprecise\n" in done.stderr
    assert f"{test}: {path} has no group 'new', so these rows are measured only with all others\n" in done.stderr
    assert f"{test}: no rows of groups 'right' and 'few'\n" in done.stderr
    assert "right\t0.0\n" in done.stdout
    single = here("calibrate", "--by", "g", stdin="a,b,target,g\n" + "1,0,a,x\n1,0,b,x\n2,0,a,x\n1,0,a,y\n")
    assert "with as few as 1 row in groups 'x' and 'y', their fits are imprecise\n" in single.stderr


def test_ignored_rows_have_no_group() -> None:
    text = "a,b,g,target\n3,1,x,a\n1,2,,-100\n1,3,y,b\n2,1,x,b\n1,2,y,a\n3,1,x,a\n0,2,y,b\n"
    done = here(
        "calibrate",
        "--by",
        "g",
        "--ignore-index",
        "-100",
        "-f",
        "csv",
        "--measures",
        "nll",
        "--resamples",
        "0",
        stdin=text,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split(",") for line in done.stdout.splitlines()]
    assert lines[0][:5] == ["group", "data", "tau", "rows", "ignored"]
    assert [(line[0], line[3], line[4]) for line in lines[1::2]] == [("", "6", "1"), ("x", "3", ""), ("y", "3", "")]
