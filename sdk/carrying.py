"""One delivery: whose turn it is to write to a URL, an attempt at it, and the event of how it ended.

A file beside the store says by its lock that a URL is being written to, so that no two processes of this
machine do so at once.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eventlog.errors import EventlogError, NotFound, RemoteUnreachable
from eventlog.events import DeliveryCompleted, DeliveryFailed, DeliveryRequested
from eventlog.sdk.sound_blobs import check_blob
from eventlog.sdk.stores import current_views
from eventlog.sdk.transfers import put_file
from eventlog.store import Store

__all__ = [
    "PATIENCE_SECONDS",
    "Delivery",
    "Movement",
    "attempt",
    "keeping_forks_waiting",
    "left_deliveries",
    "movement",
    "settle",
    "turn",
]


log = logging.getLogger("eventlog")

# How long what is under way is waited for while no byte moves.
PATIENCE_SECONDS = 60.0


@dataclass(eq=False)
class Delivery:
    """A blob on its way to a URL.

    Attributes:
        store: where the blob is.
        task_id: the task that it belongs to.
        blob: SHA-256 of the bytes.
        url: of the file to be written, without secrets.
        status: "waiting", "completed" or "failed".
        reason: why it failed.
        retries: how often it is tried again at least.
        on_completed: is called, in another thread, once it has arrived.
        asked: when this process was asked for it, in seconds since 1970-01-01 UTC.
        is_left: a process before this one was asked for it.
        ended: is set once it has arrived or was given up.
    """

    store: Store
    task_id: str
    blob: str
    url: str
    status: str = "waiting"
    reason: str = ""
    retries: int = 0
    on_completed: Callable[[], object] | None = None
    asked: float = field(default_factory=time.time)
    is_left: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def __repr__(self) -> str:
        return f"<Delivery of {self.blob[:12]} to {self.url}: {self.status}>"

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, or until no byte of any has moved for a minute.

        Args:
            seconds: how long at most.

        Returns:
            Whether it arrived.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self.ended.wait(0.2):
            if deadline is not None and time.monotonic() >= deadline:
                break
            if movement.quiet_seconds() > PATIENCE_SECONDS:
                log.warning(
                    "eventlog: nothing has moved to %s for a while: it is kept in the store, and goes on at"
                    " the next `eventlog sync`",
                    self.url,
                )
                break
        return self.status == "completed"


class Movement:
    """When a byte was last delivered by this process."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __repr__(self) -> str:
        return f"<Movement, {self.quiet_seconds():.0f} s ago>"

    def note(self) -> None:
        """A byte was delivered, or one is about to be."""
        self._last = time.monotonic()

    def quiet_seconds(self) -> float:
        """How long ago that was."""
        return time.monotonic() - self._last


movement = Movement()


def attempt(delivery: Delivery, advance: Callable[[int], object]) -> EventlogError | None:
    """Copy it once; returns what kept it from arriving.

    Args:
        advance: gets the number of bytes done so far.
    """
    try:
        # Looking at it takes a while too, and is nothing delivered yet.
        path = check_blob(delivery.store.blobs, delivery.blob, delivery.url, lambda _: advance(0))
        put_file(path, delivery.url, advance)
    except EventlogError as error:
        return error
    except OSError as error:
        return RemoteUnreachable(f"{delivery.url} cannot be written ({error.strerror or error})")
    return None


def settle(delivery: Delivery, error: EventlogError | None) -> None:
    """Append how a delivery ended."""
    session = delivery.store.session
    if error is None:
        delivery.status = "completed"
        session.append(DeliveryCompleted, delivery.task_id, delivery.blob, delivery.url)
    else:
        known = delivery.status, delivery.reason
        delivery.status, delivery.reason = "failed", str(error)
        # What is tried again and fails as before is nothing new to say.
        if known != (delivery.status, delivery.reason):
            session.append(DeliveryFailed, delivery.task_id, delivery.blob, delivery.url, str(error))


def left_deliveries(store: Store, *, failed: bool = True) -> list[Delivery]:
    """What this store was asked for, by a process of its own, and has not arrived.

    Args:
        failed: also what was given up.
    """
    from eventlog.projections import TaskQuery

    views = current_views(store)
    statuses = {"waiting", "failed"} if failed else {"waiting"}
    found: list[Delivery] = []
    for row in views.find(TaskQuery(waiting_deliveries=True)):
        deliveries = views.task(row.id).deliveries
        asked = {(url, one.blob) for url, one in deliveries.items()}
        own: set[str] = set()
        for numbered in views.events(row.id, reports=False):
            event = numbered.event
            if isinstance(event, DeliveryRequested) and (event.url, event.blob) in asked:
                record = store.record_of(numbered.session)
                if record is not None and record.store == store.id:
                    own.add(event.url)
        found += [
            Delivery(
                store,
                row.id,
                deliveries[url].blob,
                url,
                deliveries[url].status,
                deliveries[url].reason,
                is_left=True,
            )
            for url in sorted(own)
            if deliveries[url].status in statuses
        ]
    return found


def _has_arrived(delivery: Delivery) -> bool:
    """Whether a delivery is no longer waited for; another process may have gone on with it."""
    try:
        known = current_views(delivery.store).task(delivery.task_id).deliveries.get(delivery.url)
    except NotFound:
        return True
    return known is None or known.blob != delivery.blob or known.status == "completed"


@contextlib.contextmanager
def keeping_forks_waiting() -> Iterator[None]:
    """Keep the process from being forked while another thread reads the log: a child would be half in it."""
    with _reading:
        yield


@contextlib.contextmanager
def turn(delivery: Delivery) -> Iterator[bool]:
    """Hold a URL while it is written to.

    Yields:
        Whether it is to be written: False where another process is at it, with what was left; or has done
        so meanwhile.
    """
    name = hashlib.sha256(delivery.url.encode()).hexdigest()[:32]
    path = delivery.store.home / "temporary" / f"delivery-{name}"
    try:
        file = _locked(path, block=not delivery.is_left)
    except OSError:
        # Nothing can be locked here. A second process may then write the same bytes again.
        yield True
        return
    if file is None:
        yield False
        return
    try:
        mark = delivery.blob.encode()
        if delivery.is_left:
            with keeping_forks_waiting():
                is_done = _has_arrived(delivery)
        else:
            is_done = os.pread(file, len(mark), 0) == mark and os.fstat(file).st_mtime >= delivery.asked
        yield not is_done
        if delivery.is_left and delivery.status == "completed":
            # Whoever was asked for it may still have it in its queue.
            os.pwrite(file, mark, 0)
        elif delivery.status == "completed":
            path.unlink(missing_ok=True)
    finally:
        os.close(file)


def _locked(path: Path, *, block: bool) -> int | None:
    """The descriptor of a file that is locked until it is closed, or None where another process has it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if block else fcntl.LOCK_NB))
            if os.fstat(file).st_nlink:
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        # Whoever held it has removed it.
        os.close(file)


_reading = threading.RLock()


def _before_fork() -> None:
    _reading.acquire()


def _after_fork_in_parent() -> None:
    _reading.release()


def _after_fork() -> None:
    global _reading
    _reading = threading.RLock()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)
