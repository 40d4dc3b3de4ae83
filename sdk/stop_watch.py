"""Notices that a running task was asked to stop, or was ended, by another process.

A thread looks once a second at what was committed to the store since, by whichever process or by a sync: at
the headers of the new batches, and at the state events in them. That costs nothing a script would feel, and
nothing is folded.

A request is a system tag, so that it is a fact in the log like any other, and reaches the process on
whatever machine it runs once their stores have met. Who is asked to stop first calls what the script
registered, if anything, then ends its task as stopped, then itself with SIGTERM. That is what ClearML does.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from eventlog.errors import EventlogError
from eventlog.events import (
    Event,
    SystemTagsAdded,
    SystemTagsRemoved,
    TaskCompleted,
    TaskFailed,
    TaskReset,
    TaskStopped,
)
from eventlog.store import Store

__all__ = ["STOP_TAG", "StopWatch"]

log = logging.getLogger("eventlog")

STOP_TAG = "stop requested"
_SECONDS = 1.0


class StopWatch:
    """Watches over the task that this process runs.

    Attributes:
        callback: called when the task is to stop, before it does.
        patience: how many seconds the callback may take.

    Args:
        store: its store.
        task_id: the task.
        end: ends the run, called as ``end(message, is_ended)``, with True if it has been ended elsewhere.
    """

    def __init__(self, store: Store, task_id: str, end: Callable[[str, bool], None]) -> None:
        self.callback: Callable[[], Any] | None = None
        self.patience = 30.0
        self._store = store
        self._task_id = task_id
        self._end = end
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eventlog-stop-watch", daemon=True)
        self._seen: dict[bytes, int] = {}

    def __repr__(self) -> str:
        return f"<StopWatch of task {self._task_id}>"

    def start(self) -> None:
        """Begin; returns at once."""
        # What is there when the task begins is not about this run of it.
        self._seen = {store: head.number for store, head in self._store.heads().items()}
        try:
            self._thread.start()
        except RuntimeError:
            # The interpreter is ending and starts no threads any more: there is nothing to be stopped.
            pass

    def stop(self) -> None:
        """Watch no longer."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(_SECONDS):
            try:
                found = self._look()
            except EventlogError as error:
                log.debug("eventlog: whether task %s is to stop cannot be read: %s", self._task_id, error)
                continue
            if found is not None:
                self._over.set()
                self._stop(is_ended=not isinstance(found, SystemTagsAdded))
                return

    def _look(self) -> Event | None:
        """What was committed since the last look that stops the task, if anything."""
        heads = {store: head.number for store, head in self._store.heads().items()}
        found: Event | None = None
        for store, last in heads.items():
            first = self._seen.get(store, -1) + 1
            for batch in self._store.batches(store, first, last) if first <= last else ():
                is_own = batch.session == self._store.session.id
                for numbered in batch.state_events() if batch.states else ():
                    found = self._judge(numbered.event, found, is_own=is_own)
        self._seen = heads
        return found

    def _judge(self, event: Event, found: Event | None, *, is_own: bool) -> Event | None:
        if event.task != self._task_id:
            return found
        match event:
            case SystemTagsAdded() if STOP_TAG in event.tags:
                return event
            case SystemTagsRemoved() if STOP_TAG in event.tags:
                return None if isinstance(found, SystemTagsAdded) else found
            case TaskCompleted() | TaskFailed() | TaskStopped() | TaskReset() if not is_own:
                return event
        return found

    def _stop(self, *, is_ended: bool) -> None:
        if self.callback is not None:
            thread = threading.Thread(target=self._call, name="eventlog-abort-callback", daemon=True)
            thread.start()
            thread.join(self.patience)
        if not is_ended:
            self._store.session.append(SystemTagsRemoved, self._task_id, [STOP_TAG])
        self._end("", is_ended)
        os.kill(os.getpid(), signal.SIGTERM)

    def _call(self) -> None:
        try:
            assert self.callback is not None
            self.callback()
        except Exception:
            log.exception("eventlog: the abort callback of task %s failed", self._task_id)
