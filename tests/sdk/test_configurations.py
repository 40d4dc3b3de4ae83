"""A configuration is kept as it was written, and comes back as what it says; labels too."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from eventlog.errors import InputInvalid
from eventlog.events import ConfigurationSet
from eventlog.sdk.plain_text import INLINE_SIZE
from eventlog.sdk.stores import current_views
from eventlog.sdk.task import Task
from tests.sdk.scripts import Scripts


def events(task: Task) -> list[ConfigurationSet]:
    views = current_views(task._store)
    return [one.event for one in views.events(task.id) if isinstance(one.event, ConfigurationSet)]


def test_a_dictionary_is_kept_as_hocon_and_comes_back(task: Task) -> None:
    given = {"value": 13.37, "dict": {"sub_value": "string"}, "list_of_ints": [1, 2, 3, 4]}
    connected = task.connect_configuration(given, name="dictionary", description="for a person")
    assert connected == given
    text = 'value = 13.37\ndict {\n  sub_value = "string"\n}\nlist_of_ints = [1, 2, 3, 4]'
    assert task.get_configuration_object("dictionary") == text
    assert task.get_configuration_object_as_dict("dictionary") == given
    (kept,) = events(task)
    assert (kept.type, kept.description) == ("dictionary", "for a person")


def test_each_change_of_a_connected_dictionary_is_an_event(task: Task) -> None:
    given = {"a": 1, "n": {"x": [1]}}
    connected = task.connect_configuration(given)
    connected["a"] = 2
    connected["a"] = 2
    connected["n"]["y"] = "z"
    assert [one.text for one in events(task)] == [
        "a = 1\nn {\n  x = [1]\n}",
        "a = 2\nn {\n  x = [1]\n}",
        'a = 2\nn {\n  x = [1]\n  y = "z"\n}',
    ]
    assert given == {"a": 1, "n": {"x": [1]}}
    assert set(task.get_configuration_objects()) == {"General"}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("a.json", '{"a":  1}\n', {"a": 1}),
        ("a.yaml", "a: 1\nb:\n - x\n", {"a": 1, "b": ["x"]}),
        ("a.yml", "- 1\n- b: c\n", [1, {"b": "c"}]),
        ("a.conf", "a { b = 1 }\n# c\n", {"a": {"b": 1}}),
        ("a.toml", "[a]\nb = 1\n", {"a": {"b": 1}}),
        ("noending", "a = 1", {"a": 1}),
        ("empty.yaml", "", None),
    ],
)
def test_a_file_is_kept_byte_for_byte_and_read_as_what_it_is(
    task: Task, tmp_path: Path, name: str, text: str, value: Any
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert task.connect_configuration(path, name="file") is path
    assert task.connect_configuration(str(path), name="as text") == str(path)
    assert task.get_configuration_objects() == {"file": text, "as text": text}
    assert task.get_configuration_object_as_dict("file") == value
    assert events(task)[0].type == (path.suffix[1:] or "file")


def test_text_of_no_form_is_kept_and_not_parsed(task: Task, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"dear reader\r\n")
    task.connect_configuration(tmp_path / "a.txt", name="text")
    assert task.get_configuration_object("text") == "dear reader\r\n"
    with pytest.raises(InputInvalid, match="neither JSON nor HOCON"):
        task.get_configuration_object_as_dict("text")


def test_a_configuration_of_megabytes_is_kept_whole(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_text("é" * (2 << 20))
    task.connect_configuration(path, name="large")
    (kept,) = events(task)
    assert len(kept.text.encode()) < INLINE_SIZE
    assert kept.blob
    assert task.get_configuration_object("large") == path.read_text()


def test_what_is_no_configuration_is_refused_in_one_line(task: Task, tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\x00")
    circle: dict[str, Any] = {}
    circle["a"] = {"b": circle}
    for given in (
        tmp_path / "bytes",
        tmp_path / "none",
        tmp_path,
        "a\0b",
        5,
        None,
        circle,
        {"a": Speechless()},
    ):
        with pytest.raises(InputInvalid, match=r"^.*$"):
            task.connect_configuration(given)
    for name in (5, "x" * (65 << 10)):
        with pytest.raises(InputInvalid, match="the name of a configuration"):
            task.connect_configuration({}, name=name)  # type: ignore[arg-type]
    assert task.get_configuration_objects() == {}
    assert circle["a"]["b"] is circle


class Speechless:
    def __repr__(self) -> str:
        raise RuntimeError("half made")


def test_a_change_that_cannot_be_written_does_not_stop_the_script(
    task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    connected = task.connect_configuration({"a": 1})
    connected["a"] = Speechless()
    assert task.get_configuration_object_as_dict("General") == {"a": 1}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_configurations_are_set_as_text_or_as_a_dictionary(task: Task) -> None:
    task.set_configuration_object("text", config_text="a: [1]", config_type="yaml", description="d")
    task.set_configuration_object("dict", config_dict={"a": None})
    task.set_configuration_object("list", config_dict=[1, 2])
    assert task.get_configuration_objects() == {"text": "a: [1]", "dict": "a = null", "list": "[1, 2]"}
    assert [task.get_configuration_object_as_dict(name) for name in ("text", "dict", "list", "none")] == [
        {"a": [1]},
        {"a": None},
        [1, 2],
        None,
    ]
    assert task.get_configuration_object("none") is None
    for text, value in ((None, None), ("a", {"a": 1}), (5, None), (None, 5)):
        with pytest.raises(InputInvalid):
            task.set_configuration_object("bad", text, config_dict=value)  # type: ignore[arg-type]


def test_the_design_of_the_model_is_the_configuration_without_a_name(task: Task) -> None:
    assert (task.get_model_config_text(), task.get_model_config_dict()) == ("", {})
    task.set_model_config()
    task.set_model_config(config_dict={"layers": 3})
    assert task.get_model_design() == task.get_configuration_object("General") == "layers = 3"
    assert task.get_model_config_dict() == {"layers": 3}
    task.set_model_config("any text")
    assert task.get_model_config_text() == "any text"
    with pytest.raises(InputInvalid):
        task.set_model_config("a", {"b": 1})


def test_labels_are_numbered_and_described(task: Task) -> None:
    assert (task.get_labels_enumeration(), task.get_num_of_classes()) == ({}, 0)
    labels = {"background": 0, "cat": 1}
    assert task.connect_label_enumeration(labels) is labels
    task.set_model_label_enumeration({"background": 0, "cat": 2, "tiger": 2})
    assert task.get_labels_enumeration() == {"background": 0, "cat": 2, "tiger": 2}
    assert task.get_label_num_description() == {0: "background", 2: "cat, tiger"}
    assert task.get_num_of_classes() == 3
    for bad in ({"a": "x"}, {1: 2}, [1], {"a": 1.5}, {"a": None}):
        with pytest.raises(InputInvalid):
            task.set_model_label_enumeration(bad)  # type: ignore[arg-type]
        with pytest.raises(InputInvalid):
            task.connect_label_enumeration(bad)  # type: ignore[arg-type]
    task.set_model_label_enumeration(None)
    assert task.get_labels_enumeration() == {}


RUN = """
import json, sys
from pathlib import Path
from eventlog import Task

