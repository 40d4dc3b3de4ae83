"""The arguments of an argparse parser: what is recorded of them, and how stored values take their place."""

import argparse
import logging
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.events import Parameter
from eventlog.sdk.automatic.command_lines import ARGUMENTS, Values
from eventlog.sdk.parameters import cast_parameter, to_parameter

__all__ = ["arguments", "defaults", "overwrite", "parsed_values", "prepare", "to_values"]

log = logging.getLogger("eventlog")

_HELP = (argparse._HelpAction, argparse._VersionAction)
# What a script keeps beside its arguments, such as the function of a command, and is no value.
_NO_VALUES = (FunctionType, BuiltinFunctionType, MethodType, type)


def arguments(parser: argparse.ArgumentParser, *, chosen: bool = True) -> Iterator[argparse.Action]:
    """The arguments of a parser and, with `chosen`, of the parsers of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            if action.dest != argparse.SUPPRESS:
                yield action
            if chosen:
                for inner in dict.fromkeys(action.choices.values()):
                    yield from arguments(inner)
        elif not isinstance(action, _HELP) and action.dest != argparse.SUPPRESS:
            yield action


def defaults(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """What parsing an empty command line would give, were nothing required."""
    values = {
        action.dest: None if action.default is argparse.SUPPRESS else action.default
        for action in arguments(parser, chosen=False)
    }
    return {**values, **parser._defaults}


def parsed_values(parser: argparse.ArgumentParser, namespace: Any) -> dict[str, Any]:
    """What was parsed, by name; what the script's own kind of namespace has besides, too."""
    if hasattr(namespace, "__dict__"):
        return dict(vars(namespace))
    names = [action.dest for action in arguments(parser)]
    return {name: getattr(namespace, name) for name in names if hasattr(namespace, name)}


def to_values(parser: argparse.ArgumentParser, parsed: Mapping[str, Any]) -> Values:
    """What is recorded of parsed values, those besides the parser's own arguments included."""
    values = Values()
    actions = {action.dest: action for action in arguments(parser)}
    for dest, value in list(parsed.items()):
        action = actions.get(dest)
        if not dest or (action is None and isinstance(value, _NO_VALUES)):
            continue
        values.add(f"{ARGUMENTS}/{dest}", _to_parameter, value, action)
    return values


def prepare(parser: argparse.ArgumentParser, stored: Mapping[str, Parameter]) -> None:
    """Have a parser ask for no argument that is stored, by name."""
    for action in arguments(parser):
        if action.dest in stored:
            action.required = False


def overwrite(parser: argparse.ArgumentParser, namespace: Any, stored: Mapping[str, Parameter]) -> None:
    """Put stored values, by name, in place of those that were parsed."""
    from eventlog.sdk.connecting import stored_value

    _take_commands(parser, namespace, stored)
    actions = {action.dest: action for action in arguments(parser)}
    for own in arguments(parser, chosen=False):
        # Of an argument without a default there is nothing where it is not given.
        if own.dest in stored and stored[own.dest].value and not hasattr(namespace, own.dest):
            setattr(namespace, own.dest, None)
    for dest, value in parsed_values(parser, namespace).items():
        if dest in stored:
            action = actions.get(dest)
            setattr(
                namespace,
                dest,
                stored_value(stored, dest, value) if action is None else _stored(stored, action, value),
            )


def _take_commands(parser: argparse.ArgumentParser, namespace: Any, stored: Mapping[str, Parameter]) -> None:
    """Where another command is stored than was given, add what its parser gives."""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction) or action.dest not in stored:
            continue
        command = stored[action.dest].value
        inner = action.choices.get(command)
        if inner is None:
            continue
        has_own = all(hasattr(namespace, one.dest) for one in arguments(inner, chosen=False))
        if getattr(namespace, action.dest, None) != command or not has_own:
            found, _ = argparse.ArgumentParser.parse_known_args(inner, [])
            for dest, value in vars(found).items():
                setattr(namespace, dest, value)
        _take_commands(inner, namespace, stored)


# "append" and "append_const"; "extend" is one of the first.
_GATHERING = (argparse._AppendAction, argparse._AppendConstAction)


def _to_parameter(value: Any, action: argparse.Action | None) -> Parameter:
    """A parsed value; of None, with the type that the argument would have had."""
    kind: Any = None
    if value is None and action is not None and not isinstance(action, _GATHERING):
        kind = action.type if isinstance(action.type, type) else None if action.nargs else str
    description = action.help if action is not None and action.help not in (None, argparse.SUPPRESS) else None
    return to_parameter(value, description=description, value_type=kind)


def _stored(stored: Mapping[str, Parameter], action: argparse.Action, value: Any) -> Any:
    """The value stored for an argument, in the type that the argument has.

    Args:
        value: what the script has, parsed or by default; it stays where what is stored is nothing like it.
    """
    from eventlog.sdk.stored_values import NotLike

    parameter = stored[action.dest]
    if _is_same(value, parameter):
        return value
    try:
        found = _converted(parameter, action, value)
        if action.choices is not None:
            for one in found if isinstance(found, (list, tuple)) else [found]:
                if one is not None and one not in action.choices:
                    raise NotLike(f"{parameter.value[:100]!r} is none of its choices")
    except (ValueError, TypeError, OSError, argparse.ArgumentTypeError) as error:
        log.warning(
            "eventlog: parameter %s/%s is stored in the task, but %s: the script's own value is used",
            ARGUMENTS,
            action.dest,
            error,
        )
        return value
    return found


def _converted(parameter: Parameter, action: argparse.Action, value: Any) -> Any:
    # It imports much, and few processes have stored values.
    from eventlog.sdk.stored_values import value_like

    text, convert = parameter.value, action.type
    gathers = isinstance(action, _GATHERING)
    if not callable(convert):
        return value_like(parameter, [] if gathers and text and value is None else value)
    if not text and parameter.type != "str":
        return None
    cast = cast_parameter(parameter)
    is_list = (
        isinstance(value, (list, tuple))
        or gathers
        or action.nargs in {"*", "+"}
        or isinstance(action.nargs, int)
    )
    if is_list and isinstance(cast, (list, tuple)):
        # The type may make a list of one text, as its items are.
        items = list(cast) if action.nargs is None and not gathers else _each(cast, convert)
        return tuple(items) if isinstance(value, tuple) else items
    if is_list and (gathers or action.nargs is not None):
        return _each(value_like(parameter, []), convert)
    # What is no text was of this type when it was stored.
    return cast if isinstance(convert, type) and type(cast) is convert else convert(text)


def _each(items: Any, convert: Callable[[str], Any]) -> list[Any]:
    """Convert the texts of a list; of one that gathers several at a time, those in its lists."""
    return [
        convert(item) if isinstance(item, str) else _each(item, convert) if isinstance(item, list) else item
        for item in items
    ]


def _is_same(value: Any, parameter: Parameter) -> bool:
    """Whether the script has already what is stored, such as an object that no text makes again."""
    if value is None:
        return False
    try:
        return to_parameter(value).value == parameter.value
    except InputInvalid:
        return False
