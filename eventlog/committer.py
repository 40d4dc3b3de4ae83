"""The committer: what brings a session's chunks into the log, in a thread of its own.

It shares no lock with `Session.append`. The session only adds: events to its last chunk, and chunks behind
that one (`Chunk.next`, set once the chunk is complete). The committer only follows: it cuts off what was
added since, packs it, and commits it with LMDB's full sync; chunks that it has left behind are used again
or removed. So an `append` that was interrupted anywhere, by a signal handler that appends, flushes or
closes, never keeps a commit from going through.

They wake each other with a `SimpleQueue` only, which is safe to be interrupted in, and to be used again by
what interrupts (`eventlog.waiters`).
"""

import contextlib
import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from eventlog import events
from eventlog.batch import PackedEvents, pack_events
from eventlog.chunk import CHUNK_SIZE, Chunk, maps_safely
from eventlog.errors import EventlogError
from eventlog.journal import JournalLock, create_journal
from eventlog.owner import lock_lines, session_fields
from eventlog.waiters import Waiters

if TYPE_CHECKING:
    from eventlog.session import Session
    from eventlog.store import Store

__all__ = ["MAX_WAITING", "RESERVE", "Committer", "pack_run"]

log = logging.getLogger("eventlog")

# Bytes of the chunks whose events are not all committed; and how many more only state events may take.
MAX_WAITING = 64 << 20
RESERVE = 20 << 20
RETRY_SECONDS = 1.0
WAIT_SECONDS = 1.0
JOIN_SECONDS = 30.0


def pack_run(first: int, payloads: list[bytes], places: list[int]) -> tuple[PackedEvents, list[events.Event]]:
    """Pack consecutive events of a session, and give back the state events among them.

    Args:
        first: number of the first event.
        payloads: the encoded events.
        places: where among them the state events are, growing.
    """
    states = [events.decode_event(payloads[place]) for place in places]
    ends = (events.decode_event(payloads[0]).time, events.decode_event(payloads[-1]).time)
    return pack_events(first, payloads, places, *ends), states


class _Run:
    """Events of one chunk, on their way into a batch."""

    __slots__ = ("_packed", "first", "payloads", "places")

    def __init__(self, first: int, payloads: list[bytes], places: list[int]) -> None:
        self.first = first
        self.payloads = payloads
        self.places = places
        self._packed: tuple[PackedEvents, list[events.Event]] | None = None

    def pack(self) -> tuple[PackedEvents, list[events.Event]]:
        if self._packed is None:
            self._packed = pack_run(self.first, self.payloads, self.places)
        return self._packed


