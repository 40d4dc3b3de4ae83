"""Scalar series: folded into columns, read into Arrow without a loop, or as an outline to be drawn.

The points of a series lie in chunks (`eventlog.projections.point_chunks`).

What a series amounts to (`SeriesSummary`) is folded by operations that do not depend on the order in
which points arrive.
"""

import hashlib
import math
import operator
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from eventlog.events import ScalarReported
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.keys import task_key
from eventlog.projections.outlines import STRIDE, Outline, outline_of
from eventlog.projections.point_chunks import append, chunks, stored_parts
from eventlog.projections.points import Buffer, Points, bits_key, value_key

if TYPE_CHECKING:
    import pyarrow

__all__ = ["SeriesSummary", "fold_scalars", "read_outline", "read_scalars", "read_series", "series_key"]

SERIES_SIZE = 16
_MIN, _MAX = -(1 << 63), (1 << 63) - 1
_encode = msgspec.msgpack.Encoder().encode


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
        last = max(self, other, key=lambda one: (one.last_time, one.last_point, value_key(one.last)))
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
        append(transaction, environment, key, points)


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

    parts = [
        points
        for points in chunks(transaction, environment, key)
        if reset_time is None or not points.ends_before(reset_time)
    ]
    kinds = {"iteration": pyarrow.int64(), "time": pyarrow.int64(), "value": pyarrow.float64()}
    table = pyarrow.table(
        {
            name: pyarrow.chunked_array(
                [_arrow(chunk.columns[column], kind) for chunk in parts],
                type=kind,
            )
            for column, (name, kind) in enumerate(kinds.items())
        }
    )
    in_order = all(chunk.is_sorted for chunk in parts[:1])
    if not in_order or not all(map(Points.comes_before, parts, islice(parts, 1, None))):
        table = _sort(table)
    if reset_time is not None:
        table = table.filter(pyarrow.compute.greater_equal(table["time"], reset_time))
    return table


def read_outline(
    transaction: Any, environment: ViewsEnvironment, key: bytes, stretches: int
) -> list[tuple[int, float]] | None:
    """Iterations and values of points that draw like all of a series, which is described at `Views.outline`.

    Args:
        key: of the task, followed by that of the series.
        stretches: how many stretches of points are told apart, at least.
    """
    known = transaction.get(key, db=environment["series"])
    if known is None:
        return []
    summary = _decode_summary(known)
    if summary.not_finite:
        return None
    stride = max(summary.count // stretches, 1)
    drawn: list[tuple[int, float]] = []
    before: tuple[int, int] | None = None
    for part in stored_parts(transaction, environment, key, outlined=stride >= STRIDE):
        outline = part if isinstance(part, Outline) else outline_of(part, stride, least=1)
        if outline is None or (before is not None and before > outline.first):
            return None
        drawn += zip(outline.iterations, outline.values, strict=True)
        before = outline.last
    return drawn


def _columns(title: str, series: str, events: Sequence[ScalarReported]) -> tuple[Points, SeriesSummary]:
    iterations = _int64([event.iteration for event in events])
    times = _int64([event.time for event in events])
    values = array("d", [event.value for event in events])
    if not (_grow(operator.le, times) and _grow(operator.lt, iterations)):
        keys = [bits_key(bits) for bits in array("q", values.tobytes())]
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
    return Points((_little_endian(iterations), _little_endian(times), _little_endian(values))), summary


def _grow(compare: Callable[[int, int], bool], column: "array[int]") -> bool:
    return all(map(compare, column, islice(column, 1, None)))


def _arrow(column: Buffer, kind: Any) -> Any:
    import pyarrow

    return pyarrow.Array.from_buffers(kind, len(column) // 8, [None, pyarrow.py_buffer(column)])


def _sort(table: "pyarrow.Table") -> "pyarrow.Table":
    import pyarrow
    import pyarrow.compute as compute

    table = table.combine_chunks()
    bits = table["value"].chunk(0).view(pyarrow.int64())
    # As `bits_key`.
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


def _int64(values: list[int]) -> "array[int]":
    try:
        return array("q", values)
    except OverflowError:
        return array("q", [min(max(value, _MIN), _MAX) for value in values])


def _little_endian(column: "array[Any]") -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()
