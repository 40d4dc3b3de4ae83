"""What a store promises, made to happen: kills, forks, full disks, many writers, clocks and damage."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from eventlog import events
from eventlog.store import Store
from eventlog.verify import verify
from tests.eventlog.processes import (
    KILLS,
    TASK,
    Acknowledged,
    events_of,
    fingerprint,
    instants,
    read_store,
    start,
    wait_until,
)

# What a process does that is killed: a task is started, then numbers are reported for ever.
WRITER = """
    import sys
    from eventlog import events
    from eventlog.store import Store
    from tests.eventlog.processes import TASK, Acknowledged

    home, log, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    acknowledged = Acknowledged(log)
    session = Store.open(home).session
    session.append(events.TaskCreated, TASK, "killed", "digits")
    session.append(events.TaskStarted, TASK)
    acknowledged.add(-1)
    number = 0
    while True:
        if number % 50 == 49:
            session.append(events.ProgressSet, TASK, number)
        elif size:
            session.append(events.TextReported, TASK, f"{number} " + "x" * size)
        else:
            session.append(events.ScalarReported, TASK, "loss", "train", number, number / 7)
        acknowledged.add(number)
        number += 1
"""


def number_of(event: events.Event) -> int:
    """The number that `WRITER` reported with this event."""
    match event:
        case events.ScalarReported(iteration=number):
            assert event.value == number / 7
            return number
        case events.ProgressSet(progress=number):
            return number
        case events.TextReported(text=text):
            return int(text.split()[0])
    raise AssertionError(event)


def check_killed(home: Path, acknowledged: list[int], process: int) -> None:
    """What was acknowledged is there once, in order, and at most the one event after it; the task failed."""
    found = read_store(home)
    numbers = [number_of(event) for event in events_of(found, *NUMBERED)]
    assert numbers == list(range(len(numbers)))
    assert 0 <= len(numbers) - sum(number >= 0 for number in acknowledged) <= 1
    assert acknowledged == list(range(-1, len(acknowledged) - 1))
    if acknowledged:
        assert [one.task for one in events_of(found, events.TaskStarted)] == [TASK]
    for failed in events_of(found, events.TaskFailed):
        assert f"process {process} " in failed.reason
        assert "killed" in failed.reason
    started = events_of(found, events.TaskStarted)
    assert len(events_of(found, events.TaskFailed)) == len(started)
    ended = events_of(found, events.SessionEnded)
    assert len(ended) == len(events_of(found, events.SessionStarted))
    assert not list((home / "journals").iterdir())
    assert not verify(home).problems
    before = fingerprint(home / "log")["data.mdb"]
    assert read_store(home) == found
    assert fingerprint(home / "log")["data.mdb"] == before


NUMBERED = (events.ScalarReported, events.ProgressSet, events.TextReported)


@pytest.mark.parametrize("written", [False, True], ids=["mapped", "written"])
@pytest.mark.parametrize("size", [0, 20_000], ids=["scalars", "chunks-that-fill-at-once"])
def test_what_a_killed_process_had_appended_is_there_once_and_in_order(
    tmp_path: Path, size: int, written: bool
) -> None:
    for number, instant in instants(("kill", size, written), 0.6):
        home, log = tmp_path / f"home{number}", tmp_path / f"log{number}"
        with start(WRITER, home, log, size, written=written) as process:
            wait_until(log.exists)
            try:
                process.wait(instant)
            except subprocess.TimeoutExpired:
                process.kill()
        assert process.returncode == -signal.SIGKILL
        check_killed(home, Acknowledged(log).numbers(), process.pid)
        shutil.rmtree(home)


def test_a_process_group_killed_at_once_leaves_everything_of_each_of_its_processes(tmp_path: Path) -> None:
    program = """
        import os, sys
        from eventlog import events
        from eventlog.store import Store
        from tests.eventlog.processes import Acknowledged

        home, log = sys.argv[1:]
        store = Store.open(home)
        store.session.append(events.TaskCreated, "f" * 32, "group", "digits")
        for worker in range(3):
            if os.fork() == 0:
                break
        else:
            worker = 3
        acknowledged = Acknowledged(f"{log}.{worker}")
        for number in range(1 << 60):
            store.session.append(events.ScalarReported, str(worker) * 32, "loss", "train", number, 0.5)
            acknowledged.add(number)
    """
    for number, instant in instants("group", 0.5, KILLS // 2):
        home, log = tmp_path / f"home{number}", tmp_path / f"log{number}"
        logs = [Path(f"{log}.{worker}") for worker in range(4)]
        with start(program, home, log, start_new_session=True) as process:
            wait_until(lambda logs=logs: all(path.exists() for path in logs))
            try:
                process.wait(instant)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL

        # The others of the group are not this process's children: their end shows in their locks.
        def all_dead(home: Path = home) -> bool:
            with Store.open(home) as store:
                return not store.live_sessions()

        wait_until(all_dead)
        found = read_store(home)
        for worker, path in enumerate(logs):
            reported = [
                event.iteration
                for event in events_of(found, events.ScalarReported)
                if event.task == str(worker) * 32
            ]
            acknowledged = Acknowledged(path).numbers()
            assert reported == list(range(len(reported)))
            assert 0 <= len(reported) - len(acknowledged) <= 1
        assert not list((home / "journals").iterdir())
        shutil.rmtree(home)


# Dies with a lot in its journal that is not committed.
LEAVER = """
    import os, signal, sys
    from eventlog import events
    from eventlog.store import Store
    from tests.eventlog.processes import TASK

    session = Store.open(sys.argv[1]).session
    children = []
    for _ in range(int(sys.argv[3]) - 1):
        children.append(os.fork())
        if not children[-1]:
            children.clear()
            break
    session.append(events.TaskCreated, TASK, "left", "digits")
    session.append(events.TaskStarted, TASK)
    for number in range(int(sys.argv[2])):
        session.append(events.TextReported, TASK, f"{number} " + "x" * 300)
    for child in children:
        os.waitpid(child, 0)
    os.kill(os.getpid(), signal.SIGKILL)
