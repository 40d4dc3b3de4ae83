"""Tasks for the tests of the SDK: in this process, and in scripts of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.sdk.stores import close_stores
from eventlog.sdk.task import Task
from tests.sdk.scripts import Scripts


@pytest.fixture(autouse=True)
def own_store(home: Path) -> Iterator[None]:
    """Each test has a home of its own, and leaves no task and no store open behind it."""
    yield
    task = Task.current_task()
    if task is not None:
        task.close()
    close_stores()


@pytest.fixture
def task() -> Task:
    """The current task of this process, in a new store."""
    return Task.init(project_name="tests/sdk", task_name="a task")


@pytest.fixture
def scripts(tmp_path: Path, home: Path) -> Iterator[Scripts]:
    """Runs scripts in processes of their own, which end with the test."""
    made = Scripts(tmp_path / "scripts", home)
    yield made
    made.end()
