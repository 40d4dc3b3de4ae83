"""Chunks: the files of a journal.

A chunk is written through memory where that is safe: its blocks are allocated before its first frame is
written, and the bytes are in the page cache, and so out of the process's hands, as soon as they are copied,
without a system call. Allocating first is what makes that safe: a full disk shows when a chunk is made,
never as a fault in the middle of a call. A file system that never overwrites blocks in place (btrfs, ZFS)
asks for room again each time, and on a full disk kills who writes through memory (SIGBUS); there, and where
it is not known, a chunk is written by calls.

A frame is a length, a CRC-32 and an event. The CRC starts from a number of the chunk's own, so that bytes
left over from elsewhere never pass for a frame. A chunk counts from the moment its magic bytes are there:
they are written last when it is begun, and go first when it is erased, so that a process may die anywhere
in between.
"""

import contextlib
import errno
import fcntl
import functools
import mmap
import os
import re
import struct
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from eventlog.errors import DataCorrupt, StoreNewer

__all__ = [
    "CHUNK_SIZE",
    "FRAME",
    "FRAMES_START",
    "MAX_CHUNK_SIZE",
    "Chunk",
    "ChunkContents",
    "maps_safely",
    "read_chunk",
]

MAGIC = b"EVJ1"
HEADER = struct.Struct(">4s16s16sQI")
CRC = struct.Struct(">I")
FRAME = struct.Struct(">II")
FRAMES_START = HEADER.size + CRC.size
CHUNK_SIZE = 4 << 20
# All that may wait for a full disk, and the largest event behind it (`eventlog.committer`); no more is read.
MAX_CHUNK_SIZE = 128 << 20
# The last bytes of a chunk of the usual size, some of which are used once it is full.
_LAST = 128 << 10
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
        memory: its bytes.
        file: a descriptor of the file, if it is written by calls; or -1, if through memory.
        seed: what the CRC of each frame starts from.
        end: where `put` writes the next frame.
        payloads: the encoded events in it that are not let go of yet, in order; a state event stands in a
            tuple of its own.
        first: the number of the first of them within the session.
        places: numbers of the state events; that of a report may be among them.
        before: bytes of its session's chunks before it.
        next: the chunk after it, once this one is complete.
    """

    __slots__ = ("before", "end", "file", "first", "memory", "next", "path", "payloads", "places", "seed")

    def __init__(self, path: Path | None, memory: "mmap.mmap | bytearray | _WrittenFile") -> None:
        self.path = path
        self.memory = memory
        self.file = memory.descriptor if isinstance(memory, _WrittenFile) else -1
        self.seed = int.from_bytes(os.urandom(4), "little")
        self.end = FRAMES_START
        self.payloads: list[Any] = []
        self.first = 0
        self.places: list[int] = []
        self.before = 0
        self.next: Chunk | None = None

    def __repr__(self) -> str:
        return f"<Chunk {self.path or 'in memory'}>"

    @classmethod
    def allocate(cls, path: Path, size: int = CHUNK_SIZE, *, mapped: bool = True) -> "Chunk":
        """A new file of `size` bytes, all of them really there, to be written through memory or by calls.

        Raises:
            OSError: there is no room, or no right.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _reserve(descriptor, size)
            return cls(path, _map(descriptor, size) if mapped else _WrittenFile(descriptor, size))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    @classmethod
    def in_memory(cls, size: int = CHUNK_SIZE) -> "Chunk":
        """A chunk without a file."""
        return cls(None, bytearray(size))

    def begin(self, store: bytes, session: bytes, first: int) -> None:
        """Write the header: what comes next is event `first` of the session.

        Raises:
            OSError: there is no room for it, if the chunk is written by calls.
        """
        header = HEADER.pack(MAGIC, store, session, first, self.seed)
        header += CRC.pack(zlib.crc32(header))
        self.memory[len(MAGIC) : FRAMES_START] = header[len(MAGIC) :]
        self.memory[: len(MAGIC)] = MAGIC

    def put(self, payload: bytes) -> None:
        """Write the next frame, before the chunk is appended to by others.

        Raises:
            OSError: there is no room for it, if the chunk is written by calls.
        """
        frame = FRAME.pack(len(payload), zlib.crc32(payload, self.seed)) + payload
        self.memory[self.end : self.end + len(frame)] = frame
        self.end += len(frame)

    def populate(self, start: int, *, beside: bool = False) -> None:
        """Have the kernel map the pages from byte `start` on, so that writing them later does not fault.

        A fault on a file's page takes tens of microseconds, in the middle of a call. Done again for pages
        that are mapped already, it costs next to nothing, and undoes what a write-back did to them.

        Args:
            beside: while other threads run, if that can be, as the kernel may have to wait for the disk.
        """
        if not isinstance(self.memory, mmap.mmap) or not _populates:
            return
        start -= start % mmap.PAGESIZE
        length = min(POPULATED, len(self.memory) - start)
        madvise = _madvise_beside if beside else mmap.mmap.madvise
        try:
            if length > 0:
                madvise(self.memory, MADV_POPULATE_WRITE, start, length)
        except OSError:
            _populates.clear()

    def erase(self) -> None:
        """Fill it with zeros, to be begun again, while other threads run.

        Raises:
            OSError: its file cannot be opened, or not be written.
        """
        assert self.path is not None
        # A big copy may write its first bytes last; the magic has to go before anything else does.
        self.memory[: len(MAGIC)] = bytes(len(MAGIC))
        self.memory[:FRAMES_START] = bytes(FRAMES_START)
        # By a call, since what was written back would fault, page by page, with the interpreter's lock held;
        # and by one, since each has to wait for that lock.
        pieces = [_ZEROS] * (len(self.memory) // _STEP) + [bytes(len(self.memory) % _STEP)]
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.pwritev(descriptor, pieces, 0) != len(self.memory):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)

    def again(self, path: Path) -> "Chunk":
        """An erased chunk under another name, to be begun again.

        Raises:
            OSError: it cannot be renamed.
        """
        assert self.path is not None
        self.path.rename(path)
        return Chunk(path, self.memory)

    def remove(self) -> None:
        """Delete the file: what it holds is committed. What cannot be deleted now goes with the journal."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()


class ChunkContents(msgspec.Struct, frozen=True):
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
    """Read a chunk up to its end or to the first frame that does not hold; None if it holds nothing.

    That is one that was never begun, or was being erased: all of it is committed then, and events have gone
    on in another, which may have been in memory alone.

    Raises:
        DataCorrupt: its header does not hold, or it is larger than any.
        StoreNewer: its header is of a later version.
    """
    size = path.stat().st_size
    if size > MAX_CHUNK_SIZE:
        raise DataCorrupt(f"{path}: {size} bytes are more than a journal's chunk ever has")
    data = path.read_bytes()
    header = data[: HEADER.size]
    if not any(data[: len(MAGIC)]) and (not any(data[FRAMES_START:]) or _was_full(data)):
        return None
    if header[:3] == MAGIC[:3] and header[3:4] not in (b"", MAGIC[3:]):
        raise StoreNewer(f"{path} was written by a newer eventlog: upgrade eventlog to read it")
    if len(data) < FRAMES_START or CRC.pack(zlib.crc32(header)) != data[HEADER.size : FRAMES_START]:
        raise DataCorrupt(f"{path}: the header of the journal's chunk does not hold")
    _, store, session, first, seed = HEADER.unpack(header)
    payloads: list[bytes] = []
    position = FRAMES_START
    while (payload := _frame_at(data, position, seed)) is not None:
        payloads.append(payload)
        position += FRAME.size + len(payload)
    whole = _is_end(data[position:], position, seed)
    damage = "" if whole else f"frame {len(payloads)} at byte {position} does not hold"
    return ChunkContents(store, session, first, payloads, damage)


def _was_full(data: bytes) -> bool:
    """Whether a chunk that has lost its magic was full, as it is before it is erased, from the front."""
    return len(data) == CHUNK_SIZE and any(data[-_LAST:])


def _frame_at(data: bytes, position: int, seed: int) -> bytes | None:
    """The payload of the frame there, if one is."""
    start = position + FRAME.size
    if start > len(data):
        return None
    length, crc = FRAME.unpack_from(data, position)
    payload = data[start : start + length]
    return payload if length and len(payload) == length and zlib.crc32(payload, seed) == crc else None


def _is_end(rest: bytes, position: int, seed: int) -> bool:
    """Whether a chunk may just end with these bytes at a position, which are not a frame.

    Nothing follows but zeros; or a frame that its process died in the middle of copying: runs of it are
    still zeros at its end or, as a big copy may write its first bytes last, at its start.
    """
    used = rest.rstrip(b"\0")
    if not used:
        return True
    if not _lacks_its_start(rest, len(used), position, seed):
        size = FRAME.size + int.from_bytes(rest[:4], "big")
        cut = len(used) <= size <= len(rest) and not any(rest[max(0, size - TORN_SIZE) : size])
        return cut and not _is_whole_but_for_its_length(rest, seed)
    return len(used) <= 1 << 16 and not any(_frame_at(used, at, seed) for at in range(1, len(used)))


def _lacks_its_start(rest: bytes, used: int, position: int, seed: int) -> bool:
    """Whether what a big copy writes last is missing: all before the first boundary of a vector register."""
    if not any(rest[: FRAME.size]):
        return True
    missing = TORN_SIZE - position % TORN_SIZE
    length = int.from_bytes(rest[:4], "big")
    return (
        # Two bytes or less are zeros in any case.
        2 < missing < FRAME.size
        and not any(rest[:missing])
        and used > FRAME.size + length
        and not _is_whole_but_for_its_length(rest, seed)
    )


def _is_whole_but_for_its_length(rest: bytes, seed: int) -> bool:
    """Whether the frame there would hold, if one byte of its length were another.

    A length that a changed byte made larger reaches into the zeros behind the frame, or behind the last of
    many, and so looks as if its end were missing.
    """
    length, crc = FRAME.unpack_from(rest)
    payload = memoryview(rest)[FRAME.size :]
    others = {length & ~(0xFF << shift) | byte << shift for shift in (0, 8, 16, 24) for byte in range(256)}
    # Each goes on from the CRC of the one before, so that all of them cost one pass over the chunk.
    found, done = seed, 0
    for other in sorted(others - {0}):
        if other > len(payload):
            break
        found = zlib.crc32(payload[done:other], found)
        if found == crc:
            return True
        done = other
    return False


def _reserve(descriptor: int, size: int) -> None:
    try:
        os.posix_fallocate(descriptor, 0, size)
        return
    except AttributeError:  # macOS
        pass
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    for start in range(0, size, _STEP):
        os.write(descriptor, _ZEROS[: size - start])


def _madvise_beside(memory: mmap.mmap, advice: int, start: int, length: int) -> None:
    """As `mmap.madvise`, but without the interpreter's lock if ctypes is there, as it is where NumPy is."""
    if "ctypes" not in sys.modules:
        # To import it would take longer than the lock is held, but for a busy disk.
        memory.madvise(advice, start, length)
        return
    import ctypes

    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if _libc().madvise(ctypes.c_void_p(address + start), ctypes.c_size_t(length), advice):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@functools.cache
