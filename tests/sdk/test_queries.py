"""Tasks are found by ClearML's filters."""

from collections.abc import Mapping
from typing import Any

import pytest

from eventlog import Task
from eventlog.clock import wall_clock
from eventlog.errors import InputInvalid
from tests.sdk.scripts import poll


@pytest.fixture(autouse=True)
def tasks() -> dict[str, Task]:
    """Four tasks, the last one open."""
    made = {}
    for project, name, kind, tags in (
        ("digits/mlp", "baseline", "training", ["best", "small"]),
        ("digits/mlp", "wider", "training", ["wide"]),
        ("digits/cnn", "baseline", "testing", ["best", "wide"]),
        ("words", "baseline c++ (old)", "training", []),
    ):
        task = Task.init(project_name=project, task_name=name, task_type=kind, tags=tags)
        made[f"{project}/{name}"] = task
        if project != "words":
            task.close()
            # Of two that change in one millisecond, neither is the last.
            closed = wall_clock()
            poll(lambda closed=closed: wall_clock() > closed)
    return made


def names(**query: Any) -> list[str]:
    return [f"{task.project}/{task.name}" for task in Task.get_tasks(**query)]


MLP, WIDER, CNN, WORDS = (
    "digits/mlp/baseline",
    "digits/mlp/wider",
    "digits/cnn/baseline",
    "words/baseline c++ (old)",
)


# Each a query, and the tasks that it finds.
FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, [WORDS, CNN, WIDER, MLP]),
    ({"project_name": "digits/mlp"}, [WIDER, MLP]),
    ({"project_name": "digits"}, [CNN, WIDER, MLP]),
    ({"project_name": "^digits/c"}, [CNN]),
    ({"project_name": ["words", "mlp$"]}, [WORDS, WIDER, MLP]),
    ({"project_name": "digit"}, [CNN, WIDER, MLP]),
    ({"task_name": "base"}, [WORDS, CNN, MLP]),
    ({"task_name": "^baseline$"}, [CNN, MLP]),
    ({"project_name": "digits", "task_name": "wider"}, [WIDER]),
    ({"tags": ["best"]}, [CNN, MLP]),
    ({"tags": ["best", "wide"]}, [CNN, WIDER, MLP]),
    ({"tags": ["best", "-wide"]}, [MLP]),
    ({"tags": ["-best"]}, [WORDS, WIDER]),
    ({"tags": ["__$all", "best", "wide"]}, [CNN]),
    ({"tags": ["__$and", "best", "__$not", "wide"]}, [MLP]),
    ({"tags": ["__$or", "small", "wide"]}, [CNN, WIDER, MLP]),
    ({"tags": []}, [WORDS, CNN, WIDER, MLP]),
    ({"tags": ["__$not", "best"]}, [WORDS, WIDER]),
    ({"tags": ["__$all", "best", "__$or", "small", "wide"]}, [CNN, MLP]),
    ({"tags": ["__$all", "best", "__$or", "small", "__$not", "wide"]}, [MLP]),
    ({"tags": ["__$or", "wide", "__$not", "best"]}, [WORDS, CNN, WIDER]),
    ({"tags": ["wide", "__$all", "best"]}, [CNN]),
    ({"tags": ["wide"], "task_filter": {"tags": ["small"]}}, [CNN, WIDER, MLP]),
    ({"task_filter": {"status": ["completed"]}}, [CNN, WIDER, MLP]),
    ({"task_filter": {"status": ["in_progress", "failed"]}}, [WORDS]),
    ({"task_filter": {"status": ["-completed"]}}, [WORDS]),
    ({"task_filter": {"type": ["testing"]}}, [CNN]),
    ({"task_filter": {"tags": ["wide", "-best"]}}, [WIDER]),
    ({"task_filter": {"system_tags": ["-archived"]}}, [WORDS, CNN, WIDER, MLP]),
    ({"task_filter": {"system_tags": ["archived"]}}, []),
    ({"allow_archived": False}, [WORDS, CNN, WIDER, MLP]),
    ({"task_filter": {"search_text": "WIDE"}}, [CNN, WIDER]),
    ({"task_filter": {"search_text": r"c\+\+"}}, [WORDS]),
    ({"task_filter": {"order_by": ["created"]}}, [MLP, WIDER, CNN, WORDS]),
    ({"task_filter": {"order_by": ["-name"], "project": ["digits/mlp"]}}, [WIDER, MLP]),
    ({"task_filter": {"order_by": ["name", "-project"]}}, [MLP, CNN, WORDS, WIDER]),
    ({"task_filter": {"order_by": ["-status_reason", "name"], "page_size": 1, "page": 1}}, [MLP]),
    ({"task_filter": {"project": ["digits"]}}, []),
    ({"task_filter": {"project": ["digits"], "include_subprojects": True}}, [CNN, WIDER, MLP]),
    ({"task_filter": {"name": "^wid"}}, [WIDER]),
    ({"task_filter": {"parent": ""}}, [WORDS, CNN, WIDER, MLP]),
    ({"task_filter": {"parent": "0" * 32}}, []),
    ({"task_filter": {"user": ["nobody at all"]}}, []),
    ({"task_filter": {"_any_": {"fields": ["comment", "name"], "pattern": "WID"}}}, [WIDER]),
    ({"task_filter": {"_all_": {"fields": ["project", "name"], "pattern": "wi|ts/m"}}}, [WIDER]),
    ({"task_filter": {"_any_": {"fields": ["tags"], "pattern": "small"}}}, [MLP]),
    ({"task_filter": {"_any_": {"fields": ["no.such.field"], "pattern": "a"}}}, []),
    ({"task_filter": {"created": [">=2020-01-01"]}}, [WORDS, CNN, WIDER, MLP]),
    ({"task_filter": {"created": ["<1600000000"]}}, []),
    ({"task_filter": {"completed": [">2020-01-01T00:00:00+00:00"]}}, [CNN, WIDER, MLP]),
    ({"task_filter": {"status_changed": [">2020-01-01"], "page_size": 1}}, [WORDS]),
    ({"task_filter": {"only_fields": ["id"], "search_hidden": True}}, [WORDS, CNN, WIDER, MLP]),
    ({"task_filter": {"page_size": 2}}, [WORDS, CNN]),
    ({"task_filter": {"page_size": 2, "page": 1}}, [WIDER, MLP]),
    ({"task_filter": {"status": None}}, [WORDS, CNN, WIDER, MLP]),
    ({"task_ids": []}, []),
]


