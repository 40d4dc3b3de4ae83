"""What a script connects is recorded, with what becomes of it, and nothing of the script changes."""

import argparse
import collections
import copy
import dataclasses
import enum
import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

from eventlog.errors import InputInvalid
from eventlog.events import ParametersSet
from eventlog.sdk.stores import current_views
from eventlog.sdk.task import Task
from eventlog.sdk.task_parameters_object import TaskParameters, param, percent_param
from tests.sdk.scripts import Scripts


class Person:
    species = "human"

    def __init__(self, name: str, age: int) -> None:
        self.name = name
        self.age = age
        self._secret = "x"
        self.tastes = {"colour": "red"}

    def older(self) -> None:
        self.age += 1


@dataclasses.dataclass
class Settings:
    rate: float = 0.1
    layers: list[int] = dataclasses.field(default_factory=lambda: [1, 2])


@dataclasses.dataclass(frozen=True)
class Frozen:
    rate: float = 0.1


class Slotted:
    __slots__ = ("rate",)

    def __init__(self) -> None:
        self.rate = 0.1


class Speechless:
    def __repr__(self) -> str:
        raise RuntimeError("half made")


class Colour(enum.Enum):
    RED = 1
    GREEN = "g"


def events(task: Task) -> list[dict[str, str]]:
    """What each event about parameters set, in order."""
    views = current_views(task._store)
    return [
        {name: parameter.value for name, parameter in numbered.event.parameters.items()}
        for numbered in views.events(task.id)
        if isinstance(numbered.event, ParametersSet)
    ]


def test_a_nested_dictionary_is_one_event_by_section_and_name(task: Task) -> None:
    task.connect({"lr": 0.5, "net": {"depth": 3, "more": {}}, "a.b": 1, "c/d": 2, 5: "five"})
    assert events(task) == [
        {
            "General/lr": "0.5",
            "General/net/depth": "3",
            "General/net/more": "{}",
            "General/a.b": "1",
            "General/c/d": "2",
            "General/5": "five",
        }
    ]
    task.connect({"lr": 1}, name="Other")
    assert task.get_parameter("Other/lr", cast=True) == 1


def test_each_change_of_a_connected_dictionary_is_one_event_of_what_changed(task: Task) -> None:
    given = {"a": 1, "n": {"x": 1, "m": {"y": 2}}, "same": 0}
    connected = task.connect(given)
    connected["a"] = 2
    connected["a"] = 2
    connected["n"]["m"]["y"] = 3
    connected["new"] = {"k": 1}
    connected["new"]["k"] = 2
    connected.update({"a": 4, "b": 5}, c=6)
    connected |= {"d": 7}
    assert connected.setdefault("e", 8) == 8
    assert connected.setdefault("e", 9) == 8
    assert events(task)[1:] == [
        {"General/a": "2"},
        {"General/n/m/y": "3"},
        {"General/new/k": "1"},
        {"General/new/k": "2"},
        {"General/a": "4", "General/b": "5", "General/c": "6"},
        {"General/d": "7"},
        {"General/e": "8"},
    ]
    assert given == {"a": 1, "n": {"x": 1, "m": {"y": 2}}, "same": 0}


def test_what_is_taken_out_of_a_connected_dictionary_was_a_parameter(task: Task) -> None:
    connected = task.connect({"a": 1, "b": 2, "c": 3})
    del connected["a"]
    assert connected.pop("b") == 2
    connected.clear()
    assert connected == {}
    assert task.get_parameters() == {"General/a": "1", "General/b": "2", "General/c": "3"}


