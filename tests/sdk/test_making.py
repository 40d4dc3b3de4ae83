"""Drafts are made from what is given, from other tasks and from exported ones."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog import Task
from eventlog.errors import InputInvalid, NotAvailable, NotFound
from tests.sdk.scripts import Scripts


def repository(folder: Path) -> str:
    """A repository with one commit and one change; returns the commit."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    (folder / "source").mkdir(parents=True)
    (folder / "source" / "train.py").write_text("print(1)\n")
    git("init", "-q", "-b", "main")
    git("remote", "add", "origin", "https://user:secret@example.com/team/project.git")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    (folder / "source" / "train.py").write_text("print(2)\n")
    return git("rev-parse", "HEAD")


def test_a_draft_has_its_names_and_nothing_else() -> None:
    task = Task.create(project_name="tests/making", task_name="a draft")
    assert (task.name, task.project, task.status, task.task_type) == (
        "a draft",
        "tests/making",
        "created",
        "training",
    )
    assert Task.current_task() is None
    data = task.data
    assert (data.script.repository, data.script.entry_point) == ("", "")
    assert (data.started, data.active_duration, data.hyperparams) == (None, None, {})
    assert Task.create(project_name="tests/making", task_name="a draft").id != task.id


def test_everything_that_is_given_is_in_the_draft(tmp_path: Path) -> None:
    task = Task.create(
        project_name="tests/making",
        task_name="a draft",
        task_type="testing",
        repo="https://user:secret@example.com/team/project.git",
        branch="main",
        commit="abc123",
        script="source/train.py",
        working_directory="source",
        packages=["tqdm>=2.1", "numpy"],
        docker="nvidia/cuda:12",
        docker_args="--ipc=host",
        docker_bash_setup_script=["apt update", "apt install -y gcc"],
        argparse_args=[("lr", "0.5"), ("--epochs", 3)],
        binary="python3.12",
    )
    assert task.task_type == "testing"
    assert task.get_script() == {
        "working_dir": "source",
        "entry_point": "source/train.py",
        "branch": "main",
        "repository": task.data.script.repository,  # type: ignore[union-attr]
    }
    script = task.data.script
    assert "secret" not in script.repository
    assert script.repository.endswith("@example.com/team/project.git")
    assert (script.version_num, script.binary) == ("abc123", "python3.12")
    assert task.get_requirements() == {"pip": "tqdm>=2.1\nnumpy"}
    assert task.get_base_docker() == "nvidia/cuda:12 --ipc=host"
    assert task.data.container["setup_shell_script"] == "apt update\napt install -y gcc"
    assert task.get_parameters(cast=True) == {"Args/lr": "0.5", "Args/epochs": 3}


def test_of_a_local_repository_it_is_recorded_what_is_checked_out(tmp_path: Path) -> None:
    commit = repository(tmp_path / "project")
    by_repo = Task.create(
        project_name="tests/making",
        task_name="by repo",
        repo=str(tmp_path / "project"),
        script="source/train.py",
    )
    by_script = Task.create(
        project_name="tests/making", script=str(tmp_path / "project" / "source" / "train.py")
    )
    assert by_script.name == "train"
    for task in (by_repo, by_script):
        script = task.data.script
        assert (script.branch, script.version_num, script.entry_point) == ("main", commit, "source/train.py")
        assert "+print(2)" in script.diff
        assert "secret" not in script.repository


def test_without_a_repository_the_text_of_the_script_is_recorded(tmp_path: Path) -> None:
    repository(tmp_path / "project")
    path = tmp_path / "project" / "source" / "train.py"
    for more in ({"detect_repository": False}, {"force_single_script_file": True}):
        task = Task.create(project_name="tests/making", task_name="single", script=str(path), **more)  # type: ignore[arg-type]
        script = task.data.script
        assert (script.entry_point, script.text, script.repository) == ("train.py", "print(2)\n", "")


