"""Models that were saved: output models of the task, a further version of one where it is saved again.

Where the task has a destination, keeps its models, or runs offline, the bytes are taken into the store in the
background; else the file is registered where it is, and its SHA-256 follows.
"""

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

from eventlog.events import ModelChanged, ModelCreated, ModelLinked, ModelWeightsSet
from eventlog.sdk.automatic import background
from eventlog.sdk.automatic.listening import warn_once
from eventlog.sdk.automatic.model_callbacks import AFTER, BEFORE, CallbackType, ModelInfo
from eventlog.sdk.automatic.model_files import Changed, Version
from eventlog.sdk.forking import forks_let_through
from eventlog.sdk.model_names import stem_of
from eventlog.sdk.plain_text import plain_text
from eventlog.sdk.whole_import import import_whole

__all__ = ["record_save", "saved_as"]

_WHAT = "the weights of a saved model"


def record_save(
    task: Any, path: Path, given: str, framework: str | None, thing: Any = None, model_name: str = ""
) -> str | None:
    """Record that a model was saved, past the callbacks.

    Args:
        task: whose it is.
        path: of the file, absolute.
        given: how it was named; files of one name are versions of one model.
        framework: its name, as models have it.
        thing: what was saved.
        model_name: of the model; by default of the task and the file.

    Returns:
        The model's id; None where a callback refuses it.
    """
    key, file_name = str(path), path.name
    info = None
    if BEFORE or AFTER:
        info = ModelInfo(None, path.name, str(path), given, framework, task, thing)
        info = BEFORE.call(CallbackType.save, info)
        if info is None:
            return None
        path = Path(os.path.abspath(info.local_model_path))
        key = str(path) if info.local_model_id == given else info.local_model_id
        framework, file_name = info.framework, info.upload_filename or path.name
    file_name = plain_text(file_name)
    one = _known_or_new(task, key, file_name, framework or "", model_name, path)
    version = _version(path)
    url = plain_text(f"file://{path}")
    size = 0 if version is None else version.size
    task._store.session.append(ModelWeightsSet, one.model, "", size, file_name, "", url, None, task.id)
    _read_later(one, None if version is None else _Reading(task, one, version, file_name, url))
    if info is not None and AFTER:
        from eventlog.sdk.output_model import OutputModel

        info.model = OutputModel._of(task, one.model)
        AFTER.call(CallbackType.save, info)
    return one.model


def saved_as(task: Any, path: Path, marks: object) -> str:
    """The id of the model that a task has saved in this process as this version of a file, or ""."""
    one = _models.get((task.id, str(path)))
    return one.model if one is not None and one.marks == marks else ""


class _Saved:
    """A model that this process has saved.

    Attributes:
        model: its id.
        framework: what saved it.
        marks: of its last version.
        last: how its last version is read.
        next: the same, as long as it waits for its turn.
    """

    def __init__(self, model: str, framework: str) -> None:
        self.model = model
        self.framework = framework
        self.marks: object = None
        self.last: _Reading | None = None
        self.next: _Reading | None = None

    def read(self) -> None:
        """Read the version that waits; those that it has taken the place of are not read."""
        with _lock:
            reading, self.next = self.next, None
        if reading is not None:
            reading.do()


class _Reading:
    """One version of a model that is to be read in the background."""

    def __init__(self, task: Any, one: _Saved, version: Version, file_name: str, url: str) -> None:
        self.task = task
        self.version = version
        self._one = one
        self._file_name = file_name
        self._url = url
        self._is_second = False

    def do(self) -> None:
        """Read it; what is being written to is tried again once everything else is done."""
        is_done = True
        try:
            # Else it has been saved again meanwhile, and that version counts.
            if self._one.last is self:
                self._read()
        except Changed:
            if self._is_second:
                raise
            self._is_second, is_done = True, False
            _unread.append(self)
        finally:
            if is_done:
                self.version.close()

    def _read(self) -> None:
        # Before the file is read.
        import_whole("eventlog.sdk.model_weights")
        task, model, version = self.task, self._one.model, self.version
        destination = _destination(task)
        append = task._store.session.append
        if destination is None:
            with forks_let_through():
                digest, size = version.digest(background.moved)
            name = self._file_name
            append(ModelWeightsSet, model, "", size, name, "", self._url, None, task.id, digest)
            return
        with forks_let_through():
            weights = version.take(task._store, self._file_name, background.moved)
        blob, size, name, url = weights.blob, weights.size, weights.file_name, ""
        if destination:
            from eventlog.sdk.destinations import file_url

            url = file_url(destination, task.project, task.name, task.id, "models", name)
        append(ModelWeightsSet, model, blob, size, name, weights.format, url, None, task.id)
        if url:
            from eventlog.sdk.model_delivery import deliver_weights

            deliver_weights(task._store, task.id, blob, url, on_completed=None, in_background=True)


