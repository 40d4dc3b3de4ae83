"""The LMDB environment that holds the views: shared in a process, and expendable.

Views can always be folded again, so an environment that is damaged is deleted and begun anew; that of a
store which is open for reading alone lies in a temporary folder.
"""

import atexit
import os
import shutil
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import lmdb
import msgspec
import zstandard

from eventlog.environment import Environment
from eventlog.errors import DataCorrupt, StoreInvalid, StoreReadOnly
from eventlog.store import Store

__all__ = ["DATABASES", "ViewsDamaged", "ViewsEnvironment"]

T = TypeVar("T")

DATABASES: dict[str, dict[str, Any]] = {
    name: {}
    for name in (
        "meta",
        "checkpoints",
        # The state stream.
        "events",
        "tasks",
        "models",
        "sessions",
        "rows",
        "terms",
        "pages",
        "by_change",
        # The report stream.
        "series",
        "points",
        "outlines",
        "text",
        "plots",
        "media",
        "report_batches",
    )
}
MAP_SIZE = 256 << 20
_DAMAGE = (
    lmdb.InvalidError,
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.VersionMismatchError,
    lmdb.IncompatibleError,
    lmdb.CursorFullError,
    lmdb.PageFullError,
    lmdb.BadTxnError,
)


class ViewsDamaged(DataCorrupt):
    """What lies in the views is not what was written there; folding the log again mends it."""


class ViewsEnvironment:
    """The environment at a path; one object per path in a process.

    Args:
        path: its folder.
        temporary: the folder is deleted when this process is done with it.
    """

    def __init__(self, path: Path, *, temporary: bool = False) -> None:
        self.path = path
        self._temporary = temporary
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._users = 0
        self._environment = self._open()

    def __repr__(self) -> str:
        return f"<ViewsEnvironment {self.path}>"

    @classmethod
    def of(cls, store: Store, *, anew: bool = False) -> "ViewsEnvironment":
        """The environment with the views of a store, to be closed once by each who asked for it.

        Args:
            anew: throw away what is there, without opening it: LMDB can crash on damaged files.
        """
        with _opening:
            # The key of a read-only store's is no path: there is a temporary folder for it.
            key = store.home / ("views read-only" if store.read_only else "views")
            found = _open_environments.get(key)
            if found is not None and not found._environment.is_in_place():
                # The folder was deleted, perhaps made anew: who still holds the old files may keep them.
                found = None
            if found is not None and anew:
                found.replace()
            if found is None:
                if anew and not store.read_only:
                    _delete(key)
                found = cls.temporary() if store.read_only else cls(key)
                _open_environments[key] = found
            found._users += 1
            return found

    @classmethod
    def temporary(cls) -> "ViewsEnvironment":
        """An empty environment in a temporary folder, which goes when it is closed."""
        import tempfile

        return cls(Path(tempfile.mkdtemp(prefix="eventlog-views-")), temporary=True)

    def __getitem__(self, name: str) -> Any:
        return self._environment[name]

    @contextmanager
    def read(self) -> Iterator[Any]:
        """A read transaction: a snapshot, to be left soon.

        Raises:
            ViewsDamaged: what is read is not what was written.
        """
        with self._naming_damage(), self._environment.read() as transaction:
            yield transaction

    def write(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a write transaction and commit it; it may be run more than once.

        Raises:
            ViewsDamaged: what is read is not what was written.
            StoreFull, StoreReadOnly: there is no room, or no right, to write them.
        """
        with self._naming_damage():
            return self._environment.write(work)

    def replace(self) -> None:
        """Delete the files, whatever is in them, and begin anew; no other thread may be using them.

        Other processes that have them open keep them until they open the views again.
        """
        with self._lock:
            self._environment.close()
            _delete(self.path)
            self._environment = self._open()

    def close(self) -> None:
        """Let go of it; the last to do so closes the files."""
        with _opening:
            self._users -= 1
            if self._users > 0:
                return
            for key in [key for key, found in _open_environments.items() if found is self]:
                del _open_environments[key]
            self._environment.close()
            self.remove_temporary()

    def remove_temporary(self) -> None:
        """Delete the files if they are this process's own."""
        if self._temporary and self._owner == os.getpid():
            shutil.rmtree(self.path, ignore_errors=True)

    def _open(self) -> Environment:
        try:
            return Environment(self.path, DATABASES, map_size=MAP_SIZE)
        except (StoreInvalid, DataCorrupt) as error:
            # No lack of rights, room, memory or file handles.
            if not isinstance(error.__cause__, (*_DAMAGE, type(None))):
                raise
        _delete(self.path)
        return Environment(self.path, DATABASES, map_size=MAP_SIZE)

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except (DataCorrupt, StoreInvalid) as error:
            # Of these files, and not of the log's, which a fold reads too.
            if not (str(error).startswith(f"{self.path} ") and isinstance(error.__cause__, _DAMAGE)):
                raise
            raise ViewsDamaged(f"the views at {self.path} are damaged: run `eventlog rebuild`") from error
        except (msgspec.DecodeError, zstandard.ZstdError, struct.error) as error:
            raise ViewsDamaged(
                f"the views at {self.path} are damaged ({error}): run `eventlog rebuild`"
            ) from error


_opening = threading.RLock()
_open_environments: dict[Path, ViewsEnvironment] = {}


def _after_fork() -> None:
    global _opening
    _opening = threading.RLock()


def _at_exit() -> None:
    for environment in _open_environments.values():
        environment.remove_temporary()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)


def _delete(path: Path) -> None:
    """Move the files away first, so that whoever opens the folder meanwhile finds none or all new ones."""
    import uuid

    if not path.exists():
        return
    swept = path.parent / "temporary"
    aside = (swept if swept.is_dir() else path.parent) / f"{path.name}-{uuid.uuid4().hex}"
    try:
        path.rename(aside)
    except FileNotFoundError:
        # Another process did so just now.
        return
    except OSError as error:
        raise StoreReadOnly(f"the views at {path} cannot be deleted: {error.strerror}") from None
    shutil.rmtree(aside, ignore_errors=True)
