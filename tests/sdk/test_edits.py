"""What a task is called and what is said of it can be changed, until it is published."""

from collections.abc import Callable

import pytest

from eventlog import Task
from eventlog.errors import InputInvalid

NAMES = {"project_name": "tests/edits", "task_name": "a task"}


def draft(name: str = "a draft") -> Task:
    return Task.create(project_name="tests/edits", task_name=name)


@pytest.fixture
def published() -> Task:
    made = Task.init(**NAMES)
    made.close()
    made.publish()
    return made


@pytest.mark.parametrize(
    "name", ["a/b", "line\nbreak", "n" * 10_000, "../../etc", "数据集", "a\tb", "  spaced  "]
)
def test_names_of_every_kind_are_kept_as_they_are_and_found(name: str) -> None:
    task = draft()
    task.set_name(name)
    task.move_to_project(new_project_name=name)
    found = Task.get_task(project_name=name, task_name=name)
    assert (found.id, found.name, found.get_project_name(), found.project) == (task.id, name, name, name)
    assert (task.name, task.project) == (name, name)
    again = Task.get_task(task.id)
    assert again.name == name
    task.set_comment(name)
    assert again.comment == name


@pytest.mark.parametrize("name", ["", "ab", 7, None, "x\ud800xx", "x" * 100_000])
def test_a_name_that_cannot_be_one_changes_nothing(name: str) -> None:
    task = draft()
    for change in (task.set_name, task.rename, lambda name: task.move_to_project(new_project_name=name)):
        with pytest.raises(InputInvalid) as caught:
            change(name)
        assert "\n" not in str(caught.value)
    assert (Task.get_task(task.id).name, Task.get_task(task.id).project) == ("a draft", "tests/edits")


def test_a_task_is_renamed_moved_and_retyped_under_its_id() -> None:
    task = draft()
    assert task.rename("second") is True
    task.name = "third"
    assert task.move_to_project(new_project_name="elsewhere") is True
    task.set_project(project_id="tests/other")
    task.set_task_type("testing")
    again = Task.get_task(task.id)
    assert (again.name, again.project, again.task_type) == ("third", "tests/other", Task.TaskTypes.testing)
    assert again.task_type == "testing"
    with pytest.raises(InputInvalid, match="new_project_name"):
        task.move_to_project()
    with pytest.raises(InputInvalid, match="choose from training"):
        task.set_task_type("nonsense")


def test_reload_sees_what_others_have_made_of_it() -> None:
    task = draft()
    other = Task.get_task(task.id)
    task.set_name("renamed")
    assert other.name == "a draft"
    other.reload()
    assert other.name == "renamed"


def test_a_renamed_task_is_not_run_again_under_its_old_name() -> None:
    task = Task.init(**NAMES)
    task.set_name("another")
    task.get_logger().report_scalar("a", "b", value=1, iteration=1)
    task.close()
    again = Task.init(**NAMES)
    assert again.id != task.id
    assert Task.get_task(task.id).get_last_iteration() == 1


def test_a_comment_may_be_assigned() -> None:
    task = draft()
    assert task.comment == ""
    task.comment = "one"
    task.set_comment("two\nlines")
    assert Task.get_task(task.id).comment == "two\nlines"
    with pytest.raises(InputInvalid, match="comment"):
        task.set_comment(5)  # type: ignore[arg-type]


def test_a_parent_is_a_task_or_its_id_or_none() -> None:
    task, parent = draft(), draft("the parent")
    assert task.parent is None
    task.set_parent(parent)
    assert task.parent == parent.id
    assert Task.query_tasks(task_filter={"parent": parent.id}) == [task.id]
    task.set_parent(None)
    assert task.parent is None
    task.set_parent(parent.id)
    with pytest.raises(InputInvalid, match="own parent"):
        task.set_parent(task)
    assert task.parent == parent.id


def test_tags_are_added_removed_and_assigned() -> None:
    task = draft()
    task.add_tags("a b c")
    task.remove_tags(["b", "never there"])
    assert task.tags == ["a", "c"]
    task.tags = ["x", "a"]
    assert Task.get_task(task.id).get_tags() == ["a", "x"]
    for broken in (5, [None], [""], {"a": 1}.items()):
        with pytest.raises(InputInvalid):
            task.add_tags(broken)  # type: ignore[arg-type]


def test_archived_is_a_system_tag_that_a_published_task_can_have(published: Task) -> None:
    assert published.get_archived() is False
    published.set_archived(True)
    assert published.get_archived() is True
    assert published.get_system_tags() == [Task.archived_tag] == ["archived"]
    published.set_system_tags(["seen"])
    assert published.get_archived() is False
    published.set_archived(False)
    assert Task.get_task(published.id).get_system_tags() == ["seen"]


def test_an_archived_task_is_not_run_again() -> None:
    task = Task.init(**NAMES)
    task.close()
    task.set_archived(True)
    assert Task.init(**NAMES).id != task.id


@pytest.mark.parametrize(
    "edit",
    [
        lambda task: task.set_name("another"),
        lambda task: task.move_to_project(new_project_name="another"),
        lambda task: task.set_task_type("testing"),
        lambda task: task.set_comment("late"),
        lambda task: task.set_parent(None),
        lambda task: task.add_tags(["late"]),
        lambda task: task.remove_tags(["late"]),
        lambda task: task.set_tags(["late"]),
        lambda task: task.set_progress(5),
        lambda task: task.set_parameters(a=1),
        lambda task: task.set_parameter("a", 1),
        lambda task: task.set_script(branch="main"),
        lambda task: task.set_packages(["numpy"]),
        lambda task: task.set_base_docker(docker_image="python"),
        lambda task: task.mark_started(force=True),
        lambda task: task.mark_stopped(force=True),
        lambda task: task.mark_completed(force=True),
        lambda task: task.mark_failed(force=True),
        lambda task: task.reset(force=True),
        lambda task: Task.import_task({"name": "another"}, task),
        lambda task: task.update_task({"comment": "late"}),
        lambda task: task.upload_artifact("late", {}),
        lambda task: task.get_logger().report_scalar("a", "b", value=1, iteration=1),
        lambda task: task.get_logger().report_text("late", print_console=False),
        lambda task: task.get_logger().report_single_value("late", 1),
    ],
)
def test_a_published_task_is_neither_edited_nor_reported_to_and_the_error_says_so(
    published: Task, edit: Callable[[Task], object]
) -> None:
    before = published.data.last_update
    for task in (published, Task.get_task(published.id)):
        with pytest.raises(InputInvalid, match=r"is published.*(Task\.clone|copy)") as caught:
            edit(task)
        assert "\n" not in str(caught.value)
    assert Task.get_task(published.id).data.last_update == before
    assert published.status == "published"