def _known_or_new(task: Any, key: str, file_name: str, framework: str, name: str, path: Path) -> _Saved:
    """The model that is saved under a key; a new one where there is none, or it is published."""
    from eventlog.sdk.model_base import is_settled_here

    called = stem_of(file_name) or "Output Model"
    with _lock:
        if task.id not in _recalled:
            _recalled.add(task.id)
            _recall(task)
        one = _models.get((task.id, key)) or _from_before.pop((task.id, called), None)
        # A file of another framework is another model, though its name is the same.
        is_known = one is not None and one.framework == framework and not is_settled_here(one.model)
        if one is None or not is_known:
            one = _Saved(os.urandom(16).hex(), framework)
        _models[task.id, key] = one
    if is_known:
        return one
    append = task._store.session.append
    append(ModelLinked, task.id, one.model, "output", called)
    append(
        ModelCreated,
        one.model,
        plain_text(name or f"{task.name} - {called}"),
        task.project,
        task.id,
        framework,
        plain_text(f"snapshot {path} stored\nCreated by task id: {task.id}"),
    )
    background.later(task, _WHAT, partial(_adopt, task, one.model))
    return one


def _recall(task: Any) -> None:
    """Know the models of a task that has run before, or runs elsewhere, so that they are saved again."""
    run = task._run
    if run is None or (run.is_ours and not run.start.goes_on):
        return
    from eventlog.projections import ModelQuery
    from eventlog.sdk.stores import current_views
    from eventlog.sdk.transfers import local_path

    links = {link.model: link.name for link in task._state().models if link.direction == "output"}
    query = ModelQuery(ids=sorted(links), include_archived=True)
    for state in current_views(task._store).models(query) if links else ():
        if state.published is None and state.made_by == task.id:
            one = _Saved(state.id, state.framework)
            if not state.blob and (here := local_path(state.url)) is not None:
                _models.setdefault((task.id, str(here)), one)
            else:
                _from_before[task.id, links[state.id]] = one


def _version(path: Path) -> Version | None:
    try:
        return Version(path)
    except OSError as error:
        warn_once(_WHAT, error)
        return None


def _read_later(one: _Saved, reading: _Reading | None) -> None:
    """Have the last version of a model be read, in place of any that waits."""
    with _lock:
        before, one.next = one.next, reading
        one.last = reading
        one.marks = None if reading is None else reading.version.marks
    if before is not None:
        before.version.close()
    if reading is None:
        return
    if reading.task._destination:
        # What is read at the end is delivered before the end, too.
        from eventlog.sdk.delivery import before_exit

        before_exit(background.finish)
    if before is None and not background.later(reading.task, _WHAT, one.read):
        one.next = None
        reading.version.close()


def _adopt(task: Any, model: str) -> None:
    """Give a new model what the task says of its models; a task that has models is not run again."""
    from eventlog.sdk.task_models import overriding_design

    task._keep()
    design, labels = overriding_design(task)
    labels = labels or dict(task._state().labels)
    if design or labels:
        fields = {"design": design or None, "labels": labels or None}
        names = ModelChanged.__struct_fields__[2:]
        task._store.session.append(ModelChanged, model, *(fields.get(name) for name in names))


def _destination(task: Any) -> str | None:
    """Where the bytes are delivered to, "" for the store alone; None where the file stays what there is."""
    from eventlog.sdk.output_model import OutputModel

    url: str = OutputModel._destination_for(task)
    if url or task._keeps_models or task.get_offline_mode_folder() is not None:
        return url
    return None


def _read_again() -> None:
    readings = list(_unread)
    _unread.clear()
    for reading in readings:
        background.later(reading.task, _WHAT, reading.do)
    # What a signal's handler has kept from being begun.
    for one in list(_models.values()):
        if (left := one.next) is not None:
            background.later(left.task, _WHAT, one.read)


# What this process has saved, by task and key.
_models: dict[tuple[str, str], _Saved] = {}
_recalled: set[str] = set()
# What a task has from before, and of which no path is known, by the task and its name for it.
_from_before: dict[tuple[str, str], _Saved] = {}
_unread: list[_Reading] = []
_lock = threading.RLock()
background.when_idle(_read_again)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    # The parent reads them; these are this process's own descriptors.
    waiting = [one.next for one in _models.values() if one.next is not None]
    for reading in waiting + _unread:
        reading.version.close()
    for one in _models.values():
        one.next = None
    _unread.clear()


os.register_at_fork(after_in_child=_after_fork)
