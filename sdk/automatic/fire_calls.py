"""Python Fire: what the functions and classes are called with that a command line leads to.

The arguments of what `fire.Fire` was given itself are named as they are; those of a member that is called
after it, ``train/rate``, and the member says that it is the one that runs, as with ClearML.
"""

import inspect
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from eventlog.sdk.automatic.callers import is_function_of_script, is_own_command_line
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
from eventlog.sdk.automatic.listening import safely
from eventlog.sdk.connecting import stored_value
from eventlog.sdk.parameters import to_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eventlog.events import Parameter

__all__ = ["bind"]


def bind(module: Any) -> None:
    """Hook `fire.core`."""
    # `Fire` itself may have been imported by name already.
    around(module, "_Fire", _fire)
    around(module, "_CallAndUpdateTrace", _call)
    around(module, "_MakeParseFn", _make_parse)
    # It reads what comes after "--" with a parser of its own.
    around(module.parser, "CreateParser", _create_parser)


def _fire(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    if len(args) < 2:
        return wrapped(*args, **kwargs)
    component, line, *rest = args
    # Without a component it is what the script has defined.
    firing = _Firing(rest[1] if component is None and len(rest) > 1 else component, list(line))
    other = None if is_inside() or not is_wanted() else safely("the command line", firing.stored_member)
    if other is not None:
        line = [other]
    token = _firing.set(firing)
    try:
        return wrapped(component, line, *rest, **kwargs)
    finally:
        _firing.reset(token)


def _call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    firing = _firing.get()
    if firing is not None:
        safely("the command line", firing.follow, *args[:3])
    return wrapped(*args, **kwargs)


def _make_parse(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """The function that reads the arguments of a call, which is made right after it."""
    parse = wrapped(*args, **kwargs)
    firing = _firing.get()
    function = args[0] if args else kwargs.get("fn")
    if firing is None or is_inside() or not is_wanted():
        return parse

    def parse_and_note(line: Any) -> Any:
        stored = safely("the command line", firing.stored, function) or {}
        try:
            parsed = parse(line)
        except Exception:
            if not stored:
                raise
            # What is stored need not be given.
            missing = safely("the command line", firing.missing, function, line, stored)
            parsed = parse([*line, *(missing or ())])
        return safely("the command line", firing.heard, function, parsed, stored) or parsed

    return parse_and_note


def _create_parser(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    parser = wrapped(*args, **kwargs)
    parse = parser.parse_known_args

    def parse_unheard(*given: Any, **more: Any) -> Any:
        with inside():
            return parse(*given, **more)

    parser.parse_known_args = parse_unheard
    return parser


class _Firing:
    """One command line that is followed.

    Args:
        component: what it leads away from.
        line: without what comes after "--", which is Fire's own.
    """

    def __init__(self, component: Any, line: list[str]) -> None:
        self._members = _members(component)
        self._given = line
        self._line = sys.argv[1:] if line == sys.argv[1 : len(line) + 1] else line
        self._path = ""

    def stored_member(self) -> str | None:
        """The member that is stored as the one that runs, where another one is given."""
        stored = stored_values()
        if not stored or not self._given or self._given[0] not in self._members:
            return None
        chosen = [name for name in self._members if name in stored and stored[name].value.lower() == "true"]
        return chosen[0] if len(chosen) == 1 and chosen[0] != self._given[0] else None

    def follow(self, component: Any, args: Any, trace: Any) -> None:
        """A component is about to be called, after those in the trace."""
        names = [str(one._target) for one in trace.elements if one._action == "Accessed property"]
        self._path = "/".join(name.replace("-", "_") for name in names)

    def stored(self, function: Any) -> "dict[str, Parameter]":
        """The stored values of a function's arguments, by name."""
        if not is_function_of_script(_code_of(function), self._line):
            return {}
        prefix = f"{self._path}/" if self._path else ""
        return {
            name.removeprefix(prefix): parameter
            for name, parameter in stored_values().items()
            if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
        }

    def missing(self, function: Any, line: Any, stored: "Mapping[str, Parameter]") -> list[str]:
        """Options for what is stored and not on the command line."""
        given = {word.partition("=")[0].lstrip("-").replace("-", "_") for word in line}
        names = {
            name
            for name, one in inspect.signature(function).parameters.items()
            if one.default is inspect.Parameter.empty
        }
        return [
            f"--{name}={parameter.value}"
            for name, parameter in stored.items()
            if name in names and name not in given and parameter.value
        ]

    def heard(self, function: Any, parsed: Any, stored: "Mapping[str, Parameter]") -> Any:
        """Note what a function is called with, and return it with the stored values in place."""
        (positional, named), *rest = parsed
        if not is_function_of_script(_code_of(function), self._line):
            return parsed
        try:
            bound = inspect.signature(function).bind(*positional, **named)
        except (TypeError, ValueError):
            return parsed
        bound.apply_defaults()
        kinds = {name: one.kind for name, one in bound.signature.parameters.items()}
        for name, value in list(bound.arguments.items()):
            if kinds[name] is inspect.Parameter.VAR_KEYWORD:
                others = stored_values()
                bound.arguments[name] = {key: stored_value(others, key, one) for key, one in value.items()}
            elif name in stored:
                own = stored_value(stored, name, value)
                is_lost = kinds[name] is inspect.Parameter.VAR_POSITIONAL and not isinstance(own, tuple)
                bound.arguments[name] = value if is_lost else own
        self._note(bound.arguments, kinds)
        return (list(bound.args), bound.kwargs), *rest

    def _note(self, arguments: "Mapping[str, Any]", kinds: "Mapping[str, Any]") -> None:
        values = Values()
        prefix = f"{ARGUMENTS}/{self._path}/" if self._path else f"{ARGUMENTS}/"
        if self._path:
            values.add(f"{ARGUMENTS}/{self._path}", to_parameter, True)
            for member in self._members if self._path in self._members else ():
                values.add(f"{ARGUMENTS}/{member}", to_parameter, member == self._path)
        for name, value in arguments.items():
            if kinds[name] is inspect.Parameter.VAR_KEYWORD:
                # Those that the function does not name are nobody's, as with ClearML.
                for key, one in value.items():
                    values.add(f"{ARGUMENTS}/{key}", to_parameter, one)
            elif kinds[name] is not inspect.Parameter.VAR_POSITIONAL or value:
                values.add(prefix + name, to_parameter, value)
        note(values, is_own=is_own_command_line(self._line))


def _members(component: Any) -> list[str]:
    """The functions of the script that a dictionary, a class or an object has."""
    if isinstance(component, dict):
        named = component
    else:
        kind = component if inspect.isclass(component) else type(component)
        named = {name: one for base in reversed(kind.__mro__) for name, one in vars(base).items()}
    return [
        name
        for name, one in named.items()
        if isinstance(name, str)
        and not name.startswith("_")
        and inspect.isfunction(one)
        and is_function_of_script(one, [None])
    ]


def _code_of(function: Any) -> Any:
    """What to ask for its file: of a class its `__init__`."""
    return function.__init__ if inspect.isclass(function) else getattr(function, "__func__", function)


_firing: ContextVar[_Firing | None] = ContextVar("eventlog_fire", default=None)
