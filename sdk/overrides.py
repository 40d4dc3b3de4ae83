"""Whose values count: those that the code gives, or those that are stored in the task.

A task that is made first and run later, through ``EVENTLOG_TASK_ID``, runs with what was set in it: where the
code connects parameters or a configuration, the values stored in the task win.
"""

import os

__all__ = ["given_task_id", "overridden", "set_overridden"]

_VARIABLE = "EVENTLOG_TASK_ID"


def given_task_id() -> str:
    """The task that this process was told to run, or ""."""
    return os.environ.get(_VARIABLE, "").strip()


def overridden() -> bool:
    """Whether this process runs the task of ``EVENTLOG_TASK_ID``, so that its stored values win."""
    return _overridden


def set_overridden(value: bool) -> None:
    """Note whether the task that begins here was taken through ``EVENTLOG_TASK_ID``."""
    global _overridden
    _overridden = value


_overridden = False