task = Task.init(project_name="tests", task_name="clone")
own = {"a": 1, "b": 2}
connected = task.connect_configuration(own, name="dict")
assert own == connected == {"a": 9, "x": {"y": [1]}}, connected
connected["a"] = 100
connected["x"]["y"] = 100
connected["new"] = 1
assert connected == {"a": 9, "x": {"y": [1]}, "new": 1}, connected
own = [1]
assert task.connect_configuration(own, name="list") is own
assert own == [3, 4]
path = task.connect_configuration(Path("not-here.yaml"), name="file")
assert isinstance(path, Path) and path.suffix == ".yaml" and path.read_text() == "stored: 1\\n", path
text = task.connect_configuration("not-here.txt", name="text")
assert isinstance(text, str) and Path(text).suffix == ".txt" and Path(text).read_text() == "words", text
assert task.connect_configuration({"q": 1}, name="unknown") == {"q": 1}
assert task.connect_configuration({"q": 1}, name="mine", ignore_remote_overrides=True) == {"q": 1}
assert task.connect_label_enumeration({"a": 2}) == {"s": 1}
print(json.dumps([str(path), text]))
"""


def test_a_task_that_is_run_by_its_id_gives_its_stored_configurations_to_the_code(scripts: Scripts) -> None:
    made = scripts.run(
        """
        from eventlog import Task
        task = Task.create(project_name="tests", task_name="draft")
        task.set_configuration_object("dict", config_dict={"a": 9, "x": {"y": [1]}})
        task.set_configuration_object("list", config_dict=[3, 4])
        task.set_configuration_object("file", config_text="stored: 1\\n", config_type="yaml")
        task.set_configuration_object("text", config_text="words")
        task.set_configuration_object("mine", config_dict={"q": 5})
        task.set_model_label_enumeration({"s": 1})
        print(task.id)
        """,
        name="make.py",
    )
    script = scripts.start(RUN, environment={"EVENTLOG_TASK_ID": made.out.strip()})
    assert script.wait() == 0, script.err
    assert not any(Path(path).exists() for path in json.loads(script.out))
    kept = scripts.state().configurations
    assert {name: one.text for name, one in kept.items()} == {
        "dict": "a = 9\nx {\n  y = [1]\n}\nnew = 1",
        "list": "[3, 4]",
        "file": "stored: 1\n",
        "text": "words",
        "unknown": "q = 1",
        "mine": "q = 1",
    }
