"""A session: one process's run of appends.

`Session.append` encodes an event, copies it into the journal's current chunk and returns: the event then
outlives the process. The committer (`eventlog.committer`) brings it into the log, by default within 200 ms.

What happens when the disk is full: a chunk that cannot be allocated is replaced by memory, and a commit
that fails is tried again; nothing is raised into the caller. At most `committer.MAX_WAITING` bytes of chunks
wait: past that a call waits for the committer or, while commits fail, its event is dropped and counted, and
the count is appended as `EventsDropped` once there is room. State events, which say what a task is, are
dropped last: `committer.RESERVE` bytes more are theirs.

Interruptions. Another thread may go on, and a signal handler run, and raise, wherever CPython returns from
a call; a garbage collection, and with it a `__del__`, wherever an object is allocated; and each may append,
flush or close. Therefore nothing here changes the session's state but in a few statements that neither call
nor allocate (a slice comes from a cache), after having looked that what they were prepared from, the chunk
and the position in it, is still so; else it begins again. The interpreter's own lock makes those statements
one, so that an append through memory needs no other. What takes longer, a chunk's change, a write by a call
or the session's end, goes one at a time, under a lock that is reentrant for the sake of what interrupts; a
Python without the interpreter's lock appends so, too.

Times are those of a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks and Consistent
Snapshots in Globally Distributed Databases", 2014), in milliseconds: they follow the wall clock, never go
back, and stand after every event of another session that this one has seen. Events of one millisecond
share their time, which is what lets thousands of them compress to almost nothing; the order is (time,
session, number).
"""

import contextlib
import errno
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from zlib import crc32

from eventlog import events
from eventlog.chunk import CHUNK_SIZE, FRAME, FRAMES_START, Chunk
from eventlog.clock import MAX_LEAD
from eventlog.committer import Committer
from eventlog.errors import InputInvalid, StoreReadOnly

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["MAX_EVENT_SIZE", "Session"]

log = logging.getLogger("eventlog")

MAX_EVENT_SIZE = 16 << 20
_encode = events.encode_event
_frame = FRAME.pack
# Whether threads run beside each other, in a Python without the interpreter's lock.
_FREE_THREADED: bool = not getattr(sys, "_is_gil_enabled", lambda: True)()


