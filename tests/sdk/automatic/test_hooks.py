"""Hooks change nothing for whoever calls a library, whatever happens behind them."""

import copy
import logging
import pickle
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from eventlog.sdk.automatic import listening
from eventlog.sdk.automatic.hooks import Call, after
from eventlog.sdk.task import Task


class Library(types.ModuleType):
    """A module with functions to be hooked."""


@pytest.fixture
def library() -> Iterator[Any]:
    made: Any = Library("a_library")
    source = """
class Model:
    def save(self, path, *, fails=False):
        if fails:
            raise OSError("no room")
        return ("saved", path)
    @classmethod
    def load(cls, path):
        return cls.__name__, path
    @staticmethod
    def check(path):
        return path
def dump(thing, path):
    return Model().save(path)
"""
    sys.modules["a_library"] = made
    exec(source, made.__dict__)
    yield made
    del sys.modules["a_library"]


@pytest.fixture(autouse=True)
def nothing_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_warned", set())


def test_a_hook_hears_what_a_function_was_given_and_returned(library: Any, task: Task) -> None:
    heard: list[Call] = []
    after(library.Model, "save", "pytorch", lambda task, call: heard.append(call))
    model = library.Model()
    assert model.save("a.pt") == ("saved", "a.pt")
    assert library.Model.save(model, path="b.pt") == ("saved", "b.pt")
    assert [(call.instance, call.argument(0, "path"), call.result) for call in heard] == [
        (model, "a.pt", ("saved", "a.pt")),
        (model, "b.pt", ("saved", "b.pt")),
    ]


def test_class_and_static_methods_stay_what_they_are(library: Any, task: Task) -> None:
    heard: list[Call] = []
    for name in ("load", "check"):
        after(library.Model, name, "pytorch", lambda task, call: heard.append(call))

    class Own(library.Model):  # type: ignore[misc, name-defined]
        pass

    assert Own.load("a") == ("Own", "a")
    assert Own().check("b") == Own.check("b") == "b"
    assert len(heard) == 3


def test_what_a_function_raises_is_raised_and_not_recorded(library: Any, task: Task) -> None:
    heard: list[Call] = []
    after(library.Model, "save", "pytorch", lambda task, call: heard.append(call))
    with pytest.raises(OSError, match="no room"):
        library.Model().save("a.pt", fails=True)
    assert heard == []


def test_a_hook_that_fails_warns_once_and_the_script_goes_on(
    library: Any, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(task: Task, call: Call) -> None:
        raise ValueError("cannot\nbe read")

    after(library.Model, "save", "pytorch", fail)
    with caplog.at_level(logging.WARNING, "eventlog"):
        assert [library.Model().save("a.pt")[0] for _ in range(3)] == ["saved"] * 3
    (record,) = caplog.records
    assert (
        "what pytorch does could not be recorded; the script goes on (ValueError: cannot)"
        in record.getMessage()
    )


def test_a_function_called_by_another_of_its_group_is_not_heard_again(library: Any, task: Task) -> None:
    heard: list[str] = []
    after(library, "dump", "joblib", lambda task, call: heard.append("dump"), group="models")
    after(library.Model, "save", "pytorch", lambda task, call: heard.append("save"), group="models")
    library.dump(1, "a")
    library.Model().save("a")
    assert heard == ["dump", "save"]


def test_without_a_task_nothing_is_heard(library: Any) -> None:
    heard: list[Call] = []
    after(library.Model, "save", "pytorch", lambda task, call: heard.append(call))
    assert library.Model().save("a") == ("saved", "a")
    assert heard == []


def test_hooked_functions_are_pickled_and_copied_as_functions_are(library: Any, task: Task) -> None:
    after(library, "dump", "joblib", lambda task, call: None)
    after(library.Model, "save", "pytorch", lambda task, call: None)
    assert pickle.loads(pickle.dumps(library.dump)) is library.dump
    assert copy.deepcopy(library.dump) is library.dump
    bound = pickle.loads(pickle.dumps(library.Model().save))
    assert bound("a") == ("saved", "a")
    assert isinstance(library.dump, types.FunctionType)


def test_a_function_that_is_not_there_is_passed_over(library: Any) -> None:
    after(library, "no_such", "joblib", lambda task, call: None)
    assert not hasattr(library, "no_such")


def test_a_function_of_several_names_stays_one(library: Any, task: Task) -> None:
    heard: list[Call] = []
    facade: Any = Library("a_facade")
    sys.modules["a_facade"] = facade
    facade.dump = library.dump
    try:
        after(facade, "dump", "joblib", lambda task, call: heard.append(call))
        assert facade.dump is library.dump
        assert pickle.loads(pickle.dumps(library.dump)) is library.dump
        assert library.dump(1, "a") == ("saved", "a")
    finally:
        del sys.modules["a_facade"]
    assert len(heard) == 1


def test_methods_are_pickled_by_their_class(library: Any, task: Task) -> None:
    after(library.Model, "save", "pytorch", lambda task, call: None)
    save = pickle.loads(pickle.dumps(library.Model.save))
    assert save(library.Model(), "a") == ("saved", "a")


def test_what_a_library_warns_of_is_said_to_be_where_the_script_calls_it(library: Any) -> None:
    def save(path: str) -> None:
        warnings.warn("it is old", DeprecationWarning, stacklevel=2)

    library.warn = save
    after(library, "warn", "pytorch", lambda task, call: None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        library.warn("a")
    assert [warning.filename for warning in caught] == [__file__]
