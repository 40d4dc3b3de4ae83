"""Task keeps ClearML's names and meaning over the log."""

import threading
from pathlib import Path

import pytest

from eventlog import Logger, Task
from eventlog.errors import InputInvalid, NotFound, StoreInvalid
from eventlog.events import TaskCreated, TaskStarted
from eventlog.sdk.stores import current_views
from eventlog.store import Store
from tests.sdk.scripts import Scripts


def events(task: Task) -> list[str]:
    history = current_views(task._store).events(task.id, reports=False)
    return [type(numbered.event).__name__ for numbered in history]


def test_a_task_begins_with_its_names_and_runs(task: Task, home: Path) -> None:
    assert len(task.id) == 32
    assert int(task.id, 16)
    assert (task.name, task.get_project_name(), task.project) == ("a task", "tests/sdk", "tests/sdk")
    assert (task.task_type, task.status, task.get_status()) == ("training", "in_progress", "in_progress")
    assert (task.comment, task.parent, task.get_tags(), task.get_progress()) == ("", None, [], None)
    assert repr(task) == f"<Task {task.id[:8]} tests/sdk/a task>"
    assert (home / "log" / "data.mdb").exists()


def test_init_appends_only_what_begins_a_task(home: Path) -> None:
    task = Task.init(project_name="tests/sdk", task_name="a task", tags=["b", "a"])
    assert events(task)[:3] == ["TaskCreated", "TagsAdded", "TaskStarted"]
    assert task.get_tags() == ["a", "b"]


@pytest.mark.parametrize("name", ["", "a", "ab", "  ab  ", 7, "x\ud800xx", "x" * 100_000])
def test_a_name_that_cannot_be_one_is_refused_in_one_line_and_begins_nothing(name: str, home: Path) -> None:
    for names in ({"project_name": name, "task_name": "fine"}, {"project_name": "fine", "task_name": name}):
        with pytest.raises(InputInvalid, match="name") as caught:
            Task.init(**names)
        assert "\n" not in str(caught.value)
    assert Task.current_task() is None
    assert not home.exists()


def test_names_of_three_characters_of_any_script_are_fine() -> None:
    task = Task.init(project_name="数据集/一二三", task_name="été")
    assert Task.get_task(project_name="数据集/一二三", task_name="été") is task


def test_long_names_work_throughout() -> None:
    name = "n" * 5000
    task = Task.init(project_name=name, task_name=name)
    task.add_tags([name])
    task.set_parameter(name, 1)
    task.get_logger().report_scalar(name, name, value=1, iteration=1)
    task.upload_artifact(name, {"a": 1})
    task.close()
    found = Task.get_task(project_name=name, task_name=name)
    assert found.id == task.id
    assert found.get_tags() == [name]
    assert found.artifacts[name].get() == {"a": 1}
    assert Path(found.artifacts[name].get_local_copy()).is_file()
    assert found.get_last_scalar_metrics()[name][name]["last"] == 1


def test_a_type_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputInvalid, match="choose from training"):
        Task.init(project_name="tests/sdk", task_name="a task", task_type="nonsense")


@pytest.mark.parametrize("kind", [Task.TaskTypes.testing, "testing"])
def test_a_type_may_be_given_by_name(kind: str) -> None:
    task = Task.init(project_name="tests/sdk", task_name="a task", task_type=kind)
    assert task.task_type == "testing"
    assert Task.get_tasks(task_filter={"type": ["testing"]}) == [task]


def test_init_again_gives_the_current_task(task: Task) -> None:
    assert Task.init(project_name="tests/sdk", task_name="a task") is task
    assert Task.init() is task
    assert Task.current_task() is task
    assert Task.get_task(task.id) is task


@pytest.mark.parametrize(
    "other",
    [
        {"project_name": "tests/sdk", "task_name": "another"},
        {"project_name": "elsewhere", "task_name": "a task"},
        {"task_type": "testing"},
    ],
)
def test_another_task_while_one_is_open_is_refused_and_says_to_close_it(
    task: Task, other: dict[str, str]
) -> None:
    with pytest.raises(InputInvalid, match="close it first"):
        Task.init(**other)
    assert Task.current_task() is task
    assert task.status == "in_progress"


def test_after_close_there_is_no_current_task(task: Task) -> None:
    task.close()
    assert Task.current_task() is None
    assert Logger.current_logger() is None
    assert task.status == "completed"
    task.close()
    assert task.status == "completed"


def test_close_commits_everything(task: Task) -> None:
    for step in range(100):
        task.get_logger().report_scalar("a", "b", value=step, iteration=step)
    task.close()
    session = task._store.record_of(task._store.session.id)
    assert session is not None
    assert session.next >= 100
    assert session.open_tasks == []


