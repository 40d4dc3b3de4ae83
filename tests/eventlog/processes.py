"""Real processes for the tests of the write path: starting and ending them, and reading what they left."""

import hashlib
import itertools
import os
import random
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from eventlog.batch import NumberedEvent
from eventlog.events import Event
from eventlog.store import Head, Store

__all__ = [
    "DEADLINE_SECONDS",
    "KILLS",
    "TASK",
    "Acknowledged",
    "chain_of",
    "events_of",
    "fingerprint",
    "instants",
    "read_store",
    "run",
    "start",
    "wait_until",
]

DEADLINE_SECONDS = 60
TASK = "0123456789abcdef" * 2
UNSAFE = "import eventlog.committer; eventlog.committer.maps_safely = lambda folder: False\n"
REPOSITORY = Path(__file__).parents[2]
# How many processes each test of killing kills.
KILLS = int(os.environ.get("EVENTLOG_TEST_KILLS", "12"))


class Acknowledged:
    """Numbers that a process wrote down, each after the call that it names had returned.

    They go to a file by `os.write`, so that they outlive the process as the events have to.
    """

    NUMBER = struct.Struct("<q")

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def add(self, number: int) -> None:
        os.write(self._file, self.NUMBER.pack(number))

    def numbers(self) -> list[int]:
        data = self.path.read_bytes()
        return [number for (number,) in self.NUMBER.iter_unpack(data[: len(data) // 8 * 8])]


def start(
    program: str, *arguments: object, written: bool = False, **options: Any
) -> "subprocess.Popen[bytes]":
    """Start a process that runs a program; every warning in it is an error.

    Args:
        written: its chunks are written by calls, as on a file system that is not known to be safe to map.
    """
    options["env"] = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
        **options.get("env", {}),
    }
    text = (UNSAFE if written else "") + textwrap.dedent(program)
    return subprocess.Popen([sys.executable, "-W", "error", "-c", text, *map(str, arguments)], **options)


def run(program: str, *arguments: object, status: int = 0, **options: Any) -> str:
    """Run a program to its end, which must be this exit status; returns what it printed."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start(program, *arguments, **pipes, **options) as process:
        try:
            output, errors = process.communicate(timeout=DEADLINE_SECONDS)
        except BaseException:
            process.kill()
            raise
    text = output.decode()
    assert process.returncode == status, f"exit status {process.returncode}:\n{text}{errors.decode()}"
    return text


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Look again and again until a condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen: {what or condition}"
        time.sleep(0.002)


def instants(seed: object, longest: float, count: int = KILLS) -> Iterator[tuple[int, float]]:
    """Numbered random instants, in seconds, the same ones every time; more of them early than late."""
    chance = random.Random(repr(seed))
    return ((number, longest * chance.random() ** 2) for number in range(count))


def read_store(home: Path) -> list[NumberedEvent]:
    """Open a store, recovering what dead sessions left, and read what it committed itself."""
    with Store.open(home) as store:
        return chain_of(store)


def chain_of(store: Store) -> list[NumberedEvent]:
    """What a store committed itself, in that order, every link and number of it checked."""
    while True:
        told = _told(store)
        batches = list(store.batches(store.id))
        # It may have committed more meanwhile.
        if _told(store) == told:
            break
    head, records = told
    found: list[NumberedEvent] = []
    sessions: dict[bytes, int] = {}
    times: dict[bytes, int] = {}
    previous, count = bytes(32), 0
    for batch in batches:
        assert (batch.store, batch.number, batch.previous) == (store.id, count, previous)
        previous, count = batch.hash, count + 1
        events = batch.events()
        assert [event.number for event in events] == list(range(batch.first, batch.end))
        assert batch.first == sessions.get(batch.session, 0)
        sessions[batch.session] = batch.end
        assert batch.first_time == events[0].event.time
        assert batch.last_time == events[-1].event.time
        all_times = [times.get(batch.session, 0), *(event.event.time for event in events)]
        assert all(a <= b for a, b in itertools.pairwise(all_times))
        times[batch.session] = all_times[-1]
        found += events
    assert head == ((count - 1, previous) if count else None)
    assert records == sessions
    return found


def _told(store: Store) -> tuple[Head | None, dict[bytes, int]]:
    """What a store says of itself: its last batch, and how far each of its sessions has got."""
    own = {record.session: record.next for record in store.sessions() if record.store == store.id}
    return store.heads().get(store.id), own


def events_of(events: list[NumberedEvent], *kinds: type[Event]) -> list[Any]:
    """The events of these kinds, in order."""
    return [one.event for one in events if isinstance(one.event, kinds)]


def fingerprint(folder: Path, *, times: bool = False) -> dict[str, tuple[object, ...]]:
    """Everything that lies in a folder: names, modes, and the SHA-256 of each file's bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (
            status.st_mode,
            digest,
            status.st_mtime_ns if times else 0,
        )
    return found
