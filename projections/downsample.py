"""Fewer points that draw the same picture."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow

__all__ = ["downsample"]


def downsample(table: "pyarrow.Table", points: int) -> "pyarrow.Table":
    """At most `points` rows of a series that draw like all of them: M4, as many as fit.

    The rows are cut into stretches of equal length; of each, the first and the last row are kept and those
    of the smallest and the largest value. So no peak is lost, and the line between stretches is exact.
    NaN is neither smallest nor largest.

    Args:
        table: as from `Views.scalars`: columns iteration, time and value.
        points: how many rows to keep, at least 4.

    Source: U. Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014.
    """
    import pyarrow
    import pyarrow.compute as compute

    rows = len(table)
    if rows <= points:
        return table
    values = table["value"].combine_chunks()
    stretches = max(points // 4, 1)
    kept: set[int] = set()
    for stretch in range(stretches):
        first, end = rows * stretch // stretches, rows * (stretch + 1) // stretches
        part = values.slice(first, end - first)
        kept |= {first, end - 1}
        extremes = compute.min_max(part)
        for name in ("min", "max"):
            at = compute.index(part, extremes[name]).as_py() if extremes[name].is_valid else -1
            if at >= 0:
                kept.add(first + at)
    return table.take(pyarrow.array(sorted(kept)))
