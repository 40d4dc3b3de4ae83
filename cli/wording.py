"""What an event says, in one line."""

from collections.abc import Callable
from typing import Any

from eventlog import events
from eventlog.cli.curve import number
from eventlog.cli.moments import size
from eventlog.events import Event, Parameter

__all__ = ["kind_of", "wording"]


def kind_of(event: Event) -> str:
    """The name of an event's kind."""
    return event.kind if isinstance(event, events.Unknown) else type(event).__name__


def wording(event: Event) -> str:
    """What an event says beside its kind, time and task; on one line, but not yet cleaned."""
    say = _WORDINGS.get(type(event))
    return say(event) if say else ""


def _parameters(event: events.ParametersSet) -> str:
    words = ", ".join(f"{name}={_value(parameter)}" for name, parameter in event.parameters.items())
    return f"replacing all: {words}" if event.replace else words


def _value(parameter: Parameter) -> str:
    return parameter.value


def _created(event: events.TaskCreated) -> str:
    name = f"{event.project}/{event.name}" if event.project else event.name
    return f"{name} ({event.type})" + (f", child of {event.parent}" if event.parent else "")


def _failed(event: events.TaskFailed) -> str:
    return event.reason or (event.traceback.rstrip().splitlines() or [""])[-1]


def _started_session(event: events.SessionStarted) -> str:
    return f"{event.user} on {event.host}, process {event.process}: {' '.join(event.command)}"


def _execution(event: events.ExecutionRecorded) -> str:
    commit = f"{event.branch or 'commit'} {event.commit[:10]}" if event.commit else ""
    changed = "with uncommitted changes" if event.diff or event.diff_blob else ""
    python = f"Python {event.python}, {len(event.packages)} packages" if event.python else ""
    return ", ".join(part for part in (event.entry_point, commit, changed, python) if part)


def _text(event: events.TextReported) -> str:
    """As a terminal would have shown it: of a line that was drawn over again, the last."""
    shown = [row.rstrip("\r").rpartition("\r")[2] for row in event.text.rstrip("\n").split("\n")]
    return "\n".join(shown)


_WORDINGS: dict[type[Event], Callable[[Any], str]] = {
    events.SessionStarted: _started_session,
    events.SessionEnded: lambda event: event.reason,
    events.EventsDropped: lambda event: f"{event.count} reports: {event.reason}",
    events.TaskCreated: _created,
    events.TaskCompleted: lambda event: event.reason,
    events.TaskFailed: _failed,
    events.TaskStopped: lambda event: event.reason,
    events.TagsAdded: lambda event: ", ".join(event.tags),
    events.TagsRemoved: lambda event: ", ".join(event.tags),
    events.ParametersSet: _parameters,
    events.ParametersDeleted: lambda event: ", ".join(event.names),
    events.ProgressSet: lambda event: f"{event.progress}%",
    events.SingleValueReported: lambda event: f"{event.name} = {number(event.value)}",
    events.ExecutionRecorded: _execution,
    events.ArtifactUploaded: lambda event: (
        f"{event.name} ({event.kind}, {size(event.size)}, {event.blob[:12]})"
    ),
    events.ArtifactsDeleted: lambda event: ", ".join(event.names),
    events.ScalarReported: lambda event: (
        f"{event.title}/{event.series} {event.iteration}: {number(event.value)}"
    ),
    events.TextReported: _text,
    events.Unknown: lambda event: f"of a newer eventlog, {len(event.raw)} bytes",
}
