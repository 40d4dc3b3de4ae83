"""Views that are begun anew, and what they remember of batches that they had to leave out."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog import events
from eventlog.errors import DataCorrupt
from eventlog.projections import Views
from eventlog.store import Store
from eventlog.verify import verify
from tests.projections.logs import TASK, Log, close, created, scalar
from tests.projections.test_runner import fill


def test_views_begun_anew_are_not_looked_at_and_found_new_by_who_opens_them_next(home: Path) -> None:
    store = fill(home, tasks=3, batches=2)
    with Views.open(store) as old:
        old.catch_up(reports=True)
        expected = old.find()
    store.close()
    file = home / "views" / "data.mdb"
    # Only its meta pages are left whole, so that LMDB would open it.
    file.write_bytes(file.read_bytes()[:8192] + b"\xff" * (file.stat().st_size - 8192))

    store = Store.open(home)
    views = Views.open(store, anew=True)
    assert views.find() == []
    views.catch_up(reports=True)
    assert views.find() == expected
    # So are those that this process has open already.
    again = Views.open(store, anew=True)
    assert views.find() == again.find() == []
    again.close()
    close(views)


def test_sound_views_have_no_problem_in_their_pages_after_many_changes(home: Path) -> None:
    store = fill(home, tasks=150, batches=12)
    views = Views.open(store)
    log = Log(2)
    for number in range(30):
        task, at = f"{number:032x}", 99 + number
        new = [events.TagsAdded(at, task, ["x" * 50 * number]), scalar(at, 1, 1.0, task)]
        store.admit([log.add(1, new)])
        views.catch_up(reports=number % 2 == 0)

    def problems() -> list[str]:
        # These logs have no sessions that began, which the log itself is blamed for.
        return [line for line in verify(home).problems if not line.startswith("log: ")]

    assert problems() == []
    views.rebuild()
    assert problems() == []
    close(views)


def rebuild_often(home: Path) -> None:
    for _ in range(12):
        with Store.open(home) as store, Views.open(store) as views:
            views.rebuild()
            assert views.check() == []


def test_processes_that_rebuild_at_once_are_in_nobodys_way(home: Path) -> None:
    """Each moves away what another has just made, also while that is being opened."""
    fill(home, tasks=3, batches=2).close()
    children = [forked(rebuild_often, home) for _ in range(4)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
    with Store.open(home) as store, Views.open(store) as views:
        views.catch_up(reports=True)
        assert views.check() == []


def test_views_that_another_process_rebuilt_are_used_after_a_fork(home: Path) -> None:
    """A fork closes the files and opens those that are there; who asks for the views then gets the same."""
    store = fill(home, tasks=3, batches=2)
    with Views.open(store) as views:
        views.catch_up(reports=True)
        # A file system may give a new file the number of one that is gone, unless somebody has that open.
        with (home / "views" / "data.mdb").open("rb"):
            assert os.waitpid(forked(rebuild_often, home), 0)[1] == 0
            assert os.waitpid(forked(views.catch_up), 0)[1] == 0
        assert len(views.find()) == 3
        with Views.open(store) as again:
            assert again.find() == views.find()
    store.close()


def forked(work: Callable[..., object], *arguments: object) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work(*arguments)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child


def write_batch(store: Store, log: Log, number: int, data: bytes) -> None:
    """Put bytes in the place of a batch of the log, as damage does."""
    key = log.id + number.to_bytes(8, "big")
    store.environment.write(lambda transaction: transaction.put(key, data, db=store.environment["batches"]))


def flipped(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 4]) + data[offset + 1 :]


def three_batches(home: Path) -> tuple[Log, Store]:
    log, store = Log(), Store.open(home)
    for number, tag in enumerate(("first", "second", "third")):
        at = 10 * number
        new: list[Any] = [created(1)] if not number else []
        new += [events.TagsAdded(at + 1, TASK, [tag]), scalar(at + 2, number, float(number))]
        new += [events.TextReported(at + 3, TASK, tag)]
        store.admit([log.add(1, new)])
    return log, store


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_byte_changed_anywhere_in_a_batch_never_becomes_a_view(home: Path, damaged: int) -> None:
    log, store = three_batches(home)
    data = log.batches[damaged].data
    # But for the format's number, which says that a newer eventlog wrote the batch.
    for offset in [0, 1, 2, *range(4 + damaged, len(data), 3)]:
        write_batch(store, log, damaged, flipped(data, offset))
        with Views.open(store, anew=True) as views:
            views.catch_up(reports=True)
            left_out = [(batch.store, batch.number) for batch in views.left_out()]
            assert (log.id, damaged) in left_out
            # That one alone, but where it names the wrong hash for the one before.
            assert set(left_out) <= {(log.id, damaged), (log.id, damaged - 1)}
            gone = {("first", "second", "third")[number] for _, number in left_out}
            kept = {"first", "second", "third"} - gone
            state = views.task(TASK)
            assert set(state.tags) == kept
            assert {line.text for line in views.text(TASK)} == kept
            assert sum(one.count for one in views.series(TASK)) == len(kept)
            history = [one.event for one in views.events(TASK)]
            assert {event.tags[0] for event in history if isinstance(event, events.TagsAdded)} == kept
    write_batch(store, log, damaged, data)
    views = Views.open(store)
    views.rebuild()
    assert views.left_out() == []
    assert views.check() == []
    close(views)


def test_a_batch_changed_after_it_was_folded_is_not_shown_in_a_history(home: Path) -> None:
    log, store = three_batches(home)
    views = Views.open(store)
    views.catch_up(reports=True)
    data = log.batches[1].data
    write_batch(store, log, 1, flipped(data, len(data) - 1))
    with pytest.raises(DataCorrupt, match=r"batch 1 of store 0101.*run `eventlog verify`"):
        list(views.events(TASK))
    close(views)


def test_a_new_batch_that_was_changed_costs_nothing_that_was_folded(home: Path) -> None:
    log, store = three_batches(home)
    views = Views.open(store)
    views.catch_up(reports=True)
    batch = log.add(1, [events.TagsAdded(99, TASK, ["fourth"])])
    store.admit([batch])
    # In the hash of the batch before, which tells one log from another.
    write_batch(store, log, 3, flipped(batch.data, 40))
    store.admit([log.add(1, [events.TagsAdded(100, TASK, ["fifth"])])])
    views.catch_up(reports=True)
    assert views.task(TASK).tags == ["fifth", "first", "second", "third"]
    assert [(one.store, one.number) for one in views.left_out()] == [(log.id, 3)]
    close(views)
