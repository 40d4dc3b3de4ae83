"""What Python Fire calls functions with is recorded by itself; a clone's values are handed to them."""

import pytest

from tests.sdk.automatic.recording import clone, recorded, run_clone
from tests.sdk.scripts import Scripts

FUNCTION = """
import fire
from eventlog import Task
def train(data, rate=0.1, layers=(1, 2), name=None, **more):
    Task.init("tests/auto", "arguments")
    print(data, rate, layers, name, more)
fire.Fire(train)
"""
MEMBERS = """
from eventlog import Task
import fire
Task.init("tests/auto", "arguments")
class Machine:
    def __init__(self, base=3):
        self.base = base
    def add(self, x, y=2, *rest):
        return f"add {self.base} {x} {y} {rest}"
    def multiply(self, x=1):
        return f"multiply {self.base} {x}"
fire.Fire(Machine)
"""


def test_the_arguments_of_a_function_are_recorded(scripts: Scripts) -> None:
    assert recorded(scripts, FUNCTION, "there", "--rate", "0.5", "--k", "3") == {
        "Args/data": "there",
        "Args/rate": 0.5,
        "Args/layers": (1, 2),
        "Args/name": None,
        "Args/k": 3,
    }


def test_the_members_that_are_called_are_recorded(scripts: Scripts) -> None:
    assert recorded(scripts, MEMBERS, "--base", "4", "add", "5", "6", "7") == {
        "Args/base": 4,
        "Args/add": True,
        "Args/multiply": False,
        "Args/add/x": 5,
        "Args/add/y": 6,
        "Args/add/rest": (7,),
    }


def test_a_clone_s_values_are_handed_to_functions(scripts: Scripts) -> None:
    recorded(scripts, FUNCTION, "there", "--k", "3")
    task = clone({"rate": "0.7", "layers": "[3, 4, 5]", "k": "4", "name": "me"})
    assert run_clone(scripts, FUNCTION, task, "there", "--k", "3") == "there 0.7 (3, 4, 5) me {'k': 4}\n"
    # What is stored need not be given.
    assert run_clone(scripts, FUNCTION, clone({"data": "here"})) == "here 0.7 (3, 4, 5) me {}\n"


def test_a_clone_calls_the_member_that_is_stored(scripts: Scripts) -> None:
    recorded(scripts, MEMBERS, "add", "5")
    assert run_clone(scripts, MEMBERS, clone({"add/x": "6", "base": "9"}), "add", "5") == "add 9 6 2 ()\n"
    other = clone({"add": "False", "multiply": "True", "multiply/x": "8"})
    assert run_clone(scripts, MEMBERS, other, "add", "5") == "multiply 9 8\n"


@pytest.mark.parametrize("line", [("--", "--help"), (), ("add",), ("add", "1", "--", "--trace")])
def test_fire_prints_and_exits_as_before(scripts: Scripts, line: tuple[str, ...]) -> None:
    without = MEMBERS.replace("from eventlog import Task", "")
    without = without.replace('Task.init("tests/auto", "arguments")', "")
    before = scripts.start(without, *line)
    code = before.wait()
    script = scripts.run(MEMBERS, *line, code=code)
    assert (script.out, script.err) == (before.out, before.err)


def test_the_switch_of_command_lines_is_obeyed(scripts: Scripts) -> None:
    text = FUNCTION.replace('"arguments")', '"arguments", auto_connect_arg_parser=False)')
    assert recorded(scripts, text, "there") == {}
    # Fire's own parser, which is argparse's, is not the script's.
    text = FUNCTION.replace('"arguments")', '"arguments", auto_connect_arg_parser={"rate": False})')
    assert set(recorded(scripts, text, "there")) == {"Args/data", "Args/layers", "Args/name"}
