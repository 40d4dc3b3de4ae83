"""Given these events, then this state."""

import copy

import msgspec
import pytest

from eventlog import events
from eventlog.events import Parameter
from eventlog.projections.session import SessionState, evolve_session
from eventlog.projections.task import TASK as TASK_PROJECTION
from eventlog.projections.task import DeliveryState, TaskState, evolve_task, fold_task
from tests.projections.logs import OTHER, TASK, created, numbered


def fold(*given: events.Event) -> TaskState:
    return fold_task(TaskState(""), numbered(*given))


def test_a_created_task_is_what_its_event_says() -> None:
    state = fold(events.TaskCreated(5, TASK, "baseline", "digits/a", "testing", "a comment", "parent"))
    assert state == TaskState(
        TASK,
        "baseline",
        "digits/a",
        "testing",
        created=5,
        changed=5,
        comment="a comment",
        parent="parent",
        sessions=[b"s" * 16],
        is_created=True,
    )
    assert state.status == "created"


@pytest.mark.parametrize(
    ("end", "status", "reason", "traceback"),
    [
        (events.TaskCompleted(9, TASK), "completed", "", ""),
        (events.TaskFailed(9, TASK, "ValueError", "Traceback …"), "failed", "ValueError", "Traceback …"),
        (events.TaskStopped(9, TASK, "SIGTERM", "by hand"), "stopped", "SIGTERM", ""),
    ],
)
def test_an_end_sets_the_status_and_a_new_start_takes_it_back(
    end: events.Event, status: str, reason: str, traceback: str
) -> None:
    started = (created(1), events.TaskStarted(2, TASK))
    state = fold(*started, end)
    assert (state.status, state.status_reason, state.traceback) == (status, reason, traceback)
    assert (state.started, state.ended, state.changed) == (2, 9, 9)
    again = fold(*started, end, events.TaskStarted(12, TASK))
    assert (again.status, again.status_reason, again.traceback) == ("in_progress", "", "")
    assert (again.started, again.ended, again.status_message) == (2, None, "")


def test_an_end_keeps_its_message_and_publishing_keeps_why_it_ended() -> None:
    failed = (created(1), events.TaskFailed(9, TASK, "ValueError", "Traceback …", "the data is bad"))
    assert fold(*failed).status_message == "the data is bad"
    published = fold(*failed, events.TaskPublished(10, TASK))
    assert (published.status, published.published, published.ended) == ("published", 10, 9)
    assert (published.status_reason, published.traceback) == ("ValueError", "Traceback …")
    assert published.status_message == "the data is bad"
    assert fold(*failed, events.TaskPublished(10, TASK, "for the paper")).status_message == "for the paper"


@pytest.mark.parametrize(
    ("after", "status"),
    [
        (events.TaskStarted(11, TASK), "in_progress"),
        (events.TaskStopped(11, TASK), "stopped"),
        (events.TaskReset(11, TASK), "created"),
    ],
)
def test_a_task_is_published_only_while_that_is_its_status(after: events.Event, status: str) -> None:
    state = fold(created(1), events.TaskPublished(10, TASK), after)
    assert (state.status, state.published) == (status, None)


def test_an_edit_changes_what_it_names_and_nothing_else() -> None:
    before = fold(created(1))
    for event, field, value in (
        (events.TaskRenamed(5, TASK, "n"), "name", "n"),
        (events.TaskMoved(5, TASK, "p"), "project", "p"),
        (events.TaskTypeSet(5, TASK, "testing"), "type", "testing"),
        (events.CommentSet(5, TASK, "c"), "comment", "c"),
        (events.ParentSet(5, TASK, OTHER), "parent", OTHER),
        (events.DestinationSet(5, TASK, "s3://b"), "destination", "s3://b"),
        (events.LabelsSet(5, TASK, {"cat": 1}), "labels", {"cat": 1}),
        (events.SystemTagsAdded(5, TASK, ["b", "a"]), "system_tags", ["a", "b"]),
        (events.TaskDeleted(5, TASK), "is_deleted", True),
    ):
        expected = copy.deepcopy(before)
        setattr(expected, field, value)
        expected.changed = 5
        assert fold_task(before, numbered(event)) == expected


