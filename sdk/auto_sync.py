"""Has what a task records pushed to the remote while it runs, by a process beside the script's.

`Task.init` starts a watcher (`watcher.py`) where there is none, at no cost that a script would feel: it is
spawned by a thread, without the modules that spawning by the standard library would import
(`repository.py`), and is nobody's child, so that a script that waits for its children does not wait for it.
At the end of the process the last push is waited for, so long and no longer; it goes on by itself then.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

import eventlog
from eventlog.errors import EventlogError
from eventlog.hosts import shared_remote
from eventlog.sdk.telling import tell
from eventlog.sdk.watcher_folder import WatcherFolder
from eventlog.store import Store, at_last

__all__ = ["ask", "note", "push_soon", "watch_over"]

log = logging.getLogger("eventlog")

# Where hosts that share a home meet.
_SHARED_SECONDS = 5.0
_OFF = ("", "off")
_SPAWN_SECONDS = 0.02
_POLL_SECONDS = 0.02
_TELL_SECONDS = 2.0
_LOOK_SECONDS = 1.0
# The child of this process ends at once; what it has begun goes on.
_PROGRAM = """\
import os, sys
if os.fork():
    os._exit(0)
sys.path.append(sys.argv.pop(1))
from eventlog.sdk.watcher import main
main()
"""
_SPAWN_SIGNALS = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGXFSZ", "SIGCHLD")


class Target(msgspec.Struct, frozen=True):
    """A remote that a store is to be pushed to by itself.

    Attributes:
        url: of the remote.
        every: how many seconds are between two pushes; "close" for one when a process ends.
    """

    url: str
    every: float | str


def targets_of(store: Store) -> list[Target]:
    """The remotes that a store is to be pushed to by itself, by its settings."""
    every = store.configuration.auto_sync
    remote = store.configuration.remote
    shared = shared_remote(store.home)
    found = []
    if shared is not None and every != "off":
        found.append(Target(str(shared), every or _SHARED_SECONDS))
    if remote and every not in _OFF:
        # As `eventlog sync` takes it; the watcher is in another folder.
        url = remote if "://" in remote else str(Path(remote).expanduser().absolute())
        found.append(Target(url, every))
    return found


def note(store: Store) -> None:
    """Have what this process will append to a store pushed by its end at the latest."""
    if store.read_only or (store.home in _noted and _noted[store.home].store is store):
        return
    targets = targets_of(store)
    if not targets:
        if store.configuration.auto_sync not in _OFF:
            log.warning(
                "eventlog: auto_sync is set, but there is no remote: set EVENTLOG_REMOTE, or remote in"
                " config.toml"
            )
        return
    global _finishes
    if not _finishes:
        _finishes = True
        at_last(_finish)
    _noted[store.home] = _Noted(store, targets)


def watch_over(store: Store) -> None:
    """Have what this process appends to a store pushed from now on; returns at once."""
    noted = _noted.get(store.home)
    if noted is None:
        return
    try:
        threading.Thread(target=noted.start_soon, name="eventlog-auto-sync", daemon=True).start()
    except RuntimeError:
        # The interpreter is ending, and `_finish` will see to it.
        pass


def push_soon(store: Store) -> None:
    """Have what was let into a store pushed, though this process may append nothing."""
    note(store)
    if store.home in _noted:
        _noted[store.home].start()
        ask(store)


def ask(store: Store) -> None:
    """Have what is committed to a store pushed now, as a task has ended; returns at once."""
    noted = _noted.get(store.home)
    if noted is not None:
        for folder in noted.folders:
            folder.ask()


class _Noted:
    """A store whose log is to be pushed, in the process that noted it."""

    def __init__(self, store: Store, targets: list[Target]) -> None:
        self.store = store
        self.targets = targets
        self.folders = [WatcherFolder(store.home, target.url) for target in targets]
        self.before = self.head()

    def __repr__(self) -> str:
        return f"<{self.store!r}, to be pushed to {len(self.targets)} remotes>"

    def head(self) -> int:
        """The number of the last batch of the store's own."""
        head = self.store.heads().get(self.store.id)
        return -1 if head is None else head.number

    def start_soon(self) -> None:
        """Start them once `Task.init` has returned: spawning holds up the interpreter for milliseconds."""
        time.sleep(_SPAWN_SECONDS)
        self.start()

    def start(self) -> None:
        """Start the watchers that are not there."""
        for target, folder in zip(self.targets, self.folders, strict=True):
            self.start_one(target, folder)

    def start_one(self, target: Target, folder: WatcherFolder) -> None:
        try:
            folder.make()
            if not folder.is_taken():
                _spawn(self.store.home, target)
        except (OSError, ValueError, NotImplementedError) as error:
            _warn_once(f"what is recorded is not pushed by itself: no process can be started ({error})")


