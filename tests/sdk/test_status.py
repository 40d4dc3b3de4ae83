"""How far a task has got is told by its process, by hand, and by other processes; and can be waited for."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import Task
from eventlog.errors import InputInvalid, NotFound, StatusUnexpected
from tests.sdk.scripts import Scripts, poll

NAMES = {"project_name": "tests/status", "task_name": "a task"}

WAIT = """
import time
from eventlog import Task
task = Task.init(project_name="tests/status", task_name="a task")
task.flush()
print(task.id, flush=True)
while True:
    time.sleep(0.1)
"""


def draft() -> Task:
    return Task.create(**NAMES)


def test_a_task_may_be_run_by_hand() -> None:
    task = draft()
    task.mark_started()
    assert (task.status, task.get_status()) == ("in_progress", "in_progress")
    task.get_logger().report_scalar("a", "b", value=1, iteration=1)
    task.mark_completed(status_message="all went well")
    assert task.get_status_message() == ("completed", "all went well")
    assert Task.current_task() is None
    data = task.data
    assert data.started is not None
    assert data.completed is not None
    assert data.status_changed == data.completed
    assert data.active_duration == 0


@pytest.mark.parametrize(
    ("end", "status", "message"),
    [
        (lambda task: task.mark_stopped(status_message="enough"), "stopped", "enough"),
        (lambda task: task.stopped(status_reason="why", status_message="more"), "stopped", "more"),
        (lambda task: task.mark_failed(status_reason="why"), "failed", "why"),
        (lambda task: task.mark_failed(status_reason="why", status_message="more"), "failed", "more"),
        (lambda task: task.mark_completed(), "completed", None),
        (lambda task: task.completed(), "completed", None),
        (lambda task: task.close(), "completed", None),
    ],
)
def test_the_process_that_runs_a_task_may_say_how_it_ended(
    task: Task, end: Callable[[Task], None], status: str, message: str | None
) -> None:
    end(task)
    assert task.get_status_message() == (status, message)
    task.close()
    assert task.status == status
    assert Task.current_task() is None


def test_what_has_ended_is_the_current_task_until_it_is_closed(scripts: Scripts) -> None:
    """As with ClearML: a script that goes on reporting has somebody to report to."""
    scripts.run(
        """
        from eventlog import Logger, Task
        task = Task.init("tests/status", "a task")
        task.mark_completed()
        Logger.current_logger().report_scalar("a", "b", value=1, iteration=1)
        assert Task.current_task() is task
        assert Task.init("tests/status", "a task") is task
        again = Task.init("tests/status", "another")
        assert Task.current_task() is again
        again.mark_failed()
        again.close()
        assert Task.current_task() is None
        """
    )
    first, second = scripts.states()
    assert (first.name, first.status, second.name, second.status) == (
        "a task",
        "completed",
        "another",
        "failed",
    )
    assert Task.get_task(first.id).get_reported_scalars() == {"a": {"b": {"x": [1], "y": [1.0]}}}


def test_what_has_ended_changes_only_by_force() -> None:
    task = draft()
    task.mark_completed()
    with pytest.raises(InputInvalid, match="force=True"):
        task.mark_stopped()
    with pytest.raises(InputInvalid, match="force=True"):
        task.mark_started()
    task.mark_completed()
    task.mark_stopped(force=True)
    assert task.status == "stopped"
    task.mark_started()
    assert task.status == "in_progress"
    task.started()
    task.mark_completed()
    task.mark_started(force=True)
    assert task.data.completed is None


def test_only_what_has_ended_can_be_published(task: Task) -> None:
    for unended in (task, draft()):
        with pytest.raises(InputInvalid, match="only what has ended"):
            unended.publish()
    logger = task.get_logger()
    logger.report_scalar("a", "b", value=1, iteration=1)
    task.close()
    task.publish()
    task.mark_published()
    assert task.status == "published"
    assert task.data.published is not None
    with pytest.raises(InputInvalid, match="is published"):
        logger.report_scalar("a", "b", value=2, iteration=2)
    assert Task.get_tasks(task_filter={"status": ["published"]})[0].id == task.id


def test_a_task_may_be_published_on_completion() -> None:
    task = Task.init(**NAMES)
    task.publish_on_completion()
    task.close()
    assert task.status == "published"
    second = Task.init(**NAMES)
    assert second.id != task.id
    second.publish_on_completion()
    second.mark_failed()
    assert second.status == "failed"
    with pytest.raises(InputInvalid, match="not run by this process"):
        second.publish_on_completion()


def test_a_reset_task_is_a_draft_again() -> None:
    task = Task.init(**NAMES)
    task.set_parameters(lr=1)
    task.add_tags("kept")
    task.get_logger().report_scalar("a", "b", value=1, iteration=1)
    other = Task.get_task(task.id)
    task.reset()
    assert (task.status, task.get_last_iteration()) == ("in_progress", 0)
    assert (other.get_tags(), other.get_parameters()) == (["kept"], {"General/lr": "1"})
    task.close()
    task.reset()
    assert task.status == "created"
    task.reset(set_started_on_success=True)
    assert task.status == "in_progress"


def test_a_task_that_runs_elsewhere_is_reset_only_by_force(scripts: Scripts) -> None:
    running = scripts.start(WAIT)
    task = Task.get_task(running.line())
    with pytest.raises(InputInvalid, match="runs in another process"):
        task.reset()
    task.reset(force=True)
    assert task.status == "created"


def test_a_deleted_task_is_found_no_more_and_not_run_again() -> None:
    task = Task.init(**NAMES)
    task.upload_artifact("a", {})
    assert task.delete() is False
    with pytest.raises(InputInvalid, match="stop it before"):
        task.delete(raise_on_error=True)
    task.close()
    asked: list[tuple[str, str]] = []

    def callback(kind: str, url: str) -> bool:
        asked.append((kind, url[:5]))
        return True

    assert task.delete(callback=callback) is True
    assert asked == [("artifact", "blob:")]
    for look in (lambda: Task.get_task(task.id), lambda: task.status, lambda: task.set_comment("late")):
        with pytest.raises(NotFound, match="was deleted"):
            look()
    assert Task.get_tasks() == []
    assert Task.init(**NAMES).id != task.id


def test_what_a_deleted_task_has_put_elsewhere_goes_with_it_unless_it_is_to_stay(tmp_path: Path) -> None:
    for stays in (True, False):
        task = Task.init(**NAMES, output_uri=str(tmp_path / "there"))
        task.upload_artifact("a", {"a": 1}, wait_on_upload=True)
        task.close()
        copies = [path for path in (tmp_path / "there").rglob("*") if path.is_file()]
        assert len(copies) == 1
        assert task.delete(delete_artifacts_and_models=not stays) is True
        assert copies[0].exists() is stays
        copies[0].unlink(missing_ok=True)


def test_a_deleted_task_takes_its_models_along_but_not_those_that_others_read(tmp_path: Path) -> None:
    from eventlog import InputModel, Model, OutputModel

    task = Task.init(**NAMES)
    made = []
    for name in ("used", "unused"):
        (tmp_path / name).write_text(name)
        model = OutputModel(task=task, name=name)
        model.update_weights(str(tmp_path / name), auto_delete_file=False)
        made.append(model.id)
    task.close()
    reader = Task.init(project_name="tests/status", task_name="reader")
    reader.connect(InputModel(model_id=made[0]))
    reader.close()
    assert task.delete() is True
    assert [model.id for model in Model.query_models(project_name="tests/status")] == [made[0]]


def test_waiting_ends_when_another_thread_ends_the_task() -> None:
    task = draft()
    task.mark_started()
    other = Task.get_task(task.id)
    thread = threading.Timer(0.05, other.mark_completed)
    thread.start()
    task.wait_for_status(check_interval_sec=0.01)
    assert task.status == "completed"
    thread.join()


def test_waiting_ends_when_another_process_ends_the_task(scripts: Scripts, tmp_path: Path) -> None:
    running = scripts.start(
        """
        import os, sys, time
        from eventlog import Task
        task = Task.init(project_name="tests/status", task_name="elsewhere")
        task.flush()
        print(task.id, flush=True)
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.01)
        """,
        str(tmp_path / "go"),
    )
    task = Task.get_task(running.line())
    with pytest.raises(StatusUnexpected, match="is in_progress after"):
        task.wait_for_status(check_interval_sec=0.01, timeout_sec=0.05)
    (tmp_path / "go").touch()
    task.wait_for_status(["completed"], check_interval_sec=0.01, timeout_sec=60)
    assert running.wait() == 0


def test_waiting_for_what_has_failed_is_an_error() -> None:
    task = draft()
    task.mark_failed(status_reason="no memory left")
    with pytest.raises(RuntimeError, match=r"is failed \(no memory left\)"):
        task.wait_for_status()
    task.wait_for_status("failed", raise_on_status=None)
    task.wait_for_status(status=[Task.TaskStatusEnum.failed], raise_on_status=())
    task.mark_completed(force=True)
    task.publish()
    task.wait_for_status()
    for broken in ({"status": "nonsense"}, {"status": 5}, {"check_interval_sec": -1}, {"timeout_sec": "x"}):
        with pytest.raises(InputInvalid):
            task.wait_for_status(**broken)  # type: ignore[arg-type]


def waiting(more: str = "") -> str:
    return WAIT.replace("task.flush()", f"{more}\ntask.flush()")


def test_a_task_that_is_asked_to_stop_stops_with_its_process(scripts: Scripts) -> None:
    running = scripts.start(WAIT)
    task = Task.get_task(running.line())
    task.mark_stop_request(status_message="the disk is needed")
    assert running.wait() == -15
    assert task.get_status_message() == ("stopped", "it was asked to stop")
    assert task.get_system_tags() == []
    with pytest.raises(InputInvalid, match="does not run"):
        task.stop_request()


def test_a_task_may_ask_itself_to_stop(scripts: Scripts) -> None:
    running = scripts.start(waiting("task.mark_stop_request()"))
    task_id = running.line()
    assert running.wait() == -15
    assert Task.get_task(task_id).status == "stopped"


def test_the_abort_callback_is_called_before_the_process_ends(scripts: Scripts) -> None:
    running = scripts.start(
        waiting(
            "def save():\n    task.set_parameter('saved', True)\n    print('saved', flush=True)\n"
            "task.register_abort_callback(save)"
        )
    )
    task = Task.get_task(running.line())
    task.mark_stop_request()
    assert running.line() == "saved"
    assert running.wait() == -15
    assert task.status == "stopped"
    assert task.get_parameters() == {"General/saved": "True"}


def test_a_callback_that_hangs_or_raises_holds_nothing_up(scripts: Scripts) -> None:
    for body in ("time.sleep(60)", "1 / 0"):
        running = scripts.start(
            waiting(f"task.register_abort_callback(lambda: {body}, callback_execution_timeout=0.1)")
        )
        task = Task.get_task(running.line())
        task.mark_stop_request()
        assert running.wait() == -15
        assert task.status == "stopped"


def test_a_callback_is_registered_where_the_task_runs(task: Task) -> None:
    task.register_abort_callback(lambda: None)
    task.register_abort_callback(None)
    with pytest.raises(InputInvalid, match="must be a function"):
        task.register_abort_callback(5)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match="not run by this process"):
        draft().register_abort_callback(lambda: None)


@pytest.mark.parametrize(("call", "status"), [("mark_completed", "completed"), ("mark_failed", "failed")])
def test_a_task_that_is_ended_from_elsewhere_keeps_that_end_and_its_process_ends(
    scripts: Scripts, call: str, status: str
) -> None:
    running = scripts.start(WAIT)
    task = Task.get_task(running.line())
    getattr(task, call)(status_message="from elsewhere")
    assert running.wait() == -15
    assert task.get_status_message() == (status, "from elsewhere")


def test_a_request_from_before_a_run_does_not_stop_it(scripts: Scripts) -> None:
    task = Task.init(**NAMES)
    task.close()
    task.mark_stop_request(force=True)
    again = Task.init(**NAMES)
    assert again.id == task.id
    watch = again._run.watch  # type: ignore[union-attr]
    assert watch is not None
    assert poll(lambda: watch._look() is None)
    assert again.status == "in_progress"