def test_system_tags_are_apart_from_tags() -> None:
    state = fold(
        created(1),
        events.TagsAdded(2, TASK, ["archived", "a"]),
        events.SystemTagsAdded(3, TASK, ["archived", "b"]),
        events.SystemTagsRemoved(4, TASK, ["archived", "a"]),
    )
    assert (state.tags, state.system_tags) == (["a", "archived"], ["b"])


def test_configurations_properties_labels_and_container_are_as_last_set() -> None:
    first = events.ConfigurationSet(2, TASK, "net", "a: 1", type="yaml")
    second = events.ConfigurationSet(3, TASK, "net", "a: 2", type="yaml")
    other = events.ConfigurationSet(4, TASK, "data", "{}")
    container = events.ContainerSet(8, TASK, "python:3.11", "--gpus all")
    state = fold(
        created(1),
        first,
        second,
        other,
        events.PropertiesSet(5, TASK, {"a": Parameter("1"), "b": Parameter("1")}),
        events.PropertiesSet(6, TASK, {"b": Parameter("2")}),
        events.LabelsSet(6, TASK, {"cat": 1, "dog": 2}),
        events.LabelsSet(7, TASK, {"dog": 3}),
        events.ContainerSet(7, TASK, "old"),
        container,
    )
    assert state.configurations == {"net": second, "data": other}
    assert state.properties == {"a": Parameter("1"), "b": Parameter("2")}
    assert (state.labels, state.container) == ({"dog": 3}, container)
    later = fold_task(
        state,
        numbered(
            events.ConfigurationsDeleted(9, TASK, ["net", "x"]), events.PropertiesDeleted(9, TASK, ["a", "x"])
        ),
    )
    assert (list(later.configurations), list(later.properties)) == (["data"], ["b"])


def test_models_are_in_the_order_in_which_they_were_last_linked() -> None:
    def link(time: int, model: str, direction: str = "output", name: str = "") -> events.ModelLinked:
        return events.ModelLinked(time, TASK, model, direction, name)

    linked = (link(2, "m1"), link(3, "m2"), link(4, "m1", "input"), link(5, "m1", name="again"))
    state = fold(created(1), *linked)
    assert state.models == [linked[1], linked[2], linked[3]]
    unlinked = fold_task(state, numbered(events.ModelsUnlinked(6, TASK, ["m1", "x"], "output")))
    assert unlinked.models == [linked[1], linked[2]]


def test_a_delivery_is_what_was_last_said_of_the_blob_that_was_last_asked_for() -> None:
    url, one, two = "s3://b/f", "aa" * 32, "bb" * 32
    asked = (created(1), events.DeliveryRequested(2, TASK, one, url))

    def deliveries(*more: events.Event) -> dict[str, DeliveryState]:
        return fold(*asked, *more).deliveries

    assert deliveries() == {url: DeliveryState(one, "waiting")}
    failed = events.DeliveryFailed(3, TASK, one, url, "no route")
    assert deliveries(failed) == {url: DeliveryState(one, "failed", "no route")}
    done = events.DeliveryCompleted(4, TASK, one, url)
    assert deliveries(failed, done) == {url: DeliveryState(one, "completed")}
    again = events.DeliveryRequested(5, TASK, two, url)
    assert deliveries(done, again) == {url: DeliveryState(two, "waiting")}
    # What arrived late is not what is wanted by now, and nobody asked for the other.
    assert deliveries(again, events.DeliveryCompleted(6, TASK, one, url)) == {url: DeliveryState(two)}
    assert deliveries(events.DeliveryCompleted(6, TASK, one, "s3://b/g")) == {url: DeliveryState(one)}


