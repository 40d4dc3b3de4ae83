"""`Task.connect`: the parameters in dictionaries, objects, classes and parsers, recorded and kept up to date.

Where the task's stored values win over those in the code (`overrides.py`), they are written into what is
connected before anything is recorded.
"""

import inspect
import logging
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import Parameter
from eventlog.sdk.connected_dict import ConnectedDict
from eventlog.sdk.parameters import DEFAULT_SECTION
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.stored_values import NotLike, value_like
from eventlog.sdk.watching import Watch, flatten_values, notice, say_left_out

if TYPE_CHECKING:
    from eventlog.sdk.task_parameters import TaskParameters

__all__ = ["connect", "stored_value"]

log = logging.getLogger("eventlog")

_NOTHING_TO_CONNECT = (
    *(str, bytes, int, float, complex, list, tuple, set, frozenset),
    *(FunctionType, BuiltinFunctionType, MethodType, ModuleType),
)
_COPIED = (dict, OrderedDict, ConnectedDict)
_NO_VALUES = (property, classmethod, staticmethod, FunctionType, BuiltinFunctionType, type)


def connect(task: "TaskParameters", mutable: Any, name: str | None, *, ignores_stored: bool) -> Any:
    """Connect something to a task, as `Task.connect` says; returns what the script goes on with.

    Raises:
        InputInvalid: it is nothing that has parameters, or it contains itself.
    """
    section = DEFAULT_SECTION if name is None or name == "" else check_text("the name of a section", name)
    stored = {} if ignores_stored else task._overriding_parameters()
    if _is_model(mutable):
        mutable.connect(task, name=name, ignore_remote_overrides=ignores_stored)
        return mutable
    argparse = sys.modules.get("argparse")
    if argparse is not None and isinstance(mutable, argparse.ArgumentParser):
        from eventlog.sdk.connected_parsers import connect_parser

        return connect_parser(task, mutable, stored)
    if isinstance(mutable, Mapping):
        return _connect_mapping(task, mutable, section, stored)
    if isinstance(mutable, type):
        return _connect_class(task, mutable, section, stored)
    if mutable is None or isinstance(mutable, _NOTHING_TO_CONNECT):
        raise InputInvalid(
            "Task.connect takes a dictionary, an argparse parser, an object with attributes or a class, not"
            f" {type(mutable).__name__}"
        )
    return _connect_object(task, mutable, section, stored)


def stored_value(stored: Mapping[str, Parameter], name: str, default: Any) -> Any:
    """The value stored under a name, as one of the type that `default` has.

    Without such a value, or where it is of another type, which is warned of, it is `default`.
    """
    parameter = stored.get(name)
    if parameter is None:
        return default
    try:
        return value_like(parameter, default)
    except NotLike as error:
        log.warning(
            "eventlog: parameter %s is stored in the task, but %s: the script's own value is used",
            name,
            error,
        )
    except InputInvalid:
        # The script's own value has no text.
        pass
    return default


def _is_model(thing: Any) -> bool:
    module = sys.modules.get("eventlog.sdk.model_base")
    if module is None or not type(thing).__module__.startswith("eventlog.sdk."):
        return False
    return hasattr(thing, "connect") and "model" in type(thing).__module__


def _connect_mapping(
    task: "TaskParameters", mapping: Mapping[Any, Any], section: str, stored: Mapping[str, Parameter]
) -> Any:
    left_out: dict[str, str] = {}
    flatten_values(section, mapping, left_out)
    say_left_out(task.id, left_out)
    if stored:
        _restore(mapping, section, stored, mapping.__setitem__ if hasattr(mapping, "__setitem__") else None)
    values = flatten_values(section, mapping, {})
    own = Watch(task, lambda: flatten_values(section, mapping, {}))
    parameters = own.begin(values)
    task._watch(own)
    task._record({name: one for name, one in parameters.items() if not _is_stored(name, stored)})
    if type(mapping) not in _COPIED:
        # A kind of its own, such as one with attributes: the script goes on with it, not with a likeness.
        return mapping
    # Weakly: once the script has dropped it, it does not change any more.
    import weakref

    def written(path: tuple[Any, ...], values: Mapping[Any, Any]) -> None:
        prefix = "/".join((section, *map(plain_text, path)))
        watch.note(flatten_values(prefix, values, {}))

    def fixed(path: tuple[Any, ...], value: Any) -> Any:
        try:
            name = "/".join((section, *map(plain_text, path)))
        except InputInvalid:
            return value
        return stored_value(stored, name, value) if name in stored else value

    connected = ConnectedDict(mapping, _as_far_as_possible(task, written), fixed)
    reference = weakref.ref(connected)
    watch = Watch(task, lambda: None if (own := reference()) is None else flatten_values(section, own, {}))
    watch.begin_as(own)
    task._watch(watch)
    return connected


