"""argparse's parsers, connected to a task by `Task.connect`.

A connected parser records what it offers and what the command line gives, then and whenever it parses. Where
the task's stored values win, it gives those back, and asks for nothing that is stored. It parses as every
parser does here (`automatic/parsing.py`); being connected, it is not recorded by itself as well.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eventlog.events import Parameter
from eventlog.sdk.automatic import parsing
from eventlog.sdk.automatic.command_lines import ARGUMENTS, MASK, Values, inside, mask
from eventlog.sdk.parser_arguments import defaults, overwrite, prepare, to_values
from eventlog.sdk.watching import say_left_out

if TYPE_CHECKING:
    from eventlog.sdk.task_parameters import TaskParameters

__all__ = ["connect_parser"]


def connect_parser(
    task: "TaskParameters", parser: argparse.ArgumentParser, stored: Mapping[str, Parameter]
) -> argparse.ArgumentParser:
    """Record what a parser offers and what the command line gives it, now and whenever it parses.

    Args:
        stored: parameters that win over the command line and over defaults.
    """
    connection = _Connection(task, parser, stored)
    connection.prepare()
    connection.record(_parsed(parser, connection))
    parsing.connections(parser).append(connection)
    return parser


class _Connection:
    """What a parser's values are recorded to."""

    def __init__(
        self, task: "TaskParameters", parser: argparse.ArgumentParser, stored: Mapping[str, Parameter]
    ) -> None:
        self._task = task
        self._parser = parser
        prefix = f"{ARGUMENTS}/"
        self._stored = {
            name.removeprefix(prefix): one
            for name, one in stored.items()
            if name.startswith(prefix) and MASK not in one.value
        }
        self._seen: dict[str, Parameter] = {}

    def __repr__(self) -> str:
        return f"<Connection of a parser to {self._task!r}>"

    def __deepcopy__(self, memory: object) -> "_Connection":
        # A parser that is copied is connected as the one that it is a copy of.
        return self

    def prepare(self) -> None:
        """Let the parser ask for nothing that is stored."""
        prepare(self._parser, self._stored)

    def overwrite(self, namespace: Any) -> None:
        """Put stored values in place of those that were parsed."""
        overwrite(self._parser, namespace, self._stored)

    def record(self, values: Values) -> None:
        """Record what has changed of the values that were parsed; what is stored stays as it is."""
        mask(values.parameters)
        say_left_out(self._task.id, values.left_out)
        changed = {
            name: parameter
            for name, parameter in values.parameters.items()
            if name.partition("/")[2] not in self._stored and self._seen.get(name) != parameter
        }
        self._seen.update(changed)
        if changed:
            self._task._record(changed, only_changes=True)


def _parsed(parser: argparse.ArgumentParser, connection: _Connection) -> Values:
    """What the command line gives; the defaults alone where it gives nothing that can be parsed."""
    known = parsing.last_parsed(parser)
    if known is not None:
        return known
    values = to_values(parser, defaults(parser))
    if any(given in {"-h", "--help", "--version"} for given in sys.argv[1:]):
        return values
    silence = io.StringIO()
    with contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence), inside():
        try:
            found, _ = argparse.ArgumentParser.parse_known_args(parser)
        except (SystemExit, Exception):
            return values
    connection.overwrite(found)
    return to_values(parser, vars(found))
