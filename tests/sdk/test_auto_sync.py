"""What a task records is on the remote while it runs, and the script does not notice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlog.store import Store
from tests.sdk.scripts import Scripts, poll
from tests.sdk.watched import end_watchers, pulled, see, watchers

TRAIN = """
import os, signal, sys, time
from pathlib import Path
from eventlog import Task
task = Task.init(project_name="tests/auto", task_name="a run")
task.connect({"rate": 0.1})
logger = task.get_logger()
for step in range(20):
    logger.report_scalar("loss", "train", value=step, iteration=step)
print("running", flush=True)
"""
# What is said of the last push is never true, so that the push never ends.
ENDLESS = f"""
from eventlog.sdk.watcher_folder import Attempt, WatcherFolder
WatcherFolder.last = lambda self: Attempt()
{TRAIN}
"""
WAIT = """
while not Path(sys.argv[1]).exists(): time.sleep(0.01)
"""


@pytest.fixture
def remote(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A remote that is configured, to be pushed to every second."""
    folder = tmp_path / "share" / "remote"
    folder.parent.mkdir()
    monkeypatch.setenv("EVENTLOG_REMOTE", str(folder))
    monkeypatch.setenv("EVENTLOG_AUTO_SYNC", "0.5")
    yield folder
    end_watchers(home)


def last_scalar(elsewhere: Path, task: str) -> float:
    from eventlog.projections import Views

    with Store.open(elsewhere) as store, Views.open(store) as views:
        views.catch_up(reports=True)
        (series,) = [one for one in views.series(task) if one.title == "loss"]
        return float(series.last)


def watchers_in_status(home: Path) -> Any:
    """What `eventlog status` says of pushing by itself, which its page says as well."""
    command = [sys.executable, "-m", "eventlog", "--home", str(home), "status"]
    outcome = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True)
    watchers = json.loads(outcome.stdout)["watchers"]
    page = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert ("fails since" in page) == any(one["problem"] for one in watchers)
    return watchers


def test_parameters_are_on_the_remote_while_the_script_runs(
    scripts: Scripts, remote: Path, elsewhere: Path
) -> None:
    script = scripts.start(TRAIN + WAIT, str(remote.parent / "go"))
    script.line()
    state = see(elsewhere, remote, lambda state: state.parameters)
    assert (state.status, state.parameters["General/rate"].value) == ("in_progress", "0.1")
    (remote.parent / "go").touch()
    assert script.wait() == 0, script.err
    assert script.err == ""
    # The end of the script waited for the last push.
    assert [state.status for state in pulled(elsewhere, remote)] == ["completed"]
    poll(lambda: not watchers(scripts.home))


def test_the_last_words_of_a_killed_script_arrive(scripts: Scripts, remote: Path, elsewhere: Path) -> None:
    text = TRAIN + WAIT + "logger.report_scalar('loss', 'train', value=77, iteration=99)\n"
    go = remote.parent / "go"
    script = scripts.start(text + "os.killpg(0, signal.SIGKILL)\n", str(go), new_group=True)
    poll(lambda: watchers(scripts.home))
    go.touch()
    assert script.wait() == -signal.SIGKILL
    state = see(elsewhere, remote, lambda state: state.status == "failed")
    assert last_scalar(elsewhere, state.id) == 77
    poll(lambda: not watchers(scripts.home))


def test_however_many_processes_report_one_watcher_pushes(
    scripts: Scripts, remote: Path, elsewhere: Path
) -> None:
    go = remote.parent / "go"
    several = [scripts.start(TRAIN + WAIT, str(go), name=f"script_{number}.py") for number in range(5)]
    for script in several:
        script.line()
    poll(lambda: len(pulled(elsewhere, remote)) == 5)
    (process,) = watchers(scripts.home)
    go.touch()
    for script in several:
        assert script.wait() == 0, script.err
    assert {state.status for state in pulled(elsewhere, remote)} == {"completed"}
    (log,) = scripts.home.glob("auto_sync/*/log")
    assert log.read_text().count("pushing ") == 1
    assert f"[{process}]" in log.read_text()


