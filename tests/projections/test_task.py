"""Given these events, then this state."""

import copy

import msgspec
import pytest

from eventlog import events
from eventlog.events import Parameter
from eventlog.projections.session import SessionState, evolve_session
from eventlog.projections.task import TASK as TASK_PROJECTION
from eventlog.projections.task import TaskState, evolve_task, fold_task
from tests.projections.logs import TASK, created, numbered


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
        (events.TaskStopped(9, TASK, "SIGTERM"), "stopped", "SIGTERM", ""),
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
    assert (again.started, again.ended) == (2, None)


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
        events.ParametersSet(4, TASK, {"a": Parameter("1")}),
        events.ProgressSet(5, TASK, 10),
        events.SingleValueReported(6, TASK, "accuracy", 0.5),
        events.ArtifactUploaded(7, TASK, "model", "file", "aa" * 32, 1, "model.bin"),
        events.ExecutionRecorded(8, TASK),
        events.TaskFailed(9, TASK, "reason", "traceback"),
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
