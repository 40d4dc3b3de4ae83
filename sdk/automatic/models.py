"""Models that libraries save and load: output and input models of the task, with nothing else to write.

That a file was saved is appended at once. What takes long, reading it to its end and looking its SHA-256 up
among known models, follows in the background.
"""

import os
from typing import Any

from eventlog.sdk.automatic.listening import choices
from eventlog.sdk.automatic.model_files import path_given
from eventlog.sdk.automatic.model_loads import record_load
from eventlog.sdk.automatic.model_saves import record_save

__all__ = ["loaded", "saved"]


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
    if path is not None and choices().wants_file(framework, str(path)):
        record_save(task, path, _as_given(target), name, thing)


def loaded(task: Any, framework: str, name: str, target: Any) -> None:
    """Record that a library has loaded a model; the arguments are those of `saved`."""
    path = path_given(target)
    if path is not None and choices().wants_file(framework, str(path)):
        record_load(task, path, _as_given(target), name)


def _as_given(target: Any) -> str:
    if isinstance(target, (str, bytes, os.PathLike)):
        return os.fsdecode(target)
    return os.fsdecode(target.name)
