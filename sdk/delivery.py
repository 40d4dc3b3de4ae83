"""Deliveries: blobs that are copied to a destination in the background.

That a delivery was asked for is an event, and so is how it ended; what happens between is never lost, since
whatever has no end is taken up again: by the next process that delivers something from this store, and at
`eventlog sync`.

A store delivers only what it was asked for itself, never what another machine's log asks for: a path there
is not a path here.
"""

import atexit
import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eventlog.errors import EventlogError, InputInvalid, NotFound, RemoteUnreachable
from eventlog.events import DeliveryRequested
from eventlog.sdk.carrying import (
    Delivery,
    attempt,
    keeping_forks_waiting,
    left_deliveries,
    movement,
    settle,
    turn,
)
from eventlog.sdk.destinations import masked, reveal
from eventlog.sdk.offline import is_offline
from eventlog.sdk.progress import Moving, moving
from eventlog.sdk.stores import current_views
from eventlog.sdk.transfers import local_path, prepare
from eventlog.sdk.whole_import import import_whole
from eventlog.store import Store

__all__ = [
    "Delivery",
    "Resumed",
    "ask_again",
    "before_exit",
    "deliver",
    "is_waiting",
    "resume",
    "wait_for_deliveries",
]

log = logging.getLogger("eventlog")

# How often it is tried again, after so many seconds each.
DELAYS_SECONDS = (1.0, 2.0, 4.0, 8.0)
_THREADS = 4


@dataclass(frozen=True)
class Resumed:
    """What `resume` did.

    Attributes:
        completed: how many deliveries arrived.
        bytes: their size.
        problems: a line for each that did not.
    """

    completed: int = 0
    bytes: int = 0
    problems: tuple[str, ...] = ()


def deliver(
    store: Store,
    task_id: str,
    blob: str,
    url: str,
    *,
    retries: int = 0,
    on_completed: Callable[[], object] | None = None,
) -> Delivery:
    """Copy a blob to a URL in the background; returns at once.

    Appends `DeliveryRequested`, and `DeliveryCompleted` or `DeliveryFailed` in the end. A later delivery to
    the same URL takes the place of this one.

    Args:
        store: where the blob is.
        task_id: the task that it belongs to.
        blob: SHA-256 of the bytes.
        url: of the file to be written, as from `destinations.file_url`.
        retries: how often it is tried again at least; four times in any case.
        on_completed: is called, in another thread, once it has arrived.
    """
    delivery = Delivery(store, task_id, blob, masked(url), retries=retries, on_completed=on_completed)
    store.session.append(DeliveryRequested, task_id, blob, delivery.url)
    if is_offline():
        # Whoever imports the session asks for it again.
        delivery.ended.set()
    else:
        _courier.take(delivery)
    return delivery


def ask_again(store: Store, task_ids: Iterable[str]) -> int:
    """Ask for what waits in tasks that came from an offline session; `eventlog sync` then delivers it.

    What was to be a file on the machine that it came from is left out: a path there is not a path here.

    Args:
        store: that the session was imported into.
        task_ids: of the session.

    Returns:
        How many deliveries were asked for.
    """
    views = current_views(store)
    known = {(one.blob, one.url) for one in left_deliveries(store)}
    asked = 0
    for task_id in task_ids:
        try:
            deliveries = views.task(task_id).deliveries
        except NotFound:
            # It was deleted, where it came from or here.
            continue
        for url, one in deliveries.items():
            is_new = one.status != "completed" and (one.blob, url) not in known
            if is_new and local_path(url) is None and one.blob in store.blobs:
                store.session.append(DeliveryRequested, task_id, one.blob, url)
                asked += 1
    return asked


def wait_for_deliveries(store: Store, task_id: str | None = None, seconds: float | None = None) -> bool:
    """Wait until what this process delivers has ended, or until no byte has moved for a minute.

    Args:
        store: of the deliveries.
        task_id: only those of this task.
        seconds: how long at most.

    Returns:
        Whether all that this process was asked for has arrived.
    """
    _wait(_courier.of(store, task_id), seconds)
    return not _courier.of(store, task_id) and not _courier.has_failed(store, task_id)


