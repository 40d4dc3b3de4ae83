"""docs/coming-from-clearml.md has every public name of ClearML's classes, and says the truth of each."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eventlog import InputModel, Logger, Model, OutputModel, StorageManager, Task
from eventlog.errors import NotAvailable
from eventlog.sdk.stores import close_stores

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-clearml.md"
OURS: dict[str, Any] = {
    "Task": Task,
    "Logger": Logger,
    "OutputModel": OutputModel,
    "InputModel": InputModel,
    "Model": Model,
    "StorageManager": StorageManager,
}
ROW = re.compile(r"\| `(\w+)` \| (works|differs|not here) \|(.*)\|")


class Row(NamedTuple):
    owner: str
    name: str
    here: str
    note: str


def rows_of_the_page() -> list[Row]:
    rows, owner = [], ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            owner = line[3:].strip("` ")
        elif match := ROW.fullmatch(line):
            rows.append(Row(owner, *(part.strip() for part in match.groups())))
        else:
            assert not line.startswith("| `") or owner not in OURS, f"not a row as the others are: {line}"
    return rows


ROWS = rows_of_the_page()


@pytest.fixture(scope="module")
def clearml(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[Any]]]:
    """The names of ClearML itself, from a process of its own with a home of its own."""
    home = tmp_path_factory.mktemp("clearml-home")
    environment = {**os.environ, "HOME": str(home), "CLEARML_OFFLINE_MODE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("clearml_names.py")],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    names: dict[str, dict[str, list[Any]]] = json.loads(done.stdout)
    return names


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENTLOG_HOME", str(tmp_path_factory.mktemp("home")))
        task = Task.init(project_name="tests/docs", task_name="every call")
        model = OutputModel(task=task, name="a model")
        yield {
            "Task": task,
            "Logger": task.get_logger(),
            "OutputModel": model,
            "InputModel": InputModel(model_id=model.id),
            "Model": Model(model_id=model.id),
            "StorageManager": StorageManager,
        }
        task.close()
        close_stores()


def test_every_name_of_clearml_has_one_row_and_no_other_name_has(clearml: dict[str, dict[str, list[Any]]]):
    expected = sorted((owner, name) for owner, names in clearml.items() for name in names)
    assert sorted((row.owner, row.name) for row in ROWS) == expected


def test_what_differs_or_is_not_here_says_how_or_why():
    assert [row for row in ROWS if row.here != "works" and len(row.note) < 10] == []


def test_what_is_said_to_be_here_is_here_and_takes_clearml_s_arguments(
    clearml: dict[str, dict[str, list[Any]]],
):
    wrong = []
    for owner, name, here, _ in ROWS:
        if here == "not here":
            continue
        member = inspect.getattr_static(OURS[owner], name, None)
        kind, parameters = clearml[owner][name]
        if member is None:
            wrong.append(f"{owner}.{name} is not there")
        elif callable(getattr(OURS[owner], name)) != (kind == "call") and kind != "constant":
            wrong.append(f"{owner}.{name} is no {kind}")
        elif kind == "call":
            wrong += [f"{owner}.{name}: {what}" for what in not_taken(member, OURS[owner], name, parameters)]
    assert wrong == []


def not_taken(member: Any, owner: Any, name: str, parameters: list[list[Any]]) -> list[str]:
    """The parameters of ClearML's call that ours does not take, by name or in their place."""
    ours = list(inspect.signature(getattr(owner, name)).parameters.values())
    if not isinstance(member, (classmethod, staticmethod)):
        ours = ours[1:]
    kinds = {one.kind for one in ours}
    places = [one.name for one in ours if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    missing = []
    for place, (parameter, keyword_only, _) in enumerate(parameters):
        if parameter not in {one.name for one in ours} and inspect.Parameter.VAR_KEYWORD not in kinds:
            missing.append(f"has no {parameter}")
        elif keyword_only or inspect.Parameter.VAR_POSITIONAL in kinds:
            continue
        elif places[place : place + 1] != [parameter]:
            missing.append(f"{parameter} is not argument {place + 1}")
    required = {one[0] for one in parameters}
    missing += [
        f"needs {one.name}"
        for one in ours
        if one.default is one.empty
        and one.kind not in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
        and one.name not in required
    ]
    return missing


@pytest.mark.parametrize("row", [row for row in ROWS if row.here == "not here"], ids=lambda row: row[:2])
def test_what_is_not_here_raises(
    row: Row, clearml: dict[str, dict[str, list[Any]]], instances: dict[str, Any]
):
    kind, parameters = clearml[row.owner][row.name]
    arguments = {name: None for name, _, has_default in parameters if not has_default}

    def use() -> None:
        member = getattr(instances[row.owner], row.name)
        assert kind != "property", "a property that is not here raises when it is asked for"
        member(**arguments)

    with pytest.raises(NotAvailable, match=row.name):
        use()