def test_the_filters_of_the_reference_find_their_tasks() -> None:
    # The same four tasks will do for all of them.
    assert [(query, names(**query)) for query, _ in FILTERS] == FILTERS


def test_ids_beat_names_and_unknown_ones_are_passed_over(tasks: Mapping[str, Task]) -> None:
    ids = [tasks[WIDER].id, "0" * 32]
    assert names(task_ids=ids, project_name="words", task_name="nothing") == [WIDER]


@pytest.mark.parametrize(
    "query",
    [
        {"task_filter": {"colour": "red"}},
        {"task_filter": {"order_by": ["colour"]}},
        {"task_filter": {"order_by": ["name", "colour"]}},
        {"task_filter": {"order_by": ["_store"]}},
        {"task_filter": {"order_by": 5}},
        {"task_filter": {"_any_": {"fields": ["name"]}}},
        {"task_filter": {"_any_": {"fields": ["name"], "pattern": "["}}},
        {"task_filter": {"_all_": "name"}},
        {"task_filter": {"created": ["yesterday"]}},
        {"task_filter": ["status"]},
        {"task_name": 5},
        {"task_filter": {"page_size": 0}},
        {"task_filter": {"page": "1"}},
        {"task_filter": {"status": 5}},
        {"task_filter": {"search_text": 5}},
        {"tags": [5]},
        {"task_name": "(", "project_name": None},
        {"project_name": "*"},
        {"task_filter": {"search_text": "["}},
    ],
)
def test_a_question_that_cannot_be_understood_is_refused_in_one_line(query: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid) as caught:
        Task.get_tasks(**query)
    assert "\n" not in str(caught.value)


def test_get_task_takes_names_as_they_are_and_gives_the_last_modified(tasks: Mapping[str, Task]) -> None:
    assert Task.get_task(project_name="words", task_name="baseline c++ (old)") is tasks[WORDS]
    assert Task.get_task(task_name="baseline").id == tasks[CNN].id
    tasks[MLP].set_parameter("a", 1)
    assert Task.get_task(task_name="baseline").id == tasks[MLP].id
    assert Task.get_task(task_name="baseline", tags=["-small"]).id == tasks[CNN].id
    assert Task.get_task(project_name="digits/mlp", task_filter={"status": ["completed"]}).id == tasks[MLP].id


