"""Registered artifacts: pandas frames that a script goes on changing, kept again when they have changed."""

import hashlib
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.sdk.delivery import before_exit
from eventlog.sdk.plain_text import plain_text
from eventlog.sdk.serialization import store_object
from eventlog.sdk.stored import cut_preview
from eventlog.sdk.uploading import Owner, check_name, describe, keep
from eventlog.store import Store

__all__ = ["forget", "record", "register", "registered", "unregister"]

log = logging.getLogger("eventlog")

PERIOD_SECONDS = 60.0


@dataclass(eq=False)
class _Registered:
    """A frame that is looked at.

    Attributes:
        owner: the task.
        name: of the artifact.
        frame: the very one that the script changes.
        metadata: what is said of it.
        columns: by which rows are told apart.
        mark: what the frame was when it was last kept.
    """

    owner: Owner
    name: str
    frame: Any
    metadata: dict[str, str]
    columns: list[Any] | None
    mark: str = ""


def register(
    owner: Owner,
    name: str,
    frame: Any,
    metadata: Mapping[str, Any] | None,
    uniqueness_columns: bool | Sequence[str],
) -> None:
    """Keep a frame as it is, and look at it from here on; arguments are those of `Task.register_artifact`.

    Raises:
        InputInvalid: it is no pandas DataFrame, or has no such columns.
    """
    check_name(name)
    about = describe(name, metadata)
    if not _is_frame(frame):
        raise InputInvalid(
            f"only a pandas DataFrame can be registered, not a {type(frame).__name__}: use upload_artifact"
        )
    columns: list[Any] | None = None
    if not isinstance(uniqueness_columns, bool):
        columns = [uniqueness_columns] if isinstance(uniqueness_columns, str) else list(uniqueness_columns)
        missing = [column for column in columns if column not in frame.columns]
        if missing:
            raise InputInvalid(f"the frame has no columns {missing}: choose uniqueness_columns from its own")
    one = _Registered(owner, name, frame, about, columns)
    with _lock:
        _frames[owner.store, owner.task_id, name] = one
    before_exit(_record_all)
    _watch()
    _record(one)


def unregister(store: Store, task_id: str, name: str) -> None:
    """Keep a frame as it is now, and look at it no more; a name that is not registered is passed over."""
    with _lock:
        one = _frames.pop((store, task_id, name), None)
    if one is not None:
        _record(one)


def registered(store: Store, task_id: str) -> dict[str, Any]:
    """The frames of a task that are looked at, by name."""
    return {one.name: one.frame for one in _of(store, task_id)}


def record(store: Store, task_id: str) -> None:
    """Keep the frames of a task that have changed; what cannot be kept is warned of."""
    for one in _of(store, task_id):
        try:
            _record(one)
        except Exception as error:
            log.warning("eventlog: the registered artifact '%s' was not kept: %s", one.name, error)


def forget(store: Store, task_id: str) -> None:
    """Look at none of a task's frames any more."""
    with _lock:
        for key in [key for key in _frames if key[:2] == (store, task_id)]:
            del _frames[key]


def _is_frame(value: Any) -> bool:
    """Whether it is a pandas DataFrame, which is found out without importing pandas."""
    kinds = (f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(value).__mro__)
    return "pandas.DataFrame" in kinds


def _of(store: Store, task_id: str) -> list[_Registered]:
    with _lock:
        return [one for (home, task, _), one in _frames.items() if home is store and task == task_id]


def _record(one: _Registered) -> None:
    """Keep a frame if it is another than it was."""
    with _recording:
        # A copy is made in one go, so that what is hashed is what is kept.
        frame = one.frame.copy()
        mark = _mark(frame)
        if mark == one.mark:
            return
        stored = store_object(one.owner.store.blobs, one.name, frame)
        preview = cut_preview(plain_text(stored.preview)) + _counts(one, frame)
        keep(one.owner, one.name, replace(stored, kind="table"), preview, one.metadata)
        one.mark = mark


def _mark(frame: Any) -> str:
    import pandas

    hasher = hashlib.sha256(repr((list(frame.columns), list(map(str, frame.dtypes)), len(frame))).encode())
    try:
        hasher.update(pandas.util.hash_pandas_object(frame, index=True).to_numpy().tobytes())
    except (TypeError, ValueError):
        # Cells that have no hash, such as lists.
        hasher.update(frame.to_csv().encode(errors="replace"))
    return hasher.hexdigest()


def _counts(one: _Registered, frame: Any) -> str:
    rows = len(frame)
    try:
        unique = rows - int(frame.duplicated(one.columns).sum())
    except (TypeError, KeyError):
        return f"\n\n[{one.name}]: shape={frame.shape}\n"
    part = unique / rows if rows else 1.0
    return f"\n\n[{one.name}]: shape={frame.shape}, {unique} unique rows, {part:.1%} uniqueness\n"


def _record_all() -> None:
    with _lock:
        tasks = {key[:2] for key in _frames}
    for store, task_id in tasks:
        record(store, task_id)


def _watch() -> None:
    """Look at the frames every minute from here on."""
    global _watching
    with _lock:
        if _watching:
            return
        _watching = True

    def work() -> None:
        while not _stop.wait(PERIOD_SECONDS):
            _record_all()

    threading.Thread(target=work, name="eventlog-registered", daemon=True).start()


_lock = threading.Lock()
_recording = threading.RLock()
_frames: dict[tuple[Store, str, str], _Registered] = {}
_stop = threading.Event()
_watching = False


def _after_fork() -> None:
    # The frames are the parent's to record.
    global _lock, _recording, _stop, _watching
    _lock, _recording, _stop, _watching = threading.Lock(), threading.RLock(), threading.Event(), False
    _frames.clear()


os.register_at_fork(after_in_child=_after_fork)
