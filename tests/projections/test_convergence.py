"""Two stores that saw the same batches show the same, byte for byte, whatever the order they saw them in."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import events
from eventlog.batch import Batch
from eventlog.events import Event, Parameter
from eventlog.projections import TaskQuery, Views
from eventlog.projections.task import TaskState, fold_task
from eventlog.store import Store
from tests.projections.logs import OTHER, TASK, Log, close, scratch

TASKS = st.sampled_from([TASK, OTHER, "an id from elsewhere", TASK.upper()])
WORDS = st.sampled_from(["a", "b", "a/b", "ü", ""])
PARAMETERS = st.dictionaries(WORDS, st.builds(Parameter, WORDS), max_size=3)
VALUES = st.sampled_from([0.0, -0.0, 1.5, -1.5, math.inf, -math.inf, math.nan, -math.nan])


UNKNOWN = "TaskPublished"
AT = st.just(0)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(events.TaskCreated, AT, TASKS, WORDS, WORDS),
    st.builds(events.TaskStarted, AT, TASKS),
    st.builds(events.TaskReset, AT, TASKS),
    st.builds(events.TaskCompleted, AT, TASKS),
    st.builds(events.TaskFailed, AT, TASKS, WORDS, WORDS),
    st.builds(events.TagsAdded, AT, TASKS, st.lists(WORDS, max_size=3)),
    st.builds(events.TagsRemoved, AT, TASKS, st.lists(WORDS, max_size=3)),
    st.builds(events.ParametersSet, AT, TASKS, PARAMETERS, st.booleans()),
    st.builds(events.ParametersDeleted, AT, TASKS, st.lists(WORDS, max_size=2)),
    st.builds(events.ProgressSet, AT, TASKS, st.integers(0, 100)),
    st.builds(events.SingleValueReported, AT, TASKS, WORDS, VALUES),
    st.builds(events.ExecutionRecorded, AT, TASKS, WORDS),
    st.builds(events.ArtifactUploaded, AT, TASKS, WORDS, WORDS, WORDS, st.just(1), WORDS),
    st.builds(events.EventsDropped, AT, st.just(""), st.integers(1, 9)),
    st.builds(events.ScalarReported, AT, TASKS, WORDS, WORDS, st.integers(-2, 2), VALUES),
    st.builds(events.ScalarReported, AT, TASKS, WORDS, WORDS, st.integers(-2, 2), VALUES),
    st.builds(events.TextReported, AT, TASKS, WORDS),
    st.builds(events.Unknown, AT, TASKS, st.just(UNKNOWN), st.just(b"")),
)


def at_time(event: Event, time: int) -> Event | bytes:
    if isinstance(event, events.Unknown):
        return msgspec.msgpack.encode([UNKNOWN, time, event.task])
    return msgspec.structs.replace(event, time=time)


@st.composite
def logs(draw: st.DrawFn) -> list[Log]:
    """Up to three stores of two sessions each; within a session, times never go back."""
    made = []
    for store in range(1, draw(st.integers(1, 3)) + 1):
        log = Log(store)
        last = {1: 1, 2: 1}
        for session in draw(st.lists(st.sampled_from([1, 2]), min_size=1, max_size=5)):
            new: list[Event | bytes] = []
            for step in draw(st.lists(st.integers(0, 4), min_size=1, max_size=8)):
                last[session] += step
                new.append(at_time(draw(EVENTS), last[session]))
            log.add(session, new)
        made.append(log)
    return made


@st.composite
def arrivals(draw: st.DrawFn, made: list[Log]) -> list[list[Batch]]:
    """The batches of all stores, each store's in order, in deliveries of random size."""
    left = [list(log.batches) for log in made]
    order: list[Batch] = []
    while any(left):
        order.append(draw(st.sampled_from([rest for rest in left if rest])).pop(0))
    deliveries = []
    while order:
        size = draw(st.integers(1, len(order)))
        deliveries.append(order[:size])
        del order[:size]
    return deliveries


