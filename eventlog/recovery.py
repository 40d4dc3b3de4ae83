"""Recovery: whoever opens a store commits what dead sessions left in their journals.

A session's journal is dead when the lock on it can be taken. What its frames hold beyond the session's
committed number is committed in the session's own name; tasks that it had started and not ended have
failed, at the time of its last event; then the journal goes. Two processes that recover at once do no
harm: one gets the lock.
"""

import logging
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from eventlog import events
from eventlog.errors import DataCorrupt, EventlogError
from eventlog.journal import JournalLock, read_chunk
from eventlog.owner import describe_death
from eventlog.session import pack_run
from eventlog.session_record import SessionRecord

if TYPE_CHECKING:
    from eventlog.store import Store

__all__ = ["live_sessions", "recover"]

log = logging.getLogger("eventlog")

# Two threads of one process both get a POSIX lock.
_recovering = threading.Lock()


def live_sessions(home: Path, own: bytes | None = None) -> set[bytes]:
    """The sessions whose journals are held by living processes.

    Args:
        home: the store's folder.
        own: this process's session, whose lock must not be touched.
    """
    alive = set()
    for folder in _journals(home):
        session = bytes.fromhex(folder.name)
        lock = None if session == own else JournalLock.take(folder)
        if lock is not None:
            lock.release(remove=False)
        elif folder.exists():
            alive.add(session)
    return alive


def recover(store: "Store") -> int:
    """Commit what dead sessions of a store left behind.

    Returns:
        How many sessions were recovered. A journal that cannot be read, or not be committed now, stays
        where it is, and a warning says so.
    """
    recovered = 0
    with _recovering:
        for folder in _journals(store.home):
            if bytes.fromhex(folder.name) == store.session.id:
                continue
            lock = JournalLock.take(folder)
            if lock is None:
                continue
            done = False
            try:
                done = _recover_session(store, folder, lock.owner())
                recovered += done
            except (EventlogError, OSError) as error:
                log.warning("eventlog: the journal of a dead session waits at %s: %s", folder, error)
            finally:
                lock.release(remove=done)
    return recovered


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
    first = record.next
    payloads, damage = _read_journal(store, folder, session, first)
    if damage:
        aside = store.home / "damaged" / folder.name
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copytree(folder, aside, dirs_exist_ok=True)
        log.warning("eventlog: %s; a copy of the journal is kept at %s", damage, aside)
    decoded = [events.decode_event(payload) for payload in payloads]
    last_time = max([record.last_time, *(event.time for event in decoded)])
    record.advance(first + len(decoded), last_time, decoded)
    if record.next and not record.ended:
        reason = describe_death(owner)
        time = last_time + 1
        endings: list[events.Event] = [events.TaskFailed(time, task, reason) for task in record.open_tasks]
        endings.append(events.SessionEnded(time, "", reason))
        decoded += endings
        payloads += [events.encode_event(event) for event in endings]
    if payloads:
        places = [place for place, event in enumerate(decoded) if not event.is_report]
        store.commit(session, [pack_run(first, payloads, places)])
    return True


def _read_journal(store: "Store", folder: Path, session: bytes, first: int) -> tuple[list[bytes], str]:
    """The events from number `first` on, and what is wrong with the journal, in words, or ""."""
    payloads: list[bytes] = []
    for path in sorted(path for path in folder.iterdir() if path.name.isdigit()):
        try:
            chunk = read_chunk(path)
        except DataCorrupt as error:
            return payloads, str(error)
        if chunk is None:
            continue
        if chunk.session != session or chunk.store != store.id:
            return payloads, f"{path} belongs to another session or store"
        expected = first + len(payloads)
        if chunk.first > expected:
            return payloads, f"{path} goes on at event {chunk.first}, but {expected} is the next"
        payloads += chunk.payloads[expected - chunk.first :]
        if chunk.damage:
            return payloads, f"{path}: {chunk.damage}"
    return payloads, ""
