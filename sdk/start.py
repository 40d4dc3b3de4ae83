"""How a task begins: with which names, and as a new task or as one that is run again."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.events import TagsAdded, TaskCreated, TaskReset, TaskStarted, TaskStopped
from eventlog.sdk.last_runs import LastRun, LastRuns
from eventlog.sdk.plain_text import check_text
from eventlog.sdk.stores import read_state
from eventlog.store import Store

__all__ = ["check_name", "default_project_name", "default_task_name", "start_task", "tag_list"]

_SHORTEST_NAME = 3


def check_name(what: str, name: object) -> str:
    """The name of a project or a task, if it can be one.

    Args:
        what: "project" or "task", for the message.

    Raises:
        InputInvalid: it is no text, has fewer than 3 characters, or cannot be written as UTF-8.
    """
    text = check_text(f"the {what} name", name)
    if len(text.strip()) < _SHORTEST_NAME:
        raise InputInvalid(
            f"the {what} name {name!r} is too short: give at least {_SHORTEST_NAME} characters"
        )
    return text


def default_project_name() -> str:
    """The name of the folder of the repository around the script, or "Untitled"."""
    script = _script()
    for folder in script.parents if script else ():
        if (folder / ".git").exists():
            return folder.name if len(folder.name) >= _SHORTEST_NAME else f"{folder.name} project"
    return "Untitled"


def default_task_name() -> str:
    """The script's file name without its ending, or "untitled"."""
    script = _script()
    name = script.stem if script else ""
    return name if len(name) >= _SHORTEST_NAME else f"{name} task".strip() if name else "untitled"


def tag_list(tags: Sequence[str] | str) -> list[str]:
    """Tags as a list without repetitions; of one text, its words.

    Raises:
        InputInvalid: a tag is not text, or empty.
    """
    wanted: list[Any] = tags.split() if isinstance(tags, str) else list(tags)
    texts = list(dict.fromkeys(check_text("a tag", tag) for tag in wanted))
    if not all(text.strip() for text in texts):
        raise InputInvalid("a tag must not be empty")
    return texts


def start_task(
    store: Store, project: str, name: str, task_type: str, tags: list[str], reuse: bool | str
) -> str:
    """Append what begins a task, and return its id.

    Args:
        reuse: True to run the last task of that name again where ClearML would, False for a new one, or
            the id of the task to run again.

    Raises:
        NotFound: there is no task of the id given.
        InputInvalid: that task runs in another process, or has other names.
    """
    last_runs = LastRuns(store)
    with last_runs.choose(project, name, task_type) as choice:
        again = ""
        if isinstance(reuse, str):
            again = _named_task(store, reuse, project, name)
        elif reuse and choice.run is not None and choice.take(choice.run.task, None):
            again = choice.run.task
            _see_end_of(store, choice.run)
        task = again or os.urandom(16).hex()
        append = store.session.append
        if again:
            append(TaskReset, task)
        else:
            append(TaskCreated, task, name, project, task_type)
        if tags:
            append(TagsAdded, task, tags)
        try:
            append(TaskStarted, task)
            choice.take(task, store.session.id)
        except BaseException as error:
            append(TaskStopped, task, f"{type(error).__name__} at its start")
            raise
    return task


def _named_task(store: Store, task: str, project: str, name: str) -> str:
    """The id of a task that is to be run again, or "" where it has artifacts and a new one is made."""
    state = read_state(store, task)
    if state.status == "in_progress":
        raise InputInvalid(
            f"task {task} is running in another process: wait until it has ended, or leave out"
            " reuse_last_task_id"
        )
    if (state.project, state.name) != (project, name):
        raise InputInvalid(
            f"task {task} is '{state.project}/{state.name}', not '{project}/{name}': give its own names to"
            " run it again"
        )
    return "" if state.artifacts else task


def _see_end_of(store: Store, run: LastRun) -> None:
    """Order what comes next after the last event of a run by another session of this store."""
    record = store.record_of(bytes.fromhex(run.session))
    if record is not None:
        store.session.observe(record.last_time)


def _script() -> Path | None:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).absolute() if file else None
