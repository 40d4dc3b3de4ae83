"""The events: every fact that a log can hold, and how it is written.

An event is a msgspec struct, written as a MessagePack array ``[kind, time, task, …]``: the kind is the
class's name, the time is in milliseconds (see `eventlog.clock`), the task an id of 32 hexadecimal
digits, or that of a model where the kind is about one (`is_about_model`), or empty where the event is about
a session. A struct only ever gains optional fields at its end; a reader ignores fields it does not know, and
keeps events of a kind it does not know as `Unknown`.

There are two sorts. *State* events change what a task or a model is; there are few of them for each, and
their order (time, session, number) is the same on every machine. *Reports* (`REPORTS`) are the many:
scalars, text, plots, images; no fold depends on their order.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Union

import msgspec

from eventlog.errors import DataCorrupt

__all__ = [
    "EVENT_KINDS",
    "REPORTS",
    "ArtifactUploaded",
    "ArtifactsDeleted",
    "CommentSet",
    "ConfigurationSet",
    "ConfigurationsDeleted",
    "ContainerSet",
    "DeliveryCompleted",
    "DeliveryFailed",
    "DeliveryRequested",
    "DestinationSet",
    "Event",
    "EventsDropped",
    "ExecutionRecorded",
    "LabelsSet",
    "MediaReported",
    "ModelArchived",
    "ModelChanged",
    "ModelCreated",
    "ModelDeleted",
    "ModelLinked",
    "ModelMetadataSet",
    "ModelPublished",
    "ModelUnarchived",
    "ModelWeightsSet",
    "ModelsUnlinked",
    "Parameter",
    "ParametersDeleted",
    "ParametersSet",
    "ParentSet",
    "PlotReported",
    "ProgressSet",
    "PropertiesDeleted",
    "PropertiesSet",
    "ScalarReported",
    "SessionEnded",
    "SessionStarted",
    "SingleValueReported",
    "SystemTagsAdded",
    "SystemTagsRemoved",
    "TagsAdded",
    "TagsRemoved",
    "TaskCompleted",
    "TaskCreated",
    "TaskDeleted",
    "TaskFailed",
    "TaskMoved",
    "TaskPublished",
    "TaskRenamed",
    "TaskReset",
    "TaskStarted",
    "TaskStopped",
    "TaskTypeSet",
    "TextReported",
    "Unknown",
    "decode_event",
    "decode_events",
    "encode_event",
]


class Event(msgspec.Struct, array_like=True, frozen=True, tag_field="event", tag=True, gc=False):
    """What every event has.

    Attributes:
        time: milliseconds since 1970-01-01 UTC.
        task: the id of the task, or of the model, that it is about, or "" for an event about a session.
    """

    is_report: ClassVar[bool] = False
    is_about_model: ClassVar[bool] = False

    time: int
    task: str


class SessionStarted(Event, frozen=True):
    """A process began to append. The first event of every session."""

    host: str
    user: str
    process: int
    program: str = ""  # "eventlog 0.1.0"
    python: str = ""  # "3.11.7"
    command: list[str] = []


class SessionEnded(Event, frozen=True):
    """A session will append nothing more. `reason` is "closed", or says how the process died."""

    reason: str = "closed"


class EventsDropped(Event, frozen=True):
    """`count` reports could not be kept, for `reason`; they are missing just before this event."""

    count: int
    reason: str = ""


class TaskCreated(Event, frozen=True):
    name: str
    project: str
    type: str = "training"
    comment: str = ""
    parent: str = ""


class TaskStarted(Event, frozen=True):
    """The task runs, in the session that says so; when that session dies, the task has failed."""


class TaskReset(Event, frozen=True):
    """What earlier runs of this task left (parameters, reports, artifacts, outcome) is no longer shown."""


class TaskCompleted(Event, frozen=True):
    """`reason` is a word or two; `message` says more."""

    reason: str = ""
    message: str = ""


class TaskFailed(Event, frozen=True):
    reason: str = ""
    traceback: str = ""
    message: str = ""


class TaskStopped(Event, frozen=True):
    reason: str = ""
    message: str = ""


class TaskPublished(Event, frozen=True):
    """From here on the task is not edited any more."""

    message: str = ""


class TaskDeleted(Event, frozen=True):
    """The task is no longer shown. The log keeps what it was."""


class TaskRenamed(Event, frozen=True):
    name: str


class TaskMoved(Event, frozen=True):
    """The task belongs to another project."""

    project: str


class TaskTypeSet(Event, frozen=True):
    type: str


class CommentSet(Event, frozen=True):
    comment: str


class ParentSet(Event, frozen=True):
    """`parent` is the id of a task, or "" for none."""

    parent: str


class TagsAdded(Event, frozen=True):
    tags: list[str]


class TagsRemoved(Event, frozen=True):
    tags: list[str]


class SystemTagsAdded(Event, frozen=True):
    """Tags that programs give and read; "archived" is one."""

    tags: list[str]


class SystemTagsRemoved(Event, frozen=True):
    tags: list[str]


class Parameter(msgspec.Struct, array_like=True, frozen=True):
    """A parameter's value as text, and the name of the Python type that it had."""

    value: str
    type: str = ""
    description: str = ""


