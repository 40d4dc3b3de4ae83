"""A session: what `append` promises while others append, interrupt, fork, close, or set the clock back."""

import itertools
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from eventlog import committer as committer_module
from eventlog import events
from eventlog import session as session_module
from eventlog.batch import NumberedEvent
from eventlog.chunk import CHUNK_SIZE, maps_safely
from eventlog.errors import InputInvalid, StoreReadOnly
from eventlog.session import MAX_EVENT_SIZE, Session
from eventlog.store import Store
from tests.eventlog.processes import TASK, chain_of, events_of, wait_until


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open(home) as store:
        yield store


class Clock:
    """A machine's clock that is set by hand, in milliseconds."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now * 1_000_000


def iterations(store: Store, task: str = TASK) -> list[int]:
    return [
        event.iteration for event in events_of(chain_of(store), events.ScalarReported) if event.task == task
    ]


def test_a_session_begins_with_its_first_append_and_says_whose_it_is(store: Store) -> None:
    assert store.session.id is None
    assert repr(store.session) == "<Session not begun>"
    assert not list((store.home / "journals").iterdir())
    store.session.append(events.ProgressSet, TASK, 5)
    assert store.live_sessions() == {store.session.id}
    store.flush()
    assert repr(store.session) == f"<Session {store.session.id.hex()[:8]}: 2 events, 2 committed>"
    started, progress = (one.event for one in chain_of(store))
    assert isinstance(started, events.SessionStarted)
    assert started.process == os.getpid()
    assert started.task == ""
    assert progress == events.ProgressSet(progress.time, TASK, 5)


def test_events_keep_their_order_and_their_numbers_whatever_their_sort(store: Store) -> None:
    chance = random.Random(1)
    expected = []
    for number in range(5000):
        if chance.random() < 0.1:
            store.session.append(events.ProgressSet, TASK, number)
            expected.append(("ProgressSet", number))
        else:
            store.session.append(events.ScalarReported, TASK, "loss", "train", number, 0.5)
            expected.append(("ScalarReported", number))
        if chance.random() < 0.005:
            store.flush()
    store.flush()
    found = [
        (type(one.event).__name__, getattr(one.event, "progress", None) or getattr(one.event, "iteration", 0))
        for one in chain_of(store)[1:]
    ]
    assert found == expected


def test_a_closed_session_leaves_no_journal_and_the_next_append_begins_another(store: Store) -> None:
    store.session.append(events.ProgressSet, TASK, 1)
    first = store.session.id
    store.session.close()
    assert store.session.id is None
    assert not list((store.home / "journals").iterdir())
    store.session.close()
    store.session.append(events.ProgressSet, TASK, 2)
    assert store.session.id not in (None, first)
    store.flush()
    kinds = [type(one.event).__name__ for one in chain_of(store)]
    assert kinds == ["SessionStarted", "ProgressSet", "SessionEnded", "SessionStarted", "ProgressSet"]
    assert [record.ended for record in store.sessions() if record.session == first] == [True]
    assert events_of(chain_of(store), events.SessionEnded)[0].reason == "closed"


def test_what_was_appended_is_committed_soon_without_anybody_asking(store: Store) -> None:
    for number in range(3):
        store.session.append(events.ScalarReported, TASK, "loss", "train", number, 0.5)
        wait_until(lambda number=number: iterations(store) == list(range(number + 1)))


def test_events_that_go_on_coming_wake_nobody_and_the_one_after_a_rest_is_committed_too(store: Store) -> None:
    session = store.session
    session.append(events.ProgressSet, TASK, 0)
    end = 1
    # The first commit is made because it was asked for.
    while not store.heads() or store.heads()[store.id].number < 2:
        before = time.monotonic()
        session.append(events.ScalarReported, TASK, "loss", "train", end, 0.5)
        time.sleep(0.001)
        end += 1
        stalled = time.monotonic() - before > store.configuration.commit_interval_seconds / 2
        assert stalled or not session._idle
    wait_until(lambda: session._idle)
    assert iterations(store) == list(range(1, end))
    session.append(events.ScalarReported, TASK, "loss", "train", end, 0.5)
    wait_until(lambda: iterations(store) == list(range(1, end + 1)))


def test_a_committer_that_was_woken_for_nothing_goes_by_the_interval_that_is_set_then(store: Store) -> None:
    def set_interval(seconds: float) -> None:
        store.configuration = msgspec.structs.replace(store.configuration, commit_interval_seconds=seconds)

    session = store.session
    set_interval(86_400)
    session.append(events.ScalarReported, TASK, "loss", "train", 0, 0.5)
    store.flush()
    wait_until(lambda: session._idle)
    assert session._committer is not None
    wake = session._committer.wake
    wake.put(False)
    wait_until(wake.empty)
    set_interval(0.05)
    session.append(events.ScalarReported, TASK, "loss", "train", 1, 0.5)
    wait_until(lambda: iterations(store) == [0, 1])


@pytest.mark.parametrize("free_threaded", [False, True], ids=["together", "under the lock"])
def test_events_are_let_go_of_once_they_are_committed(
    store: Store, monkeypatch: pytest.MonkeyPatch, *, free_threaded: bool
) -> None:
    monkeypatch.setattr(session_module, "_FREE_THREADED", free_threaded)
    session = store.session
    for number in range(3000):
        session.append(events.ScalarReported, TASK, "loss", "train", number, 0.5)
        if number % 100 == 0:
            session.append(events.ProgressSet, TASK, number // 100)
            store.flush()
    store.flush()
    # Of this chunk's 3,031 no more are kept than a few commits bring.
    wait_until(lambda: len(session._payloads) < 500)
    assert repr(session).endswith(": 3031 events, 3031 committed>")
    check_sessions(store)
    assert iterations(store) == list(range(3000))
    assert [one.progress for one in events_of(chain_of(store), events.ProgressSet)] == list(range(30))


def test_the_file_that_comes_next_is_there_before_it_is_needed(store: Store) -> None:
    if not maps_safely(store.home):
        pytest.skip("journals are not written through memory here")
    session = store.session
    append = partial(session.append, events.TextReported, TASK, "x" * 50_000)
    append()
    assert session.id is not None
    folder = store.home / "journals" / session.id.hex()

    def files() -> set[int]:
        return {path.stat().st_ino for path in folder.iterdir() if path.name != "lock"}

    first = files()
    while session._position <= CHUNK_SIZE // 2:
        append()
    store.flush()
    committer = session._committer
    assert committer is not None
    # The file is there a moment before it may be taken.
    wait_until(lambda: committer._spare is not None)
    (ready,) = files() - first
    assert session._chunk is not None
    before = session._chunk
    while session._chunk is before:
        append()
    assert session._chunk.path is not None
    assert session._chunk.path.stat().st_ino == ready
    store.flush()
    assert len(check_sessions(store)) == session._count()


def test_an_append_that_fails_leaves_no_trace(store: Store) -> None:
    store.session.append(events.ScalarReported, TASK, "loss", "train", 0, 0.5)
    for fields in [(TASK, "loss", "train", 1), (TASK, "loss", "train", 1, object()), (TASK,)]:
        with pytest.raises(TypeError):
            store.session.append(events.ScalarReported, *fields)
    with pytest.raises(InputInvalid, match="artifact"):
        store.session.append(events.TextReported, TASK, "x" * (MAX_EVENT_SIZE + 1))
    store.session.append(events.ScalarReported, TASK, "loss", "train", 1, 0.5)
    store.flush()
    assert iterations(store) == [0, 1]


def test_events_larger_than_a_chunk_are_kept_beside_small_ones(store: Store) -> None:
    sizes = [10, 5 << 20, 100, 12 << 20, 0, 4 << 20, 7]
    for size in sizes:
        store.session.append(events.TextReported, TASK, "x" * size)
    store.flush()
    assert [len(event.text) for event in events_of(chain_of(store), events.TextReported)] == sizes


def test_a_store_opened_for_reading_takes_no_events_and_is_not_changed(store: Store) -> None:
    store.session.append(events.ProgressSet, TASK, 1)
    store.close()
    with Store.open(store.home, read_only=True) as reading:
        with pytest.raises(StoreReadOnly, match="read-only"):
            reading.session.append(events.ProgressSet, TASK, 2)
        reading.flush()
        assert len(chain_of(reading)) == 3
    assert not list((store.home / "journals").iterdir())
    Store.open(store.home)


# Time.


def test_times_only_grow_when_the_clock_is_set_back(store: Store) -> None:
    clock = Clock(1_800_000_000_000)
    store.session = Session(store, wall=clock)
    given = []
    for step in (0, 5, -3_600_000, 1, 1, 7_200_000, -1, -7_200_000, 0):
        clock.now += step
        given.append(clock.now)
        store.session.append(events.ProgressSet, TASK, 1)
        store.session.append(events.ScalarReported, TASK, "loss", "train", 1, 0.5)
    store.flush()
    times = [one.event.time for one in chain_of(store)]
    assert times == sorted(times)
    expected = list(itertools.accumulate(given, max))
    assert [event.time for event in events_of(chain_of(store), events.ProgressSet)] == expected


def test_times_go_on_from_what_the_store_holds_when_the_clock_was_set_back_between_processes(
    home: Path,
) -> None:
    with Store.open(home) as store:
        store.session = Session(store, wall=Clock(1_900_000_000_000))
        store.session.append(events.ProgressSet, TASK, 1)
    with Store.open(home) as store:
        store.session = Session(store, wall=Clock(1_800_000_000_000))
        store.session.append(events.ProgressSet, TASK, 2)
        store.flush()
        first, second = events_of(chain_of(store), events.ProgressSet)
        assert first.time < second.time


def test_what_comes_after_an_event_that_was_seen_has_a_later_time(store: Store) -> None:
    clock = Clock(1_800_000_000_000)
    store.session = Session(store, wall=clock)
    store.session.append(events.ProgressSet, TASK, 1)
    store.session.observe(1_800_000_009_000)
    store.session.observe(1_700_000_000_000)
    store.session.append(events.ProgressSet, TASK, 2)
    store.flush()
    times = [event.time for event in events_of(chain_of(store), events.ProgressSet)]
    assert times == [1_800_000_000_000, 1_800_000_009_001]


# Threads.


def together(*works: Callable[[], None]) -> None:
    """Run functions in a thread each, and raise what any of them raised."""
    raised: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def begin(work: Callable[[], None]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=begin, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


@pytest.fixture(params=[False, True], ids=["together", "under the lock"])
def switching(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads take turns as often as they can; with the lock of a free-threaded Python, and without."""
    monkeypatch.setattr(session_module, "_FREE_THREADED", request.param)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def check_sessions(store: Store) -> list[NumberedEvent]:
    """Every event of the store, after having looked that each session is one run, in the order of time."""
    found = chain_of(store)
    sessions: dict[bytes, list[NumberedEvent]] = {}
    for one in found:
        sessions.setdefault(one.session, []).append(one)
    for run in sessions.values():
        run.sort(key=lambda one: one.number)
        assert [one.number for one in run] == list(range(len(run)))
        assert [one.event.time for one in run] == sorted(one.event.time for one in run)
        assert isinstance(run[0].event, events.SessionStarted)
        assert not any(isinstance(one.event, events.SessionEnded) for one in run[:-1])
    return found


