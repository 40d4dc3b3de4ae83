"""What the tests of pushing by itself have in common: another machine, and the watchers' end."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from eventlog.errors import EventlogError
from eventlog.projections import TaskState, Views
from eventlog.store import Store
from eventlog.sync import pull
from tests.sdk.scripts import poll

__all__ = ["end_watchers", "pulled", "see", "watchers"]


def pulled(elsewhere: Path, remote: Path) -> list[TaskState]:
    """What the tasks are on another machine that pulls."""
    with Store.open(elsewhere) as store:
        with suppress(EventlogError):
            pull(store, remote)
        with Views.open(store) as views:
            views.catch_up()
            return [views.task(row.id) for row in views.find()]


def see(elsewhere: Path, remote: Path, what: Callable[[TaskState], object]) -> TaskState:
    """The only task, once another machine that pulls finds it so."""

    def look() -> TaskState | None:
        states = pulled(elsewhere, remote)
        return states[0] if states and what(states[0]) else None

    return poll(look)


def watchers(home: Path) -> list[int]:
    """The processes that push the stores under a home."""
    found = []
    for lock in home.rglob("auto_sync/*/lock"):
        with suppress(OSError, ValueError):
            process = int(lock.read_text())
            if b"eventlog.sdk.watcher" in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found


def end_watchers(home: Path) -> None:
    """Kill those that still try."""
    for process in watchers(home):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
