"""An LMDB environment that grows, reports its errors in the tree's words, and survives a fork.

LMDB is opened with its defaults: full sync, no write map. Its map is only address space, so it starts
large and doubles when it is full. To grow it, to close it, and to fork, no transaction of this process may
be open, which is why transactions here are short and never left open across a `yield`.
"""

import contextlib
import itertools
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from eventlog.environment_files import EnvironmentFiles, open_files
from eventlog.errors import EventlogError, StoreInvalid
from eventlog.lmdb_errors import explain
from eventlog.waiters import Waiters
from eventlog.write_turn import WriteTurn

__all__ = ["Environment"]

T = TypeVar("T")

FIRST_MAP_SIZE = 1 << 30
# How long a fork waits for the transactions of other threads.
PAUSE_SECONDS = 30.0
WAIT_SECONDS = 1.0


class Environment:
    """One LMDB environment.

    Args:
        path: its folder; made if missing, unless read-only.
        databases: the named databases in it; a value gives the flags of `lmdb.Environment.open_db`.
        read_only: open it on a file system that cannot be written.
        map_size: bytes of address space to begin with.

    Raises:
        StoreInvalid: the files are not an LMDB environment, or one of something else.
        DataCorrupt: the files are damaged.
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
        self._databases = databases
        self._read_only = read_only
        self._map_size = map_size
        self._files: EnvironmentFiles | None = None
        self._closed = False
        self._start_afresh()
        self._open()
        _environments[next(_ages)] = self

    def __repr__(self) -> str:
        return f"<Environment {self.path}>"

    def __getitem__(self, name: str) -> Any:
        assert self._files is not None
        return self._files.databases[name]

    @contextlib.contextmanager
    def read(self) -> Iterator[Any]:
        """A read transaction: a snapshot, to be left soon."""
        with self._use() as use:
            transaction = self._begin(use, write=False)
            try:
                yield transaction
            except lmdb.Error as error:
                raise explain(self.path, error) from error
            finally:
                transaction.abort()

    def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a write transaction and commit it; run it again, whole, when the map had to grow.

        Raises:
            StoreFull, StoreReadOnly, StoreInvalid, DataCorrupt: nothing was changed.
        """
        while True:
            try:
                with self._use() as use:
                    transaction = self._begin(use, write=True)
                    try:
                        result = work(transaction)
                        transaction.commit()
                        return result
                    except BaseException:
                        self._abort(transaction)
                        size = self._handle.info()["map_size"]
                        raise
            except lmdb.MapFullError:
                self._resize(size * 2)
            except lmdb.Error as error:
                raise explain(self.path, error) from error

    def is_in_place(self) -> bool:
        """Whether its files are those at its path: they may have been moved away, and others made."""
        files = self._files
        return files is None or files.are_in_place()

    def size(self) -> int:
        """Bytes of the data file."""
        return (self.path / "data.mdb").stat().st_size

    def close(self) -> None:
        """Close it, once no transaction of this process is open."""
        with self._alone():
            self._closed = True
            self._close_files()

    def reopen_after_fork(self) -> None:
        """Give the child of a fork a handle of its own now; it would get one when it first needs it."""
        with self._lock:
            if not self._closed:
                self._open_if_needed()

    @property
    def _handle(self) -> Any:
        assert self._files is not None
        return self._files.handle

    # Opening.

    def _start_afresh(self) -> None:
        self._lock = threading.RLock()
        self._changes = Waiters()
        # Who wants to be alone, if anybody does.
        self._alone_for: object = None
        # The transactions of this process, by the turn that each may take: the thread of each.
        self._uses: dict[WriteTurn, int] = {}

    def _open(self) -> None:
        self._files = open_files(
            self.path, self._databases, read_only=self._read_only, map_size=self._map_size
        )

    # Transactions, and the moments without any.

    @contextlib.contextmanager
    def _use(self) -> Iterator[WriteTurn]:
        use = WriteTurn(self.path)
        try:
            yield use
        finally:
            self._leave(use)

    def _begin(self, use: WriteTurn, *, write: bool) -> Any:
        attempts = 0
        while True:
            self._enter(use)
            attempts += 1
            try:
                if write:
                    self._take_turn(use)
                return self._handle.begin(write=write)
            except lmdb.MapResizedError:
                self._leave(use)
                self._resize(0)
            except lmdb.ReadersFullError as error:
                # Readers that were killed keep their places until somebody looks.
                if not self._handle.reader_check() or attempts > 3:
                    raise explain(self.path, error) from error
            except lmdb.PanicError as error:
                # A failed write to LMDB's meta page leaves a handle unusable; the file is sound.
                self._leave(use)
                if attempts > 3:
                    raise explain(self.path, error) from error
                self._reopen()
            except lmdb.Error as error:
                raise explain(self.path, error) from error

    def _enter(self, use: WriteTurn) -> None:
        own = threading.get_ident()
        with self._changes.waiting() as wait:
            while True:
                with self._lock:
                    # Who waits for this thread's transactions to end must let it begin one within them.
                    if self._alone_for is None or own in self._uses.values():
                        self._open_if_needed()
                        self._uses[use] = own
                        return
                wait(WAIT_SECONDS)

    def _take_turn(self, use: WriteTurn) -> None:
        # Who writes within his own transaction, as signal handlers may, would wait for himself; LMDB refuses.
        own = threading.get_ident()
        if not any(thread == own and one.is_taken for one, thread in list(self._uses.items())):
            use.take()

    def _abort(self, transaction: Any) -> None:
        """Undo a write transaction that failed.

        py-lmdb (from 2.0 on) aborts one at an instant in which no other thread of the process reads, and
        two threads that read without pause leave none: nobody begins another one meanwhile.
        """
        who = object()
        try:
            try:
                with self._lock:
                    if self._alone_for is None:
                        self._alone_for = who
            finally:
                transaction.abort()
        finally:
            self._free(who)

    def _leave(self, use: WriteTurn) -> None:
        use.give_back()
        if self._uses.pop(use, None) is not None and self._alone_for is not None:
            self._changes.notify()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No transaction of another thread is open, and none begins."""
        who = object()
        try:
            self._seize(who)
            yield
        finally:
            self._free(who)

    def _seize(self, who: object, seconds: float = math.inf) -> None:
        own = threading.get_ident()
        end = time.monotonic() + seconds
        with self._changes.waiting() as wait:
            while self._alone_for != who:
                with self._lock:
                    if self._alone_for is None:
                        self._alone_for = who
                        break
                wait(WAIT_SECONDS)
            while any(thread != own for thread in list(self._uses.values())) and time.monotonic() < end:
                wait(min(WAIT_SECONDS, max(0.0, end - time.monotonic())))

    def _free(self, who: object) -> None:
        if self._alone_for == who:
            self._alone_for = None
            self._changes.notify()

    def _resize(self, size: int) -> None:
        """Set the map's size, or with 0 adopt the one that another process gave it."""
        with self._alone():
            if self._uses:
                raise EventlogError(f"{self.path} cannot grow while this thread has it open: a nested use")
            try:
                with self._lock:
                    self._open_if_needed()
                if size == 0 or size > self._handle.info()["map_size"]:
                    self._handle.set_mapsize(size)
            except lmdb.Error as error:
                raise explain(self.path, error) from error

    def _reopen(self) -> None:
        with self._alone():
            self._close_files()
            self._open()

    # Forks.

    def pause(self) -> None:
        """Let no transaction begin, wait for those of other threads, and close the files: what a fork needs.

        py-lmdb (from 2.0 on) does not open files in the child while anything there still refers to the
        parent's handle, and a transaction does even when it has ended: one in a variable of another thread,
        or in the traceback of an error that was kept. The next transaction opens them again.
        """
        self._seize(threading.get_ident(), PAUSE_SECONDS)
        with self._lock:
            if not self._uses and not self._closed:
                self._close_files()

    def resume(self) -> None:
        """Let transactions begin again after `pause`."""
        self._free(threading.get_ident())

    def let_go(self) -> None:
        """In the child of a fork, let go of the parent's files; the next transaction opens them."""
        for use in self._uses:
            use.forget()
        if self._files is not None:
            self._files.forget()
            self._files = None
        self._start_afresh()

    def _close_files(self) -> None:
        if self._files is not None:
            self._files.close()
            self._files = None

    def _open_if_needed(self) -> None:
        if self._files is None:
            if self._closed:
                raise StoreInvalid(f"{self.path} cannot be used as a store (it was closed): open it again")
            self._open()


_ages = itertools.count()
# By age: whoever is in a transaction of a younger one (the views) may begin one of an older (the log).
_environments: "weakref.WeakValueDictionary[int, Environment]" = weakref.WeakValueDictionary()
# Of each thread its own: two may fork at once.
_paused = threading.local()


def _before_fork() -> None:
    for age in sorted(_environments.keys(), reverse=True):
        environment = _environments.get(age)
        if environment is not None:
            _paused.environments = [*getattr(_paused, "environments", ()), environment]
            environment.pause()


def _after_fork_in_parent() -> None:
    paused, _paused.environments = getattr(_paused, "environments", []), []
    for environment in paused:
        environment.resume()


def _after_fork_in_child() -> None:
    _paused.environments = []
    for environment in list(_environments.values()):
        environment.let_go()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
