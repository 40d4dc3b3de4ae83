"""One run of a task in this process: from its first event to its last."""

import logging
import os
import threading

from eventlog.errors import EventlogError, InputInvalid
from eventlog.sdk.execution import ExecutionRecorder, Launch
from eventlog.sdk.last_runs import LastRuns
from eventlog.sdk.lifecycle import COMPLETED, Lifecycle, Outcome, at_child_end, is_multiprocessing_child
from eventlog.sdk.start import start_task
from eventlog.store import Store

__all__ = ["Run", "changing", "commit"]

log = logging.getLogger("eventlog")

# How long the end of a run waits for its execution to be gathered, and when a signal presses.
_PATIENCE_SECONDS = 10.0
_HURRIED_SECONDS = 1.0
_AT_LAST = -1000


class Run:
    """A task begins to run in this process; its arguments are those of `start_task`.

    Attributes:
        task_id: the task.
        is_open: it has not ended; in a forked child, it was not closed there.
    """

    def __init__(
        self, store: Store, project: str, name: str, task_type: str, tags: list[str], reuse: bool | str
    ) -> None:
        launch = Launch.now()
        self._store = store
        self._names = (project, name, task_type)
        self._lifecycle = Lifecycle(self._end)
        self.task_id = start_task(store, project, name, task_type, tags, reuse)
        self.is_open = True
        self._lifecycle.listen()
        if is_multiprocessing_child():
            # After the task's own end. The interpreter's exit, which closes it elsewhere, may not come.
            at_child_end(store.session.close, _AT_LAST)
        self._execution = ExecutionRecorder(store, self.task_id, launch)
        self._execution.start()

    def __repr__(self) -> str:
        return f"<Run of task {self.task_id}, {'open' if self.is_open else 'ended'}>"

    def check_names(self, project: str | None, name: str | None, task_type: str) -> None:
        """Check that this run is the one that is meant; None means any.

        Raises:
            InputInvalid: another one is.
        """
        own = dict(zip(("project", "name", "type"), self._names, strict=True))
        asked = {"project": project, "name": name, "type": task_type}
        for what, text in asked.items():
            if text and text != own[what]:
                raise InputInvalid(
                    f"task '{own['project']}/{own['name']}' is open in this process, and its {what} is"
                    f" '{own[what]}', not '{text}': close it first, with task.close()"
                )

    def close(self) -> None:
        """End the run: the task is completed, unless this is a fork of the process that runs it."""
        if not self.is_open:
            return
        if self._lifecycle.is_own:
            self._end(COMPLETED, False)
            self._lifecycle.release()
        else:
            self.is_open = False

    def _end(self, outcome: Outcome, is_hurried: bool) -> None:
        """Append how the task ended, and commit; what cannot be committed stays in the journal.

        A signal's handler may raise anywhere in here, as Ctrl-C does: the outcome is appended all the same.
        """
        if not self.is_open:
            return
        try:
            self._execution.finish(_HURRIED_SECONDS if is_hurried else _PATIENCE_SECONDS)
        finally:
            try:
                self._append_outcome(outcome)
            finally:
                self._append_outcome(outcome)
        if is_hurried:
            # The thread that is interrupted may hold what a commit needs, so it only waits so long. What
            # was appended survives the process in any case.
            thread = threading.Thread(target=self._commit, name="eventlog-last-commit", daemon=True)
            thread.start()
            thread.join(_HURRIED_SECONDS)
        else:
            self._commit()

    def _append_outcome(self, outcome: Outcome) -> None:
        """Append it, unless that was done; after an interrupt it may be there twice, which is no harm."""
        if self.is_open:
            self._store.session.append(outcome.kind, self.task_id, *outcome.fields)
            self.is_open = False

    def _commit(self) -> None:
        commit(self._store, self.task_id)
        LastRuns(self._store).note_end(*self._names, self.task_id)


def commit(store: Store, task_id: str) -> None:
    """Commit what was reported; what cannot be committed now is kept, and a warning says so."""
    try:
        store.flush()
    except EventlogError as error:
        log.warning("eventlog: what was reported to task %s is not committed yet: %s", task_id, error)


def changing() -> threading.RLock:
    """What to hold while the run of this process changes."""
    return _changing


_changing = threading.RLock()


def _after_fork() -> None:
    global _changing
    _changing = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
