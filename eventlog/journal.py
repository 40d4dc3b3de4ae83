"""Journals: what makes a returned call survive the death of its process.

A session's journal is a folder of chunks. A chunk is a file whose blocks are allocated before its first
frame is written, and which is written through memory: the bytes are in the page cache, and so out of
the process's hands, as soon as they are copied, without a system call. Allocating first is what makes
that safe: a full disk shows when a chunk is made, never as a fault in the middle of a call.

A frame is a length, a CRC-32 and an event. The CRC starts from a number of the chunk's own, so that
bytes left over from elsewhere never pass for a frame. The process that owns a journal holds a POSIX
record lock on its file `lock`, which the kernel takes back when the process dies, however it dies, and
which a forked child does not share.
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


class Chunk:
    """One file of a journal, open for writing; or, without a path, the same in memory alone.

    Attributes:
        path: the file, or None where there was no room for one: then its events do not survive the
            process until they are committed.
        memory: the file's bytes.
        seed: what the CRC of each frame starts from.
    """

    __slots__ = ("memory", "path", "seed")

    def __init__(self, path: Path | None, size: int = CHUNK_SIZE) -> None:
        self.path = path
        self.seed = secrets.randbits(32)
        self.memory: mmap.mmap | bytearray = bytearray(size) if path is None else _allocate(path, size)

    def __repr__(self) -> str:
        return f"<Chunk {self.path or 'in memory'}>"

    def begin(self, store: bytes, session: bytes, first: int) -> None:
        """Write the header: what comes next is event `first` of the session."""
        header = HEADER.pack(MAGIC, store, session, first, self.seed)
        self.memory[:FRAMES_START] = header + CRC.pack(zlib.crc32(header))

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
        for start in range(0, len(self.memory), len(_ZEROS)):
            self.memory[start : start + len(_ZEROS)] = _ZEROS

    def rename(self, path: Path) -> None:
        """Give an erased chunk the name under which it is begun again."""
        assert self.path is not None
        self.path.rename(path)
        self.path = path
        self.seed = secrets.randbits(32)

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
        damage: what is wrong with the rest, in words, or "": a frame cut off by the death of its
            process, with nothing but zeros after it, is no damage.
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
    if not any(data[:FRAMES_START]):
        return None
    if header[:3] == MAGIC[:3] and header[:4] != MAGIC:
        raise StoreNewer(f"{path} was written by a newer eventlog: upgrade eventlog to read it")
    if len(data) < FRAMES_START or CRC.pack(zlib.crc32(header)) != data[HEADER.size : FRAMES_START]:
        raise DataCorrupt(f"{path}: the header of the journal's chunk does not hold")
    _, store, session, first, seed = HEADER.unpack(header)
    payloads: list[bytes] = []
    position = FRAMES_START
    damage = ""
    while position + FRAME.size <= len(data):
        length, crc = FRAME.unpack_from(data, position)
        start = position + FRAME.size
        payload = data[start : start + length]
        if not length or len(payload) != length or zlib.crc32(payload, seed) != crc:
            damage = _damage(data, position, length, len(payloads))
            break
        payloads.append(payload)
        position = start + length
    return ChunkContents(store, session, first, payloads, damage)


def _damage(data: bytes, position: int, length: int, index: int) -> str:
    """What the bytes from a frame that does not hold amount to: "" for an end or a torn last frame."""
    torn_end = position + FRAME.size + length if length <= len(data) - position - FRAME.size else position + 4
    if not data[torn_end:].strip(b"\0"):
        return ""
    return f"frame {index} at byte {position} does not hold, and more bytes follow it"


def _allocate(path: Path, size: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
        return mmap.mmap(descriptor, size)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


class JournalLock:
    """The lock by which a living process owns a journal, or a recovery takes over a dead one's.

    It must not be opened a second time in the process that holds it: closing any descriptor of the file
    gives a POSIX record lock back.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self.descriptor = descriptor

    def __repr__(self) -> str:
        return f"<JournalLock {self.folder}>"

    @classmethod
    def take(cls, folder: Path) -> "JournalLock | None":
        """Take over the journal of a dead process; None while its process lives, or once it is gone."""
        try:
            descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
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

    def owner(self) -> list[str]:
        """What the owner wrote of itself: process id, host, boot id."""
        return os.pread(self.descriptor, 4096, 0).decode("utf-8", "replace").split("\n")

    def release(self, *, remove: bool) -> None:
        """Let go of the journal, and with `remove` delete it first."""
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.descriptor)


def create_journal(journals: Path, session: bytes, owner: list[str]) -> JournalLock:
    """Make the folder of a session's journal, owned by this process from its first instant.

    Raises:
        OSError: there is no room, or no right, to make it.
    """
    making = journals / f".{session.hex()}"
    folder = journals / session.hex()
    making.mkdir(mode=0o700)
    try:
        descriptor = os.open(making / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, "\n".join(owner).encode())
            making.rename(folder)
        except BaseException:
            os.close(descriptor)
            raise
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    return JournalLock(folder, descriptor)
