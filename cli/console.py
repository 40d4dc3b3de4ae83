"""`eventlog console`: what a task printed, logged and reported as text."""

import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eventlog.cli.following import Following
from eventlog.cli.log import until_the_end
from eventlog.cli.moments import iso, local
from eventlog.cli.naming import resolve
from eventlog.cli.opening import (
    as_json,
    catch_up,
    examples,
    opened_store,
    task_argument,
    time_option,
    views_of,
)
from eventlog.cli.printing import clean, document, line, nothing
from eventlog.events import TextReported

if TYPE_CHECKING:
    from eventlog.projections import TextLine
    from eventlog.store import Store

__all__ = ["command"]

# Milliseconds.
RECENT = 600_000
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
# Colours and movements of the cursor, which programs write for terminals.
_movements = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


@click.command(
    "console",
    short_help="Show what a task printed and logged.",
    epilog=examples(
        "eventlog console digits/baseline",
        "eventlog console 3fa9 --follow",
        "eventlog console 3fa9 --level warning --times",
    ),
)
@task_argument()
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until the task ends.")
@click.option("--limit", "-n", type=click.IntRange(1), help="Only the last so many lines.")
@click.option("--level", type=click.Choice(tuple(LEVELS)), help="Only this level and above.")
@click.option("--times", "-t", is_flag=True, help="With the time of each line.")
@time_option("--since", help="Only from this moment on.")
@as_json
@click.pass_obj
def command(
    home: Path | None,
    task: str,
    follow: bool,
    limit: int | None,
    level: str | None,
    times: bool,
    since: int | None,
    as_json: bool,
) -> None:
    """Show what a task wrote to its console: stdout, stderr, the logging module, and texts that it reported.

    What was written to stderr has the level "error", what was logged the level that it was logged with, and
    everything else "info".

    With --json: a list (with --follow a document a line), each with time, level (a number of the logging
    module) and text.
    """
    least = LEVELS[level] if level else 0
    with opened_store(home) as store:
        views = views_of(store)
        found = resolve(views, task)
        following = Following(store, found, reports=True)
        catch_up(views, reports=True)
        printer = _Printer(store, times=times, as_json=as_json, one_a_line=follow)
        state = views.task(found)
        if follow:
            # What came between the two looks is in both; older events are in the first alone.
            since_then = int(time.time() * 1000) - RECENT
            deque(following.passing(views.events(found, first_time=since_then)), 0)
        lines = [one for one in views.text(found) if one.level >= least and one.time >= (since or 0)]
        printer.show_all(lines, limit)
        if not follow:
            return
        for numbered in until_the_end(following, ended=state.ended is not None):
            event = numbered.event
            if isinstance(event, TextReported) and event.level >= least:
                printer.show(event)


class _Printer:
    """Prints texts, line by line, or as JSON."""

    def __init__(self, store: "Store", *, times: bool, as_json: bool, one_a_line: bool) -> None:
        self.store = store
        self.times = times
        self.as_json = as_json
        self.one_a_line = one_a_line

    def show_all(self, reported: "list[TextLine]", limit: int | None) -> None:
        """Those that there are, the last `limit` lines of them."""
        if self.as_json and self.one_a_line:
            for one in reported[-limit:] if limit else reported:
                self.show(one)
            return
        if self.as_json:
            document([self._document(one) for one in (reported[-limit:] if limit else reported)])
            return
        if not reported and not self.one_a_line:
            nothing("no lines")
        lines = ((one, text) for one in reported for text in self._lines(one))
        for one, text in deque(lines, limit) if limit else lines:
            self._print(one, text)

    def show(self, one: "TextLine | TextReported") -> None:
        """One text."""
        if self.as_json:
            document(self._document(one), one_line=True)
        else:
            for text in self._lines(one):
                self._print(one, text)
        sys.stdout.flush()

    def _print(self, one: "TextLine | TextReported", text: str) -> None:
        style = "red" if one.level >= LEVELS["error"] else "yellow" if one.level >= LEVELS["warning"] else ""
        stamp = f"{local(one.time, precise=True)}  " if self.times else ""
        line((stamp, "dim"), (text, style))

    def _lines(self, one: "TextLine | TextReported") -> Iterator[str]:
        """The lines of a text, as a terminal shows them."""
        for text in self._text(one).removesuffix("\n").split("\n"):
            yield clean(_movements.sub("", text.rstrip("\r").rpartition("\r")[2]).expandtabs())

    def _document(self, one: "TextLine | TextReported") -> dict[str, object]:
        return {"time": iso(one.time), "level": one.level, "text": self._text(one)}

    def _text(self, one: "TextLine | TextReported") -> str:
        from eventlog.sdk.reported import whole_text

        return whole_text(self.store, one)
