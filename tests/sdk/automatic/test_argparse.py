"""What a script parses with argparse is recorded by itself; a clone's values are handed to it."""

import json

import pytest

from eventlog import Task
from eventlog.events import Parameter
from tests.sdk.automatic.recording import clone, last, recorded, run_clone
from tests.sdk.scripts import Scripts
from tests.sdk.test_connecting import events

PARSER = """
import argparse, sys, json
from pathlib import Path
from eventlog import Task

def init(**choices):
    return Task.init(project_name="tests/auto", task_name="arguments", **choices)

parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--rate", type=float, default=0.1, help="the learning rate")
parser.add_argument("--n", type=int)
parser.add_argument("--fast", action="store_true")
parser.add_argument("--layers", nargs="+", type=int, default=[1, 2])
parser.add_argument("--path", type=Path, default=Path("a"))
parser.add_argument("--names", type=lambda text: text.split(","), default="x,y")
parser.add_argument("--hidden", help=argparse.SUPPRESS)
parser.set_defaults(more="m", function=print)
commands = parser.add_subparsers(dest="command")
train = commands.add_parser("train")
train.add_argument("--epochs", type=int, default=3, help="passes")
commands.add_parser("test").add_argument("--part", default="all")

def show(found):
    print(json.dumps({k: v for k, v in vars(found).items() if k != "function"}, default=str))
"""
AFTER = PARSER + "init()\nshow(parser.parse_args())\n"
BEFORE = PARSER + "found = parser.parse_args()\ninit()\nshow(found)\n"
LINE = ("there", "--rate", "0.5", "--layers", "3", "4", "--fast", "train", "--epochs", "5")
RECORDED = {
    "Args/data": "there",
    "Args/rate": 0.5,
    "Args/n": None,
    "Args/fast": True,
    "Args/layers": [3, 4],
    "Args/path": "a",
    "Args/names": ["x", "y"],
    "Args/hidden": "",
    "Args/more": "m",
    "Args/command": "train",
    "Args/epochs": 5,
}


@pytest.mark.parametrize("text", [AFTER, BEFORE], ids=["parsed after init", "parsed before init"])
def test_what_is_parsed_is_recorded_with_types_and_descriptions(scripts: Scripts, text: str) -> None:
    assert recorded(scripts, text, *LINE) == RECORDED
    parameters = last()._state().parameters
    assert parameters["Args/rate"] == Parameter("0.5", "float", "the learning rate")
    assert parameters["Args/epochs"] == Parameter("5", "int", "passes")
    assert parameters["Args/n"] == Parameter("", "int", "")


@pytest.mark.parametrize("text", [AFTER, BEFORE], ids=["parsed after init", "parsed before init"])
def test_a_clone_s_values_are_handed_to_the_script_in_their_types(scripts: Scripts, text: str) -> None:
    recorded(scripts, text, *LINE)
    task = clone(
        {"rate": "0.7", "n": "9", "fast": "False", "layers": "[7]", "path": "/new", "names": "p,q"}
        | {"data": "other", "epochs": "8"}
    )
    found = json.loads(run_clone(scripts, text, task, *LINE))
    changed = {"rate": 0.7, "n": 9, "fast": False, "layers": [7], "path": "/new", "names": ["p", "q"]}
    expected = {name.removeprefix("Args/"): value for name, value in RECORDED.items()}
    assert found == expected | changed | {"data": "other", "epochs": 8, "hidden": None}
    assert Task.get_task(task).get_parameter("Args/rate") == "0.7"
    # Nor is the command line needed any more.
    assert json.loads(run_clone(scripts, text, task)) == found


@pytest.mark.parametrize(
    "line", [(), ("--tag", "t", "--n", "7", "--const", "--more", "m")], ids=["none", "all"]
)
def test_arguments_that_gather_are_given_lists(scripts: Scripts, line: tuple[str, ...]) -> None:
    text = """
import argparse, json
from eventlog import Task

parser = argparse.ArgumentParser()
parser.add_argument("--tag", action="append", type=str)
parser.add_argument("--n", action="append", type=int)
parser.add_argument("--plain", action="append")
parser.add_argument("--const", action="append_const", const="c")
parser.add_argument("--more", action="extend", nargs="+")
parser.add_argument("--pair", action="append", nargs=2, type=float)
Task.init(project_name="tests/auto", task_name="arguments")
print(json.dumps(vars(parser.parse_args())))
"""
    gathered = {"tag": ["a", "b"], "n": [0, 1], "plain": ["s"], "const": ["x"], "more": ["one", "two"]}
    gathered["pair"] = [[0.5, 1.5], [2.0, 3.0]]
    recorded(scripts, text, *line)
    assert json.loads(run_clone(scripts, text, clone(gathered), *line)) == gathered
    texts = {name: json.dumps(value) for name, value in gathered.items()}
    texts["pair"] = '[["0.5", "1.5"], ["2", "3"]]'
    assert json.loads(run_clone(scripts, text, clone(texts), *line)) == gathered


