"""Functions of a script as tasks of their own.

A function's task is a draft: a copy of the task that made it, with the arguments as parameters in the section
"Function". Whoever runs the draft, by ``EVENTLOG_TASK_ID``, runs the same script up to the call that made it;
there the function is called, with the arguments that the draft then has, and the script ends.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import ParametersSet, SystemTagsAdded
from eventlog.sdk import names
from eventlog.sdk.cloning import clone_task
from eventlog.sdk.parameters import to_parameters
from eventlog.sdk.plain_text import check_text
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = ["SECTION", "function_name", "is_meant", "make_function_task", "run_function"]

SECTION = "Function"
_TAG = "function "


def function_name(func: Any, name: str | None) -> str:
    """What a function is called in its task.

    Raises:
        InputInvalid: it is no function, or has no name.
    """
    if not callable(func):
        raise InputInvalid(f"a function's task needs a function, not {type(func).__name__}")
    found = name if name is not None else getattr(func, "__name__", "")
    text = check_text("the function's name", found)
    if not text or text == "<lambda>":
        raise InputInvalid("the function has no name: give func_name")
    return text


def make_function_task(
    store: Store, source: "TaskState", function: str, task_name: str | None, arguments: dict[str, Any]
) -> str:
    """Append what makes the draft of a function's task, and return its id.

    Raises:
        InputInvalid: an argument cannot be a parameter.
    """
    parameters = to_parameters([{f"{SECTION}/{name}": value for name, value in arguments.items()}], {})
    name = f"{source.name} {function}" if task_name is None else names.check_name("task", task_name)
    task = clone_task(store, source, name=name, parent=source.id)
    if parameters:
        store.session.append(ParametersSet, task, parameters)
    store.session.append(SystemTagsAdded, task, [_TAG + function])
    return task


def is_meant(state: "TaskState", function: str) -> bool:
    """Whether a task is that of this function."""
    return _TAG + function in state.system_tags


def run_function(func: Callable[..., Any], arguments: dict[str, Any], close: Callable[[], None]) -> None:
    """Call the function of the task that this process was told to run, and end the script."""
    func(**arguments)
    close()
    sys.exit(0)