def test_a_draft_that_is_started_keeps_what_was_set_before() -> None:
    state = fold(
        created(1),
        events.ParametersSet(2, TASK, {"a": Parameter("1")}),
        events.ConfigurationSet(2, TASK, "net", "a: 1"),
        events.TaskStarted(3, TASK),
    )
    assert (state.parameters, list(state.configurations)) == ({"a": Parameter("1")}, ["net"])


def test_tags_are_a_sorted_set() -> None:
    state = fold(
        created(1),
        events.TagsAdded(2, TASK, ["b", "a"]),
        events.TagsAdded(3, TASK, ["a", "c"]),
        events.TagsRemoved(4, TASK, ["b", "never there"]),
    )
    assert state.tags == ["a", "c"]


def test_parameters_are_merged_replaced_and_deleted() -> None:
    one, two = Parameter("1", "int"), Parameter("2", "int")
    merged = (
        created(1),
        events.ParametersSet(2, TASK, {"Args/a": one, "Args/b": one}),
        events.ParametersSet(3, TASK, {"Args/b": two}),
    )
    assert fold(*merged).parameters == {"Args/a": one, "Args/b": two}
    assert fold(*merged, events.ParametersDeleted(4, TASK, ["Args/a", "x"])).parameters == {"Args/b": two}
    assert fold(*merged, events.ParametersSet(4, TASK, {"x": one}, replace=True)).parameters == {"x": one}


def test_the_last_progress_single_value_execution_and_artifact_count() -> None:
    first = events.ArtifactUploaded(6, TASK, "model", "file", "aa" * 32, 1, "model.bin")
    second = events.ArtifactUploaded(7, TASK, "model", "file", "bb" * 32, 2, "model.bin")
    state = fold(
        created(1),
        events.ProgressSet(2, TASK, 10),
        events.ProgressSet(3, TASK, 20),
        events.SingleValueReported(4, TASK, "accuracy", 0.5),
        events.SingleValueReported(5, TASK, "accuracy", 0.75),
        first,
        second,
        events.ExecutionRecorded(8, TASK, branch="old"),
        events.ExecutionRecorded(9, TASK, branch="new"),
    )
    assert state.progress == 20
    assert state.single_values == {"accuracy": 0.75}
    assert state.artifacts == {"model": second}
    assert state.execution is not None
    assert state.execution.branch == "new"
    assert fold_task(state, numbered(events.ArtifactsDeleted(10, TASK, ["model", "x"]))).artifacts == {}


def test_a_reset_clears_what_runs_left_and_keeps_what_a_person_said() -> None:
    state = fold(
        events.TaskCreated(1, TASK, "baseline", "digits", "testing", "a comment", "parent"),
        events.TaskStarted(2, TASK),
        events.TagsAdded(3, TASK, ["best"]),
        events.SystemTagsAdded(3, TASK, ["archived"]),
        events.PropertiesSet(3, TASK, {"a": Parameter("1")}),
        events.ContainerSet(3, TASK, "python:3.11"),
        events.DestinationSet(3, TASK, "s3://b"),
        events.ParametersSet(4, TASK, {"a": Parameter("1")}),
        events.ConfigurationSet(4, TASK, "net", "a: 1"),
        events.LabelsSet(4, TASK, {"cat": 1}),
        events.ModelLinked(4, TASK, OTHER, "input"),
        events.DeliveryRequested(4, TASK, "aa" * 32, "s3://b/f"),
        events.ProgressSet(5, TASK, 10),
        events.SingleValueReported(6, TASK, "accuracy", 0.5),
        events.ArtifactUploaded(7, TASK, "model", "file", "aa" * 32, 1, "model.bin"),
        events.ExecutionRecorded(8, TASK),
        events.TaskFailed(9, TASK, "reason", "traceback", "message"),
        events.TaskReset(10, TASK),
    )
    assert state == TaskState(
        TASK,
        "baseline",
        "digits",
        "testing",
        created=1,
        changed=10,
        comment="a comment",
        parent="parent",
        tags=["best"],
        system_tags=["archived"],
        properties={"a": Parameter("1")},
        container=events.ContainerSet(3, TASK, "python:3.11"),
        destination="s3://b",
        sessions=[b"s" * 16],
        reset_time=10,
        is_created=True,
    )


