"""`eventlog sync --watch`: a sync again and again, told in one line for each that did something."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from eventlog.cli.moments import iso, local
from eventlog.cli.printing import document, line
from eventlog.clock import wall_clock

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["Told", "watch_sync"]


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

    watching = Watching(store, transfer, seconds, pulls=pulls)
    was_failing = False
    while True:
        done = watching.round()
        problems = watching.news()
        is_back = was_failing and not watching.is_failing
        was_failing = watching.is_failing
        if as_json:
            if problems or (done is not None and done.words) or is_back:
                told = {} if done is None else done.document
                document({"time": iso(wall_clock()), **told, "problems": problems}, one_line=True)
        else:
            at = (f"{local(wall_clock())}  ", "dim")
            for problem in problems:
                line(at, (f"{problem}; it is tried again", "red"))
            if done is not None and done.words:
                line(at, done.words)
            elif is_back:
                line(at, "all is well again")
        # Whoever reads a pipe wants each line as it comes.
        sys.stdout.flush()
        time.sleep(watching.wait)
