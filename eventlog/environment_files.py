"""The files of an LMDB environment, opened: looked at before, both of one folder, and held.

The folder may be moved away at any instant: whoever rebuilds views does so. LMDB opens its files one after
the other, by their names, and with the data of one folder and the locks of another two processes would write
at once. So the folder is held while they are opened, and looked at again afterwards.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lmdb

from eventlog.errors import EventlogError, StoreInvalid
from eventlog.lmdb_errors import explain, is_refusal
from eventlog.lock_file import LockFile
from eventlog.mapped_files import check_data_file, reserve_lock_file
from eventlog.write_turn import WriteTurn

__all__ = ["EnvironmentFiles", "open_files"]

MAX_READERS = 1024
# How often a folder may be moved away while it is opened.
ATTEMPTS = 100


def open_files(
    folder: Path, databases: dict[str, dict[str, Any]], *, read_only: bool, map_size: int
) -> "EnvironmentFiles":
    """Open the files in a folder, made if they are missing, unless read-only.

    The arguments are those of `environment.Environment`, and so are the errors raised.
    """
    for _ in range(ATTEMPTS):
        try:
            if not read_only and not _make(folder):
                continue
            with _held(folder, or_missing=read_only) as is_in_place:
                try:
                    files = EnvironmentFiles(folder, databases, read_only=read_only, map_size=map_size)
                except lmdb.MapResizedError:
                    # Another process made it grow between two steps.
                    continue
                except (lmdb.Error, OSError, EventlogError):
                    if is_in_place():
                        raise
                    continue
                if is_in_place():
                    return files
                files.close()
        except (lmdb.Error, OSError) as error:
            raise explain(folder, error) from error
    raise StoreInvalid(
        f"{folder} is moved away whenever it is opened: let nothing else rebuild it, and try again"
    )


class EnvironmentFiles:
    """The files of an environment, as this process has them open; get them from `open_files`.

    Attributes:
        handle: LMDB's.
        databases: the handles of its databases, by name.
    """

    def __init__(
        self, folder: Path, databases: dict[str, dict[str, Any]], *, read_only: bool, map_size: int
    ) -> None:
        self._folder = folder
        self._flags = databases
        self._read_only = read_only
        check_data_file(folder, mend=not read_only)
        if not read_only:
            reserve_lock_file(folder, MAX_READERS)
        self.handle = self._open(map_size, lock=True)
        try:
            self.databases = self._open_databases()
            if not read_only:
                self.handle.reader_check()
            self._lock_file = LockFile(folder)
            self._identity = _identity(folder)
        except BaseException:
            self.handle.close()
            raise

    def __repr__(self) -> str:
        return f"<EnvironmentFiles in {self._folder}>"

    def are_in_place(self) -> bool:
        """Whether they are what lies in their folder now."""
        return self._identity == _identity(self._folder)

    def close(self) -> None:
        """Close them, once no transaction of this process is open."""
        self.handle.close()
        self._lock_file.close()

    def forget(self) -> None:
        """In the child of a fork: leave them to the parent.

        They are not closed: that would free the places of the parent's readers. py-lmdb (from 1.8 on) leaves
        what another process opened alone when it is let go of.
        """
        self._lock_file.forget()

    def _open(self, map_size: int, *, lock: bool) -> Any:
        try:
            return lmdb.open(
                os.fsencode(self._folder),
                # LMDB would make it no larger than what is committed now, which others soon exceed.
                map_size=max(map_size, 2 * self._data_size()),
                max_dbs=len(self._flags),
                max_readers=MAX_READERS,
                mode=0o600,
                readonly=self._read_only,
                lock=lock,
                create=not self._read_only,
                # A spare would keep its reader's place through a fork, and the child would free it.
                max_spare_txns=0,
            )
        except (lmdb.Error, OSError) as error:
            # Who may not write the lock file can still read, as long as nobody writes meanwhile.
            if not self._read_only or not lock or not is_refusal(error):
                raise
            return self._open(map_size, lock=False)

    def _data_size(self) -> int:
        try:
            return (self._folder / "data.mdb").stat().st_size
        except FileNotFoundError:
            return 0

    def _open_databases(self) -> dict[str, Any]:
        names = {name.encode() for name in self._flags}
        with self.handle.begin() as transaction, transaction.cursor() as cursor:
            there = {bytes(key) for key in cursor.iternext(values=False)}
        if (self._read_only and not names <= there) or (there and not names & there):
            raise StoreInvalid(
                f"{self._folder} holds an LMDB environment of something else: set EVENTLOG_HOME to a store"
            )
        if self._read_only:
            return {
                name: self.handle.open_db(name.encode(), create=False, **flags)
                for name, flags in self._flags.items()
            }
        # All in one transaction, synced if it changes anything. It has to be one for writing: py-lmdb (3.0)
        # makes handles of no use that were opened in another.
        with WriteTurn(self._folder), self.handle.begin(write=True) as transaction:
            return {
                name: self.handle.open_db(name.encode(), txn=transaction, **flags)
                for name, flags in self._flags.items()
            }


def _make(folder: Path) -> bool:
    """Make the folder if it is missing; False if it was moved away just then."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        # Something was there that was none by the time it was looked at.
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise
        return False
    return True


@contextlib.contextmanager
def _held(folder: Path, *, or_missing: bool) -> Iterator[Callable[[], bool]]:
    """Keep a folder's identity from being given to another; gives what says whether it is at its path yet."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        # There may be no right to list it.
        may_be_opened = or_missing or not isinstance(error, FileNotFoundError)
        yield lambda: may_be_opened
        return

    def is_in_place() -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), folder.stat())
        except OSError:
            return False

    try:
        yield is_in_place
    finally:
        os.close(descriptor)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = (folder / "data.mdb").stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
