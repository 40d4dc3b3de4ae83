"""Journals: what makes a returned call survive the death of its process.

A session's journal is a folder of chunks (`eventlog.chunk`). The process that owns it holds a lock on its
file `lock`, which the kernel takes back when the process dies, however it dies.

A POSIX record lock would go as soon as the process closes any descriptor of the file, as a script does that
copies its store or keeps a folder as an artifact; others would then take its session for a dead one. So where
the kernel has them it is an open file description lock, which goes with its own descriptor: a forked child
inherits that, and closes it at once. Either kind of lock keeps out the other.
"""

import contextlib
import errno
import fcntl
import os
import struct
import sys
from pathlib import Path

__all__ = ["JournalLock", "create_journal"]


class JournalLock:
    """The lock by which a living process owns a journal, or a recovery takes over a dead one's."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self.descriptor = descriptor
        _held[folder.name] = self

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
                _delete(going)
            except OSError:
                _delete(self.folder)
        _held.pop(self.folder.name, None)
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
        # Before it is locked, so that no child of a fork keeps the lock.
        lock = JournalLock(folder, descriptor)
        try:
            _hold(descriptor)
            os.write(descriptor, "\n".join(owner).encode())
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            making.rename(folder)
            return lock
        except BaseException:
            lock.release(remove=False)
            raise
    except BaseException:
        _delete(making)
        raise


# struct flock of fcntl(2) on 64-bit Linux, the whole file.
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def _hold(descriptor: int) -> None:
    """Lock a new file, of which nobody else knows yet."""
    if sys.platform == "linux" and sys.maxsize > 1 << 32:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _delete(folder: Path) -> None:
    """Delete a journal's folder and its files, as far as it can be."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()


def _making(home: Path, name: str) -> Path:
    """A place for a journal that is being made or deleted; what is left there is swept in time."""
    return home / "temporary" / f"journal-{name}-{os.urandom(4).hex()}"


# The journals that this process holds, by the names of their folders; a child of a fork holds none.
_held: dict[str, JournalLock] = {}


def _after_fork() -> None:
    for lock in list(_held.values()):
        lock.release(remove=False)


os.register_at_fork(after_in_child=_after_fork)
