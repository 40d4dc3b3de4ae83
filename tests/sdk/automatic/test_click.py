"""What a script's click commands are given is recorded by itself; a clone's values are handed to them."""

import json

import pytest

from tests.sdk.automatic.recording import clone, last, recorded, run_clone
from tests.sdk.scripts import Scripts

SINGLE = """
import click, json
from eventlog import Task

@click.command()
@click.argument("data", nargs=-1)
@click.option("--rate", default=0.1, help="the learning rate")
@click.option("--n", type=int)
@click.option("--fast/--slow", default=False)
@click.option("--name", "renamed", multiple=True, default=["a"])
@click.option("--size", type=(int, int), default=(1, 2))
@click.option("-v", "--verbose", count=True)
@click.option("--asked", prompt=True)
@click.option("--key", prompt=True, hide_input=True, default="none")
@click.option("--log", type=click.File("w"), default="-")
def main(log, **given):
    INIT
    print(json.dumps(given))

main()
"""
INSIDE = SINGLE.replace("INIT", "Task.init('tests/auto', 'arguments')")
BEFORE = SINGLE.replace("INIT", "pass").replace("main()\n", "").replace(
    "@click.command", "Task.init('tests/auto', 'arguments')\n@click.command"
) + "main()\n"  # fmt: skip
GROUP = """
import click
from eventlog import Task

@click.group()
@click.option("--seed", default=1, help="of all")
def top(seed):
    Task.init("tests/auto", "arguments")

@top.command()
@click.argument("data")
@click.option("--epochs", default=3)
def train(data, epochs):
    print("train", data, epochs)

@top.command()
@click.option("--part", default="all")
def evaluate(part):
    print("evaluate", part)

@top.group()
@click.option("--level", default=2)
def deep(level):
    pass

@deep.command()
@click.option("--leaf", type=float, default=0.5)
def inner(leaf):
    print("inner", leaf)

top()
"""
LINE = (
    "x",
    "y",
    "--rate",
    "0.5",
    "--fast",
    "--name",
    "b",
    "--name",
    "c",
    "-vv",
    "--asked",
    "yes",
    "--key",
    "hunter2",
)


@pytest.mark.parametrize("text", [INSIDE, BEFORE], ids=["Task.init inside", "Task.init before"])
def test_a_command_s_parameters_are_recorded(scripts: Scripts, text: str) -> None:
    found = recorded(scripts, text, *LINE)
    assert found.pop("Args/log").startswith("<")
    assert found == {
        "Args/data": ("x", "y"),
        "Args/rate": 0.5,
        "Args/n": None,
        "Args/fast": True,
        "Args/renamed": ("b", "c"),
        "Args/size": (1, 2),
        "Args/verbose": 2,
        "Args/asked": "yes",
        "Args/key": "********",
    }
    assert last()._state().parameters["Args/rate"].description == "the learning rate"


@pytest.mark.parametrize("text", [INSIDE, BEFORE], ids=["Task.init inside", "Task.init before"])
def test_a_clone_s_values_are_handed_to_a_command(scripts: Scripts, text: str) -> None:
    recorded(scripts, text, *LINE)
    values = {"data": '["z"]', "rate": "0.7", "n": "9", "fast": "False", "renamed": ["d"], "size": "[3, 4]"}
    # What is stored is not asked for.
    line = [word for word in LINE if word not in ("--asked", "yes")]
    found = json.loads(run_clone(scripts, text, clone(values), *line))
    assert found == {
        "data": ["z"],
        "rate": 0.7,
        "n": 9,
        "fast": False,
        "renamed": ["d"],
        "size": [3, 4],
        "verbose": 2,
        "asked": "yes",
        "key": "hunter2",
    }


def test_a_stored_value_that_an_option_refuses_leaves_the_script_its_own(scripts: Scripts) -> None:
    recorded(scripts, INSIDE, *LINE)
    script = scripts.start(INSIDE, *LINE, environment={"EVENTLOG_TASK_ID": clone({"n": "many", "rate": "2"})})
    assert script.wait() == 0
    assert "the stored value of n" in script.err
    assert (json.loads(script.out)["n"], json.loads(script.out)["rate"]) == (None, 2.0)


def test_commands_of_groups_are_recorded_under_their_names(scripts: Scripts) -> None:
    assert recorded(scripts, GROUP, "--seed", "5", "train", "there", "--epochs", "4") == {
        "Args/top/seed": 5,
        "Args/train": True,
        "Args/evaluate": False,
        "Args/train/data": "there",
        "Args/train/epochs": 4,
    }
    assert recorded(scripts, GROUP, "deep", "inner") == {
        "Args/top/seed": 1,
        "Args/deep/level": 2,
        "Args/inner": True,
        "Args/inner/leaf": 0.5,
    }


def test_the_only_command_of_a_group_is_recorded_as_if_there_were_no_group(scripts: Scripts) -> None:
    text = """
import click
from eventlog import Task

@click.group()
def top():
    Task.init("tests/auto", "arguments")

@top.command()
@click.option("--rate", default=0.1)
def train(rate):
    print(rate)

top()
"""
    assert recorded(scripts, text, "train", "--rate", "0.5") == {"Args/rate": 0.5}
    assert run_clone(scripts, text, clone({"rate": "0.7"}), "train") == "0.7\n"


def test_a_clone_runs_the_command_that_is_stored(scripts: Scripts) -> None:
    line = ("train", "there", "--epochs", "4")
    recorded(scripts, GROUP, *line)
    assert run_clone(scripts, GROUP, clone({"train/epochs": "6"}), *line) == "train there 6\n"
    # What is required and stored need not be given.
    assert run_clone(scripts, GROUP, clone({"train/data": "here"}), "train") == "train here 6\n"
    other = clone({"train": "False", "evaluate": "True", "evaluate/part": "half"})
    assert run_clone(scripts, GROUP, other, *line) == "evaluate half\n"


def test_the_switch_of_command_lines_is_obeyed(scripts: Scripts) -> None:
    for choice, names in (
        ("False", set()),
        ("{}", set()),
        ("{'*': False, 'rate': True}", {"Args/rate"}),
    ):
        text = INSIDE.replace("'arguments')", f"'arguments', auto_connect_arg_parser={choice})")
        assert set(recorded(scripts, text, *LINE)) == names


@pytest.mark.parametrize("line", [("--help",), ("--rate", "x"), ("--no-such",)])
def test_a_command_that_exits_does_so_as_before(scripts: Scripts, line: tuple[str, ...]) -> None:
    without = SINGLE.replace("from eventlog import Task\n", "").replace("INIT", "pass")
    code = 0 if line == ("--help",) else 2
    before = scripts.run(without, *line, code=code)
    for text in (INSIDE, BEFORE):
        script = scripts.run(text, *line, code=code)
        assert (script.out, script.err) == (before.out, before.err)


def test_typer_s_commands_are_recorded(scripts: Scripts) -> None:
    text = """
    import typer
    from eventlog import Task
    def main(name: str, rate: float = 0.1):
        Task.init("tests/auto", "arguments")
        print(name, rate)
    typer.run(main)
    """
    assert recorded(scripts, text, "me", "--rate", "0.5") == {"Args/name": "me", "Args/rate": 0.5}
    assert run_clone(scripts, text, clone({"rate": "0.7"}), "me") == "me 0.7\n"
