"""The state of a task: the fold of its state events.

Events are folded in their order (time, session, number), which is the same on every machine; so is the
state, byte for byte. Nothing here looks anything up: host and user, which the sessions know, are joined
when a state is read.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from eventlog import events
from eventlog.batch import NumberedEvent
from eventlog.events import ArtifactUploaded, Event, ExecutionRecorded, Parameter
from eventlog.projections.projection import Projection

__all__ = ["STATUSES", "TASK", "TaskState", "evolve_task", "fold_task"]

STATUSES = ("created", "in_progress", "completed", "failed", "stopped")


class TaskState(msgspec.Struct, array_like=True):
    """What a task is. Times are in milliseconds since 1970-01-01 UTC.

    Attributes:
        id: its id; 32 hexadecimal digits, unless it comes from elsewhere.
        name: its name, or "" while the event that created it is not here.
        project: its project; "/" separates nested ones.
        type: "training", "testing", …
        status: one of `STATUSES`.
        status_reason: why it has that status, where something was said.
        traceback: of the exception that it failed with.
        created: when it was created, or its first event while the event that created it is not here.
        started: when it first started, since its last reset.
        ended: when it completed, failed or stopped; None once it started again.
        changed: time of its last state event.
        comment: what a person says about it.
        parent: id of the task it was made from, or "".
        tags: sorted.
        parameters: by "section/name".
        progress: in percent, or None if it was never set.
        single_values: the last value reported under each name.
        execution: where the code came from and what it ran with.
        artifacts: by name, as last uploaded.
        host, user: where its last session ran, and whose; joined from the sessions.
        sessions: those that created or started it since its last reset, the last one last.
        reset_time: when it was last reset; reports from before are not shown.
        unknown: how many of its events are of a kind that this version does not know.
        dropped: how many reports its sessions could not keep; joined from the sessions.
        is_created: the event that created it is here.
    """

    id: str
    name: str = ""
    project: str = ""
    type: str = "training"
    status: str = "created"
    status_reason: str = ""
    traceback: str = ""
    created: int = 0
    started: int | None = None
    ended: int | None = None
    changed: int = 0
    comment: str = ""
    parent: str = ""
    tags: list[str] = []
    parameters: dict[str, Parameter] = {}
    progress: int | None = None
    single_values: dict[str, float] = {}
    execution: ExecutionRecorded | None = None
    artifacts: dict[str, ArtifactUploaded] = {}
    host: str = ""
    user: str = ""
    sessions: list[bytes] = []
    reset_time: int | None = None
    unknown: int = 0
    dropped: int = 0
    is_created: bool = False

    def __repr__(self) -> str:
        progress = "" if self.progress is None else f" {self.progress}%"
        return f"<TaskState {self.id[:8]} {self.project}/{self.name}: {self.status}{progress}>"


def evolve_task(state: TaskState, numbered: NumberedEvent) -> TaskState:
    """The state after one more event; the state given is left as it was."""
    return fold_task(state, (numbered,))


def fold_task(state: TaskState, numbered: Iterable[NumberedEvent]) -> TaskState:
    """The state after some more events, which are in their order; the state given is left as it was."""
    state = copy.copy(state)
    state.tags = list(state.tags)
    state.parameters = dict(state.parameters)
    state.single_values = dict(state.single_values)
    state.artifacts = dict(state.artifacts)
    state.sessions = list(state.sessions)
    for session, _, event in numbered:
        if event.is_report:
            continue
        if not state.id:
            state.id = event.task
            state.created = event.time
        state.changed = event.time
        apply = _APPLY.get(type(event))
        if apply is not None:
            apply(state, event, session)
    return state


# How each kind of event changes a state that is ours to change.


def _created(state: TaskState, event: events.TaskCreated, session: bytes) -> None:
    state.name = event.name
    state.project = event.project
    state.type = event.type
    state.comment = event.comment
    state.parent = event.parent
    if not state.is_created:
        state.is_created = True
        state.created = event.time
    _note_session(state, session)


def _started(state: TaskState, event: events.TaskStarted, session: bytes) -> None:
    state.status = "in_progress"
    state.status_reason = ""
    state.traceback = ""
    state.ended = None
    if state.started is None:
        state.started = event.time
    _note_session(state, session)


def _reset(state: TaskState, event: events.TaskReset, session: bytes) -> None:
    state.status = "created"
    state.status_reason = ""
    state.traceback = ""
    state.started = None
    state.ended = None
    state.parameters = {}
    state.progress = None
    state.single_values = {}
    state.execution = None
    state.artifacts = {}
    state.sessions = [session]
    state.reset_time = event.time


def _completed(state: TaskState, event: events.TaskCompleted, session: bytes) -> None:
    _end(state, "completed", event.reason, event.time)


def _failed(state: TaskState, event: events.TaskFailed, session: bytes) -> None:
    _end(state, "failed", event.reason, event.time, event.traceback)


def _stopped(state: TaskState, event: events.TaskStopped, session: bytes) -> None:
    _end(state, "stopped", event.reason, event.time)


def _tags_added(state: TaskState, event: events.TagsAdded, session: bytes) -> None:
    state.tags = sorted({*state.tags, *event.tags})


def _tags_removed(state: TaskState, event: events.TagsRemoved, session: bytes) -> None:
    state.tags = sorted({*state.tags}.difference(event.tags))


def _parameters_set(state: TaskState, event: events.ParametersSet, session: bytes) -> None:
    if event.replace:
        state.parameters = dict(event.parameters)
    else:
        state.parameters.update(event.parameters)


def _parameters_deleted(state: TaskState, event: events.ParametersDeleted, session: bytes) -> None:
    for name in event.names:
        state.parameters.pop(name, None)


def _progress_set(state: TaskState, event: events.ProgressSet, session: bytes) -> None:
    state.progress = event.progress


def _single_value(state: TaskState, event: events.SingleValueReported, session: bytes) -> None:
    state.single_values[event.name] = event.value


def _execution(state: TaskState, event: ExecutionRecorded, session: bytes) -> None:
    state.execution = event


def _artifact_uploaded(state: TaskState, event: ArtifactUploaded, session: bytes) -> None:
    state.artifacts[event.name] = event


def _artifacts_deleted(state: TaskState, event: events.ArtifactsDeleted, session: bytes) -> None:
    for name in event.names:
        state.artifacts.pop(name, None)


def _dropped(state: TaskState, event: events.EventsDropped, session: bytes) -> None:
    state.dropped += event.count


def _unknown(state: TaskState, event: events.Unknown, session: bytes) -> None:
    state.unknown += 1


def _end(state: TaskState, status: str, reason: str, time: int, traceback: str = "") -> None:
    state.status = status
    state.status_reason = reason
    state.traceback = traceback
    state.ended = time


def _note_session(state: TaskState, session: bytes) -> None:
    if not state.sessions or state.sessions[-1] != session:
        state.sessions = [*(known for known in state.sessions if known != session), session]


_APPLY: dict[type[Event], Callable[[Any, Any, bytes], None]] = {
    events.TaskCreated: _created,
    events.TaskStarted: _started,
    events.TaskReset: _reset,
    events.TaskCompleted: _completed,
    events.TaskFailed: _failed,
    events.TaskStopped: _stopped,
    events.TagsAdded: _tags_added,
    events.TagsRemoved: _tags_removed,
    events.ParametersSet: _parameters_set,
    events.ParametersDeleted: _parameters_deleted,
    events.ProgressSet: _progress_set,
    events.SingleValueReported: _single_value,
    events.ExecutionRecorded: _execution,
    events.ArtifactUploaded: _artifact_uploaded,
    events.ArtifactsDeleted: _artifacts_deleted,
    events.EventsDropped: _dropped,
    events.Unknown: _unknown,
}

TASK: Projection[TaskState] = Projection("tasks", 1, lambda: TaskState(""), evolve_task)
