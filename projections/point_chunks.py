"""The chunks that a series lies in: merged as they come, so that a series is a few large ones.

A chunk is one byte that says whether its points are in order, 7 zeros, and three columns (`Points`). New
points make a new chunk, which is merged with the one before while that one is small or not much larger, up to
65,536 points; so a point is copied a few times at most. A large chunk has an outline beside it.
"""

import struct
from collections.abc import Iterator
from typing import Any

from eventlog.projections.environment import ViewsDamaged, ViewsEnvironment
from eventlog.projections.outlines import Outline, outline_of
from eventlog.projections.points import Points

__all__ = ["append", "chunks", "stored_parts", "unpack"]

# Chunks of fewer points are always merged; none grows beyond the larger number.
_SMALL = 1024
_LARGE = 65536
_HEAD = 8
_SORTED, _UNSORTED = b"\1".ljust(_HEAD, b"\0"), bytes(_HEAD)
_chunk_number = struct.Struct(">I")


def append(transaction: Any, environment: ViewsEnvironment, key: bytes, points: Points) -> None:
    """Add points to the series whose key this is."""
    database = environment["points"]
    number, last = _last_chunk(transaction, database, key)
    for first in range(0, points.rows, _LARGE):
        new = points.part(first, first + _LARGE)
        while last is not None and _worth_merging(last.rows, new.rows):
            new = last.followed_by(new)
            _delete(transaction, environment, key + _chunk_number.pack(number))
            number, last = _last_chunk(transaction, database, key)
        number, last = number + 1, new
        _put(transaction, environment, key + _chunk_number.pack(number), new)


def chunks(transaction: Any, environment: ViewsEnvironment, key: bytes) -> Iterator[Points]:
    """The chunks of a series, in order."""
    with transaction.cursor(environment["points"]) as cursor:
        found = cursor.set_range(key)
        while found and cursor.key()[: len(key)] == key:
            yield unpack(cursor.value())
            found = cursor.next()


def stored_parts(
    transaction: Any, environment: ViewsEnvironment, key: bytes, *, outlined: bool
) -> Iterator[Points | Outline]:
    """The chunks of a series, in order; if `outlined`, the outline instead of each that has one."""
    with transaction.cursor(environment["points"]) as cursor:
        found = cursor.set_range(key)
        while found and cursor.key()[: len(key)] == key:
            outline = transaction.get(cursor.key(), db=environment["outlines"]) if outlined else None
            yield unpack(cursor.value()) if outline is None else Outline.unpack(outline)
            found = cursor.next()


def unpack(data: bytes) -> Points:
    """The points that the bytes of a chunk are."""
    view, size = memoryview(data), (len(data) - _HEAD) // 3
    if size % 8 or size <= 0 or len(data) != _HEAD + 3 * size:
        raise ViewsDamaged("a chunk of a series has a length that cannot be: run `eventlog rebuild`")
    iterations, times, values = (view[_HEAD + size * at : _HEAD + size * (at + 1)] for at in range(3))
    return Points((iterations, times, values), data[:_HEAD] == _SORTED)


def _put(transaction: Any, environment: ViewsEnvironment, key: bytes, points: Points) -> None:
    transaction.put(key, _pack(points), db=environment["points"])
    if (outline := outline_of(points)) is not None:
        transaction.put(key, outline.pack(), db=environment["outlines"])


def _delete(transaction: Any, environment: ViewsEnvironment, key: bytes) -> None:
    transaction.delete(key, db=environment["points"])
    transaction.delete(key, db=environment["outlines"])


def _worth_merging(old: int, new: int) -> bool:
    return old + new <= _LARGE and (old < _SMALL or old <= 2 * new)


def _last_chunk(transaction: Any, database: Any, key: bytes) -> tuple[int, Points | None]:
    with transaction.cursor(database) as cursor:
        found = cursor.last() if not cursor.set_range(key + b"\xff" * 5) else cursor.prev()
        if not found or cursor.key()[: len(key)] != key:
            return -1, None
        return _chunk_number.unpack(cursor.key()[len(key) :])[0], unpack(cursor.value())


def _pack(points: Points) -> bytes:
    return b"".join((_SORTED if points.is_sorted else _UNSORTED, *points.columns))
