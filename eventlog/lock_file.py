"""That a process has an LMDB environment open, said so that it cannot take it back by accident.

LMDB says so by POSIX record locks on its lock file: of byte 0, that somebody has the environment open; of the
byte with the number of a process, that its readers live. These locks go as soon as the process closes any
descriptor of the file, as a script does that copies its store, or keeps the folder around it as an artifact.
Whoever opens the environment next takes the lock file for nobody's and begins it anew, and two write at once,
so that what one of them commits is lost; or he takes the readers for dead, and what they read is written
over.

So where the kernel has open file description locks, which go with their own descriptor, the same bytes are
locked by one. Either kind of lock is seen by who asks for the other.
"""

import contextlib
import fcntl
import os
import struct
import sys
from pathlib import Path

__all__ = ["LockFile"]


class LockFile:
    """The lock file of an environment that this process has opened, until it is closed.

    Args:
        folder: of the environment, in which this process has read once: LMDB then asks for no further locks.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock.mdb"
        self._descriptor = -1
        # Without a file of locks, or the right to write it, there are none that could go.
        with contextlib.suppress(OSError):
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        if self._descriptor >= 0 and sys.platform == "linux" and sys.maxsize > 1 << 32:
            with contextlib.suppress(OSError):
                self._lock(fcntl.F_RDLCK, 0)
                # Of the two kinds, only one at a time: LMDB's goes first.
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, os.getpid())
                self._lock(fcntl.F_WRLCK, os.getpid())

    def __repr__(self) -> str:
        return f"<LockFile {self._path}>"

    def close(self) -> None:
        """Let go of it, after LMDB has; or, in the child of a fork, leave it to the parent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _lock(self, kind: int, byte: int) -> None:
        # struct flock of fcntl(2) on 64-bit Linux.
        flock = struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)
        fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, flock)
