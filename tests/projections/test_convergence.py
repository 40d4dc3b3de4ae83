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
from eventlog.projections import ModelQuery, ModelState, TaskQuery, Views
from eventlog.projections.model import fold_model
from eventlog.projections.task import TaskState, fold_task
from eventlog.store import Store
from tests.projections.logs import OTHER, TASK, Log, close, scratch

TASKS = st.sampled_from([TASK, OTHER, "an id from elsewhere", TASK.upper()])
WORDS = st.sampled_from(["a", "b", "a/b", "ü", ""])
PARAMETERS = st.dictionaries(WORDS, st.builds(Parameter, WORDS), max_size=3)
VALUES = st.sampled_from([0.0, -0.0, 1.5, -1.5, math.inf, -math.inf, math.nan, -math.nan])


MODELS = st.sampled_from(["aa" * 16, "a model from elsewhere"])
# A model's own events, mixed with those of tasks under the same id, must not spoil either.
ANY = TASKS | MODELS
LABELS = st.dictionaries(WORDS, st.integers(0, 3), max_size=2)
MAYBE = st.none() | WORDS
NAMES = st.lists(WORDS, max_size=2)

UNKNOWN = "TaskTeleported"
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
    st.builds(events.TaskStopped, AT, TASKS, WORDS, WORDS),
    st.builds(events.TaskPublished, AT, TASKS, WORDS),
    st.builds(events.TaskDeleted, AT, TASKS),
    st.builds(events.TaskRenamed, AT, TASKS, WORDS),
    st.builds(events.TaskMoved, AT, TASKS, WORDS),
    st.builds(events.TaskTypeSet, AT, TASKS, WORDS),
    st.builds(events.CommentSet, AT, TASKS, WORDS),
    st.builds(events.ParentSet, AT, TASKS, WORDS),
    st.builds(events.SystemTagsAdded, AT, TASKS, NAMES),
    st.builds(events.SystemTagsRemoved, AT, TASKS, NAMES),
    st.builds(events.ConfigurationSet, AT, TASKS, WORDS, WORDS),
    st.builds(events.ConfigurationsDeleted, AT, TASKS, NAMES),
    st.builds(events.LabelsSet, AT, TASKS, LABELS),
    st.builds(events.PropertiesSet, AT, TASKS, PARAMETERS),
    st.builds(events.PropertiesDeleted, AT, TASKS, NAMES),
    st.builds(events.ContainerSet, AT, TASKS, WORDS),
    st.builds(events.DestinationSet, AT, TASKS, WORDS),
    st.builds(events.ArtifactsDeleted, AT, TASKS, NAMES),
    st.builds(events.DeliveryRequested, AT, TASKS, WORDS, WORDS),
    st.builds(events.DeliveryCompleted, AT, TASKS, WORDS, WORDS),
    st.builds(events.DeliveryFailed, AT, TASKS, WORDS, WORDS, WORDS),
    st.builds(events.ModelLinked, AT, TASKS, WORDS, st.sampled_from(["input", "output"]), WORDS),
    st.builds(events.ModelsUnlinked, AT, TASKS, NAMES, st.sampled_from(["input", "output"])),
    st.builds(events.ModelCreated, AT, ANY, WORDS, WORDS, WORDS, WORDS, WORDS, NAMES, WORDS, LABELS),
    st.builds(events.ModelWeightsSet, AT, MODELS, WORDS, st.just(1), WORDS, made_by=WORDS),
    st.builds(events.ModelChanged, AT, MODELS, MAYBE, MAYBE, tags=st.none() | NAMES),
    st.builds(events.ModelMetadataSet, AT, MODELS, PARAMETERS, st.booleans()),
    st.builds(events.ModelPublished, AT, MODELS),
    st.builds(events.ModelArchived, AT, MODELS),
    st.builds(events.ModelUnarchived, AT, MODELS),
    st.builds(events.ModelDeleted, AT, MODELS),
    st.builds(events.EventsDropped, AT, st.just(""), st.integers(1, 9)),
    st.builds(events.ScalarReported, AT, ANY, WORDS, WORDS, st.integers(-2, 2), VALUES),
    st.builds(events.ScalarReported, AT, ANY, WORDS, WORDS, st.integers(-2, 2), VALUES),
    st.builds(events.TextReported, AT, TASKS, WORDS),
    st.builds(events.PlotReported, AT, ANY, WORDS, WORDS, st.integers(-2, 2), WORDS),
    st.builds(events.MediaReported, AT, ANY, WORDS, WORDS, st.integers(-2, 2), st.just("image"), WORDS),
    st.builds(events.Unknown, AT, ANY, st.just(UNKNOWN), st.just(b"")),
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
        shown[task, "text"] = encode(views.text(task))
        shown[task, "reports"] = reports(views, task)
        shown[task, "events"] = list(history(views, task))
    models = views.models(ModelQuery(include_archived=True))
    shown["models"] = encode(models)
    for model in models:
        assert encode(views.model(model.id)) == encode(model)
        shown[model.id, "reports"] = reports(views, model.id)
        shown[model.id, "events"] = list(history(views, model.id))
    return shown


def reports(views: Views, about: str) -> dict[Any, Any]:
    encode = msgspec.msgpack.encode
    shown: dict[Any, Any] = {"series": encode(views.series(about))}
    for one in views.series(about):
        table = views.scalars(about, one.title, one.series).combine_chunks()
        shown[one.title, one.series] = [
            column.to_pylist() if name != "value" else encode(column.to_pylist())
            for name, column in zip(table.column_names, table.columns, strict=True)
        ]
    shown["plots"], shown["media"] = encode(views.plots(about)), encode(views.media(about))
    return shown


def history(views: Views, task: str) -> Iterator[bytes]:
    last: tuple[int, bytes, int] = (0, b"", 0)
    for numbered in views.events(task):
        assert numbered.order > last
        last = numbered.order
        yield repr(numbered).encode()


@settings(max_examples=100)
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


@settings(max_examples=100)
@given(data=st.data())
def test_folding_as_events_come_is_folding_them_at_once(data: st.DataObject) -> None:
    made = data.draw(logs())
    of_ids: dict[str, list[Any]] = {}
    for log in made:
        for batch in log.batches:
            for numbered in batch.state_events():
                of_ids.setdefault(numbered.event.task, []).append(numbered)
    of_ids.pop("", None)
    with scratch() as folder:
        store = Store.open(folder)
        views = Views.open(store)
        for delivery in data.draw(arrivals(made)):
            store.admit(delivery)
            views.catch_up()
        all_tasks: dict[str, TaskState] = {}
        all_models: dict[str, ModelState] = {}
        for about, own in of_ids.items():
            own.sort(key=lambda one: one.order)
            all_tasks[about] = fold_task(TaskState(""), own)
            all_models[about] = fold_model(ModelState(""), own)
        # What has events of unknown kinds alone is neither, and what is deleted is not shown.
        tasks = {about: state for about, state in all_tasks.items() if state.id and not state.is_deleted}
        models = {about: state for about, state in all_models.items() if state.id and not state.is_deleted}
        assert {row.id for row in views.find()} == set(tasks)
        shown_models = {model.id: model for model in views.models(ModelQuery(include_archived=True))}
        assert msgspec.msgpack.encode(shown_models, order="sorted") == msgspec.msgpack.encode(
            models, order="sorted"
        )
        for task, expected in tasks.items():
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
