"""What LMDB takes for granted of its two files, made sure of before it opens them.

It maps both into memory. Where the data file is shorter than its meta page says, a read would kill the
process (SIGBUS), and so would, on a full disk, a write to a page of the lock file that has no block yet.
"""

import array
import contextlib
import fcntl
import os
import struct
from pathlib import Path

import lmdb

__all__ = ["check_data_file", "reserve_lock_file"]

# A meta page: 16 bytes of page header; magic, version; address, map size; two trees of 48 bytes, the first
# of which begins with the page size; the last page in use, the transaction (`lmdb.c`, MDB_meta).
META = struct.Struct("=16xII16xI92xQQ")
MAGIC = 0xBEEFC0DE
# linux/fs.h; file systems that know no such flag refuse it.
FS_IOC_GETFLAGS = 0x80086601
FS_IOC_SETFLAGS = 0x40086602
FS_NOCOW_FL = 0x00800000
# Bytes that may be missing at the end of a sound file.
MAX_MENDED = 1 << 20


def check_data_file(folder: Path, *, mend: bool) -> None:
    """Refuse a data file that is not LMDB's, before anything is made or changed beside it.

    Args:
        folder: of the environment; the file may be missing or empty, as before its first transaction.
        mend: the file may be made longer. Its last pages may never have been written, if what they held
            went in the same transaction; so where only few are missing, zeros take their place.

    Raises:
        lmdb.InvalidError: it is not LMDB's.
        lmdb.CorruptedError: it was cut short.
        OSError: it cannot be read, or not be made longer.
    """
    try:
        file = (folder / "data.mdb").open("r+b" if mend else "rb")
    except FileNotFoundError:
        return
    with file:
        size = os.fstat(file.fileno()).st_size
        first = file.read(META.size)
        if not first:
            return
        magic, _, page_size, _, _ = META.unpack(first.ljust(META.size, b"\0"))
        if magic != MAGIC or len(first) < META.size:
            raise lmdb.InvalidError("data.mdb is not a file of LMDB's")
        if not 512 <= page_size <= 65536:
            return
        file.seek(page_size)
        metas = [META.unpack(meta) for meta in (first, file.read(META.size)) if len(meta) == META.size]
        needed = page_size * (max(metas, key=lambda meta: meta[4])[3] + 1)
        if size >= needed:
            return
        if not mend or needed - size > MAX_MENDED or not hasattr(os, "posix_fallocate"):
            raise lmdb.CorruptedError(f"data.mdb has {size} bytes, its last page ends at {needed}")
        # Unlike others, this call takes nothing from a file that another process has made longer meanwhile.
        os.posix_fallocate(file.fileno(), size, needed - size)


def reserve_lock_file(folder: Path, readers: int) -> None:
    """Have all of the lock file really there.

    Args:
        folder: of the environment.
        readers: for how many of them the file has room when it is made; LMDB keeps to its size.

    Raises:
        OSError: there is no room, or no right.
    """
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    descriptor = os.open(folder / "lock.mdb", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # One that others have mapped must keep its size.
        size = os.fstat(descriptor).st_size
        if not size:
            _overwrite_in_place(descriptor)
        os.posix_fallocate(descriptor, 0, size or 4096 + 64 * readers)
    finally:
        os.close(descriptor)


def _overwrite_in_place(descriptor: int) -> None:
    """Have btrfs write what changes of an empty file to where it was, instead of asking for room again."""
    flags = array.array("l", [0])
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, flags)
        flags[0] |= FS_NOCOW_FL
        fcntl.ioctl(descriptor, FS_IOC_SETFLAGS, flags)
