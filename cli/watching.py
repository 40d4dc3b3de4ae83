"""`eventlog sync --watch`: a sync again and again, told in one line for each that did something."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from eventlog.cli.moments import iso, local
from eventlog.cli.printing import document, first_problems, line
from eventlog.clock import wall_clock
from eventlog.errors import RemoteUnreachable

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["Told", "await_remote", "watch_sync"]

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


def await_remote(url: str, seconds: float, *, as_json: bool) -> None:
    """Return once there is a remote to pull from; until then it is looked for ever less often, and told once.

    Raises:
        RemoteInvalid, StoreNewer: what is there is none that can be used.
    """
    from eventlog.sync import Remote
    from eventlog.sync.watching import LONGEST_WAIT_SECONDS

    told = False
    wait = seconds
    while True:
        try:
            with Remote(url) as remote:
                state = remote.state()
                problem = f"there is nothing to pull on {remote.url} yet"
        except RemoteUnreachable as error:
            state, problem = "missing", str(error)
        if state == "ready":
            return
        if not told:
            if as_json:
                document({"time": iso(wall_clock()), "remote": url, "problems": [problem]}, one_line=True)
            else:
                line((f"{local(wall_clock())}  ", "dim"), (f"{problem}; it is waited for", "red"))
            sys.stdout.flush()
            told = True
        time.sleep(wait)
        wait = min(2 * wait, max(seconds, LONGEST_WAIT_SECONDS))


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
            for problem in first_problems(news):
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
