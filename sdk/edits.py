"""Words of edits: which stores hold events about a task that another host runs, such as that it is to stop.

Hosts that share a home each have a store, and a host that trains has no use for all that the others recorded.
So whoever pushes an event about a task that it does not run itself leaves an empty file,
``edits/<task>/<store>`` in the home, and the host that runs the task pulls that store alone. All of it may
be deleted: what is lost is that a running task hears of an edit.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from eventlog.hosts import home_around
from eventlog.store import Store

__all__ = ["leave_words", "sweep_words", "words_about"]

_DIGITS = frozenset("0123456789abcdef")
_LONGEST_SECONDS = 7 * 86_400.0


def leave_words(store: Store, tasks: Iterable[str]) -> None:
    """Let the hosts that run tasks know that a store has events about them, which were pushed."""
    folder = home_around(store.home) / "edits"
    for task in tasks:
        if not _is_id(task):
            continue
        with suppress(OSError):
            for place in (folder, folder / task):
                place.mkdir(mode=0o700, exist_ok=True)
            word = folder / task / store.id.hex()
            word.touch(mode=0o600)
            os.utime(word)


def words_about(store: Store, task: str) -> dict[bytes, int]:
    """The other stores with events about a task, each with a number that changes when it has new ones."""
    found = {}
    with suppress(OSError):
        for entry in os.scandir(home_around(store.home) / "edits" / task):
            if _is_id(entry.name) and entry.name != store.id.hex():
                found[bytes.fromhex(entry.name)] = entry.stat().st_mtime_ns
    return found


def sweep_words(home: Path) -> None:
    """Remove the words of long ago."""
    oldest = time.time() - _LONGEST_SECONDS
    with suppress(OSError):
        for folder in (home_around(home) / "edits").iterdir():
            with suppress(OSError):
                for word in folder.iterdir():
                    if word.stat().st_mtime < oldest:
                        word.unlink()
                folder.rmdir()


def _is_id(name: str) -> bool:
    return len(name) == 32 and _DIGITS.issuperset(name)
