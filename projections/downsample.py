"""Fewer points that draw the same picture."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow

__all__ = ["downsample"]


def downsample(table: "pyarrow.Table", points: int) -> "pyarrow.Table":
    """At most `points` rows of a series that draw like all of them.

    Args:
        table: as from `Views.scalars`: columns iteration, time and value.
        points: how many rows to keep, at least 4.
    """
    raise NotImplementedError