def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _map(descriptor: int, size: int) -> "mmap.mmap | _WrittenFile":
    try:
        return mmap.mmap(descriptor, size)
    except OSError as error:
        # There are file systems that map no file for writing.
        if error.errno not in (errno.ENODEV, errno.EINVAL, errno.EOPNOTSUPP):
            raise
        return _WrittenFile(descriptor, size)


class _WrittenFile:
    """A file, for all that writes to a chunk's memory, that is written by calls."""

    descriptor = -1

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 0)
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __setitem__(self, place: slice, data: bytes) -> None:
        if os.pwrite(self.descriptor, data, place.start or 0) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


# File systems that overwrite in place what is allocated. What lies below an overlay cannot be seen; it is
# one of these nearly always.
IN_PLACE = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs", "overlay"})


def maps_safely(folder: Path) -> bool:
    """Whether files in a folder may be written through memory, as they cannot run out of room there."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    return _file_system(folder.resolve(), lines) in IN_PLACE


def _file_system(folder: Path, mountinfo: Iterable[str]) -> str:
    """The kind of file system that a folder lies on, by lines of ``/proc/self/mountinfo`` (proc(5))."""
    found, kind = "", ""
    for line in mountinfo:
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), before.split()[4])
        # The last one mounted at a place is the one that is seen.
        if folder.is_relative_to(point) and len(point) >= len(found):
            found, kind = point, after.split()[0]
    return kind
