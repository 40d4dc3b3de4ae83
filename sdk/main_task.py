"""The task of the process that started this one.

A script that starts itself again, one process for each graphics card say, calls `Task.init` in all of them.
As with ClearML, they all add to the task of the first: it leaves word of its task in the environment, which
its children inherit.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.errors import NotFound
from eventlog.sdk.names import check_id
from eventlog.sdk.stores import read_state
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = ["forget_main_task", "leave_main_task", "main_task_home", "read_soon", "task_of_main_process"]

_VARIABLE = "EVENTLOG_MAIN_TASK"
# Besides the interval between two commits.
_COMMIT_SECONDS = 0.5


def leave_main_task(store: Store, task: str) -> None:
    """Let the processes that this one starts from here on know its task."""
    with suppress(ValueError, UnicodeError):
        os.environ[_VARIABLE] = f"{os.getpid()}:{task}:{store.home}"


def forget_main_task(task: str) -> None:
    """Take it back; what a process above this one left is gone as well, since its task was not this one's."""
    if f":{task}:" in os.environ.get(_VARIABLE, ""):
        del os.environ[_VARIABLE]


def task_of_main_process(store: Store) -> str:
    """The task of the process that started this one, if it still runs and lies in this store, or ""."""
    process, _, rest = os.environ.get(_VARIABLE, "").partition(":")
    task, _, home = rest.partition(":")
    if not task or process == str(os.getpid()) or home != str(store.home):
        return ""
    try:
        return task if read_soon(store, task).status == "in_progress" else ""
    except NotFound:
        return ""


def read_soon(store: Store, task: str) -> "TaskState":
    """What a task is now, or as soon as the process that begins it has committed that.

    Raises:
        NotFound: there is no such task, in the time that a commit takes.
    """
    deadline = time.monotonic() + store.configuration.commit_interval_seconds + _COMMIT_SECONDS
    while True:
        try:
            return read_state(store, check_id(task))
        except NotFound:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def main_task_home() -> Path | None:
    """The folder of the store that the process that started this one writes to, if it left word of it."""
    home = os.environ.get(_VARIABLE, "").partition(":")[2].partition(":")[2]
    return Path(home) if home else None