def test_a_module_takes_the_place_of_a_script_and_a_file_that_of_packages(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy==2.0\n# more\ntorch\n")
    task = Task.create(
        project_name="tests/making",
        task_name="by module",
        module="my.module arg1 arg2",
        requirements_file=tmp_path / "requirements.txt",
    )
    assert task.get_script()["entry_point"] == "-m my.module arg1 arg2"
    assert task.get_requirements()["pip"].splitlines() == ["numpy==2.0", "# more", "torch"]
    installed = Task.create(project_name="tests/making", task_name="installed", packages=True)
    assert "msgspec==" in installed.get_requirements()["pip"]


@pytest.mark.parametrize(
    "broken",
    [
        {"script": "a.py", "module": "a"},
        {"repo": "https://example.com/a.git"},
        {"repo": "/nowhere/at/all", "script": 5},
        {"packages": 5},
        {"packages": [5]},
        {"requirements_file": "/nowhere/requirements.txt"},
        {"argparse_args": [("a", "b", "c")]},
        {"argparse_args": [5]},
        {"task_type": "nonsense"},
        {"task_name": "ab"},
        {"docker": 5},
    ],
)
def test_what_does_not_go_together_makes_no_draft(broken: dict[str, Any], task: Task) -> None:
    with pytest.raises(InputInvalid) as caught:
        Task.create(**{"project_name": "tests/making", "task_name": "a draft", **broken})
    assert "\n" not in str(caught.value)
    assert Task.get_tasks() == [task]


def test_a_script_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match=r"nowhere\.py"):
        Task.create(project_name="tests/making", task_name="a draft", script="nowhere.py")


def test_the_project_of_a_draft_is_by_default_that_of_the_current_task(task: Task) -> None:
    assert Task.create(task_name="beside it").project == task.project
    task.close()
    with pytest.raises(InputInvalid, match="project_name"):
        Task.create(task_name="beside it")


@pytest.fixture
def original(task: Task) -> Task:
    """A task that has everything."""
    task.set_task_type("testing")
    task.set_parameters({"Args/lr": 0.5, "net/layers": [1, 2]})
    task.set_tags(["best"])
    task.set_comment("the first")
    task.set_base_docker(docker_image="python", docker_arguments="-e A=1")
    task.set_packages(["numpy"])
    task.set_progress(50)
    task.upload_artifact("data", {"a": 1})
    task.get_logger().report_scalar("a", "b", value=1, iteration=7)
    task.get_logger().report_single_value("c", 1)
    task.set_archived(True)
    task.close()
    return task


def test_a_clone_has_what_the_task_was_given_and_nothing_that_it_has_done(original: Task) -> None:
    clone = Task.clone(original)
    assert (clone.name, clone.project, clone.status) == ("Clone Of a task", "tests/sdk", "created")
    assert (clone.comment, clone.get_tags(), clone.task_type) == ("the first", ["best"], "testing")
    assert clone.get_parameters(cast=True) == {"Args/lr": 0.5, "net/layers": [1, 2]}
    assert clone.get_base_docker() == "python -e A=1"
    assert clone.get_requirements() == {"pip": "numpy"}
    assert clone.get_script() == original.get_script()
    assert clone.parent == original.id
    assert clone.get_system_tags() == []
    assert (dict(clone.artifacts), clone.get_progress(), clone.get_last_iteration()) == ({}, None, 0)
    assert clone.get_reported_single_values() == {}
    assert clone.data.started is None


def test_a_clone_is_editable_and_the_original_stays(original: Task) -> None:
    original.publish()
    clone = Task.clone(original.id, name="second", comment="", parent="p" * 32, project="tests/other")
    assert (clone.name, clone.comment, clone.parent, clone.project) == ("second", "", "p" * 32, "tests/other")
    clone.set_parameter("Args/lr", 0.7)
    clone.set_name("third")
    assert original.get_parameter("Args/lr", cast=True) == 0.5
    grandchild = Task.clone(clone)
    assert (grandchild.name, grandchild.parent) == ("Clone Of third", "p" * 32)


def test_what_is_not_there_is_not_cloned(task: Task) -> None:
    with pytest.raises(NotFound, match="no task"):
        Task.clone("0" * 32)
    with pytest.raises(InputInvalid, match="too short"):
        Task.clone(task, name="x")
    with pytest.raises(InputInvalid, match="not int"):
        Task.clone(5)  # type: ignore[arg-type]
    assert Task.clone().parent == task.id
    task.close()
    with pytest.raises(InputInvalid, match="no current task"):
        Task.clone()
    assert len(Task.get_tasks()) == 2


def test_create_may_begin_with_a_copy(original: Task) -> None:
    made = Task.create(
        base_task_id=original.id,
        task_name="changed",
        task_type="training",
        packages=["torch"],
        argparse_args=[("lr", 1)],
        docker="cuda",
    )
    assert (made.name, made.task_type, made.parent) == ("changed", "training", original.id)
    assert made.get_parameters(cast=True) == {"Args/lr": 1, "net/layers": [1, 2]}
    assert made.get_requirements() == {"pip": "torch"}
    assert made.get_script() == original.get_script()
    assert made.get_base_docker() == "cuda"