class ParametersSet(Event, frozen=True):
    """Parameters by "section/name". With `replace`, those not named here are gone."""

    parameters: dict[str, Parameter]
    replace: bool = False


class ParametersDeleted(Event, frozen=True):
    names: list[str]


class ConfigurationSet(Event, frozen=True):
    """A configuration, as it was written, under a name.

    Attributes:
        text: the whole of it, or its beginning where `blob` holds it.
        blob: SHA-256 of the text in UTF-8, when larger than 64 KiB.
        type: "json", "yaml", "hocon", or another word for what the text is.
    """

    name: str
    text: str
    blob: str = ""
    type: str = ""
    description: str = ""


class ConfigurationsDeleted(Event, frozen=True):
    names: list[str]


class LabelsSet(Event, frozen=True):
    """The number of each label; those not named here are gone."""

    labels: dict[str, int]


class PropertiesSet(Event, frozen=True):
    """Properties that a person gives a task at any time, by name; the others stay."""

    properties: dict[str, Parameter]


class PropertiesDeleted(Event, frozen=True):
    names: list[str]


class ContainerSet(Event, frozen=True):
    """The container that the task is meant to run in."""

    image: str
    arguments: str = ""
    setup_script: str = ""


class DestinationSet(Event, frozen=True):
    """Where artifacts and models are copied to, besides the store: the URL of a folder, or "" for nowhere."""

    url: str


class ProgressSet(Event, frozen=True):
    """Progress in percent, 0 to 100."""

    progress: int


class SingleValueReported(Event, frozen=True):
    """One number for the whole task, such as a final accuracy. The last one of a name counts."""

    name: str
    value: float


class ExecutionRecorded(Event, frozen=True):
    """Where the code came from and what it ran with, as gathered soon after the start.

    Attributes:
        diff: uncommitted changes as a unified diff, or "" where `diff_blob` holds them.
        diff_blob: SHA-256 of the blob with the uncommitted changes, when larger than 64 KiB.
        script: the script's own text, where there is no repository.
        packages: installed distributions, name to version.
        requirements: what was asked for instead, as lines of a requirements file.
        binary: the interpreter that was asked for, such as "python3.11".
        imported: the distributions whose modules were imported, name to version.
    """

    repository: str = ""
    branch: str = ""
    commit: str = ""
    diff: str = ""
    diff_blob: str = ""
    entry_point: str = ""
    working_folder: str = ""
    command: list[str] = []
    python: str = ""
    platform: str = ""
    packages: dict[str, str] = {}
    script: str = ""
    requirements: str = ""
    binary: str = ""
    imported: dict[str, str] = {}


class ArtifactUploaded(Event, frozen=True):
    """An artifact's bytes are in the store as a blob, or at a URL.

    Attributes:
        kind: what it was: "file", "folder", "dict", "numpy", "pandas", …
        blob: SHA-256 of the bytes, in hexadecimal; "" where the URL alone is known.
        size: bytes.
        file_name: what to call a copy, such as "person.json"; a name, never a path.
        format: how to read it back: "json", "npz", "csv.gz", "zip", "" for a plain file.
        preview: a few lines for a person.
        metadata: what the caller said of it.
        url: where a copy is, or will be once it is delivered; "" where the store has the only one.
        content_type: its media type, such as "application/json".
    """

    name: str
    kind: str
    blob: str
    size: int
    file_name: str
    format: str = ""
    preview: str = ""
    metadata: dict[str, str] = {}
    url: str = ""
    content_type: str = ""


