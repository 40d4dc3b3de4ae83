"""Signals in the middle of an append, a flush or a close: handlers that raise, append, close and fork."""

import json
import signal
from pathlib import Path

import pytest

from eventlog import events
from eventlog.batch import NumberedEvent
from eventlog.verify import verify
from tests.eventlog.processes import events_of, read_store, run

STORM = """
    import json, os, random, signal, sys
    from eventlog import events
    from eventlog.store import Store
    from tests.eventlog.processes import TASK

    home, end, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    store = Store.open(home)
    session = store.session
    chance = random.Random(seed)
    acknowledged, interrupted = [], []
    armed = False

    def interrupt(*_):
        # At random, so that even long calls get through now and then.
        signal.setitimer(signal.ITIMER_REAL, 20e-6 + chance.expovariate(5000))
        if armed:
            raise KeyboardInterrupt

    def call(number):
        if chance.random() < 0.01 and end == "closed":
            session.close() if chance.random() < 0.3 else session.flush()
            return False
        if chance.random() < 0.1:
            session.append(events.ProgressSet, TASK, number)
        elif chance.random() < 0.1:
            session.append(events.TextReported, TASK, f"{number} " + "x" * 60000)
        else:
            session.append(events.ScalarReported, TASK, "loss", "train", number, 0.5)
        return True

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1e-3)
    number = 0
    while len(interrupted) < count:
        try:
            armed = True
            if call(number):
                acknowledged.append(number)
            armed = False
        except KeyboardInterrupt:
            armed = False
            interrupted.append(number)
        number += 1
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    print(json.dumps([acknowledged, interrupted]), flush=True)
    if end == "closed":
        store.close()
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def numbers(found: list[NumberedEvent]) -> dict[bytes, list[int]]:
    """The numbers that were reported, by session."""
    values: dict[bytes, list[int]] = {}
    for one in found:
        match one.event:
            case events.ScalarReported(iteration=number) | events.ProgressSet(progress=number):
                values.setdefault(one.session, []).append(number)
            case events.TextReported(text=text):
                values.setdefault(one.session, []).append(int(text.split()[0]))
    return values


@pytest.mark.parametrize(("end", "interval"), [("closed", 0.01), ("killed", 0.01), ("killed", 1000)], ids=str)
@pytest.mark.parametrize("written", [False, True], ids=["mapped", "written"])
def test_thousands_of_interrupted_calls_lose_nothing_and_double_nothing(
    home: Path, end: str, interval: float, written: bool
) -> None:
    environment = {"EVENTLOG_COMMIT_INTERVAL_SECONDS": str(interval)}
    status = 0 if end == "closed" else -signal.SIGKILL
    output = run(STORM, home, end, 1, 600, env=environment, status=status, written=written)
    acknowledged, interrupted = json.loads(output)
    by_session = numbers(read_store(home))
    assert all(found == sorted(set(found)) for found in by_session.values())
    found = [number for found in by_session.values() for number in found]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found) <= set(acknowledged) | set(interrupted)
    assert not list((home / "journals").iterdir())
    assert not (home / "damaged").exists()
    assert not verify(home).problems


# Appends numbers; what interrupts it appends numbers of its own to the other series.
APPENDING = """
    import gc, json, os, random, signal, sys
    from eventlog import events
    from eventlog.store import Store
    from tests.eventlog.processes import TASK

    home, what, end = sys.argv[1:]
    store = Store.open(home)
    session = store.session
    chance = random.Random(what)
    counts = {"main": 0, "other": 0}
    texts = {"main": "x" * 200, "other": "y" * 3000}

    def append(series):
        number = counts[series]
        # Counted first: what interrupts this may append to the same series, but not with this number.
        counts[series] += 1
        if chance.random() < 0.2:
            session.append(events.TagsAdded, TASK, [series, str(number), texts[series]])
        else:
            session.append(events.TextReported, TASK, f"{series} {number} {texts[series]}")

    def interrupt(*_):
        append("other")
        if chance.random() < 0.02:
            session.flush()
        if chance.random() < 0.01 and end == "closed":
            session.close()
        signal.setitimer(signal.ITIMER_REAL, 20e-6 + chance.expovariate(5000))

    class Cycle:
        def __init__(self):
            self.itself = self
        def __del__(self):
            if armed:
                append("other")

    if what == "signals":
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 1e-3)
    else:
        # Tuples and slices, too, now set off a collection.
        gc.set_threshold(3, 2, 2)
    armed = True
    while counts["main"] < 10000 or counts["other"] < 400:
        append("main")
        if what == "collections" and chance.random() < 0.3:
            Cycle()
    armed = False
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    print(json.dumps(counts), flush=True)
    if end == "closed":
        store.close()
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("end", "interval"), [("closed", 0.01), ("killed", 1000)], ids=str)
@pytest.mark.parametrize("written", [False, True], ids=["mapped", "written"])
@pytest.mark.parametrize("what", ["signals", "collections"])
def test_what_interrupts_an_append_may_append(
    home: Path, what: str, written: bool, end: str, interval: float
) -> None:
    environment = {"EVENTLOG_COMMIT_INTERVAL_SECONDS": str(interval)}
    status = 0 if end == "closed" else -signal.SIGKILL
    counts = json.loads(run(APPENDING, home, what, end, env=environment, status=status, written=written))
    found: dict[str, list[int]] = {"main": [], "other": []}
    for event in events_of(read_store(home), events.TextReported, events.TagsAdded):
        series, number, _ = event.text.split() if isinstance(event, events.TextReported) else event.tags
        found[series].append(int(number))
    assert found["main"] == list(range(counts["main"]))
    assert sorted(found["other"]) == list(range(counts["other"]))
    assert not verify(home).problems


