"""Several processes add to one task; whoever only adds never ends it."""

import os

import pytest

from eventlog import Task
from eventlog.errors import InputInvalid, NotFound
from eventlog.sdk.overrides import overridden
from tests.sdk.scripts import Scripts

NAMES = {"project_name": "tests/processes", "task_name": "a task"}

ADD = """
import sys
from eventlog import Task
task = Task.init(project_name="tests/other", task_name="other", tags=["added"])
task.get_logger().report_scalar("a", sys.argv[1], value=1, iteration=int(sys.argv[2]))
task.set_parameter(sys.argv[1], sys.argv[2])
print(task.id, task.name, Task.running_locally(), flush=True)
"""


@pytest.fixture(autouse=True)
def no_given_task(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set, to be put back at the end: a test may set it by itself.
    monkeypatch.setenv("EVENTLOG_TASK_ID", "")


def test_a_draft_is_started_and_ended_by_the_process_that_is_given_it(scripts: Scripts) -> None:
    draft = Task.create(**NAMES, packages=["numpy"], binary="python3")
    draft.set_parameters(lr=1)
    ran = scripts.start(ADD, "x", "3", environment={"EVENTLOG_TASK_ID": draft.id})
    assert ran.wait() == 0, ran.err
    assert ran.out == f"{draft.id} a task False\n"
    assert draft.status == "completed"
    assert draft.get_parameters() == {"General/lr": "1", "General/x": "3"}
    assert draft.get_tags() == ["added"]
    assert draft.get_requirements() == {"pip": "numpy"}
    script = draft.data.script
    assert (script.entry_point, script.binary) == ("script.py", "python3")


def test_a_running_task_is_added_to_and_not_ended(scripts: Scripts) -> None:
    task = Task.init(**NAMES)
    running = [
        scripts.start(ADD, name, "3", name=f"{name}.py", environment={"EVENTLOG_TASK_ID": task.id})
        for name in "xyz"
    ]
    for script in running:
        assert script.wait() == 0, script.err
        assert script.out == f"{task.id} a task False\n"
    assert task.status == "in_progress"
    assert set(task.get_reported_scalars()["a"]) == {"x", "y", "z"}
    assert set(task.get_parameters()) == {"General/x", "General/y", "General/z"}
    # What is recorded of the code is that of the process that runs it.
    task.close()
    assert "x.py" not in task.data.script.entry_point


@pytest.mark.parametrize("end", ["raise ValueError()", "import os; os._exit(1)", "os.kill(os.getpid(), 9)"])
def test_however_a_process_that_only_adds_ends_the_task_goes_on(scripts: Scripts, end: str) -> None:
    task = Task.init(**NAMES)
    added = scripts.start("import os\n" + ADD + end, "x", "3", environment={"EVENTLOG_TASK_ID": task.id})
    assert added.wait() != 0
    assert task.status == "in_progress"
    assert task.get_parameters() == {"General/x": "3"}


def test_a_second_job_goes_on_with_a_task_that_has_ended(scripts: Scripts) -> None:
    task = Task.init(**NAMES)
    task.get_logger().report_scalar("a", "x", value=1, iteration=1)
    task.upload_artifact("kept", {"a": 1})
    task.close()
    ran = scripts.start(ADD + "raise ValueError('no')", "y", "2", environment={"EVENTLOG_TASK_ID": task.id})
    assert ran.wait() == 1
    assert (task.status, task.get_status_message()[1]) == ("failed", "ValueError: no")
    assert set(task.get_reported_scalars()["a"]) == {"x", "y"}
    assert task.artifacts["kept"].get() == {"a": 1}
    # It still has what must not be hidden.
    assert Task.init(**NAMES).id != task.id


def test_of_processes_that_are_given_a_draft_at_once_one_ends_it(scripts: Scripts) -> None:
    draft = Task.create(**NAMES)
    go = scripts.folder / "go"
    text = ADD + "import os, time\nwhile not os.path.exists(sys.argv[3]):\n    time.sleep(0.01)\n"
    running = [
        scripts.start(text, name, "1", str(go), name=f"{name}.py", environment={"EVENTLOG_TASK_ID": draft.id})
        for name in "abcd"
    ]
    for script in running:
        assert script.line().startswith(draft.id)
    store_events = _kinds(draft)
    assert store_events.count("TaskStarted") == 1
    go.touch()
    assert [script.wait() for script in running] == [0] * 4
    assert _kinds(draft).count("TaskCompleted") == 1
    assert set(draft.get_parameters()) == {f"General/{name}" for name in "abcd"}


def _kinds(task: Task) -> list[str]:
    from eventlog.sdk.stores import current_views

    history = current_views(task._store).events(task.id, reports=False)
    return [type(numbered.event).__name__ for numbered in history]


def test_a_given_task_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Task.create(**NAMES)
    monkeypatch.setenv("EVENTLOG_TASK_ID", "0" * 32)
    with pytest.raises(NotFound, match="0" * 32):
        Task.init(**NAMES)
    assert Task.current_task() is None


def test_a_published_task_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task.create(**NAMES)
    task.mark_completed()
    task.publish()
    monkeypatch.setenv("EVENTLOG_TASK_ID", task.id)
    with pytest.raises(InputInvalid, match=r"published.*Task\.clone"):
        Task.init(**NAMES)
    assert task.status == "published"


def test_whether_stored_values_win_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = Task.create(**NAMES)
    monkeypatch.setenv("EVENTLOG_TASK_ID", f" {draft.id} ")
    task = Task.init(project_name="whatever", task_name="whatever")
    assert (task.id, task.name) == (draft.id, "a task")
    assert Task.init(project_name="more", task_name="names") is task
    assert overridden()
    assert not Task.running_locally()
    task.close()
    monkeypatch.setenv("EVENTLOG_TASK_ID", "")
    Task.init(**NAMES)
    assert not overridden()
    assert Task.running_locally()


def test_a_remote_run_can_be_simulated() -> None:
    draft = Task.create(**NAMES)
    Task.debug_simulate_remote_task(draft.id)
    assert os.environ["EVENTLOG_TASK_ID"] == draft.id
    task = Task.init(project_name="whatever", task_name="whatever")
    assert task.id == draft.id
    assert task.execute_remotely("a queue") is None


# What a process leaves to those that it starts.

CHILD = """
import subprocess, sys
from eventlog import Task
if len(sys.argv) == 1:
    task = Task.init(project_name="tests/processes", task_name="parent")
    print(task.id, flush=True)
    assert subprocess.run([sys.executable, __file__, "child"]).returncode == 0
    assert task.status == "in_progress"
    task.close()
    assert subprocess.run([sys.executable, __file__, "after"]).returncode == 0
else:
    task = Task.init(project_name="tests/processes", task_name=sys.argv[1])
    task.set_parameter(sys.argv[1], 1)
    print(task.id, task.name, Task.running_locally(), flush=True)
"""


def test_what_a_script_starts_adds_to_its_task_as_long_as_it_is_open(scripts: Scripts) -> None:
    lines = scripts.run(CHILD).out.splitlines()
    task = Task.get_task(lines[0])
    assert lines[1] == f"{task.id} parent True"
    assert not lines[2].startswith(task.id)
    assert lines[2].endswith(" after True")
    assert task.get_parameters() == {"General/child": "1"}
    assert task.status == "completed"


def test_children_of_multiprocessing_add_to_the_task_of_their_parent(scripts: Scripts) -> None:
    ran = scripts.run(
        """
        import multiprocessing
        from eventlog import Task

        def work(number):
            task = Task.init(project_name="tests/processes", task_name="parent")
            task.get_logger().report_scalar("rank", str(number), value=number, iteration=1)
            return task.id

        if __name__ == "__main__":
            task = Task.init(project_name="tests/processes", task_name="parent")
            for method in ("spawn", "fork"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    assert set(pool.map(work, range(3))) == {task.id}
            assert task.status == "in_progress"
            print(task.id)
        """
    )
    task = Task.get_task(ran.out.strip())
    assert task.status == "completed"
    assert set(task.get_reported_scalars()["rank"]) == {"0", "1", "2"}
    assert len(Task.get_tasks()) == 1


# Going on with the last task.


def test_the_last_task_goes_on_after_its_last_iteration() -> None:
    task = Task.init(**NAMES)
    task.set_parameters(lr=1)
    task.upload_artifact("kept", {})
    for step in range(11):
        task.get_logger().report_scalar("a", "b", value=step, iteration=step)
    task.close()
    again = Task.init(**NAMES, continue_last_task=True)
    assert again.id == task.id
    assert again.get_initial_iteration() == 11
    for step in range(3):
        again.get_logger().report_scalar("a", "b", value=step, iteration=step)
    assert again.get_last_iteration() == 13
    assert again.get_parameters() == {"General/lr": "1"}
    assert set(again.artifacts) == {"kept"}
    again.close()
    assert again.status == "completed"
    assert Task.init(**NAMES).id != task.id


@pytest.mark.parametrize(("given", "offset"), [(0, 0), (100, 100), (True, 6)])
def test_a_number_says_what_is_added_to_iterations(given: int, offset: int) -> None:
    task = Task.init(**NAMES)
    task.get_logger().report_scalar("a", "b", value=1, iteration=5)
    task.close()
    again = Task.init(**NAMES, continue_last_task=given)
    assert (again.id, again.get_initial_iteration()) == (task.id, offset)
    assert again.set_initial_iteration(7) == 7 == again.get_initial_iteration()


def test_what_has_reported_nothing_goes_on_at_the_beginning() -> None:
    Task.init(**NAMES).close()
    assert Task.init(**NAMES, continue_last_task=True).get_initial_iteration() == 0


def test_an_id_says_which_task_goes_on() -> None:
    first = Task.init(**NAMES)
    first.close()
    Task.init(**NAMES, reuse_last_task_id=False).close()
    for more in (
        {"continue_last_task": first.id},
        {"continue_last_task": True, "reuse_last_task_id": first.id},
    ):
        task = Task.init(**NAMES, **more)  # type: ignore[arg-type]
        assert task.id == first.id
        task.close()
    with pytest.raises(NotFound):
        Task.init(**NAMES, continue_last_task="0" * 32)


def test_without_a_note_the_log_knows_the_last_task_and_without_any_a_new_one_begins() -> None:
    task = Task.create(**NAMES)
    task.mark_stopped(force=True)
    # It has not run.
    Task.create(**NAMES)
    assert Task.init(**NAMES, continue_last_task=True).id == task.id
    Task.current_task().close()  # type: ignore[union-attr]
    other = Task.init(project_name="tests/processes", task_name="new", continue_last_task=True)
    assert other.id != task.id
    other.close()
    task.publish()
    assert Task.init(**NAMES, continue_last_task=True).id != task.id


def test_a_task_that_runs_in_another_process_is_added_to(scripts: Scripts) -> None:
    running = scripts.start(
        """
        import time
        from eventlog import Task
        task = Task.init(project_name="tests/processes", task_name="a task")
        task.flush()
        print(task.id, flush=True)
        time.sleep(600)
        """
    )
    running_id = running.line()
    task = Task.init(**NAMES, continue_last_task=True)
    assert task.id == running_id
    task.set_parameter("added", 1)
    task.close()
    assert Task.current_task() is None
    assert task.status == "in_progress"


def test_a_logger_of_a_task_that_runs_elsewhere_adds_to_it(scripts: Scripts) -> None:
    task = Task.init(**NAMES)
    task.flush()
    scripts.run(
        f"""
        from eventlog import Task
        logger = Task.get_task({task.id!r}).get_logger()
        for step in range(100):
            logger.report_scalar("test", "accuracy", value=step, iteration=step)
        """
    )
    assert task.get_last_scalar_metrics()["test"]["accuracy"]["last"] == 99
    assert task.status == "in_progress"


FUNCTION = """
import sys
from eventlog import Task

def train(lr, steps):
    print("training", lr * 2, steps + 1, Task.current_task().name, flush=True)

task = Task.init(project_name="tests/processes", task_name="main")
other = task.create_function_task(print, func_name="other", unused=1)
draft = task.create_function_task(train, task_name="train it", lr=0.5, steps=3)
print(draft.id, draft.status, draft.name, draft.parent == task.id, other.name)
"""


def test_a_function_is_a_draft_that_calls_it_where_it_is_run(scripts: Scripts) -> None:
    draft_id, *rest = scripts.run(FUNCTION).out.split(" ", 1)
    assert rest == ["created train it True main other\n"]
    draft = Task.get_task(draft_id)
    assert draft.get_parameters(cast=True) == {"Function/lr": 0.5, "Function/steps": 3}
    draft.set_parameter("Function/lr", 0.7)
    ran = scripts.start(FUNCTION, environment={"EVENTLOG_TASK_ID": draft_id})
    assert ran.wait() == 0, ran.err
    assert ran.out == "training 1.4 4 train it\n"
    assert draft.status == "completed"


def test_what_is_no_function_of_the_script_makes_no_draft() -> None:
    task = Task.init(**NAMES)
    for broken in (5, lambda: None):
        with pytest.raises(InputInvalid):
            task.create_function_task(broken)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match="too short"):
        task.create_function_task(print, task_name="x")
    with pytest.raises(InputInvalid, match=r"Task\.init"):
        Task.create(**NAMES).create_function_task(print)
    assert len(Task.get_tasks()) == 2
