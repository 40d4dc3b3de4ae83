"""What a damaged store, a hostile remote or a wrong clock must not do."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from eventlog import events
from eventlog.batch import FIRST_PREVIOUS, Batch, encode_batch
from eventlog.check_batch import check_batch
from eventlog.clock import MAX_TIME
from eventlog.errors import DataCorrupt, StoreInvalid
from eventlog.home import make_home
from eventlog.store import Store
from tests.eventlog.processes import run

TASK = "5e" * 16


def batch_of(*appended: events.Event, first_time: int | None = None, last_time: int | None = None) -> Batch:
    """A batch of state events, as another machine might send it."""
    return Batch.read(
        encode_batch(
            store=b"s" * 16,
            number=0,
            previous=FIRST_PREVIOUS,
            session=b"o" * 16,
            first=0,
            events=[events.encode_event(event) for event in appended],
            states=[place for place, event in enumerate(appended) if not event.is_report],
            first_time=appended[0].time if first_time is None else first_time,
            last_time=appended[-1].time if last_time is None else last_time,
        )
    )


def test_what_verify_would_accept_is_let_in(home: Path) -> None:
    scalar = events.ScalarReported(5, TASK, "loss", "train", 1, 0.5)
    sound = batch_of(
        events.TaskCreated(3, TASK, "a name", "a project"),
        scalar,
        events.ProgressSet(6, TASK, 5),
        scalar_at(7),
    )
    with Store.open(home) as store:
        assert store.admit([sound]) == 1


def scalar_at(when: int) -> events.Event:
    return events.ScalarReported(when, TASK, "loss", "train", 1, 0.5)


@pytest.mark.parametrize(
    "hostile",
    [
        batch_of(scalar_at(5), first_time=4),
        batch_of(scalar_at(5), last_time=6),
        batch_of(scalar_at(5), events.ProgressSet(4, TASK, 1), scalar_at(6)),
        batch_of(events.ProgressSet(MAX_TIME + 1, TASK, 1)),
        batch_of(events.ProgressSet((1 << 64) - 1, TASK, 1)),
        batch_of(events.ProgressSet(-5, TASK, 1), first_time=0, last_time=0),
    ],
    ids=["first", "last", "back", "year 10000", "largest", "negative"],
)
def test_events_at_impossible_times_are_not_let_in(home: Path, hostile: Batch) -> None:
    with Store.open(home) as store:
        with pytest.raises(DataCorrupt, match="times"):
            store.admit([hostile])
        assert b"s" * 16 not in store.heads()


def test_a_clock_far_ahead_is_not_followed(home: Path) -> None:
    with Store.open(home) as store:
        store.session.observe(MAX_TIME)
        store.session.append(events.TaskCreated, TASK, "a name", "a project")
        store.flush()
        assert store.sessions()[0].last_time < (time.time() + 3600) * 1000


def test_a_clock_some_hours_ahead_is_followed(home: Path) -> None:
    ahead = int((time.time() + 6 * 3600) * 1000)
    with Store.open(home) as store:
        store.session.append(events.TaskCreated, TASK, "a name", "a project")
        store.session.observe(ahead)
        store.session.append(events.TagsAdded, TASK, ["later"])
        store.flush()
        assert store.sessions()[0].last_time > ahead


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xed\xa0\x80"], ids=["garbage", "surrogate"])
def test_text_that_is_not_utf_8_is_damage(text: bytes) -> None:
    good = msgspec.msgpack.encode(["TaskStopped", 5, TASK, "AB" if len(text) == 2 else "ABC"])
    bad = good[: -len(text)] + text
    with pytest.raises(DataCorrupt):
        events.decode_event(bad)
    with pytest.raises(DataCorrupt):
        events.decode_events(b"\xdd\x00\x00\x00\x01" + bad)


@pytest.mark.parametrize(
    "iteration", [b"\xa2\xff\xfe", b"\xc7\x0c\xff" + b"\xff" * 12], ids=["text", "no such time"]
)
def test_a_report_with_a_field_that_nothing_can_read_is_damage_and_verify_says_so(iteration: bytes) -> None:
    """What verify found nothing wrong with could not be pulled."""
    started = events.encode_event(events.SessionStarted(5, "", "host", "user", 1, "eventlog", "3", []))
    scalar = events.encode_event(scalar_at(5))
    hostile = scalar[: scalar.rindex(b"train") + 5] + iteration + msgspec.msgpack.encode(0.5)
    data = encode_batch(
        store=b"s" * 16,
        number=0,
        previous=FIRST_PREVIOUS,
        session=b"o" * 16,
        first=0,
        events=[started, hostile],
        states=[0],
        first_time=5,
        last_time=5,
    )
    assert "has reports that cannot be decoded" in check_batch(data).problems[0]
    with pytest.raises(DataCorrupt):
        Batch.read(data).checked_states()


def test_a_store_that_others_make_and_view_meanwhile_is_opened(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not there when it was looked for; what is there later is not taken for what a lost log left."""

    def make_later(folder: Path) -> None:
        make_home(folder)
        program = """
            from eventlog.projections import Views
            from eventlog.store import Store
            with Store.open() as store, Views.open(store) as views:
                views.catch_up()
        """
        run(program)

    monkeypatch.setattr("eventlog.store.make_home", make_later)
    with Store.open(home) as store:
        assert store.heads() == {}


def test_a_store_whose_log_was_emptied_does_not_become_a_new_one(home: Path) -> None:
    with Store.open(home) as store:
        store.blobs.put_bytes(b"weights")
        store.session.append(events.TaskCreated, TASK, "a name", "a project")
    (home / "log" / "data.mdb").write_bytes(b"")
    with pytest.raises(StoreInvalid, match=r"log of the store .* is gone"):
        Store.open(home)
    shutil.rmtree(home / "log")
    with pytest.raises(StoreInvalid, match=r"log of the store .* is gone"):
        Store.open(home)


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    with pytest.raises(StoreInvalid, match="is a file, not a folder"):
        Store.open(path)


def test_a_dead_journal_without_its_lock_is_recovered(home: Path) -> None:
    program = (
        "import os, signal; from eventlog import events; from eventlog.store import Store;"
        f"append = Store.open().session.append; append(events.TaskCreated, {TASK!r}, 'name', 'project');"
        f"append(events.TaskStarted, {TASK!r}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    (lock,) = (home / "journals").glob("*/lock")
    lock.unlink()
    with Store.open(home) as store:
        (record,) = store.sessions()
        assert record.ended
        assert record.open_tasks == []
        assert record.next == 5
    assert not list((home / "journals").iterdir())
