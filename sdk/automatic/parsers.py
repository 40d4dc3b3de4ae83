"""argparse: what the script's parsers parse is recorded, and given by what is stored.

argparse is a part of Python and quick to import, so it is hooked at once and without wrapt, which is not. Its
parsers serve libraries and tools as well; `callers.py` says which parsing is the script's own.
"""

import argparse
import functools
import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eventlog.sdk.automatic.callers import is_of_script, is_own_command_line
from eventlog.sdk.automatic.command_lines import Values, inside, is_inside, is_wanted, note, stored_values
from eventlog.sdk.automatic.listening import safely

if TYPE_CHECKING:
    from types import FrameType

    from eventlog.events import Parameter
    from eventlog.sdk.connected_parsers import _Connection

__all__ = ["connections", "hook", "last_parsed"]

_CONNECTIONS = "_eventlog_connections"
# The second of them goes through the first one up to Python 3.12 only.
_METHODS = ("parse_known_args", "parse_known_intermixed_args")


def hook() -> None:
    """From here on parsers are listened to; calling it again changes nothing."""
    for name in _METHODS:
        method = vars(argparse.ArgumentParser).get(name)
        if method is not None and not hasattr(method, "_eventlog_wraps"):
            setattr(argparse.ArgumentParser, name, _listening(method))


def connections(parser: argparse.ArgumentParser) -> "list[_Connection]":
    """What a parser was connected to by `Task.connect`."""
    found: list[_Connection] = vars(parser).setdefault(_CONNECTIONS, [])
    return found


def last_parsed(parser: argparse.ArgumentParser) -> Values | None:
    """What a parser has parsed as the script's, the last time; None if it has not."""
    try:
        return _last_parsed.get(parser)
    except TypeError:
        return None


def _listening(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def parse(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> Any:
        if is_inside():
            return method(self, *args, **kwargs)
        given = args[0] if args else kwargs.get("args")
        parsing = safely("the command line", _begin, self, given, sys._getframe(1))
        with inside():
            result = method(self, *args, **kwargs)
        if parsing is not None:
            safely("the command line", parsing.end, result[0])
        return result

    parse._eventlog_wraps = method  # type: ignore[attr-defined]
    return parse


def _begin(parser: argparse.ArgumentParser, given: Any, frame: "FrameType") -> "_Parsing | None":
    connected = connections(parser) if _CONNECTIONS in vars(parser) else []
    if connected:
        return _Parsing(parser, connected, {})
    if not is_wanted() or not is_of_script(frame, given, parser):
        return None
    stored = stored_values()
    if stored:
        from eventlog.sdk.parser_arguments import prepare

        prepare(parser, stored)
    return _Parsing(parser, [], stored, is_own_command_line(given))


class _Parsing:
    """One parsing that counts."""

    def __init__(
        self,
        parser: argparse.ArgumentParser,
        connected: "list[_Connection]",
        stored: "dict[str, Parameter]",
        is_own: bool = False,
    ) -> None:
        self._parser = parser
        self._connected = connected
        self._stored = stored
        self._is_own = is_own

    def end(self, namespace: Any) -> None:
        """It has parsed: put stored values in place of what was parsed, and record it."""
        from eventlog.sdk.parser_arguments import overwrite, parsed_values, to_values

        if self._connected:
            for connection in self._connected:
                connection.overwrite(namespace)
                connection.record(to_values(self._parser, parsed_values(self._parser, namespace)))
            return
        if self._stored:
            overwrite(self._parser, namespace, self._stored)
        values = to_values(self._parser, parsed_values(self._parser, namespace))
        note(values, is_own=self._is_own)
        try:
            _last_parsed[self._parser] = values
        except TypeError:
            # It cannot be a key, or not weakly: `Task.connect` parses again then.
            return


_last_parsed: weakref.WeakKeyDictionary[argparse.ArgumentParser, Values] = weakref.WeakKeyDictionary()