class Session:
    """A process's run of appends to a store; begun by the first append, and again after a fork.

    Attributes:
        id: 16 random bytes, or None before the first append.
        inherited: in a forked child, its parent's session and how many events it had then. Whoever reads
            what the child sees of them waits until they are committed, and sets it to None.

    Args:
        store: where to.
        wall: the machine's clock, in nanoseconds since 1970-01-01 UTC.
    """

    # No more than thirty, or CPython no longer finds them fast.
    id: bytes | None
    inherited: tuple[bytes, int] | None
    _committer: Committer | None
    # Sessions that were closed, and the number of events of each; until all of it is committed.
    _ending: list[tuple[Committer, int]]
    _wake: "SimpleQueue[bool]"
    _idle: bool
    # What comes next goes to byte `_position` of the chunk: up to `_room` through memory and without the
    # lock, up to `_locked_room` under it; one of the two is 0.
    _chunk: Chunk | None
    _memory: Any
    _seed: int
    _position: int
    _room: int
    _locked_room: int
    # Everything goes under the lock.
    _exclusive: bool
    # The chunk's.
    _payloads: list[Any]
    _places: list[int]
    _dropped: int
    _warned: bool

    def __init__(self, store: "Store", wall: Callable[[], int] = time.time_ns) -> None:
        self.store = store
        self._wall = wall
        self._last_time = 0
        self.inherited = None
        self._forget()

    def __repr__(self) -> str:
        if self.id is None or self._committer is None:
            return "<Session not begun>"
        return f"<Session {self.id.hex()[:8]}: {self._count()} events, {self._committer.committed} committed>"

    def append(self, kind: type[events.Event], *fields: Any) -> None:
        """Append the event ``kind(time, *fields)``.

        When it returns, the event survives the death of this process. It never raises for a full disk,
        and waits only while the committer is more than 64 MiB behind.

        Raises:
            InputInvalid: the event is larger than 16 MiB.
            StoreReadOnly: the store was opened for reading alone.
        """
        while True:
            position = self._position
            seed = self._seed
            now = self._wall() // 1_000_000
            if now < self._last_time:
                now = self._last_time
            else:
                self._last_time = now
            payload = _encode(kind(now, *fields))
            item: Any = payload
            if not kind.is_report:
                item = (payload,)
                self._places.append(self._count())
            size = len(payload)
            frame = _frame(size, crc32(payload, seed)) + payload
            end = position + size + 8
            # Neither call nor allocate until the event is in the list: see the module's text.
            if end <= self._room and position == self._position and seed is self._seed:
                self._memory[position:end] = frame
                self._position = end
                self._payloads.append(item)
                if self._idle:
                    self._wake.put(False)
                    self._idle = False
                return
            if position != self._position or seed is not self._seed:
                continue
            if end <= self._locked_room:
                if self._append_locked(position, seed, frame, item):
                    return
            elif not self._make_room(kind, size + 8):
                return

    def observe(self, time: int) -> None:
        """Order what comes next after an event of this time, in milliseconds, that this process has seen.

        A time more than a year ahead of this machine's clock is not followed: one machine whose clock is
        wrong must not carry all others along.
        """
        if time > self._wall() // 1_000_000 + MAX_LEAD:
            return
        following = time + 1
        # Neither call nor allocate: see the module's text.
        if self._last_time < following:
            self._last_time = following

    def flush(self) -> None:
        """Wait until everything appended so far is committed and synced.

        Raises:
            StoreFull, StoreReadOnly, EventlogError: it could not be committed; it is kept and tried again.
        """
        with self._lock:
            self._append_dropped()
            committer = self._committer
            target = self._count()
        if committer is not None:
            committer.reach(target)

    def close(self) -> None:
        """End the session: commit everything, and remove the journal. A later append begins a new one."""
        with self._lock:
            if self._committer is not None:
                self._append_dropped()
                # Nothing may come behind the event that ends it.
                self._exclude()
                self.append(events.SessionEnded, "")
                self._detach()
        while self._ending:
            self._ending[0][0].finish(self._ending[0][1])
            del self._ending[:1]

    def restart_after_fork(self) -> None:
        """Forget the parent's session: the child's first append begins one of its own."""
        for committer, _ in self._ending:
            committer.release(remove=False)
        if self._committer is not None:
            self._committer.release(remove=False)
        if self.id is not None:
            self.inherited = self.id, self._count()
        self._forget()

    # What the committer tells.

    def rest(self) -> None:
        """The committer has nothing to do: the next append is to wake it."""
        self._idle = True

    def let_go(self, chunk: Chunk, number: int) -> None:
        """The events of a chunk before this number are committed.

        Their memory, which is mapped and warm, is what the next ones are encoded into. As many are kept that
        their list, which would have to be moved and mapped anew as it grows, does not shrink either.
        """
        is_locked = _FREE_THREADED
        if is_locked and not self._lock.acquire(blocking=False):
            return
        try:
            payloads = chunk.payloads
            count = min(number - chunk.first, len(payloads) * 3 // 8)
            if count > 0:
                # Neither call nor allocate: see the module's text.
                del payloads[:count]
                chunk.first += count
        finally:
            if is_locked:
                self._lock.release()

    def note_commit(self, committer: Committer) -> None:
        """What was appended is committed, or that failed."""
        chunk = self._chunk
        if committer is not self._committer or chunk is None:
            return
        chunk.populate(self._position, beside=True)
        if self._position > len(chunk.memory) // 2:
            committer.make_spare()
        if committer.error is None:
            if chunk.path is None:
                # There may be room for a file again: the next append looks for it.
                self._room = self._locked_room = 0
            # The committer never waits for the lock: whoever holds it may be waiting for the committer.
            if self._dropped and self._lock.acquire(blocking=False):
                try:
                    self._append_dropped()
                finally:
                    self._lock.release()

    def warn(self, what: str) -> None:
        """Say it once, never raise: this runs inside other people's training loops."""
        if not self._warned:
            self._warned = True
            log.warning("eventlog: %s", what)

    # What `append` does rarely.

    def _append_locked(self, position: int, seed: int, frame: bytes, item: Any) -> bool:
        """Append a frame, with no other thread beside; False if something came between."""
        with self._lock:
            chunk = self._chunk
            if chunk is None:
                # What came between has closed the session.
                return False
            end = position + len(frame)
            if chunk.file >= 0 and not self._write(chunk, position, seed, frame):
                return False
            # Neither call nor allocate until the event is in the list: see the module's text.
            if position == self._position and seed is self._seed:
                if chunk.file < 0:
                    chunk.memory[position:end] = frame
                self._position = end
                self._payloads.append(item)
                if self._idle:
                    self._wake.put(False)
                    self._idle = False
                return True
            return False

    def _write(self, chunk: Chunk, position: int, seed: int, frame: bytes) -> bool:
        """Write a frame to the chunk by a call; False if something came between, or there is no room."""
        try:
            # What interrupts before the call is seen here; what interrupts after it, by the caller.
            if position != self._position or seed is not self._seed:
                return False
            if os.pwrite(chunk.file, frame, position) < len(frame):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.warn(f"no room for the journal at {self.store.home} ({error.strerror})")
            self._next_chunk(CHUNK_SIZE, file=False)
            return False
        except BaseException:
            # Raised by what interrupted: a longer frame than the next one would look like damage after it.
            if position == self._position and seed is self._seed:
                os.ftruncate(chunk.file, position)
            raise
        return True

    def _exclude(self) -> None:
        """Have everything appended under the lock, until another session begins."""
        # Neither call nor allocate: see the module's text.
        self._exclusive = True
        if self._room:
            self._locked_room = self._room
            self._room = 0

    def _make_room(self, kind: type[events.Event], size: int) -> bool:
        """Make it possible to append a frame of this size; False when it has to be dropped."""
        if size > MAX_EVENT_SIZE:
            raise InputInvalid(f"an event of {size} bytes is too large: keep what is in it as an artifact")
        # What interrupted an append of this same thread cannot wait: the lock is held below it.
        patient = not self._lock._is_owned()  # type: ignore[attr-defined]
        with self._lock:
            committer, chunk = self._committer, self._chunk
            if committer is None or chunk is None:
                self._begin()
                return True
            failing = committer.error is not None
            patient = patient and not failing and not committer.is_current_thread()
            needed: int | None = 0
            if self._position + size > len(chunk.memory):
                needed = committer.room_for(chunk, kind, FRAMES_START + size, patient=patient)
            if needed is None and not patient:
                self._dropped += 1
                self._room = self._locked_room = 0
                return False
            if needed is not None:
                if self._dropped and kind is not events.EventsDropped:
                    self._append_dropped()
                elif needed or chunk.path is None:
                    self._next_chunk(needed)
                else:
                    self._open(chunk, len(chunk.memory))
                return True
        committer.await_room()
        return True

    def _open(self, chunk: Chunk, room: int) -> None:
        locked = self._exclusive or chunk.file >= 0
        # Neither call nor allocate: see the module's text.
        if chunk is self._chunk:
            self._locked_room = room if locked else 0
            self._room = 0 if locked else room

    def _count(self) -> int:
        """How many events were appended."""
        chunk = self._chunk
        # No call comes between the two: the committer lets go of events meanwhile.
        return 0 if chunk is None else chunk.first + len(chunk.payloads)

    def _append_dropped(self) -> None:
        count = self._dropped
        if count and self._committer is not None:
            self.append(events.EventsDropped, "", count, str(self._committer.last_error or ""))
            self._dropped -= count

    def _begin(self) -> None:
        if self.store.read_only:
            raise StoreReadOnly(f"the store at {self.store.home} was opened read-only: open it for writing")
        identity = os.urandom(16)
        self._warned = False
        committer = Committer(self, self.store, identity)
        try:
            chunk, now = committer.start(max(self._wall() // 1_000_000, self._last_time))
            room = len(chunk.memory)
        except BaseException:
            committer.give_up()
            raise
        # Neither call nor allocate: see the module's text.
        if self._committer is None:
            self.id = identity
            self._committer = committer
            self._wake = committer.wake
            self._idle = True
            self._last_time = now
            self._chunk = chunk
            self._memory = chunk.memory
            self._seed = chunk.seed
            self._position = chunk.end
            self._exclusive = _FREE_THREADED
            locked = _FREE_THREADED or chunk.file >= 0
            self._locked_room = room if locked else 0
            self._room = 0 if locked else room
            self._payloads = chunk.payloads
            self._places = chunk.places
        else:
            committer.give_up()

    def _next_chunk(self, size: int, *, file: bool = True) -> None:
        """Turn to a new chunk of this size; with 0, to a file instead of memory, if there is room for one."""
        committer, chunk, position = self._committer, self._chunk, self._position
        assert committer is not None
        assert chunk is not None
        first = self._count()
        failing = committer.error is not None
        new = None
        if file and chunk.path is not None:
            new = committer.new_file(size, first)
        elif file and not failing:
            # Behind events that are in memory alone there must be none in a file: after a kill, what is
            # missing has to be a tail. So the file begins with a copy of them.
            begin, backlog = committer.backlog()
            copied = sum(len(payload) + FRAME.size for payload in backlog)
            new = committer.new_file(max(size, CHUNK_SIZE) + copied, begin, backlog)
        if new is None and size:
            new = Chunk.in_memory(size)
        room = len((new or chunk).memory)
        if new is not None:
            new.before = chunk.before + len(chunk.memory)
            new.first = first
        with contextlib.suppress(OSError):
            # What this interrupts may have written a frame that is not to count.
            if new is not None and chunk.file >= 0 and chunk is self._chunk and position == self._position:
                os.ftruncate(chunk.file, position)
        # Neither call nor allocate: see the module's text.
        if chunk is self._chunk and position == self._position:
            if new is not None:
                chunk.next = new
                self._chunk = new
                self._memory = new.memory
                self._seed = new.seed
                self._position = new.end
                self._payloads = new.payloads
                self._places = new.places
                chunk = new
            locked = self._exclusive or chunk.file >= 0
            self._locked_room = room if locked else 0
            self._room = 0 if locked else room
        elif new is not None:
            new.remove()
        if failing and committer.error is None:
            # A commit went through meanwhile, and did not yet see a chunk in memory: the next append looks.
            self._room = self._locked_room = 0

    def _detach(self) -> None:
        """Let the next append begin another session."""
        while True:
            committer, chunk, position = self._committer, self._chunk, self._position
            if committer is None or chunk is None:
                return
            end = self._count()
            ending = [*self._ending, (committer, end)]
            payloads: list[Any] = []
            # Neither call nor allocate: see the module's text.
            if chunk is self._chunk and position == self._position:
                self.id = None
                self._committer = None
                self._chunk = None
                self._memory = b""
                self._position = 0
                self._room = 0
                self._locked_room = 0
                self._payloads = payloads
                self._ending = ending
                return

    def _forget(self) -> None:
        self.id = None
        self._lock = threading.RLock()
        self._committer = None
        self._ending = []
        self._wake = SimpleQueue()
        self._idle = False
        self._chunk = None
        self._memory = b""
        self._seed = 0
        self._position = 0
        self._room = 0
        self._locked_room = 0
        self._exclusive = _FREE_THREADED
        self._payloads = []
        self._places = []
        self._dropped = 0
        self._warned = False
