"""Parameters: from Python values to the text that an event keeps, and back.

A parameter is named "section/name"; without a section it belongs to `DEFAULT_SECTION`. Its value is kept
as text beside the name of the type that it had, so that it can be read by a person, compared as it was
written, and cast back when asked. Containers are written as JSON where JSON gives the very same value
back, else as a Python literal.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import BuiltinFunctionType, FunctionType
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.events import Parameter
from eventlog.sdk.plain_text import INLINE_SIZE, plain_text

__all__ = [
    "DEFAULT_SECTION",
    "cast_parameter",
    "flatten_parameters",
    "full_name",
    "merge_parameter",
    "nest_parameters",
    "parse_bool",
    "parse_container",
    "to_parameter",
    "to_parameters",
]

DEFAULT_SECTION = "General"
# Python refuses to write much longer numbers in decimal digits.
_MOST_DECIMAL_BITS = 10_000
_SCALARS = (str, int, float, bool)
_CONTAINERS = (list, tuple, dict, set, frozenset, bytes, complex)


def full_name(name: object) -> str:
    """The "section/name" that a name stands for, with "?" where UTF-8 has no form for a character.

    Raises:
        InputInvalid: the section or the name is empty, or the name has no text.
    """
    text = plain_text(name)
    section, slash, rest = text.partition("/")
    if not slash:
        section, rest = DEFAULT_SECTION, text
    if not section or not rest:
        raise InputInvalid(
            f"a parameter cannot be named {text!r}: give 'name' or 'section/name', neither part empty"
        )
    return f"{section}/{rest}"


def to_parameter(value: Any, *, description: str | None = None, value_type: Any = None) -> Parameter:
    """What an event keeps of a value.

    Args:
        value: anything. Built-in types, nested too, and NumPy's numbers come back as they were; of any
            other object its text is kept, and its type's name.
        description: for a person.
        value_type: the type to cast to later, where it is not the value's own.

    Raises:
        InputInvalid: the text is longer than 64 KiB, or there is none: `repr` raises, or it is nested too
            deeply.
    """
    try:
        text, kind = _to_text(value)
        if description is None and isinstance(value, Enum):
            description = "Values:\n" + ",\n".join(type(value).__members__)
    except Exception as error:
        raise InputInvalid(
            f"a parameter of type {type(value).__name__} cannot be written as text ({type(error).__name__}):"
            " give its text instead"
        ) from None
    if value_type is not None:
        kind = getattr(value_type, "__name__", None) or plain_text(value_type)
    if len(text) > INLINE_SIZE // 4 and len(text.encode(errors="replace")) > INLINE_SIZE:
        raise InputInvalid(
            f"a parameter of {len(text)} characters is too long, 64 KiB is the most: upload it as an artifact"
        )
    return Parameter(plain_text(text), plain_text(kind), plain_text(description or ""))


def merge_parameter(new: Parameter, old: Parameter | None, *, has_type: bool = False) -> Parameter:
    """What is kept of a parameter that is set again: its new value, under the type and description it had.

    A type gives way where the new value cannot be of it, or where a type was said.

    Args:
        has_type: a type was said.
    """
    if old is None:
        return new
    kind = new.type
    if not has_type and old.type and _base(old.type) != _base(new.type) and _can_be(new, old.type):
        kind = old.type
    return Parameter(new.value, kind, new.description or old.description)


def to_parameters(arguments: Iterable[Any], more: Mapping[str, Any]) -> dict[str, Parameter]:
    """The parameters that dictionaries, or pairs of name and value, and keywords together name.

    Raises:
        InputInvalid: a name or a value cannot be kept, or an argument is no dictionary.
    """
    merged: dict[Any, Any] = {}
    for argument in arguments:
        try:
            merged.update(argument)
        except (TypeError, ValueError):
            raise InputInvalid(
                f"parameters must be given as a dictionary, not as {type(argument).__name__}"
            ) from None
    merged.update(more)
    return {full_name(name): to_parameter(value) for name, value in merged.items()}


def flatten_parameters(dictionary: Mapping[Any, Any]) -> dict[str, Any]:
    """A nested dictionary as one of "section/name" to value: ``{"a": {"b": {"c": 1}}}`` is "a/b/c" to 1.

    An empty dictionary inside is a value like any other.

    Raises:
        InputInvalid: it is nested too deeply, or contains itself; or a name has no text.
    """
    try:
        return _flatten(dictionary)
    except RecursionError:
        raise InputInvalid(
            "the parameters are nested too deeply, or contain themselves: give a dictionary of fewer levels"
        ) from None


def nest_parameters(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested dictionary that "section/name" to value stands for.

    Where one name continues another ("a/b" and "a/b/c"), the longer one stays as it is, beside it. Below a
    hundred sections, what is left of a name is one.
    """
    nested: dict[str, Any] = {}
    for name, value in sorted(flat.items()):
        *sections, last = name.split("/", _DEEPEST)
        inner = nested
        for place, section in enumerate(sections):
            deeper = inner.setdefault(section, _Section())
            if not isinstance(deeper, _Section):
                last = "/".join((*sections[place:], last))
                break
            inner = deeper
        inner[last] = value
    return _plain(nested)


