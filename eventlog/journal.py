"""Journals: what makes a returned call survive the death of its process.

A session's journal is a folder of chunks. A chunk is a file whose blocks are allocated before its first
frame is written, and which is written through memory: the bytes are in the page cache, and so out of
the process's hands, as soon as they are copied, without a system call. Allocating first is what makes
that safe: a full disk shows when a chunk is made, never as a fault in the middle of a call.

A frame is a length, a CRC-32 and an event. The CRC starts from a number of the chunk's own, so that
bytes left over from elsewhere never pass for a frame. A chunk counts from the moment its magic bytes are
there: they are written last when it is begun, and go first when it is erased, so that a process may die
anywhere in between.

The process that owns a journal holds a POSIX record lock on its file `lock`, which the kernel takes back
when the process dies, however it dies, and which a forked child does not share.
"""

import errno
import fcntl
import mmap
import os
import secrets
import shutil
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlog.errors import DataCorrupt, StoreNewer

__all__ = [
    "CHUNK_SIZE",
    "FRAME",
    "FRAMES_START",
    "Chunk",
    "ChunkContents",
    "JournalLock",
    "create_journal",
    "read_chunk",
]

MAGIC = b"EVJ1"
HEADER = struct.Struct(">4s16s16sQI")
CRC = struct.Struct(">I")
FRAME = struct.Struct(">II")
FRAMES_START = HEADER.size + CRC.size
CHUNK_SIZE = 4 << 20
# How far ahead of its last frame a chunk is kept mapped: many times what 200 ms of 2,000 calls a second need.
POPULATED = 256 << 10
_STEP = 32 << 10
_ZEROS = bytes(_STEP)
# linux/mman.h, since Linux 5.14; older kernels refuse it once, and are not asked again.
MADV_POPULATE_WRITE = 23
_populates = [True]
# The least that is missing of a frame whose copying was cut short, but for chance: a vector register.
TORN_SIZE = 16


