"""Whatever is given to a method of Task, what goes wrong is one line of eventlog's own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog import Task
from eventlog.errors import EventlogError
from eventlog.sdk.requirements import read_file
from eventlog.sdk.transfers import fetch_file

FINE = {"project_name": "tests/bad", "task_name": "a draft"}
BAD: dict[str, Any] = {
    "number": 5,
    "none": None,
    "empty": "",
    "newline": "x\ny",
    "long": "n\n" * 5000,
    "half": "\ud800",
    "bytes": b"abc",
    "list": ["a"],
    "dictionary": {"a": 1},
    "object": object(),
    "path": "../../etc/passwd",
}
CALLS: dict[str, Callable[[Task, Any], object]] = {
    "init": lambda t, x: Task.init(project_name=x, task_name="a task"),
    "init type": lambda t, x: Task.init(task_type=x),
    "get_task id": lambda t, x: Task.get_task(task_id=x),
    "get_task names": lambda t, x: Task.get_task(project_name=x, task_name=x),
    "get_by_name": lambda t, x: Task.get_by_name(x),
    "get_tasks ids": lambda t, x: Task.get_tasks(task_ids=x),
    "get_tasks names": lambda t, x: Task.get_tasks(project_name=x, task_name=x),
    "get_tasks filter": lambda t, x: Task.get_tasks(task_filter={"status": x, "search_text": x}),
    "get_tasks filters": lambda t, x: Task.get_tasks(task_filter=x),
    "query_tasks": lambda t, x: Task.query_tasks(project_name=x, tags=x),
    "query_tasks fields": lambda t, x: Task.query_tasks(additional_return_fields=x),
    "get_projects": lambda t, x: Task.get_projects(name=x, id=x),
    "get_projects order": lambda t, x: Task.get_projects(order_by=x),
    "get_project_id": lambda t, x: Task.get_project_id(x),
    "create code": lambda t, x: Task.create(**FINE, repo=x, script=x, packages=x, module=x),
    "create rest": lambda t, x: Task.create(**FINE, branch=x, commit=x, docker_args=x, binary=x),
    "create script": lambda t, x: Task.create(**FINE, script=x),
    "create packages": lambda t, x: Task.create(**FINE, packages=x, requirements_file=x),
    "create arguments": lambda t, x: Task.create(**FINE, argparse_args=x),
    "create base": lambda t, x: Task.create(**FINE, base_task_id=x),
    "clone": lambda t, x: Task.clone(x),
    "clone names": lambda t, x: Task.clone(t, name=x, comment=x, project=x, parent=x),
    "clone comment": lambda t, x: Task.clone(t, comment=x),
    "import": lambda t, x: Task.import_task(x),
    "import into": lambda t, x: Task.import_task({"name": "fine"}, x),
    "simulate": lambda t, x: Task.debug_simulate_remote_task(x),
    "name": lambda t, x: t.set_name(x),
    "project": lambda t, x: t.move_to_project(x),
    "type": lambda t, x: t.set_task_type(x),
    "comment": lambda t, x: t.set_comment(x),
    "parent": lambda t, x: t.set_parent(x),
    "tags": lambda t, x: (t.set_tags(x), t.add_tags(x), t.remove_tags(x)),
    "system tags": lambda t, x: t.set_system_tags(x),
    "progress": lambda t, x: t.set_progress(x),
    "script": lambda t, x: t.set_script(x, x, x, x, x, x, x),
    "repo": lambda t, x: t.set_repo(x, x, x),
    "packages": lambda t, x: t.set_packages(x),
    "requirements": lambda t, x: (Task.add_requirements(x, x), Task.ignore_requirements(x)),
    "requirements file": lambda t, x: Task.force_requirements_env_freeze(requirements_file=x),
    "docker": lambda t, x: t.set_base_docker(x),
    "docker parts": lambda t, x: t.set_base_docker(docker_image="a", docker_arguments=x),
    "iteration": lambda t, x: t.set_initial_iteration(x),
    "seed": lambda t, x: Task.set_random_seed(x),
    "wait": lambda t, x: t.wait_for_status(x, timeout_sec=0),
    "wait raise": lambda t, x: t.wait_for_status("completed", x, timeout_sec=0),
    "stop message": lambda t, x: Task.create(**FINE).mark_stop_request(force=True, status_message=x),
    "failed message": lambda t, x: Task.create(**FINE).mark_failed(status_reason=x, status_message=x),
}


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    from eventlog.sdk import random_seed, requirements

    monkeypatch.setenv("EVENTLOG_TASK_ID", "")
    monkeypatch.setattr(random_seed, "_seed", 1337)
    monkeypatch.setattr(requirements, "_added", {})
    monkeypatch.setattr(requirements, "_installed_version", set())
    monkeypatch.setattr(requirements, "_ignored", set())
    monkeypatch.setattr(requirements, "_file", None)


@pytest.mark.parametrize("call", CALLS)
def test_bad_input_gets_one_line_and_the_task_goes_on(call: str, task: Task) -> None:
    for bad in BAD.values():
        try:
            CALLS[call](task, bad)
        except EventlogError as error:
            message = str(error)
            assert "\n" not in message
            assert 10 < len(message) < 600, message
    assert Task.get_task(task.id) is task
    assert task.status == "in_progress"
    assert task.export_task()["id"] == task.id


@pytest.mark.parametrize(
    "read",
    [
        lambda task, path: task.connect_configuration(path, name="settings"),
        lambda _, path: read_file(path),
        lambda task, path: task.update_model_desc(str(path)),
        lambda task, path: task.get_logger().report_table("a", "b", 0, csv=str(path)),
        lambda _, path: fetch_file(path.as_uri(), path.with_name("copy")),
    ],
)
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(
    read: Callable[[Task, Path], object], task: Task, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(EventlogError, match=r"pipe.* (cannot be read|is not)"):
        read(task, tmp_path / "pipe")