def test_a_connected_dictionary_is_a_dictionary_and_its_copies_are_plain(task: Task) -> None:
    connected = task.connect({"a": 1, "n": {"x": [1]}})
    assert isinstance(connected, dict)
    assert connected == {"a": 1, "n": {"x": [1]}}
    assert json.loads(json.dumps(connected)) == connected
    assert {**connected} == connected
    for made in (
        connected.copy(),
        copy.copy(connected),
        copy.deepcopy(connected),
        pickle.loads(pickle.dumps(connected)),
    ):
        assert type(made) is dict
        assert made == connected
    deep = copy.deepcopy(connected)
    deep["n"]["x"].append(2)
    assert connected["n"]["x"] == [1]


def test_a_list_that_changes_inside_is_recorded_at_the_next_look(task: Task) -> None:
    connected = task.connect({"layers": [1]})
    connected["layers"].append(2)
    task.flush()
    assert events(task)[1:] == [{"General/layers": "[1, 2]"}]


def test_changes_of_the_dictionary_that_was_given_are_recorded_too(task: Task) -> None:
    given = {"a": 1, "n": {"x": 1}}
    task.connect(given)
    given["a"] = 2
    given["n"]["x"] = 3
    assert task.get_parameters(cast=True) == {"General/a": 2, "General/n/x": 3}


def test_what_changed_before_the_end_of_a_script_is_recorded(scripts: Scripts) -> None:
    scripts.run(
        """
        from eventlog import Task
        task = Task.init(project_name="tests", task_name="changes")
        given = {"layers": [1]}
        task.connect(given)
        given["layers"].append(2)
        """
    )
    state = scripts.state()
    assert state.status == "completed"
    assert state.parameters["General/layers"].value == "[1, 2]"


def test_an_objects_own_public_attributes_are_recorded_as_they_change(task: Task) -> None:
    me = Person("Erik", 5)
    assert task.connect(me) is me
    me.age = 6
    me.older()
    me.height = 1.5  # type: ignore[attr-defined]
    me._secret = "y"
    assert events(task) == [
        {"General/name": "Erik", "General/age": "5", "General/tastes/colour": "red"},
        {"General/age": "6"},
        {"General/age": "7"},
        {"General/height": "1.5"},
    ]
    me.tastes["colour"] = "blue"
    task.flush()
    assert events(task)[4:] == [{"General/tastes/colour": "blue"}]
    assert vars(me) == {
        "name": "Erik",
        "age": 7,
        "height": 1.5,
        "_secret": "y",
        "tastes": {"colour": "blue"},
    }


def test_a_connected_object_stays_what_it_was(task: Task) -> None:
    mine, other = Settings(), Settings()
    task.connect(mine)
    assert type(mine) is Settings
    assert mine == other
    mine.rate = other.rate = 0.5
    assert mine == other
    assert type(pickle.loads(pickle.dumps(mine))) is Settings
    assert copy.deepcopy(mine) == mine
    assert events(task)[1:] == [{"General/rate": "0.5"}]


class Upper:
    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value.upper())


class Lower(Upper):
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, f"{value}!")


def test_setters_of_a_class_and_of_those_it_inherits_from_go_on_working(task: Task) -> None:
    upper, lower = Upper(), Lower()
    upper.a = "a"
    lower.a = "a"
    task.connect(upper, name="upper")
    task.connect(lower, name="lower")
    upper.a = "b"
    lower.a = "b"
    Lower().a = "c"
    assert (upper.a, lower.a) == ("B", "B!")
    assert task.get_parameters() == {"upper/a": "B", "lower/a": "B!"}


def test_classes_dataclasses_namespaces_and_slots_are_connected(task: Task) -> None:
    task.connect(Person, name="class")
    task.connect(Settings(), name="dataclass")
    task.connect(Frozen(), name="frozen")
    task.connect(Slotted(), name="slots")
    task.connect(argparse.Namespace(a=1, b=None), name="namespace")
    assert task.get_parameters(cast=True) == {
        "class/species": "human",
        "dataclass/rate": 0.1,
        "dataclass/layers": [1, 2],
        "frozen/rate": 0.1,
        "slots/rate": 0.1,
        "namespace/a": 1,
        "namespace/b": None,
    }


