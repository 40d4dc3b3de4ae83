"""Offline mode: each task records into a store of its own, to be carried away and imported elsewhere.

The store of a session lies in ``EVENTLOG_HOME/offline/<task id>``. When its task ends, all that is in it is
written beside it as ``<task id>.zip``, which is laid out as a remote; of a task that was killed there is the
folder alone, and either can be imported. The mode is a variable of the environment, so that the processes
that a script starts are in it too.
"""

import contextlib
import fcntl
import logging
import os
import re
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from eventlog.configuration import home_folder
from eventlog.errors import EventlogError, InputInvalid, NotFound
from eventlog.sdk.telling import tell
from eventlog.store import Store

__all__ = [
    "begin_session",
    "current_session",
    "end_session",
    "is_offline",
    "is_task_id",
    "new_task_id",
    "open_session",
    "session_folder",
    "sessions_folder",
    "set_offline",
]

log = logging.getLogger("eventlog")

VARIABLE = "EVENTLOG_OFFLINE_MODE"
_ON = frozenset({"1", "true", "yes", "on"})
_TASK_ID = re.compile("[0-9a-f]{32}")


def is_offline() -> bool:
    """Whether this process is in offline mode."""
    return os.environ.get(VARIABLE, "").strip().lower() in _ON


def set_offline(offline_mode: bool) -> None:
    """Turn offline mode on or off, for this process and those that it will start.

    Raises:
        InputInvalid: a task is open in this process, and would have to change its store.
    """
    from eventlog.sdk.task_base import TaskBase

    task = TaskBase._open_task()
    if task is not None and bool(offline_mode) != is_offline():
        raise InputInvalid(
            f"offline mode cannot be turned {'on' if offline_mode else 'off'} while task {task.id} is open:"
            " close it first, with task.close()"
        )
    if offline_mode:
        os.environ[VARIABLE] = "1"
    else:
        os.environ.pop(VARIABLE, None)


def sessions_folder() -> Path:
    """Where the sessions of this machine are."""
    return home_folder() / "offline"


def is_task_id(text: str) -> bool:
    """Whether a text has the form of a task's id."""
    return _TASK_ID.fullmatch(text) is not None


def session_folder(task_id: str) -> Path:
    """Where the session of a task is, or would be.

    Raises:
        NotFound: it is no task's id.
    """
    if not is_task_id(task_id):
        raise NotFound(f"{task_id[:100]!r} is no task's id: it must be 32 hexadecimal digits")
    return sessions_folder() / task_id


def open_session(task_id: str = "") -> Store:
    """The store of an offline task, which this process records into from now on.

    Args:
        task_id: a task that has a session here or is in the store at home; by default a new one.

    Raises:
        NotFound: there is no such task.
        StoreFull, StoreReadOnly, StoreInvalid: it cannot be opened.
    """
    global _current
    # At the interpreter's end, when a session may have to be exported, some modules cannot be imported any
    # more.
    import_module("eventlog.sync.bundle")
    folder = session_folder(task_id or os.urandom(16).hex())
    if task_id and not (folder / "log").exists():
        from eventlog.sdk.offline_continuation import begin_continuation

        store = begin_continuation(task_id, folder)
    else:
        store = begin_session(folder)
    _sessions[store.home] = _Session(folder)
    _current = store.home
    return store


def begin_session(folder: Path) -> Store:
    """The store of a session, made where there is none yet, with the settings of the store at home.

    Raises:
        StoreFull, StoreReadOnly, StoreInvalid, ConfigurationInvalid: it cannot be opened.
    """
    from eventlog.configuration import FILE_NAME, settings_file
    from eventlog.sdk.stores import open_store_at

    settings = settings_file(home_folder())
    if not (folder / "log").exists() and settings.is_file():
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / FILE_NAME).write_bytes(settings.read_bytes())
    return open_store_at(folder, create=True)


def new_task_id(store: Store) -> str:
    """The id of a task that begins in a store: its own for the first of a session, else a random one."""
    session = _sessions.get(store.home)
    if session is not None and not session.has_task and not store.heads():
        session.has_task = True
        return session.folder.name
    return os.urandom(16).hex()


def current_session() -> Path | None:
    """The folder of the session that this process records into, or None."""
    return _current


def end_session(store: Store) -> None:
    """Write a session's zip file, if the store is one's and has what is not in it yet.

    What goes wrong is a warning: the session's folder has everything, and can be imported, too.
    """
    global _current
    session = _sessions.get(store.home)
    if session is None:
        return
    if _current == store.home:
        _current = None
    try:
        path = _export(store, session)
    except EventlogError as error:
        log.warning("eventlog: the offline session at %s has no zip file: %s", store.home, error)
        return
    if path is not None:
        tell(f"offline session stored in {path}; bring it home with `eventlog import {path}`")


class _Session:
    """What this process knows of a session that it records into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.has_task = False
        self.exported: object = None

    def __repr__(self) -> str:
        return f"<_Session at {self.folder}>"


def _export(store: Store, session: _Session) -> Path | None:
    from eventlog.recovery import recover
    from eventlog.sync.bundle import export_bundle

    store.session.close()
    # What children left that were killed.
    recover(store)
    with _turn(session.folder):
        heads = store.heads()
        if not heads or heads == session.exported:
            return None
        path = session.folder.with_name(f"{session.folder.name}.zip")
        result = export_bundle(store, path)
        session.exported = heads
    for problem in result.problems:
        log.warning("eventlog: %s is not whole: %s", path, problem)
    return path


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Nobody else exports this session meanwhile, so that the last to do so has seen everything."""
    with _exporting:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(folder.with_name(f".{folder.name}.lock"), flags, 0o600)
        except OSError:
            yield
            return
        try:
            with contextlib.suppress(OSError):
                fcntl.lockf(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


_exporting = threading.RLock()
_current: Path | None = None
_sessions: dict[Path, _Session] = {}


def _after_fork() -> None:
    global _exporting
    _exporting = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
