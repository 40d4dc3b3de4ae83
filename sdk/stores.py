"""The store that this process's tasks write to, and what is read back from it.

A store, once opened here, stays open until the process ends: a script calls from anywhere, and opening
costs more than all its calls.
"""

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.configuration import home_folder
from eventlog.errors import InputInvalid, NotFound, StoreReadOnly
from eventlog.home import is_there
from eventlog.hosts import shared_remote
from eventlog.recovery import recover
from eventlog.sdk import offline
from eventlog.sdk.whole_import import import_whole
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState, Views

__all__ = [
    "close_stores",
    "current_views",
    "find_state",
    "is_pushed_by_itself",
    "open_store",
    "open_store_at",
    "read_state",
    "release_views",
    "store_for_task",
    "stores_to_search",
]

# How long a child waits for what its parent had appended, besides the interval between two commits: longer
# than one takes, since all of it is there.
_PARENT_SECONDS = 10.0


def open_store(*, create: bool = False) -> Store:
    """The store at ``EVENTLOG_HOME`` as it is set now; one that cannot be written is opened for reading.

    In offline mode it is that of the session that this process records into.

    Args:
        create: to write to it; make a store where there is none.

    Raises:
        NotFound: there is none, and `create` is off.
        StoreReadOnly: it cannot be written, and `create` is on.
        StoreInvalid, StoreFull: it cannot be opened.
        InputInvalid: it is to be written, in offline mode, and no task is open.
    """
    home = home_folder()
    if offline.is_offline():
        home = offline.current_session() or home
        if create and home == home_folder():
            raise InputInvalid(
                "offline mode is on, and no offline task is open to write to: call Task.init first, or"
                " Task.set_offline(False)"
            )
    return open_store_at(home, create=create)


def open_store_at(home: Path, *, create: bool = False) -> Store:
    """The store in a folder; the arguments and the errors are those of `open_store`."""
    home = home.absolute()
    with _lock:
        store = _stores.get(home)
        if store is None:
            store = _stores[home] = _open(home, create=create)
            if is_pushed_by_itself(store):
                from eventlog.sdk import auto_sync  # most stores are not

                auto_sync.note(store)
        if create and store.read_only:
            raise StoreReadOnly(
                f"the store at {home} cannot be written: make it writable or set EVENTLOG_HOME"
            )
        return store


def is_pushed_by_itself(store: Store) -> bool:
    """Whether what is appended to a store is to be pushed by a process beside this one."""
    if store.configuration.auto_sync in ("", "off") and shared_remote(store.home) is None:
        return False
    return str(store.home) == os.path.realpath(home_folder())


def stores_to_search(task_id: str = "") -> list[Store]:
    """Where tasks are looked for: in offline mode, the sessions of this machine before the store at home.

    Args:
        task_id: the one that is looked for, or "" for any: of the sessions only that of this process is
            then searched.

    Raises:
        NotFound: there is no store.
    """
    if not offline.is_offline():
        return [open_store()]
    homes = [offline.current_session()]
    if offline.is_task_id(task_id):
        homes.append(offline.session_folder(task_id))
    homes.append(home_folder())
    found = [open_store_at(home) for home in dict.fromkeys(homes) if home is not None and is_there(home)]
    return found or [open_store()]


def store_for_task(
    project: str, name: str, reuse: bool | str = True, last: bool | str | int = False
) -> Store:
    """The store that a task begins in: that at home or, in offline mode, that of its session.

    Args:
        project, name, reuse, last: as of `start.start_task`.

    Raises:
        NotFound: offline, there is no task of the id given.
        StoreReadOnly, StoreInvalid, StoreFull: it cannot be opened.
    """
    if not offline.is_offline():
        return open_store(create=True)
    from eventlog.sdk.offline_continuation import session_for

    return session_for(project, name, reuse, last)


def current_views(store: Store, *, reports: bool = False, about: str | None = None) -> "Views":
    """The views of a store, with all that is committed and all that this process has appended.

    Args:
        reports: scalars and text too, not only what tasks are.
        about: the id of the task that is asked about, or "" for all: where other hosts share the home, what
            they know of it is pulled first, unless it runs in this process. None for what is here.

    Raises:
        StoreFull, StoreReadOnly: what was appended, or the views, cannot be written.
    """
    import_whole("eventlog.projections")
    from eventlog.projections import Views

    store.flush()
    if store.session.inherited is not None:
        _await_parent(store, *store.session.inherited)
    if not store.read_only:
        # What a process left that has died since, such as a forked child, and that it has died.
        recover(store)
        if about is not None and shared_remote(store.home) is not None and not _runs_here(about):
            from eventlog.sync.sharing import freshen  # most homes are one host's

            freshen(store)
    with _lock:
        views = _views.get(store)
        if views is None:
            views = _views[store] = Views.open(store)
    views.catch_up(reports=reports)
    return views


def _await_parent(store: Store, session: bytes, count: int) -> None:
    """Wait until what the parent of this process had appended before the fork is in the log."""
    deadline = time.monotonic() + store.configuration.commit_interval_seconds + _PARENT_SECONDS
    while (record := store.record_of(session)) is None or record.next < count:
        # If it has died, whoever recovers its session brings it in.
        if session not in store.live_sessions() or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    store.session.inherited = None


def read_state(store: Store, task_id: str, *, here: bool = False) -> "TaskState":
    """What a task is now. What this process appends from here on orders after what it has seen.

    Args:
        here: by what is here, whatever other hosts that share the home know of it.

    Raises:
        NotFound: there is no such task.
    """
    state = current_views(store, about=None if here else task_id).task(task_id)
    store.session.observe(state.changed)
    return state


def release_views(store: Store) -> None:
    """Close the views of a store, before whoever opened it closes it; a later call opens them again."""
    with _lock:
        views = _views.pop(store, None)
    if views is not None:
        views.close()


def find_state(task_id: str) -> "tuple[Store, TaskState]":
    """What a task is now, and the store that it is in; offline, the first of `stores_to_search`.

    Raises:
        NotFound: there is no such task.
    """
    *others, last = stores_to_search(task_id)
    for store in others:
        with contextlib.suppress(NotFound):
            return store, read_state(store, task_id)
    return last, read_state(last, task_id)


def close_stores() -> None:
    """Close what was opened here, before a store's folder is moved or deleted; a later call opens it again.

    Tasks and loggers that were got before are not to be used any more.
    """
    with _lock:
        for views in _views.values():
            views.close()
        _views.clear()
        for store in _stores.values():
            store.close()
        _stores.clear()


def _runs_here(task_id: str) -> bool:
    """Whether a task is that of this process, or of the one that started it: as `main_task.py` leaves it."""
    return task_id != "" and f":{task_id}:" in os.environ.get("EVENTLOG_MAIN_TASK", "")


def _open(home: Path, *, create: bool) -> Store:
    remote = shared_remote(home)
    # A host that nothing has run on yet has a store of its own to see what the other hosts recorded.
    makes = create or (remote is not None and remote.exists())
    try:
        return Store.open(home, create=makes)
    except StoreReadOnly:
        if create:
            raise
        return Store.open(home, create=False, read_only=True)


_lock = threading.RLock()
_stores: dict[Path, Store] = {}
_views: dict[Store, "Views"] = {}


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
