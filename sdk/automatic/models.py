"""Models that libraries save and load: output and input models of the task, with nothing else to write.

That a file was saved is appended at once. What takes long, reading it to its end and looking its SHA-256 up
among known models, follows in the background. Where the task has a destination, keeps its models, or runs
offline, the bytes are taken into the store then; else the file is registered where it is.
"""

import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlog.events import ModelChanged, ModelCreated, ModelLinked, ModelWeightsSet
from eventlog.sdk.automatic import background
from eventlog.sdk.automatic.listening import choices, warn_once
from eventlog.sdk.automatic.model_callbacks import AFTER, BEFORE, CallbackType, ModelInfo, is_off
from eventlog.sdk.automatic.model_files import Changed, Version, marks_of, path_given
from eventlog.sdk.model_names import stem_of
from eventlog.sdk.plain_text import plain_text

if TYPE_CHECKING:
    from eventlog.sdk.input_model import InputModel

__all__ = ["loaded", "record_load", "record_save", "saved"]

_SAVED = "the weights of a saved model"
_LOADED = "a model that was loaded"


def saved(task: Any, framework: str, name: str, target: Any, thing: Any = None) -> None:
    """Record that a library has saved a model.

    Args:
        task: the task that hears it.
        framework: as `Task.init` calls it.
        name: of the framework, as models have it.
        target: the path, or the open file, that the library was given.
        thing: what was saved.
    """
    path = path_given(target, has_written=True)
    if path is not None and _is_wanted(task, framework, path):
        record_save(task, path, _as_given(target), name, thing)


def loaded(task: Any, framework: str, name: str, target: Any) -> None:
    """Record that a library has loaded a model; the arguments are those of `saved`."""
    path = path_given(target)
    if path is not None and _is_wanted(task, framework, path):
        record_load(task, path, _as_given(target), name)


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
    one = _known_or_new(task, key, plain_text(file_name), framework or "", model_name, path)
    if one.is_new:
        one.is_new = False
        background.later(task, _SAVED, partial(_adopt, task, one.model))
    version = _version(path)
    url = plain_text(f"file://{path}")
    one.generation += 1
    one.marks = None if version is None else version.marks
    size = 0 if version is None else version.size
    task._store.session.append(
        ModelWeightsSet, one.model, "", size, plain_text(file_name), "", url, None, task.id
    )
    if version is not None:
        _see_to_deliveries(task)
        background.later(task, _SAVED, _Reading(task, one, version, file_name, url).do)
    if info is not None and AFTER:
        from eventlog.sdk.output_model import OutputModel

        info.model = OutputModel._of(task, one.model)
        AFTER.call(CallbackType.save, info)
    return one.model


def record_load(task: Any, path: Path, given: str, framework: str | None) -> None:
    """Record that a model was loaded, past the callbacks; the arguments are those of `record_save`."""
    info = None
    if BEFORE or AFTER:
        info = BEFORE.call(CallbackType.load, ModelInfo(None, None, str(path), given, framework, task))
        if info is None:
            return
        path, framework = Path(os.path.abspath(info.local_model_path)), info.framework
    try:
        marks = marks_of(path)
    except OSError as error:
        warn_once(_LOADED, error)
        return
    is_known = (task.id, path, marks) in _loads
    found: list[InputModel] = []
    if not is_known or info is not None:
        _loads.add((task.id, path, marks))
        one = _models.get((task.id, str(path)))
        if one is not None and one.marks == marks:
            job: Callable[[], None] = partial(_connect_own, task, one.model, found)
        else:
            job = partial(_connect, task, Version(path), framework or "", found)
        background.later(task, _LOADED, job)
    if info is not None and AFTER:
        background.settle()
        info.model = found[0] if found else None
        AFTER.call(CallbackType.load, info)


class _Saved:
    """A model that this process has saved.

    Attributes:
        model: its id.
        framework: what saved it.
        generation: how often it was saved.
        marks: of its last version.
        is_new: nothing but what the library told is known of it yet.
    """

    def __init__(self, model: str, framework: str, *, is_new: bool) -> None:
        self.model = model
        self.framework = framework
        self.generation = 0
        self.marks: object = None
        self.is_new = is_new


class _Reading:
    """One version of a model that is to be read in the background."""

    def __init__(self, task: Any, one: _Saved, version: Version, file_name: str, url: str) -> None:
        self._task = task
        self._one = one
        self._generation = one.generation
        self._version = version
        self._file_name = file_name
        self._url = url
        self._is_second = False

    def do(self) -> None:
        """Read it; what is being written to is tried again once everything else is done."""
        one, version = self._one, self._version
        try:
            # Else it has been saved again, and the file has another version by now.
            if one.generation == self._generation:
                self._read()
        except Changed:
            if self._is_second:
                version.close()
                raise
            self._is_second = True
            _unread.append(self)
            return
        except BaseException:
            version.close()
            raise
        version.close()

    @property
    def task(self) -> Any:
        return self._task

    def _read(self) -> None:
        task, one, version = self._task, self._one, self._version
        # Before any of it is read.

        destination = _destination(task)
        append = task._store.session.append
        if destination is None:
            with background.reading():
                digest, size = version.digest(background.moved)
            append(
                ModelWeightsSet,
                one.model,
                "",
                size,
                plain_text(self._file_name),
                "",
                self._url,
                None,
                task.id,
                digest,
            )
            return
        from eventlog.sdk.destinations import file_url
        from eventlog.sdk.model_delivery import deliver_weights

        with background.reading():
            weights = version.take(task._store, self._file_name, background.moved)
        url = ""
        if destination:
            url = file_url(destination, task.project, task.name, task.id, "models", weights.file_name)
        append(
            ModelWeightsSet,
            one.model,
            weights.blob,
            weights.size,
            weights.file_name,
            weights.format,
            url,
            None,
            task.id,
        )
        if url:
            deliver_weights(task._store, task.id, weights.blob, url, on_completed=None, in_background=True)