@pytest.mark.usefixtures("switching")
def test_eight_threads_keep_everything_each_in_its_own_order(store: Store) -> None:
    def work(worker: int) -> Callable[[], None]:
        def append() -> None:
            for number in range(4000):
                kind, fields = (events.ScalarReported, ("loss", "train", number, 0.5))
                if number % 100 == 50:
                    kind, fields = (events.ProgressSet, (number,))
                store.session.append(kind, str(worker) * 32, *fields)
                if number % 1000 == 999:
                    store.flush()
                    store.session.observe(time.time_ns() // 1_000_000 + number)

        return append

    together(*(work(worker) for worker in range(8)))
    store.flush()
    found = check_sessions(store)
    for worker in range(8):
        kept: list[int] = []
        for one in found:
            match one.event:
                case events.ScalarReported(task=task, iteration=number) if task == str(worker) * 32:
                    kept.append(number)
                case events.ProgressSet(task=task, progress=number) if task == str(worker) * 32:
                    kept.append(number)
        assert kept == list(range(4000))


@pytest.mark.usefixtures("switching")
def test_closing_beside_threads_that_append_loses_nothing(store: Store) -> None:
    done = threading.Event()

    def append(task: str) -> Callable[[], None]:
        def work() -> None:
            for number in range(6000):
                store.session.append(events.ScalarReported, task, "loss", "train", number, 0.5)
            if task == "0" * 32:
                done.set()

        return work

    def close() -> None:
        while not done.is_set():
            store.session.close()

    together(append("0" * 32), append("1" * 32), close, close)
    store.session.close()
    assert not list((store.home / "journals").iterdir())
    found = check_sessions(store)
    for task in ("0" * 32, "1" * 32):
        # Each session keeps its own order; one that was closed may be committed after the next has begun.
        assert sorted(iterations(store, task)) == list(range(6000))
    assert len(events_of(found, events.SessionStarted)) == len(events_of(found, events.SessionEnded)) > 1


@pytest.mark.parametrize("free_threaded", [False, True], ids=["together", "under the lock"])
def test_nothing_is_appended_behind_the_end_of_a_session(
    store: Store, monkeypatch: pytest.MonkeyPatch, free_threaded: bool
) -> None:
    monkeypatch.setattr(session_module, "_FREE_THREADED", free_threaded)
    session = store.session
    session.append(events.ScalarReported, TASK, "loss", "train", 0, 0.5)
    late = threading.Thread(
        target=session.append, args=(events.ScalarReported, TASK, "loss", "train", 1, 0.5)
    )
    detach = session._detach

    def wait_before() -> None:
        late.start()
        # As long as a thread needs to get in, if it could.
        late.join(timeout=0.2)
        detach()

    monkeypatch.setattr(session, "_detach", wait_before)
    session.close()
    late.join()
    monkeypatch.undo()
    session.close()
    check_sessions(store)
    assert iterations(store) == [0, 1]


def test_a_committer_that_is_far_behind_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer_module, "MAX_WAITING", 8 << 20)
    text = "x" * 60_000
    go = threading.Event()
    # A writer that holds LMDB's lock keeps every commit waiting.
    writer = threading.Thread(target=store.environment.write, args=(lambda _: go.wait(),))
    writer.start()
    count = 0

    def append() -> None:
        nonlocal count
        for _ in range(600):
            store.session.append(events.TextReported, TASK, text)
            count += 1

    appender = threading.Thread(target=append)
    appender.start()
    wait_until(lambda: count * len(text) > 3 << 20)
    last = -1
    while count != last:
        last = count
        appender.join(0.3)
    assert appender.is_alive()
    assert count * len(text) < 8 << 20
    go.set()
    appender.join()
    writer.join()
    store.flush()
    assert len(events_of(chain_of(store), events.TextReported)) == 600
    assert not events_of(chain_of(store), events.EventsDropped)


def test_a_chunk_larger_than_all_that_may_wait_holds_nobody_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one is that begins with what waited in memory for a full disk."""
    monkeypatch.setattr(committer_module, "MAX_WAITING", CHUNK_SIZE // 2)
    count = 3 * CHUNK_SIZE // 60_000

    def append() -> None:
        for _ in range(count):
            store.session.append(events.TextReported, TASK, "x" * 60_000)

    appender = threading.Thread(target=append, daemon=True)
    appender.start()
    appender.join(60)
    assert not appender.is_alive()
    store.flush()
    assert len(events_of(chain_of(store), events.TextReported)) == count
    assert not events_of(chain_of(store), events.EventsDropped)
