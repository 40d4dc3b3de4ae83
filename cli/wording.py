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
    words = _valued(event.parameters)
    return f"replacing all: {words}" if event.replace else words


def _valued(parameters: dict[str, Parameter]) -> str:
    return ", ".join(f"{name}={parameter.value}" for name, parameter in parameters.items())


def _ended(event: events.TaskCompleted | events.TaskStopped) -> str:
    return ": ".join(part for part in (event.reason, event.message) if part)


def _created(event: events.TaskCreated) -> str:
    name = f"{event.project}/{event.name}" if event.project else event.name
    return f"{name} ({event.type})" + (f", child of {event.parent}" if event.parent else "")


def _failed(event: events.TaskFailed) -> str:
    last = (event.traceback.rstrip().splitlines() or [""])[-1]
    return ": ".join(part for part in (event.reason, event.message) if part) or last


def _configuration(event: events.ConfigurationSet) -> str:
    how_large = f"more than 64 KiB, {event.blob[:12]}" if event.blob else size(len(event.text.encode()))
    return f"{event.name} ({', '.join(part for part in (event.type, how_large) if part)})"


def _properties(event: events.PropertiesSet) -> str:
    return _valued(event.properties)


def _labels(event: events.LabelsSet) -> str:
    return ", ".join(f"{name}={label}" for name, label in event.labels.items())


def _container(event: events.ContainerSet) -> str:
    script = "with a setup script" if event.setup_script else ""
    return ", ".join(part for part in (f"{event.image} {event.arguments}".strip(), script) if part)


def _delivery(event: events.DeliveryRequested | events.DeliveryCompleted) -> str:
    return f"{event.blob[:12]} to {event.url}"


def _linked(event: events.ModelLinked) -> str:
    return (
        f"{event.direction} {event.name} {event.model}" if event.name else f"{event.direction} {event.model}"
    )


def _model_created(event: events.ModelCreated) -> str:
    name = f"{event.project}/{event.name}" if event.project else event.name
    maker = f"made by {event.made_by}" if event.made_by else ""
    return ", ".join(part for part in (name, event.framework, maker) if part)


def _weights(event: events.ModelWeightsSet) -> str:
    digest = event.blob or event.digest
    bytes_of_it = ", ".join(
        part for part in (size(event.size) if event.size or event.blob else "", digest[:12]) if part
    )
    iteration = f"iteration {event.iteration}" if event.iteration is not None else ""
    words = (event.file_name, bytes_of_it, iteration, f"at {event.url}" if event.url else "")
    return ", ".join(part for part in words if part)


def _model_changed(event: events.ModelChanged) -> str:
    said = {
        field: getattr(event, field) for field in event.__struct_fields__ if field not in ("time", "task")
    }
    return ", ".join(f"{field}={_plainly(value)}" for field, value in said.items() if value is not None)


def _plainly(value: str | list[str] | dict[str, int]) -> str:
    if isinstance(value, dict):
        return "+".join(value)
    return value if isinstance(value, str) else "+".join(value)


def _metadata(event: events.ModelMetadataSet) -> str:
    words = _valued(event.metadata)
    return f"replacing all: {words}" if event.replace else words


def _plot(event: events.PlotReported) -> str:
    return f"{_under(event)} {event.iteration}"


def _media(event: events.MediaReported) -> str:
    return f"{_under(event)} {event.iteration}: {event.kind} ({_where(event)})"


def _where(event: events.MediaReported | events.ArtifactUploaded) -> str:
    return f"{size(event.size)}, {event.blob[:12]}" if event.blob else event.url


def _under(event: events.PlotReported | events.MediaReported) -> str:
    return "/".join(part for part in (event.title, event.series) if part)


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
    events.TaskCompleted: _ended,
    events.TaskFailed: _failed,
    events.TaskStopped: _ended,
    events.TaskPublished: lambda event: event.message,
    events.TaskRenamed: lambda event: event.name,
    events.TaskMoved: lambda event: event.project or "no project",
    events.TaskTypeSet: lambda event: event.type,
    events.CommentSet: lambda event: event.comment,
    events.ParentSet: lambda event: event.parent or "none",
    events.TagsAdded: lambda event: ", ".join(event.tags),
    events.TagsRemoved: lambda event: ", ".join(event.tags),
    events.SystemTagsAdded: lambda event: ", ".join(event.tags),
    events.SystemTagsRemoved: lambda event: ", ".join(event.tags),
    events.ParametersSet: _parameters,
    events.ParametersDeleted: lambda event: ", ".join(event.names),
    events.ConfigurationSet: _configuration,
    events.ConfigurationsDeleted: lambda event: ", ".join(event.names),
    events.LabelsSet: _labels,
    events.PropertiesSet: _properties,
    events.PropertiesDeleted: lambda event: ", ".join(event.names),
    events.ContainerSet: _container,
    events.DestinationSet: lambda event: event.url or "none besides the store",
    events.ProgressSet: lambda event: f"{event.progress}%",
    events.SingleValueReported: lambda event: f"{event.name} = {number(event.value)}",
    events.ExecutionRecorded: _execution,
    events.ArtifactUploaded: lambda event: f"{event.name} ({event.kind}, {_where(event)})",
    events.ArtifactsDeleted: lambda event: ", ".join(event.names),
    events.DeliveryRequested: _delivery,
    events.DeliveryCompleted: _delivery,
    events.DeliveryFailed: lambda event: f"{event.blob[:12]} to {event.url}: {event.reason}",
    events.ModelLinked: _linked,
    events.ModelsUnlinked: lambda event: f"{event.direction} {', '.join(event.models)}",
    events.ModelCreated: _model_created,
    events.ModelWeightsSet: _weights,
    events.ModelChanged: _model_changed,
    events.ModelMetadataSet: _metadata,
    events.ScalarReported: lambda event: (
        f"{event.title}/{event.series} {event.iteration}: {number(event.value)}"
    ),
    events.TextReported: _text,
    events.PlotReported: _plot,
    events.MediaReported: _media,
    events.Unknown: lambda event: f"of a newer eventlog, {len(event.raw)} bytes",
}
