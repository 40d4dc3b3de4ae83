"""One sync for all that waits to be written to a file system, in place of one for each of many files.

On ext4 and XFS, syncfs(2) writes every file, commits the journal and flushes the disk's cache once; since
Linux 5.8 it tells of what could not be written, too. But it waits for what others have written as well, so it
is only used while that is little.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

from eventlog.hosts import file_system_type

__all__ = ["WholeSync"]

# Those whose sync_fs flushes the disk's cache. What is mounted through FUSE leaves that to its server.
TYPES = frozenset({"ext4", "xfs"})
TELLS_SINCE = (5, 8)
# Bytes of others that are waited for: less than a second of most disks.
MOST_OF_OTHERS = 64 << 20
MEMORY = "/proc/meminfo"


class WholeSync:
    """The file system of a folder, to be synced as a whole. To be closed.

    It is made before the files are written, so that it is told what goes wrong with them.

    Args:
        folder: any on it.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = -1
        if _syncfs() is not None and file_system_type(folder) in TYPES:
            self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __repr__(self) -> str:
        return f"<WholeSync {'by syncfs' if self._descriptor >= 0 else 'not possible'}>"

    def close(self) -> None:
        """Let go of the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def sync(self, size: int) -> bool:
        """Return once all that was written will outlast a power cut; False where each file must be synced.

        That is so where this kind of file system is not known to do it, where others have written much, and
        where something, perhaps of others, could not be written.

        Args:
            size: bytes that the caller has written and not synced.
        """
        call = _syncfs()
        if call is None or self._descriptor < 0 or _waiting_bytes() > size + MOST_OF_OTHERS:
            return False
        return call(self._descriptor) == 0


def _waiting_bytes() -> float:
    """How much waits to be written to all disks, in bytes."""
    found = {}
    try:
        with open(MEMORY) as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in ("Dirty", "Writeback"):
                    found[name] = int(rest.split()[0]) << 10
    except (OSError, ValueError, IndexError):
        return float("inf")
    return sum(found.values()) if len(found) == 2 else float("inf")


@functools.cache
def _syncfs() -> Callable[[int], int] | None:
    import ctypes  # not needed by processes that keep nothing

    if not hasattr(os, "uname") or os.uname().sysname != "Linux":
        return None
    release = os.uname().release.split("-")[0].split(".")
    if tuple(int(one) for one in release[:2] if one.isdigit()) < TELLS_SINCE:
        return None
    call = getattr(ctypes.CDLL(None), "syncfs", None)
    if call is not None:
        call.argtypes = (ctypes.c_int,)
    return cast("Callable[[int], int] | None", call)
