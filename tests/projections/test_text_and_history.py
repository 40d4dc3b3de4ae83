"""Console text and history: all of it, in one order."""

from pathlib import Path

import msgspec
import pytest

from eventlog import events
from eventlog.errors import NotFound
from eventlog.projections import Views
from eventlog.store import Store
from tests.projections.logs import OTHER, TASK, Log, close, created, scalar, views_of


def text(time: int, what: str, task: str = TASK) -> events.TextReported:
    return events.TextReported(time, task, what)


def test_lines_of_several_sessions_are_in_the_order_of_time_and_then_of_their_session(home: Path) -> None:
    log = Log()
    batches = [
        log.add(1, [created(1), text(2, "a"), scalar(3, 1, 1.0), text(5, "d"), text(5, "e"), text(9, "i")]),
        log.add(2, [text(2, "x", OTHER), text(3, "b"), text(4, "c"), text(5, "f"), text(8, "h")]),
        log.add(1, [text(9, "j"), text(9, "k")]),
        log.add(2, [text(8, "hh")]),
    ]
    views = views_of(home, batches)
    assert [line.text for line in views.text(TASK)] == [
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "h",
        "hh",
        "i",
        "j",
        "k",
    ]
    close(views)


def test_a_line_keeps_its_level_and_blob_and_a_long_one_is_whole(home: Path) -> None:
    long = "ü and more " * 5000
    views = views_of(
        home, [Log().add(1, [created(1), events.TextReported(2, TASK, long, 40, "ab" * 32), text(3, "")])]
    )
    first, second = views.text(TASK)
    assert (first.time, first.text, first.level, first.blob) == (2, long, 40, "ab" * 32)
    assert (second.text, second.level, second.blob) == ("", 20, "")
    close(views)


def test_lines_from_before_a_reset_are_not_shown(home: Path) -> None:
    log = Log()
    batches = [log.add(1, [created(1), text(2, "old"), events.TaskReset(3, TASK), text(3, "new")])]
    views = views_of(home, batches)
    assert [line.text for line in views.text(TASK)] == ["new"]
    with pytest.raises(NotFound, match=OTHER):
        views.text(OTHER)
    close(views)


def test_the_history_is_every_event_of_the_task_in_order(home: Path) -> None:
    log, other = Log(1), Log(2)
    unknown = msgspec.msgpack.encode(["TaskTeleported", 6, TASK])
    batches = [
        log.add(1, [created(1), scalar(2, 1, 1.0), events.ProgressSet(4, TASK, 5), unknown, text(7, "a")]),
        other.add(1, [scalar(3, 2, 2.0), events.ProgressSet(5, TASK, 6), scalar(5, 3, 3.0, task=OTHER)]),
        log.add(1, [scalar(7, 3, 3.0), events.TaskReset(8, TASK), scalar(9, 4, 4.0)]),
    ]
    views = views_of(home, batches)
    shown = list(views.events(TASK))
    expected = sorted(
        (numbered for batch in batches for numbered in batch.events() if numbered.event.task == TASK),
        key=lambda numbered: numbered.order,
    )
    assert shown == expected
    assert len(shown) == 10
    assert list(views.events(TASK, reports=False)) == [one for one in expected if not one.event.is_report]
    between = list(views.events(TASK, first_time=3, last_time=7))
    assert between == [one for one in expected if 3 <= one.event.time <= 7]
    assert list(views.events(TASK, first_time=10)) == []
    with pytest.raises(NotFound, match="no task ffff"):
        views.events("f" * 32)
    with pytest.raises(NotFound, match="given whole here; `eventlog show ffff`"):
        views.task("ffff")
    close(views)


def test_a_batch_of_nothing_but_text_is_in_the_history(home: Path) -> None:
    log = Log()
    views = views_of(home, [log.add(1, [created(1)]), log.add(1, [text(2, "a"), text(3, "b")])])
    assert [one.event for one in views.events(TASK)] == [created(1), text(2, "a"), text(3, "b")]
    close(views)


def test_a_report_of_a_kind_that_is_not_known_is_in_the_history_once(home: Path) -> None:
    """Only the frame that it lies in tells that it is a report."""
    log = Log()
    log.add(1, [created(1), scalar(2, 1, 1.0)])
    raw = msgspec.msgpack.encode(["SmellReported", 2, TASK, "x"])
    data = events.encode_event(scalar(2, 1, 1.0))
    views = _views_with_report(home, raw, data)
    kinds = [type(one.event).__name__ for one in views.events(TASK)]
    assert kinds == ["TaskCreated", "Unknown", "ScalarReported"]
    assert views.task(TASK).unknown == 0
    assert [kind.count for kind in views.series(TASK)] == [1]
    assert views.check() == []
    close(views)


def _views_with_report(home: Path, *reports: bytes) -> Views:
    from eventlog.batch import FIRST_PREVIOUS, Batch, encode_batch

    batch = Batch.read(
        encode_batch(
            store=b"s" * 16,
            number=0,
            previous=FIRST_PREVIOUS,
            session=b"p" * 16,
            first=0,
            events=[events.encode_event(created(1)), *reports],
            states=[0],
            first_time=1,
            last_time=2,
        )
    )
    return views_of(home, [batch])


def test_a_long_history_is_read_a_part_at_a_time_while_the_log_goes_on(home: Path) -> None:
    log, store = Log(), Store.open(home)
    store.admit([log.add(1, [created(1)])])
    store.admit([log.add(1, [events.ProgressSet(2 + at, TASK, at % 100) for at in range(2500)])])
    views = Views.open(store)
    views.catch_up()
    seen = 0
    for numbered in views.events(TASK, reports=False):
        assert numbered.number == seen
        seen += 1
        if seen % 700 == 0:
            # A transaction left open across a yield would keep this from growing the map, for ever.
            store.admit([log.add(2, [events.TagsAdded(1, TASK, [str(seen)])])])
            views.catch_up()
    assert seen == 2501
    assert len(views.task(TASK).tags) == 3
    close(views)
