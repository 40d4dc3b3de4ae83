"""What is found out about models in the background, one thing after the other, so that no script waits.

Reading a checkpoint to its end takes as long as writing it did. Whoever asks for a task's models, and the
end of its run, waits until what was begun is done, as long as it moves.
"""

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakSet

from eventlog.sdk.automatic.listening import safely, warn_once
from eventlog.sdk.forking import keeping_forks_waiting
from eventlog.sdk.lifecycle import at_child_end, is_multiprocessing_child

if TYPE_CHECKING:
    from eventlog.sdk.run import Run
    from eventlog.sdk.task_base import TaskBase

__all__ = ["finish", "later", "moved", "settle", "when_idle"]

# Each job holds a file open.
_MOST_JOBS = 64
_LONGEST_TURN_SECONDS = 10.0
_PATIENCE_SECONDS = 60.0
_HURRIED_SECONDS = 1.0
_LONGEST_END_SECONDS = 600.0
# Before anything is begun, unless somebody waits: what is saved again soon is read once.
_REST_SECONDS = 0.1
# Before the session of a child is closed.
_CHILD_PRIORITY = -500

Job = Callable[[], None]


def later(task: "TaskBase", what: str, job: Job, *, soon: bool = False) -> bool:
    """Do this in the background; what it raises is one warning.

    Args:
        task: whose end waits for it.
        what: cannot be recorded where it fails.
        soon: without a rest before it.

    Returns:
        False where so much waits already that it will not be done.
    """
    _see_to_end(task)
    with _work.changed:
        full = not _work.changed.wait_for(lambda: len(_work.jobs) < _MOST_JOBS, _LONGEST_TURN_SECONDS)
        if full:
            warn_once(what, "the files saved before are still being read")
            return False
        _work.jobs.append((what, job))
        _work.is_urgent |= soon or len(_work.jobs) > _MOST_JOBS // 2
        _work.changed.notify_all()
        if _work.thread is not None:
            return True
        try:
            thread = threading.Thread(target=_run, args=(_work,), name="eventlog-models", daemon=True)
            thread.start()
            _work.thread = thread
            return True
        except RuntimeError:
            # The interpreter is ending and starts no threads any more.
            _work.jobs.clear()
    safely(what, job)
    return True


def when_idle(function: Callable[[], None]) -> None:
    """Call this each time that everything is waited for, after everything else."""
    if function not in _idle:
        _idle.append(function)


def moved(*_: object) -> None:
    """Say that the job under way gets on."""
    _work.moved = time.monotonic()


def settle(patience: float = _PATIENCE_SECONDS, longest: float = _LONGEST_END_SECONDS) -> bool:
    """Wait for what was begun, for as long as it moves.

    Args:
        patience: give up after so many seconds in which nothing has moved.
        longest: give up after so many seconds in any case.

    Returns:
        Whether all of it is done.
    """
    if threading.current_thread() is _work.thread:
        return True
    end = time.monotonic() + longest
    done = _wait(patience, end)
    if done:
        for function in _idle:
            function()
        done = _wait(patience, end)
    return done


def finish(is_hurried: bool = False) -> None:
    """Wait for what was begun, as a run ends; with no time to wait, for a second at most."""
    limits = (_HURRIED_SECONDS, _HURRIED_SECONDS) if is_hurried else ()
    if not settle(*limits):
        warn_once("all of the models' files", "reading them takes too long")


class _Work:
    """What is to be done in this process.

    Attributes:
        jobs: those that wait, and the one that is done now as the first.
        moved: when the one that is done now was last known to get on.
        waiting: how many wait for all of it.
        is_urgent: one of the jobs is to be begun at once.
    """

    def __init__(self) -> None:
        self.jobs: deque[tuple[str, Job]] = deque()
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self.moved = 0.0
        self.waiting = 0
        self.is_urgent = False
        self.ends: WeakSet[Run] = WeakSet()


def _run(work: _Work) -> None:
    while True:
        with work.changed:
            if not work.jobs:
                work.changed.wait_for(lambda: work.jobs)
                work.changed.wait_for(lambda: work.waiting or work.is_urgent, _REST_SECONDS)
                work.is_urgent = False
            what, job = work.jobs[0]
        moved()
        with keeping_forks_waiting():
            safely(what, job)
        del job
        with work.changed:
            work.jobs.popleft()
            work.changed.notify_all()


def _wait(patience: float, end: float) -> bool:
    moved()
    with _work.changed:
        _work.waiting += 1
        _work.changed.notify_all()
        try:
            while _work.jobs:
                now = time.monotonic()
                if now - _work.moved > patience or now > end:
                    return False
                _work.changed.wait(min(patience, 1.0))
        finally:
            _work.waiting -= 1
    return True


def _see_to_end(task: "TaskBase") -> None:
    """Have the end of a task's run in this process wait."""
    run = task._run
    if run is None or run in _work.ends:
        return
    _work.ends.add(run)
    if run.is_ours:
        # Before the console is let go: what is done may warn.
        run.at_end.insert(0, finish)
    elif is_multiprocessing_child():
        at_child_end(finish, _CHILD_PRIORITY)
    else:
        atexit.register(finish)


_work = _Work()
_idle: list[Callable[[], None]] = []


def _after_fork() -> None:
    # What the parent has begun is the parent's to end.
    global _work
    _work = _Work()


os.register_at_fork(after_in_child=_after_fork)
