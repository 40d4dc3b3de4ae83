"""The promises of the comparison: all do the same work, and the table says what could not be done."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.comparison.driving import Drive, DriveFailed
from benchmarks.comparison.environments import install
from benchmarks.comparison.program import ADAPTERS, LIMITS, OURS, PEERS, Program
from benchmarks.comparison.report import as_json, as_markdown, from_json
from benchmarks.comparison.rounds import Effort, Result, compare, joined
from benchmarks.comparison.work import Measured
from benchmarks.comparison.works import WORKS, find_work

ROOT = Path(__file__).parents[2]

# A program that keeps what it is told in lines, at once; what it holds back is lost with its process.
MADE_UP = """
from pathlib import Path

NAME = "made up"
REQUIREMENTS = ()
DISTRIBUTION = ""
IMPORT = "import json"
CANNOT = {"read": "no reading interface", "tasks": "no tasks", "artifacts": "no artifacts", "sync": "no sync"}
HELD_BACK = 0


def settle(folder):
    pass


def begin(folder, name):
    return (folder / name).open("a"), []


def scalar(run):
    file, held = run

    def report(step, value):
        held.append(f"{step} {value}\\n")
        if len(held) > HELD_BACK:
            file.writelines(held)
            file.flush()
            held.clear()

    return report


def metrics(run):
    report = scalar(run)
    return lambda step, values: [report(step, value) for value in values.values()]


def finish(run):
    file, held = run
    file.writelines(held)
    file.close()


def kept(folder, name):
    lines = (folder / name).read_text().splitlines(keepends=True)
    return [int(line.split()[0]) for line in lines if line.endswith("\\n")]