def everything(views: Views) -> dict[str, Any]:
    """All that can be asked of views, as bytes."""
    encode = msgspec.msgpack.encode
    shown: dict[str, Any] = {"sessions": encode(sorted(views.sessions().items()))}
    rows = views.find(TaskQuery(order="id"))
    shown["rows"] = encode(rows)
    shown["changed"] = [row.id for row in views.find(TaskQuery(order="changed", limit=2))]
    for row in rows:
        task = row.id
        shown[task] = encode(views.task(task))
        shown[task, "at"] = [encode(views.task_at(task, row.changed + late)) for late in (0, 1)]
        shown[task, "series"] = encode(views.series(task))
        for one in views.series(task):
            table = views.scalars(task, one.title, one.series).combine_chunks()
            shown[task, one.title, one.series] = [
                column.to_pylist() if name != "value" else encode(column.to_pylist())
                for name, column in zip(table.column_names, table.columns, strict=True)
            ]
        shown[task, "text"] = encode(views.text(task))
        shown[task, "events"] = list(history(views, task))
    return shown


def history(views: Views, task: str) -> Iterator[bytes]:
    last: tuple[int, bytes, int] = (0, b"", 0)
    for numbered in views.events(task):
        assert numbered.order > last
        last = numbered.order
        yield repr(numbered).encode()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_whatever_the_order_of_arrival_views_are_the_same(data: st.DataObject) -> None:
    made = data.draw(logs())
    shown = []
    for _ in range(2):
        with scratch() as folder:
            store = Store.open(folder)
            views = Views.open(store)
            for delivery in data.draw(arrivals(made)):
                store.admit(delivery)
                views.catch_up(reports=data.draw(st.booleans()))
            views.catch_up(reports=True)
            assert views.check() == []
            shown.append(everything(views))
            close(views)
    assert shown[0] == shown[1]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_folding_as_events_come_is_folding_them_at_once(data: st.DataObject) -> None:
    made = data.draw(logs())
    of_tasks: dict[str, list[Any]] = {}
    for log in made:
        for batch in log.batches:
            for numbered in batch.state_events():
                of_tasks.setdefault(numbered.event.task, []).append(numbered)
    of_tasks.pop("", None)
    with scratch() as folder:
        store = Store.open(folder)
        views = Views.open(store)
        for delivery in data.draw(arrivals(made)):
            store.admit(delivery)
            views.catch_up()
        assert {row.id for row in views.find()} == set(of_tasks)
        for task, given_events in of_tasks.items():
            expected = fold_task(TaskState(""), sorted(given_events, key=lambda one: one.order))
            shown = views.task(task)
            last = views.sessions().get(expected.sessions[-1]) if expected.sessions else None
            dropped = sum(
                views.sessions()[session].dropped
                for session in expected.sessions
                if session in views.sessions()
            )
            assert (shown.host, shown.dropped) == (last.host if last else "", dropped)
            shown.host, shown.user, shown.dropped = expected.host, expected.user, expected.dropped
            assert msgspec.msgpack.encode(shown) == msgspec.msgpack.encode(expected)
        close(views)


def test_a_late_event_of_a_dead_session_does_not_undo_what_came_after(home: Path) -> None:
    """The recovery of a killed session appends its failure at the time of its last event."""
    one, two = Log(1), Log(2)
    killed = one.add(1, [events.TaskCreated(1, TASK, "n", "p"), events.TaskStarted(2, TASK)])
    restarted = two.add(1, [events.TaskStarted(10, TASK), events.TaskCompleted(20, TASK)])
    late = one.add(1, [events.TaskFailed(3, TASK, "killed")])
    store = Store.open(home)
    views = Views.open(store)
    for batch, status in ((killed, "in_progress"), (restarted, "completed"), (late, "completed")):
        store.admit([batch])
        views.catch_up()
        assert views.task(TASK).status == status
    assert views.task_at(TASK, 5).status == "failed"
    close(views)