def test_what_comes_before_the_creation_is_known_is_folded_all_the_same() -> None:
    state = fold(events.TaskStarted(2, TASK), events.ProgressSet(3, TASK, 10))
    assert (state.id, state.name, state.status, state.progress) == (TASK, "", "in_progress", 10)
    assert (state.created, state.is_created) == (2, False)
    later = fold_task(state, numbered(created(4)))
    assert (later.name, later.status, later.progress, later.created) == ("baseline", "in_progress", 10, 4)


def test_events_of_unknown_kinds_are_counted_and_reports_change_nothing() -> None:
    unknown = events.decode_event(msgspec.msgpack.encode(["TaskTeleported", 5, TASK, {"by": "someone"}]))
    state = fold(created(1), unknown, unknown)
    assert (state.unknown, state.changed) == (2, 5)
    assert fold(unknown, created(9)).created == 9
    assert fold(unknown).id == ""
    assert fold_task(state, numbered(events.ScalarReported(9, TASK, "a", "b", 1, 1.0))) == state


def test_sessions_are_in_the_order_in_which_they_last_started_it() -> None:
    started = events.TaskStarted(2, TASK)
    state = TaskState("")
    for session in (b"a" * 16, b"b" * 16, b"a" * 16):
        state = fold_task(state, numbered(started, session=session))
    assert state.sessions == [b"b" * 16, b"a" * 16]


def test_evolving_leaves_the_state_that_was_given_as_it_was() -> None:
    given = numbered(
        created(1),
        events.TagsAdded(2, TASK, ["a"]),
        events.ParametersSet(3, TASK, {"a": Parameter("1")}),
        events.SingleValueReported(4, TASK, "accuracy", 0.5),
        events.ArtifactUploaded(5, TASK, "model", "file", "aa" * 32, 1, "model.bin"),
        events.ConfigurationSet(6, TASK, "net", "a: 1"),
        events.PropertiesSet(6, TASK, {"a": Parameter("1")}),
        events.DeliveryRequested(6, TASK, "aa" * 32, "s3://b/f"),
        events.DeliveryCompleted(6, TASK, "aa" * 32, "s3://b/f"),
        events.ModelLinked(6, TASK, OTHER, "input"),
        events.ModelsUnlinked(6, TASK, [OTHER], "input"),
        events.SystemTagsAdded(6, TASK, ["archived"]),
        events.TaskStarted(6, TASK),
        events.TaskReset(7, TASK),
    )
    state = TASK_PROJECTION.initial()
    for one in given:
        before = copy.deepcopy(state)
        after = evolve_task(state, one)
        assert state == before
        assert after != before
        state = after
    assert state == fold_task(TaskState(""), given)


def test_a_session_is_what_its_events_say() -> None:
    given = numbered(
        events.SessionStarted(1, "", "host", "user", 7, "eventlog 0.1.0", "3.11.7", ["train.py"]),
        events.EventsDropped(2, "", 3, "disk full"),
        events.EventsDropped(3, "", 4, "disk full"),
        events.SessionEnded(4, "", "closed"),
    )
    state = SessionState()
    for one in [*given, *given]:
        # Seen twice, an event counts once.
        state = evolve_session(state, one)
    assert state == SessionState(
        b"s" * 16, "host", "user", 7, "eventlog 0.1.0", "3.11.7", ["train.py"], 1, 4, "closed", 7, 4
    )