def _spawn(home: Path, target: Target) -> None:
    """Begin a watcher, which is no child of this process."""
    name = Path(sys.executable or "").name.lower()
    if getattr(sys, "frozen", False) or not name.startswith(("python", "pypy")):
        raise ValueError("this program is no Python interpreter")
    seconds = "inf" if target.every == "close" else str(target.every)
    arguments = [
        # Nothing in the script's folder stands in for a module.
        *(sys.executable, "-P", "-c", _PROGRAM),
        str(Path(eventlog.__file__).parent.parent),
        *(str(home), seconds),
    ]
    settings: dict[str, Any] = {
        "setsigdef": [getattr(signal, one) for one in _SPAWN_SIGNALS],
        "setsigmask": [],
        # The script's terminal is not the watcher's.
        "file_actions": [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        ],
    }
    # Not among the arguments, which everybody on the machine can read.
    environment = {**os.environ, "EVENTLOG_REMOTE": target.url}
    try:
        child = os.posix_spawn(sys.executable, arguments, environment, setsid=True, **settings)
    except NotImplementedError:
        child = os.posix_spawn(sys.executable, arguments, environment, **settings)
    with contextlib.suppress(ChildProcessError):
        # The script may have reaped it.
        os.waitpid(child, 0)


def _finish() -> None:
    """Wait for the last push, as the process ends."""
    try:
        for noted in list(_noted.values()):
            head = noted.head()
            seconds = noted.store.configuration.auto_sync_wait_seconds
            deadline = time.monotonic() + seconds
            for target, folder in zip(noted.targets, noted.folders, strict=True):
                if head > max(noted.before, folder.last().pushed):
                    _await_push(noted, target, folder, head, deadline)
    except (EventlogError, KeyboardInterrupt):
        # Whoever is in a hurry is not told more, and a store that is gone has nothing to be pushed.
        pass


def _await_push(noted: _Noted, target: Target, folder: WatcherFolder, head: int, deadline: float) -> None:
    began, asked = time.monotonic(), time.time_ns()
    looked = -_LOOK_SECONDS
    folder.ask()
    told = False
    while True:
        now = time.monotonic()
        if now - looked >= _LOOK_SECONDS:
            # It may have ended, or been killed.
            noted.start_one(target, folder)
            looked = now
        last = folder.last()
        if last.pushed >= head:
            return
        if last.problem and last.began >= asked:
            tell(f"not all that was recorded is on {last.remote} yet: {last.problem}; see {folder.log}")
            return
        if now >= deadline:
            if deadline > began:
                tell(f"the push to {last.remote or 'the remote'} goes on by itself; see {folder.log}")
            return
        if now - began >= _TELL_SECONDS and not told:
            told = True
            tell("waiting for the last push; Ctrl-C stops waiting, and it goes on by itself")
        time.sleep(_POLL_SECONDS)


def _warn_once(what: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        log.warning("eventlog: %s", what)


_finishes = False
_warned = False
_noted: dict[Path, _Noted] = {}


def _after_fork() -> None:
    # The parent waits for the push of what its children append, or its watcher sees to it.
    _noted.clear()


os.register_at_fork(after_in_child=_after_fork)