def test_get_task_says_none_where_the_project_has_no_such_task_and_raises_where_there_is_no_project() -> None:
    assert Task.get_task(project_name="digits/mlp", task_name="nothing") is None
    assert Task.get_task(project_name="digits", task_name="nothing") is None
    assert Task.get_by_name("nothing") is None
    with pytest.raises(ValueError, match="no project 'letters'"):
        Task.get_task(project_name="letters", task_name="nothing")


def test_an_archived_task_is_found_where_it_is_asked_for(tasks: Mapping[str, Task]) -> None:
    tasks[CNN].set_archived(True)
    assert names(task_filter={"system_tags": ["archived"]}) == [CNN]
    assert names(task_filter={"system_tags": ["-archived"]}) == [WORDS, WIDER, MLP]
    assert names(allow_archived=False, task_name="^baseline$") == [MLP]
    assert names(allow_archived=False, task_filter={"system_tags": ["__$all", "archived", "x"]}) == []
    # It was the last changed one, and is meant only where there is no other.
    assert Task.get_task(task_name="baseline").id == tasks[MLP].id
    assert Task.get_task(project_name="digits/cnn", task_name="baseline").id == tasks[CNN].id
    assert Task.get_task(project_name="digits/cnn", task_name="baseline", allow_archived=False) is None


def test_a_project_of_that_very_name_is_meant_before_those_it_occurs_in() -> None:
    Task.create(project_name="digits", task_name="on top")
    assert names(project_name="digits") == ["digits/on top"]
    assert names(project_name="digits/") == [CNN, WIDER, MLP]


def test_query_tasks_gives_ids_or_fields(tasks: Mapping[str, Task]) -> None:
    assert Task.query_tasks(project_name="digits/mlp") == [tasks[WIDER].id, tasks[MLP].id]
    tasks[WIDER].set_parameter("Args/lr", 0.5)
    (found,) = Task.query_tasks(
        task_name="wider",
        additional_return_fields=["name", "status", "hyperparams.Args.lr.value", "last_update", "no.such"],
    )
    assert found == {
        "id": tasks[WIDER].id,
        "name": "wider",
        "status": "completed",
        "hyperparams.Args.lr.value": "0.5",
        "last_update": tasks[WIDER].data.last_update,
        "no.such": None,
    }


def test_query_tasks_gives_all_of_them_and_get_tasks_pages() -> None:
    for number in range(510):
        Task.create(project_name="many", task_name=f"number {number:03}")
    assert len(Task.query_tasks(project_name="many")) == 510
    assert len(Task.get_tasks(project_name="many")) == 500
    second = Task.get_tasks(project_name="many", task_filter={"page": 1, "order_by": ["name"]})
    assert [task.name for task in second] == [f"number {number}" for number in range(500, 510)]


def test_get_all_answers_as_clearml_does(tasks: Mapping[str, Task]) -> None:
    found = Task.get_all(status=["completed"], order_by=["name"]).response.tasks
    assert [data.name for data in found] == ["baseline", "baseline", "wider"]
    with pytest.raises(InputInvalid, match="colour"):
        Task.get_all(colour="red")


def test_projects_are_those_of_tasks_and_those_above_them() -> None:
    assert [(one.name, one.id, one.tasks) for one in Task.get_projects(order_by=["name"])] == [
        ("digits", "digits", 3),
        ("digits/cnn", "digits/cnn", 1),
        ("digits/mlp", "digits/mlp", 2),
        ("words", "words", 1),
    ]
    assert Task.get_projects()[-1].name == "words"
    assert [one.name for one in Task.get_projects(name="^digits/", order_by=["-name"], page_size=1)] == [
        "digits/mlp"
    ]
    assert Task.get_project_id("digits") == "digits"
    assert Task.get_project_id("letters") is None
    project = Task.get_task(task_name="wider").get_project_object()
    assert (project.name, project.basename, project.tasks) == ("digits/mlp", "mlp", 2)
    with pytest.raises(InputInvalid, match="colour"):
        Task.get_projects(colour="red")


def test_a_status_that_there_is_not_is_named(tasks: dict[str, Task]) -> None:
    with pytest.raises(InputInvalid, match=r"no status 'done'.*completed"):
        Task.get_tasks(task_filter={"status": ["done"]})
    assert Task.get_tasks(task_filter={"status": ["queued"]}) == []