def test_a_stored_value_that_an_argument_refuses_leaves_the_script_its_own(scripts: Scripts) -> None:
    text = PARSER.replace(
        "parser.set_defaults",
        "parser.add_argument('--kind', choices=['a', 'b'], default='a')\nparser.set_defaults",
    )
    text += "show(parser.parse_args())\ninit()\n"
    recorded(scripts, text, *LINE)
    task = clone({"n": "many", "kind": "c", "rate": "2", "layers": "[1, x]"})
    script = scripts.start(text, *LINE, environment={"EVENTLOG_TASK_ID": task})
    assert script.wait() == 0, script.err
    found = json.loads(script.out)
    assert (found["n"], found["kind"], found["rate"], found["layers"]) == (None, "a", 2.0, [3, 4])
    assert script.err.count("the script's own value is used") == script.err.count("\n") == 3


def test_a_clone_s_command_is_taken(scripts: Scripts) -> None:
    recorded(scripts, AFTER, *LINE)
    found = json.loads(run_clone(scripts, AFTER, clone({"command": "test", "part": "half"}), *LINE))
    assert (found["command"], found["part"], found["rate"]) == ("test", "half", 0.5)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("False", set()),
        ("{}", set()),
        ("{'rate': False, 'epochs': False}", set(RECORDED) - {"Args/rate", "Args/epochs"}),
        ("{'*': False, 'rate': True}", {"Args/rate"}),
        ("{'rate': True}", set(RECORDED)),
    ],
)
def test_arguments_are_chosen_by_name(scripts: Scripts, choice: str, names: set[str]) -> None:
    for text in (AFTER, BEFORE):
        chosen = text.replace("init()", f"init(auto_connect_arg_parser={choice})")
        assert set(recorded(scripts, chosen, *LINE)) == names


def test_several_parsers_are_recorded_together(scripts: Scripts) -> None:
    text = """
    import argparse
    from eventlog import Task
    def parse(**arguments):
        parser = argparse.ArgumentParser()
        for name, value in arguments.items():
            parser.add_argument("--" + name, type=type(value), default=value)
        return parser.parse_known_args()
    parse(a=1, b=1)
    task = Task.init("tests/auto", "arguments")
    parse(b=2, c=2)
    argparse.ArgumentParser().parse_known_args(["--x"], argparse.Namespace(d=4))
    """
    assert recorded(scripts, text, "--c", "3") == {"Args/a": 1, "Args/b": 2, "Args/c": 3, "Args/d": 4}


def test_the_same_values_are_recorded_once(scripts: Scripts) -> None:
    text = PARSER + "init()\nfor _ in range(3): parser.parse_args()\nTask.current_task().connect(parser)\n"
    text += "assert not hasattr(parser, 'x') and parser.parse_args().rate == 0.5\n"
    assert recorded(scripts, text, *LINE) == RECORDED
    assert len(events(last())) == 1


def test_a_parser_that_has_parsed_does_not_parse_again_when_it_is_connected(scripts: Scripts) -> None:
    text = """
    import argparse
    from eventlog import Task
    parser = argparse.ArgumentParser()
    def loud(text):
        print("read", text)
        return text
    parser.add_argument("--n", type=loud)
    parser.parse_args()
    Task.init("tests/auto", "arguments").connect(parser)
    """
    script = scripts.run(text, "--n", "5")
    assert script.out == "read 5\n"
    assert last().get_parameters() == {"Args/n": "5"}


@pytest.mark.parametrize("line", [("--help",), ("--rate", "x"), (), ("a", "--no-such")])
def test_a_parser_that_exits_does_so_as_before(scripts: Scripts, line: tuple[str, ...]) -> None:
    without = AFTER.replace("from eventlog import Task\n", "").replace("init()", "")
    code = 0 if line == ("--help",) else 2
    before = scripts.run(without, *line, code=code)
    for text in (AFTER, BEFORE):
        script = scripts.run(text, *line, code=code)
        assert (script.out, script.err) == (before.out, before.err)


