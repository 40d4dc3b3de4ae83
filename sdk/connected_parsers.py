"""argparse's parsers, connected to a task: what they offer, what the command line gives, what is stored.

A connected parser records what each parsing gives. Where the task's stored values win, it gives those back,
and asks for nothing that is stored.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eventlog.events import Parameter
from eventlog.sdk.connecting import stored_value
from eventlog.sdk.parameters import cast_parameter, to_parameter
from eventlog.sdk.stored_values import NotLike, value_like
from eventlog.sdk.watching import say_left_out

if TYPE_CHECKING:
    from eventlog.sdk.task_parameters import TaskParameters

__all__ = ["ARGUMENTS_SECTION", "connect_parser"]

# ClearML's name, whatever section is asked for.
ARGUMENTS_SECTION = "Args"
_HELP = (argparse._HelpAction, argparse._VersionAction)


def connect_parser(
    task: "TaskParameters", parser: argparse.ArgumentParser, stored: Mapping[str, Parameter]
) -> argparse.ArgumentParser:
    """Record what a parser offers and what the command line gives it, now and whenever it parses.

    Args:
        stored: parameters that win over the command line and over defaults.
    """
    if stored:
        for action in _actions(parser):
            _prepare(parser, action, stored)
    connection = _Connection(task, parser, stored)
    connection.record(_parsed_quietly(parser, connection))
    _listen(parser, connection)
    return parser


class _Connection:
    """What a parser's values are recorded to."""

    def __init__(
        self, task: "TaskParameters", parser: argparse.ArgumentParser, stored: Mapping[str, Parameter]
    ) -> None:
        self._task = task
        self._parser = parser
        self._stored = stored
        self._seen: dict[str, Parameter] = {}

    def __deepcopy__(self, memory: object) -> "_Connection":
        # A parser that is copied is connected as the one that it is a copy of.
        return self

    def overwrite(self, namespace: Any) -> None:
        """Put stored values in place of those that were parsed."""
        for action in _actions(self._parser):
            name = f"{ARGUMENTS_SECTION}/{action.dest}"
            if name in self._stored and hasattr(namespace, action.dest):
                setattr(
                    namespace, action.dest, _stored(self._stored, action, getattr(namespace, action.dest))
                )

    def record(self, values: Mapping[str, Any]) -> None:
        """Record what has changed of the values that were parsed; what is stored stays as it is."""
        changed: dict[str, Parameter] = {}
        left_out: dict[str, str] = {}
        actions = {action.dest: action for action in _actions(self._parser)}
        for dest, value in values.items():
            name = f"{ARGUMENTS_SECTION}/{dest}"
            if name in self._stored or not dest:
                continue
            try:
                parameter = _to_parameter(value, actions.get(dest))
            except ValueError as error:
                left_out[name] = str(error)
                continue
            if self._seen.get(name) != parameter:
                changed[name] = self._seen[name] = parameter
        say_left_out(self._task.id, left_out)
        if changed:
            self._task._record(changed)


class _Listening:
    """What a parser's class becomes a subclass of, when it is connected."""

    _eventlog_connections: list[_Connection]

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As of argparse; the values are recorded, or given by what is stored."""
        found, rest = super().parse_known_args(args, namespace)  # type: ignore[misc]
        for connection in self._eventlog_connections:
            connection.overwrite(found)
            connection.record(vars(found))
        return found, rest


def _listen(parser: argparse.ArgumentParser, connection: _Connection) -> None:
    if isinstance(parser, _Listening):
        parser._eventlog_connections.append(connection)
        return
    kind = type(parser)
    try:
        parser.__class__ = type(kind.__name__, (_Listening, kind), {"__module__": kind.__module__})
    except TypeError:
        return
    parser._eventlog_connections = [connection]  # type: ignore[attr-defined]


def _parsed_quietly(parser: argparse.ArgumentParser, connection: _Connection) -> dict[str, Any]:
    """What the command line gives; the defaults alone where it gives nothing that can be parsed."""
    values = {
        action.dest: None if action.default is argparse.SUPPRESS else action.default
        for action in _actions(parser, chosen=False)
    }
    values.update(parser._defaults)
    if any(given in {"-h", "--help", "--version"} for given in sys.argv[1:]):
        return values
    silence = io.StringIO()
    with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        try:
            found, _ = argparse.ArgumentParser.parse_known_args(parser)
        except (SystemExit, Exception):
            return values
    connection.overwrite(found)
    return vars(found)


def _actions(parser: argparse.ArgumentParser, *, chosen: bool = True) -> Iterator[argparse.Action]:
    """The arguments of a parser and, with `chosen`, of the parsers of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            if action.dest != argparse.SUPPRESS:
                yield action
            if chosen:
                for inner in dict.fromkeys(action.choices.values()):
                    yield from _actions(inner)
        elif not isinstance(action, _HELP) and action.dest != argparse.SUPPRESS:
            yield action


def _to_parameter(value: Any, action: argparse.Action | None) -> Parameter:
    """A parsed value; of None, with the type that the argument would have had."""
    kind: Any = None
    if value is None and action is not None:
        kind = action.type if isinstance(action.type, type) else None if action.nargs else str
    description = action.help if action is not None and action.help not in (None, argparse.SUPPRESS) else None
    return to_parameter(value, description=description, value_type=kind)


def _prepare(
    parser: argparse.ArgumentParser, action: argparse.Action, stored: Mapping[str, Parameter]
) -> None:
    """Have a stored value be an argument's default, so that it need not be given."""
    if f"{ARGUMENTS_SECTION}/{action.dest}" not in stored:
        return
    value = _stored(stored, action, action.default)
    action.default = value
    parser._defaults.pop(action.dest, None)
    action.required = False
    if not action.option_strings and not isinstance(action, argparse._SubParsersAction):
        if action.nargs is None:
            action.nargs = "?"
        elif action.nargs == "+" or isinstance(action.nargs, int):
            action.nargs = "*"


def _stored(stored: Mapping[str, Parameter], action: argparse.Action, default: Any) -> Any:
    """The value stored for an argument, in the type that the argument has."""
    name = f"{ARGUMENTS_SECTION}/{action.dest}"
    parameter = stored[name]
    text = parameter.value
    default = None if default is argparse.SUPPRESS else default
    convert = action.type
    if not callable(convert) or (not text and default is None):
        return stored_value(stored, name, default)
    if isinstance(default, (list, tuple)) or action.nargs in {"*", "+"} or isinstance(action.nargs, int):
        try:
            items = value_like(parameter, [])
        except NotLike:
            items = None
        if isinstance(items, list):
            return [convert(item) if isinstance(item, str) else item for item in items]
    if not text and parameter.type != "str":
        return None
    value = cast_parameter(parameter)
    try:
        # What is no text was of this type when it was stored.
        return value if isinstance(convert, type) and type(value) is convert else convert(text)
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        return stored_value(stored, name, default)
