"""Scalar series in columns: packed as they come, read into Arrow without a loop.

The points of a series lie in chunks. A chunk is one byte that says whether its points are in order, 7
zeros, and three columns of little-endian 64-bit numbers: iterations, times, values. New points make a new
chunk, which is merged with the one before while that one is small or not much larger, up to 65,536
points; so a point is copied a few times at most, and a series is a few large chunks.

What a series amounts to (`SeriesSummary`) is folded by operations that do not depend on the order in
which points arrive.
"""

import hashlib
import math
import operator
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from eventlog.events import ScalarReported
from eventlog.projections.environment import ViewsDamaged, ViewsEnvironment
from eventlog.projections.keys import task_key

if TYPE_CHECKING:
    import pyarrow

__all__ = ["SeriesSummary", "fold_scalars", "read_scalars", "read_series", "series_key"]

SERIES_SIZE = 16
# Chunks of fewer points are always merged; none grows beyond the larger number.
_SMALL = 1024
_LARGE = 65536
_HEAD = 8
_SORTED, _UNSORTED = b"\1".ljust(_HEAD, b"\0"), bytes(_HEAD)
_chunk_number = struct.Struct(">I")
_MIN, _MAX = -(1 << 63), (1 << 63) - 1
_encode = msgspec.msgpack.Encoder().encode
_int, _float = struct.Struct("<q"), struct.Struct("<d")
Buffer = bytes | memoryview


class SeriesSummary(msgspec.Struct, array_like=True, frozen=True):
    """A series at a glance.

    Attributes:
        title, series: the plot, and the curve in it.
        count: how many points.
        first_iteration, last_iteration: the smallest and the largest.
        first_time, last_time: in milliseconds since 1970-01-01 UTC.
        last: value of the last point in the order (time, iteration, value).
        minimum, maximum: of the values that are numbers; NaN if none is.
        last_point: iteration of the last point.
        not_finite: how many values are NaN or infinite.
    """

    title: str
    series: str
    count: int
    first_iteration: int
    last_iteration: int
    first_time: int
    last_time: int
    last: float
    minimum: float
    maximum: float
    last_point: int
    not_finite: int = 0

    def __repr__(self) -> str:
        return f"<SeriesSummary {self.title}/{self.series}: {self.count} points, last {self.last:g}>"

    def joined(self, other: "SeriesSummary") -> "SeriesSummary":
        """The summary of this one's points and another's; the same whichever comes first."""
        last = max(self, other, key=lambda one: (one.last_time, one.last_point, _value_key(one.last)))
        return SeriesSummary(
            self.title,
            self.series,
            self.count + other.count,
            min(self.first_iteration, other.first_iteration),
            max(self.last_iteration, other.last_iteration),
            min(self.first_time, other.first_time),
            last.last_time,
            last.last,
            _extreme(min, (self.minimum, other.minimum)),
            _extreme(max, (self.maximum, other.maximum)),
            last.last_point,
            self.not_finite + other.not_finite,
        )


_decode_summary = msgspec.msgpack.Decoder(SeriesSummary).decode


class _Points(NamedTuple):
    """Points in columns (iterations, times, values), and whether they are known to be in order."""

    columns: tuple[Buffer, Buffer, Buffer]
    is_sorted: bool = True

    @property
    def rows(self) -> int:
        return len(self.columns[0]) // 8

    def part(self, first: int, end: int) -> "_Points":
        iterations, times, values = (column[first * 8 : end * 8] for column in self.columns)
        return _Points((iterations, times, values), self.is_sorted)

    def row(self, at: int) -> tuple[int, int, int]:
        """A point as it sorts."""
        iterations, times, values = self.columns
        (iteration,), (time,) = _int.unpack_from(iterations, at * 8), _int.unpack_from(times, at * 8)
        return time, iteration, _value_key(_float.unpack_from(values, at * 8)[0])

    def comes_before(self, other: "_Points") -> bool:
        """Whether both are in order, and this one's last point is not after the other's first."""
        return self.is_sorted and other.is_sorted and self.row(self.rows - 1) <= other.row(0)

    def ends_before(self, time: int) -> bool:
        """Whether it is in order, and all its points are of before a time."""
        return self.is_sorted and self.row(self.rows - 1)[0] < time

    def followed_by(self, other: "_Points") -> "_Points":
        iterations, times, values = map(b"".join, zip(self.columns, other.columns, strict=True))
        return _Points((iterations, times, values), self.comes_before(other))