def test_a_class_that_changes_is_recorded_at_the_next_look(task: Task) -> None:
    class Options:
        rate = 0.1

    assert task.connect(Options) is Options
    Options.rate = 0.2
    assert task.get_parameter("rate") == "0.2"


@pytest.mark.parametrize("thing", [None, 5, "x", [1], (1,), {1}, len, json], ids=repr)
def test_what_has_no_parameters_is_refused(task: Task, thing: Any) -> None:
    with pytest.raises(InputInvalid, match=r"^Task\.connect takes a dictionary.*$"):
        task.connect(thing)


def test_a_dictionary_that_contains_itself_is_refused_and_untouched(task: Task) -> None:
    given: dict[str, Any] = {"a": 1}
    given["self"] = given
    with pytest.raises(InputInvalid, match="contains itself"):
        task.connect(given)
    assert given["self"] is given
    assert len(given) == 2
    task.connect({"one": {"x": 1}, "two": {"x": 1}})


def test_what_cannot_be_recorded_is_left_out_with_one_warning(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"ok": 1, "bad": Speechless(), "huge": "x" * (3 << 20), Speechless(): 1, "": 2, "last": 3}
    connected = task.connect(given)
    assert dict(connected) == given
    assert task.get_parameters() == {"General/ok": "1", "General/last": "3"}
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(messages) == 2
    assert all("does not record" in message and "\n" not in message for message in messages)
    connected["ok"] = Speechless()
    assert task.get_parameter("ok") == "1"
    thing = Person("x", 1)
    thing.age = Speechless()  # type: ignore[assignment]
    task.connect(thing, name="object")
    assert task.get_parameter("object/name") == "x"


def test_an_attribute_that_is_set_after_the_end_of_the_task_is_set_all_the_same(task: Task) -> None:
    me = Person("Erik", 5)
    connected = task.connect({"a": 1})
    task.connect(me)
    task.close()
    me.age = 6
    connected["a"] = 2
    assert (me.age, connected["a"]) == (6, 2)


def test_a_parser_records_defaults_what_is_given_and_what_it_parses_later(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["script.py", "--n", "5"])
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=0.1, help="the learning rate")
    parser.add_argument("--n", type=int)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--layers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--path", type=Path)
    assert task.connect(parser) is parser
    assert task.get_parameters(cast=True) == {
        "Args/rate": 0.1,
        "Args/n": 5,
        "Args/fast": False,
        "Args/layers": [1, 2],
        "Args/path": None,
    }
    assert task._state().parameters["Args/rate"].description == "the learning rate"
    found = parser.parse_args(["--rate", "0.5", "--n", "5", "--fast"])
    assert (found.rate, found.n, found.fast) == (0.5, 5, True)
    assert events(task)[1:] == [{"Args/rate": "0.5", "Args/fast": "True"}]
    assert task._state().parameters["Args/rate"].description == "the learning rate"


def test_a_parser_whose_arguments_are_wrong_is_not_stopped_by_connecting(
    task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("needed")
    parser.add_argument("--n", type=int, default=3)
    for arguments in (["--n", "x"], ["-h"], []):
        monkeypatch.setattr("sys.argv", ["script.py", *arguments])
        task.connect(parser)
    assert task.get_parameter("Args/n") == "3"
    assert capsys.readouterr() == ("", "")
    with pytest.raises(SystemExit):
        parser.parse_args(["--n", "x"])


def test_copies_and_children_of_a_connected_parser_parse_as_it_does(task: Task) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1)
    task.connect(parser)
    assert type(parser).__name__ == "ArgumentParser"
    assert copy.deepcopy(parser).parse_args(["--n", "3"]).n == 3
    assert task.get_parameter("Args/n") == "3"
    assert parser.parse_intermixed_args(["--n", "4"]).n == 4
    assert task.get_parameter("Args/n") == "4"
    child = argparse.ArgumentParser(parents=[parser], conflict_handler="resolve")
    assert child.parse_args([]).n == 1


