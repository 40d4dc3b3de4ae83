"""Putting what was found in order, and giving out a page of it, in ClearML's words."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from eventlog.errors import InputInvalid
from eventlog.sdk.names import shown

__all__ = ["field_of", "page_of", "sort_by"]

T = TypeVar("T")

# Fields by names of the task's own.
_OF_SOME = ("last_metrics.", "hyperparams.", "configuration.", "runtime.")


def field_of(thing: Any, path: str) -> Any:
    """What a dotted path leads to, through attributes and dictionaries, such as "script.repository".

    Raises:
        LookupError: it leads nowhere.
    """
    for part in path.split("."):
        try:
            thing = thing[part] if isinstance(thing, dict) else getattr(thing, part)
        except (AttributeError, KeyError):
            raise LookupError(path) from None
    return thing


def sort_by(things: list[T], order: Any, read: Callable[[T, str], Any] = field_of) -> list[T]:
    """Things in the order of some fields, the first of them weighing most.

    Args:
        things: what is to be sorted.
        order: names of fields; with "-" before one, the other way round. Things without a field that others
            have come last, whichever way.
        read: a field of a thing; raises LookupError where it has none.

    Raises:
        InputInvalid: none has such a field.
    """
    names = [order] if isinstance(order, str) else order
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise InputInvalid("'order_by' must be a list of names of fields")
    for name in reversed(names):
        path = name.removeprefix("-")
        keyed, without = [], []
        for thing in things:
            try:
                keyed.append((_key(read(thing, path)), thing))
            except LookupError:
                without.append(thing)
        if without and not keyed and not path.startswith(_OF_SOME):
            raise InputInvalid(f"there is no field {shown(path)} to order by")
        keyed.sort(key=lambda pair: pair[0], reverse=name.startswith("-"))
        things = [thing for _, thing in keyed] + without
    return things


def page_of(things: list[T], page: Any, size: Any) -> list[T]:
    """A page of things, by its number from 0 on; all of them where neither is given.

    Raises:
        InputInvalid: a number is no whole one.
    """
    for what, number, least in (("page", page, 0), ("page_size", size, 1)):
        if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < least):
            raise InputInvalid(f"'{what}' must be a whole number from {least} on, not {shown(number)}")
    if size is None and page is None:
        return things
    size = 500 if size is None else size
    return things[(page or 0) * size : (page or 0) * size + size]


def _key(value: Any) -> tuple[int, str, Any]:
    """What values of whatever types can be compared by."""
    if value is None:
        return (0, "", 0)
    if isinstance(value, bool | int | float):
        return (1, "", value)
    if isinstance(value, str):
        return (2, "", value)
    return (3, type(value).__name__, value if hasattr(value, "__lt__") else repr(value))