def cast_parameter(parameter: Parameter) -> Any:
    """The value that a parameter was, or its text where its type is not built in.

    An empty text under any type but "str" is None.
    """
    if not parameter.value and parameter.type != "str":
        return None
    cast = _CASTS.get(_base(parameter.type))
    if cast is None:
        return parameter.value
    try:
        return cast(parameter.value)
    except _NOT_CAST:
        return parameter.value


def parse_bool(text: str) -> bool:
    """The truth value that a text says: true, yes, on, 1, false, no, off, 0 …

    Raises:
        ValueError: it says none.
    """
    lowered = text.strip().lower()
    if lowered in {"true", "yes", "y", "on", "1"}:
        return True
    if lowered in {"false", "no", "n", "off", "0"}:
        return False
    raise ValueError(f"{text[:50]!r} is neither true nor false")


def parse_container(text: str, kind: type) -> Any:
    """The list, tuple, dictionary or set that a text is, as JSON or as a Python literal.

    Args:
        kind: list, tuple, dict, set or frozenset.

    Raises:
        ValueError, SyntaxError, TypeError, RecursionError, MemoryError: it is none.
    """
    import json

    try:
        value = json.loads(text)
    except ValueError:
        value = ast.literal_eval(
            text.removeprefix("frozenset(").removesuffix(")") or "()"
            if kind is frozenset
            else "()"
            if text == "set()"
            else text
        )
    if isinstance(value, Mapping) is not (kind is dict) or isinstance(value, (str, bytes)):
        raise ValueError(f"{text[:50]!r} is no {kind.__name__}")
    return value if type(value) is kind else kind(value)


def _flatten(dictionary: Mapping[Any, Any]) -> dict[str, Any]:
    if not isinstance(dictionary, Mapping):
        raise InputInvalid(f"parameters must be given as a dictionary, not as {type(dictionary).__name__}")
    flat: dict[str, Any] = {}
    for name, value in dictionary.items():
        section = plain_text(name)
        if isinstance(value, Mapping) and value:
            for rest, inner in _flatten(value).items():
                flat[f"{section}/{rest}"] = inner
        else:
            flat[section] = value
    return flat


class _Section(dict[str, Any]):
    """A dictionary made from names, not one that was a parameter's value."""


def _plain(section: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) if isinstance(value, _Section) else value for name, value in section.items()}


def _to_text(value: Any) -> tuple[str, str]:
    kind = type(value)
    if value is None:
        return "", ""
    if isinstance(value, Enum):
        return value.name, kind.__name__
    if kind is int and value.bit_length() > _MOST_DECIMAL_BITS:
        return hex(value), "int"
    if kind in _SCALARS:
        return str(value), kind.__name__
    if kind in _CONTAINERS:
        return _container_text(value), _container_kind(value, kind)
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        plain = value.item()
        if type(plain) in _SCALARS:
            return str(plain), type(plain).__name__
    # A subclass (of a named tuple, an ordered dictionary, an enum of numbers) is kept as its base.
    for base in (dict, list, tuple):
        if isinstance(value, base):
            return _container_text(base(value)), _container_kind(value, base)
    if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        # Their text would name a place in memory.
        return f"{value.__module__}.{value.__qualname__}", kind.__name__
    return str(value), kind.__qualname__


def _container_kind(value: Any, kind: type) -> str:
    """The name of a container's type, and after "/" that of its items where they have one in common."""
    if kind not in (list, tuple, dict):
        return kind.__name__
    inner = {type(item).__name__ for item in (value.values() if kind is dict else value)}
    return f"{kind.__name__}/{inner.pop()}" if len(inner) == 1 else kind.__name__


def _base(kind: str) -> str:
    return kind.partition("/")[0]


def _can_be(parameter: Parameter, kind: str) -> bool:
    """Whether a value can be of a type: it is None, or text that says such a value."""
    cast = _CASTS.get(_base(kind))
    if not parameter.value or cast is None:
        return parameter.type in {"", "str"}
    try:
        cast(parameter.value)
    except _NOT_CAST:
        return False
    return True


def _container_text(value: Any) -> str:
    """JSON if it gives the same value back, else a Python literal if that does, else what comes near."""
    import json

    shown = repr(value)
    if isinstance(value, (list, tuple, dict)):
        try:
            text = json.dumps(value)
            again = json.loads(text)
            if repr(tuple(again) if isinstance(value, tuple) else again) == shown:
                return text
        except (TypeError, ValueError, RecursionError):
            pass
        try:
            ast.literal_eval(shown)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            try:
                return json.dumps(value, default=_plain_item)
            except (TypeError, ValueError, RecursionError):
                pass
    return shown


def _plain_item(item: Any) -> Any:
    """What stands in JSON for an item that is not built in: NumPy's numbers as numbers, others as text."""
    return item.item() if getattr(item, "ndim", None) == 0 and hasattr(item, "item") else str(item)


_DEEPEST = 100
_NOT_CAST = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, OverflowError)
_CASTS: dict[str, Callable[[str], Any]] = {
    "": str,
    "NoneType": str,
    "str": str,
    "int": lambda text: int(text, 16 if "0x" in text else 10),
    "float": float,
    "bool": parse_bool,
    "complex": complex,
    "bytes": ast.literal_eval,
    **{
        kind.__name__: lambda text, kind=kind: parse_container(text, kind)  # type: ignore[misc]
        for kind in (list, tuple, dict, set, frozenset)
    },
}
