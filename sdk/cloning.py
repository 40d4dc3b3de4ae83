"""A draft with what another task was given, and nothing of what that one has done."""

import os
from typing import TYPE_CHECKING

from eventlog.events import (
    DestinationSet,
    Event,
    LabelsSet,
    ParametersSet,
    PropertiesSet,
    TagsAdded,
    TaskCreated,
)
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = ["clone_task"]


def clone_task(
    store: Store,
    source: "TaskState",
    *,
    name: str | None = None,
    comment: str | None = None,
    parent: str | None = None,
    project: str | None = None,
) -> str:
    """Append what makes a copy of a task, and return its id.

    Copied are parameters, configurations, labels, properties, tags, the container, the destination, the
    models that it reads, and where its code is; not its models, artifacts, reports and progress.

    Args:
        name, comment, parent, project: where they are not to be the original's; by default the parent is
            that of the original or, where it has none, the original.
    """
    task = os.urandom(16).hex()
    append = store.session.append
    append(
        TaskCreated,
        task,
        f"Clone Of {source.name}" if name is None else name,
        source.project if project is None else project,
        source.type,
        source.comment if comment is None else comment,
        (source.parent or source.id) if parent is None else parent,
    )
    if source.tags:
        append(TagsAdded, task, list(source.tags))
    if source.parameters:
        append(ParametersSet, task, dict(source.parameters))
    if source.properties:
        append(PropertiesSet, task, dict(source.properties))
    if source.labels:
        append(LabelsSet, task, dict(source.labels))
    if source.destination:
        append(DestinationSet, task, source.destination)
    copied: list[Event | None] = [source.container, source.execution, *source.configurations.values()]
    copied += [link for link in source.models if link.direction == "input"]
    for event in copied:
        if event is not None:
            append(type(event), task, *_fields(event))
    return task


def _fields(event: Event) -> list[object]:
    """The fields of an event after its time and its task."""
    return [getattr(event, name) for name in event.__struct_fields__[2:]]