class Chunk:
    """One file of a journal, open for writing; or, without a path, the same in memory alone.

    Attributes:
        path: the file, or None where there was no room for one: then its events do not survive the
            process until they are committed.
        memory: the file's bytes.
        seed: what the CRC of each frame starts from.
        end: where `put` writes the next frame.
        payloads: the encoded events in it that are to be committed, in order; a state event stands in a
            tuple of its own.
        places: where in `payloads` state events are; a place may be named that holds a report.
        next: the chunk after it, once this one is complete.
    """

    __slots__ = ("end", "memory", "next", "path", "payloads", "places", "seed")

    def __init__(self, path: Path | None, memory: "mmap.mmap | bytearray") -> None:
        self.path = path
        self.memory = memory
        self.seed = secrets.randbits(32)
        self.end = FRAMES_START
        self.payloads: list[Any] = []
        self.places: list[int] = []
        self.next: Chunk | None = None

    def __repr__(self) -> str:
        return f"<Chunk {self.path or 'in memory'}>"

    @classmethod
    def allocate(cls, path: Path, size: int = CHUNK_SIZE) -> "Chunk":
        """A new file of `size` bytes, all of them really there.

        Raises:
            OSError: there is no room, or no right.
        """
        return cls(path, _allocate(path, size))

    @classmethod
    def in_memory(cls, size: int = CHUNK_SIZE) -> "Chunk":
        """A chunk without a file."""
        return cls(None, bytearray(size))

    def begin(self, store: bytes, session: bytes, first: int) -> None:
        """Write the header: what comes next is event `first` of the session."""
        header = HEADER.pack(MAGIC, store, session, first, self.seed)
        header += CRC.pack(zlib.crc32(header))
        self.memory[len(MAGIC) : FRAMES_START] = header[len(MAGIC) :]
        self.memory[: len(MAGIC)] = MAGIC

    def put(self, payload: bytes) -> None:
        """Write the next frame, before the chunk is appended to by others."""
        frame = FRAME.pack(len(payload), zlib.crc32(payload, self.seed)) + payload
        self.memory[self.end : self.end + len(frame)] = frame
        self.end += len(frame)

    def populate(self, start: int, length: int = POPULATED) -> None:
        """Have the kernel map the pages from byte `start` on, so that writing them later does not fault.

        A fault on a file's page takes tens of microseconds, in the middle of a call. Done again for pages
        that are mapped already, it costs next to nothing, and undoes what a write-back did to them.
        """
        if isinstance(self.memory, bytearray) or not _populates:
            return
        start -= start % mmap.PAGESIZE
        end = min(start + length, len(self.memory))
        # In steps, because this is done with the interpreter's lock held.
        for step in range(start, end, _STEP):
            try:
                self.memory.madvise(MADV_POPULATE_WRITE, step, min(_STEP, end - step))
            except OSError:
                _populates.clear()
                return

    def erase(self) -> None:
        """Fill it with zeros, to be begun again; in steps, so that other threads get their turn."""
        # A big copy may write its first bytes last; the magic has to go before anything else does.
        self.memory[: len(MAGIC)] = bytes(4)
        self.memory[:FRAMES_START] = bytes(52)
        for start in range(0, len(self.memory), len(_ZEROS)):
            self.memory[start : start + len(_ZEROS)] = _ZEROS

    def again(self, path: Path) -> "Chunk":
        """An erased chunk under another name, to be begun again.

        Raises:
            OSError: it cannot be renamed.
        """
        assert self.path is not None
        self.path.rename(path)
        return Chunk(path, self.memory)

    def remove(self) -> None:
        """Delete the file: what it holds is committed."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ChunkContents:
    """What could be read of a chunk.

    Attributes:
        store: id of the store that the session writes to.
        session: id of the session.
        first: number of the first event.
        payloads: the events, encoded.
        damage: what is wrong with the rest, in words, or "": a last frame that the death of its process
            cut short is no damage.
    """

    store: bytes
    session: bytes
    first: int
    payloads: list[bytes]
    damage: str


def read_chunk(path: Path) -> ChunkContents | None:
    """Read a chunk up to its end or to the first frame that does not hold; None if it was never begun.

    Raises:
        DataCorrupt: its header does not hold.
        StoreNewer: its header is of a later version.
    """
    data = path.read_bytes()
    header = data[: HEADER.size]
    if not any(data[: len(MAGIC)]) and not any(data[FRAMES_START:]):
        return None
    if header[:3] == MAGIC[:3] and header[:4] != MAGIC:
        raise StoreNewer(f"{path} was written by a newer eventlog: upgrade eventlog to read it")
    if len(data) < FRAMES_START or CRC.pack(zlib.crc32(header)) != data[HEADER.size : FRAMES_START]:
        raise DataCorrupt(f"{path}: the header of the journal's chunk does not hold")
    _, store, session, first, seed = HEADER.unpack(header)
    payloads: list[bytes] = []
    position = FRAMES_START
    while (payload := _frame_at(data, position, seed)) is not None:
        payloads.append(payload)
        position += FRAME.size + len(payload)
    whole = _is_end(data[position:], seed)
    damage = "" if whole else f"frame {len(payloads)} at byte {position} does not hold"
    return ChunkContents(store, session, first, payloads, damage)


def _frame_at(data: bytes, position: int, seed: int) -> bytes | None:
    """The payload of the frame there, if one is."""
    start = position + FRAME.size
    if start > len(data):
        return None
    length, crc = FRAME.unpack_from(data, position)
    payload = data[start : start + length]
    return payload if length and len(payload) == length and zlib.crc32(payload, seed) == crc else None


def _is_end(rest: bytes, seed: int) -> bool:
    """Whether a chunk may just end with these bytes, which are not a frame.

    Nothing follows but zeros; or a frame that its process died in the middle of copying: runs of it are
    still zeros at its end or, as a big copy may write its first bytes last, at its start.
    """
    used = rest.rstrip(b"\0")
    if not used:
        return True
    if any(rest[:TORN_SIZE]):
        size = FRAME.size + int.from_bytes(rest[:4], "big")
        return len(used) <= size <= len(rest) and not any(rest[max(0, size - TORN_SIZE) : size])
    return len(used) <= 1 << 16 and not any(_frame_at(used, at, seed) for at in range(1, len(used)))


def _allocate(path: Path, size: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _reserve(descriptor, size)
        return mmap.mmap(descriptor, size)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _reserve(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for start in range(0, size, _STEP):  # macOS
        os.write(descriptor, _ZEROS[: size - start])


class JournalLock:
    """The lock by which a living process owns a journal, or a recovery takes over a dead one's.

    Closing any descriptor of the file in the process that holds it gives a POSIX record lock back, so a
    journal that this process holds is never opened by it a second time.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self.descriptor = descriptor
        _held.add(folder.name)

    def __repr__(self) -> str:
        return f"<JournalLock {self.folder}>"

    @classmethod
    def take(cls, folder: Path) -> "JournalLock | None":
        """Take over the journal of a dead process; None while its process lives, or once it is gone.

        Raises:
            OSError: its lock cannot be opened, or not be locked.
        """
        if folder.name in _held:
            return None
        try:
            # A journal without its lock has nobody who holds it.
            descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return None
            raise
        if os.fstat(descriptor).st_nlink == 0:
            os.close(descriptor)
            return None
        return cls(folder, descriptor)

    @staticmethod
    def is_taken(folder: Path) -> bool:
        """Whether a living process holds the journal in this folder; nothing is changed or kept from it.

        Raises:
            OSError: its lock cannot be opened, or not be asked for.
        """
        if folder.name in _held:
            return True
        try:
            descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return True
            raise
        finally:
            os.close(descriptor)
        return False

    def owner(self) -> list[str]:
        """What the owner wrote of itself: process id, host, boot id."""
        return os.pread(self.descriptor, 4096, 0).decode("utf-8", "replace").split("\n")

    def sync(self) -> None:
        """Have the folder itself outlast a power cut: without it, nobody would see that its session died."""
        for folder in (self.folder, self.folder.parent):
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def release(self, *, remove: bool) -> None:
        """Let go of the journal, and with `remove` delete it first; a second time does nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor < 0:
            return
        if remove:
            # Renamed first: a journal that is half there would look like one of a living process.
            going = _making(self.folder.parent.parent, self.folder.name)
            try:
                self.folder.rename(going)
                shutil.rmtree(going, ignore_errors=True)
            except OSError:
                shutil.rmtree(self.folder, ignore_errors=True)
        _held.discard(self.folder.name)
        os.close(descriptor)


def create_journal(home: Path, session: bytes, owner: list[str]) -> JournalLock:
    """Make the folder of a session's journal, owned by this process from its first instant.

    Args:
        home: the store's folder.
        session: id of the session.
        owner: what to say of this process in it.

    Raises:
        OSError: there is no room, or no right, to make it.
    """
    making = _making(home, session.hex())
    folder = home / "journals" / session.hex()
    making.mkdir(mode=0o700, parents=True)
    try:
        descriptor = os.open(making / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, "\n".join(owner).encode())
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            making.rename(folder)
            return JournalLock(folder, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


def _making(home: Path, name: str) -> Path:
    """A place for a journal that is being made or deleted; what is left there is swept in time."""
    return home / "temporary" / f"journal-{name}-{secrets.token_hex(4)}"


# The journals that this process holds, by the names of their folders; a child of a fork holds none.
_held: set[str] = set()
os.register_at_fork(after_in_child=_held.clear)