class Committer:
    """What commits one session.

    Args:
        session: whose appends it follows.
        store: where to.
        identity: id of the session.

    Attributes:
        error: why the last attempt failed, or None if it did not.
        last_error: why the last attempt that failed did, or None.
        wake: what its thread waits for; True asks for a commit at once.
    """

    # How far events are committed: their number, and the chunk of the next one.
    _done: tuple[int, Chunk]
    # How far they are cut into runs, likewise.
    _cut: tuple[int, Chunk]

    def __init__(self, session: "Session", store: "Store", identity: bytes) -> None:
        self.store = store
        self.identity = identity
        self.error: EventlogError | None = None
        self.last_error: EventlogError | None = None
        self.wake: SimpleQueue[bool] = SimpleQueue()
        self._session = session
        self._journal: JournalLock | None = None
        self._mapped = True
        self._chunk_numbers = itertools.count()
        self._spare: Chunk | None = None
        self._runs: list[_Run] = []
        self._committing = threading.Lock()
        self._committing_thread = 0
        self._attempts = 0
        self._failed_attempt = 0
        self._waiters = Waiters()
        self._stopping = False
        self._synced = False
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<Committer of session {self.identity.hex()[:8]}: {self.committed} events>"

    @property
    def committed(self) -> int:
        """How many of the session's events are committed."""
        return self._done[0]

    def start(self, now: int) -> tuple[Chunk, int]:
        """Begin the session and to follow it.

        Args:
            now: a time that its first event must not be before, in milliseconds.

        Returns:
            Its first chunk, with its first event in it, and that event's time.
        """
        now = max(now, self._last_time() + 1)
        payload = events.encode_event(events.SessionStarted(now, "", *session_fields()))
        chunk = self.new_file(CHUNK_SIZE, 0, [payload])
        if chunk is None:
            chunk = Chunk.in_memory()
            chunk.put(payload)
        chunk.payloads.append((payload,))
        chunk.places.append(0)
        self._done = self._cut = (0, chunk)
        self._thread = threading.Thread(target=self._work, name="eventlog-committer", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The interpreter is ending: whoever flushes or closes commits in its own thread.
            self._thread = None
        return chunk, now

    def is_current_thread(self) -> bool:
        """Whether it is the committer's thread that asks."""
        return self._thread is threading.current_thread()

    def reach(self, target: int) -> None:
        """Wait until the events before number `target` are committed.

        Raises:
            StoreFull, StoreReadOnly, EventlogError: an attempt failed that began after this call.
        """
        before = self._attempts
        with self._waiters.waiting() as wait:
            while self.committed < target:
                if self.is_current_thread():
                    raise EventlogError("the committer of a session cannot wait for itself")
                error = self.error
                if error is not None and self._failed_attempt > before:
                    raise type(error)(*error.args) from error
                self._hurry(wait)

    def await_room(self) -> None:
        """Have what waits committed, and wait until that was tried, or for a while."""
        with self._waiters.waiting() as wait, contextlib.suppress(EventlogError):
            self._hurry(wait)

    def finish(self, target: int) -> None:
        """Commit the events before number `target`, stop, and let the journal go; what fails is a warning."""
        try:
            self.reach(target)
        except EventlogError as error:
            log.warning("eventlog: %s", error)
        self._stopping = True
        self.wake.put(True)
        if self._thread is not None and not self.is_current_thread():
            self._thread.join(timeout=JOIN_SECONDS)
        whole = self.committed >= target
        in_memory = [] if whole else [chunk for chunk in self._waiting() if chunk.path is None]
        lost = sum(len(chunk.payloads[max(self.committed - chunk.first, 0) :]) for chunk in in_memory)
        if lost:
            log.warning("eventlog: %d events had no room on disk and are lost with this process", lost)
        self.release(remove=whole)

    def release(self, *, remove: bool) -> None:
        """Let the journal go, and with `remove` delete it."""
        if self._journal is not None:
            self._journal.release(remove=remove)

    def give_up(self) -> None:
        """Forget a session that has not begun."""
        self._stopping = True
        self.wake.put(True)
        self.release(remove=True)

    # What the session asks for, under its lock.

    def room_for(self, last: Chunk, kind: type[events.Event], size: int, *, patient: bool) -> int | None:
        """The size of the chunk that may be made for an event; None if it has to wait or to be dropped.

        Args:
            last: the chunk that it would come after.
            kind: of the event.
            size: bytes of a chunk that holds nothing else.
            patient: it can wait.
        """
        # Not by walking them: on a full disk each state event has a chunk, and each dropped report asks.
        done, chunk = self._done
        waiting = last.before + len(last.memory) - chunk.before
        usual = max(CHUNK_SIZE, size)
        # A chunk may be larger than all that may wait, and hold nothing that does.
        if waiting + usual <= MAX_WAITING or done >= last.first + len(last.payloads):
            return usual
        if patient or (kind.is_report and self.error is not None):
            return None
        # No larger than it must be, so that reports find no room beside it.
        return size if waiting + size <= MAX_WAITING + RESERVE or kind is events.EventsDropped else None

    def backlog(self) -> tuple[int, list[bytes]]:
        """Every event that is not committed, and the number of the first."""
        while True:
            done = number, chunk = self._done
            items = chunk.payloads[number - chunk.first :]
            while chunk.next is not None:
                chunk = chunk.next
                items += chunk.payloads
            # A commit meanwhile lets go of some.
            if done is self._done:
                return number, [item[0] if type(item) is tuple else item for item in items]

    def new_file(self, size: int, first: int, payloads: Sequence[bytes] = ()) -> Chunk | None:
        """A chunk of the journal, begun with event `first` and these; None if there is no room for one."""
        spare, self._spare = self._spare, None
        chunk = None
        try:
            if self._journal is None:
                self._journal = create_journal(self.store.home, self.identity, lock_lines())
                self._mapped = maps_safely(self._journal.folder)
            # In one call: what interrupts this may make a chunk, too.
            path = self._journal.folder / f"{next(self._chunk_numbers):06d}"
            if spare is not None and len(spare.memory) == size:
                chunk = spare.again(path)
            else:
                if spare is not None:
                    spare.remove()
                chunk = Chunk.allocate(path, size, mapped=self._mapped)
            chunk.begin(self.store.id, self.identity, first)
            for payload in payloads:
                chunk.put(payload)
            chunk.populate(chunk.end)
            return chunk
        except OSError as error:
            self._session.warn(f"no room for the journal at {self.store.home} ({error.strerror})")
            if chunk is not None:
                chunk.remove()
            return None

    def _last_time(self) -> int:
        """The time of the store's last event: the clock may have been set back since."""
        try:
            return self.store.last_time()
        except EventlogError as error:
            self._session.warn(str(error))
            return -1

    def _waiting(self) -> list[Chunk]:
        chunks = [self._done[1]]
        while chunks[-1].next is not None:
            chunks.append(chunks[-1].next)
        return chunks

    def make_spare(self) -> None:
        """Have a chunk ready to come next: to make a file takes milliseconds, in the middle of a call."""
        if self._spare is None and self._journal is not None and self._mapped and self.error is None:
            # Where there is no room, the call that needs it finds so, and says it.
            with contextlib.suppress(OSError):
                chunk = Chunk.allocate(self._journal.folder / f"{next(self._chunk_numbers):06d}")
                chunk.populate(0, beside=True)
                self._spare = chunk

    # Waiting and waking.

    def _hurry(self, wait: Callable[[float], None]) -> None:
        thread = self._thread
        if thread is None or not thread.is_alive() or sys.is_finalizing():
            self.commit()
        else:
            self.wake.put(True)
            wait(WAIT_SECONDS)

    # What its thread does.

    def _work(self) -> None:
        while True:
            hurry = self.wake.get()
            # Not for what is committed already: another interval may be set until something comes.
            interval = self._interval() if hurry or self._is_behind() else 0.0
            while True:
                hurry = hurry or self._is_hurried_within(interval)
                if self._stopping:
                    return
                if not hurry and not self._is_behind():
                    break
                self.commit()
                interval = self._interval()
                # To wake it costs an append a system call and the start of another processor. So while they
                # go on coming it looks by itself; unless seldom, as the interval may become another.
                if hurry or interval > WAIT_SECONDS:
                    break
            # From here on the next append wakes it; unless it came before.
            self._session.rest()
            if self._is_behind():
                self.wake.put(False)

    def _is_hurried_within(self, seconds: float) -> bool:
        """Wait so long, or until a commit is asked for at once: whether one was."""
        end = time.monotonic() + seconds
        with contextlib.suppress(Empty):
            while (left := end - time.monotonic()) > 0:
                if self.wake.get(timeout=left):
                    return True
        return False

    def _interval(self) -> float:
        """How long an event waits, in seconds; a script may set another one as it runs."""
        interval = self.store.configuration.commit_interval_seconds
        return interval if self.error is None else max(interval, RETRY_SECONDS)

    def _is_behind(self) -> bool:
        number, chunk = self._cut
        return bool(self._runs) or chunk.first + len(chunk.payloads) > number or chunk.next is not None

    def commit(self) -> None:
        """Make one attempt to commit everything that was appended; what cannot be committed is kept.

        Raises:
            EventlogError: another attempt is being made, and it is not its thread's.
        """
        if self._committing_thread == threading.get_ident() or not self._committing.acquire(
            timeout=JOIN_SECONDS
        ):
            raise EventlogError(f"events are being committed to {self.store.home} already")
        left: list[Chunk] = []
        try:
            self._committing_thread = threading.get_ident()
            self._attempts += 1
            self._cut_off()
            if self._runs:
                self._sync_journal()
                self.store.commit(self.identity, [run.pack() for run in self._runs])
                left = self._note_committed()
            self.error = None
        except Exception as error:
            if not isinstance(error, EventlogError):
                log.debug("eventlog: a commit failed", exc_info=True)
                error = EventlogError(f"events cannot be committed to {self.store.home}: {error!r}")
            self._failed_attempt, self.error, self.last_error = self._attempts, error, error
            self._session.warn(f"events cannot be committed and are kept for now: {error}")
        finally:
            self._committing_thread = 0
            self._committing.release()
            self._waiters.notify()
        self._clear_away(left)
        self._session.note_commit(self)

    def _cut_off(self) -> None:
        """Cut what was appended since the last time into runs, one for each chunk."""
        number, chunk = self._cut
        runs = list(self._runs)
        while True:
            # Looked at before the events: a chunk with another behind it is complete.
            following = chunk.next
            items = chunk.payloads[number - chunk.first :]
            if items:
                end = number + len(items)
                places = sorted({place - number for place in chunk.places if number <= place < end})
                places = [place for place in places if type(items[place]) is tuple]
                for place in places:
                    items[place] = items[place][0]
                runs.append(_Run(number, items, places))
                number = end
            if following is None:
                break
            chunk = following
        cut = (number, chunk)
        self._runs = runs
        self._cut = cut

    def _note_committed(self) -> list[Chunk]:
        """Go on to what is not committed yet; returns the chunks that are left behind."""
        left = []
        chunk = self._done[1]
        while chunk is not self._cut[1] and chunk.next is not None:
            left.append(chunk)
            chunk = chunk.next
        runs: list[_Run] = []
        self._runs = runs
        self._done = self._cut
        self._session.let_go(chunk, self.committed)
        return left

    def _sync_journal(self) -> None:
        if not self._synced and self._journal is not None:
            with contextlib.suppress(OSError):
                self._journal.sync()
        self._synced = True

    def _clear_away(self, chunks: list[Chunk]) -> None:
        """Keep one used chunk to be used again, since its memory is warm; remove the others."""
        for chunk in chunks:
            reusable = chunk.path is not None and chunk.file < 0 and len(chunk.memory) == CHUNK_SIZE
            if self._spare is None and reusable:
                with contextlib.suppress(OSError):
                    chunk.erase()
                    self._spare = chunk
                    continue
            chunk.remove()