def _connect_class(task: "TaskParameters", kind: type, section: str, stored: Mapping[str, Parameter]) -> Any:
    def read() -> dict[str, Any]:
        return flatten_values(section, _class_values(kind), {})

    return _connect_attributes(task, kind, section, stored, _class_values(kind), read)


def _connect_object(task: "TaskParameters", thing: Any, section: str, stored: Mapping[str, Parameter]) -> Any:
    values = _object_values(thing)
    if values is None:
        raise InputInvalid(
            f"Task.connect found no attributes on an object of type {type(thing).__name__}: give a dictionary"
        )
    import weakref

    try:
        reference: Callable[[], Any] = weakref.ref(thing)
    except TypeError:
        reference = lambda: thing  # noqa: E731

    def read() -> dict[str, Any] | None:
        now = None if (there := reference()) is None else _object_values(there)
        return None if now is None else flatten_values(section, now, {})

    return _connect_attributes(task, thing, section, stored, values, read)


def _connect_attributes(
    task: "TaskParameters",
    thing: Any,
    section: str,
    stored: Mapping[str, Parameter],
    values: dict[str, Any],
    read: Callable[[], dict[str, Any] | None],
) -> Any:
    left_out: dict[str, str] = {}
    flatten_values(section, values, left_out)
    say_left_out(task.id, left_out)
    if stored:
        _restore(values, section, stored, lambda name, value: _set_attribute(thing, name, value))
    watch = Watch(task, read)
    parameters = _described(thing, section, watch.begin(read() or {}))
    task._watch(watch)
    task._record({name: one for name, one in parameters.items() if not _is_stored(name, stored)})
    if not isinstance(thing, type):
        notice(thing, watch, section)
    return thing


def _is_stored(name: str, stored: Mapping[str, Parameter]) -> bool:
    """Whether a parameter, or a dictionary that it is in, is stored."""
    if not stored:
        return False
    parts = name.split("/")
    return any("/".join(parts[:end]) in stored for end in range(2, len(parts) + 1))


def _described(thing: Any, section: str, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
    """Parameters with what a `TaskParameters` says of them."""
    said = getattr(type(thing), "_parameters", None)
    if not isinstance(said, dict) or not hasattr(thing, "update_from_dict"):
        return parameters
    descriptions = {f"{section}/{name}": getattr(one, "description", None) for name, one in said.items()}
    return {
        name: Parameter(one.value, one.type, descriptions.get(name) or one.description)
        for name, one in parameters.items()
    }


def _restore(
    values: Mapping[Any, Any],
    prefix: str,
    stored: Mapping[str, Parameter],
    put: Callable[[Any, Any], None] | None,
) -> None:
    """Write stored values over those in a dictionary, and in those within it."""
    for key, value in list(values.items()):
        try:
            name = f"{prefix}/{plain_text(key)}"
        except InputInvalid:
            continue
        if isinstance(value, Mapping) and value:
            _restore(value, name, stored, value.__setitem__ if hasattr(value, "__setitem__") else None)
        elif name in stored and put is not None:
            mine = stored_value(stored, name, value)
            if mine is not value:
                put(key, mine)


def _set_attribute(thing: Any, name: str, value: Any) -> None:
    try:
        setattr(thing, name, value)
    except Exception:
        # A frozen dataclass refuses; it was given these values by its maker as well.
        object.__setattr__(thing, name, value)


def _class_values(kind: type) -> dict[str, Any]:
    """The values of a class and of those it inherits from, without what begins with "_"."""
    values: dict[str, Any] = {}
    for one in reversed(kind.__mro__[:-1]):
        values.update(vars(one))
    return {
        name: value
        for name, value in values.items()
        if not name.startswith("_")
        and not isinstance(value, _NO_VALUES)
        and not inspect.isdatadescriptor(value)
        and not inspect.ismethoddescriptor(value)
    }


def _object_values(thing: Any) -> dict[str, Any] | None:
    """The attributes of an object itself, without those that begin with "_"; None if it cannot have any."""
    values = getattr(thing, "__dict__", None)
    slots = [slot for one in type(thing).__mro__ for slot in _slots(one)]
    if values is None and not slots:
        return None
    found = {
        slot: getattr(thing, slot) for slot in slots if not slot.startswith("_") and hasattr(thing, slot)
    }
    found.update(values or {})
    return {name: value for name, value in found.items() if not name.startswith("_")}


def _slots(kind: type) -> Iterable[str]:
    slots = vars(kind).get("__slots__", ())
    return [slots] if isinstance(slots, str) else slots


def _as_far_as_possible(
    task: "TaskParameters", written: Callable[[tuple[Any, ...], Mapping[Any, Any]], None]
) -> Callable[[tuple[Any, ...], Mapping[Any, Any]], None]:
    """Writing into a connected dictionary does not raise, whatever becomes of the event."""

    def safely(path: tuple[Any, ...], values: Mapping[Any, Any]) -> None:
        try:
            written(path, values)
        except Exception as error:
            log.warning(
                "eventlog: a change of what is connected to task %s is not recorded: %s", task.id, error
            )

    return safely
