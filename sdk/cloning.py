"""A draft with what another task was given, and nothing of what that one has done."""

import os
from typing import TYPE_CHECKING

from eventlog.events import (
    ContainerSet,
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

__all__ = ["append_inputs", "clone_task"]


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
    if source.properties:
        append(PropertiesSet, task, dict(source.properties))
    if source.destination:
        append(DestinationSet, task, source.destination)
    if source.container is not None:
        append(ContainerSet, task, *_fields(source.container))
    append_inputs(store, task, source)
    return task


def append_inputs(store: Store, task: str, source: "TaskState") -> None:
    """Give a task the parameters, configurations, labels, input models and code that another one has."""
    append = store.session.append
    if source.parameters:
        append(ParametersSet, task, dict(source.parameters))
    if source.labels:
        append(LabelsSet, task, dict(source.labels))
    copied: list[Event] = list(source.configurations.values())
    copied += [link for link in source.models if link.direction == "input"]
    copied += [] if source.execution is None else [source.execution]
    for event in copied:
        append(type(event), task, *_fields(event))


def _fields(event: Event) -> list[object]:
    """The fields of an event after its time and its task."""
    return [getattr(event, name) for name in event.__struct_fields__[2:]]
