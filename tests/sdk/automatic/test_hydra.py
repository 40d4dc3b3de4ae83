"""Hydra's overrides and composed configuration are recorded by themselves, and taken from a clone."""

import re

import pytest

from eventlog import Task
from tests.sdk.automatic.recording import clone, last, recorded, run_clone
from tests.sdk.scripts import Scripts

TEXT = """
import hydra
from omegaconf import OmegaConf
from eventlog import Task
BEFORE
@hydra.main(config_path="conf", config_name="config", version_base=None)
def main(config):
    INSIDE
    print(OmegaConf.to_container(config, resolve=True))
    END
main()
"""
INIT = "Task.init('tests/auto', 'arguments', reuse_last_task_id=False)"
INSIDE = TEXT.replace("INSIDE", INIT).replace("BEFORE", "").replace("END", "")
BEFORE = TEXT.replace("BEFORE", INIT).replace("INSIDE", "").replace("END", "")
CLOSING = TEXT.replace("INSIDE", INIT).replace("BEFORE", "").replace("END", "Task.current_task().close()")
EDIT = "Hydra/_allow_omegaconf_edit_"


@pytest.fixture(autouse=True)
def configuration(scripts: Scripts) -> None:
    folder = scripts.folder / "conf"
    (folder / "db").mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "defaults: [{db: mysql}, _self_]\nrate: 0.1\nlayers: [1, 2]\nname: ${db.user}-x\n"
    )
    (folder / "db" / "mysql.yaml").write_text("user: mine\npassword: hunter22\n")
    (folder / "db" / "postgres.yaml").write_text("user: other\npassword: hunter33\n")


@pytest.mark.parametrize("text", [INSIDE, BEFORE], ids=["Task.init inside", "Task.init before"])
def test_overrides_and_the_composed_configuration_are_recorded(scripts: Scripts, text: str) -> None:
    line = ("rate=0.5", "db=postgres", "+more.one=3", "layers=[3,4]", "hydra.job.name=own")
    assert recorded(scripts, text, *line) == {
        EDIT: False,
        "Hydra/rate": "0.5",
        "Hydra/db": "postgres",
        "Hydra/more.one": "3",
        "Hydra/layers": "[3,4]",
    }
    state = last()._state().configurations["OmegaConf"]
    assert state.type == "OmegaConf YAML"
    assert state.text == (
        "db:\n  user: other\n  password: '********'\nrate: 0.5\nlayers:\n- 3\n- 4\nname: ${db.user}-x\n"
        "more:\n  one: 3\n"
    )


@pytest.mark.parametrize("text", [INSIDE, BEFORE], ids=["Task.init inside", "Task.init before"])
def test_a_clone_s_overrides_are_taken(scripts: Scripts, text: str) -> None:
    recorded(scripts, text, "rate=0.5", "+more=3")
    values = {"rate": "0.7", "more": "4", "db": "postgres", "new.one": "it's: a, {b", "layers": "[5]"}
    task = clone(values, "Hydra")
    out = run_clone(scripts, text, task, "rate=0.5", "+more=3")
    assert out == (
        "{'db': {'user': 'other', 'password': 'hunter33'}, 'rate': 0.7, 'layers': [5], 'name': 'other-x',"
        " 'more': 4, 'new': {'one': \"it's: a, {b\"}}\n"
    )
    run = Task.get_task(task)
    assert run.get_parameter("Hydra/rate") == "0.7"
    assert "rate: 0.7\n" in (run.get_configuration_object("OmegaConf") or "")


@pytest.mark.parametrize("text", [INSIDE, BEFORE], ids=["Task.init inside", "Task.init before"])
def test_a_clone_s_configuration_is_taken_as_a_whole_where_it_says_so(scripts: Scripts, text: str) -> None:
    recorded(scripts, text, "rate=0.5")
    task = clone({"_allow_omegaconf_edit_": "True", "rate": "0.9"}, "Hydra")
    copy = Task.get_task(task)
    edited = (copy.get_configuration_object("OmegaConf") or "").replace("rate: 0.5", "rate: 7\nadded: [x]")
    copy.set_configuration_object("OmegaConf", config_text=edited, config_type="OmegaConf YAML")
    out = run_clone(scripts, text, task, "rate=0.5")
    # What is masked is what this machine has.
    assert out == (
        "{'db': {'user': 'mine', 'password': 'hunter22'}, 'rate': 7, 'added': ['x'], 'layers': [1, 2],"
        " 'name': 'mine-x'}\n"
    )
    assert Task.get_task(task).get_configuration_object("OmegaConf") == edited