def series_key(title: str, series: str) -> bytes:
    """16 bytes that stand for a series within its task."""
    return hashlib.sha256(_encode((title, series))).digest()[:SERIES_SIZE]


def fold_scalars(
    transaction: Any,
    environment: ViewsEnvironment,
    reported: dict[tuple[str, str, str], list[ScalarReported]],
) -> None:
    """Fold points into the views.

    Args:
        reported: by task, title and series.
    """
    for (task, title, series), events in reported.items():
        key = task_key(task) + series_key(title, series)
        points, summary = _columns(title, series, events)
        known = transaction.get(key, db=environment["series"])
        if known is not None:
            summary = _decode_summary(known).joined(summary)
        transaction.put(key, _encode(summary), db=environment["series"])
        _append(transaction, environment["points"], key, points)


def read_series(
    transaction: Any, environment: ViewsEnvironment, key: bytes, reset_time: int | None
) -> list[SeriesSummary]:
    """The series of a task, by title and series; only of the points since it was last reset.

    Args:
        key: of the task.
        reset_time: when it was last reset, in ms, or None.
    """
    summaries = []
    with transaction.cursor(environment["series"]) as cursor:
        found = cursor.set_range(key)
        while found and cursor.key()[: len(key)] == key:
            summary = _decode_summary(cursor.value())
            if reset_time is not None and summary.first_time < reset_time:
                table = read_scalars(transaction, environment, bytes(cursor.key()), reset_time)
                summaries += _summarise(summary, table)
            else:
                summaries.append(summary)
            found = cursor.next()
    return sorted(summaries, key=lambda summary: (summary.title, summary.series))


def read_scalars(
    transaction: Any, environment: ViewsEnvironment, key: bytes, reset_time: int | None
) -> "pyarrow.Table":
    """The points of a series in their order, as columns iteration, time and value.

    Args:
        key: of the task, followed by that of the series.
        reset_time: points from before this time, in ms, are left out.
    """
    import pyarrow
    import pyarrow.compute

    chunks = [
        points
        for _, points in _chunks(transaction, environment["points"], key)
        if reset_time is None or not points.ends_before(reset_time)
    ]
    kinds = {"iteration": pyarrow.int64(), "time": pyarrow.int64(), "value": pyarrow.float64()}
    table = pyarrow.table(
        {
            name: pyarrow.chunked_array(
                [_arrow(chunk.columns[column], kind) for chunk in chunks],
                type=kind,
            )
            for column, (name, kind) in enumerate(kinds.items())
        }
    )
    in_order = all(chunk.is_sorted for chunk in chunks[:1])
    if not in_order or not all(map(_Points.comes_before, chunks, islice(chunks, 1, None))):
        table = _sort(table)
    if reset_time is not None:
        table = table.filter(pyarrow.compute.greater_equal(table["time"], reset_time))
    return table


def _columns(title: str, series: str, events: Sequence[ScalarReported]) -> tuple[_Points, SeriesSummary]:
    iterations = _int64([event.iteration for event in events])
    times = _int64([event.time for event in events])
    values = array("d", [event.value for event in events])
    if not (_grow(operator.le, times) and _grow(operator.lt, iterations)):
        keys = [_bits_key(bits) for bits in array("q", values.tobytes())]
        rows = sorted(zip(times, iterations, keys, range(len(events)), strict=True))
        places = [row[-1] for row in rows]
        iterations = array("q", map(iterations.__getitem__, places))
        times = array("q", map(times.__getitem__, places))
        values = array("d", map(values.__getitem__, places))
    summary = SeriesSummary(
        title,
        series,
        len(events),
        min(iterations),
        max(iterations),
        times[0],
        times[-1],
        values[-1],
        _extreme(min, values),
        _extreme(max, values),
        iterations[-1],
        _count_not_finite(values),
    )
    return _Points((_little_endian(iterations), _little_endian(times), _little_endian(values))), summary


def _grow(compare: Callable[[int, int], bool], column: "array[int]") -> bool:
    return all(map(compare, column, islice(column, 1, None)))


def _append(transaction: Any, database: Any, key: bytes, points: _Points) -> None:
    number, last = _last_chunk(transaction, database, key)
    for first in range(0, points.rows, _LARGE):
        new = points.part(first, first + _LARGE)
        while last is not None and _worth_merging(last.rows, new.rows):
            new = last.followed_by(new)
            transaction.delete(key + _chunk_number.pack(number), db=database)
            number, last = _last_chunk(transaction, database, key)
        number, last = number + 1, new
        transaction.put(key + _chunk_number.pack(number), _pack(new), db=database)