class ArtifactsDeleted(Event, frozen=True):
    names: list[str]


class DeliveryRequested(Event, frozen=True):
    """A blob is to be copied to a URL, in the background.

    Attributes:
        blob: SHA-256 of the bytes.
        url: of the file that is to be written.
    """

    blob: str
    url: str


class DeliveryCompleted(Event, frozen=True):
    """A blob has arrived at a URL, whole."""

    blob: str
    url: str


class DeliveryFailed(Event, frozen=True):
    """A blob could not be copied to a URL; it is tried again at the next sync."""

    blob: str
    url: str
    reason: str = ""


class ModelLinked(Event, frozen=True):
    """A task reads a model or has made it.

    Attributes:
        model: its id.
        direction: "input" or "output".
        name: what the task calls it.
    """

    model: str
    direction: str
    name: str = ""


class ModelsUnlinked(Event, frozen=True):
    models: list[str]
    direction: str


class ModelCreated(Event, frozen=True):
    """A model: weights, and what is known of them.

    Attributes:
        made_by: id of the task that made it, or "".
        framework: "PyTorch", "Keras", …
        design: the configuration that it was built from, as text.
        labels: the number of each label that it tells apart.
    """

    is_about_model: ClassVar[bool] = True

    name: str
    project: str = ""
    made_by: str = ""
    framework: str = ""
    comment: str = ""
    tags: list[str] = []
    design: str = ""
    labels: dict[str, int] = {}


class ModelWeightsSet(Event, frozen=True):
    """The weights of a model are in the store as a blob, or at a URL; earlier ones are no longer shown.

    Attributes:
        blob: SHA-256 of the bytes, or "" where the URL alone is known.
        size: bytes.
        file_name: what to call a copy; a name, never a path.
        format: "zip" for an archive of several files, "" for a plain file.
        url: where a copy is, or will be once it is delivered; "" where the store has the only one.
        iteration: of the training, where it was given.
        task: is the model's; `made_by` is the id of the task that set them, or "".
        digest: SHA-256 of the bytes at the URL, where they are not in the store; "" where it is not known. Of
            a folder, or of several files, that of the archive that the store would keep them as.
    """

    is_about_model: ClassVar[bool] = True

    blob: str
    size: int = 0
    file_name: str = ""
    format: str = ""
    url: str = ""
    iteration: int | None = None
    made_by: str = ""
    digest: str = ""


class ModelChanged(Event, frozen=True):
    """What is given is set; what is None stays."""

    is_about_model: ClassVar[bool] = True

    name: str | None = None
    project: str | None = None
    made_by: str | None = None
    framework: str | None = None
    comment: str | None = None
    tags: list[str] | None = None
    design: str | None = None
    labels: dict[str, int] | None = None


class ModelMetadataSet(Event, frozen=True):
    """Facts about a model, by name. With `replace`, those not named here are gone."""

    is_about_model: ClassVar[bool] = True

    metadata: dict[str, Parameter]
    replace: bool = False


class ModelPublished(Event, frozen=True):
    is_about_model: ClassVar[bool] = True


class ModelArchived(Event, frozen=True):
    is_about_model: ClassVar[bool] = True


class ModelUnarchived(Event, frozen=True):
    is_about_model: ClassVar[bool] = True


class ModelDeleted(Event, frozen=True):
    """The model is no longer shown. The log keeps what it was."""

    is_about_model: ClassVar[bool] = True


class ScalarReported(Event, frozen=True):
    """A point of the curve `series` in the plot `title`. NaN and infinity are legal values."""

    is_report: ClassVar[bool] = True

    title: str
    series: str
    iteration: int
    value: float


class TextReported(Event, frozen=True):
    """Lines for the task's console. `level` is a number of the logging module.

    `blob` is the SHA-256 of the text where it is larger than 64 KiB; `text` is then its beginning.
    """

    is_report: ClassVar[bool] = True

    text: str
    level: int = 20
    blob: str = ""


class PlotReported(Event, frozen=True):
    """A picture that can be drawn from numbers, as a Plotly figure in JSON.

    Attributes:
        figure: ``{"data": [...], "layout": {...}}`` (https://plotly.com/chart-studio-help/json-chart-schema/),
            or "" where `blob` holds it.
        blob: SHA-256 of the figure in UTF-8, when larger than 64 KiB.
    """

    is_report: ClassVar[bool] = True

    title: str
    series: str
    iteration: int
    figure: str
    blob: str = ""


