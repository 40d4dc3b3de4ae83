"""What verify finds in one batch: read from its bytes as `docs/FORMAT.md` describes them.

Nothing here is shared with `eventlog.batch`, which writes batches: the two have to agree by way of the
document.
"""

import contextlib
import hashlib
import re
import struct
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import islice, pairwise
from operator import le
from typing import Any

import msgspec
import zstandard

from eventlog.events import EVENT_KINDS

__all__ = [
    "BLOB_PLACES",
    "UNDECODABLE",
    "BatchFacts",
    "EventHead",
    "blobs_of",
    "check_batch",
    "count_kinds",
    "grows",
]

MAGIC = b"EVB1"
HEADER = struct.Struct(">4s16sQ32s16sQIIQQIIII")
MAX_FRAME_SIZE = 32 << 20
MAX_EVENTS = 1 << 20
# Larger events are not decoded whole.
LARGE_EVENT = 1 << 20
# Many times what a commit interval fills.
LARGE = 8 << 20
STATE_KINDS = frozenset(name for name, kind in EVENT_KINDS.items() if not kind.is_report)
REPORT_KINDS = frozenset(EVENT_KINDS) - STATE_KINDS
# Kinds that name a blob, and at which place of their array.
BLOB_PLACES = {
    "ConfigurationSet": 5,
    "ExecutionRecorded": 7,
    "ArtifactUploaded": 5,
    "DeliveryRequested": 3,
    "DeliveryCompleted": 3,
    "DeliveryFailed": 3,
    "ModelWeightsSet": 3,
    "TextReported": 5,
    "PlotReported": 7,
    "MediaReported": 7,
}
# Only where one of them is in a frame at all are its reports looked at for blobs.
REPORTS_WITH_BLOBS = [kind.encode() for kind in sorted(REPORT_KINDS & BLOB_PLACES.keys())]
SESSION_KINDS = frozenset({"TaskStarted", "TaskCompleted", "TaskFailed", "TaskStopped", "SessionEnded"})
DIGEST = re.compile("[0-9a-f]{64}")
# What msgspec raises for bytes that are not what they should be.
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class EventHead(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What every event begins with."""

    kind: str
    time: int
    task: str


@dataclass(slots=True)
class BatchFacts:
    """What a batch says, and what is wrong with it.

    Attributes:
        hash: SHA-256 of its bytes.
        legible: its header could be read; else only `hash` and `problems` mean anything.
        whole: its events could be read as well.
        unknown: how many of its events are of kinds that this version does not know.
        changes: kind and task of those events that change how far its session has got, in order.
        blobs: the blobs that its events name.
        problems: what is wrong, in words that begin with a verb.
    """

    hash: bytes
    legible: bool = False
    whole: bool = False
    store: bytes = b""
    number: int = 0
    previous: bytes = b""
    session: bytes = b""
    first: int = 0
    states: int = 0
    reports: int = 0
    first_time: int = 0
    last_time: int = 0
    unknown: int = 0
    changes: list[tuple[str, str]] = field(default_factory=list)
    blobs: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    @property
    def end(self) -> int:
        """One past the number of its last event."""
        return self.first + self.states + self.reports


_one_large = threading.Lock()


class _Wrong(Exception):
    """The batch cannot be read further."""


def check_batch(data: bytes) -> BatchFacts:
    """Everything that can be said of a batch by itself."""
    facts = BatchFacts(hashlib.sha256(data).digest())
    try:
        sizes = _read_header(data, facts)
        start = HEADER.size
        middle = start + sizes[0]
        # However many are read at once, one of the large ones is in memory: a few bytes may claim to be one.
        with _one_large if sizes[1] + sizes[3] > LARGE else contextlib.nullcontext():
            positions, states = _read_states(_decompress(data[start:middle], sizes[1], "states"), facts)
            times = _read_reports(_decompress(data[middle:], sizes[3], "reports"), facts)
            _check_events(positions, states, times, facts)
            del positions, states, times
        facts.whole = True
    except _Wrong as wrong:
        facts.problems.append(str(wrong))
    return facts


def count_kinds(data: bytes, task: str, until: int) -> Counter[str]:
    """How many events of each kind a batch holds about a task, of those up to a time in milliseconds.

    Args:
        data: a batch in which `check_batch` found nothing wrong.
    """
    sizes = _read_header(data, BatchFacts(b""))
    middle = HEADER.size + sizes[0]
    counts: Counter[str] = Counter()
    if states := _decompress(data[HEADER.size : middle], sizes[1], "states"):
        events = map(_head_decoder.decode, _states_decoder.decode(states)[1])
        counts.update(one.kind for one in events if one.task == task and one.time <= until)
    if reports := _decompress(data[middle:], sizes[3], "reports"):
        heads = _heads_decoder.decode(reports)
        counts.update(one.kind for one in heads if one.task == task and one.time <= until)
    return counts


def blobs_of(events: list[list[Any]]) -> set[str]:
    """The blobs that decoded events name."""
    named = set()
    for event in events:
        name = event[BLOB_PLACES[event[0]] :][:1] if event[0] in BLOB_PLACES else []
        if name and isinstance(name[0], str) and DIGEST.fullmatch(name[0]):
            named.add(name[0])
    return named


def grows(times: list[int]) -> bool:
    """Whether times never go back."""
    return all(map(le, times, islice(times, 1, None)))


def _read_header(data: bytes, facts: BatchFacts) -> tuple[int, int, int, int]:
    if len(data) < HEADER.size:
        raise _Wrong(f"has {len(data)} bytes, fewer than a header")
    magic, *fields = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise _Wrong(f"begins with {magic!r}, not {MAGIC!r}")
    facts.legible = True
    (
        facts.store,
        facts.number,
        facts.previous,
        facts.session,
        facts.first,
        facts.states,
        facts.reports,
        facts.first_time,
        facts.last_time,
        *sizes,
    ) = fields
    if HEADER.size + sizes[0] + sizes[2] != len(data):
        raise _Wrong(f"has {len(data)} bytes, its header says {HEADER.size + sizes[0] + sizes[2]}")
    if not facts.states + facts.reports:
        raise _Wrong("holds no event")
    if facts.states + facts.reports > MAX_EVENTS:
        raise _Wrong(f"claims {facts.states + facts.reports} events, more than a batch ever has")
    if bool(facts.states) != bool(sizes[1]) or bool(facts.reports) != bool(sizes[3]):
        raise _Wrong("holds a frame without events, or events without a frame")
    return (sizes[0], sizes[1], sizes[2], sizes[3])


def _decompress(frame: bytes, size: int, what: str) -> bytes:
    """A frame's content. No more memory is taken than the header of the batch allows."""
    if not size:
        if frame:
            raise _Wrong(f"has {len(frame)} bytes for no {what}")
        return b""
    try:
        stated = zstandard.frame_content_size(frame)
        if size > MAX_FRAME_SIZE or stated != size:
            raise _Wrong(f"has {what} of {stated} bytes, its header says {size}")
        content = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise _Wrong(f"has {what} that cannot be decompressed: {error}") from None
    if len(content) != size:
        raise _Wrong(f"has {what} of {len(content)} bytes, its header says {size}")
    return content


def _read_states(content: bytes, facts: BatchFacts) -> tuple[list[int], list[EventHead]]:
    if not content:
        return [], []
    try:
        positions, raw = _states_decoder.decode(content)
        events = [_read_state(one, facts) for one in raw]
    except UNDECODABLE as error:
        raise _Wrong(f"has state events that cannot be decoded: {error}") from None
    for event in events:
        if event.kind in REPORT_KINDS:
            facts.problems.append(f"has a {event.kind} among its state events")
        facts.unknown += event.kind not in STATE_KINDS
    if not (
        len(positions) == len(events) == facts.states
        and all(a < b for a, b in pairwise(positions))
        and positions[0] >= 0
        and positions[-1] < facts.states + facts.reports
    ):
        raise _Wrong(f"has {len(events)} state events at {len(positions)} places that cannot be")
    facts.changes = [(event.kind, event.task) for event in events if event.kind in SESSION_KINDS]
    return positions, events


def _read_state(raw: msgspec.Raw, facts: BatchFacts) -> EventHead:
    try:
        head = _head_decoder.decode(raw)
    except msgspec.ValidationError:
        raise _Wrong("has a state event that does not begin with kind, time and task") from None
    facts.blobs |= _named_in(raw, head.kind)
    return head


def _named_in(raw: msgspec.Raw, kind: str) -> set[str]:
    """The blob that an event names. One by one: decoded, an event may take a hundred times its bytes."""
    if len(raw) <= LARGE_EVENT:
        return blobs_of([msgspec.msgpack.decode(raw)])
    if kind not in BLOB_PLACES:
        return set()
    blob = msgspec.msgpack.decode(raw, type=_UP_TO_BLOB[kind]).blob
    before = [kind, *[None] * (BLOB_PLACES[kind] - 1)]
    return blobs_of([[*before, msgspec.msgpack.decode(blob)]]) if 0 < len(blob) < LARGE_EVENT else set()


def _read_reports(content: bytes, facts: BatchFacts) -> list[int]:
    """The times of the reports."""
    if not content:
        return []
    try:
        heads = _heads_decoder.decode(content)
        events = _raw_decoder.decode(content)
        # Their fields, too, must be what MessagePack has, their text UTF-8.
        deque(map(msgspec.msgpack.decode, (raw for raw in events if len(raw) <= LARGE_EVENT)), maxlen=0)
        if any(kind in content for kind in REPORTS_WITH_BLOBS):
            for head, raw in zip(heads, events, strict=True):
                if head.kind in BLOB_PLACES:
                    facts.blobs |= _named_in(raw, head.kind)
    except UNDECODABLE as error:
        raise _Wrong(f"has reports that cannot be decoded: {error}") from None
    if len(heads) != facts.reports:
        raise _Wrong(f"has {len(heads)} reports, its header says {facts.reports}")
    kinds = {head.kind for head in heads}
    facts.problems += [f"has a {kind} among its reports" for kind in sorted(kinds & STATE_KINDS)]
    if not kinds <= REPORT_KINDS:
        facts.unknown += sum(head.kind not in REPORT_KINDS for head in heads)
    return [head.time for head in heads]


def _check_events(
    positions: list[int], states: list[EventHead], of_reports: list[int], facts: BatchFacts
) -> None:
    times: list[int] = []
    start = 0
    for place, (position, event) in enumerate(zip(positions, states, strict=True)):
        # As many reports as come before it.
        times += of_reports[start : position - place]
        times.append(event.time)
        start = position - place
    times += of_reports[start:]
    if not grows(times):
        facts.problems.append("has events whose times go back")
    elif (times[0], times[-1]) != (facts.first_time, facts.last_time):
        facts.problems.append(
            f"has events from {times[0]} to {times[-1]}, its header says {facts.first_time} to"
            f" {facts.last_time}"
        )
    if not facts.first and (not positions or positions[0] or states[0].kind != "SessionStarted"):
        facts.problems.append(f"begins session {facts.session.hex()} with another event than SessionStarted")


_head_decoder = msgspec.msgpack.Decoder(EventHead)
_states_decoder = msgspec.msgpack.Decoder(tuple[list[int], list[msgspec.Raw]])
_heads_decoder = msgspec.msgpack.Decoder(list[EventHead])
_raw_decoder = msgspec.msgpack.Decoder(list[msgspec.Raw])
# By kind, an event up to the blob that it names.
_UP_TO_BLOB: dict[str, Any] = {
    kind: msgspec.defstruct(
        f"UpTo{place}",
        [*((f"field{at}", msgspec.Raw) for at in range(place)), ("blob", msgspec.Raw, msgspec.Raw(b""))],
        array_like=True,
    )
    for kind, place in BLOB_PLACES.items()
}