def is_waiting(store: Store) -> bool:
    """Whether this process has deliveries of a store under way."""
    return bool(_courier.of(store, None))


def resume(store: Store, progress: Callable[[int, int], object] | None = None) -> Resumed:
    """Deliver what waits in a store or has failed, other than what this process has under way.

    What another process is delivering just now is left to it, and what another store was asked for too.

    Args:
        progress: gets the bytes done so far, and those of all there is to do.
    """
    # A destination with a password may be known from the settings alone.
    masked(store.configuration.default_output_uri)
    under_way = {(one.blob, one.url) for one in _courier.of(store, None)}
    waiting = [one for one in left_deliveries(store) if (one.blob, one.url) not in under_way]
    sizes = {one.blob: _size(one) for one in waiting}
    total = sum(sizes[one.blob] for one in waiting)
    completed = done = arrived = 0
    problems: list[str] = []
    unreachable: set[str] = set()
    for one in waiting:
        host = _host(one.url)
        if host in unreachable:
            # What cannot be reached is not asked again for every file.
            problems.append(f"{one.url} still waits: {host} cannot be reached")
            continue

        def advance(count: int, before: int = done) -> None:
            if progress is not None:
                progress(before + count, total)

        with turn(one) as is_ours:
            if not is_ours:
                continue
            error = attempt(one, advance)
            settle(one, error)
        done += sizes[one.blob]
        if error is None:
            completed += 1
            arrived += sizes[one.blob]
        else:
            problems.append(f"{one.url} still waits: {_why(one, error)}")
            if isinstance(error, RemoteUnreachable):
                unreachable.add(host)
    return Resumed(completed, arrived, tuple(problems))


