"""jsonargparse, and with it Lightning's command line: the values of a parser, configuration files included.

Nested values are named by their path, ``model.width``, those of a command after it, ``fit.model.width``.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eventlog.sdk.automatic.callers import is_of_script, is_own_command_line
from eventlog.sdk.automatic.command_lines import (
    ARGUMENTS,
    Values,
    inside,
    is_inside,
    is_wanted,
    note,
    stored_values,
)
from eventlog.sdk.automatic.hooks import around
from eventlog.sdk.automatic.listening import safely, warn_once
from eventlog.sdk.connecting import stored_value
from eventlog.sdk.parameters import to_parameter

if TYPE_CHECKING:
    from eventlog.events import Parameter

__all__ = ["bind"]

_FRAMEWORK = "jsonargparse"
_METHODS = ("parse_args", "parse_object", "parse_path", "parse_string", "parse_env")


def bind(module: Any) -> None:
    """Hook `jsonargparse._core`, or the module before it, which now warns of what it is asked for."""
    parser = vars(module).get("ArgumentParser")
    for name in _METHODS if parser is not None else ():
        around(parser, name, _parse)


def _parse(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    if is_inside():
        return wrapped(*args, **kwargs)
    is_line = wrapped.__name__ == "parse_args"
    caller = sys._getframe(1)
    if not is_line and caller.f_globals.get("__name__", "").partition(".")[0] == "jsonargparse":
        # It checks a part of what was parsed, such as the arguments of a class that it makes.
        return wrapped(*args, **kwargs)
    given = (args[0] if args else kwargs.get("args")) if is_line else ()
    # Libraries that use it parse for the script, such as Lightning.
    counts = is_wanted(_FRAMEWORK) and safely("what jsonargparse does", is_of_script, caller, None, instance)
    with inside():
        found = wrapped(*args, **kwargs)
        if not counts:
            return found
        found = safely("what jsonargparse does", _with_stored, instance, found) or found
    safely("what jsonargparse does", _note, instance, found, is_line and is_own_command_line(given))
    return found


def _note(parser: Any, found: Any, is_own: bool) -> None:
    values = Values()
    described = {
        action.dest: action.help
        for action in parser._actions
        if action.help is not None and action.help != "==SUPPRESS=="
    }
    for name, value in _flat(found):
        values.add(f"{ARGUMENTS}/{name}", to_parameter, _plain(value), description=described.get(name))
    note(values, _FRAMEWORK, is_own=is_own)


def _with_stored(parser: Any, found: Any) -> Any:
    """What was parsed with the stored values in place, checked by the parser; None if nothing changes."""
    stored = stored_values()
    changed: dict[str, Any] = {}
    for name, value in _flat(found) if stored else ():
        if name in stored and not _is_same(value, stored[name]):
            changed[name] = stored_value(stored, name, _plain(value))
    return _checked(parser, found, changed) if changed else None


def _checked(parser: Any, found: Any, changed: dict[str, Any]) -> Any:
    """What was parsed with other values, as far as the parser takes them."""
    exits = parser.exit_on_error
    parser.exit_on_error = False
    try:
        try:
            return parser.parse_object(_merged(found, changed), defaults=False)
        except Exception:
            if len(changed) == 1:
                raise
        for name, value in changed.items():
            try:
                found = parser.parse_object(_merged(found, {name: value}), defaults=False)
            except Exception as error:
                warn_once(f"the stored value of {name}", error)
        return found
    except Exception as error:
        warn_once(f"the stored value of {next(iter(changed))}", error)
        return None
    finally:
        parser.exit_on_error = exits


def _merged(found: Any, changed: dict[str, Any]) -> Any:
    merged = found.clone()
    for name, value in changed.items():
        merged[name] = value
    return merged


def _flat(found: Any) -> Iterator[tuple[str, Any]]:
    """The values of a namespace by their path; dictionaries are values."""
    items = vars(found).items() if not isinstance(found, Mapping) else found.items()
    for name, value in list(items):
        if name.startswith("__"):
            continue
        if _is_namespace(value):
            for inner, one in _flat(value):
                yield f"{name}.{inner}", one
        else:
            yield name, value


def _plain(value: Any) -> Any:
    """A value with the paths of files as text, and what says how a class is made as a dictionary."""
    if isinstance(value, (list, tuple)):
        plain = [_plain(one) for one in value]
        return value if all(one is other for one, other in zip(plain, value, strict=True)) else plain
    if _is_namespace(value):
        return {name: _plain(one) for name, one in vars(value).items()}
    return str(value) if _is_path(value) else value


def _is_namespace(value: Any) -> bool:
    return type(value).__name__ == "Namespace" and type(value).__module__.startswith("jsonargparse")


def _is_path(value: Any) -> bool:
    return type(value).__module__.startswith("jsonargparse") and type(value).__name__.startswith("Path")


def _is_same(value: Any, parameter: "Parameter") -> bool:
    try:
        return to_parameter(_plain(value)).value == parameter.value
    except ValueError:
        return False