def without_id(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in {"id", "system_tags"}}


def test_an_exported_task_is_imported_as_it_was(original: Task) -> None:
    data = json.loads(json.dumps(original.export_task()))
    made = Task.import_task(data)
    assert made.status == "created"
    assert made.id != original.id
    assert without_id(made.export_task()) == without_id(data)


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=3, max_size=20).filter(
    lambda text: len(text.strip()) >= 3
)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=9)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=names,
    project=names,
    parameters=st.dictionaries(words, st.one_of(st.integers(), st.text(max_size=9), st.booleans())),
    tags=st.lists(words.filter(str.strip)),
    comment=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_a_round_trip_changes_nothing(
    home: Path, name: str, project: str, parameters: dict[str, Any], tags: list[str], comment: str
) -> None:
    task = Task.create(project_name=project, task_name=name)
    task.set_parameters({f"section/{key}": value for key, value in parameters.items()})
    task.set_comment(comment)
    task.set_tags(tags)
    data = json.loads(json.dumps(task.export_task()))
    assert without_id(Task.import_task(data).export_task()) == without_id(data)


def test_an_import_into_a_task_replaces_and_an_update_keeps(original: Task) -> None:
    data = {
        "comment": "imported",
        "tags": ["new"],
        "hyperparams": {"Args": {"lr": {"value": "0.9", "type": "float"}}},
        "configuration": {"net": {"value": "a: 1", "type": "yaml"}},
        "execution": {"model_labels": {"cat": 1}},
    }
    updated = Task.clone(original)
    assert updated.update_task(data) is True
    assert updated.get_parameters(cast=True) == {"Args/lr": 0.9, "net/layers": [1, 2]}
    assert updated.get_tags() == ["best", "new"]
    replaced = Task.import_task(data, Task.clone(original).id)
    assert replaced.get_parameters(cast=True) == {"Args/lr": 0.9}
    assert (replaced.get_tags(), replaced.comment, replaced.name) == (["new"], "imported", "Clone Of a task")
    assert replaced.data.configuration["net"].value == "a: 1"
    assert replaced.data.execution.model_labels == {"cat": 1}


def test_what_clearml_exports_is_imported() -> None:
    task = Task.import_task(
        {
            "comment": "hello",
            "configuration": {"cfg": {"name": "cfg", "type": "dictionary", "value": "a = [1, 2]"}},
            "execution": {"docker_cmd": "cuda", "model_desc": {}, "model_labels": {}, "parameters": {}},
            "hyperparams": {
                "Args": {
                    "x": {"description": "", "name": "x", "section": "Args", "type": "int", "value": "1"}
                },
                "properties": {"a": {"name": "a", "section": "properties", "value": "1"}},
            },
            "id": "offline-26c2",
            "name": "my task",
            "output": {},
            "project_name": "examples",
            "script": {
                "binary": "python3.11",
                "branch": "",
                "diff": "print(1)",
                "entry_point": "a.py",
                "repository": "",
                "requirements": {"pip": "numpy\ntorch", "conda": ""},
                "version_num": "",
                "working_dir": ".",
            },
            "type": "training",
        }
    )
    assert (task.name, task.project, task.get_parameters(cast=True)) == ("my task", "examples", {"Args/x": 1})
    assert task.data.hyperparams["properties"]["a"].value == "1"
    assert task.get_requirements() == {"pip": "numpy\ntorch"}
    assert task.data.script.diff == "print(1)"


@pytest.mark.parametrize(
    "broken",
    [
        5,
        {},
        {"name": "x"},
        {"name": "fine", "hyperparams": 5},
        {"name": "fine", "hyperparams": {"Args": 5}},
        {"name": "fine", "configuration": {"a": 5}},
        {"name": "fine", "type": "nonsense"},
        {"name": "fine", "tags": 5},
        {"name": "fine", "script": 5},
        {"name": "fine", "execution": {"model_labels": {"cat": None}}},
        {"name": "fine", "models": {"input": [{}]}},
    ],
)
def test_what_is_no_exported_task_is_refused_and_changes_nothing(broken: Any, task: Task) -> None:
    target = Task.create(project_name="tests/making", task_name="a target")
    before = target.export_task()
    for target_task in (None, target):
        if target_task is None or broken != {}:
            with pytest.raises(InputInvalid) as caught:
                Task.import_task(broken, target_task)
            assert "\n" not in str(caught.value)
    assert target.export_task() == before
    assert {found.id for found in Task.get_tasks()} == {task.id, target.id}


