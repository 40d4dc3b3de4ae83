"""A task's series at a glance, now or as of a moment."""

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import msgspec

from eventlog.events import ScalarReported, TaskReset
from eventlog.sdk.automatic.monitor_options import MONITOR

if TYPE_CHECKING:
    import pyarrow

    from eventlog.batch import NumberedEvent
    from eventlog.projections import SeriesSummary, Views

__all__ = ["fold_series", "of_machine", "series_of"]

Point = tuple[int, int, float]
"""Time in milliseconds, iteration, value."""


def of_machine(series: "SeriesSummary") -> bool:
    """Whether a series says what the machine was busy with, not what the script reported."""
    return series.title.startswith(MONITOR)


def series_of(views: "Views", task: str, at: int | None = None) -> list["SeriesSummary"]:
    """The series of a task, or what they were at the moment `at`, in milliseconds since 1970-01-01 UTC."""
    series = views.series(task)
    if at is None:
        return series
    reset = views.task(task).reset_time
    if reset is not None and at < reset:
        # What was before the last reset is in no column any more, but still in the log.
        return fold_series(views.events(task, last_time=at))
    summaries = (_up_to(views.scalars(task, one.title, one.series), one, at) for one in series)
    return [one for one in summaries if one is not None]


def fold_series(history: Iterable["NumberedEvent"]) -> list["SeriesSummary"]:
    """The series of a task whose history this is, in its order."""
    points: dict[tuple[str, str], list[Point]] = {}
    for _, _, event in history:
        if isinstance(event, TaskReset):
            points.clear()
        elif isinstance(event, ScalarReported):
            point = (event.time, event.iteration, event.value)
            points.setdefault((event.title, event.series), []).append(point)
    return [_summary(title, series, rows) for (title, series), rows in sorted(points.items())]


def _up_to(points: "pyarrow.Table", series: "SeriesSummary", at: int) -> "SeriesSummary | None":
    import pyarrow.compute as compute

    if series.last_time <= at:
        return series
    points = points.filter(compute.less_equal(points["time"], at))
    columns = (points[name].to_pylist() for name in ("time", "iteration", "value"))
    rows: list[Point] = list(zip(*columns, strict=True))
    return _summary(series.title, series.series, rows) if rows else None


def _summary(title: str, series: str, rows: Sequence[Point]) -> "SeriesSummary":
    from eventlog.projections import SeriesSummary

    def of(some: Sequence[Point]) -> SeriesSummary:
        times, iterations, values = zip(*some, strict=True)
        numbers = [value for value in values if not math.isnan(value)] or [math.nan]
        last_time, last_point, last = some[-1]
        return SeriesSummary(
            title,
            series,
            len(some),
            min(iterations),
            max(iterations),
            min(times),
            last_time,
            last,
            min(numbers),
            max(numbers),
            last_point,
            len(values) - sum(map(math.isfinite, values)),
        )

    # Which of several points of one time and iteration is the last, the view itself decides.
    end = max(rows, key=lambda row: row[:2])[:2]
    last = reduce(SeriesSummary.joined, (of([row]) for row in rows if row[:2] == end))
    everything = of(rows)
    return msgspec.structs.replace(
        everything, last_time=last.last_time, last=last.last, last_point=last.last_point
    )
