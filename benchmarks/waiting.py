"""Waiting for what a task gathers once, so that it is not counted among what is measured."""

import time

__all__ = ["wait_for_execution"]


def wait_for_execution(task: str, seconds: float = 30) -> None:
    """Return once the task's git state and packages, gathered off the caller's path, are in the log.

    Raises:
        TimeoutError: they were not within so many seconds.
    """
    from eventlog.projections import Views
    from eventlog.store import Store

    deadline = time.monotonic() + seconds
    with Store.open() as store:
        views = Views.open(store)
        while time.monotonic() < deadline:
            store.flush()
            views.catch_up()
            if views.task(task).execution:
                return
            time.sleep(0.02)
    raise TimeoutError(f"the execution of task {task} was not recorded within {seconds} s")
