"""Outlines of chunks: few points that draw like all of a chunk's, kept beside it.

The points of a chunk are cut into stretches of `STRIDE`; of each, the first and the last point are kept and
those of the smallest and the largest value (M4, as in `eventlog.projections.downsample`). So a curve of ten
million points is drawn from forty thousand, without reading the others.
"""

import math
import struct
import sys
from array import array
from typing import Any, NamedTuple

from eventlog.projections.environment import ViewsDamaged
from eventlog.projections.points import Buffer, Points

__all__ = ["STRIDE", "Outline", "outline_of"]

STRIDE = 1024
# Smaller chunks are read faster than found.
_LEAST = 16 * STRIDE
_head = struct.Struct("<4q")


class Outline(NamedTuple):
    """Points of a chunk whose points are in order and have finite values.

    Attributes:
        first, last: time and iteration of the chunk's first and last point.
        iterations, values: of the points that are kept, in their order.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    iterations: "array[int]"
    values: "array[float]"

    def pack(self) -> bytes:
        """The bytes of the outline: the first and last point, and two columns of little-endian numbers."""
        return b"".join(
            (
                _head.pack(*self.first, *self.last),
                _little_endian(self.iterations),
                _little_endian(self.values),
            )
        )

    @classmethod
    def unpack(cls, data: bytes) -> "Outline":
        """The outline that these bytes are."""
        first_time, first, last_time, last = _head.unpack_from(data)
        size = (len(data) - _head.size) // 2
        if size % 8 or len(data) != _head.size + 2 * size:
            raise ViewsDamaged("the outline of a series has a length that cannot be: run `eventlog rebuild`")
        columns = memoryview(data)[_head.size :]
        iterations, values = _numbers("q", columns[:size]), _numbers("d", columns[size:])
        return cls((first_time, first), (last_time, last), iterations, values)


def outline_of(points: Points, stride: int = STRIDE, *, least: int = _LEAST) -> Outline | None:
    """The outline of some points; None of fewer than `least`, or if they are out of order or not all finite.

    Args:
        stride: how many points make a stretch.
    """
    if points.rows < least or not points.is_sorted:
        return None
    iterations, _, values = points.columns
    numbers = _numbers("d", values).tolist()
    kept = [
        first + at
        for first in range(0, len(numbers), stride)
        for at in _corners(numbers[first : first + stride])
    ]
    drawn = array("d", map(numbers.__getitem__, kept))
    # A stretch with a NaN may have any other value as its smallest and largest.
    if not math.isfinite(sum(numbers)) and not all(map(math.isfinite, numbers)):
        return None
    first, last = points.row(0)[:2], points.row(points.rows - 1)[:2]
    return Outline(first, last, array("q", map(_numbers("q", iterations).__getitem__, kept)), drawn)


def _corners(values: list[float]) -> list[int]:
    """The places of the first, the smallest, the largest and the last value, growing."""
    return sorted({0, values.index(min(values)), values.index(max(values)), len(values) - 1})


def _numbers(kind: Any, column: Buffer) -> "array[Any]":
    numbers = array(kind)
    numbers.frombytes(column)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _little_endian(column: "array[Any]") -> bytes:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()
