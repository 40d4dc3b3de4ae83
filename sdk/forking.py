"""Forks wait while another thread imports, or reads the log: the child would be half in it for ever.

A module that a thread of the parent was importing can never be imported in the child: what holds it is gone.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["forks_let_through", "keeping_forks_waiting"]

# A fork does not wait for longer, whatever is the matter.
_LONGEST_SECONDS = 10.0


@contextmanager
def keeping_forks_waiting() -> Iterator[None]:
    """Keep the process from being forked by another thread."""
    lock = _lock
    with lock:
        yield


@contextmanager
def forks_let_through() -> Iterator[None]:
    """Within `keeping_forks_waiting`, for what takes long: nothing is imported here and no log is read."""
    lock = _lock
    lock.release()
    try:
        yield
    finally:
        lock.acquire()


def _before() -> None:
    _held.append(_lock.acquire(timeout=_LONGEST_SECONDS))


def _after_in_parent() -> None:
    if _held.pop():
        _lock.release()


def _after_in_child() -> None:
    global _lock
    _lock = threading.RLock()
    _held.clear()


_lock = threading.RLock()
_held: list[bool] = []
os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
