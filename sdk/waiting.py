"""Waiting until a task has a status, whichever process gives it that."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid, StatusUnexpected
from eventlog.sdk.names import shown
from eventlog.sdk.task_types import TaskStatusEnum

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = ["wait_for_status"]

# A look costs less than a millisecond, and there is no server to be spared.
_LONGEST_SECONDS = 1.0
_SHORTEST_SECONDS = 0.01


def wait_for_status(
    read: Callable[[], "TaskState"],
    wanted: Iterable[str] | str,
    unwanted: Iterable[str] | str | None,
    interval: float,
    patience: float | None,
) -> None:
    """Read a task's state until it has one of the statuses.

    Args:
        read: gives its state now.
        wanted, unwanted: the statuses that are waited for, and those that are an error.
        interval: seconds between two looks; at most one.
        patience: seconds, or None to wait for ever.

    Raises:
        StatusUnexpected: it has one of those that are an error, or took too long.
        InputInvalid: there is no such status, or a number cannot be one of seconds.
    """
    good, bad = _statuses(wanted), _statuses(unwanted or ())
    if not good:
        raise InputInvalid(f"there is no status to wait for: choose from {', '.join(TaskStatusEnum)}")
    pause = min(max(_seconds(interval), _SHORTEST_SECONDS), _LONGEST_SECONDS)
    deadline = None if patience is None else time.monotonic() + _seconds(patience)
    while True:
        state = read()
        # A task that is published had ended before.
        is_there = state.status in good or (state.status == "published" and "completed" in good)
        if state.status in bad:
            raise StatusUnexpected(
                f"task {state.id} is {state.status}{_reason(state)}: waited for {' or '.join(good)}"
            )
        if is_there:
            return
        if deadline is not None and time.monotonic() >= deadline:
            raise StatusUnexpected(
                f"task {state.id} is {state.status} after {patience:g} s: waited for {' or '.join(good)}"
            )
        left = pause if deadline is None else max(deadline - time.monotonic(), 0)
        time.sleep(min(pause, left))


def _statuses(given: Iterable[str] | str) -> list[str]:
    several = [given] if isinstance(given, str) else given
    try:
        return [str(TaskStatusEnum(one)) for one in several]
    except (TypeError, ValueError):
        raise InputInvalid(
            f"there is no status {shown(given)}: choose from {', '.join(TaskStatusEnum)}"
        ) from None


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise InputInvalid(f"seconds must be a number of 0 or more, not {shown(value)}")
    return float(value)


def _reason(state: "TaskState") -> str:
    reason = state.status_reason or state.status_message
    return f" ({reason})" if reason else ""
