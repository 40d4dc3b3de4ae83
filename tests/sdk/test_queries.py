"""Tasks are found by ClearML's filters."""

from collections.abc import Mapping
from typing import Any

import pytest

from eventlog import Task
from eventlog.errors import InputInvalid


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
    return made


def names(**query: Any) -> list[str]:
    return [f"{task.project}/{task.name}" for task in Task.get_tasks(**query)]


MLP, WIDER, CNN, WORDS = (
    "digits/mlp/baseline",
    "digits/mlp/wider",
    "digits/cnn/baseline",
    "words/baseline c++ (old)",
)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [WORDS, CNN, WIDER, MLP]),
        ({"project_name": "digits/mlp"}, [WIDER, MLP]),
        ({"project_name": "digits"}, [CNN, WIDER, MLP]),
        ({"project_name": "^digits/c"}, [CNN]),
        ({"project_name": ["words", "mlp$"]}, [WORDS, WIDER, MLP]),
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
        ({"task_filter": {"status": ["completed"]}}, [CNN, WIDER, MLP]),
        ({"task_filter": {"status": ["in_progress", "failed"]}}, [WORDS]),
        ({"task_filter": {"status": ["-completed"]}}, [WORDS]),
        ({"task_filter": {"type": ["testing"]}}, [CNN]),
        ({"task_filter": {"tags": ["wide", "-best"]}}, [WIDER]),
        ({"task_filter": {"system_tags": ["-archived"]}}, [WORDS, CNN, WIDER, MLP]),
        ({"task_filter": {"system_tags": ["archived"]}}, []),
        ({"task_filter": {"search_text": "WIDE"}}, [CNN, WIDER]),
        ({"task_filter": {"search_text": r"c\+\+"}}, [WORDS]),
        ({"task_filter": {"order_by": ["created"]}}, [MLP, WIDER, CNN, WORDS]),
        ({"task_filter": {"order_by": ["-name"], "project": ["digits/mlp"]}}, [WIDER, MLP]),
        ({"task_filter": {"page_size": 2}}, [WORDS, CNN]),
        ({"task_filter": {"page_size": 2, "page": 1}}, [WIDER, MLP]),
        ({"task_filter": {"status": None}}, [WORDS, CNN, WIDER, MLP]),
        ({"task_ids": []}, []),
    ],
)
def test_the_filters_of_the_reference_find_their_tasks(query: dict[str, Any], found: list[str]) -> None:
    assert names(**query) == found


def test_ids_beat_names_and_unknown_ones_are_passed_over(tasks: Mapping[str, Task]) -> None:
    ids = [tasks[WIDER].id, "0" * 32]
    assert names(task_ids=ids, project_name="words", task_name="nothing") == [WIDER]


@pytest.mark.parametrize(
    "query",
    [
        {"task_filter": {"colour": "red"}},
        {"task_filter": {"order_by": ["colour"]}},
        {"task_filter": {"order_by": ["name", "created"]}},
        {"task_filter": {"page_size": 0}},
        {"task_filter": {"page": "1"}},
        {"task_filter": {"status": 5}},
        {"task_filter": {"search_text": 5}},
        {"tags": [5]},
        {"tags": ["a", "__$all", "b"]},
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
