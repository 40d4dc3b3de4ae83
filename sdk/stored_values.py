"""Values that are stored in a task, as values of the type that the code has in their place."""

import datetime
import decimal
import fractions
import uuid
from enum import Enum
from pathlib import PurePath
from typing import Any

from eventlog.events import Parameter
from eventlog.sdk.parameters import cast_parameter, parse_bool, parse_container, to_parameter

__all__ = ["NotLike", "value_like"]

# Types whose own text makes the same value again.
_BY_TEXT = (str, PurePath, complex, decimal.Decimal, fractions.Fraction, uuid.UUID)
_BY_ISO_TEXT = (datetime.datetime, datetime.date, datetime.time)
_CONTAINERS = (dict, list, tuple, set, frozenset)
_ERRORS = (ValueError, SyntaxError, TypeError, ArithmeticError, RecursionError, MemoryError)


class NotLike(ValueError):
    """A stored text says no value of the wanted type."""


def value_like(parameter: Parameter, default: Any) -> Any:
    """What a stored parameter is, in the type that `default` has.

    Args:
        default: what the code has. Where it is None, the type that was stored counts.

    Raises:
        NotLike: the stored text is no such value.
    """
    text = parameter.value
    if default is None:
        return cast_parameter(parameter) if text else None
    if not text and (not isinstance(default, str) or not parameter.type):
        return None
    try:
        return _parse(text, default)
    except _ERRORS:
        pass
    if text == to_parameter(default).value:
        return default
    raise NotLike(f"{text[:100]!r} is no {type(default).__name__}")


def _parse(text: str, default: Any) -> Any:
    kind = type(default)
    if isinstance(default, Enum):
        return _member(text, kind)
    if isinstance(default, bool):
        return parse_bool(text)
    if isinstance(default, int):
        return kind(int(text, 0) if text.strip().lower().startswith(("0x", "-0x")) else int(text))
    if isinstance(default, float):
        return kind(float(text))
    if isinstance(default, _BY_ISO_TEXT):
        return kind.fromisoformat(text)
    if isinstance(default, _BY_TEXT):
        return kind(text)
    if isinstance(default, bytes):
        value = cast_parameter(Parameter(text, "bytes"))
        return value if isinstance(value, bytes) else text.encode()
    for base in _CONTAINERS:
        if isinstance(default, base):
            return _container(parse_container(text, base), default)
    if hasattr(default, "dtype") and getattr(default, "ndim", None) == 0:
        return kind(parse_bool(text) if default.dtype.kind == "b" else text)
    raise NotLike(text)


def _member(text: str, kind: Any) -> Any:
    """The member of an enumeration, by its name or by its value's text."""
    members = kind.__members__
    name = text.removeprefix(f"{kind.__name__}.")
    if name in members:
        return members[name]
    for member in members.values():
        if str(member.value) == text:
            return member
    raise NotLike(text)


def _container(value: Any, default: Any) -> Any:
    kind = type(default)
    if type(value) is kind:
        return value
    if hasattr(default, "_fields"):
        return kind(*value)
    if isinstance(default, dict):
        # A subclass may want arguments of its own.
        made = default.copy()
        made.clear()
        made.update(value)
        return made
    return kind(value)