def _worth_merging(old: int, new: int) -> bool:
    return old + new <= _LARGE and (old < _SMALL or old <= 2 * new)


def _last_chunk(transaction: Any, database: Any, key: bytes) -> tuple[int, _Points | None]:
    with transaction.cursor(database) as cursor:
        found = cursor.last() if not cursor.set_range(key + b"\xff" * 5) else cursor.prev()
        if not found or cursor.key()[: len(key)] != key:
            return -1, None
        return _chunk_number.unpack(cursor.key()[len(key) :])[0], _unpack(cursor.value())


def _chunks(transaction: Any, database: Any, key: bytes) -> Iterator[tuple[int, _Points]]:
    with transaction.cursor(database) as cursor:
        found = cursor.set_range(key)
        while found and cursor.key()[: len(key)] == key:
            yield _chunk_number.unpack(cursor.key()[len(key) :])[0], _unpack(cursor.value())
            found = cursor.next()


def _pack(points: _Points) -> bytes:
    return b"".join((_SORTED if points.is_sorted else _UNSORTED, *points.columns))


def _unpack(data: bytes) -> _Points:
    view, size = memoryview(data), (len(data) - _HEAD) // 3
    if size % 8 or size <= 0 or len(data) != _HEAD + 3 * size:
        raise ViewsDamaged("a chunk of a series has a length that cannot be: run `eventlog rebuild`")
    iterations, times, values = (view[_HEAD + size * at : _HEAD + size * (at + 1)] for at in range(3))
    return _Points((iterations, times, values), data[:_HEAD] == _SORTED)


def _arrow(column: Buffer, kind: Any) -> Any:
    import pyarrow

    return pyarrow.Array.from_buffers(kind, len(column) // 8, [None, pyarrow.py_buffer(column)])


def _sort(table: "pyarrow.Table") -> "pyarrow.Table":
    import pyarrow
    import pyarrow.compute as compute

    table = table.combine_chunks()
    bits = table["value"].chunk(0).view(pyarrow.int64())
    # As `_bits_key`.
    keys = compute.bit_wise_xor(bits, compute.if_else(compute.less(bits, 0), _MAX, 0))
    order = compute.sort_indices(
        table.append_column("key", keys),
        sort_keys=[("time", "ascending"), ("iteration", "ascending"), ("key", "ascending")],
    )
    return table.take(order)


def _summarise(all_points: SeriesSummary, table: "pyarrow.Table") -> list[SeriesSummary]:
    """The summary of the points in a table, which is in order; none if it is empty."""
    import pyarrow.compute as compute

    if not len(table):
        return []
    iterations = compute.min_max(table["iteration"]).as_py()
    values = table["value"].filter(compute.invert(compute.is_nan(table["value"])))
    extremes = compute.min_max(values).as_py()
    end = len(table) - 1
    return [
        SeriesSummary(
            all_points.title,
            all_points.series,
            len(table),
            iterations["min"],
            iterations["max"],
            table["time"][0].as_py(),
            table["time"][end].as_py(),
            table["value"][end].as_py(),
            extremes["min"] + 0.0 if len(values) else math.nan,
            extremes["max"] + 0.0 if len(values) else math.nan,
            table["iteration"][end].as_py(),
            compute.sum(compute.invert(compute.is_finite(table["value"]))).as_py(),
        )
    ]


def _extreme(choose: Callable[[Iterable[float]], float], values: Sequence[float]) -> float:
    """The smallest or largest of the values that are numbers, or NaN; 0.0 for either zero."""
    total = sum(values)
    if total != total:
        values = [value for value in values if value == value]
    return choose(values) + 0.0 if values else math.nan


def _count_not_finite(values: Sequence[float]) -> int:
    if math.isfinite(sum(values)):
        return 0
    # Sums of finite values may be infinite, too.
    return len(values) - sum(map(math.isfinite, values))


def _value_key(value: float) -> int:
    """Integers that sort like the values, NaN at the ends by its sign, each bit pattern apart."""
    return _bits_key(_int.unpack(_float.pack(value))[0])


def _bits_key(bits: int) -> int:
    return bits if bits >= 0 else bits ^ _MAX


def _int64(values: list[int]) -> "array[int]":
    try:
        return array("q", values)
    except OverflowError:
        return array("q", [min(max(value, _MIN), _MAX) for value in values])


def _little_endian(column: "array[Any]") -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()
