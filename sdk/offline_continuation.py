"""Which session an offline task records into: a new one, or one that goes on.

A task that is in the store at home goes on in a session of its own, which is merged into it when it is
imported.
"""

import os
from pathlib import Path

from eventlog.configuration import home_folder
from eventlog.errors import EventlogError, NotFound
from eventlog.events import ConfigurationSet, ParametersSet, TaskCreated
from eventlog.sdk.main_task import main_task_home, task_of_main_process
from eventlog.sdk.offline import begin_session, open_session, sessions_folder
from eventlog.sdk.overrides import given_task_id
from eventlog.sdk.remote_blobs import found_blob
from eventlog.sdk.stores import current_views, open_store_at
from eventlog.store import Store

__all__ = ["begin_continuation", "session_for"]


def session_for(project: str, name: str, reuse: bool | str, last: bool | str | int) -> Store:
    """The store of the session that `Task.init` is to write to; the arguments are those of `start_task`.

    Without an id, or `last`, each task gets a new session.

    Raises:
        NotFound: there is no task of the id given.
        StoreFull, StoreReadOnly, StoreInvalid: it cannot be opened.
    """
    task = given_task_id() or _task_of_parent()
    if not task and last is not False:
        named = last if isinstance(last, str) else reuse if isinstance(reuse, str) else ""
        task = named or _last_session(project, name)
    elif not task and isinstance(reuse, str):
        task = reuse
    return open_session(task)


def begin_continuation(task_id: str, folder: Path) -> Store:
    """Begin a session at a folder for a task of the store at home, which is only read.

    What the task is called, and what it was given to run with, is written into the session as well, so that
    it can be read there by itself.

    Raises:
        NotFound: there is no such task.
    """
    try:
        home = open_store_at(home_folder())
        state = current_views(home).task(task_id)
    except NotFound:
        raise NotFound(
            f"there is no task {task_id} to go on with offline: neither a session of it at {folder}, nor in"
            f" the store at {home_folder()}"
        ) from None
    store = begin_session(folder)
    store.session.observe(state.changed)
    append = store.session.append
    append(TaskCreated, task_id, state.name, state.project, state.type, state.comment, state.parent)
    if state.parameters:
        append(ParametersSet, task_id, state.parameters)
    for one in state.configurations.values():
        if one.blob:
            store.blobs.put_file(found_blob(home.blobs, one.blob, f"configuration '{one.name}'"))
        append(ConfigurationSet, task_id, one.name, one.text, one.blob, one.type, one.description)
    store.flush()
    return store


def _task_of_parent() -> str:
    """The offline task of the process that started this one, if it still runs, or ""."""
    folder = main_task_home()
    if folder is None or folder.parent != Path(os.path.realpath(sessions_folder())) or not folder.is_dir():
        return ""
    return task_of_main_process(open_store_at(folder))


def _last_session(project: str, name: str) -> str:
    """The id of the task of a project and name whose offline session changed last, or ""."""
    from eventlog.projections import Views

    def changed(folder: Path) -> float:
        return (folder / "log" / "data.mdb").stat().st_mtime

    folders = [data.parent.parent for data in sessions_folder().glob("*/log/data.mdb")]
    for folder in sorted(folders, key=changed, reverse=True):
        try:
            with Store.open(folder, create=False) as store, Views.open(store) as views:
                views.catch_up()
                state = views.task(folder.name)
        except EventlogError:
            continue
        if (state.project, state.name) == (project, name):
            return state.id
    return ""