def test_commands_of_a_parser_are_arguments_too(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["script.py", "train", "--epochs", "4"])
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("train").add_argument("--epochs", type=int, default=3)
    task.connect(parser)
    assert task.get_parameters(cast=True) == {"Args/command": "train", "Args/epochs": 4}


class Training(TaskParameters):
    epochs = param(type=int, desc="passes over the data", range=(1, 100), default=10)
    dropout = percent_param(default=0.5)
    name = param(type=str, default=None)


def test_task_parameters_are_checked_connected_and_described(task: Task) -> None:
    training = Training(20, name="x")
    assert repr(training) == "Training(epochs=20, dropout=0.5, name='x')"
    assert task.connect(training) is training
    training.update_from_dict({"epochs": 30})
    assert task.get_parameters(cast=True) == {
        "General/epochs": 30,
        "General/dropout": 0.5,
        "General/name": "x",
    }
    assert task._state().parameters["General/epochs"].description == "passes over the data"
    assert training == Training(30, 0.5, "x")
    assert training.connect(task) is training


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "range"),
        ({"epochs": 101}, "range"),
        ({"epochs": "x"}, "must be int"),
        ({"dropout": 1.5}, "range"),
        ({"other": 1}, "no parameter other"),
    ],
)
def test_task_parameters_refuse_what_they_are_not_made_for(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputInvalid, match=message):
        Training(**arguments)
    with pytest.raises(InputInvalid, match="unknown key"):
        Training().update_from_dict({"other": 1})


CLONE = """
import argparse, collections, dataclasses, enum, json, sys
from pathlib import Path
from eventlog import Task, TaskParameters
from eventlog.task_parameters import param

class Colour(enum.Enum):
    RED = 1
    GREEN = 2

@dataclasses.dataclass(frozen=True)
class Frozen:
    n: int = 1
    rate: float = 0.1

class Given(TaskParameters):
    n = param(type=int, default=1)

Pair = collections.namedtuple("Pair", "x y")

task = Task.init(project_name="tests", task_name="clone")
own = {"int": 1, "float": 0.5, "bool": True, "list": [1], "tuple": (1,), "pair": Pair(1, 2), "none": None,
       "text": "old", "wrong": 3, "colour": Colour.RED, "path": Path("/old"), "dict": {}, "new": 1,
       "nested": {"a": 1, "b": 2}, "gone": 5}
connected = task.connect(own)
expected = {"int": 5, "float": 2.0, "bool": False, "list": [3, 4], "tuple": (5, 6), "pair": Pair(7, 8),
            "none": 7, "text": "9", "wrong": 3, "colour": Colour.GREEN, "path": Path("/new"),
            "dict": {"k": 1}, "new": 1, "nested": {"a": 9, "b": 2}, "gone": None}
assert own == connected == expected, (own, connected)
assert type(own["pair"]) is Pair
connected["int"] = 100
connected["nested"]["a"] = 100
connected["new"] = 2
assert (connected["int"], connected["nested"]["a"], connected["new"]) == (5, 9, 2)
frozen = task.connect(Frozen(), name="frozen")
assert (frozen.n, frozen.rate) == (5, 0.1), frozen
assert task.connect(Given(), name="given").n == 7
class Options:
    n = 1
assert task.connect(Options, name="frozen").n == 5
assert task.connect({"int": 1}, name="mine", ignore_remote_overrides=True) == {"int": 1}

sys.argv = ["script.py", "--rate", "0.3"]
parser = argparse.ArgumentParser()
parser.add_argument("needed")
parser.add_argument("--rate", type=float, default=0.1)
parser.add_argument("--n", type=int, required=True)
parser.add_argument("--fast", action="store_true")
parser.add_argument("--layers", nargs="+", type=int)
parser.add_argument("--more", default="m")
task.connect(parser)
print(json.dumps(vars(parser.parse_args())))
"""


