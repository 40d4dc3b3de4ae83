"""Scalar series in columns."""

import msgspec

__all__ = ["SeriesSummary"]


class SeriesSummary(msgspec.Struct, array_like=True, frozen=True):
    """A series at a glance.

    Attributes:
        title, series: the plot, and the curve in it.
        count: how many points.
        first_iteration, last_iteration: the smallest and the largest.
        first_time, last_time: in milliseconds since 1970-01-01 UTC.
        last: value of the last point in the order (time, iteration, value).
        minimum, maximum: of the values that are numbers; NaN if none is.
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

    def __repr__(self) -> str:
        return f"<SeriesSummary {self.title}/{self.series}: {self.count} points, last {self.last:g}>"