def test_a_handler_that_says_goodbye_in_the_middle_of_an_append_is_not_stuck(tmp_path: Path) -> None:
    program = """
        import os, random, signal, sys
        from eventlog import events
        from eventlog.store import Store
        from tests.eventlog.processes import TASK

        seed = int(sys.argv[2])
        store = Store.open(sys.argv[1])

        def goodbye(*_):
            store.session.append(events.TaskStopped, TASK, "SIGTERM")
            store.flush()
            store.close() if seed % 2 else store.session.close()
            sys.exit(3)

        signal.signal(signal.SIGALRM, goodbye)
        store.session.append(events.TaskStarted, TASK)
        signal.setitimer(signal.ITIMER_REAL, random.Random(seed).random() * 0.02 + 1e-4)
        while True:
            store.session.append(events.TextReported, TASK, "x" * 3000)
    """
    for seed in range(8):
        home = tmp_path / str(seed)
        run(program, home, seed, status=3)
        assert not list((home / "journals").iterdir())
        found = read_store(home)
        assert [event.reason for event in events_of(found, events.TaskStopped)] == ["SIGTERM"]
        assert not events_of(found, events.TaskFailed)
        # The call that was interrupted may still have been made, in a session that the exit closed.
        assert {event.reason for event in events_of(found, events.SessionEnded)} == {"closed"}


def test_a_fork_in_the_middle_of_an_append_doubles_nothing(home: Path) -> None:
    program = """
        import os, signal, sys
        from eventlog import events
        from eventlog.store import Store
        from tests.eventlog.processes import Acknowledged

        store = Store.open(sys.argv[1])
        children = 0

        def fork(*_):
            global children
            children += 1
            if os.fork() == 0:
                signal.signal(signal.SIGALRM, signal.SIG_IGN)
                store.session.append(events.ScalarReported, f"{children:032x}", "loss", "child", 0, 0.5)
                os._exit(0)
            os.wait()
            signal.setitimer(signal.ITIMER_REAL, 1e-3)

        signal.signal(signal.SIGALRM, fork)
        signal.setitimer(signal.ITIMER_REAL, 1e-3)
        number = 0
        while children < 20:
            store.session.append(events.ScalarReported, "f" * 32, "loss", "parent", number, 0.5)
            number += 1
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        store.close()
        print(number)
    """
    count = int(run(program, home))
    reported = events_of(read_store(home), events.ScalarReported)
    assert [event.iteration for event in reported if event.task == "f" * 32] == list(range(count))
    children = sorted(event.task for event in reported if event.series == "child")
    assert children == [f"{child:032x}" for child in range(1, 21)]