"""
SLOW_COMMITS = {"EVENTLOG_COMMIT_INTERVAL_SECONDS": "1000"}


def leave(home: Path, count: int, sessions: int = 1) -> None:
    """Leave the journals of so many dead sessions."""
    with start(LEAVER, home, count, sessions, env=SLOW_COMMITS) as process:
        assert process.wait() == -signal.SIGKILL


def check_left(home: Path, count: int, sessions: int = 1) -> None:
    found = read_store(home)
    numbers = [number_of(event) for event in events_of(found, events.TextReported)]
    assert numbers == list(range(count)) * sessions
    assert len(events_of(found, events.TaskFailed)) == sessions
    assert len(events_of(found, events.SessionEnded)) == sessions
    assert not list((home / "journals").iterdir())
    assert not verify(home).problems


def test_a_recovery_that_is_killed_is_done_by_the_next(tmp_path: Path) -> None:
    program = """
        import sys
        from pathlib import Path
        from eventlog.store import Store
        Path(sys.argv[2]).touch()
        Store.open(sys.argv[1])
    """
    left = tmp_path / "left"
    leave(left, 20_000)
    for number, instant in instants("recovery", 0.35):
        home, ready = tmp_path / f"home{number}", tmp_path / f"ready{number}"
        shutil.copytree(left, home)
        for attempt in range(3):
            with start(program, home, f"{ready}.{attempt}") as process:
                wait_until(Path(f"{ready}.{attempt}").exists)
                try:
                    process.wait(instant / (attempt + 1))
                except subprocess.TimeoutExpired:
                    process.kill()
        check_left(home, 20_000)
        shutil.rmtree(home)


def test_processes_that_recover_at_once_each_find_everything(tmp_path: Path) -> None:
    program = """
        import sys
        from eventlog.store import Store
        from eventlog.events import TextReported
        from tests.eventlog.processes import chain_of, events_of
        sys.stdin.readline()
        with Store.open(sys.argv[1]) as store:
            print(len(events_of(chain_of(store), TextReported)))
    """
    for sessions in (1, 3):
        home = tmp_path / f"home{sessions}"
        leave(home, 3000, sessions)
        assert len(list((home / "journals").iterdir())) == sessions
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        processes = [start(program, home, **pipes) for _ in range(4)]
        for process in processes:
            process.stdin.write(b"\n")
            process.stdin.flush()
        counts = [process.communicate()[0] for process in processes]
        assert counts == [b"%d\n" % (3000 * sessions)] * 4
        check_left(home, 3000, sessions)
