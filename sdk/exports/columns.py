"""The rows of a part: its scalars in columns, sorted, and its events in their order.

A batch is decoded once. Scalars become columns as they come, and what is compared and sorted by is one number
for each series; the only loops over events in Python are those that msgspec and list comprehensions make.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow
import pyarrow.compute as compute

from eventlog.batch import Batch
from eventlog.events import Event, ScalarReported, Unknown
from eventlog.sdk.exports.plain import plain
from eventlog.sdk.exports.schemas import EVENTS, ROW_GROUP, SCALARS
from eventlog.sdk.exports.selection import Shown

if TYPE_CHECKING:
    from eventlog.projections import SessionState

__all__ = ["EventRows", "ScalarRows", "events_of"]

# Of fields in JSON: a row group of large texts ends with fewer rows.
_GROUP_BYTES = 64 << 20
_MIN, _MAX = -(1 << 63), (1 << 63) - 1
_series_of: Any = attrgetter("task", "title", "series")
_curve_of: Any = attrgetter("title", "series")
_json = msgspec.json.Encoder().encode


def events_of(batch: Batch) -> list[Event]:
    """The events of a batch, in their session's order.

    Raises:
        DataCorrupt: they cannot be read.
    """
    states, reports = batch.state_events(), batch.report_events()
    if not states:
        return reports
    # As `Batch.events`, without an object for the place of each.
    events: list[Event] = []
    start = 0
    for place, state in enumerate(states):
        end = state.number - batch.first - place
        events += reports[start:end]
        events.append(state.event)
        start = end
    return events + reports[start:]


class ScalarRows:
    """The scalars of a part, gathered batch by batch; 28 bytes are held for each.

    Args:
        shown: from when on the scalars of each task are wanted.
    """

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._series: dict[tuple[str, str, str], int] = {}
        self._chunks: list[tuple[pyarrow.Array, ...]] = []

    def add(self, events: list[Event]) -> None:
        """Take the scalars among some events."""
        scalars: list[Any] = [event for event in events if type(event) is ScalarReported]
        if not scalars:
            return
        known = self._series
        keys = list(map(_series_of, scalars))
        for key in {*keys}:
            known.setdefault(key, len(known))
        self._chunks.append(
            (
                pyarrow.array(list(map(known.__getitem__, keys)), pyarrow.int32()),
                _int64([event.iteration for event in scalars]),
                _int64([event.time for event in scalars]),
                pyarrow.array([event.value for event in scalars], pyarrow.float64()),
            )
        )

    def tables(self) -> Iterator[pyarrow.Table]:
        """The rows by task, title, series, iteration and time, as row groups."""
        if not self._chunks:
            return
        kinds = (pyarrow.int32(), pyarrow.int64(), pyarrow.int64(), pyarrow.float64())
        columns = (
            pyarrow.chunked_array(chunks, kind) for chunks, kind in zip(self._columns(), kinds, strict=True)
        )
        rows = pyarrow.table(dict(zip(("series", "iteration", "time", "value"), columns, strict=True)))
        in_order = sorted(self._series)
        places = dict(zip(in_order, range(len(in_order)), strict=True))
        rows = rows.set_column(0, "series", _taken([places[key] for key in self._series], rows["series"]))
        first_times = _taken([self._shown.first_time(task) for task, _, _ in in_order], rows["series"])
        rows = rows.filter(compute.greater_equal(rows["time"], first_times))
        order = compute.sort_indices(
            rows, sort_keys=[("series", "ascending"), ("iteration", "ascending"), ("time", "ascending")]
        )
        names = [pyarrow.array(column) for column in zip(*in_order, strict=True)]
        for start in range(0, len(order), ROW_GROUP):
            group = rows.take(order.slice(start, ROW_GROUP))
            series = group["series"]
            yield pyarrow.table(
                [
                    *(column.take(series) for column in names),
                    group["iteration"],
                    group["time"].cast(SCALARS.field("time").type),
                    group["value"],
                ],
                schema=SCALARS,
            )

    def _columns(self) -> Iterator[list[pyarrow.Array]]:
        return (list(column) for column in zip(*self._chunks, strict=True))


class EventRows:
    """The events of a part, a row each, in the order in which they were committed.

    Args:
        shown: which are wanted.
        sessions: by id.
    """

    def __init__(self, shown: Shown, sessions: Mapping[bytes, "SessionState"]) -> None:
        self._shown = shown
        self._sessions = sessions
        self._rows: list[pyarrow.Table] = []
        self._count = self._bytes = 0
        self._beginnings: dict[tuple[str, str], str] = {}

    def add(self, batch: Batch, events: list[Event]) -> Iterator[pyarrow.Table]:
        """Take the events of a batch; gives row groups as they become full."""
        numbers: Sequence[int] = range(batch.first, batch.end)
        if not self._shown.is_of_all or self._shown.since:
            wanted, since = self._shown.has_events_of, self._shown.since
            kept = [wanted(event.task) and event.time >= since for event in events]
            numbers = [number for number, keep in zip(numbers, kept, strict=True) if keep]
            events = [event for event, keep in zip(events, kept, strict=True) if keep]
        for start in range(0, len(events), ROW_GROUP):
            self._rows.append(self._table(batch, numbers[start:][:ROW_GROUP], events[start:][:ROW_GROUP]))
            self._count += self._rows[-1].num_rows
            self._bytes += self._rows[-1].nbytes
            if self._count >= ROW_GROUP or self._bytes >= _GROUP_BYTES:
                yield from self.rest()

    def rest(self) -> Iterator[pyarrow.Table]:
        """What no row group has held yet."""
        if self._rows:
            yield pyarrow.concat_tables(self._rows).combine_chunks()
        self._rows, self._count, self._bytes = [], 0, 0

    def _table(self, batch: Batch, numbers: Sequence[int], events: list[Event]) -> pyarrow.Table:
        known = self._sessions.get(batch.session)
        columns = {
            "store": _same(batch.store.hex(), len(events)),
            "batch": pyarrow.repeat(pyarrow.scalar(batch.number, pyarrow.int64()), len(events)),
            "session": _same(batch.session.hex(), len(events)),
            "number": pyarrow.array(array("q", numbers)),
            "time": _int64([event.time for event in events]).cast(EVENTS.field("time").type),
            "kind": pyarrow.array(list(map(_kind_of, events)), pyarrow.string()),
            "task": pyarrow.array([event.task or None for event in events], pyarrow.string()),
            "host": _same(known.host if known else "", len(events)),
            "user": _same(known.user if known else "", len(events)),
            "fields": pyarrow.array(self._fields(events), pyarrow.string()),
        }
        return pyarrow.table(columns, schema=EVENTS)

    def _fields(self, events: list[Event]) -> list[str]:
        """The own fields of each event, in JSON."""
        scalars: list[Any] = [event for event in events if type(event) is ScalarReported]
        curves = list(map(_curve_of, scalars))
        for title, series in {*curves} - self._beginnings.keys():
            self._beginnings[title, series] = _json({"title": title, "series": series}).decode()[:-1]
        values = [event.value for event in scalars]
        total = sum(values)
        texts = list(map(repr, values))
        if total - total != 0:
            texts = [repr(value) if value - value == 0 else f'"{plain(value)}"' for value in values]
        # Most events are these.
        of_scalars = iter(
            [
                f'{beginning},"iteration":{event.iteration},"value":{text}}}'
                for beginning, event, text in zip(
                    map(self._beginnings.__getitem__, curves), scalars, texts, strict=True
                )
            ]
        )
        if len(scalars) == len(events):
            return list(of_scalars)
        return [
            next(of_scalars) if type(event) is ScalarReported else _json(_facts(event)).decode()
            for event in events
        ]


def _same(text: str, count: int) -> pyarrow.Array:
    return pyarrow.repeat(pyarrow.scalar(text, pyarrow.string()), count)


def _taken(numbers: list[int], places: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    return pyarrow.array(numbers, pyarrow.int64()).take(places)


def _int64(numbers: list[int]) -> pyarrow.Array:
    try:
        return pyarrow.array(array("q", numbers))
    except OverflowError:
        # As the views have it.
        return pyarrow.array([min(max(number, _MIN), _MAX) for number in numbers], pyarrow.int64())


def _kind_of(event: Event) -> str:
    return event.kind if isinstance(event, Unknown) else type(event).__name__


def _facts(event: Event) -> dict[str, Any]:
    if isinstance(event, Unknown):
        return {"bytes": event.raw.hex()}
    return {
        field: plain(getattr(event, field))
        for field in event.__struct_fields__
        if field not in ("time", "task")
    }
