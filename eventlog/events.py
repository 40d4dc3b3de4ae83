"""The events: every fact that a log can hold, and how it is written.

An event is a msgspec struct, written as a MessagePack array ``[kind, time, task, …]``: the kind is the
class's name, the time is in milliseconds (see `eventlog.clock`), the task an id of 32 hexadecimal
digits, or empty where the event is about a session. A struct only ever gains optional fields at its end;
a reader ignores fields it does not know, and keeps events of a kind it does not know as `Unknown`.

There are two sorts. *State* events change what a task is; there are few of them per task, and their
order (time, session, number) is the same on every machine. *Reports* (`REPORTS`) are the many: scalars
and text; no fold depends on their order.
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
    "Event",
    "EventsDropped",
    "ExecutionRecorded",
    "Parameter",
    "ParametersDeleted",
    "ParametersSet",
    "ProgressSet",
    "ScalarReported",
    "SessionEnded",
    "SessionStarted",
    "SingleValueReported",
    "TagsAdded",
    "TagsRemoved",
    "TaskCompleted",
    "TaskCreated",
    "TaskFailed",
    "TaskReset",
    "TaskStarted",
    "TaskStopped",
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
        task: the id of the task that it is about, or "" for an event about a session.
    """

    is_report: ClassVar[bool] = False

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
    reason: str = ""


class TaskFailed(Event, frozen=True):
    reason: str = ""
    traceback: str = ""


class TaskStopped(Event, frozen=True):
    reason: str = ""


class TagsAdded(Event, frozen=True):
    tags: list[str]


class TagsRemoved(Event, frozen=True):
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


class ArtifactUploaded(Event, frozen=True):
    """An artifact's bytes are in the store as a blob.

    Attributes:
        kind: what it was: "file", "folder", "dict", "numpy", "pandas", …
        blob: SHA-256 of the bytes, in hexadecimal.
        size: bytes.
        file_name: what to call a copy, such as "person.json"; a name, never a path.
        format: how to read it back: "json", "npz", "csv.gz", "zip", "" for a plain file.
        preview: a few lines for a person.
        metadata: what the caller said of it.
    """

    name: str
    kind: str
    blob: str
    size: int
    file_name: str
    format: str = ""
    preview: str = ""
    metadata: dict[str, str] = {}


class ArtifactsDeleted(Event, frozen=True):
    names: list[str]


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
        TagsAdded,
        TagsRemoved,
        ParametersSet,
        ParametersDeleted,
        ProgressSet,
        SingleValueReported,
        ExecutionRecorded,
        ArtifactUploaded,
        ArtifactsDeleted,
        ScalarReported,
        TextReported,
    )
}
REPORTS = tuple(kind for kind in EVENT_KINDS.values() if kind.is_report)

_any_event: Any = Union[tuple(EVENT_KINDS.values())]
_decoder: msgspec.msgpack.Decoder[list[Event]] = msgspec.msgpack.Decoder(list[_any_event])
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
_one_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(_any_event)
_any_decoder = msgspec.msgpack.Decoder(list[Any])

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
        kind, time, task, *_ = _any_decoder.decode(data)
    except (*_NOT_DECODED, ValueError) as error:
        raise DataCorrupt(f"the bytes are not an event: {error}") from None
    if not (isinstance(kind, str) and isinstance(time, int) and isinstance(task, str)):
        raise DataCorrupt("the bytes are not an event: it does not begin with kind, time and task")
    return Unknown(time, task, kind, bytes(data))