class _Courier:
    """What this process delivers: a queue, and the threads that work on it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._under_way: dict[Delivery, None] = {}
        self._failed: dict[str, Delivery] = {}
        # By URL, the last one asked for, which stays whichever thread comes first; and how many there are.
        self._last: dict[str, tuple[Delivery, int]] = {}
        self._threads = 0
        self._resumed: set[Store] = set()

    def take(self, delivery: Delivery) -> None:
        _listen()
        prepare(delivery.url)
        import_whole("eventlog.projections")
        with self._lock:
            self._under_way[delivery] = None
            _, count = self._last.get(delivery.url, (delivery, 0))
            self._last[delivery.url] = delivery, count + 1
            start = self._threads < min(_THREADS, len(self._under_way))
            self._threads += start
        movement.note()
        self._queue.put(delivery)
        if start:
            thread = threading.Thread(target=self._work, name="eventlog-delivery", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The interpreter is ending and starts no threads any more: the next sync goes on.
                log.warning("eventlog: %s waits for the next `eventlog sync`", delivery.url)
                with self._lock:
                    self._threads -= 1
                self._let_go(delivery)

    def of(self, store: Store, task_id: str | None) -> list[Delivery]:
        with self._lock:
            return [
                one
                for one in self._under_way
                if one.store is store and (task_id is None or one.task_id == task_id)
            ]

    def has_failed(self, store: Store, task_id: str | None) -> bool:
        with self._lock:
            failed = list(self._failed.values())
        return any(one.store is store and (task_id is None or one.task_id == task_id) for one in failed)

    def all(self) -> list[Delivery]:
        with self._lock:
            return list(self._under_way)

    def _work(self) -> None:
        while True:
            delivery = self._queue.get()
            try:
                self._take_what_is_left(delivery.store)
                self._carry(delivery)
            except Exception as error:
                # The bytes are in the store, and what was asked for is in the log: the next sync goes on.
                log.warning("eventlog: %s was not delivered: %s", delivery.url, _why(delivery, error))
            finally:
                self._let_go(delivery)

    def _let_go(self, delivery: Delivery) -> None:
        with self._lock:
            del self._under_way[delivery]
            last, count = self._last.pop(delivery.url)
            if count > 1:
                self._last[delivery.url] = last, count - 1
            self._failed.pop(delivery.url, None)
            if delivery.status != "completed":
                self._failed[delivery.url] = delivery
        delivery.ended.set()

    def _carry(self, delivery: Delivery) -> None:
        with turn(delivery) as is_ours:
            if not is_ours or self._is_superseded(delivery):
                delivery.status = "completed"
                return
            delays = list(DELAYS_SECONDS)
            delays += delays[-1:] * max(0, delivery.retries - len(delays))
            while True:
                with moving(f"uploading {delivery.url.rpartition('/')[2]}", _size(delivery)) as shown:
                    error = attempt(delivery, self._telling(shown))
                if not isinstance(error, RemoteUnreachable) or not delays:
                    break
                time.sleep(delays.pop(0))
                if self._is_superseded(delivery):
                    delivery.status = "completed"
                    return
            settle(delivery, error)
        if error is not None:
            log.warning(
                "eventlog: %s was not delivered and is kept in the store; `eventlog sync` tries again: %s",
                delivery.url,
                _why(delivery, error),
            )
        elif delivery.on_completed is not None:
            delivery.on_completed()

    def _take_what_is_left(self, store: Store) -> None:
        """Go on with what processes before this one left, once."""
        with self._lock:
            if store in self._resumed:
                return
            self._resumed.add(store)
            known = {one.url for one in self._under_way}
        try:
            with keeping_forks_waiting():
                left = left_deliveries(store, failed=False)
        except EventlogError as error:
            log.debug("eventlog: what waits to be delivered was not taken up: %s", error)
            return
        for one in left:
            with contextlib.suppress(InputInvalid):
                reveal(one.url)
                if one.url not in known:
                    self.take(one)

    def _is_superseded(self, delivery: Delivery) -> bool:
        """Whether something else was asked for since, for the same URL."""
        with self._lock:
            return self._last[delivery.url][0] is not delivery

    def _telling(self, shown: Moving) -> Callable[[int], None]:
        def tell(done: int) -> None:
            movement.note()
            shown(done)

        return tell


def _wait(deliveries: list[Delivery], seconds: float | None) -> bool:
    deadline = None if seconds is None else time.monotonic() + seconds
    arrived = [one.wait(None if deadline is None else deadline - time.monotonic()) for one in deliveries]
    return all(arrived)


def _size(delivery: Delivery) -> int:
    try:
        return delivery.store.blobs.path(delivery.blob).stat().st_size
    except (EventlogError, OSError):
        return 0


def _why(delivery: Delivery, error: Exception) -> str:
    """What an error says besides the URL that it begins with."""
    return str(error).removeprefix(delivery.url).lstrip()


def _host(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.partition("/")[0]


def before_exit(function: Callable[[], object]) -> None:
    """Call a function as the interpreter begins to end, once, and before deliveries are waited for."""
    _listen()
    if function not in _at_exit:
        _at_exit.append(function)


def _listen() -> None:
    """See to it that the end of the interpreter waits for deliveries."""
    global _listens
    if _listens:
        return
    _listens = True
    # What is registered after the pools of threads is called before they stop. fsspec's file systems resolve
    # names in one, so `atexit`, which comes later, would be too late.
    import concurrent.futures.thread  # noqa: F401

    register = getattr(threading, "_register_atexit", atexit.register)
    # It may be ending already.
    with contextlib.suppress(RuntimeError):
        register(_end)
    # What is uploaded by functions that are called then.
    atexit.register(_finish)


def _end() -> None:
    for function in reversed(_at_exit):
        function()
    _finish()


def _finish() -> None:
    """Wait for what this process was asked for; what it has taken over from others is left again."""
    try:
        _wait([one for one in _courier.all() if not one.is_left], None)
    except KeyboardInterrupt:
        log.warning("eventlog: uploads were interrupted; they go on at the next `eventlog sync`")


_courier = _Courier()
_listens = False
_at_exit: list[Callable[[], object]] = []


def _after_fork() -> None:
    # The deliveries are the parent's.
    global _courier
    _courier = _Courier()


os.register_at_fork(after_in_child=_after_fork)
