"""How far a task has got, told and asked: started, stopped, completed, failed, published, reset, deleted."""

from collections.abc import Callable, Iterable
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.events import (
    Event,
    SystemTagsAdded,
    TaskCompleted,
    TaskFailed,
    TaskPublished,
    TaskReset,
    TaskStarted,
    TaskStopped,
)
from eventlog.sdk.plain_text import plain_text
from eventlog.sdk.task_base import TaskBase
from eventlog.sdk.task_types import TaskStatusEnum

__all__ = ["TaskStatus"]

# How long a reset waits for what is found out of a task that has just begun.
_SECONDS = 10.0
_ENDED = ("completed", "stopped", "failed")


class TaskStatus(TaskBase):
    """The methods of `Task` about its status."""

    @property
    def status(self) -> str:
        """How far it has got: created, in_progress, completed, failed, stopped or published."""
        return self._state().status

    def get_status(self) -> str:
        """As `status`."""
        return self.status

    def get_status_message(self) -> tuple[str, str | None]:
        """Its status, and what was said when it got it, or None."""
        state = self._state()
        return state.status, state.status_message or state.status_reason or None

    def wait_for_status(
        self,
        status: Iterable[str] | str = ("completed", "stopped", "closed"),
        raise_on_status: Iterable[str] | str | None = ("failed",),
        check_interval_sec: float = 60.0,
        *,
        timeout_sec: float | None = None,
    ) -> None:
        """Wait until it has one of these statuses.

        Args:
            status: those to wait for. A task that is published has ended, too.
            raise_on_status: those that are an error.
            check_interval_sec: how often to look, in seconds; it is looked once a second at least.
            timeout_sec: how long to wait at most, in seconds; for ever by default.

        Raises:
            StatusUnexpected: it has one of those that are an error, or took too long.
            InputInvalid: there is no such status.
        """
        from eventlog.sdk.waiting import wait_for_status

        wait_for_status(self._state, status, raise_on_status, check_interval_sec, timeout_sec)
        self.reload()

    # What its process does by itself, done by hand.

    def mark_started(self, force: bool = False) -> None:
        """Say that it runs; a draft, or one that has stopped or failed.

        Args:
            force: also one that has completed.

        Raises:
            InputInvalid: it has completed or is published.
        """
        state = self._state()
        if state.status == "in_progress":
            return
        if state.status == "completed" and not force:
            raise InputInvalid(f"task {self._id} has completed: reset it first, or start it with force=True")
        self._append(TaskStarted)

    def started(self, ignore_errors: bool = True, force: bool = False) -> None:
        """As `mark_started`; errors are raised all the same."""
        self.mark_started(force)

    def mark_stopped(self, force: bool = False, status_message: str | None = None) -> None:
        """Say that it has stopped; the process that runs it, if another, ends within seconds.

        Args:
            force: whatever its status is now.
            status_message: why.

        Raises:
            InputInvalid: it has ended otherwise, and `force` is off; or it is published.
        """
        self._finish(TaskStopped, ("", _text(status_message)), force=force)

    def stopped(
        self,
        ignore_errors: bool = True,
        force: bool = False,
        status_reason: str | None = None,
        status_message: str | None = None,
    ) -> None:
        """As `mark_stopped`, with a reason of a word or two; errors are raised all the same."""
        self._finish(TaskStopped, (_text(status_reason), _text(status_message)), force=force)

    def mark_completed(
        self, ignore_errors: bool = True, status_message: str | None = None, force: bool = False
    ) -> None:
        """Say that it has completed; the process that runs it, if another, ends within seconds.

        Args:
            ignore_errors: for ClearML's sake; errors are raised all the same.
            status_message: to be kept with the status.
            force: whatever its status is now.

        Raises:
            InputInvalid: it has ended otherwise, and `force` is off; or it is published.
        """
        self._finish(TaskCompleted, ("", _text(status_message)), force=force)

    def completed(self, ignore_errors: bool = True) -> None:
        """As `mark_completed`."""
        self.mark_completed(ignore_errors)

    def mark_failed(
        self,
        ignore_errors: bool = True,
        status_reason: str | None = None,
        status_message: str | None = None,
        force: bool = False,
    ) -> None:
        """Say that it has failed; the process that runs it, if another, ends within seconds.

        Args:
            ignore_errors: for ClearML's sake; errors are raised all the same.
            status_reason: why, in a word or two.
            status_message: what more is to be said.
            force: whatever its status is now.

        Raises:
            InputInvalid: it has ended otherwise, and `force` is off; or it is published.
        """
        self._finish(TaskFailed, (_text(status_reason), "", _text(status_message)), force=force)

    def mark_stop_request(self, force: bool = False, status_message: str | None = None) -> None:
        """Ask the process that runs it to stop; it does so within seconds, this one too.

        That process calls what it has registered with `register_abort_callback`, ends the task as stopped,
        and itself with SIGTERM.

        Args:
            force: ask even if the task does not run, as far as is known here.
            status_message: why; shown on the task's console.

        Raises:
            InputInvalid: it does not run, and `force` is off.
        """
        from eventlog.sdk.stop_watch import STOP_TAG

        state = self._state()
        if state.status != "in_progress" and not force:
            raise InputInvalid(
                f"task {self._id} does not run, it is {state.status}: there is nothing to stop"
            )
        if status_message:
            self._logger.report_text(f"asked to stop: {_text(status_message)}", print_console=False)
        self._append(SystemTagsAdded, [STOP_TAG])
        self._store.flush()

    def stop_request(
        self, ignore_errors: bool = True, force: bool = False, status_message: str | None = None
    ) -> None:
        """As `mark_stop_request`; errors are raised all the same."""
        self.mark_stop_request(force, status_message)

    def register_abort_callback(
        self, callback_function: Callable[[], Any] | None, callback_execution_timeout: float = 30.0
    ) -> None:
        """Have a function called, in a thread, when another process asks this one to stop the task.

        Args:
            callback_function: called without arguments; None for none.
            callback_execution_timeout: how long it may take, in seconds; then the process ends.

        Raises:
            InputInvalid: this process does not run the task, or it is no function.
        """
        watch = self._run.watch if self._run is not None and self._run.is_ours else None
        if watch is None:
            raise InputInvalid(
                f"task {self._id} is not run by this process: register the callback where Task.init began it"
            )
        if callback_function is not None and not callable(callback_function):
            raise InputInvalid(f"the callback must be a function, not {type(callback_function).__name__}")
        watch.callback = callback_function
        watch.patience = float(callback_execution_timeout)

    # Published, reset, deleted.

    def publish(self, ignore_errors: bool = True) -> None:
        """Publish it: from here on it is neither edited nor reported to. Published again, it stays so.

        Args:
            ignore_errors: for ClearML's sake; errors are raised all the same.

        Raises:
            InputInvalid: it has not ended yet.
        """
        state = self._state()
        if state.status == "published":
            return
        if state.status not in _ENDED:
            raise InputInvalid(
                f"task {self._id} is {state.status}, and only what has ended can be published: close it, or"
                " use publish_on_completion"
            )
        self._append(TaskPublished)
        self._logger._check_again()
        self._keep()

    def mark_published(self, ignore_errors: bool = True) -> None:
        """As `publish`."""
        self.publish(ignore_errors)

    def publish_on_completion(self, enable: bool = True) -> None:
        """Publish it once it has completed.

        Raises:
            InputInvalid: this process does not run it.
        """
        if self._run is None or not self._run.is_ours:
            raise InputInvalid(
                f"task {self._id} is not run by this process: call publish once it has completed"
            )
        self._run.publishes = bool(enable)

    def reset(self, set_started_on_success: bool = False, force: bool = False) -> None:
        """Show nothing any more of what it has done so far; it is a draft again.

        What it was given stays: parameters, configurations, labels, the models that it reads, its code.

        Args:
            set_started_on_success: start it at once.
            force: even if it runs in another process.

        Raises:
            InputInvalid: it runs in another process, or is published.
        """
        from eventlog.sdk.cloning import append_inputs

        is_running = self._run is not None and self._run.is_ours
        if is_running and self._run is not None and self._run.execution is not None:
            self._run.execution.wait(_SECONDS)
        state = self._state()
        if state.status == "in_progress" and not (is_running or force):
            raise InputInvalid(
                f"task {self._id} runs in another process: stop it first, or reset it with force=True"
            )
        self._append(TaskReset)
        append_inputs(self._store, self._id, state)
        if is_running or set_started_on_success:
            self._append(TaskStarted)
        self._store.flush()

    def delete(
        self,
        delete_artifacts_and_models: bool = True,
        skip_models_used_by_other_tasks: bool = True,
        raise_on_error: bool = False,
        callback: Callable[[str, str], bool] | None = None,
    ) -> bool:
        """Delete it: it is no longer shown, nor found. The log keeps what it was.

        Args:
            delete_artifacts_and_models: delete the models that it made as well, and the copies of artifacts
                and models at its destination.
            skip_models_used_by_other_tasks: but not the models that other tasks read.
            raise_on_error: raise what goes wrong; else it is logged, and False returned.
            callback: asked for each of them, as ``callback("artifact" or "model", url)``; those that it says
                True for are deleted.

        Returns:
            Whether it was deleted, and all that was to be deleted with it.

        Raises:
            InputInvalid: the task runs, and `raise_on_error` is on.
        """
        from eventlog.sdk.task_deletion import delete_task

        return delete_task(
            self._store,
            self._state(),
            delete_all=delete_artifacts_and_models,
            skip_used=skip_models_used_by_other_tasks,
            raise_on_error=raise_on_error,
            callback=callback,
            keep=self._keep,
        )

    def _finish(self, kind: type[Event], fields: tuple[str, ...], *, force: bool) -> None:
        """Say how it ended, as the process that runs it or as another one."""
        if self._run is not None and self._run.is_ours:
            from eventlog.sdk.lifecycle import Outcome

            self._run.end(Outcome(kind, fields))
            return
        state = self._state()
        if state.status in _ENDED and not force and kind is not TaskFailed:
            if _status_of(kind) == state.status:
                return
            raise InputInvalid(f"task {self._id} is {state.status} already: give force=True to change that")
        self._append(kind, *fields)
        self._store.flush()


def _status_of(kind: type[Event]) -> str:
    return str(TaskStatusEnum.completed if kind is TaskCompleted else TaskStatusEnum.stopped)


def _text(message: object) -> str:
    return "" if message is None else plain_text(message)
