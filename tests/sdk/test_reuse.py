"""A task is run again where ClearML would, and never by two processes at once."""

import json
import os
import signal
from pathlib import Path

import pytest

from eventlog import Task
from eventlog.errors import InputInvalid, NotFound
from eventlog.sdk import last_runs
from tests.sdk.scripts import Scripts, poll

NAMES = {"project_name": "tests/reuse", "task_name": "a task"}

RUN = """
import os, sys, time
from eventlog import Task
task = Task.init(project_name="tests/reuse", task_name="a task")
print(task.id, flush=True)
"""


def run_once(**more: object) -> str:
    task = Task.init(**NAMES, **more)  # type: ignore[arg-type]
    task.close()
    return task.id


def test_the_last_task_is_run_again_and_shows_nothing_of_before() -> None:
    task = Task.init(**NAMES, tags=["kept"])
    task.set_parameters(lr=1)
    task.set_progress(50)
    task.get_logger().report_scalar("a", "b", value=1, iteration=1)
    task.get_logger().report_single_value("c", 1)
    task.close()
    again = Task.init(**NAMES)
    assert again.id == task.id
    assert again is not task
    assert again.get_parameters() == {}
    assert again.get_progress() is None
    assert again.get_reported_scalars() == {}
    assert again.get_reported_single_values() == {}
    assert again.get_tags() == ["kept"]
    assert again.status == "in_progress"
    again.get_logger().report_scalar("a", "b", value=2, iteration=1)
    assert again.get_reported_scalars()["a"]["b"]["y"] == [2.0]
    assert len(Task.get_tasks()) == 1


def test_a_process_runs_the_last_task_of_another_again(scripts: Scripts) -> None:
    first = scripts.run(RUN + "raise ValueError('gone')", code=1).out
    assert scripts.state().status == "failed"
    assert scripts.run(RUN).out == first
    state = scripts.state()
    assert (state.status, state.traceback, state.status_reason) == ("completed", "", "")


def test_a_killed_task_is_run_again(scripts: Scripts) -> None:
    ran = scripts.start(RUN + "time.sleep(60)")
    first = ran.line()
    ran.send(signal.SIGKILL)
    ran.wait()
    assert scripts.run(RUN).out.strip() == first
    assert scripts.state().status == "completed"


@pytest.mark.parametrize(
    "other", [{"project_name": "tests/other"}, {"task_name": "other"}, {"task_type": "testing"}]
)
def test_other_names_are_another_task(other: dict[str, str]) -> None:
    assert run_once() != run_once_as(other)


def run_once_as(other: dict[str, str]) -> str:
    task = Task.init(**{**NAMES, **other})  # type: ignore[arg-type]
    task.close()
    return task.id


def test_a_new_task_can_be_asked_for() -> None:
    first = run_once()
    second = run_once(reuse_last_task_id=False)
    assert second != first
    assert run_once() == second


def test_a_task_with_artifacts_is_not_run_again() -> None:
    task = Task.init(**NAMES)
    task.upload_artifact("a", {"a": 1})
    task.close()
    assert run_once() != task.id
    assert task.artifacts["a"].get() == {"a": 1}


def test_an_artifact_that_another_process_uploads_keeps_the_task_too(scripts: Scripts) -> None:
    first = run_once()
    scripts.run(f"from eventlog import Task\nTask.get_task({first!r}).upload_artifact('a', {{}})")
    assert run_once() != first


def test_a_task_that_ran_too_long_ago_is_not_run_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_once()
    (entry,) = (home / "last_runs").iterdir()
    run = json.loads(entry.read_text())
    hour = 3_600_000
    for age, is_again in ((71, True), (73, False)):
        entry.write_text(json.dumps({**run, "time": run["time"] - age * hour}))
        assert (run_once() == first) is is_again


def test_the_window_is_a_setting(home: Path, monkeypatch: pytest.MonkeyPatch, scripts: Scripts) -> None:
    monkeypatch.setenv("EVENTLOG_TASK_REUSE_TIME_WINDOW_IN_HOURS", "1e-9")
    assert scripts.run(RUN).out != scripts.run(RUN).out


