"""`eventlog sync --watch`: a sync again and again, told in one line for each that did something."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from eventlog.cli.moments import iso, local
from eventlog.cli.printing import document, line
from eventlog.clock import wall_clock
from eventlog.errors import RemoteUnreachable

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["Told", "watch_sync"]

INTERRUPTED = 130


class Told(NamedTuple):
    """What a round did.

    Attributes:
        words: in one line; "" where it did nothing.
        document: for ``--json``.
        problems: what did not go through, one line each.
    """

    words: str
    document: dict[str, Any]
    problems: Sequence[str]


def watch_sync(
    store: "Store", transfer: Callable[[], Told], seconds: float, *, pulls: bool, as_json: bool
) -> NoReturn:
    """Sync every so many seconds, until Ctrl-C.

    Raises:
        EventlogError: the first round cannot work, and not for want of a network.
    """
    from eventlog.sync.watching import Watching

    watching = Watching(store, transfer, seconds)
    is_first, was_failing = True, False
    while True:
        done = watching.round(even_if_current=pulls)
        if is_first and watching.error is not None and not isinstance(watching.error, RemoteUnreachable):
            raise watching.error
        news = watching.news()
        is_back = was_failing and not watching.problems
        is_first, was_failing = False, bool(watching.problems)
        did = done is not None and done.words != ""
        if as_json:
            if did or news or is_back:
                told = {} if done is None else done.document
                document({"time": iso(wall_clock()), **told, "problems": news}, one_line=True)
        else:
            at = (f"{local(wall_clock())}  ", "dim")
            for problem in news:
                line(at, (f"{problem}; it is tried again", "red"))
            if done is not None and did:
                line(at, done.words)
            elif is_back:
                line(at, "all is well again")
        # Whoever reads a pipe wants each line as it comes.
        sys.stdout.flush()
        try:
            time.sleep(watching.wait)
        except KeyboardInterrupt:
            # Between two rounds nothing is left half done.
            click.get_current_context().exit(INTERRUPTED)
