"""Models that were loaded: inputs of the task, each the one known to have these bytes or a new one."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import ModelCreated, ModelWeightsSet
from eventlog.sdk.automatic import background
from eventlog.sdk.automatic.listening import warn_once
from eventlog.sdk.automatic.model_callbacks import AFTER, BEFORE, CallbackType, ModelInfo
from eventlog.sdk.automatic.model_files import Changed, Version, marks_of
from eventlog.sdk.automatic.model_saves import saved_as
from eventlog.sdk.forking import forks_let_through
from eventlog.sdk.plain_text import plain_text
from eventlog.sdk.whole_import import import_whole

if TYPE_CHECKING:
    from eventlog.sdk.input_model import InputModel

__all__ = ["record_load"]

_WHAT = "a model that was loaded"
# Whoever loads more files than that loads data.
_MOST_LOADS = 256
# Bytes that are read in less time than loading them took.
_SMALL = 1 << 18


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
        if len(_loads) >= _MOST_LOADS:
            warn_once("every file that is loaded", f"only the first {_MOST_LOADS} are")
            return
        _loads.add(load)
        own = saved_as(task, *load[1:])
        job: Callable[[], None]
        if own:
            job = partial(_connect_own, task, own, found)
        else:
            version = Version(path)
            # What is loaded may be written over next.
            read = version.digest(_ignore) if version.size <= _SMALL else None
            job = partial(_connect, task, version, read, framework or "", found)
        background.later(task, _WHAT, job, soon=True)
    if info is not None and AFTER:
        background.settle()
        info.model = found[0] if found else None
        AFTER.call(CallbackType.load, info)


def _connect_own(task: Any, model: str, found: "list[InputModel]") -> None:
    """Say that the task reads what it has saved itself."""
    from eventlog.sdk.input_model import InputModel

    found.append(InputModel(model))
    found[0].connect(task, ignore_remote_overrides=True)


def _connect(
    task: Any,
    version: Version,
    read: tuple[str, int] | None,
    framework: str,
    found: "list[InputModel]",
) -> None:
    """Say that the task reads the model that has this version of a file, a known one or a new one.

    Args:
        read: its SHA-256 and its size, where it was read already.
    """
    # Before it is read.
    import_whole("eventlog.sdk.model_weights")
    from eventlog.sdk.input_model import InputModel
    from eventlog.sdk.model_queries import model_of_file

    url = plain_text(f"file://{version.path}")
    try:
        with forks_let_through():
            digest, size = read or version.digest(background.moved, same=True)
    except (Changed, OSError, InputInvalid) as error:
        warn_once(_WHAT, error)
        digest, size = "", version.size
    finally:
        version.close()
    known = model_of_file(digest, size, url, task.id) if digest else None
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


def _ignore(done: int) -> None:
    pass


# What this process has loaded.
_loads: set[tuple[str, Path, object]] = set()