def test_what_is_reported_after_close_is_still_kept(task: Task) -> None:
    logger = task.get_logger()
    task.close()
    logger.report_scalar("a", "b", value=1, iteration=1)
    task.set_parameter("late", 1)
    assert task.get_parameters() == {"General/late": "1"}
    assert task.get_last_iteration() == 1
    assert task.status == "completed"


def test_tasks_begun_by_threads_at_once_are_one(home: Path) -> None:
    barrier = threading.Barrier(8)
    found: list[Task] = []

    def begin() -> None:
        barrier.wait()
        found.append(Task.init(project_name="tests/sdk", task_name="a task"))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(task) for task in found}) == 1
    assert len(Task.get_tasks()) == 1


def test_without_names_the_repository_and_the_script_name_them(scripts: Scripts) -> None:
    (scripts.folder / "my-model" / ".git").mkdir(parents=True)
    begin = "from eventlog import Task\nt = Task.init()\nprint(t.project, t.name)\n"
    ran = scripts.run(begin, folder=scripts.folder / "my-model" / "src", name="train.py")
    assert ran.out == "my-model train\n"
    ran = scripts.run(begin, folder=scripts.folder / "no", name="x.py")
    assert ran.out == "Untitled x task\n"


def test_a_name_that_is_assigned_is_an_event(task: Task) -> None:
    task.name = "other"
    assert "TaskRenamed" in events(task)
    assert Task.get_task(project_name="tests/sdk", task_name="other") is task
    with pytest.raises(AttributeError):
        task.id = "0" * 32  # type: ignore[misc]


def test_tags_are_added_and_replaced(task: Task) -> None:
    task.add_tags(["b", "a"])
    task.add_tags("c d")
    assert task.get_tags() == ["a", "b", "c", "d"]
    task.set_tags(["x", "a", "x"])
    assert task.get_tags() == ["a", "x"]
    with pytest.raises(InputInvalid, match="tag"):
        task.add_tags([1])  # type: ignore[list-item]
    with pytest.raises(InputInvalid, match="empty"):
        task.add_tags([" "])


def test_set_parameters_replaces_and_the_others_add(task: Task) -> None:
    task.set_parameters({"Args/epochs": 7, "lr": 0.5})
    assert task.get_parameters() == {"Args/epochs": "7", "General/lr": "0.5"}
    task.set_parameter("lr", 0.7, description="learning rate")
    task.set_parameters_as_dict({"net": {"layers": [1, 2], "drop": {"p": 0.1}}, "seed": 1})
    task.update_parameters({"Args/epochs": 8}, shuffle=True)
    assert task.get_parameters(cast=True) == {
        "Args/epochs": 8,
        "General/lr": 0.7,
        "net/layers": [1, 2],
        "net/drop/p": 0.1,
        "General/seed": 1,
        "General/shuffle": True,
    }
    assert task.get_parameters_as_dict(cast=True)["net"] == {"layers": [1, 2], "drop": {"p": 0.1}}
    task.set_parameters(only=1)
    assert task.get_parameters() == {"General/only": "1"}
    task.set_parameters({})
    assert task.get_parameters() == {}


def test_one_parameter_is_found_by_its_name_with_or_without_its_section(task: Task) -> None:
    task.set_parameters({"lr": 0.5, "Args/lr": 1})
    assert task.get_parameter("lr") == task.get_parameter("General/lr") == "0.5"
    assert task.get_parameter("Args/lr", cast=True) == 1
    assert task.get_parameter("nope") is None
    assert task.get_parameter("nope", default=3) == 3


def test_a_parameter_that_cannot_be_kept_changes_nothing(task: Task) -> None:
    task.set_parameters(a=1)
    for broken in ({"": 1}, {"x/": 1}, {"a": "x" * 100_000}):
        with pytest.raises(InputInvalid):
            task.set_parameters(broken)
    assert task.get_parameters() == {"General/a": "1"}


def test_progress_is_in_percent(task: Task) -> None:
    for given, kept in ((0, 0), (50, 50), (99.9, 99), (100, 100)):
        task.set_progress(given)  # type: ignore[arg-type]
        assert task.get_progress() == kept
    for broken in (-1, 101, float("nan"), "50", None):
        with pytest.raises(InputInvalid, match="progress"):
            task.set_progress(broken)  # type: ignore[arg-type]
    assert task.get_progress() == 100


