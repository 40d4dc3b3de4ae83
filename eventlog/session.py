"""A session: one process's run of appends, from the call to the synced commit.

`Session.append` encodes an event, copies it into the journal's current chunk and returns: the event then
outlives the process. A committer thread packs what was appended into batches and commits them, by
default within 200 ms, with LMDB's full sync; what a chunk held is then in the log, and the chunk goes.

What happens when the disk is full: a chunk that cannot be allocated is replaced by memory, and a commit
that fails is tried again; nothing is raised into the caller. At most `MAX_RETIRED` full chunks wait: past
that a call waits for the committer or, while commits fail, its event is dropped and counted, and the
count is appended as `EventsDropped` once there is room.

Interruptions: the committer runs in a thread of its own, where Python delivers no signals, so an
exception raised by a signal handler never leaves a commit half accounted for. In `append` the steps that
belong together (the frame, the position, the list) have no point between them at which CPython would
run a handler; a handler that itself appends finds the lock reentrant.

Times are those of a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks and Consistent
Snapshots in Globally Distributed Databases", 2014), in milliseconds: they follow the wall clock, never go
back, and stand after every event of another session that this one has seen. Events of one millisecond
share their time, which is what lets thousands of them compress to almost nothing; the order is (time,
session, number).
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zlib import crc32

from eventlog import events
from eventlog.batch import PackedEvents, pack_events
from eventlog.errors import EventlogError
from eventlog.journal import CHUNK_SIZE, FRAME, FRAMES_START, Chunk, JournalLock, create_journal
from eventlog.owner import lock_lines, session_fields

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["Session"]

log = logging.getLogger("eventlog")

MAX_RETIRED = 16
RETRY_SECONDS = 1.0
_encode = events.encode_event
_frame = FRAME.pack


class _Run:
    """Events taken from the current chunk, on their way into a batch."""

    __slots__ = ("_packed", "first", "payloads", "states")

    def __init__(self, first: int, payloads: list[bytes], states: list[int]) -> None:
        self.first = first
        self.payloads = payloads
        self.states = states
        self._packed: tuple[PackedEvents, list[events.Event]] | None = None

    @property
    def end(self) -> int:
        return self.first + len(self.payloads)

    def pack(self) -> tuple[PackedEvents, list[events.Event]]:
        if self._packed is None:
            self._packed = pack_run(self.first, self.payloads, self.states)
        return self._packed


def pack_run(first: int, payloads: list[bytes], places: list[int]) -> tuple[PackedEvents, list[events.Event]]:
    """Pack consecutive events of a session, and give back the state events among them."""
    states = [events.decode_event(payloads[place]) for place in places]
    ends = (events.decode_event(payloads[0]).time, events.decode_event(payloads[-1]).time)
    return pack_events(first, payloads, places, *ends), states


class Session:
    """A process's run of appends to a store; begun by the first append, and again after a fork.

    Attributes:
        id: 16 random bytes, or None before the first append.

    Args:
        store: where to.
        wall: the machine's clock, in nanoseconds since 1970-01-01 UTC.
    """

    _position: int
    _room: int
    _seed: int
    _idle: bool
    _closing: bool
    _stopping: bool

    def __init__(self, store: "Store", wall: Callable[[], int] = time.time_ns) -> None:
        self.store = store
        self._wall = wall
        self._last_time = 0
        self._clear()

    def __repr__(self) -> str:
        name = self.id.hex()[:8] if self.id else "not begun"
        return f"<Session {name}: {self._first + len(self._pending)} events, {self._committed} committed>"

    def append(self, kind: type[events.Event], *fields: Any) -> None:
        """Append the event ``kind(time, *fields)``.

        When it returns, the event survives the death of this process. It never raises for a full disk,
        and waits only while the committer is more than 64 MiB behind.
        """
        with self._lock:
            while True:
                now = self._wall() // 1_000_000
                if now < self._last_time:
                    now = self._last_time
                else:
                    self._last_time = now
                payload = _encode(kind(now, *fields))
                item: Any = payload
                if not kind.is_report:
                    item = (payload,)
                    self._mixed = True
                size = len(payload)
                seed = self._seed
                frame = _frame(size, crc32(payload, seed)) + payload
                size += 8
                # From here on nothing may be called before `append`: see the module's text.
                position = self._position
                end = position + size
                if end > self._room:
                    if not self._make_room(size):
                        return
                elif seed == self._seed:
                    break
            self._memory[position:end] = frame
            self._position = end
            self._pending.append(item)
            if self._idle:
                self._idle = False
                self._work.set()

    def observe(self, time: int) -> None:
        """Order what comes next after an event of this time, in milliseconds, that this process has seen."""
        with self._lock:
            self._last_time = max(self._last_time, time + 1)

    def flush(self) -> None:
        """Wait until everything appended so far is committed and synced.

        Raises:
            StoreFull, StoreReadOnly, EventlogError: it could not be committed; it is kept and tried again.
        """
        with self._lock:
            target = self._first + len(self._pending)
            before = self._attempt
            while self._committed < target:
                if self._failed > before and self._error is not None:
                    raise self._error
                if self._committer is None or not self._committer.is_alive():
                    self._commit()
                    continue
                self._hurry.set()
                self._work.set()
                self._changed.wait(1.0)

    def close(self) -> None:
        """End the session: commit everything, and remove the journal. A later append begins a new one."""
        with self._lock:
            if self.id is None or self._closing:
                return
            self._closing = True
            self.append(events.SessionEnded, "")
        try:
            self.flush()
        except EventlogError as error:
            log.warning("eventlog: %s", error)
        with self._lock:
            whole = not self._pending and not self._queue
            lost = 0 if whole else sum(1 for chunk in self._chunks() if chunk.path is None)
            committer = self._committer
            self._stopping = True
            self._work.set()
            self._hurry.set()
        if committer is not None:
            committer.join(timeout=30)
        if lost:
            log.warning("eventlog: events that had no room on disk are lost with this process")
        if self._journal is not None:
            self._journal.release(remove=whole)
        self._clear()

    def restart_after_fork(self) -> None:
        """Forget the parent's session: the child's first append begins one of its own."""
        if self._journal is not None:
            self._journal.release(remove=False)
        self._clear()

    def _clear(self) -> None:
        self.id: bytes | None = None
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._work = threading.Event()
        self._hurry = threading.Event()
        self._idle = True
        self._closing = False
        self._stopping = False
        self._journal: JournalLock | None = None
        self._chunk: Chunk | None = None
        self._spare: Chunk | None = None
        self._chunk_number = 0
        self._retired: list[tuple[int, Chunk]] = []
        self._memory: Any = b""
        self._seed = 0
        self._position = 0
        self._room = 0
        self._first = 0
        # A state event stands in a tuple of its own; `_mixed` says that there is one.
        self._pending: list[Any] = []
        self._mixed = False
        self._queue: deque[_Run] = deque()
        self._committed = 0
        self._volatile_end = 0
        self._dropped = 0
        self._warned = False
        self._attempt = 0
        self._failed = 0
        self._error: EventlogError | None = None
        self._committer: threading.Thread | None = None

    # What `append` does rarely, under its lock.

    def _make_room(self, size: int) -> bool:
        """Make it possible to append a frame of this size; False when it has to be dropped."""
        if self.id is None:
            self._begin()
            return True
        self._retire()
        while len(self._retired) >= MAX_RETIRED:
            if self._failed and self._failed == self._attempt:
                self._dropped += 1
                return False
            self._hurry.set()
            self._work.set()
            self._changed.wait(1.0)
            if self._chunk is not None:
                return True
        self._next_chunk(size)
        return True

    def _begin(self) -> None:
        session = uuid.uuid4().bytes
        try:
            self._journal = create_journal(self.store.home / "journals", session, lock_lines())
        except OSError as error:
            self._warn(f"no journal can be made at {self.store.home} ({error.strerror})")
        self.id = session
        self._next_chunk(0)
        self.append(events.SessionStarted, "", *session_fields())
        self._committer = threading.Thread(
            target=self._commit_for_ever, name="eventlog-committer", daemon=True
        )
        try:
            self._committer.start()
        except RuntimeError:
            # The interpreter is ending: whoever flushes or closes commits in its own thread.
            self._committer = None

    def _retire(self) -> None:
        """Take the current chunk out of use; it goes once what it holds is committed."""
        self._take()
        chunk = self._chunk
        self._room = 0
        self._chunk = None
        if chunk is not None:
            self._retired.append((self._first, chunk))
            if chunk.path is None:
                self._volatile_end = self._first

    def _next_chunk(self, size: int) -> None:
        needed = max(CHUNK_SIZE, FRAMES_START + size)
        chunk = self._new_chunk(needed)
        assert self.id is not None
        chunk.begin(self.store.id, self.id, self._first)
        self._chunk = chunk
        self._memory = chunk.memory
        self._seed = chunk.seed
        self._position = FRAMES_START
        self._room = len(chunk.memory)
        chunk.populate(0)

    def _new_chunk(self, size: int) -> Chunk:
        # Behind events that are in memory alone there must be none in a file: after a kill, what is
        # missing has to be a tail.
        if self._journal is not None and self._committed >= self._volatile_end:
            path = self._journal.folder / f"{self._chunk_number:06d}"
            self._chunk_number += 1
            spare, self._spare = self._spare, None
            try:
                if spare is None:
                    return Chunk(path, size)
                if len(spare.memory) == size:
                    spare.rename(path)
                    return spare
                spare.remove()
                return Chunk(path, size)
            except OSError as error:
                self._warn(f"no room for the journal at {self.store.home} ({error.strerror})")
        return Chunk(None, size)

    def _take(self) -> None:
        """Move what is pending into the committer's queue."""
        pending = self._pending
        if pending:
            states: list[int] = []
            if self._mixed:
                states = [place for place, item in enumerate(pending) if type(item) is tuple]
            for place in states:
                pending[place] = pending[place][0]
            run = _Run(self._first, pending, states)
            self._queue.append(run)
            self._pending, self._mixed, self._first = [], False, run.end

    def _chunks(self) -> list[Chunk]:
        return [chunk for _, chunk in self._retired] + ([self._chunk] if self._chunk else [])

    # The committer.

    def _commit_for_ever(self) -> None:
        interval = self.store.configuration.commit_interval_seconds
        while True:
            self._work.wait()
            self._hurry.wait(RETRY_SECONDS if self._failing else interval)
            self._hurry.clear()
            with self._lock:
                if self._stopping:
                    return
                if not self._pending and not self._queue:
                    self._idle = True
                    self._work.clear()
                    continue
            self._commit()

    @property
    def _failing(self) -> bool:
        return self._failed > 0 and self._failed == self._attempt

    def _commit(self) -> None:
        with self._lock:
            self._take()
            runs = list(self._queue)
            session = self.id
            self._attempt += 1
            attempt = self._attempt
        if not runs or session is None:
            return
        try:
            self.store.commit(session, [run.pack() for run in runs])
        except EventlogError as error:
            with self._lock:
                self._failed, self._error = attempt, error
                self._warn(f"events cannot be committed and are kept for now: {error}")
                self._changed.notify_all()
            return
        removable = self._note_committed(runs)
        self._clear_away(removable)
        chunk = self._chunk
        if chunk is not None:
            chunk.populate(self._position)

    def _note_committed(self, runs: list[_Run]) -> list[Chunk]:
        with self._lock:
            for _ in runs:
                self._queue.popleft()
            self._committed = runs[-1].end
            removable = [chunk for end, chunk in self._retired if end <= self._committed]
            self._retired = [(end, chunk) for end, chunk in self._retired if end > self._committed]
            if self._chunk is not None and self._chunk.path is None and not self._pending:
                # There may be room for a file again.
                self._volatile_end = self._first
                self._retire()
                self._retired.pop()
            dropped, self._dropped = self._dropped, 0
            self._changed.notify_all()
            if dropped:
                self.append(events.EventsDropped, "", dropped, str(self._error or ""))
        return removable

    def _clear_away(self, chunks: list[Chunk]) -> None:
        """Keep one used chunk to be used again, since its memory is warm; remove the others."""
        for chunk in chunks:
            if self._spare is None and chunk.path is not None and len(chunk.memory) == CHUNK_SIZE:
                chunk.erase()
                self._spare = chunk
            else:
                chunk.remove()

    def _warn(self, what: str) -> None:
        """Say once, never raise: this runs inside other people's training loops."""
        if not self._warned:
            self._warned = True
            log.warning("eventlog: %s", what)