def test_what_a_library_parses_for_itself_is_not_recorded(scripts: Scripts) -> None:
    library = scripts.folder / "site-packages"
    library.mkdir(parents=True)
    (library / "a_library.py").write_text(
        "import argparse\n"
        "def parse(line=None):\n"
        "    parser = argparse.ArgumentParser()\n"
        "    parser.add_argument('--theirs', default=1)\n"
        "    return parser.parse_known_args(line)\n"
        "class Parser(argparse.ArgumentParser):\n"
        "    def parse_all(self):\n"
        "        return self.parse_args(['--own', '2'])\n"
    )
    (library / "at_import.py").write_text("import a_library\na_library.parse()\n")
    text = f"import sys; sys.path.insert(0, {str(library)!r})\n"
    text += "from eventlog import Task\nimport at_import, a_library\nTask.init('tests/auto', 'arguments')\n"
    text += "a_library.parse(['--theirs', '3'])\n"
    assert recorded(scripts, text, "a") == {}
    # What it parses for the script, on the other hand, is the script's.
    parse = "parser = a_library.Parser(); parser.add_argument('--own'); parser.parse_all()\n"
    assert recorded(scripts, text + parse, "a") == {"Args/own": "2"}
    assert recorded(scripts, text + "a_library.parse()\n", "--theirs", "7") == {"Args/theirs": "7"}


def test_what_cannot_be_recorded_is_left_out_with_one_warning(scripts: Scripts) -> None:
    text = """
    import argparse
    from eventlog import Task
    class Mute:
        def __repr__(self):
            raise OSError("silent")
    parser = argparse.ArgumentParser()
    parser.add_argument("--mute", default=Mute())
    parser.add_argument("--n", default=1)
    parser.parse_args()
    Task.init("tests/auto", "arguments")
    for _ in range(3): parser.parse_args()
    """
    script = scripts.run(text)
    assert script.err.count("\n") == 1
    assert "does not record 'Args/mute'" in script.err
    assert last().get_parameters() == {"Args/n": "1"}


def test_secrets_are_masked_and_a_clone_keeps_the_script_s(scripts: Scripts) -> None:
    text = PARSER.replace('"data"', '"--password", default="none"') + "init()\nshow(parser.parse_args())\n"
    assert recorded(scripts, text, "--password", "hunter2")["Args/password"] == "********"
    assert json.loads(run_clone(scripts, text, clone({}), "--password", "hunter3"))["password"] == "hunter3"


def test_the_command_line_belongs_to_every_task_of_a_process_and_other_lines_to_one(scripts: Scripts) -> None:
    text = """
    import argparse
    from eventlog import Task
    parser = argparse.ArgumentParser()
    parser.add_argument("--n"); parser.add_argument("--m")
    parser.parse_args()
    for name in ("one", "two"):
        task = Task.init("tests/auto", name)
        parser.parse_args(["--m", name])
        task.close()
    """
    scripts.run(text, "--n", "5")
    one, two = (Task.get_task(project_name="tests/auto", task_name=name) for name in ("one", "two"))
    assert one.get_parameters() == {"Args/n": "", "Args/m": "one"}
    assert two.get_parameters() == {"Args/n": "", "Args/m": "two"}


def test_a_child_process_does_not_change_its_parent_s_arguments(scripts: Scripts) -> None:
    text = """
    import argparse, os, subprocess, sys
    from eventlog import Task
    parser = argparse.ArgumentParser()
    parser.add_argument("--rank", type=int, default=0)
    parser.parse_args()
    Task.init("tests/auto", "arguments")
    if len(sys.argv) == 1:
        subprocess.run([sys.executable, __file__, "--rank", "1"], check=True)
        child = os.fork()
        if not child:
            parser.parse_args(["--rank", "2"])
            os._exit(0)
        os.waitpid(child, 0)
    """
    assert recorded(scripts, text) == {"Args/rank": 0}


def test_a_parser_is_heard_where_eventlog_stands_in_for_clearml(scripts: Scripts) -> None:
    text = """
    from eventlog import install_as_clearml
    install_as_clearml()
    import clearml, argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1)
    parser.parse_args()
    clearml.Task.init("tests/auto", "arguments")
    """
    assert recorded(scripts, text, "--n", "4") == {"Args/n": 4}


def test_nothing_heavy_is_imported_to_hear_a_parser(scripts: Scripts) -> None:
    text = AFTER + "print(sorted({'wrapt', 'numpy', 'click'} & set(sys.modules)))\n"
    assert scripts.run(text, "a").out.endswith("[]\n")
