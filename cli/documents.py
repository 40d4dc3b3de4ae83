"""What `--json` prints: the same keys in every version, so that programs can build on them.

Times are ISO 8601 in UTC with milliseconds, or null; ids and hashes are hexadecimal; sizes are bytes;
progress is percent or null.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from eventlog.cli.moments import iso
from eventlog.events import ArtifactUploaded, Event, Unknown

if TYPE_CHECKING:
    from eventlog.batch import NumberedEvent
    from eventlog.projections import SeriesSummary, SessionState, TaskRow, TaskState

__all__ = ["artifact_document", "event_document", "row_document", "series_document", "task_document"]


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
        "comment": row.comment,
        "created": iso(row.created),
        "changed": iso(row.changed),
    }


def task_document(state: "TaskState", series: Iterable["SeriesSummary"]) -> dict[str, Any]:
    """Everything that a task is."""
    execution = state.execution
    return {
        "id": state.id,
        "project": state.project,
        "name": state.name,
        "type": state.type,
        "status": state.status,
        "status_reason": state.status_reason,
        "traceback": state.traceback,
        "progress": state.progress,
        "tags": list(state.tags),
        "comment": state.comment,
        "parent": state.parent or None,
        "created": iso(state.created),
        "started": iso(state.started),
        "ended": iso(state.ended),
        "changed": iso(state.changed),
        "reset": iso(state.reset_time),
        "host": state.host,
        "user": state.user,
        "sessions": [session.hex() for session in state.sessions],
        "parameters": {
            name: {"value": value.value, "type": value.type, "description": value.description}
            for name, value in sorted(state.parameters.items())
        },
        "metrics": [series_document(one) for one in series],
        "single_values": dict(sorted(state.single_values.items())),
        "artifacts": [artifact_document(one) for _, one in sorted(state.artifacts.items())],
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
        "preview": artifact.preview,
        "metadata": dict(artifact.metadata),
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
