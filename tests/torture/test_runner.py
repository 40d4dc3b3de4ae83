"""The promises of `python -m torture`: what goes wrong in a round is told, and it can be played again."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchmarks.processes import children, wait_until
from torture import __main__, fuzz, report, runner
from torture.fault import Fault, Outcome, Round
from torture.fuzzing.targets import TARGETS

ROOT = Path(__file__).parents[2]

# From Python 3.12 on a fork beside threads is warned of, whoever's they are.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Round], Outcome]], None]:
    """Has rounds of the one kind that there is played by a function."""

    def play_with(play: Callable[[Round], Outcome]) -> None:
        fault = Fault("made up", "faults", play)
        monkeypatch.setattr(runner, "find_fault", lambda name: fault)
        monkeypatch.setattr(report, "find_fault", lambda name: fault)

    return play_with


Played = Callable[[Callable[[Round], Outcome]], None]


def test_a_round_is_counted_and_leaves_nothing(tmp_path: Path, played: Played) -> None:
    def play(this: Round) -> Outcome:
        (this.folder / "file").touch()
        outcome = Outcome(faults=3, acknowledged=7)
        outcome.check(True, "it holds")
        return outcome

    played(play)
    assert runner.play("kills", 1, 0, tmp_path / "round") == Outcome(3, 1, 7, 0, [])
    assert not (tmp_path / "round").exists()


def test_a_broken_promise_is_told_and_keeps_the_folder_and_how_to_play_it_again(
    tmp_path: Path, played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    def play(this: Round) -> Outcome:
        outcome = Outcome(faults=1)
        (this.folder / "evidence").touch()
        outcome.check(False, f"{this.random.randrange(1000)} is lost")
        return outcome

    played(play)
    results = tmp_path / "results.json"
    arguments = ["--seed", "5", "--only", "kills", "--round", "3", "--scratch", str(tmp_path)]
    assert __main__.main([*arguments, "--json", str(results)]) == 1
    first = capsys.readouterr().out
    assert first.count('again: make torture ARGS="--only kills --seed 5 --round 3"\n') == 1
    assert "\n\n" not in first
    (evidence,) = tmp_path.glob("*/kills-3/evidence")
    assert str(evidence.parent) in first
    (figures,) = json.loads(results.read_text())["faults"].values()
    assert figures["failed_rounds"] == [3]
    assert figures["broken"][0] in first
    # The same seed draws the same, another one something else.
    assert __main__.main(arguments) == 1
    assert figures["broken"][0] in capsys.readouterr().out
    arguments[1] = "6"
    assert __main__.main(arguments) == 1
    assert figures["broken"][0] not in capsys.readouterr().out


def test_a_round_that_raises_dies_or_hangs_has_broken_a_promise(tmp_path: Path, played: Played) -> None:
    def raising(_: Round) -> Outcome:
        raise ValueError("never")

    def dying(_: Round) -> Outcome:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    def hanging(_: Round) -> Outcome:
        # And a process of its own, in a session of its own, that hangs, too.
        if os.fork() == 0:
            os.setsid()
        time.sleep(1000)
        raise AssertionError

    others = children()
    cases = [(raising, "ValueError: never"), (dying, "died"), (hanging, "hung")]
    for number, (play, told) in enumerate(cases):
        played(play)
        outcome = runner.play("kills", 1, number, tmp_path / str(number), seconds=1.0)
        assert len(outcome.broken) == 1
        assert told in outcome.broken[0]
    assert children() == others


def test_a_round_of_fuzzing_leaves_nothing_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    # One that reads what is made of a store.
    monkeypatch.setattr(fuzz, "TARGETS", [target for target in TARGETS if target.name == "bundle"])
    monkeypatch.setattr(fuzz, "SLICE_SECONDS", 0.1)
    assert runner.play("fuzz", 1, 0, tmp_path / "round").broken == []
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_cut_off_leaves_no_process_and_no_folder(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "torture", "--only", "kills", "--seed", "1", "--scratch", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        started: list[psutil.Process] = []
        # The round, and a process that it started.
        wait_until(lambda: len(started) > 1 or started.extend(others_of(run.pid, 2)), "a round", 60)
        run.send_signal(number)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 128 + number, told
    assert b"Traceback" not in told
    assert not any(one.is_running() for one in started)
    assert list(tmp_path.iterdir()) == []


def others_of(process: int, least: int) -> list[psutil.Process]:
    """All that a process started, if there are so many."""
    others = psutil.Process(process).children(recursive=True)
    return others if len(others) >= least else []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("torture --scratch /nonexistent", "argument --scratch: there is no folder /nonexistent"),
        ("torture --json /nonexistent/x", "argument --json: no file can be written at /nonexistent/x"),
        ("torture --minutes 0", "argument --minutes: 0 is not more than 0"),
        ("torture --seconds -5", "argument --seconds: -5 is not more than 0"),
        ("torture --round -1", "argument --round: -1 is less than 0"),
        ("torture.fuzzing --input /nonexistent", "argument --input: there is no file /nonexistent"),
        ("torture.fuzzing --only nosuch", "argument --only: invalid choice: 'nosuch'"),
        ("torture.fuzzing --input README.md", "name the one target"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_tried(arguments: str, told: str) -> None:
    command = [sys.executable, "-m", *arguments.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]


def test_kinds_get_as_much_time_each_and_those_that_cannot_be_played_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = {
        "quick": Fault("quick", "faults", lambda this: Outcome(faults=1)),
        "slow": Fault("slow", "faults", lambda this: Outcome(faults=1)),
        "elsewhere": Fault("elsewhere", "faults", lambda this: Outcome(), lambda: "there is no such machine"),
    }
    monkeypatch.setattr(runner, "find_fault", faults.__getitem__)
    monkeypatch.setattr(report, "find_fault", faults.__getitem__)
    monkeypatch.setattr(runner, "play", lambda name, *_, **__: clock.pass_by(name))

    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

        def pass_by(self, name: str) -> Outcome:
            self.now += {"quick": 1, "slow": 5}[name]
            return Outcome(faults=1)

    clock = Clock()
    monkeypatch.setattr(runner, "time", clock)
    tallies = runner.play_until(100.0, 1, tmp_path, list(faults))
    assert 9 <= tallies["slow"].rounds <= 11
    assert 45 <= tallies["quick"].rounds <= 55
    assert tallies["elsewhere"].rounds == 0
    text = report.as_markdown(tallies, 1, 100.0)
    assert "| elsewhere: skipped, there is no such machine |" in text
    assert f"| slow: slow | {tallies['slow'].rounds} |" in text


def test_of_a_kind_that_was_never_tried_nothing_is_said_to_be_whole(tmp_path: Path) -> None:
    tallies = {"kills": runner.Tally(rounds=1, total=Outcome(1, 3, 4)), "races": runner.Tally()}
    text = report.as_markdown(tallies, 1, 100.0)
    assert "| 1 | 1 kill | 3 | 4 | 0 | 0 |" in text
    assert "| 0 | – | – | – | – | – |" in text
