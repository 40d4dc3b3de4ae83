"""Models that were loaded: inputs of the task, each the one known to have these bytes or a new one."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlog.events import ModelCreated, ModelWeightsSet
from eventlog.sdk.automatic import background
from eventlog.sdk.automatic.listening import warn_once
from eventlog.sdk.automatic.model_callbacks import AFTER, BEFORE, CallbackType, ModelInfo
from eventlog.sdk.automatic.model_files import Version, marks_of
from eventlog.sdk.automatic.model_saves import saved_as
from eventlog.sdk.plain_text import plain_text
from eventlog.sdk.whole_import import import_whole

if TYPE_CHECKING:
    from eventlog.sdk.input_model import InputModel

__all__ = ["record_load"]

_WHAT = "a model that was loaded"


def record_load(task: Any, path: Path, given: str, framework: str | None) -> None:
    """Record that a model was loaded, past the callbacks; the arguments are those of `record_save`."""
    info = None
    if BEFORE or AFTER:
        info = BEFORE.call(CallbackType.load, ModelInfo(None, None, str(path), given, framework, task))
        if info is None:
            return
        path, framework = Path(os.path.abspath(info.local_model_path)), info.framework
    try:
        load = (task.id, path, marks_of(path))
    except OSError as error:
        warn_once(_WHAT, error)
        return
    found: list[InputModel] = []
    # A file that is loaded again and again is looked up once.
    if info is not None or load not in _loads:
        _loads.add(load)
        own = saved_as(task, *load[1:])
        job: Callable[[], None]
        if own:
            job = partial(_connect_own, task, own, found)
        else:
            job = partial(_connect, task, Version(path), framework or "", found)
        background.later(task, _WHAT, job)
    if info is not None and AFTER:
        background.settle()
        info.model = found[0] if found else None
        AFTER.call(CallbackType.load, info)


def _connect_own(task: Any, model: str, found: "list[InputModel]") -> None:
    """Say that the task reads what it has saved itself."""
    from eventlog.sdk.input_model import InputModel

    found.append(InputModel(model))
    found[0].connect(task, ignore_remote_overrides=True)


def _connect(task: Any, version: Version, framework: str, found: "list[InputModel]") -> None:
    """Say that the task reads the model that has this version of a file, a known one or a new one."""
    # Before it is read.
    import_whole("eventlog.sdk.model_weights")
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
        append = task._store.session.append
        append(
            ModelCreated,
            model.id,
            plain_text(f"Imported by {task.name}"),
            task.project,
            "",
            framework,
            f"Imported by task id: {task.id}",
        )
        name = plain_text(version.path.name)
        append(ModelWeightsSet, model.id, "", size, name, "", url, None, "", digest)
    found.append(model)
    model.connect(task, ignore_remote_overrides=True)


# What this process has loaded.
_loads: set[tuple[str, Path, object]] = set()