def _is_wanted(task: Any, framework: str, path: Path) -> bool:
    return choices().wants_file(framework, str(path)) and not is_off(framework, task)


def _as_given(target: Any) -> str:
    if isinstance(target, (str, bytes, os.PathLike)):
        return os.fsdecode(target)
    return os.fsdecode(target.name)


def _version(path: Path) -> Version | None:
    try:
        return Version(path)
    except OSError as error:
        warn_once(_SAVED, error)
        return None


def _known_or_new(task: Any, key: str, file_name: str, framework: str, model_name: str, path: Path) -> _Saved:
    """The model that is saved under a key; a new one where there is none, or it is published."""
    from eventlog.sdk.model_base import is_settled_here

    with _lock:
        if task.id not in _recalled:
            _recalled.add(task.id)
            _recall(task)
        one = _models.get((task.id, key)) or _recalled_models.pop((task.id, stem_of(file_name)), None)
        # A file of another framework is another model, though its name is the same.
        if one is not None and one.framework == framework and not is_settled_here(one.model):
            _models[task.id, key] = one
            return one
        one = _models[task.id, key] = _Saved(os.urandom(16).hex(), framework, is_new=True)
    called = stem_of(file_name) or "Output Model"
    append = task._store.session.append
    append(ModelLinked, task.id, one.model, "output", called)
    append(
        ModelCreated,
        one.model,
        plain_text(model_name or f"{task.name} - {called}"),
        task.project,
        task.id,
        framework,
        plain_text(f"snapshot {path} stored\nCreated by task id: {task.id}"),
    )
    return one


def _recall(task: Any) -> None:
    """Know the models of a task that has run before, or runs elsewhere, so that they are saved again."""
    run = task._run
    if run.is_ours and not run.start.goes_on:
        return
    from eventlog.projections import ModelQuery
    from eventlog.sdk.stores import current_views

    links = {link.model: link.name for link in task._state().models if link.direction == "output"}
    query = ModelQuery(ids=sorted(links), include_archived=True)
    for state in current_views(task._store).models(query) if links else ():
        if state.published is not None or state.made_by != task.id:
            continue
        one = _Saved(state.id, state.framework, is_new=False)
        if state.url.startswith("file://") and not state.blob:
            from eventlog.sdk.transfers import local_path

            _models[task.id, str(local_path(state.url))] = one
        else:
            _recalled_models[task.id, links[state.id]] = one


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


def _see_to_deliveries(task: Any) -> None:
    """Have the end of the process read what was saved before it waits for what is delivered."""
    if task._destination:
        from eventlog.sdk.delivery import before_exit

        before_exit(background.finish)


def _destination(task: Any) -> str | None:
    """Where the bytes are delivered to, "" for the store alone; None where the file stays what there is."""
    from eventlog.sdk.output_model import OutputModel

    url: str = OutputModel._destination_for(task)
    if url or task._keeps_models or task.get_offline_mode_folder() is not None:
        return url
    return None


def _connect_own(task: Any, model: str, found: "list[InputModel]") -> None:
    """Say that the task reads what it has saved itself."""
    from eventlog.sdk.input_model import InputModel

    found.append(InputModel(model))
    found[0].connect(task, ignore_remote_overrides=True)


def _connect(task: Any, version: Version, framework: str, found: "list[InputModel]") -> None:
    """Say that the task reads the model that has this version of a file, a known one or a new one."""
    from eventlog.sdk.input_model import InputModel
    from eventlog.sdk.model_queries import model_of_file

    url = plain_text(f"file://{version.path}")
    try:
        with background.reading():
            digest, size = version.digest(background.moved)
    finally:
        version.close()
    known = model_of_file(digest, url)
    if known is not None:
        model = InputModel._of(known[0], known[1].id)
    else:
        model = InputModel._of(task._store, os.urandom(16).hex())
        task._store.session.append(
            ModelCreated,
            model.id,
            plain_text(f"Imported by {task.name}"),
            task.project,
            "",
            framework,
            f"Imported by task id: {task.id}",
        )
        task._store.session.append(
            ModelWeightsSet,
            model.id,
            "",
            size,
            plain_text(version.path.name),
            "",
            url,
            None,
            "",
            digest,
        )
    found.append(model)
    model.connect(task, ignore_remote_overrides=True)


def _read_again() -> None:
    readings = list(_unread)
    _unread.clear()
    for reading in readings:
        background.later(reading.task, _SAVED, reading.do)


# What this process has saved, by task and key.
_models: dict[tuple[str, str], _Saved] = {}
_recalled: set[str] = set()
# What a task has from before, and the path is not known of, by the task and its name for it.
_recalled_models: dict[tuple[str, str], _Saved] = {}
_loads: set[tuple[str, Path, object]] = set()
_unread: list[_Reading] = []
_lock = threading.RLock()
background.when_idle(_read_again)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    _unread.clear()


os.register_at_fork(after_in_child=_after_fork)