class MediaReported(Event, frozen=True):
    """An image, a sound, a film or a page, kept as a blob or at a URL.

    Attributes:
        kind: "image", "audio", "video", "html" or "file".
        blob: SHA-256 of the bytes, or "" where the URL alone is known.
        size: bytes.
        file_name: what to call a copy; a name, never a path.
    """

    is_report: ClassVar[bool] = True

    title: str
    series: str
    iteration: int
    kind: str
    blob: str = ""
    size: int = 0
    file_name: str = ""
    url: str = ""


class Unknown(Event, frozen=True, tag=False):
    """An event of a kind that this version does not know, kept as it was written."""

    kind: str
    raw: bytes


EVENT_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        SessionStarted,
        SessionEnded,
        EventsDropped,
        TaskCreated,
        TaskStarted,
        TaskReset,
        TaskCompleted,
        TaskFailed,
        TaskStopped,
        TaskPublished,
        TaskDeleted,
        TaskRenamed,
        TaskMoved,
        TaskTypeSet,
        CommentSet,
        ParentSet,
        TagsAdded,
        TagsRemoved,
        SystemTagsAdded,
        SystemTagsRemoved,
        ParametersSet,
        ParametersDeleted,
        ConfigurationSet,
        ConfigurationsDeleted,
        LabelsSet,
        PropertiesSet,
        PropertiesDeleted,
        ContainerSet,
        DestinationSet,
        ProgressSet,
        SingleValueReported,
        ExecutionRecorded,
        ArtifactUploaded,
        ArtifactsDeleted,
        DeliveryRequested,
        DeliveryCompleted,
        DeliveryFailed,
        ModelLinked,
        ModelsUnlinked,
        ModelCreated,
        ModelWeightsSet,
        ModelChanged,
        ModelMetadataSet,
        ModelPublished,
        ModelArchived,
        ModelUnarchived,
        ModelDeleted,
        ScalarReported,
        TextReported,
        PlotReported,
        MediaReported,
    )
}
REPORTS = tuple(kind for kind in EVENT_KINDS.values() if kind.is_report)

_any_event: Any = Union[tuple(EVENT_KINDS.values())]
_decoder: msgspec.msgpack.Decoder[list[Event]] = msgspec.msgpack.Decoder(list[_any_event])
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_one_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(_any_event)
_any_decoder = msgspec.msgpack.Decoder(list[Any])
# Of an event that is larger, the fields of a kind that is not known are passed over: made into objects, they
# may take a hundred times their bytes.
_LARGE = 1 << 20

# Text that is not UTF-8 is no error of msgspec's.
_NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

encode_event: Callable[[Event], bytes] = msgspec.msgpack.Encoder().encode


def decode_event(data: bytes) -> Event:
    """The event that these bytes are; `Unknown` for a kind of a newer version.

    Raises:
        DataCorrupt: the bytes are not an event.
    """
    try:
        return _one_decoder.decode(data)
    except _NOT_DECODED:
        return _decode_unknown(data)


def decode_events(data: bytes) -> list[Event]:
    """The events in a MessagePack array of events.

    Raises:
        DataCorrupt: the bytes are not an array of events.
    """
    try:
        return _decoder.decode(data)
    except _NOT_DECODED:
        pass
    try:
        return [decode_event(bytes(raw)) for raw in _raw_decoder.decode(data)]
    except _NOT_DECODED as error:
        raise DataCorrupt(f"the bytes are not an array of events: {error}") from None


def _decode_unknown(data: bytes) -> Event:
    try:
        if len(data) <= _LARGE:
            # All of it is looked at, such as whether its text is UTF-8.
            _any_decoder.decode(data)
        head = _head_decoder.decode(data)
    except msgspec.ValidationError:
        raise DataCorrupt("the bytes are not an event: it does not begin with kind, time and task") from None
    except _NOT_DECODED as error:
        raise DataCorrupt(f"the bytes are not an event: {error}") from None
    return Unknown(head.time, head.task, head.kind, bytes(data))


class _Head(msgspec.Struct, array_like=True):
    """What every event begins with."""

    kind: str
    time: int
    task: str


_head_decoder = msgspec.msgpack.Decoder(_Head)
