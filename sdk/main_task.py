"""The task of the process that started this one, or of rank 0 of the run that this one is part of.

A script that starts itself again, one process for each graphics card say, calls `Task.init` in all of them.
As with ClearML, they all add to the task of the first: it leaves word of its task in the environment, which
its children inherit. A rank that has found the task of rank 0 (`ranks.py`) leaves the same word, for itself
and for its own children.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.errors import EventlogError, NotFound
from eventlog.sdk.automatic.choices import Choices
from eventlog.sdk.names import check_id
from eventlog.sdk.stores import open_store_at, read_state
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = [
    "follows_rank_0",
    "forget_main_task",
    "has_main_task",
    "leave_choices",
    "leave_main_task",
    "leave_task_of_rank_0",
    "left_choices",
    "main_task_home",
    "main_task_store",
    "pass_over_main_task",
    "read_soon",
    "task_of_main_process",
]

_VARIABLE = "EVENTLOG_MAIN_TASK"
_CHOICES = "EVENTLOG_MAIN_CHOICES"
# In place of the number of the process.
_RANK_0 = "rank 0"
# Besides the interval between two commits.
_COMMIT_SECONDS = 0.5


def leave_main_task(store: Store, task: str) -> None:
    """Let the processes that this one starts from here on know its task."""
    _leave(str(os.getpid()), task, store.home)


def leave_task_of_rank_0(task: str, home: Path) -> None:
    """Let this process, and those that it starts, know the task of rank 0, which may have ended."""
    _leave(_RANK_0, task, home)


def _leave(process: str, task: str, home: Path) -> None:
    with suppress(ValueError, UnicodeError):
        os.environ[_VARIABLE] = f"{process}:{task}:{home}"


def leave_choices(choices: Choices) -> None:
    """Let them know as well what is logged there by itself."""
    with suppress(ValueError, UnicodeError, TypeError):
        os.environ[_CHOICES] = choices.to_text()


def left_choices() -> Choices:
    """What is logged by itself in the process that started this one; all, if that is not known."""
    return Choices.of_text(os.environ.get(_CHOICES, ""))


def forget_main_task(task: str) -> None:
    """Take it back; what a process above this one left is gone as well, since its task was not this one's."""
    if f":{task}:" in os.environ.get(_VARIABLE, ""):
        del os.environ[_VARIABLE]
        os.environ.pop(_CHOICES, None)


def has_main_task() -> bool:
    """Whether another process has left word of its task, which was not passed over."""
    word = os.environ.get(_VARIABLE, "")
    return word not in ("", _passed_over) and not word.startswith(f"{os.getpid()}:")


def follows_rank_0() -> bool:
    """Whether the word is of rank 0, which does not wait for this process."""
    return os.environ.get(_VARIABLE, "").startswith(f"{_RANK_0}:")


def pass_over_main_task() -> None:
    """It cannot be added to: do not try again."""
    global _passed_over
    _passed_over = os.environ.get(_VARIABLE, "")


_passed_over = ""


def main_task_store() -> Store | None:
    """The store with the task of the process that started this one, if it can be opened."""
    home = main_task_home()
    try:
        return None if home is None else open_store_at(home, create=True)
    except EventlogError:
        return None


def task_of_main_process(store: Store) -> str:
    """The task of the process that started this one, if it still runs, or that of rank 0, or "".

    It is "" as well if it lies in another store.
    """
    process, _, rest = os.environ.get(_VARIABLE, "").partition(":")
    task, _, home = rest.partition(":")
    if not task or process == str(os.getpid()) or home != str(store.home):
        return ""
    try:
        return task if read_soon(store, task, here=True).status == "in_progress" or process == _RANK_0 else ""
    except NotFound:
        return ""


def read_soon(store: Store, task: str, *, here: bool = False) -> "TaskState":
    """What a task is now, or as soon as the process that begins it has committed that.

    Args:
        here: as of `read_state`.

    Raises:
        NotFound: there is no such task, in the time that a commit takes.
    """
    deadline = time.monotonic() + store.configuration.commit_interval_seconds + _COMMIT_SECONDS
    while True:
        try:
            return read_state(store, check_id(task), here=here)
        except NotFound:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def main_task_home() -> Path | None:
    """The folder of the store that the process that started this one writes to, if it left word of it."""
    home = os.environ.get(_VARIABLE, "").partition(":")[2].partition(":")[2]
    return Path(home) if home else None
