"""The runner: views follow the log, through kills, forks, damage, other processes and other versions."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eventlog import events
from eventlog.batch import Batch
from eventlog.errors import DataCorrupt, EventlogError, StoreNewer
from eventlog.projections import TaskQuery, Views, environment, runner
from eventlog.projections.environment import ViewsEnvironment
from eventlog.store import Store
from tests.projections.logs import OTHER, TASK, Log, close, created, scalar, views_of


def fill(home: Path, tasks: int = 40, batches: int = 30) -> Store:
    """A store with tasks that have states, scalars and text."""
    log, store = Log(), Store.open(home)
    for batch in range(batches):
        new: list[Any] = []
        for number in range(tasks):
            task = f"{number:032x}"
            at = 10 + batch
            if batch == 0:
                new.append(created(at, task, f"task {number}"))
            new += [events.ProgressSet(at, task, batch), scalar(at, batch, 1.0 / at, task)]
            new.append(events.TextReported(at, task, f"line {batch}"))
        store.admit([log.add(1, new)])
    return store


def test_only_what_is_new_is_folded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    views = views_of(home, [log.add(1, [created(1), scalar(2, 1, 1.0)])])
    read: list[int] = []
    original = Store.batches

    def counted(self: Store, store: bytes, first: int = 0, last: int | None = None) -> Any:
        for batch in original(self, store, first, last):
            read.append(batch.number)
            yield batch

    monkeypatch.setattr(Store, "batches", counted)
    views.catch_up(reports=True)
    assert read == []
    views.store.admit([log.add(1, [events.ProgressSet(3, TASK, 5)])])
    views.catch_up()
    assert read == [1]
    assert views.task(TASK).progress == 5
    close(views)


def test_a_catch_up_without_reports_never_decompresses_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, store = Log(), Store.open(home)
    store.admit([log.add(1, [created(1), scalar(2, 1, 1.0)]), log.add(1, [scalar(3, 2, 2.0)])])
    views = Views.open(store)
    frames: list[int] = []
    original = Batch._frame
    monkeypatch.setattr(Batch, "_frame", lambda self, which: frames.append(which) or original(self, which))
    views.catch_up()
    assert frames == [0]
    views.catch_up(reports=True)
    assert frames == [0, 1, 1]
    close(views)


def test_batches_without_state_events_cost_no_commit_of_the_views(home: Path) -> None:
    """Lists are asked for while a script reports scalars several times a second."""
    log = Log()
    views = views_of(home, [log.add(1, [created(1), scalar(2, 1, 1.0)])])
    environment = views._environment

    def last_transaction() -> int:
        with environment.read() as transaction:
            return int(transaction.id())

    before = last_transaction()
    told: list[tuple[int, int]] = []
    for number in range(3):
        views.store.admit([log.add(1, [scalar(3 + number, number, 1.0)])])
        views.catch_up(progress=lambda done, total: told.append((done, total)))
    assert last_transaction() == before
    assert told == [(1, 1), (2, 2), (3, 3)]
    views.store.admit([log.add(1, [scalar(9, number, 1.0)]) for number in range(80)])
    views.catch_up()
    assert last_transaction() == before + 1
    views.store.admit([log.add(1, [scalar(9, 1, 1.0), events.ProgressSet(9, TASK, 7)])])
    views.catch_up(reports=True)
    assert views.task(TASK).progress == 7
    assert views.series(TASK)[0].count == 85
    assert views.check() == []
    close(views)


def test_progress_counts_batches_up_to_the_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_PIECE_BYTES", 1)
    store = fill(home, tasks=3, batches=7)
    views = Views.open(store)
    told: list[tuple[int, int]] = []
    views.catch_up(reports=True, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 14) for done in range(1, 15)]
    views.catch_up(reports=True, progress=lambda done, total: told.append((done, total)))
    assert len(told) == 14
    close(views)


def test_views_folded_in_many_pieces_are_those_folded_in_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_PIECE_BYTES", 1)
    views = Views.open(fill(home))
    views.catch_up(reports=True)
    monkeypatch.undo()
    assert views.check() == []
    close(views)


def test_a_rebuild_folds_everything_again(home: Path) -> None:
    store = fill(home)
    views = Views.open(store)
    views.catch_up(reports=True)
    before = [views.find(), views.series("0" * 32), views.text("0" * 32), views.sessions()]
    told: list[tuple[int, int]] = []
    views.rebuild(lambda done, total: told.append((done, total)))
    assert told[-1] == (60, 60)
    assert [views.find(), views.series("0" * 32), views.text("0" * 32), views.sessions()] == before
    assert views.check() == []
    close(views)


def test_another_version_of_a_projection_is_folded_anew_and_says_so_until_then(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fill(home)
    views = Views.open(store)
    views.catch_up(reports=True)

    def overwrite(transaction: Any) -> None:
        for key in ("states\0", "reports\0"):
            transaction.put(key.encode(), b"another version", db=views._environment["meta"])
        transaction.put(bytes(16), b"in another format", db=views._environment["tasks"])
        transaction.drop(views._environment["series"], delete=False)

    views._environment.write(overwrite)
    with pytest.raises(StoreNewer, match="another version of eventlog"):
        views.find()
    assert views.check() != []
    views.catch_up()
    assert len(views.find()) == 40
    with pytest.raises(StoreNewer, match="another version of eventlog"):
        views.series("0" * 32)
    views.catch_up(reports=True)
    assert views.series("0" * 32)[0].count == 30
    assert views.check() == []
    close(views)


def test_the_version_of_a_stream_tells_when_a_kind_of_event_gained_a_field() -> None:
    versions = {stream.version for stream in (runner.STATES, runner.REPORTS)}
    assert len(versions) == 2
    original = runner.EVENT_KINDS

    class ProgressSet(events.ProgressSet, frozen=True):
        note: str = ""

    try:
        runner.EVENT_KINDS = {**original, "ProgressSet": ProgressSet}
        assert runner._version(1) != runner._version(2)
        changed = runner._version(1)
    finally:
        runner.EVENT_KINDS = original
    assert changed != runner._version(1)


@pytest.mark.parametrize("piece", [1, runner._PIECE_BYTES])
def test_a_batch_that_cannot_be_read_is_passed_over_and_named(
    home: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(runner, "_PIECE_BYTES", piece)
    log, store = Log(), Store.open(home)
    store.admit([log.add(1, [created(1)]), log.add(1, [events.ProgressSet(2, TASK, 5)])])
    store.admit([log.add(1, [events.TagsAdded(3, TASK, ["a"])]), log.add(1, [scalar(4, 1, 1.0)])])
    store.admit([log.add(1, [events.TagsAdded(5, TASK, ["b"])])])

    def damage(transaction: Any) -> None:
        key = log.id + (1).to_bytes(8, "big")
        transaction.put(key, log.batches[1].data[:-3] + b"???", db=store.environment["batches"])
        transaction.delete(log.id + (3).to_bytes(8, "big"), db=store.environment["batches"])

    store.environment.write(damage)
    views = Views.open(store)
    with caplog.at_level(logging.WARNING, "eventlog"):
        views.catch_up(reports=True)
    named = [record.getMessage() for record in caplog.records]
    # Once, though both streams miss them.
    assert len(named) == 2
    assert "batch 1 of store 0101" in named[0]
    assert all("batch 3 of store 0101" in line and "run `eventlog verify`" in line for line in named[1:])
    state = views.task(TASK)
    assert (state.progress, state.tags) == (None, ["a", "b"])
    caplog.clear()
    views.catch_up(reports=True)
    store.admit([log.add(1, [events.ProgressSet(9, TASK, 9)])])
    views.catch_up(reports=True)
    assert views.task(TASK).progress == 9
    assert not caplog.records
    assert [line for line in views.check() if "batch 1 of store" in line]

    # The first one after all that was folded, and nothing is folded anew for it.
    store.admit([log.add(1, [events.ProgressSet(10, TASK, 10)])])
    store.environment.write(
        lambda transaction: transaction.delete(
            log.id + (6).to_bytes(8, "big"), db=store.environment["batches"]
        )
    )
    caplog.clear()
    views.catch_up()
    assert ["batch 6 of store" in record.getMessage() for record in caplog.records] == [True]
    close(views)


def put_back(home: Path, batches: Sequence[Batch]) -> Views:
    """Views as they were, beside the log of another store, with these batches."""
    other = Store.open(home.parent / "other")
    other.admit(batches)
    other.close()
    shutil.rmtree(home / "log")
    shutil.copytree(home.parent / "other" / "log", home / "log")
    views = Views.open(Store.open(home))
    views.catch_up(reports=True)
    return views


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_log_put_back_from_another_copy_is_folded_anew(home: Path, length: int) -> None:
    """Shorter than what was folded, as long, or longer; and not the same from its second batch on."""
    log = Log()
    views = views_of(home, [log.add(1, [created(1), scalar(1, 1, 1.0)])])
    views.store.admit([log.add(1, [events.ProgressSet(2, TASK, 5), scalar(2, 2, 2.0)])])
    views.catch_up(reports=True)
    assert views.task(TASK).progress == 5
    close(views)

    other = Log()
    other.add(1, [created(1), scalar(1, 1, 1.0)])
    other.add(1, [events.ProgressSet(2, TASK, 70), scalar(2, 2, 3.0)])
    other.add(1, [events.TagsAdded(3, TASK, ["a"])])
    views = put_back(home, other.batches[:length])
    assert views.task(TASK).progress == (None if length == 1 else 70)
    assert [one.maximum for one in views.series(TASK)] == [1.0 if length == 1 else 3.0]
    assert views.check() == []
    close(views)


def test_views_beside_an_empty_log_are_emptied(home: Path) -> None:
    views = views_of(home, [Log().add(1, [created(1), scalar(2, 1, 1.0)])])
    assert len(views.find()) == 1
    close(views)
    views = put_back(home, [])
    assert views.find() == []
    assert views.check() == []
    close(views)


FOLDER = """
import sys
from pathlib import Path
from eventlog.projections import Views, runner
from eventlog.store import Store
runner._PIECE_BYTES = 1
views = Views.open(Store.open(Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
views.catch_up(reports=True, progress=lambda done, total: print(done, flush=True))
print("done", flush=True)
"""


def start_folding(home: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", FOLDER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("pieces", [1, 7, 31, 45])
def test_a_catch_up_killed_at_any_piece_goes_on_where_it_stopped(home: Path, pieces: int) -> None:
    store = fill(home)
    process = start_folding(home)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    for _ in range(pieces):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    views = Views.open(store)
    told: list[tuple[int, int]] = []
    views.catch_up(reports=True, progress=lambda done, total: told.append((done, total)))
    assert told[-1][1] <= 60 - pieces
    assert views.check() == []
    close(views)


def test_processes_that_catch_up_at_once_fold_each_batch_once(home: Path) -> None:
    store = fill(home)
    processes = [start_folding(home) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert output.endswith("done\n")
        assert process.returncode == 0
    views = Views.open(store)
    views.catch_up(reports=True, progress=lambda done, total: pytest.fail("there was something left"))
    assert views.series("0" * 32)[0].count == 30
    assert len(views.text("0" * 32)) == 30
    assert views.check() == []
    close(views)


def test_threads_that_catch_up_and_ask_at_once_see_whole_states(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A map so small that it has to grow again and again while others read.
    monkeypatch.setattr(environment, "MAP_SIZE", 1 << 17)
    monkeypatch.setattr(runner, "_PIECE_BYTES", 1)
    store = fill(home, tasks=20, batches=8)
    views = Views.open(store)
    problems: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                for row in views.find(TaskQuery(limit=5)):
                    assert views.task(row.id).progress is not None
                    assert len(views.text(row.id)) in range(9)
        except BaseException as error:
            problems.append(error)

    def catch_up() -> None:
        try:
            views.catch_up(reports=True)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=target) for target in (ask, ask, catch_up, catch_up, catch_up)]
    for thread in threads:
        thread.start()
    for thread in threads[2:]:
        thread.join(60)
    stop.set()
    for thread in threads[:2]:
        thread.join(60)
    assert problems == []
    assert len(views.find()) == 20
    assert views.check() == []
    close(views)


def test_a_child_of_a_fork_has_views_of_its_own_and_leaves_the_parents(home: Path) -> None:
    log = Log()
    views = views_of(home, [log.add(1, [created(1)])])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            views.store.admit([log.add(1, [events.ProgressSet(2, TASK, 7)])])
            views.catch_up(reports=True)
            again = Views.open(views.store)
            status = 0 if again.task(TASK).progress == views.task(TASK).progress == 7 else 2
            again.close()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    views.catch_up(reports=True)
    assert views.task(TASK).progress == 7
    assert views.check() == []
    close(views)


def test_those_who_open_one_store_share_its_views_and_the_last_to_close_closes(home: Path) -> None:
    store = Store.open(home)
    one, two = Views.open(store), Views.open(store)
    assert one._environment is two._environment
    one.close()
    one.close()
    two.catch_up()
    assert two.find() == []
    two.close()
    three = Views.open(store)
    assert three._environment is not one._environment
    three.catch_up()
    three.close()
    store.close()


def test_views_deleted_while_open_are_folded_anew_by_who_opens_them_next(home: Path) -> None:
    store = fill(home, tasks=3, batches=2)
    old = Views.open(store)
    old.catch_up(reports=True)
    shutil.rmtree(home / "views")
    new = Views.open(store)
    assert new.find() == []
    new.catch_up(reports=True)
    assert new.find() == old.find()
    assert new.check() == []
    old.close()
    new.close()
    store.close()


def test_damage_that_a_catch_up_comes_upon_is_mended_by_folding_anew(home: Path) -> None:
    store = fill(home)
    views = Views.open(store)
    views.catch_up(reports=True)
    views._environment.write(
        lambda transaction: transaction.put(bytes(16), b"\xc1" * 200, db=views._environment["tasks"])
    )
    with pytest.raises(DataCorrupt, match="run `eventlog rebuild`"):
        views.task("0" * 32)
    log = Log(2)
    store.admit([log.add(1, [events.ProgressSet(99, "0" * 32, 99)])])
    views.catch_up(reports=True)
    assert views.task("0" * 32).progress == 99
    assert views.check() == []
    close(views)


def test_damage_that_a_rebuild_comes_upon_does_not_stop_it(home: Path) -> None:
    views = Views.open(fill(home))
    views.catch_up(reports=True)
    with (home / "views" / "data.mdb").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        # All but the two meta pages.
        file.seek(2 * 4096)
        file.write(bytes(size - 2 * 4096))
    views.rebuild()
    assert views.check() == []
    assert len(views.find()) == 40
    close(views)


def overwrite_all(data: bytes) -> bytes:
    return b"not an LMDB file" * 4096


def cut_to_half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def cut_to_its_first_pages(data: bytes) -> bytes:
    return data[: 4096 * 3]


def cut_to_a_bit(data: bytes) -> bytes:
    return data[:100]


def blank_the_second_half(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


@pytest.mark.parametrize(
    "harm", [overwrite_all, cut_to_half, cut_to_its_first_pages, cut_to_a_bit, blank_the_second_half]
)
def test_damaged_views_are_deleted_and_folded_anew(home: Path, harm: Any) -> None:
    store = fill(home)
    views = Views.open(store)
    views.catch_up(reports=True)
    expected = views.find()
    views.close()
    store.close()
    file = home / "views" / "data.mdb"
    file.write_bytes(harm(file.read_bytes()))

    store = Store.open(home)
    views = Views.open(store)
    log = Log(2)
    store.admit([log.add(1, [created(1, OTHER)])])
    try:
        views.catch_up(reports=True)
        assert len(views.find()) == len(expected) + 1
        differences = views.check()
    except EventlogError as error:
        differences = [str(error)]
    if differences:
        assert any("run `eventlog rebuild`" in line or "missing" in line for line in differences)
        views.rebuild()
    assert views.check() == []
    assert [row for row in views.find() if row.id != OTHER] == expected
    close(views)


def test_a_store_open_for_reading_alone_is_folded_in_a_temporary_folder(home: Path) -> None:
    fill(home, tasks=3, batches=2).close()
    before = sorted(str(path) for path in home.rglob("*"))
    store = Store.open(home, read_only=True)
    views = Views.open(store)
    folder = views._environment.path
    assert home not in folder.parents
    views.catch_up(reports=True)
    assert len(views.find()) == 3
    assert views.check() == []
    assert sorted(str(path) for path in home.rglob("*")) == before
    assert folder.exists()
    close(views)
    assert not folder.exists()


FULL = """
import resource, sys
from pathlib import Path
from eventlog.errors import StoreFull
from eventlog.projections import Views
from eventlog.store import Store
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store.open(Path(sys.argv[1]))
views = Views.open(store)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    views.catch_up(reports=True)
except StoreFull as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
views.catch_up(reports=True)
print(len(views.find()), views.check())
"""


def test_no_room_for_the_views_is_said_and_made_good_once_there_is(home: Path) -> None:
    fill(home).close()
    done = subprocess.run([sys.executable, "-c", FULL, str(home)], capture_output=True, text=True, timeout=60)
    said, shown = done.stdout.splitlines()
    assert "free some disk space" in said
    assert shown == "40 []"


def test_own_calls_are_seen_after_a_flush(home: Path) -> None:
    store = Store.open(home)
    views = Views.open(store)
    store.session.append(events.TaskCreated, TASK, "baseline", "digits")
    store.session.append(events.TaskStarted, TASK)
    store.flush()
    views.catch_up()
    state = views.task(TASK)
    assert (state.status, state.host, state.sessions) == (
        "in_progress",
        os.uname().nodename,
        [store.session.id],
    )
    assert views.sessions()[state.sessions[0]].process == os.getpid()
    close(views)


def test_an_environment_is_named_by_its_folder(home: Path) -> None:
    views = views_of(home, [])
    assert repr(views._environment) == f"<ViewsEnvironment {home / 'views'}>"
    assert isinstance(views._environment, ViewsEnvironment)
    assert str(home) in repr(views)
    close(views)
