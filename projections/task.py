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
from eventlog.events import (
    ArtifactUploaded,
    ConfigurationSet,
    ContainerSet,
    Event,
    ExecutionRecorded,
    ModelLinked,
    Parameter,
)
from eventlog.projections.projection import Projection

__all__ = ["STATUSES", "TASK", "DeliveryState", "TaskState", "evolve_task", "fold_task"]

STATUSES = ("created", "in_progress", "completed", "failed", "stopped", "published")


class DeliveryState(msgspec.Struct, array_like=True, frozen=True):
    """How the copying of a blob to a URL stands.

    Attributes:
        blob: SHA-256 of the bytes that were last asked to be there.
        status: "waiting", "completed" or "failed"; one that failed is tried again at the next sync.
        reason: why it failed.
    """

    blob: str
    status: str = "waiting"
    reason: str = ""


class TaskState(msgspec.Struct, array_like=True):
    """What a task is. Times are in milliseconds since 1970-01-01 UTC.

    Attributes:
        id: its id; 32 hexadecimal digits, unless it comes from elsewhere.
        name: its name, or "" while the event that created it is not here.
        project: its project; "/" separates nested ones.
        type: "training", "testing", …
        status: one of `STATUSES`.
        status_reason: why it has that status, in a word or two, where something was said.
        status_message: what more was said of it.
        traceback: of the exception that it failed with.
        created: when it was created, or its first event while the event that created it is not here.
        started: when it first started, since its last reset.
        ended: when it completed, failed or stopped; None once it started again.
        published: when it was published; None unless `status` is "published".
        changed: time of its last state event.
        comment: what a person says about it.
        parent: id of the task it was made from, or "".
        tags: sorted.
        system_tags: tags that programs give and read, such as "archived"; sorted.
        parameters: by "section/name".
        configurations: by name, as last set.
        labels: the number of each label.
        properties: what a person gave it, by name.
        container: what it is meant to run in, or None.
        destination: URL of the folder that artifacts and models are copied to, or "".
        models: those that it reads or has made, in the order in which they were last linked.
        deliveries: by URL.
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
        is_deleted: it is no longer shown.
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
    is_deleted: bool = False
    status_message: str = ""
    published: int | None = None
    system_tags: list[str] = []
    configurations: dict[str, ConfigurationSet] = {}
    labels: dict[str, int] = {}
    properties: dict[str, Parameter] = {}
    container: ContainerSet | None = None
    destination: str = ""
    models: list[ModelLinked] = []
    deliveries: dict[str, DeliveryState] = {}

    def __repr__(self) -> str:
        progress = "" if self.progress is None else f" {self.progress}%"
        return f"<TaskState {self.id[:8]} {self.project}/{self.name}: {self.status}{progress}>"


def evolve_task(state: TaskState, numbered: NumberedEvent) -> TaskState:
    """The state after one more event; the state given is left as it was."""
    return fold_task(state, (numbered,))


def fold_task(state: TaskState, numbered: Iterable[NumberedEvent]) -> TaskState:
    """The state after some more events, which are in their order; the state given is left as it was.

    Events of unknown kinds are counted, but do not make a task: they may be about something else.
    """
    state = copy.copy(state)
    state.tags = list(state.tags)
    state.parameters = dict(state.parameters)
    state.single_values = dict(state.single_values)
    state.artifacts = dict(state.artifacts)
    state.sessions = list(state.sessions)
    state.configurations = dict(state.configurations)
    state.properties = dict(state.properties)
    state.deliveries = dict(state.deliveries)
    for session, _, event in numbered:
        if event.is_report or event.is_about_model:
            continue
        if not state.id and not isinstance(event, events.Unknown):
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
    _set_status(state, "in_progress")
    state.ended = None
    if state.started is None:
        state.started = event.time
    _note_session(state, session)


def _reset(state: TaskState, event: events.TaskReset, session: bytes) -> None:
    _set_status(state, "created")
    state.started = None
    state.ended = None
    state.parameters = {}
    state.configurations = {}
    state.labels = {}
    state.models = []
    state.deliveries = {}
    state.progress = None
    state.single_values = {}
    state.execution = None
    state.artifacts = {}
    state.sessions = [session]
    state.reset_time = event.time


def _completed(state: TaskState, event: events.TaskCompleted, session: bytes) -> None:
    _set_status(state, "completed", event.reason, event.message)
    state.ended = event.time


def _failed(state: TaskState, event: events.TaskFailed, session: bytes) -> None:
    _set_status(state, "failed", event.reason, event.message, event.traceback)
    state.ended = event.time


def _stopped(state: TaskState, event: events.TaskStopped, session: bytes) -> None:
    _set_status(state, "stopped", event.reason, event.message)
    state.ended = event.time


def _published(state: TaskState, event: events.TaskPublished, session: bytes) -> None:
    # Why it ended is still worth knowing.
    message = event.message or state.status_message
    _set_status(state, "published", state.status_reason, message, state.traceback)
    state.published = event.time


def _deleted(state: TaskState, event: events.TaskDeleted, session: bytes) -> None:
    state.is_deleted = True


def _field_set(state: TaskState, event: Event, session: bytes) -> None:
    field = _FIELDS[type(event)]
    setattr(state, field, getattr(event, field))


def _tags_added(state: TaskState, event: events.TagsAdded, session: bytes) -> None:
    state.tags = sorted({*state.tags, *event.tags})


def _tags_removed(state: TaskState, event: events.TagsRemoved, session: bytes) -> None:
    state.tags = sorted({*state.tags}.difference(event.tags))


def _system_tags_added(state: TaskState, event: events.SystemTagsAdded, session: bytes) -> None:
    state.system_tags = sorted({*state.system_tags, *event.tags})


def _system_tags_removed(state: TaskState, event: events.SystemTagsRemoved, session: bytes) -> None:
    state.system_tags = sorted({*state.system_tags}.difference(event.tags))


def _parameters_set(state: TaskState, event: events.ParametersSet, session: bytes) -> None:
    if event.replace:
        state.parameters = dict(event.parameters)
    else:
        state.parameters.update(event.parameters)


def _parameters_deleted(state: TaskState, event: events.ParametersDeleted, session: bytes) -> None:
    for name in event.names:
        state.parameters.pop(name, None)


def _configuration_set(state: TaskState, event: ConfigurationSet, session: bytes) -> None:
    state.configurations[event.name] = event


def _configurations_deleted(state: TaskState, event: events.ConfigurationsDeleted, session: bytes) -> None:
    for name in event.names:
        state.configurations.pop(name, None)


def _properties_set(state: TaskState, event: events.PropertiesSet, session: bytes) -> None:
    state.properties.update(event.properties)


def _properties_deleted(state: TaskState, event: events.PropertiesDeleted, session: bytes) -> None:
    for name in event.names:
        state.properties.pop(name, None)


def _container_set(state: TaskState, event: ContainerSet, session: bytes) -> None:
    state.container = event


def _destination_set(state: TaskState, event: events.DestinationSet, session: bytes) -> None:
    state.destination = event.url


def _single_value(state: TaskState, event: events.SingleValueReported, session: bytes) -> None:
    state.single_values[event.name] = event.value


def _execution(state: TaskState, event: ExecutionRecorded, session: bytes) -> None:
    state.execution = event


def _artifact_uploaded(state: TaskState, event: ArtifactUploaded, session: bytes) -> None:
    state.artifacts[event.name] = event


def _artifacts_deleted(state: TaskState, event: events.ArtifactsDeleted, session: bytes) -> None:
    for name in event.names:
        state.artifacts.pop(name, None)


def _delivery_requested(state: TaskState, event: events.DeliveryRequested, session: bytes) -> None:
    state.deliveries[event.url] = DeliveryState(event.blob)


def _delivery_completed(state: TaskState, event: events.DeliveryCompleted, session: bytes) -> None:
    _settle(state, event.url, DeliveryState(event.blob, "completed"))


def _delivery_failed(state: TaskState, event: events.DeliveryFailed, session: bytes) -> None:
    _settle(state, event.url, DeliveryState(event.blob, "failed", event.reason))


def _model_linked(state: TaskState, event: ModelLinked, session: bytes) -> None:
    _unlink(state, {event.model}, event.direction)
    state.models.append(event)


def _models_unlinked(state: TaskState, event: events.ModelsUnlinked, session: bytes) -> None:
    _unlink(state, {*event.models}, event.direction)


def _dropped(state: TaskState, event: events.EventsDropped, session: bytes) -> None:
    state.dropped += event.count


def _unknown(state: TaskState, event: events.Unknown, session: bytes) -> None:
    state.unknown += 1


def _set_status(
    state: TaskState, status: str, reason: str = "", message: str = "", traceback: str = ""
) -> None:
    state.status = status
    state.status_reason = reason
    state.status_message = message
    state.traceback = traceback
    state.published = None


def _settle(state: TaskState, url: str, outcome: DeliveryState) -> None:
    """Note how a delivery went, unless something else has been asked for at that URL since."""
    known = state.deliveries.get(url)
    if known is not None and known.blob == outcome.blob:
        state.deliveries[url] = outcome


def _unlink(state: TaskState, models: set[str], direction: str) -> None:
    state.models = [link for link in state.models if link.direction != direction or link.model not in models]


def _note_session(state: TaskState, session: bytes) -> None:
    if not state.sessions or state.sessions[-1] != session:
        state.sessions = [*(known for known in state.sessions if known != session), session]


# What these say is kept as it is, under the same name.
_FIELDS: dict[type[Event], str] = {
    events.TaskRenamed: "name",
    events.TaskMoved: "project",
    events.TaskTypeSet: "type",
    events.CommentSet: "comment",
    events.ParentSet: "parent",
    events.LabelsSet: "labels",
    events.ProgressSet: "progress",
}
_APPLY: dict[type[Event], Callable[[Any, Any, bytes], None]] = {
    events.TaskCreated: _created,
    events.TaskStarted: _started,
    events.TaskReset: _reset,
    events.TaskCompleted: _completed,
    events.TaskFailed: _failed,
    events.TaskStopped: _stopped,
    events.TaskPublished: _published,
    events.TaskDeleted: _deleted,
    events.TagsAdded: _tags_added,
    events.TagsRemoved: _tags_removed,
    events.SystemTagsAdded: _system_tags_added,
    events.SystemTagsRemoved: _system_tags_removed,
    events.ParametersSet: _parameters_set,
    events.ParametersDeleted: _parameters_deleted,
    events.ConfigurationSet: _configuration_set,
    events.ConfigurationsDeleted: _configurations_deleted,
    events.PropertiesSet: _properties_set,
    events.PropertiesDeleted: _properties_deleted,
    events.ContainerSet: _container_set,
    events.DestinationSet: _destination_set,
    events.SingleValueReported: _single_value,
    events.ExecutionRecorded: _execution,
    events.ArtifactUploaded: _artifact_uploaded,
    events.ArtifactsDeleted: _artifacts_deleted,
    events.DeliveryRequested: _delivery_requested,
    events.DeliveryCompleted: _delivery_completed,
    events.DeliveryFailed: _delivery_failed,
    events.ModelLinked: _model_linked,
    events.ModelsUnlinked: _models_unlinked,
    events.EventsDropped: _dropped,
    events.Unknown: _unknown,
    **dict.fromkeys(_FIELDS, _field_set),
}

TASK: Projection[TaskState] = Projection("tasks", 2, lambda: TaskState(""), evolve_task)
