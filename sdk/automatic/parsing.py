"""What the script's argparse parsers parse is recorded, and given by what is stored.

Parsers serve libraries and tools as well; `callers.py` says which parsing is the script's own.
"""

import argparse
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

__all__ = ["connections", "last_parsed", "parse"]

_CONNECTIONS = "_eventlog_connections"


def parse(
    method: Callable[..., Any],
    parser: argparse.ArgumentParser,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    frame: "FrameType",
) -> Any:
    """Call a method of a parser that parses, and record what it returns, where that is the script's.

    Args:
        frame: what calls it.
    """
    if is_inside():
        return method(parser, *args, **kwargs)
    given = args[0] if args else kwargs.get("args")
    parsing = safely("the command line", _begin, parser, given, frame)
    with inside():
        result = method(parser, *args, **kwargs)
    if parsing is not None:
        safely("the command line", parsing.end, result[0])
    return result


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
