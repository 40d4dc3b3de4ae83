"""absl's flags are recorded by themselves, in the section TF_DEFINE; a clone's values are handed to them."""

import pytest

from tests.sdk.automatic.recording import clone, last, recorded, run_clone
from tests.sdk.scripts import Scripts

TEXT = """
from absl import app, flags
from eventlog import Task
FLAGS = flags.FLAGS
flags.DEFINE_string("name", None, "the name", required=True)
flags.DEFINE_integer("n", 3, "how many", lower_bound=0)
flags.DEFINE_float("rate", 0.1, "the rate", short_name="r")
flags.DEFINE_bool("fast", False, "or slow")
flags.DEFINE_list("items", ["a", "b"], "some")
flags.DEFINE_enum("kind", "x", ["x", "y"], "which")
flags.DEFINE_multi_integer("sizes", [1, 2], "several")
flags.DEFINE_integer("none", None, "of nothing")
OWN = ("name", "n", "rate", "fast", "items", "kind", "sizes", "none")
def main(argv):
    INSIDE
    print([FLAGS[name].value for name in OWN], argv[1:])
BEFORE
app.run(main)
"""
INIT = "Task.init('tests/auto', 'arguments')"
INSIDE = TEXT.replace("INSIDE", INIT).replace("BEFORE", "")
BEFORE = TEXT.replace("BEFORE", INIT).replace("INSIDE", "pass")
LINE = ("--name", "me", "-r", "0.5", "--items", "p,q", "rest")


@pytest.mark.parametrize("text", [INSIDE, BEFORE], ids=["Task.init inside", "Task.init before"])
def test_flags_are_recorded(scripts: Scripts, text: str) -> None:
    found = recorded(scripts, text, *LINE)
    own = {
        "TF_DEFINE/name": "me",
        "TF_DEFINE/n": 3,
        "TF_DEFINE/rate": 0.5,
        "TF_DEFINE/fast": False,
        "TF_DEFINE/items": ["p", "q"],
        "TF_DEFINE/kind": "x",
        "TF_DEFINE/sizes": [1, 2],
        "TF_DEFINE/none": None,
    }
    assert {name: found[name] for name in own} == own
    # absl's own are there, as with ClearML; not under their short names.
    assert "TF_DEFINE/verbosity" in found
    assert not {"TF_DEFINE/v", "TF_DEFINE/r"} & set(found)
    assert last()._state().parameters["TF_DEFINE/rate"].description == "the rate"


@pytest.mark.parametrize("text", [INSIDE, BEFORE], ids=["Task.init inside", "Task.init before"])
def test_a_clone_s_values_are_handed_to_the_script(scripts: Scripts, text: str) -> None:
    recorded(scripts, text, *LINE)
    values = {
        "n": "7",
        "rate": "0.7",
        "fast": "True",
        "items": '["z"]',
        "kind": "y",
        "none": "4",
        "name": "you",
    }
    expected = "['you', 7, 0.7, True, ['z'], 'y', [1, 2], 4] ['rest']\n"
    assert run_clone(scripts, text, clone(values, "TF_DEFINE"), *LINE) == expected
    # What is required and stored need not be given.
    assert run_clone(scripts, text, clone({}), "rest") == expected


def test_a_stored_value_that_a_flag_refuses_leaves_the_script_its_own(scripts: Scripts) -> None:
    recorded(scripts, INSIDE, *LINE)
    task = clone({"n": "-5", "kind": "z", "rate": "2"}, "TF_DEFINE")
    script = scripts.start(INSIDE, *LINE, environment={"EVENTLOG_TASK_ID": task})
    assert script.wait() == 0, script.err
    assert "the stored value of n" in script.err
    assert script.out == "['me', 3, 2.0, False, ['p', 'q'], 'x', [1, 2], None] ['rest']\n"


def test_the_switch_is_obeyed(scripts: Scripts) -> None:
    for choice in ("False", "{'tfdefines': False}"):
        text = INSIDE.replace("'arguments')", f"'arguments', auto_connect_frameworks={choice})")
        assert recorded(scripts, text, *LINE) == {}
    # It is not an argument parser's, as with ClearML.
    text = INSIDE.replace("'arguments')", "'arguments', auto_connect_arg_parser=False)")
    assert recorded(scripts, text, *LINE)["TF_DEFINE/name"] == "me"


@pytest.mark.parametrize("line", [("--help",), ("--n", "x"), ()])
def test_flags_that_exit_do_so_as_before(scripts: Scripts, line: tuple[str, ...]) -> None:
    without = TEXT.replace("from eventlog import Task\n", "").replace("INSIDE", "pass").replace("BEFORE", "")
    before = scripts.start(without, *line)
    code = before.wait()
    script = scripts.run(INSIDE, *line, code=code)
    assert (script.out, script.err) == (before.out, before.err)
