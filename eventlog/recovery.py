"""Recovery: whoever opens a store commits what dead sessions left in their journals.

A session's journal is dead when the lock on it can be taken. What its frames hold beyond the session's
committed number is committed in the session's own name; tasks that it had started and not ended have
failed, at the time of its last event; then the journal goes. Two processes that recover at once take
turns, so that each of them finds the log complete when it is done.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog import events
from eventlog.chunk import read_chunk
from eventlog.clock import MAX_TIME
from eventlog.committer import pack_run
from eventlog.errors import DataCorrupt, EventlogError
from eventlog.group_sync import sync_folders
from eventlog.journal import JournalLock
from eventlog.owner import describe_death
from eventlog.session_record import SessionRecord

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["at_rest", "live_sessions", "recover", "turn"]

log = logging.getLogger("eventlog")

# Of one batch; the largest event fits.
PART_SIZE = 16 << 20
PART_EVENTS = 1 << 18


def live_sessions(home: Path, *, read_only: bool = False) -> set[bytes]:
    """The sessions whose journals are held by living processes, this one among them.

    Args:
        home: the store's folder.
        read_only: it cannot be written.
    """
    # To ask is to hold the lock for a moment, in which a recovery would take the session for a living one.
    if read_only:
        return _alive(home)
    with at_rest(home) as alive:
        return alive


@contextlib.contextmanager
def at_rest(home: Path) -> Iterator[set[bytes]]:
    """The sessions that living processes hold, while nobody recovers any other; a context manager.

    Args:
        home: the store's folder.
    """
    with turn(home):
        yield _alive(home)


def recover(store: "Store") -> int:
    """Commit what dead sessions of a store left behind.

    Returns:
        How many sessions were recovered. A journal that cannot be read, or not be committed now, stays
        where it is, and a warning says so.
    """
    if all(_is_own(store, folder) for folder in _journals(store.home)):
        return 0
    with turn(store.home):
        return sum(_recover_journal(store, folder) for folder in _journals(store.home))


def _recover_journal(store: "Store", folder: Path) -> bool:
    done = False
    lock = None
    try:
        lock = JournalLock.take(folder)
        if lock is not None:
            done = _recover_session(store, folder, lock.owner())
    except (EventlogError, OSError) as error:
        log.warning("eventlog: the journal of a dead session waits at %s: %s", folder, error)
    finally:
        if lock is not None:
            lock.release(remove=done)
    return done


def _alive(home: Path) -> set[bytes]:
    return {bytes.fromhex(folder.name) for folder in _journals(home) if _is_alive(folder)}


def _is_own(store: "Store", folder: Path) -> bool:
    return store.session.id is not None and folder.name == store.session.id.hex()


def _is_alive(folder: Path) -> bool:
    try:
        return JournalLock.is_taken(folder)
    except OSError:
        # Another user's: there is no telling, and nothing that could be recovered.
        return True


# Two threads of one process would both get a POSIX lock.
_recovering = threading.RLock()


@contextlib.contextmanager
def turn(home: Path) -> Iterator[None]:
    """Nobody else recovers this store, or makes its log, meanwhile; a context manager."""
    with _recovering:
        try:
            descriptor = os.open(home / "log" / "recovery.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            # No room for an empty file, or no right: two at the same time do no harm, they only miss
            # what the other one has not finished.
            yield
            return
        try:
            with contextlib.suppress(OSError):
                fcntl.lockf(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _after_fork() -> None:
    global _recovering
    _recovering = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def _journals(home: Path) -> list[Path]:
    try:
        folders = sorted((home / "journals").iterdir())
    except OSError:
        return []
    return [folder for folder in folders if len(folder.name) == 32 and _is_hex(folder.name)]


def _is_hex(name: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in name)


def _recover_session(store: "Store", folder: Path, owner: list[str]) -> bool:
    session = bytes.fromhex(folder.name)
    record = store.record_of(session) or SessionRecord(store.id, session=session)
    runs, damage = _read_journal(store, folder, session, record.next, record.last_time)
    if damage:
        aside = store.home / "damaged" / folder.name
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        import shutil  # costs milliseconds that almost no process needs

        shutil.copytree(folder, aside, dirs_exist_ok=True)
        _sync_all(aside)
        log.warning("eventlog: %s; a copy of the journal is kept at %s", damage, aside)
    packed = []

    def pack(payloads: list[bytes], decoded: list[events.Event]) -> None:
        # A chunk may hold what waited for a full disk: more than one batch is to have.
        for start, end in _parts(payloads):
            part = decoded[start:end]
            places = [place for place, event in enumerate(part) if not event.is_report]
            packed.append(pack_run(record.next, payloads[start:end], places))
            record.advance(record.next + len(part), part[-1].time, part)

    for payloads, decoded in runs:
        pack(payloads, decoded)
    if record.next and not record.ended:
        endings = _endings(record, describe_death(owner))
        pack([events.encode_event(event) for event in endings], endings)
    if packed:
        store.commit(session, packed)
    return True


def _sync_all(aside: Path) -> None:
    """Have a copy of a journal outlast a power cut: the journal goes once what could be read is committed."""
    for path in aside.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folders((aside, aside.parent, aside.parent.parent))


def _endings(record: SessionRecord, reason: str) -> list[events.Event]:
    """How a session ended that could not say so itself."""
    time = min(record.last_time + 1, MAX_TIME)
    failed: list[events.Event] = [events.TaskFailed(time, task, reason) for task in record.open_tasks]
    return [*failed, events.SessionEnded(time, "", reason)]


def _parts(payloads: list[bytes]) -> Iterator[tuple[int, int]]:
    """Where events are to be cut, so that each part is one that a batch can hold."""
    start = size = 0
    for place, payload in enumerate(payloads):
        if place > start and (size + len(payload) > PART_SIZE or place - start >= PART_EVENTS):
            yield start, place
            start, size = place, 0
        size += len(payload)
    if start < len(payloads):
        yield start, len(payloads)


def _read_journal(
    store: "Store", folder: Path, session: bytes, first: int, last_time: int
) -> tuple[list[tuple[list[bytes], list[events.Event]]], str]:
    """The events from number `first` on, by chunk, and what is wrong with the journal, in words, or ""."""
    runs = []
    damage = []
    # What is wrong with a chunk, unless the next one shows that nothing is missing.
    doubt = ""
    paths = [path for path in folder.iterdir() if path.name.isdecimal()]
    for path in sorted(paths, key=lambda path: int(path.name)):
        try:
            chunk = read_chunk(path)
        except DataCorrupt as error:
            # One that was being erased when its process died looks like this.
            doubt = str(error)
            continue
        if chunk is None:
            continue
        # A store that has got a new id since is held here under the old one.
        if chunk.session != session or (chunk.store != store.id and chunk.store not in store.heads()):
            damage.append(f"{path} belongs to another session or store")
            continue
        if chunk.first > first:
            doubt = f"{doubt or path}, and the next events are missing: {first} to {chunk.first - 1}"
            break
        payloads = chunk.payloads[first - chunk.first :]
        decoded, undecoded = _decode(payloads, last_time)
        if decoded:
            last_time = decoded[-1].time
            runs.append((payloads[: len(decoded)], decoded))
            first += len(decoded)
        doubt = f"{path}: {undecoded or chunk.damage}" if undecoded or chunk.damage else ""
    return runs, "; ".join([*damage, doubt] if doubt else damage)


def _decode(payloads: list[bytes], last_time: int) -> tuple[list[events.Event], str]:
    """The events up to the first that is none, and what is wrong with that one; times only grow."""
    decoded: list[events.Event] = []
    try:
        for payload in payloads:
            event = events.decode_event(payload)
            if not last_time <= event.time <= MAX_TIME:
                raise DataCorrupt(f"an event has the time {event.time}, behind one at {last_time}")
            last_time = event.time
            decoded.append(event)
    except DataCorrupt as error:
        return decoded, str(error)
    return decoded, ""
