"""One run of a task in this process: from its first event to its last."""

import atexit
import logging
import os
import threading
from collections.abc import Callable

from eventlog.errors import EventlogError, InputInvalid
from eventlog.events import TaskCompleted, TaskPublished, TaskStopped
from eventlog.sdk.execution import ExecutionRecorder, Launch
from eventlog.sdk.last_runs import LastRuns
from eventlog.sdk.lifecycle import COMPLETED, Lifecycle, Outcome, at_child_end, is_multiprocessing_child
from eventlog.sdk.main_task import follows_rank_0, forget_main_task, leave_main_task
from eventlog.sdk.names import shown
from eventlog.sdk.offline import end_session
from eventlog.sdk.ranks import leave_word_for_ranks
from eventlog.sdk.start import start_task
from eventlog.sdk.stop_watch import StopWatch
from eventlog.sdk.stores import is_pushed_by_itself
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
        start: how it began.
        task_id: the task.
        is_open: it has not ended; in a forked child, it was not closed there.
        is_current: the script has not closed the task, however it has ended.
        execution: what gathers where the code came from; None where it runs elsewhere and is only added to.
        watch: what notices that the task was asked to stop; None likewise.
        publishes: it is published once it has completed.
        at_end: called when the run ends, while its task is still open; with True when there is no time to
            wait for anything.
    """

    def __init__(
        self,
        store: Store,
        project: str,
        name: str,
        task_type: str,
        tags: list[str],
        reuse: bool | str,
        last: bool | str | int = False,
        *,
        joins: bool = False,
    ) -> None:
        launch = Launch.now()
        self._store = store
        self._names = (project, name, task_type)
        self._lifecycle = Lifecycle(self._end)
        self.start = start_task(store, project, name, task_type, tags, reuse, last, joins=joins)
        self.task_id = self.start.task_id
        self.is_open = True
        self.is_current = True
        self.publishes = False
        self.at_end: list[Callable[[bool], None]] = []
        self.execution: ExecutionRecorder | None = None
        self.watch: StopWatch | None = None
        if self.start.is_own:
            self._lifecycle.listen()
        if is_multiprocessing_child():
            # After the task's own end. The interpreter's exit, which closes it elsewhere, may not come.
            at_child_end(store.session.close, _AT_LAST)
        leave_word_for_ranks(store, self.task_id)
        if self.start.is_own:
            leave_main_task(store, self.task_id)
            self.execution = ExecutionRecorder(store, self.task_id, launch)
            self.execution.give(**self.start.asked)
            self.watch = StopWatch(store, self.task_id, self._stop_from_outside)
        elif follows_rank_0():
            # Rank 0 may have ended before, and with it the offline session.
            atexit.register(end_session, store)

    def __repr__(self) -> str:
        return f"<Run of task {self.task_id}, {'open' if self.is_open else 'ended'}>"

    def begin(self) -> None:
        """Gather and watch, in threads; at the end of what the script waits for, which they would slow."""
        if self.is_open and self.watch is not None:
            self.watch.start()
        if self.is_open and self.execution is not None:
            self.execution.start()
        if is_pushed_by_itself(self._store):
            from eventlog.sdk.auto_sync import watch_over

            watch_over(self._store)

    def is_named(self, project: str | None, name: str | None, task_type: str) -> bool:
        """Whether this run is the one that is meant; None means any."""
        return self._differing(project, name, task_type) is None

    def check_names(self, project: str | None, name: str | None, task_type: str) -> None:
        """Check that this run is the one that is meant; None means any.

        Raises:
            InputInvalid: another one is.
        """
        if not self.start.is_given and (differing := self._differing(project, name, task_type)):
            what, own, text = differing
            full = shown("/".join(self._names[:2]))
            raise InputInvalid(
                f"task {full} is open in this process, and its {what} is {shown(own)},"
                f" not {shown(text)}: close it first, with task.close()"
            )

    def _differing(
        self, project: str | None, name: str | None, task_type: str
    ) -> tuple[str, str, str] | None:
        """What is asked for and is not this run's: what it is, this run's, and what is asked for."""
        asked = (project, name, task_type)
        for what, own, text in zip(("project", "name", "type"), self._names, asked, strict=True):
            if text and text != own:
                return what, own, text
        return None

    @property
    def is_ours(self) -> bool:
        """Whether the task's end is this process's to tell: it is open, and no fork's nor another's."""
        return self.is_open and self._is_own

    @property
    def is_marked(self) -> bool:
        """Whether the script has said itself how the run ended, and has not closed the task yet."""
        return self.is_current and not self.is_open and self._is_own

    @property
    def _is_own(self) -> bool:
        return self.start.is_own and self._lifecycle.is_own

    def close(self) -> None:
        """End the run: the task is completed, unless another process runs it, such as this one's parent."""
        if self.is_ours:
            self.end(COMPLETED)
        self.is_open = self.is_current = False
        forget_main_task(self.task_id)

    def end(self, outcome: Outcome) -> None:
        """End the run as the script says; `is_ours` must hold. The task is the current one until `close`."""
        self._end(outcome, False)
        self._lifecycle.release()
        forget_main_task(self.task_id)

    def _stop_from_outside(self, message: str, is_ended: bool) -> None:
        """End the run because the task was asked to stop, or has been ended by another process."""
        if not self.is_ours:
            return
        self.is_current = False
        if is_ended:
            self.is_open = False
            self._commit()
            # Or the end of the process would look like that of the task.
            self._store.session.close()
        else:
            self._end(Outcome(TaskStopped, ("it was asked to stop", message)), True)
        self._lifecycle.release()

    def _end(self, outcome: Outcome, is_hurried: bool) -> None:
        """Append how the task ended, and commit; what cannot be committed stays in the journal.

        A signal's handler may raise anywhere in here, as Ctrl-C does: the outcome is appended all the same.
        """
        if not self.is_open:
            return
        try:
            for end in self.at_end:
                end(is_hurried)
            if self.watch is not None:
                self.watch.stop()
            if self.execution is not None:
                seconds = _HURRIED_SECONDS if is_hurried else _PATIENCE_SECONDS
                self.execution.finish(seconds, is_hurried=is_hurried)
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
            append = self._store.session.append
            append(outcome.kind, self.task_id, *outcome.fields)
            if self.publishes and outcome.kind is TaskCompleted:
                append(TaskPublished, self.task_id)
            self.is_open = False

    def _commit(self) -> None:
        commit(self._store, self.task_id)
        LastRuns(self._store).note_end(
            self.start.project, self.start.name, self.start.task_type, self.task_id
        )
        if self.publishes:
            LastRuns(self._store).note_kept(
                self.start.project, self.start.name, self.start.task_type, self.task_id
            )
        end_session(self._store)
        if is_pushed_by_itself(self._store):
            from eventlog.sdk.auto_sync import ask

            ask(self._store)


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
