"""The state of a model: the fold of its events, in the same order as those of tasks."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from eventlog import events
from eventlog.batch import NumberedEvent
from eventlog.events import Event, Parameter
from eventlog.projections.projection import Projection

__all__ = ["MODEL", "ModelState", "evolve_model", "fold_model"]


class ModelState(msgspec.Struct, array_like=True):
    """What a model is. Times are in milliseconds since 1970-01-01 UTC.

    Attributes:
        id: its id; 32 hexadecimal digits, unless it comes from elsewhere.
        name: its name, or "" while the event that created it is not here.
        project: its project; "/" separates nested ones.
        made_by: id of the task that made it, or that last set its weights; "" if none did.
        framework: "PyTorch", "Keras", …
        comment: what a person says about it.
        tags: sorted.
        blob: SHA-256 of its weights in the store, or "" where there are none.
        size: bytes of the weights.
        file_name: what to call a copy of them.
        format: "zip" for an archive of several files, "" for a plain file.
        url: where a copy is, or will be; "" where the store has the only one.
        digest: SHA-256 of what is at the URL where the store has no copy; "" where it is not known.
        iteration: of the training that the weights are of, where it was given.
        published: when it was published, or None.
        is_archived: it is listed only when asked for.
        is_deleted: it is no longer shown.
        created: when it was created, or its first event while the event that created it is not here.
        changed: time of its last event.
        is_created: the event that created it is here.
        unknown: how many of its events are of a kind that this version does not know.
        metadata: facts about it, by name.
        labels: the number of each label that it tells apart.
        design: the configuration that it was built from, as text.
    """

    # What may be large comes last: `eventlog.projections.models` reads the others alone.
    id: str
    name: str = ""
    project: str = ""
    made_by: str = ""
    framework: str = ""
    comment: str = ""
    tags: list[str] = []
    blob: str = ""
    size: int = 0
    file_name: str = ""
    format: str = ""
    url: str = ""
    digest: str = ""
    iteration: int | None = None
    published: int | None = None
    is_archived: bool = False
    is_deleted: bool = False
    created: int = 0
    changed: int = 0
    is_created: bool = False
    unknown: int = 0
    metadata: dict[str, Parameter] = {}
    labels: dict[str, int] = {}
    design: str = ""

    def __repr__(self) -> str:
        return f"<ModelState {self.id[:8]} {self.project}/{self.name}: {self.size} bytes>"


def evolve_model(state: ModelState, numbered: NumberedEvent) -> ModelState:
    """The state after one more event; the state given is left as it was."""
    return fold_model(state, (numbered,))


def fold_model(state: ModelState, numbered: Iterable[NumberedEvent]) -> ModelState:
    """The state after some more events, which are in their order; the state given is left as it was."""
    state = copy.copy(state)
    state.metadata = dict(state.metadata)
    for _, _, event in numbered:
        apply = _APPLY.get(type(event))
        if apply is None:
            continue
        if not state.id and not isinstance(event, events.Unknown):
            state.id = event.task
            state.created = event.time
        state.changed = event.time
        apply(state, event)
    return state


# How each kind of event changes a state that is ours to change.


def _created(state: ModelState, event: events.ModelCreated) -> None:
    state.name = event.name
    state.project = event.project
    state.made_by = event.made_by
    state.framework = event.framework
    state.comment = event.comment
    state.tags = sorted({*event.tags})
    state.design = event.design
    state.labels = event.labels
    if not state.is_created:
        state.is_created = True
        state.created = event.time


def _weights_set(state: ModelState, event: events.ModelWeightsSet) -> None:
    state.blob = event.blob
    state.size = event.size
    state.file_name = event.file_name
    state.format = event.format
    state.url = event.url
    state.digest = event.digest
    state.iteration = event.iteration
    state.made_by = event.made_by or state.made_by


def _changed(state: ModelState, event: events.ModelChanged) -> None:
    for field in _CHANGEABLE:
        value = getattr(event, field)
        if value is not None:
            setattr(state, field, sorted({*value}) if field == "tags" else value)


def _metadata_set(state: ModelState, event: events.ModelMetadataSet) -> None:
    if event.replace:
        state.metadata = dict(event.metadata)
    else:
        state.metadata.update(event.metadata)


def _published(state: ModelState, event: events.ModelPublished) -> None:
    if state.published is None:
        state.published = event.time


def _archived(state: ModelState, event: events.ModelArchived) -> None:
    state.is_archived = True


def _unarchived(state: ModelState, event: events.ModelUnarchived) -> None:
    state.is_archived = False


def _deleted(state: ModelState, event: events.ModelDeleted) -> None:
    state.is_deleted = True


def _unknown(state: ModelState, event: events.Unknown) -> None:
    state.unknown += 1


_CHANGEABLE = [field for field in events.ModelChanged.__struct_fields__ if field not in ("time", "task")]
_APPLY: dict[type[Event], Callable[[Any, Any], None]] = {
    events.ModelCreated: _created,
    events.ModelWeightsSet: _weights_set,
    events.ModelChanged: _changed,
    events.ModelMetadataSet: _metadata_set,
    events.ModelPublished: _published,
    events.ModelArchived: _archived,
    events.ModelUnarchived: _unarchived,
    events.ModelDeleted: _deleted,
    events.Unknown: _unknown,
}

MODEL: Projection[ModelState] = Projection("models", 2, lambda: ModelState(""), evolve_model)
