"""What a script has connected to a task, watched for changes made afterwards.

A change is recorded at once where it goes through something that notices it (the dictionary that `connect`
gave back, an attribute of an object that is set); whatever else has changed, such as a list in it, is
recorded when the task is flushed, closed or asked for its parameters.
"""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from eventlog.errors import EventlogError, InputInvalid
from eventlog.events import Parameter
from eventlog.sdk.parameters import to_parameter
from eventlog.sdk.plain_text import plain_text

if TYPE_CHECKING:
    from eventlog.sdk.task_parameters import TaskParameters

__all__ = ["Watch", "Watches", "flatten_values", "notice", "say_left_out"]

log = logging.getLogger("eventlog")

# Items of these may change while the object stays the same.
_CHANGING = (dict, list, set, tuple)


class Watch:
    """One thing that was connected, and what was recorded of it.

    Args:
        task: what it is connected to.
        read: its values now, by "section/name".
    """

    def __init__(self, task: "TaskParameters", read: Callable[[], dict[str, Any] | None]) -> None:
        self._task = task
        self._read = read
        self._process = os.getpid()
        self._seen: dict[str, tuple[Any, Parameter | None]] = {}

    def __repr__(self) -> str:
        return f"<Watch of {len(self._seen)} parameters of {self._task!r}>"

    def begin(self, values: Mapping[str, Any]) -> dict[str, Parameter]:
        """The parameters that its values are, from which on changes count; says which have to be left out."""
        left_out: dict[str, str] = {}
        changed = self._changed(values, left_out)
        say_left_out(self._task.id, left_out)
        return changed

    def begin_as(self, other: "Watch") -> None:
        """Begin with what another watch has just recorded."""
        self._seen = dict(other._seen)

    def note(self, values: Mapping[str, Any]) -> None:
        """Record what some of its values are now."""
        left_out: dict[str, str] = {}
        changed = self._changed(values, left_out)
        say_left_out(self._task.id, left_out)
        if changed:
            self._task._record(changed, only_changes=True)

    def settle(self) -> None:
        """Record what has changed unnoticed."""
        if self._process == os.getpid() and (values := self._read()) is not None:
            self.note(values)

    def _changed(self, values: Mapping[str, Any], left_out: dict[str, str]) -> dict[str, Parameter]:
        changed = {}
        for name, value in values.items():
            seen = self._seen.get(name)
            if seen is not None and seen[0] is value and not isinstance(value, _CHANGING):
                continue
            try:
                parameter = to_parameter(value)
            except InputInvalid as error:
                if seen is None or seen[1] is not None:
                    left_out[name] = str(error)
                self._seen[name] = (value, None)
                continue
            if seen is None or seen[1] is None or seen[1] != parameter:
                changed[name] = parameter
            self._seen[name] = (value, parameter)
        return changed


class Watches:
    """All that is watched for one task."""

    def __init__(self) -> None:
        self._all: list[Watch] = []

    def add(self, watch: Watch) -> None:
        """Watch something more."""
        self._all.append(watch)

    def settle(self) -> None:
        """Record whatever has changed unnoticed; a warning says what could not be recorded."""
        for watch in list(self._all):
            with _as_warnings("what was connected to a task has changed, and that is not recorded"):
                watch.settle()


def flatten_values(section: str, values: Mapping[Any, Any], left_out: dict[str, str]) -> dict[str, Any]:
    """What a nested dictionary holds, by "section/name"; an empty one inside is a value.

    Args:
        left_out: gains what has no usable name, with the reason.

    Raises:
        InputInvalid: it contains itself, or is nested too deeply.
    """
    try:
        return dict(_leaves(section, values, frozenset(), left_out))
    except RecursionError:
        raise InputInvalid(
            "the dictionary is nested too deeply to be connected: give one of fewer levels"
        ) from None


def notice(thing: Any, watch: Watch, section: str) -> None:
    """Have a change of an attribute of an object recorded at once, where its class lets it be seen."""
    key = id(thing)
    try:
        reference: Any = weakref.ref(thing, lambda _: _noticed.pop(key, None))
    except TypeError:
        reference = lambda: thing  # noqa: E731
    kind = type(thing)
    with _lock:
        if not isinstance(vars(kind).get("__setattr__"), _NoticingSetattr):
            try:
                kind.__setattr__ = _NoticingSetattr(kind)  # type: ignore[assignment]
            except (TypeError, AttributeError):
                # A class that is not Python's own; it is looked at when the task is flushed.
                return
        _noticed.setdefault(key, []).append((reference, watch, section))


def say_left_out(task_id: str, left_out: Mapping[str, str]) -> None:
    """Warn in one line of parameters that could not be recorded."""
    if left_out:
        (name, reason), more = next(iter(left_out.items())), len(left_out) - 1
        log.warning(
            "eventlog: task %s does not record %r%s: %s",
            task_id,
            name[:200],
            f" and {more} more parameters" if more else "",
            reason,
        )


def _leaves(
    prefix: str, values: Mapping[Any, Any], within: frozenset[int], left_out: dict[str, str]
) -> Iterable[tuple[str, Any]]:
    if id(values) in within:
        raise InputInvalid("the dictionary contains itself: connect one without cycles")
    inside = within | {id(values)}
    for key, value in list(values.items()):
        try:
            text = plain_text(key)
        except InputInvalid as error:
            left_out[f"{prefix}/?"] = str(error)
            continue
        if not text:
            left_out[f"{prefix}/"] = "a parameter must have a name"
        elif isinstance(value, Mapping) and value:
            yield from _leaves(f"{prefix}/{text}", value, inside, left_out)
        else:
            yield f"{prefix}/{text}", value


class _NoticingSetattr:
    """Stands in a class for `__setattr__`, and notes what is set on objects that are connected."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner
        self._original = vars(owner).get("__setattr__")

    def __get__(self, thing: Any, kind: type | None = None) -> Any:
        if thing is None:
            return self
        return lambda name, value: self(thing, name, value)

    def __call__(self, thing: Any, name: str, value: Any) -> None:
        if self._original is not None:
            self._original(thing, name, value)
        else:
            super(self._owner, thing).__setattr__(name, value)
        if id(thing) in _noticed and not name.startswith("_"):
            _note_attribute(thing, name, value)


def _note_attribute(thing: Any, name: str, value: Any) -> None:
    for reference, watch, section in list(_noticed.get(id(thing), ())):
        if reference() is thing:
            with _as_warnings(f"attribute {name!r} of a connected object was set, and that is not recorded"):
                watch.note(flatten_values(section, {name: value}, {}))


class _as_warnings:  # noqa: N801
    """Errors inside become warnings: a script is not stopped where it only sets a value."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        reason = error if isinstance(error, EventlogError) else f"{type(error).__name__}: {error}"
        log.warning("eventlog: %s: %s", self._what, reason)
        return True


_noticed: dict[int, list[tuple[Any, Watch, str]]] = {}
_lock = threading.RLock()


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