def test_a_task_that_runs_in_another_process_is_never_run_again(scripts: Scripts) -> None:
    ran = scripts.start(RUN + "sys.stdin.read()\ntime.sleep(60)")
    running = ran.line()
    assert scripts.run(RUN).out.strip() != running
    poll(lambda: Task.get_tasks(task_ids=[running]))
    with pytest.raises(InputInvalid, match="running in another process"):
        Task.init(**NAMES, reuse_last_task_id=running)
    assert Task.current_task() is None
    assert ran.process.poll() is None


def test_processes_that_begin_at_once_share_no_task(scripts: Scripts, tmp_path: Path) -> None:
    text = """
    import os, sys, time
    from eventlog import Task
    from eventlog.sdk.stores import open_store
    open_store(create=True)
    print("ready", flush=True)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.0005)
    task = Task.init(project_name="tests/reuse", task_name="a task")
    print(task.id, flush=True)
    while not os.path.exists(sys.argv[1] + "-end"):
        time.sleep(0.01)
    """
    last = scripts.run(RUN).out.strip()
    for round_ in range(3):
        go = tmp_path / f"go-{round_}"
        running = [scripts.start(text, str(go), name=f"{number}.py") for number in range(6)]
        assert [script.line() for script in running] == ["ready"] * 6
        go.touch()
        ids = [script.line() for script in running]
        assert len(set(ids)) == 6
        assert last in ids
        (tmp_path / f"go-{round_}-end").touch()
        assert [script.wait() for script in running] == [0] * 6
        last = scripts.run(RUN).out.strip()
        assert last in ids


def test_an_id_says_which_task_to_run_again() -> None:
    first = run_once()
    second = run_once(reuse_last_task_id=False)
    assert run_once(reuse_last_task_id=first) == first
    assert second in [task.id for task in Task.get_tasks()]
    assert run_once() == first


def test_an_id_that_cannot_be_run_again_says_why() -> None:
    with pytest.raises(NotFound, match="no task"):
        Task.init(**NAMES, reuse_last_task_id="0" * 32)
    first = run_once()
    with pytest.raises(InputInvalid, match=r"is 'tests/reuse/a task', not 'tests/reuse/other'"):
        Task.init(project_name="tests/reuse", task_name="other", reuse_last_task_id=first)
    assert Task.current_task() is None
    assert len(Task.get_tasks()) == 1


def test_a_task_with_artifacts_is_not_run_again_even_by_its_id() -> None:
    task = Task.init(**NAMES)
    task.upload_artifact("a", {})
    task.close()
    assert run_once(reuse_last_task_id=task.id) != task.id


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\0" * 50,
        b'{"task": 5}',
        b'{"task": "a", "session": "zz", "time": 1e99}',
        os.urandom(5000),
    ],
)
def test_a_damaged_note_costs_nothing_but_the_reuse(home: Path, damage: bytes) -> None:
    first = run_once()
    (entry,) = (home / "last_runs").iterdir()
    entry.write_bytes(damage)
    second = run_once()
    assert second != first
    assert run_once() == second


def test_the_notes_may_be_deleted_at_any_time(home: Path) -> None:
    first = run_once()
    for entry in (home / "last_runs").iterdir():
        entry.unlink()
    (home / "last_runs").rmdir()
    assert run_once() != first


def test_old_notes_are_swept_once_there_are_many(home: Path) -> None:
    run_once()
    folder = home / "last_runs"
    for number in range(600):
        path = folder / f"{number:032x}"
        path.write_text("{}")
        os.utime(path, (1_000_000, 1_000_000))
    run_once_as({"task_name": "another"})
    assert len(list(folder.iterdir())) == 2


def test_a_process_that_was_stopped_while_choosing_holds_no_other_up_for_long(
    home: Path, scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_once()
    text = """
    import fcntl, sys, time
    file = open(sys.argv[1])
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(600)
    """
    (entry,) = (home / "last_runs").iterdir()
    holder = scripts.start(text, str(entry))
    assert holder.line() == "held"
    monkeypatch.setattr(last_runs, "_LOCK_SECONDS", 0.05)
    assert run_once() != first