def test_ids_are_what_they_seem(task: Task) -> None:
    assert Task.resolve_id(task) == task.id == task.task_id
    assert Task.resolve_id("abc") == "abc"
    assert Task.resolve_id(None) is None
    assert Task.normalize_id(f" {task.id} ") == task.id
    assert Task.clone(f" {task.id}\n").parent == task.id


REMOTELY = """
import sys
from eventlog import Task

task = Task.init(project_name="tests/making", task_name="left")
found = task.connect({"rate": 0.1})
draft = task.execute_remotely("a queue", **eval(sys.argv[1]))
print("goes on", found["rate"], draft and draft.status)
"""


def test_a_script_leaves_its_run_to_another_process(scripts: Scripts) -> None:
    first = scripts.run(REMOTELY, "{}")
    assert first.out == ""
    (left,) = scripts.states()
    assert first.err.startswith(
        f"eventlog: task {left.id} is a draft: `eventlog run --task {left.id}` runs it"
    )
    assert (left.status, left.parameters["General/rate"].value) == ("created", "0.1")
    assert left.execution is not None
    assert "execute_remotely" in left.execution.script
    # Started again, it leaves another.
    scripts.run(REMOTELY, "{}")
    assert [state.status for state in scripts.states()] == ["created"] * 2
    Task.get_task(left.id).set_parameter("General/rate", 0.7)
    script = scripts.start(REMOTELY, "{}", environment={"EVENTLOG_TASK_ID": left.id})
    assert (script.wait(), script.out) == (0, "goes on 0.7 None\n")
    assert [state.status for state in scripts.states()] == ["created", "completed"]


def test_a_script_leaves_a_copy_and_goes_on(scripts: Scripts) -> None:
    script = scripts.run(REMOTELY, "dict(clone=True, exit_process=False)")
    assert script.out == "goes on 0.1 created\n"
    assert [(state.name, state.status) for state in scripts.states()] == [
        ("Clone Of left", "created"),
        ("left", "completed"),
    ]
    script = scripts.run(REMOTELY, "dict(clone=True)")
    assert script.out == ""
    # The script has run its own task again, as scripts do.
    assert sorted(state.status for state in scripts.states()) == ["completed", "created", "created"]


def test_what_cannot_be_left_to_another_process_is_told(task: Task, offline_mode: None) -> None:
    with pytest.raises(InputInvalid, match="clone=True"):
        task.execute_remotely(exit_process=False)
    draft = Task.create("tests/making", "a draft")
    with pytest.raises(InputInvalid, match="needs the task of Task"):
        draft.execute_remotely()
    task.close()
    Task.set_offline(True)
    session = Task.init("tests/making", "offline")
    with pytest.raises(NotAvailable, match="offline mode"):
        session.execute_remotely()
    session.close()


def test_each_run_that_is_left_is_a_draft_of_its_own_and_none_is_gone_on_with(scripts: Scripts) -> None:
    text = """
    import sys
    from eventlog import Task
    task = Task.init("tests/making", "left", continue_last_task=sys.argv[1] == "go on")
    task.connect({"who": sys.argv[1]})
    task.execute_remotely()
    """
    running = [scripts.start(text, str(number), name=f"{number}.py") for number in range(6)]
    assert [script.wait() for script in running] == [0] * 6
    drafts = scripts.states()
    assert {state.status for state in drafts} == {"created"}
    assert sorted(state.parameters["General/who"].value for state in drafts) == list("012345")
    script = scripts.start("from eventlog import Task\nTask.init('tests/making', 'left').mark_completed()\n")
    assert script.wait() == 0
    last = scripts.run(text, "go on", code=1)
    assert "goes on with what it had" in last.err
    assert [state.status for state in scripts.states()].count("created") == 6


@pytest.mark.parametrize("how", ["thread", "except", "finally"])
def test_nothing_of_a_script_comes_after_its_run_is_left(scripts: Scripts, how: str) -> None:
    script = scripts.run(
        """
        import atexit, sys, threading, time
        from eventlog import Task

        task = Task.init("tests/making", "left")
        atexit.register(print, "the end")
        if sys.argv[1] == "thread":
            threading.Thread(target=task.execute_remotely).start()
            time.sleep(60)
        try:
            task.execute_remotely()
        except BaseException:
            print("goes on")
        finally:
            task.get_logger().report_scalar("late", "late", 1, 1)
        """,
        how,
    )
    assert script.out == "the end\n"
    assert scripts.state().status == "created"
    (task,) = Task.get_tasks()
    assert task.get_reported_scalars() == {}
