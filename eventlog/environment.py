"""An LMDB environment that grows, reports its errors in the tree's words, and survives a fork.

LMDB is opened with its defaults: full sync, no write map. Its map is only address space, so it starts
large and doubles when it is full; growing waits until no transaction of this process is open, which is
why transactions here are short and never left open across a `yield`.
"""

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from eventlog.errors import DataCorrupt, EventlogError, StoreFull, StoreInvalid, StoreReadOnly

__all__ = ["Environment"]

T = TypeVar("T")

FIRST_MAP_SIZE = 1 << 30
_GROWN = (lmdb.MapFullError, lmdb.MapResizedError)
_PAUSE_SECONDS = 30.0


class Environment:
    """One LMDB environment.

    Args:
        path: its folder; made if missing, unless read-only.
        databases: the named databases in it; a value gives the flags of `lmdb.Environment.open_db`.
        read_only: open it on a file system that cannot be written.
        map_size: bytes of address space to begin with.

    Raises:
        StoreInvalid: the files are not an LMDB environment of this format.
        StoreFull, StoreReadOnly: there is no room or no right to make it.
    """

    def __init__(
        self,
        path: Path,
        databases: dict[str, dict[str, Any]],
        *,
        read_only: bool = False,
        map_size: int = FIRST_MAP_SIZE,
    ) -> None:
        self.path = path
        self.databases: dict[str, Any] = {}
        self._flags = databases
        self._read_only = read_only
        self._map_size = map_size
        self._users = 0
        self._growing = False
        self._changed = threading.Condition()
        self._open()
        _environments[next(_ages)] = self

    def __repr__(self) -> str:
        return f"<Environment {self.path}>"

    def __getitem__(self, name: str) -> Any:
        return self.databases[name]

    @contextmanager
    def read(self) -> Iterator[Any]:
        """A read transaction: a snapshot, to be left soon."""
        transaction = self._begin(write=False)
        try:
            yield transaction
        except lmdb.Error as error:
            raise self._explain(error) from error
        finally:
            transaction.abort()
            self._leave()

    def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a write transaction and commit it; run it again, whole, when the map had to grow.

        Raises:
            StoreFull, StoreReadOnly, StoreInvalid, DataCorrupt: nothing was changed.
        """
        while True:
            transaction = self._begin(write=True)
            try:
                try:
                    result = work(transaction)
                    transaction.commit()
                    return result
                finally:
                    transaction.abort()
                    self._leave()
            except lmdb.MapFullError:
                self._grow()
            except lmdb.PanicError:
                # A failed write to LMDB's meta page leaves this handle unusable; the file is sound.
                self.close()
                self._open()
                raise StoreFull(f"{self.path} could not be written; it will be tried again") from None
            except lmdb.Error as error:
                raise self._explain(error) from error

    def size(self) -> int:
        """Bytes of the data file."""
        return (self.path / "data.mdb").stat().st_size

    def close(self) -> None:
        """Close it; no transaction of this process may be open."""
        with self._changed:
            while self._users:
                self._changed.wait()
            self._environment.close()

    def pause(self) -> None:
        """Let no transaction begin, and wait for those that are open: what a fork needs.

        A thread in the middle of one does not exist in the child, but what it holds does, and py-lmdb
        would not open the files again there.
        """
        with self._changed:
            while self._growing:
                self._changed.wait()
            self._growing = True
            # In vain only if the thread that forks has one open itself.
            self._changed.wait_for(lambda: not self._users, timeout=_PAUSE_SECONDS)

    def resume(self) -> None:
        """Let transactions begin again after `pause`."""
        with self._changed:
            self._growing = False
            self._changed.notify_all()

    def reopen_after_fork(self) -> None:
        """Give the child of a fork a handle of its own.

        The parent's is let go of, not closed: closing it would free the parent's reader slots. py-lmdb
        (from 1.8 on) leaves what another process opened alone when it is let go of, and (from 2.0 on)
        refuses to open the files a second time as long as it is not.
        """
        self.databases = {}
        del self._environment
        self._open()

    def _open(self) -> None:
        self._users = 0
        self._growing = False
        self._changed = threading.Condition()
        try:
            if not self._read_only:
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._environment = lmdb.open(
                str(self.path),
                map_size=self._map_size,
                max_dbs=len(self._flags),
                max_readers=1024,
                mode=0o600,
                readonly=self._read_only,
                lock=not self._read_only,
                create=not self._read_only,
                # A spare would keep its reader slot through a fork, and the child would free it.
                max_spare_txns=0,
            )
            self.databases = {
                name: self._environment.open_db(name.encode(), **flags, create=not self._read_only)
                for name, flags in self._flags.items()
            }
            if not self._read_only:
                self._environment.reader_check()
        except (lmdb.Error, OSError) as error:
            raise self._explain(error) from error

    def _begin(self, *, write: bool) -> Any:
        while True:
            with self._changed:
                while self._growing:
                    self._changed.wait()
                self._users += 1
            try:
                return self._environment.begin(write=write)
            except lmdb.MapResizedError:
                self._leave()
                self._resize(0)
            except lmdb.Error as error:
                self._leave()
                raise self._explain(error) from error
            except BaseException:
                self._leave()
                raise

    def _leave(self) -> None:
        with self._changed:
            self._users -= 1
            if not self._users:
                self._changed.notify_all()

    def _grow(self) -> None:
        self._resize(self._environment.info()["map_size"] * 2)

    def _resize(self, size: int) -> None:
        """Set the map's size, or with 0 adopt the one that another process gave it."""
        with self._changed:
            while self._growing:
                self._changed.wait()
            self._growing = True
            try:
                while self._users:
                    self._changed.wait()
                if size == 0 or size > self._environment.info()["map_size"]:
                    self._environment.set_mapsize(size)
            except lmdb.Error as error:
                raise self._explain(error) from error
            finally:
                self._growing = False
                self._changed.notify_all()

    def _explain(self, error: Exception) -> EventlogError:
        """The error of the tree that an error of LMDB's, or of the file system's, is."""
        text = str(error)
        # LMDB reports a write that a full disk cut short as an input/output error.
        if isinstance(error, lmdb.DiskError) or any(
            words in text
            for words in (
                "No space left",
                "File too large",
                "quota exceeded",
                "No room",
                "Input/output error",
            )
        ):
            return StoreFull(
                f"{self.path}: no room to write ({text}): free some disk space or raise the limit"
            )
        if isinstance(error, (lmdb.ReadonlyError, PermissionError)) or any(
            words in text for words in ("Permission denied", "Read-only file system", "not permitted")
        ):
            return StoreReadOnly(
                f"{self.path} cannot be written ({text}): check its owner and rights, or set EVENTLOG_HOME"
            )
        if isinstance(error, (lmdb.CorruptedError, lmdb.PageNotFoundError)):
            return DataCorrupt(f"{self.path} is damaged ({text}): run `eventlog verify`")
        return StoreInvalid(f"{self.path} cannot be used as a store ({text}): run `eventlog verify`")


_ages = itertools.count()
# By age: whoever is in a transaction of a younger one (the views) may begin one of an older (the log).
_environments: "weakref.WeakValueDictionary[int, Environment]" = weakref.WeakValueDictionary()


def _before_fork() -> None:
    for age in sorted(_environments.keys(), reverse=True):
        environment = _environments.get(age)
        if environment is not None:
            environment.pause()
            _paused.environments = [*getattr(_paused, "environments", ()), environment]


def _after_fork_in_parent() -> None:
    paused, _paused.environments = getattr(_paused, "environments", []), []
    for environment in paused:
        environment.resume()


def _after_fork_in_child() -> None:
    _paused.environments = []


# Of each thread its own: two may fork at once.
_paused = threading.local()
os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
