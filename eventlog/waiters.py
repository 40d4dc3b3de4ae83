"""Threads that wait for a change, and what wakes them.

`threading.Condition` and `Event` are written in Python, where a signal handler may raise between any two
calls: a lock of theirs then stays taken for ever, or is not taken when it should be. What this is made of
is a `SimpleQueue` for each who waits, whose calls happen or do not.
"""

import contextlib
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

__all__ = ["Waiters"]


class Waiters:
    """Who waits for a change of something."""

    def __init__(self) -> None:
        self._queues: list[SimpleQueue[None]] = []

    def __repr__(self) -> str:
        return f"<Waiters: {len(self._queues)}>"

    @contextlib.contextmanager
    def waiting(self) -> Iterator[Callable[[float], None]]:
        """Be told of every change from now on; gives a function that waits for one, or so many seconds."""
        queue: SimpleQueue[None] = SimpleQueue()

        def wait(seconds: float) -> None:
            with contextlib.suppress(Empty):
                queue.get(timeout=seconds)

        self._queues.append(queue)
        try:
            yield wait
        finally:
            self._queues.remove(queue)

    def notify(self) -> None:
        """Say that something has changed."""
        for queue in list(self._queues):
            queue.put(None)