@pytest.mark.parametrize("text", [INSIDE, CLOSING], ids=["left open", "closed"])
def test_each_job_of_a_multirun_is_a_task(scripts: Scripts, text: str) -> None:
    if text == INSIDE:
        text = text.replace(", reuse_last_task_id=False", "")
    scripts.run(text, "-m", "rate=1,2", "db=mysql")
    tasks = Task.get_tasks()
    assert sorted(task.get_parameters()["Hydra/rate"] for task in tasks) == ["1", "2"]
    for task in tasks:
        text = task.get_configuration_object("OmegaConf") or ""
        assert re.search(rf"^rate: {task.get_parameter('Hydra/rate')}$", text, re.MULTILINE)


def test_a_job_of_a_multirun_that_fails_fails_its_task(scripts: Scripts) -> None:
    failing = TEXT.replace("INSIDE", INIT).replace("BEFORE", "").replace("END", "1 / (config.rate - 1)")
    script = scripts.run(failing, "-m", "rate=1,2", code=1)
    assert "ZeroDivisionError" in script.err
    tasks = {task.get_parameter("Hydra/rate"): task for task in Task.get_tasks()}
    assert sorted(tasks) == ["1", "2"]
    assert tasks["1"].get_status() == "failed"


def test_a_task_that_began_before_a_multirun_has_all_of_its_jobs(scripts: Scripts) -> None:
    scripts.run(BEFORE, "-m", "rate=1,2")
    assert [task.get_parameter("Hydra/rate") for task in Task.get_tasks()] == ["2"]


def test_a_task_that_begins_after_the_job_is_not_given_it(scripts: Scripts) -> None:
    text = TEXT.replace("INSIDE", "").replace("BEFORE", "").replace("END", "") + INIT
    assert recorded(scripts, text, "rate=2") == {}


def test_the_switch_is_obeyed_and_hydra_s_own_parser_is_not_the_script_s(scripts: Scripts) -> None:
    for choice in ("False", "{'hydra': False}"):
        for text in (INSIDE, BEFORE):
            chosen = text.replace("'arguments',", f"'arguments', auto_connect_frameworks={choice},")
            assert recorded(scripts, chosen, "rate=2") == {}
            assert last().get_configuration_objects() == {}
    chosen = INSIDE.replace("'arguments',", "'arguments', auto_connect_arg_parser=False,")
    assert recorded(scripts, chosen, "rate=2")["Hydra/rate"] == "2"


@pytest.mark.parametrize("line", [("--help",), ("--cfg", "job"), ("no_such=1",), ("rate",)])
def test_hydra_prints_and_exits_as_before(scripts: Scripts, line: tuple[str, ...]) -> None:
    without = TEXT.replace("from eventlog import Task\n", "\n")
    for word in ("INSIDE", "BEFORE", "END"):
        without = without.replace(word, "")
    before = scripts.start(without, *line)
    code = before.wait()
    for text in (INSIDE, BEFORE):
        script = scripts.run(text, *line, code=code)
        assert (script.out, script.err) == (before.out, before.err)


def test_a_job_that_fails_is_told_as_before(scripts: Scripts) -> None:
    text = INSIDE.replace("print(", "1 / 0 #")
    script = scripts.run(text, code=1)
    assert "ZeroDivisionError: division by zero" in script.err
    assert "Set the environment variable HYDRA_FULL_ERROR=1" in script.err
    assert "eventlog" not in script.err


def test_what_hydra_warns_of_is_said_as_before(scripts: Scripts) -> None:
    # Without a version it changes the folder, and says so.
    text = TEXT.replace(", version_base=None", "").replace(
        "import hydra", "import warnings; warnings.simplefilter('always')\nimport hydra"
    )
    without = text.replace("from eventlog import Task", "")
    for word in ("INSIDE", "BEFORE", "END"):
        without = without.replace(word, "")
    before = scripts.run(without)
    script = scripts.run(text.replace("BEFORE", INIT).replace("INSIDE", "").replace("END", ""))
    assert script.err == before.err
    assert "working directory" in before.err
