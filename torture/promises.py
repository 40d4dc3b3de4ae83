"""Whether a store keeps what it promises, looked at from outside once a fault is over."""

import contextlib
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.processes import wait_until
from eventlog import events
from eventlog.batch import FIRST_PREVIOUS, NumberedEvent
from eventlog.errors import EventlogError, NotFound
from eventlog.projections import Views
from eventlog.recovery import at_rest
from eventlog.store import Store
from eventlog.verify import verify
from torture.fault import Outcome
from torture.workloads import Fact, artifact_bytes, fact_of

__all__ = [
    "check_ends",
    "check_facts",
    "check_living",
    "check_store",
    "check_undamaged",
    "check_verified",
    "check_views",
    "facts_in",
    "read_log",
]

LIVING_SECONDS = 120.0
# By sort of call and label of the writer.
Counts = Mapping[tuple[str, str], int]


def check_store(
    outcome: Outcome, home: Path, noted: Counts, *, tail: bool = True, earlier: Sequence[NumberedEvent] = ()
) -> list[NumberedEvent]:
    """Check every promise of DESIGN's table that holds for a store whose processes are all dead.

    Args:
        noted: how many calls of each sort had returned to each writer.
        tail: a writer may have one call more in the log than had returned.
        earlier: what it had committed when it was checked before, and all processes were dead.

    Returns:
        What it has committed.
    """
    log: list[NumberedEvent] = []
    # One whose making was cut off is no store yet; the next who opens it makes it.
    if noted or _is_made(home):
        check_verified(outcome, home, "before it is opened")
    try:
        with Store.open(home) as store:
            log = read_log(outcome, store)
            _check_times_go_on(outcome, log, earlier)
            check_facts(outcome, facts_in(store, log), noted, tail=tail)
            check_ends(outcome, store, log)
            _check_blobs(outcome, store, log)
            check_views(outcome, store)
        left = sorted(path.name for path in (home / "journals").iterdir())
        outcome.check(not left, f"journals of dead sessions are left: {left}")
        before = (home / "log" / "data.mdb").read_bytes()
        with Store.open(home):
            pass
        outcome.check(
            (home / "log" / "data.mdb").read_bytes() == before, "opening it a second time changed the log"
        )
    except EventlogError as error:
        outcome.check(False, f"the store cannot be opened and read: {error!r}")
    check_verified(outcome, home, "after it was opened")
    check_undamaged(outcome, home)
    return log


def _check_times_go_on(
    outcome: Outcome, log: Sequence[NumberedEvent], earlier: Sequence[NumberedEvent]
) -> None:
    """Sessions that have begun since begin no earlier than the last event then, whatever their clocks say."""
    last = earlier[-1].event.time if earlier else 0
    sessions = {one.session for one in earlier}
    back = sum(one.event.time < last for one in log if one.session not in sessions)
    outcome.check(not back, f"{back} events of sessions that began later have earlier times")


def check_undamaged(outcome: Outcome, home: Path) -> None:
    """No recovery has taken what a process left behind for damage."""
    damaged = sorted((home / "damaged").glob("*"))
    outcome.check(not damaged, f"journals were found damaged: {[path.name for path in damaged]}")


def _is_made(home: Path) -> bool:
    try:
        Store.open(home, create=False, read_only=True).close()
    except NotFound:
        return False
    except EventlogError:
        # What is wrong with it is for others to tell.
        return True
    return True


def check_living(outcome: Outcome, home: Path, seconds: float = LIVING_SECONDS) -> None:
    """No process that lives is held up by those that died: each commits more, or ends.

    And none of the dead counts as living, though it may have left children.

    Args:
        seconds: how long they have for it.
    """
    try:
        with Store.open(home, create=False, read_only=True) as store:
            before = {session: _committed(store, session) for session in store.live_sessions()}

            def waiting() -> set[bytes]:
                living = store.live_sessions()
                return {one for one in before.keys() & living if _committed(store, one) == before[one]}

            with contextlib.suppress(TimeoutError):
                wait_until(lambda: not waiting(), "who lives commits", seconds)
            left = sorted(session.hex() for session in waiting())
            outcome.check(not left, f"sessions of living processes commit no more: {left}")
            # While nobody recovers what is dead, and holds it meanwhile.
            with at_rest(home) as alive:
                dead = {session for session in alive if not _owner_lives(home, session)}
            with at_rest(home) as alive:
                # Who was ending then is gone now.
                dead &= alive
            outcome.check(not dead, f"sessions of dead processes count as living: {len(dead)}")
    except EventlogError as error:
        outcome.check(False, f"the store cannot be opened while others use it: {error!r}")


def _owner_lives(home: Path, session: bytes) -> bool:
    try:
        text = (home / "journals" / session.hex() / "lock").read_text()
        return bool(psutil.Process(int(text.partition("\n")[0])).status() != psutil.STATUS_ZOMBIE)
    except (FileNotFoundError, psutil.NoSuchProcess):
        return False


def _committed(store: Store, session: bytes) -> int:
    record = store.record_of(session)
    return record.next if record else 0


