"""One script, recorded by ClearML's own offline session and by eventlog, to the same effect."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.scripts import Scripts

SCRIPT = """
import argparse, collections, dataclasses, enum, sys, tempfile
from pathlib import Path

class Colour(enum.Enum):
    RED = 1
    GREEN = 2

class Base:
    base = 1

class Options(Base):
    a = 1
    none = None
    many = [1]
    _hidden = 2
    def method(self): pass
    @property
    def prop(self): return 2

class Person:
    shared = 3
    def __init__(self):
        self.name, self.age, self.tastes, self.none = "Erik", 5, {"colour": "red"}, None

@dataclasses.dataclass
class Settings:
    rate: float = 0.1
    layers: list = dataclasses.field(default_factory=lambda: [1, 2])

VALUES = {
    "none": None, "true": True, "int": 3, "float": 0.5, "str": "x", "empty": "", "nested": {"a": {"b": 1}},
    "empty dict": {}, "list": [1, 2, "a"], "ints": [1, 2], "empty list": [], "tuple": (1, 2),
    "empty tuple": (),
    "enum": Colour.RED, "ordered": collections.OrderedDict(a=1), "inf": float("inf"), "nan": float("nan"),
    "a.b": 1, "a/b": 2, "s/t/u": 3, "mixed": [None, True, {"x": 1}], "lines": "a\\nb", "big": 10**30,
    "dict of int": {"1": 2}, "booleans": [True, False], "lists": [[1], [2]], "nones": [None],
    "floats": [1.0, 2],
}

def record(task):
    task.set_parameters(VALUES)
    yield "set_parameters"
    task.set_parameters({"Args/x": 1}, y=2)
    task.update_parameters({"Args/z": 2, "y": 3}, w="4")
    yield "update_parameters"
    task.set_parameters({})
    task.set_parameters_as_dict({**VALUES, "nested": {"a": {"b": 1}, "c": 2}})
    yield "set_parameters_as_dict"
    task.set_parameters({})
    connected = task.connect(dict(VALUES))
    connected["int"] = 4
    connected["nested"]["a"]["b"] = 5
    connected["new"] = {"k": 1}
    connected.update({"str": "y", "more": 2})
    del connected["empty"]
    connected.pop("list")
    yield "connect a dictionary"
    task.set_parameters({})
    task.connect({"a": 1}, name="Section")
    task.connect({"b": {"c": 1}}, name="Section")
    yield "connect to a section"
    task.set_parameters({})
    task.connect(Person())
    task.connect(Options, name="class")
    task.connect(Settings(), name="dataclass")
    task.connect(argparse.Namespace(a=1, b="x", c=None), name="namespace")
    yield "connect objects"
    task.set_parameters({})
    task.set_parameter("rate", 0.1, description="how fast", value_type=float)
    task.update_parameters({"rate": "0.5"})
    task.set_parameter("n", "7", value_type="int")
    task.set_parameter("m", None)
    task.update_parameters({"m": 3})
    yield "types and descriptions"
    task.set_parameters({})
    given = {"a": 1, "b": {"c": [1, 2.5, None, True]}, "s": "t\\nu", "t": (1, 2), "e": {}, "l": [],
             "text": "true", "number": "1", "quoted": 'a"b', "url": "http://x", "a.b": 1, "1": 2}
    changed = task.connect_configuration(given, name="dict", description="for a person")
    changed["b"]["c"] = "d"
    task.connect_configuration({"p": Path("/x")}, name="path")
    task.connect_configuration([1, {"a": 2}], name="list")
    folder = Path(tempfile.mkdtemp())
    for name, text in {"a.json": '{"a":  1}\\n', "a.yaml": "a: 1\\nb:\\n - x\\n", "a.conf": "a { b = 1 }\\n",
                       "a.txt": "hello\\n", "noending": "raw"}.items():
        (folder / name).write_text(text)
        task.connect_configuration(folder / name, name=name)
    task.connect_configuration(str(folder / "a.yaml"), name="text")
    task.connect_configuration({"general": 1})
    task.set_configuration_object("set", config_text="a=1", config_type="yaml", description="d")
    task.set_configuration_object("set dict", config_dict={"a": [1, {"b": None}], "s": "q"})
    yield "configurations"
"""

CLEARML = """
import json, os, sys
from pathlib import Path
from clearml import Task
task = Task.init("examples", "compared", auto_connect_frameworks=False, auto_resource_monitoring=False,
                 auto_connect_streams=False, auto_connect_arg_parser=False)
found = {}
def of(one):
    return [one["value"], one.get("type") or "", one.get("description") or ""]
for step in record(task):
    task.flush(wait_for_uploads=True)
    data = json.loads((Path(task.get_offline_mode_folder()) / "task.json").read_text())
    found[step] = {
        "parameters": {f"{section}/{name}": of(one)
                       for section, all in (data.get("hyperparams") or {}).items()
                       for name, one in all.items()},
        "configurations": {name: of(one) for name, one in (data.get("configuration") or {}).items()},
        "given": task.get_parameters(), "cast": repr(sorted(task.get_parameters(cast=True).items())),
        "nested": task.get_parameters_as_dict(),
    }
Path(sys.argv[1]).write_text(json.dumps(found))
os._exit(0)
"""

OURS = """
import json, sys
from pathlib import Path
from eventlog import Task
task = Task.init(project_name="examples", task_name="compared")
found = {}
for step in record(task):
    task.flush(wait_for_uploads=True)
    state = task._state()
    found[step] = {
        "parameters": {name: [one.value, one.type, one.description]
                       for name, one in state.parameters.items()},
        "configurations": {name: [one.text, one.type, one.description]
                           for name, one in state.configurations.items()},
        "given": task.get_parameters(), "cast": repr(sorted(task.get_parameters(cast=True).items())),
        "nested": task.get_parameters_as_dict(),
    }
Path(sys.argv[1]).write_text(json.dumps(found))
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("clearml", reason="there is no ClearML to compare with")
    folder = tmp_path_factory.mktemp("clearml")
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT + CLEARML))
    done = subprocess.run(
        [sys.executable, "script.py", "found.json"],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "CLEARML_OFFLINE_MODE": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert (folder / "found.json").exists(), done.stderr
    return json.loads((folder / "found.json").read_text())


def test_the_same_script_records_the_same(theirs: Any, scripts: Scripts, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    scripts.run(SCRIPT + OURS, str(path))
    ours = json.loads(path.read_text())
    assert list(ours) == list(theirs)
    for step in theirs:
        for what in theirs[step]:
            assert ours[step][what] == theirs[step][what], (step, what)