def test_a_task_that_is_run_by_its_id_gives_its_stored_values_to_the_code(scripts: Scripts) -> None:
    made = scripts.run(
        """
        from eventlog import Task
        task = Task.create(project_name="tests", task_name="draft")
        task.set_parameters({"int": "5", "float": 2, "bool": "False", "list": "[3, 4]", "tuple": "[5, 6]",
            "pair": "[7, 8]", "none": 7, "text": 9, "wrong": "xx", "colour": "GREEN", "path": "/new",
            "dict": '{"k": 1}', "General/nested/a": "9", "gone": None, "frozen/n": "5", "given/n": "7",
            "mine/int": 3, "Args/needed": "stored", "Args/rate": "0.7", "Args/n": "9", "Args/fast": "True",
            "Args/layers": "[4, 5]"})
        print(task.id)
        """,
        name="make.py",
    )
    task_id = made.out.strip()
    script = scripts.start(CLONE, environment={"EVENTLOG_TASK_ID": task_id})
    assert script.wait() == 0, script.err
    assert json.loads(script.out) == {
        "needed": "stored",
        "rate": 0.7,
        "n": 9,
        "fast": True,
        "layers": [4, 5],
        "more": "m",
    }
    assert "parameter General/wrong is stored in the task, but 'xx' is no int" in script.err
    state = scripts.state()
    values = {name: parameter.value for name, parameter in state.parameters.items()}
    assert values["General/int"] == "5"
    assert values["General/new"] == "2"
    assert values["General/nested/b"] == "2"
    assert values["mine/int"] == "1"
    assert values["Args/more"] == "m"
    assert "General/dict/k" not in values


def test_types_and_descriptions_stay_when_a_value_is_set_again(task: Task) -> None:
    task.set_parameter("rate", 0.1, description="how fast")
    task.update_parameters({"rate": "0.5"})
    task.set_parameters({"rate": 5})
    kept = task._state().parameters["General/rate"]
    assert (kept.value, kept.type, kept.description) == ("5", "float", "how fast")
    task.update_parameters(rate=[1])
    assert task.get_parameter("rate", cast=True) == [1]
    task.set_parameter("rate", "7", value_type=int)
    assert task.get_parameter("rate", cast=True) == 7
    draft = Task.create(project_name="tests", task_name="draft")
    draft.set_parameter("n", 3, description="number")
    draft.set_parameters({"n": "4"})
    assert draft.get_parameters(cast=True) == {"General/n": 4}
    assert draft._state().parameters["General/n"].description == "number"


def test_an_enumeration_is_kept_by_name_with_its_members_as_description(task: Task) -> None:
    task.connect({"colour": Colour.GREEN})
    kept = task._state().parameters["General/colour"]
    assert (kept.value, kept.type, kept.description) == ("GREEN", "Colour", "Values:\nRED,\nGREEN")


def test_a_parameter_is_deleted_by_its_name(task: Task) -> None:
    task.set_parameters({"a": 1, "Args/b": 2})
    assert task.delete_parameter("General/a")
    assert task.delete_parameter("Args/b", force=True)
    assert not task.delete_parameter("Args/b")
    assert task.get_parameters() == {}


def test_subclasses_of_dictionaries_are_connected(task: Task) -> None:
    given: Any = collections.OrderedDict(b=1, a=collections.OrderedDict(c=2))
    assert task.connect(given) == given
    assert list(task.get_parameters()) == ["General/b", "General/a/c"]


def test_what_changed_before_all_is_replaced_is_replaced_too(task: Task) -> None:
    connected = {"rate": 0.1, "n": 3}
    task.connect(connected)
    connected["rate"] = 0.5
    task.set_parameters({"Args/a": 1})
    assert task.get_parameters() == {"Args/a": "1"}
    connected["n"] = 4
    assert task.get_parameters() == {"Args/a": "1", "General/n": "4"}
