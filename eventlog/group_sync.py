"""Files that are synced to the disk together, and only then come under their names.

A sync for each small file costs a commit of the file system's journal, or at least a flush of the disk's
cache, each time. One sync of the file system does for all, where that can be had (`whole_sync`). Elsewhere
the first sync makes the commit for the others too, and flushes that are asked for at once become one. A
thread beside does it, while the next group is written.
"""

import contextlib
import errno
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from eventlog.growing_hash import begin_write_back
from eventlog.whole_sync import WholeSync

__all__ = ["GROUPED_SIZE", "GroupSync", "sync_folders"]

# Larger files gain nothing from company.
GROUPED_SIZE = 4 << 20
MOST_FILES = 128
# From how many on one sync for all is worth more than one for each.
WORTH_WHOLE = 8
MOST_BYTES = 64 << 20
# The part of all files that a process may have open; a group takes one, and so do the two before it.
OPEN_PART = 8
SYNC_JOBS = 16
# Some file systems cannot sync a folder, and a read-only one has nothing to sync.
NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EROFS})

Item = TypeVar("Item")


class Written:
    """A file that is written and not synced.

    Args:
        descriptor: keeps it open, so that what goes wrong with writing it to the disk is told to its sync.
        path: where it is.
        name: what it is to be called.
        size: in bytes.
    """

    __slots__ = ("descriptor", "name", "path", "size")

    def __init__(self, descriptor: int, path: str, name: str, size: int) -> None:
        self.descriptor = descriptor
        self.path = path
        self.name = name
        self.size = size

    def close(self) -> None:
        """Close it once, whoever asks how often.

        Raises:
            OSError: what was written could not be sent, as some file systems of networks say only now.
        """
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class GroupSync:
    """Takes files that are written, and gives them to `place` once they are on the disk. A context manager.

    That is when there are many of them, and when the block ends. When it ends with an exception, those of the
    last group are removed. Any thread may add files.

    Args:
        folder: any, on the file system of the files.
        place: moves a file, by its path and its name, to where it belongs; called by a thread of its own. It
            need not sync the folder.
        errors: a context manager in which files are synced and placed; says what went wrong.
    """

    def __init__(
        self,
        folder: Path,
        place: Callable[[str, str], None],
        errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        import resource  # not needed by processes that keep nothing

        self._whole = WholeSync(folder)
        self._place = place
        self._errors = errors
        self._most_files = max(1, min(MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // OPEN_PART))
        self._waiting: list[Written] = []
        self._bytes = 0
        self._is_open = True
        self._lock = threading.Lock()
        # To put never waits, so that None always gets there. One group is placed, one waits, one is written.
        self._groups: queue.SimpleQueue[list[Written] | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(1)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._is_given_up = False

    def __repr__(self) -> str:
        return f"<GroupSync of {len(self._waiting)} files>"

    def __enter__(self) -> "GroupSync":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._lock:
                self._is_open = False
            if kind is not None:
                _remove(self._waiting)
                self._waiting = []
            if self._thread is None:
                self._sync_and_place(self._waiting)
            else:
                self._groups.put(self._waiting)
                self._groups.put(None)
                self._thread.join()
        except BaseException:
            # Interrupted: what is not placed yet is not going to be.
            self._is_given_up = True
            self._groups.put(None)
            _remove(self._waiting)
            raise
        finally:
            self._waiting = []
            self._whole.close()
        if kind is None and self._error is not None:
            raise self._error

    def add(self, descriptor: int, path: str, name: str, size: int) -> None:
        """Take a file over, which nobody writes to any more.

        Args:
            descriptor: of the file; the group closes it, whatever happens.
            path: where it is.
            name: what `place` gets.
            size: in bytes.

        Raises:
            Exception: a file added before cannot be synced or placed; those that were not are removed.
            ValueError: the block has ended.
        """
        file = Written(descriptor, path, name, size)
        with self._lock:
            if self._is_open and not self._is_doomed():
                self._waiting.append(file)
                self._bytes += size
                if len(self._waiting) >= self._most_files or self._bytes >= MOST_BYTES:
                    group, self._waiting, self._bytes = self._waiting, [], 0
                    self._hand_over(group)
                return
        _remove([file])
        raise self._error or ValueError("no file can be added once the block has ended")

    def _hand_over(self, group: list[Written]) -> None:
        if self._thread is None:
            self._thread = self._start_thread()
        if self._thread is None:
            self._sync_and_place(group)
            return
        try:
            # Whoever else has a file waits for this, too, or ever more would be open.
            self._room.acquire()
        except BaseException:
            _remove(group)
            raise
        self._groups.put(group)

    def _is_doomed(self) -> bool:
        return self._is_given_up or self._error is not None

    def _start_thread(self) -> threading.Thread | None:
        thread = threading.Thread(target=self._work, name="eventlog-group-sync", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The interpreter is ending and starts no threads any more.
            return None
        return thread

    def _work(self) -> None:
        while (group := self._groups.get()) is not None:
            self._room.release()
            self._sync_and_place(group)

    def _sync_and_place(self, files: list[Written]) -> None:
        placed = 0
        try:
            if not self._is_doomed():
                with self._errors():
                    self._sync(files)
                    for file in files:
                        file.close()
                    for file in files:
                        if self._is_doomed():
                            break
                        self._place(file.path, file.name)
                        placed += 1
        except BaseException as error:
            self._error = error
        finally:
            _remove(files[placed:])

    def _sync(self, files: list[Written]) -> None:
        if len(files) >= WORTH_WHOLE and self._whole.sync(sum(file.size for file in files)):
            return
        for file in files:
            begin_write_back(file.descriptor, 0, file.size)
        _in_threads(lambda file: os.fsync(file.descriptor), files)


def sync_folders(folders: Iterable[Path]) -> None:
    """Return once the names in these folders will outlast a power cut, where folders can be synced at all."""
    _in_threads(_sync_folder, list(folders))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _remove(files: Iterable[Written]) -> None:
    for file in files:
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            Path(file.path).unlink(missing_ok=True)


def _in_threads(work: Callable[[Item], None], items: list[Item]) -> None:
    """Do something to every item, several at once; the first error is raised when all threads are done."""
    waiting = deque(items)
    errors: list[Exception] = []

    def work_on() -> None:
        while waiting and not errors:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item)
            except Exception as error:
                errors.append(error)

    threads = []
    # The first alone commits for the others.
    if waiting:
        work(waiting.popleft())
    for _ in range(min(SYNC_JOBS, len(items) // 4)):
        thread = threading.Thread(target=work_on, name="eventlog-group-sync", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The interpreter is ending and starts no threads any more.
            break
        threads.append(thread)
    work_on()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
