"""Turns at writing to an LMDB environment, which the kernel gives.

LMDB has those who would write wait for a robust mutex in its lock file. Such a mutex forgets them when three
things meet: it is let go, whoever is woken to take it is killed before he can, and meanwhile somebody else
takes it who had not waited. He knows of no others, so he wakes nobody when he lets go, and nor does the
kernel, which sees the mutex taken when the one it woke dies (`pthread_mutex_lock` of glibc 2.36,
`handle_futex_death` of Linux 6.18). Who still waits then does so until a signal comes, or for ever, with all
who wait for him.

So nobody is to wait for the mutex. Whoever would write waits for a lock on the data file first, which the
kernel passes on however its holder ends, or those who wait. It changes nothing in what holds: LMDB's mutex
still decides who writes, also among those who know of no turns, and where there is no such lock. And Ctrl-C
ends the wait.
"""

import contextlib
import fcntl
from io import FileIO
from pathlib import Path

__all__ = ["WriteTurn"]


class WriteTurn:
    """One turn: taken before a write transaction begins, given back once it has ended; a context manager.

    Args:
        folder: of the environment.
    """

    __slots__ = ("_file", "_folder")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # It closes itself, should what interrupts keep anybody from giving the turn back.
        self._file: FileIO | None = None

    def __repr__(self) -> str:
        return f"<WriteTurn at {self._folder}: {'' if self.is_taken else 'not '}taken>"

    def __enter__(self) -> None:
        try:
            self.take()
        except BaseException:
            self.give_back()
            raise

    def __exit__(self, *_: object) -> None:
        self.give_back()

    @property
    def is_taken(self) -> bool:
        """Whether it was asked for, and not given back."""
        return self._file is not None

    def take(self) -> None:
        """Wait until it comes; where there is no lock to be had, LMDB's own is waited for."""
        with contextlib.suppress(OSError):
            self._file = FileIO(self._folder / "data.mdb", "r+")
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def give_back(self) -> None:
        """Let the next one write; nothing if it was not taken."""
        file, self._file = self._file, None
        if file is not None:
            # To close it is not enough where a child was forked that Python knows nothing of.
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)
            file.close()

    def forget(self) -> None:
        """In the child of a fork: leave the turn to the parent alone."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
