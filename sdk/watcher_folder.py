"""Where the watcher of a store and the processes whose log it pushes meet: a folder of the store's.

A watcher is a process that pushes a store to one remote while others append to it; there is one at a time,
whoever started it. It holds the lock on a file, which the kernel takes back when it dies. A process asks for
a push by touching a file, and reads from another one what the watcher has done.
"""

import fcntl
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

__all__ = ["Attempt", "WatcherFolder"]

_POLL_SECONDS = 0.02
# Bytes; what an attempt says is a line.
_LONGEST = 64 << 10


class Attempt(msgspec.Struct, frozen=True):
    """The last push that a watcher tried.

    Attributes:
        remote: its URL, as it may be shown.
        pushed: the number of the last batch of the store itself that is on the remote; -1 before the first.
        began: when it began, in nanoseconds since 1970-01-01 UTC.
        problem: what went wrong, in one line, or "".
        succeeded: when the last one that went through began, as `began` is told; 0 where none has.
        failing: when the first of those that have failed since began; 0 where it does not fail.
    """

    remote: str = ""
    pushed: int = -1
    began: int = 0
    problem: str = ""
    succeeded: int = 0
    failing: int = 0


class WatcherFolder:
    """What is known of the watcher of a store and a remote.

    Args:
        home: the store's folder.
        url: of the remote.

    Attributes:
        log: the file with what it says.
    """

    def __init__(self, home: Path, url: str) -> None:
        name = hashlib.sha256(url.encode(errors="surrogateescape")).hexdigest()[:16]
        self.path = home / "auto_sync" / name
        self.log = self.path / "log"
        self._asked = self.path / "asked"
        self._last = self.path / "last"
        self._descriptor = -1

    def __repr__(self) -> str:
        return f"<WatcherFolder {self.path}>"

    def make(self) -> None:
        """Make the folder.

        Raises:
            OSError: there is no room, or no right.
        """
        for folder in (self.path.parent, self.path):
            folder.mkdir(mode=0o700, exist_ok=True)

    def is_taken(self) -> bool:
        """Whether there is a watcher now."""
        try:
            descriptor = self._open()
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def take(self, seconds: float) -> bool:
        """Become the watcher; False if another process is, after so many seconds.

        Raises:
            OSError: the lock cannot be opened.
        """
        self._descriptor = self._open()
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                # Whoever only asks whether there is a watcher holds it for a moment.
                if time.monotonic() > deadline:
                    self.release()
                    return False
            time.sleep(_POLL_SECONDS)
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        return True

    def release(self) -> None:
        """Be the watcher no longer."""
        os.close(self._descriptor)
        self._descriptor = -1

    def ask(self) -> None:
        """Ask the watcher for a push of all that is committed by now."""
        with suppress(OSError):
            self.make()
            self._asked.touch(mode=0o600)
            # By this machine's clock, which a file server need not have.
            now = time.time_ns()
            os.utime(self._asked, ns=(now, now))

    def asked(self) -> int:
        """When somebody last asked for a push: a number that changes when somebody does."""
        try:
            return self._asked.stat().st_mtime_ns
        except OSError:
            return 0

    def last(self) -> Attempt:
        """The last push that was tried."""
        try:
            with self._last.open("rb") as file:
                return _decoder.decode(file.read(_LONGEST))
        except (OSError, ValueError, RecursionError):
            return Attempt()

    def note(self, attempt: Attempt) -> None:
        """Let others know of a push that was tried; what those before it came to is added."""
        last = self.last()
        if attempt.problem:
            since = last.failing or attempt.began
            attempt = msgspec.structs.replace(attempt, succeeded=last.succeeded, failing=since)
        else:
            attempt = msgspec.structs.replace(attempt, succeeded=attempt.began, failing=0)
        partial = self._last.with_name(".last")
        with suppress(OSError):
            partial.touch(mode=0o600)
            partial.write_bytes(msgspec.json.encode(attempt))
            partial.replace(self._last)

    def _open(self) -> int:
        return os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


_decoder = msgspec.json.Decoder(Attempt)