def test_killing_the_watcher_harms_nothing(scripts: Scripts, remote: Path, elsewhere: Path) -> None:
    script = scripts.start(TRAIN + WAIT, str(remote.parent / "go"))
    script.line()
    see(elsewhere, remote, lambda state: state.status == "in_progress")
    end_watchers(scripts.home)
    (remote.parent / "go").touch()
    assert script.wait() == 0, script.err
    assert script.err == ""
    assert [state.status for state in pulled(elsewhere, remote)] == ["completed"]


def test_a_remote_that_cannot_be_reached_changes_nothing_but_one_line(
    scripts: Scripts, remote: Path, elsewhere: Path
) -> None:
    remote.parent.rmdir()
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    # Whatever a script inherits is not the watcher's, who goes on trying.
    script = scripts.start(TRAIN + "sys.exit(3)\n", inherits=[writing])
    os.close(writing)
    assert script.wait() == 3
    assert os.read(reading, 1) == b""
    os.close(reading)
    assert script.out == "running\n"
    # Where it takes long, that it is waited for is said before.
    (told,) = [line for line in script.err.splitlines() if "waiting for the last push" not in line]
    assert told.startswith("eventlog: not all that was recorded is on ")
    assert watchers(scripts.home)
    (failing,) = watchers_in_status(scripts.home)
    assert (failing["remote"], failing["alive"], failing["last_push"]) == (str(remote), True, None)
    assert failing["unpushed_batches"] > 0
    assert failing["failing_since"] is not None
    assert "share" in failing["problem"]
    # The next to run finds the remote there.
    remote.parent.mkdir()
    scripts.run(TRAIN)
    (well,) = watchers_in_status(scripts.home)
    assert (well["unpushed_batches"], well["failing_since"], well["problem"]) == (0, None, None)
    assert well["last_push"] > failing["failing_since"]
    assert {state.status for state in pulled(elsewhere, remote)} == {"completed"}


def test_the_end_is_waited_for_no_longer_than_is_configured(
    scripts: Scripts, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLOG_AUTO_SYNC_WAIT_SECONDS", "0.2")
    script = scripts.start(ENDLESS)
    script.line()
    began = time.monotonic()
    assert script.wait() == 0
    # What is waited for by default is 30 seconds.
    assert time.monotonic() - began < 25
    assert "goes on by itself" in script.err


def test_ctrl_c_stops_waiting(scripts: Scripts, remote: Path) -> None:
    script = scripts.start(ENDLESS)
    script.line()
    assert script.process.stderr is not None
    assert "waiting for the last push; Ctrl-C stops" in script.process.stderr.readline()
    script.send(signal.SIGINT)
    began = time.monotonic()
    assert script.wait() == 0
    assert time.monotonic() - began < 25
    assert script.err == ""


def test_at_close_there_is_one_push_though_the_process_goes_on(
    scripts: Scripts, remote: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLOG_AUTO_SYNC", "close")
    first, second = remote.parent / "first", remote.parent / "second"
    script = scripts.start(TRAIN + WAIT + "task.close()\nsys.argv.pop(1)\n" + WAIT, str(first), str(second))
    script.line()
    poll(lambda: watchers(scripts.home))
    assert pulled(elsewhere, remote) == []
    first.touch()
    see(elsewhere, remote, lambda state: state.status == "completed")
    assert script.process.poll() is None
    second.touch()
    assert script.wait() == 0, script.err


def test_a_script_that_waits_for_its_children_does_not_wait_for_the_watcher(
    scripts: Scripts, remote: Path, elsewhere: Path
) -> None:
    text = TRAIN + (
        f"while not Path({str(remote)!r}).exists(): time.sleep(0.01)\n"
        "try: os.wait()\n"
        "except ChildProcessError: print('no children', flush=True)\n"
    )
    assert scripts.run(text).out == "running\nno children\n"


def test_offline_sessions_are_pushed_by_nobody(
    scripts: Scripts, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLOG_OFFLINE_MODE", "1")
    scripts.run(TRAIN)
    assert not remote.exists()
    assert not list(scripts.home.rglob("auto_sync"))


def test_without_a_remote_one_line_says_what_is_missing(
    scripts: Scripts, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVENTLOG_REMOTE")
    script = scripts.run(TRAIN)
    assert script.err.startswith("eventlog: auto_sync is set, but there is no remote")
    assert script.err.count("\n") == 1
