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

# Whether there are open file description locks, and what one is asked for with is as below.
_OF_FILES = sys.platform == "linux" and sys.maxsize > 1 << 32


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
        if self._descriptor >= 0 and _OF_FILES:
            with contextlib.suppress(OSError):
                self._lock(fcntl.F_RDLCK, 0, 1)
                # Of the two kinds, only one at a time: LMDB's goes first.
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, os.getpid())
                self._lock(fcntl.F_WRLCK, os.getpid(), 1)

    def __repr__(self) -> str:
        return f"<LockFile {self._path}>"

    def close(self) -> None:
        """Let go of it, after LMDB has."""
        if self._descriptor >= 0 and _OF_FILES:
            # To close it is not enough: a program that is just being started has it, too, for a moment.
            with contextlib.suppress(OSError):
                self._lock(fcntl.F_UNLCK, 0, 0)
        self.forget()

    def forget(self) -> None:
        """In the child of a fork: leave it to the parent alone."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _lock(self, kind: int, first: int, count: int) -> None:
        # struct flock of fcntl(2) on 64-bit Linux; no bytes are all.
        flock = struct.pack("hhqqi4x", kind, os.SEEK_SET, first, count, 0)
        fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, flock)
