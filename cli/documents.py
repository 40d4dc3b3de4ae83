"""What `--json` prints: the same keys in every version, so that programs can build on them.

Times are ISO 8601 in UTC with milliseconds, or null; ids and hashes are hexadecimal; sizes are bytes;
progress is percent or null.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from eventlog.cli.metrics import of_machine
from eventlog.cli.moments import iso
from eventlog.events import ArtifactUploaded, Event, Parameter, Unknown

if TYPE_CHECKING:
    from eventlog.batch import NumberedEvent
    from eventlog.projections import (
        Media,
        ModelState,
        Plot,
        SeriesSummary,
        SessionState,
        TaskRow,
        TaskState,
    )

__all__ = [
    "artifact_document",
    "event_document",
    "media_document",
    "model_document",
    "plot_document",
    "row_document",
    "series_document",
    "task_document",
]


def row_document(row: "TaskRow") -> dict[str, Any]:
    """A task as in a list."""
    return {
        "id": row.id,
        "project": row.project,
        "name": row.name,
        "type": row.type,
        "status": row.status,
        "progress": row.progress,
        "tags": list(row.tags),
        "system_tags": list(row.system_tags),
        "comment": row.comment,
        "created": iso(row.created),
        "changed": iso(row.changed),
    }


def task_document(state: "TaskState", series: Sequence["SeriesSummary"]) -> dict[str, Any]:
    """Everything that a task is."""
    execution = state.execution
    return {
        "id": state.id,
        "project": state.project,
        "name": state.name,
        "type": state.type,
        "status": state.status,
        "status_reason": state.status_reason,
        "status_message": state.status_message,
        "traceback": state.traceback,
        "progress": state.progress,
        "tags": list(state.tags),
        "system_tags": list(state.system_tags),
        "comment": state.comment,
        "parent": state.parent or None,
        "created": iso(state.created),
        "started": iso(state.started),
        "ended": iso(state.ended),
        "published": iso(state.published),
        "changed": iso(state.changed),
        "reset": iso(state.reset_time),
        "host": state.host,
        "user": state.user,
        "sessions": [session.hex() for session in state.sessions],
        "parameters": _parameters(state.parameters),
        "properties": _parameters(state.properties),
        "configurations": {
            name: {"type": one.type, "description": one.description, "text": one.text, "sha256": one.blob}
            for name, one in sorted(state.configurations.items())
        },
        "labels": dict(sorted(state.labels.items())),
        "container": _facts(state.container) if state.container else None,
        "metrics": [series_document(one) for one in series if not of_machine(one)],
        "machine": [series_document(one) for one in series if of_machine(one)],
        "single_values": dict(sorted(state.single_values.items())),
        "artifacts": [artifact_document(one) for _, one in sorted(state.artifacts.items())],
        "models": [
            {"id": link.model, "direction": link.direction, "name": link.name} for link in state.models
        ],
        "destination": state.destination,
        "deliveries": [
            {"url": url, "sha256": one.blob, "status": one.status, "reason": one.reason}
            for url, one in sorted(state.deliveries.items())
        ],
        "execution": _facts(execution) if execution else None,
        "unknown_events": state.unknown,
        "dropped_reports": state.dropped,
    }


def series_document(series: "SeriesSummary") -> dict[str, Any]:
    """A series of scalars in a few numbers."""
    return {
        "title": series.title,
        "series": series.series,
        "points": series.count,
        "first_iteration": series.first_iteration,
        "last_iteration": series.last_iteration,
        "last": series.last,
        "min": series.minimum,
        "max": series.maximum,
    }


def artifact_document(artifact: ArtifactUploaded) -> dict[str, Any]:
    """An artifact, and the hash under which its bytes are kept."""
    return {
        "name": artifact.name,
        "kind": artifact.kind,
        "format": artifact.format,
        "file_name": artifact.file_name,
        "size": artifact.size,
        "sha256": artifact.blob,
        "uploaded": iso(artifact.time),
        "url": artifact.url,
        "content_type": artifact.content_type,
        "preview": artifact.preview,
        "metadata": dict(artifact.metadata),
    }


def model_document(model: "ModelState") -> dict[str, Any]:
    """Everything that a model is."""
    return {
        "id": model.id,
        "project": model.project,
        "name": model.name,
        "framework": model.framework,
        "tags": list(model.tags),
        "comment": model.comment,
        "made_by": model.made_by or None,
        "size": model.size,
        "sha256": model.blob or model.digest,
        "file_name": model.file_name,
        "format": model.format,
        "url": model.url,
        "iteration": model.iteration,
        "metadata": _parameters(model.metadata),
        "labels": dict(sorted(model.labels.items())),
        "design": model.design,
        "archived": model.is_archived,
        "published": iso(model.published),
        "created": iso(model.created),
        "changed": iso(model.changed),
    }


def plot_document(plot: "Plot") -> dict[str, Any]:
    """A plot, without its figure."""
    return {
        "kind": "plot",
        "title": plot.title,
        "series": plot.series,
        "iteration": plot.iteration,
        "time": iso(plot.time),
        "sha256": plot.blob,
    }


def media_document(media: "Media") -> dict[str, Any]:
    """An image, a sound, a film or a page, without its bytes."""
    return {
        "kind": media.kind,
        "title": media.title,
        "series": media.series,
        "iteration": media.iteration,
        "time": iso(media.time),
        "sha256": media.blob,
        "size": media.size,
        "file_name": media.file_name,
        "url": media.url,
    }


def event_document(numbered: "NumberedEvent", sessions: Mapping[bytes, "SessionState"]) -> dict[str, Any]:
    """An event, who appended it and where, and its own fields under "fields"."""
    session = sessions.get(numbered.session)
    event = numbered.event
    return {
        "time": iso(event.time),
        "kind": event.kind if isinstance(event, Unknown) else type(event).__name__,
        "task": event.task or None,
        "session": numbered.session.hex(),
        "number": numbered.number,
        "host": session.host if session else "",
        "user": session.user if session else "",
        "fields": {"bytes": event.raw.hex()} if isinstance(event, Unknown) else _facts(event),
    }


def _parameters(parameters: Mapping[str, Parameter]) -> dict[str, dict[str, str]]:
    return {
        name: {"value": one.value, "type": one.type, "description": one.description}
        for name, one in sorted(parameters.items())
    }


def _facts(event: Event) -> dict[str, Any]:
    """An event's fields by name, as JSON has them."""
    return {
        field: _plain(getattr(event, field))
        for field in event.__struct_fields__
        if field not in ("time", "task")
    }


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {field: _plain(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
