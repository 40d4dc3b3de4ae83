"""The process that pushes a store to a remote while others append to it, and for as long as that takes.

It is a process and no thread of the script's: it costs that no turn of the interpreter's lock and no import,
forks of the script are none of its own, and it is still there when the script has been killed: it commits
what is left in the journal, and pushes the script's last words. It ends when no process appends to the store
any more and all is pushed; where that cannot be done, after a while, and the next to append starts another.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog.errors import EventlogError, NotFound
from eventlog.home import is_there
from eventlog.hosts import shared_remote
from eventlog.sdk.edits import leave_words, sweep_words, words_about
from eventlog.sdk.watcher_folder import Attempt, WatcherFolder

if TYPE_CHECKING:
    from eventlog.store import Store
    from eventlog.sync import PushResult

__all__ = ["AT_CLOSE", "Watcher", "main"]

# In place of a number of seconds: push when a process ends, or asks for it.
AT_CLOSE = float("inf")

_NICENESS = 10
_LONGEST_LOG = 256 << 10
_LOCK_SECONDS = 0.5
_TICK_SECONDS = 0.1
# How often it is looked which processes live.
_LIVE_SECONDS = 1.0
# When a process has begun: its parameters, its commit and its packages come within the first seconds.
_FIRST_SECONDS = 1.0
_RETRY_SECONDS = 5.0
# How long it goes on trying once no process appends any more.
_PATIENCE_SECONDS = 900.0


def main() -> None:
    """Be the watcher that the command line tells: home, seconds or "inf".

    The remote's URL, which may have a password in it, is in ``EVENTLOG_REMOTE``.
    """
    home, seconds = Path(sys.argv[1]), float(sys.argv[2])
    url = os.environ["EVENTLOG_REMOTE"]
    folder = WatcherFolder(home, url)
    _leave_the_script(folder)
    # Before anything is imported: of several that are started at once, one stays.
    if not folder.take(_LOCK_SECONDS):
        return
    from eventlog.store import Store

    try:
        with Store.open(home, create=False) as store:
            Watcher(store, url, folder, seconds).run()
    except Exception as error:
        # Whoever waits for it is told, and does not wait longer.
        folder.note(Attempt("the remote", folder.last().pushed, time.time_ns(), str(error)))
        if not isinstance(error, EventlogError):
            raise
        _say(str(error))


class Watcher:
    """Pushes a store whenever that is due.

    Args:
        folder: where it meets those whose log it pushes; it holds the lock there.
        seconds: between two pushes, or `AT_CLOSE`.
    """

    def __init__(self, store: "Store", url: str, folder: WatcherFolder, seconds: float) -> None:
        from eventlog.sync import Remote, push
        from eventlog.sync.watching import Watching

        self._store = store
        self._folder = folder
        self._seconds = seconds
        self._shown = Remote(url).url
        self._watching: Watching[PushResult] = Watching(store, lambda: push(store, url), _RETRY_SECONDS)
        self._live: set[bytes] = set()
        # What was asked for before, and not tried.
        asked, last = folder.asked(), folder.last()
        self._asked = asked if last.began >= asked else 0
        self._pushed = last.pushed
        self._edits = _Edits(store, last.pushed) if url == str(shared_remote(store.home)) else None
        self._ended = False
        self._interval = seconds
        self._looked = -float("inf")
        self._alone_since = time.monotonic()
        self._tried = self._alone_since if seconds == AT_CLOSE else -float("inf")

    def __repr__(self) -> str:
        return f"<Watcher of {self._store!r} for {self._shown}>"

    def run(self) -> None:
        """Push until no process appends to the store any more and all is pushed."""
        _say(f"pushing {self._store.home} to {self._shown}")
        while True:
            self._look()
            if self._is_due():
                self._round()
            if self._is_over() and self._leave():
                return
            time.sleep(_TICK_SECONDS)

    def _look(self) -> None:
        """See which processes append to the store, now and then; commit what dead ones left."""
        from eventlog.recovery import recover

        now = time.monotonic()
        if now - self._looked < _LIVE_SECONDS and not self._is_asked:
            return
        self._looked = now
        if not is_there(self._store.home):
            raise NotFound(f"the store at {self._store.home} is gone")
        recover(self._store)
        live = self._store.live_sessions()
        self._ended |= bool(self._live - live)
        if live - self._live and self._seconds != AT_CLOSE:
            self._interval = min(self._seconds, _FIRST_SECONDS)
        if live:
            self._alone_since = now
        self._live = live
        if self._edits is not None:
            self._edits.hear(live)

    @property
    def _is_asked(self) -> bool:
        return self._folder.asked() != self._asked

    def _is_due(self) -> bool:
        if self._is_asked or self._ended:
            return True
        since = time.monotonic() - self._tried
        if self._watching.problems:
            return since >= self._watching.wait
        return (since >= self._interval or not self._live) and not self._watching.is_current

    def _round(self) -> None:
        self._asked, self._ended = self._folder.asked(), False
        began = time.time_ns()
        done = self._watching.round(even_if_current=False)
        self._tried = time.monotonic()
        self._interval = min(self._seconds, self._interval * 2)
        for line in self._watching.news():
            _say(line)
        head = (self._watching.heads or {}).get(self._store.id)
        if head is not None:
            self._pushed = head.number
        problem = self._watching.problems[0] if self._watching.problems else ""
        if self._edits is not None and not problem:
            self._edits.tell(self._pushed)
        self._folder.note(Attempt(self._shown, self._pushed, began, problem))
        if done is not None and done.batches:
            _say(f"pushed {done.batches} batches")

    def _is_over(self) -> bool:
        if self._live or self._is_asked:
            return False
        alone = time.monotonic() - self._alone_since
        if self._watching.problems:
            return alone >= _PATIENCE_SECONDS
        return alone >= _LIVE_SECONDS and self._watching.is_current

    def _leave(self) -> bool:
        """Let go of the lock; False where a process has begun to append that saw it held."""
        self._folder.release()
        # Whoever begins has a journal before it looks whether there is a watcher.
        if not self._store.live_sessions() and not self._is_asked:
            return True
        return not self._folder.take(_LOCK_SECONDS)


class _Edits:
    """What hosts that share the home tell each other of tasks that one edits and another runs."""

    def __init__(self, store: "Store", told: int) -> None:
        self._store = store
        self._told = told
        self._heard: dict[tuple[str, bytes], int] = {}
        # Tasks and the sessions that run them.
        self._run = {(record.session, task) for record in store.sessions() for task in record.open_tasks}
        sweep_words(store.home)

    def tell(self, pushed: int) -> None:
        """Leave word of what was pushed up to a batch about tasks that its session does not run."""
        from eventlog.events import TaskStarted

        about = set()
        for batch in self._store.batches(self._store.id, self._told + 1, pushed):
            found = [numbered.event for numbered in batch.state_events()] if batch.states else []
            self._run |= {(batch.session, event.task) for event in found if isinstance(event, TaskStarted)}
            about |= {
                event.task for event in found if event.task and (batch.session, event.task) not in self._run
            }
        self._told = pushed
        leave_words(self._store, sorted(about))

    def hear(self, live: set[bytes]) -> None:
        """Pull the stores that have something new about tasks that run here."""
        from eventlog.sync.sharing import freshen_stores

        records = [self._store.record_of(session) for session in live]
        stores = set()
        for task in {task for record in records if record is not None for task in record.open_tasks}:
            for store, when in words_about(self._store, task).items():
                if self._heard.get((task, store)) != when:
                    self._heard[task, store] = when
                    stores.add(store)
        if stores:
            freshen_stores(self._store, stores)


def _leave_the_script(folder: WatcherFolder) -> None:
    """Keep nothing of the process that started this one, no terminal, pipe or folder; let others go first."""
    with suppress(OSError):
        os.setsid()
    with suppress(OSError):
        os.chdir("/")
    with suppress(OSError):
        os.nice(_NICENESS)
    with suppress(OSError):
        if folder.log.stat().st_size > _LONGEST_LOG:
            os.truncate(folder.log, 0)
    descriptor = os.open(os.devnull, os.O_RDWR)
    with suppress(OSError):
        descriptor = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    # What libraries of the script opened without keeping it from its children.
    with suppress(OSError):
        os.closerange(3, max(int(path.name) for path in Path("/dev/fd").iterdir()) + 1)


def _say(what: str) -> None:
    with suppress(OSError):
        if os.fstat(2).st_size > _LONGEST_LOG:
            os.ftruncate(2, 0)
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} [{os.getpid()}] {what}\n")
        sys.stderr.flush()
