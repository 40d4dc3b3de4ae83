"""User properties are taken in every form that ClearML documents, with their types, and are deleted."""

from typing import Any

import pytest

from eventlog.errors import InputInvalid
from eventlog.sdk.task import Task


@pytest.mark.parametrize(
    ("iterables", "properties", "values"),
    [
        (
            (),
            {"backbone": "great", "stable": True, "n": 5},
            {"backbone": "great", "stable": "True", "n": "5"},
        ),
        ((), {"a": {"type": int, "description": "d", "value": "3"}}, {"a": "3"}),
        (({"a": "1", "b": {"value": 2, "description": "d"}},), {}, {"a": "1", "b": "2"}),
        (({"name": "backbone", "description": "network type", "value": "great"},), {}, {"backbone": "great"}),
        (({"name": "a", "value": 1}, {"name": "b", "value": True}), {}, {"a": "1", "b": "True"}),
        (([{"name": "a", "value": 1}, {"name": "b", "value": 2}],), {}, {"a": "1", "b": "2"}),
        ((iter([{"name": "a", "value": 1}]),), {}, {"a": "1"}),
        (
            ({"a": 1}, [{"name": "b", "value": 2}], ("c", 3)),
            {"d": 4},
            {"a": "1", "b": "2", "c": "3", "d": "4"},
        ),
        (({"name": "x", "value": "y", "other": 1},), {}, {"name": "x", "value": "y", "other": "1"}),
        (({"name": "Erik"},), {}, {"name": "Erik"}),
        ((), {"none": None, "list": [1, 2]}, {"none": "None", "list": "[1, 2]"}),
        ((), {}, {}),
    ],
    ids=range(12),
)
def test_every_form_is_taken(
    task: Task, iterables: tuple[Any, ...], properties: dict[str, Any], values: dict[str, str]
) -> None:
    assert task.set_user_properties(*iterables, **properties) is True
    assert task.get_user_properties(value_only=True) == values


def test_types_and_descriptions_are_kept_and_others_stay(task: Task) -> None:
    task.set_user_properties({"a": {"value": "3", "type": int, "description": "number"}}, b=0.5)
    task.set_user_properties(b="x")
    assert task.get_user_properties() == {
        "a": {"section": "properties", "name": "a", "value": "3", "type": "int", "description": "number"},
        "b": {"section": "properties", "name": "b", "value": "x", "type": "str", "description": ""},
    }


def test_properties_are_no_parameters_and_may_be_set_at_any_time(task: Task) -> None:
    task.set_user_properties(a=1)
    task.set_parameters({"b": 2})
    task.close()
    done = Task.get_task(task_id=task.id)
    done.set_user_properties(c=3)
    assert done.get_user_properties(value_only=True) == {"a": "1", "c": "3"}
    assert done.get_parameters() == {"General/b": "2"}
    done.publish()
    done.set_user_properties(d=4)
    done.delete_user_properties("a")
    assert done.get_user_properties(value_only=True) == {"c": "3", "d": "4"}


def test_properties_are_deleted_by_name_pair_or_dictionary(task: Task) -> None:
    task.set_user_properties({str(n): n for n in range(6)})
    task.set_parameters({"Args/x": 1, "Args/y": 2})
    assert task.delete_user_properties("0", ("properties", "1"), {"section": "properties", "name": "2"})
    assert task.delete_user_properties([("properties", "3"), {"name": "4"}], ["not here"], ("Args", "x"))
    assert task.get_user_properties(value_only=True) == {"5": "5"}
    assert task.get_parameters() == {"Args/y": "2"}


class Speechless:
    def __repr__(self) -> str:
        raise RuntimeError("half made")


@pytest.mark.parametrize(
    "given",
    [
        "text",
        5,
        None,
        [{"value": 1}],
        [{"name": "a"}],
        {"value": 1},
        {"": 1},
        {5: 1},
        {"a": Speechless()},
        {"a": "x" * (1 << 20)},
        ["a"],
    ],
    ids=range(11),
)
def test_what_is_no_property_is_refused_in_one_line(task: Task, given: Any) -> None:
    with pytest.raises(InputInvalid, match=r"^.*$"):
        task.set_user_properties(given, good=1)
    assert task.get_user_properties() == {}


@pytest.mark.parametrize("given", [5, None, {"section": "properties"}, [5], ("properties", "")])
def test_what_names_no_property_is_not_deleted(task: Task, given: Any) -> None:
    with pytest.raises(InputInvalid, match=r"^.*$"):
        task.delete_user_properties(given)
