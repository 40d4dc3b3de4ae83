"""The promises of `python -m benchmarks`: every benchmark fills its rows, and the report says the truth."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.benchmark import Row
from benchmarks.processes import wait_until
from benchmarks.runner import NAMES, find_benchmark

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_fills_every_row_and_leaves_nothing_behind(name: str, tmp_path: Path):
    if missing := find_benchmark(name).missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    scratch, report = tmp_path / "scratch", tmp_path / "report.json"
    scratch.mkdir()
    command = [sys.executable, "-m", "benchmarks", "--quick", "--rounds", "1", "--only", name]
    done = subprocess.run(
        [*command, "--json", report, "--scratch", scratch], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(report.read_text())["benchmarks"][name]
    assert list(rows) == [row.name for row in find_benchmark(name).rows]
    assert all(len(row["rounds"]) == 1 for row in rows.values())
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--only no_such_benchmark", "invalid choice: 'no_such_benchmark'"),
        ("--scratch /nonexistent", "there is no folder /nonexistent"),
        ("--rounds 0", "0 is less than 1"),
        ("--add-to /nonexistent", "/nonexistent: No such file or directory"),
        ("--add-to README.md", "README.md is not the JSON of a run with peers"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_measured(arguments: str, told: str):
    command = [sys.executable, "-m", "benchmarks", *arguments.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "begun", "number"),
    [
        ("benchmarks --only rebuild", "*", signal.SIGTERM),
        # Whose threads wait for processes that reap others.
        ("benchmarks --only killed --peers", "*/killed/*/*", signal.SIGTERM),
        ("benchmarks.growth --only calls", "*", signal.SIGINT),
    ],
)
def test_a_run_that_is_cut_off_leaves_no_process_and_no_folder(
    tmp_path: Path, arguments: str, begun: str, number: signal.Signals
):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    written = [] if "growth" in arguments else ["--json", tmp_path / "json", "--markdown", tmp_path / "md"]
    written += ["--images", tmp_path] if "growth" in arguments else []
    command = [sys.executable, "-m", *arguments.split(), "--scratch", scratch, *written]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        started: list[psutil.Process] = []

        def has_begun() -> bool:
            started[:] = psutil.Process(run.pid).children(recursive=True)
            return bool(started) and any(scratch.glob(begun))

        wait_until(has_begun, "a round", 60)
        run.send_signal(number)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 128 + number, told
    assert b"Traceback" not in told
    assert not any(one.is_running() for one in started)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("row", "value", "met"),
    [
        (Row("a", "a", "ms", budget=2), 2.0, True),
        (Row("a", "a", "ms", budget=2), 2.1, False),
        (Row("a", "a", "events/s", budget=2, at_least=True), 2.0, True),
        (Row("a", "a", "events/s", budget=2, at_least=True), 1.9, False),
        (Row("a", "a", "ms"), 5.0, None),
    ],
)
def test_a_budget_is_a_ceiling_or_a_floor(row: Row, value: float, met: bool | None):
    assert row.met_by(value) is met