def check_verified(outcome: Outcome, home: Path, when: str) -> None:
    """`eventlog verify` finds nothing."""
    try:
        problems = verify(home).problems
    except EventlogError as error:
        problems = [repr(error)]
    outcome.check(not problems, f"verify, {when}: {problems[:5]}")


def read_log(outcome: Outcome, store: Store) -> list[NumberedEvent]:
    """All that a store committed itself, in that order, every link, number and time of it checked."""
    found: list[NumberedEvent] = []
    sessions: dict[bytes, int] = {}
    times: dict[bytes, int] = {}
    previous, count = FIRST_PREVIOUS, 0
    whole = True
    for batch in store.batches(store.id):
        numbered = batch.events()
        whole &= (batch.store, batch.number, batch.previous) == (store.id, count, previous)
        whole &= batch.first == sessions.get(batch.session, 0)
        whole &= [one.number for one in numbered] == list(range(batch.first, batch.end))
        sessions[batch.session] = batch.end
        all_times = [times.get(batch.session, 0), *(one.event.time for one in numbered)]
        outcome.check(
            all(a <= b for a, b in itertools.pairwise(all_times)),
            f"times go back in batch {batch.number}",
        )
        times[batch.session] = all_times[-1]
        previous, count = batch.hash, count + 1
        found += numbered
    head = store.heads().get(store.id)
    whole &= head == ((count - 1, previous) if count else None)
    outcome.check(whole, "the chain, or the numbers of a session's events, have a gap")
    return found


def facts_in(store: Store, log: list[NumberedEvent]) -> dict[tuple[str, str], list[int]]:
    """The numbers that each writer's calls of a sort have in the log, in its order."""
    found: dict[tuple[str, str], list[int]] = {}
    for numbered in log:
        fact: Fact | None = fact_of(_whole(store, numbered.event))
        if fact is not None:
            found.setdefault(fact[:2], []).append(fact[2])
    return found


def check_facts(
    outcome: Outcome, found: Mapping[tuple[str, str], list[int]], noted: Counts, *, tail: bool = True
) -> None:
    """What had returned is there once and in order, and of each writer at most the one call it was in."""
    more: dict[str, int] = {}
    for sort, label in sorted(found.keys() | noted.keys()):
        numbers, count = found.get((sort, label), []), noted.get((sort, label), 0)
        outcome.acknowledged += count
        missing = count - len(set(numbers) & set(range(count)))
        outcome.lost += missing
        outcome.check(
            not missing, f"{missing} of {count} acknowledged events are lost: {sort} of writer {label}"
        )
        outcome.check(
            numbers == list(range(len(numbers))),
            f"not once each and in order: {sort} of writer {label}: {_excerpt(numbers)}",
        )
        more[label] = more.get(label, 0) + max(0, len(numbers) - count)
    if tail:
        for label, count in more.items():
            outcome.check(
                count <= 1, f"{count} events of writer {label} are there whose calls had not returned"
            )


def check_views(outcome: Outcome, store: Store) -> None:
    """The views that are there, caught up, are what the log folds to."""
    with Views.open(store) as views:
        views.catch_up(reports=True)
        differences = views.check()
        outcome.check(not differences, f"the views are not what the log folds to: {differences[:5]}")
        outcome.check(not views.left_out(), "the views leave batches out")


def check_ends(outcome: Outcome, store: Store, log: list[NumberedEvent]) -> None:
    """Every session has ended, and no task of a dead process shows as running."""
    ended = {one.session for one in log if isinstance(one.event, events.SessionEnded)}
    going = {one.session for one in log} - ended
    # Of what other stores had told, the end may not have got here.
    started = {one.event.task for one in log if isinstance(one.event, events.TaskStarted)}
    outcome.check(not going, f"{len(going)} sessions of dead processes have not ended")
    with Views.open(store) as views:
        views.catch_up()
        for state in views.every_task():
            if state.id not in started:
                continue
            outcome.check(
                state.status != "in_progress",
                f"task {state.name} is shown as running, and its process is dead",
            )
            outcome.check(
                state.status != "failed" or state.status_reason, f"task {state.name} failed, without a reason"
            )


def _check_blobs(outcome: Outcome, store: Store, log: list[NumberedEvent]) -> None:
    """What was uploaded is kept byte for byte."""
    for numbered in log:
        if isinstance(numbered.event, events.ArtifactUploaded):
            fact = fact_of(numbered.event)
            if fact is not None:
                expected = artifact_bytes(*fact[1:])
                outcome.check(
                    numbered.event.blob == hashlib.sha256(expected).hexdigest()
                    and store.blobs.path(numbered.event.blob).read_bytes() == expected,
                    f"artifact {numbered.event.name} is not what was uploaded",
                )


def _whole(store: Store, event: events.Event) -> events.Event:
    """A console line that became a blob, with its text."""
    if isinstance(event, events.TextReported) and event.blob:
        text = store.blobs.path(event.blob).read_text()
        return events.TextReported(event.time, event.task, text, event.level)
    return event


def _excerpt(numbers: list[int]) -> str:
    """Where a row of numbers first is not 0, 1, 2 …"""
    for place, number in enumerate(numbers):
        if number != place:
            return f"{number} at place {place} of {len(numbers)}, after {numbers[max(0, place - 3) : place]}"
    return f"{len(numbers)} numbers"