"""


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    path = tmp_path / "made_up.py"
    path.write_text(MADE_UP)
    return path


def ignore(_: object) -> None:
    pass


def wait_until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def drive(adapter: Path, work: str, folder: Path, **options: object) -> dict[str, object]:
    return Drive(Program.of_adapter(adapter), work, folder, folder.parent / "bytecode", **options).wait(60)


def test_a_killed_process_loses_what_its_program_holds_back_and_nothing_else(made_up: Path, tmp_path: Path):
    options = {"count": 2, "group": True, "seed": 0, "rate": 1_500}
    assert drive(made_up, "kills", tmp_path / "at_once", **options)["lost"] == [0, 0]

    made_up.write_text(MADE_UP.replace("HELD_BACK = 0", "HELD_BACK = 100_000"))
    figures = drive(made_up, "kills", tmp_path / "held_back", **options)
    assert sum(figures["lost"]) == figures["calls"] > 0


@pytest.mark.parametrize(
    ("adapter", "names"),
    [
        (OURS, ("calls", "read", "tasks", "sync")),
        ("write_2", ("calls", "read")),
        ("lmdb_alone", ("calls", "read")),
        ("cp", ("artifacts", "sync")),
        ("memory", ("artifacts",)),
    ],
)
def test_what_needs_no_environment_of_its_own_fills_every_row_that_it_can(
    adapter: str, names: tuple[str, ...], tmp_path: Path
):
    program = Program.of_adapter(ADAPTERS / f"{adapter}.py")
    works = [find_work(name) for name in names]
    results = compare(works, [program], Effort(0.002, 1, 1), tmp_path, ignore, ignore)
    for work in works:
        result = results[work.name][program.name]
        assert not result.failures
        for row in work.rows:
            assert bool(result.values(row.name)) is (program.reason(work.needs[row.name]) is None)


def test_eight_processes_begin_at_once_and_what_is_not_found_afterwards_is_counted(
    made_up: Path, tmp_path: Path
):
    # Each forgets its first value.
    forgetful = MADE_UP.replace("HELD_BACK = 0", "HELD_BACK = 1_000")
    made_up.write_text(
        forgetful.replace(
            "file.writelines(held)\n    file.close", "file.writelines(held[1:])\n    file.close"
        )
    )
    program = Program.of_adapter(made_up)
    works = [find_work("processes")]
    result = compare(works, [program], Effort(0.01, 1, 1), tmp_path, ignore, ignore)["processes"]["made up"]
    assert not result.failures
    assert result.rounds[0].done == 800
    assert result.values("lost") == [8]


def test_what_hangs_is_ended_with_all_that_it_started_and_gets_a_reason(made_up: Path, tmp_path: Path):
    begun = tmp_path / "begun"
    child = f"subprocess.Popen(['sh', '-c', 'echo $$ > {begun}; sleep 600'], start_new_session=True)"
    made_up.write_text(
        MADE_UP.replace("    pass\n", f"    import subprocess, time; {child}; time.sleep(600)\n", 1)
    )
    options = {"name": "a", "count": 1, "seconds": 1}
    started = Drive(Program.of_adapter(made_up), "calls", tmp_path / "folder", tmp_path, **options)
    wait_until(lambda: begun.exists() and begun.read_text())
    with pytest.raises(DriveFailed, match="had not ended after 0 s"):
        started.wait(0.01)
    wait_until(lambda: not is_running(int(begun.read_text())))


def test_a_program_that_fails_gets_its_last_word_as_the_reason(made_up: Path, tmp_path: Path):
    made_up.write_text(MADE_UP.replace("    pass\n", "    raise OSError('no such thing')\n", 1))
    program = Program.of_adapter(made_up)
    works = [find_work("calls")]
    results = compare(works, [program], Effort(0.001, 3, 1), tmp_path, ignore, ignore)
    assert results["calls"]["made up"].failures == ["OSError: no such thing"] * 2
    table = as_markdown(results, [program], {}, "")
    assert "| made up | — |  |  | OSError: no such thing |" in table


def test_a_program_that_fails_once_is_tried_again_and_the_table_says_so(made_up: Path, tmp_path: Path):
    stumble = "mark = folder.parents[1] / 'mark'; mark.exists() or (mark.touch(), mark.readlink())"
    made_up.write_text(MADE_UP.replace("    pass\n", f"    {stumble}\n", 1))
    program = Program.of_adapter(made_up)
    results = compare([find_work("calls")], [program], Effort(0.001, 2, 1), tmp_path, ignore, ignore)
    assert len(results["calls"]["made up"].rounds) == 1
    table = as_markdown(results, [program], {}, "")
    assert "| 1 of 2 rounds failed: OSError: [Errno 22] Invalid argument" in table


def test_kills_are_shared_out_and_added_up(made_up: Path, tmp_path: Path):
    made_up.write_text(MADE_UP.replace("HELD_BACK = 0", "HELD_BACK = 100_000"))
    program = Program.of_adapter(made_up)
    results = compare([find_work("killed")], [program], Effort(1, 1, 5), tmp_path, ignore, ignore)
    result = results["killed"]["made up"]
    assert len(result.values("lost")) == 5
    assert result.values("total") == [sum(result.values("lost"))] == [result.rounds[0].done]
    assert result.values("kills") == [5]


def test_a_program_that_cannot_be_installed_gets_a_reason(made_up: Path, tmp_path: Path):
    program = Program.of_adapter(made_up)
    program.requirements = ("trackio",)
    install(program, made_up / "environments")  # below a file
    assert program.missing is not None
    assert program.missing.startswith("cannot be installed: ")


def results_of(ours: list[float], theirs: list[float], done: int) -> dict[str, dict[str, Result]]:
    return {
        "read": {
            "eventlog": Result([Measured({"read": value}, 1_000_000, 1_000_000) for value in ours]),
            "made up": Result(
                [Measured({"read": value}, done, 1_000_000, is_scaled=True) for value in theirs]
            ),
        }
    }


def test_the_table_has_medians_spreads_ratios_and_says_what_is_scaled(made_up: Path):
    ours, theirs = Program.of_adapter(ADAPTERS / f"{OURS}.py"), Program.of_adapter(made_up)
    theirs.cannot.pop("read")
    results = results_of([30, 10, 20], [400, 100, 200], 5_000)
    lines = as_markdown(results, [ours, theirs], {"date": "today"}, "# beside").splitlines()
    assert "| reading a million points, ms |  | **20** | 200 (from 5,000 points) |" in lines
    assert "| reading a million points | eventlog | 20 ms | 10 to 30 |  |  |" in lines
    assert "|  | made up | 200 ms | 100 to 400 | 10 × | of 5,000 points, multiplied |" in lines
    report = as_json(results, [ours, theirs])
    assert report["works"]["read"]["medians"]["read"]["of"] == {"eventlog": 20, "made up": 200}
    assert from_json(json.loads(json.dumps(report))) == results


def test_the_rounds_of_an_earlier_run_count_too():
    both = joined(results_of([10], [100], 5), results_of([30, 20], [300], 5))
    assert both["read"]["eventlog"].values("read") == [10, 30, 20]
    assert both["read"]["made up"].values("read") == [100, 300]


def test_a_dash_has_the_reason_of_the_adapter(made_up: Path):
    ours, theirs = Program.of_adapter(ADAPTERS / f"{OURS}.py"), Program.of_adapter(made_up)
    results = results_of([20], [], 0)
    table = as_markdown(results, [ours, theirs], {}, "")
    assert "| made up | — |  |  | no reading interface |" in table


@pytest.mark.parametrize("adapter", [OURS, *PEERS, *LIMITS])
def test_an_adapter_has_a_function_or_a_reason_for_everything(adapter: str):
    from benchmarks.peers.driver import load_adapter

    module = load_adapter(ADAPTERS / f"{adapter}.py")
    functions = {
        "scalars": ("scalar", "metrics", "kept"),
        "read": ("read",),
        "tasks": ("fill_tasks", "find_tasks"),
        "artifacts": ("put_file",),
        "artifact_out": ("get_file",),
        "sync": ("sync_files",),
    }
    for what, names in functions.items():
        cannot = what in module.CANNOT or (what == "artifact_out" and "artifacts" in module.CANNOT)
        assert cannot or all(callable(getattr(module, name, None)) for name in names), what
    needs = {need for work in WORKS for row in work.needs.values() for need in row}
    assert set(module.CANNOT) <= needs


def test_the_command_measures_what_is_asked_for_and_writes_both_tables(tmp_path: Path):
    scratch, report, table = tmp_path / "scratch", tmp_path / "report.json", tmp_path / "peers.md"
    scratch.mkdir()
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--quick",
        "--rounds",
        "1",
        "--only",
        "artifacts",
        "--peers",
    ]
    files = ["--json", report, "--markdown", table, "--scratch", scratch, "--environments", tmp_path / "none"]
    done = subprocess.run([*command, *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    medians = json.loads(report.read_text())["comparison"]["works"]["artifacts"]["medians"]
    assert medians["in"]["of"]["eventlog"] > 0
    assert medians["in"]["of"]["cp"] > 0
    assert "| an artifact in |" in table.read_text()
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "none").exists()