def test_a_task_of_another_process_can_be_read_and_added_to(scripts: Scripts) -> None:
    ran = scripts.run(
        """
        from eventlog import Task
        task = Task.init(project_name="tests/sdk", task_name="first")
        task.set_parameters(lr=0.5)
        print(task.id)
        """
    )
    first = Task.get_task(ran.out.strip())
    second = Task.init(project_name="tests/sdk", task_name="second")
    assert first.get_parameters() == {"General/lr": "0.5"}
    first.get_logger().report_scalar("test", "accuracy", value=0.9, iteration=1)
    first.add_tags(["tested"])
    first.set_parameter("lr", 0.7)
    second.close()
    assert first.get_parameter("lr") == "0.7"
    assert first.get_last_scalar_metrics()["test"]["accuracy"]["last"] == 0.9
    assert first.get_tags() == ["tested"]
    assert first.status == "completed"
    first.close()
    assert first.status == "completed"


def test_an_edit_orders_after_what_was_seen_even_when_this_clock_is_behind(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine's clock runs ahead: whoever has read its edit edits after it."""
    ahead = 10 * 60 * 1000
    other = task._store.session
    task.set_parameter("lr", 1)
    other.observe(current_views(task._store).task(task.id).changed + ahead)
    task.set_parameter("lr", 2)
    task._store.flush()
    seen = task._state().changed
    other._last_time -= ahead
    assert task.get_parameter("lr") == "2"
    task.set_parameter("lr", 3)
    assert task._state().changed >= seen
    assert task.get_parameter("lr") == "3"


def test_a_task_that_is_not_there_is_named(task: Task) -> None:
    with pytest.raises(NotFound, match="0123"):
        Task.get_task("0123" * 8)
    with pytest.raises(NotFound, match="no project 'tests/nothing'"):
        Task.get_task(project_name="tests/nothing", task_name="a task")
    assert Task.get_task(project_name="tests/sdk", task_name="nothing") is None
    with pytest.raises(InputInvalid, match="task_id"):
        Task.get_task()


def test_without_a_store_there_is_nothing_to_find_and_none_is_made(home: Path) -> None:
    with pytest.raises(NotFound, match="no store"):
        Task.get_tasks()
    assert not home.exists()


def test_a_folder_that_holds_something_else_is_no_store(home: Path) -> None:
    home.mkdir()
    (home / "thesis.txt").write_text("all of it")
    with pytest.raises(StoreInvalid, match=r"thesis\.txt"):
        Task.init(project_name="tests/sdk", task_name="a task")
    assert Task.current_task() is None
    assert (home / "thesis.txt").read_text() == "all of it"


def test_the_data_of_a_run_says_when_and_how_it_ended(task: Task) -> None:
    task.close()
    data = task.data
    assert (data.id, data.name, data.project, data.type, data.status) == (
        task.id,
        "a task",
        "tests/sdk",
        "training",
        "completed",
    )
    assert data.started is not None
    assert data.completed is not None
    assert data.created <= data.started <= data.completed == data.last_update
    assert data.script.packages["msgspec"]


def test_only_whole_events_reach_the_log(task: Task, home: Path) -> None:
    task.close()
    store = Store.open(home)
    kinds = [numbered.event for batch in store.batches(store.id) for numbered in batch.events()]
    assert [type(event) for event in kinds if event.task == task.id][:2] == [TaskCreated, TaskStarted]
    store.close()


def test_a_parameter_is_found_by_a_name_that_utf_8_has_no_form_for(task: Task) -> None:
    task.set_parameter("half \ud800 pair", 1)
    assert task.get_parameters() == {"General/half ? pair": "1"}
    assert task.get_parameter("half \ud800 pair", cast=True) == 1


def test_a_handler_of_a_signal_may_read_while_the_reading_part_is_loaded(scripts: Scripts) -> None:
    """The import is held in its middle until the handler has interrupted it."""
    text = """
    import os, signal, sys, threading
    from eventlog import Task
    task = Task.init(project_name="tests/sdk", task_name="a task")
    task.set_parameter("a", 1)
    begun, handled = threading.Event(), threading.Event()

    class Gate:
        def find_spec(self, name, path=None, target=None):
            if name == "eventlog.projections.views" and not begun.is_set():
                begun.set()
                os.kill(os.getpid(), signal.SIGUSR1)
                handled.wait(60)

    def handler(*_):
        if threading.current_thread() is threading.main_thread():
            handled.set()
            print(task.get_parameters())

    signal.signal(signal.SIGUSR1, handler)
    sys.meta_path.insert(0, Gate())
    print(task.get_parameters())
    """
    assert scripts.run(text).out == "{'General/a': '1'}\n" * 2
