"""Tasks for the tests of the SDK: in this process, and in scripts of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.sdk.automatic import command_lines
from eventlog.sdk.stores import close_stores
from eventlog.sdk.task import Task
from tests.sdk.scripts import Scripts


@pytest.fixture(autouse=True)
def own_store(home: Path) -> Iterator[None]:
    """Each test has a home of its own, and leaves no task, no store and no command line behind it."""
    yield
    command_lines._of_process.clear()
    command_lines._of_next_task.clear()
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


@pytest.fixture
def offline_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline mode is as it was when the test has ended, whatever that turned on."""
    for name in ("EVENTLOG_OFFLINE_MODE", "EVENTLOG_TASK_ID", "EVENTLOG_MAIN_TASK"):
        # Set and removed, so that it is put back even if it was not there.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The home of another machine."""
    return tmp_path / "elsewhere"
