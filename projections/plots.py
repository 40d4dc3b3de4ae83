"""Plots and media: what was reported of each, by title, series and iteration.

Every report is kept, under a key that holds what it is ordered by, so that the view is the same whatever the
order in which batches arrive. Shown is the last report of each title, series and iteration.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import zstandard

from eventlog.events import MediaReported, PlotReported
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.keys import MAX_TIME, TASK_SIZE, task_key, time_key

__all__ = ["Media", "Plot", "count_reported", "fold_media", "fold_plots", "read_media", "read_plots"]

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_MAX_PLAIN = 512
_NAME_SIZE = 16
_MIN_ITERATION = -(1 << 63)
# Task, title, series, iteration: what one plot is reported under. Time, session and place follow.
_GROUP_SIZE = TASK_SIZE + 2 * _NAME_SIZE + 8
_time = struct.Struct(">Q")


class Plot(msgspec.Struct, array_like=True, frozen=True):
    """A plot as last reported for an iteration.

    Attributes:
        title, series: what it is called.
        iteration: that it is of.
        time: when it was reported, in milliseconds since 1970-01-01 UTC.
        figure: a Plotly figure as JSON, or "" where `blob` holds it.
        blob: SHA-256 of the figure in UTF-8, when larger than 64 KiB.
    """

    title: str
    series: str
    iteration: int
    time: int
    figure: str
    blob: str = ""

    def __repr__(self) -> str:
        return f"<Plot {self.title}/{self.series} at {self.iteration}>"


class Media(msgspec.Struct, array_like=True, frozen=True):
    """An image, a sound, a film or a page as last reported for an iteration.

    Attributes:
        title, series: what it is called.
        iteration: that it is of.
        time: when it was reported, in milliseconds since 1970-01-01 UTC.
        kind: "image", "audio", "video", "html" or "file".
        blob: SHA-256 of the bytes, or "" where the URL alone is known.
        size: bytes.
        file_name: what to call a copy.
        url: where it is, if not in the store, or besides.
    """

    title: str
    series: str
    iteration: int
    time: int
    kind: str
    blob: str = ""
    size: int = 0
    file_name: str = ""
    url: str = ""

    def __repr__(self) -> str:
        return f"<Media {self.kind} {self.title}/{self.series} at {self.iteration}>"


def fold_plots(
    transaction: Any,
    environment: ViewsEnvironment,
    session: bytes,
    reported: Iterable[tuple[int, PlotReported]],
) -> None:
    """Fold the plots of one batch into the views.

    Args:
        session: whose batch it is.
        reported: each with its place, which grows within the session.
    """
    for place, event in reported:
        plot = Plot(event.title, event.series, event.iteration, event.time, event.figure, event.blob)
        _put(transaction, environment["plots"], event.task, plot, session, place)


def fold_media(
    transaction: Any,
    environment: ViewsEnvironment,
    session: bytes,
    reported: Iterable[tuple[int, MediaReported]],
) -> None:
    """Fold the media of one batch into the views; the arguments are as for `fold_plots`."""
    for place, event in reported:
        media = Media(
            event.title,
            event.series,
            event.iteration,
            event.time,
            event.kind,
            event.blob,
            event.size,
            event.file_name,
            event.url,
        )
        _put(transaction, environment["media"], event.task, media, session, place)


def read_plots(
    transaction: Any,
    environment: ViewsEnvironment,
    key: bytes,
    title: str | None,
    series: str | None,
    reset_time: int | None,
) -> list[Plot]:
    """The plots of a task, by title, series and iteration, from when it was last reset.

    Args:
        key: of the task.
        title, series: only these, where given.
        reset_time: in ms, or None.
    """
    found = _last_reports(transaction, environment["plots"], key, title, series, reset_time)
    return sorted(map(_decode_plot, map(_value, found)), key=_place)


def count_reported(
    transaction: Any, environment: ViewsEnvironment, key: bytes, reset_time: int | None
) -> tuple[int, int]:
    """How many plots and media `read_plots` and `read_media` give."""
    plots, media = (
        sum(1 for _ in _last_reports(transaction, environment[name], key, None, None, reset_time))
        for name in ("plots", "media")
    )
    return plots, media


def read_media(
    transaction: Any,
    environment: ViewsEnvironment,
    key: bytes,
    title: str | None,
    series: str | None,
    reset_time: int | None,
) -> list[Media]:
    """The media of a task; the arguments are as for `read_plots`."""
    found = _last_reports(transaction, environment["media"], key, title, series, reset_time)
    return sorted(map(_decode_media, map(_value, found)), key=_place)


_encode = msgspec.msgpack.Encoder().encode
_decode_plot = msgspec.msgpack.Decoder(Plot).decode
_decode_media = msgspec.msgpack.Decoder(Media).decode


def _put(
    transaction: Any, database: Any, task: str, reported: Plot | Media, session: bytes, place: int
) -> None:
    key = b"".join(
        (
            task_key(task),
            _name_key(reported.title),
            _name_key(reported.series),
            _iteration_key(reported.iteration),
            time_key(reported.time),
            session,
            time_key(place),
        )
    )
    data = _encode(reported)
    if len(data) > _MAX_PLAIN:
        data = zstandard.ZstdCompressor(level=1).compress(data)
    transaction.put(key, data, db=database)


def _value(cursor: Any) -> bytes:
    """What a cursor is at, decompressed."""
    data = bytes(cursor.value())
    return zstandard.ZstdDecompressor().decompress(data) if data[:4] == _ZSTD_MAGIC else data


def _last_reports(
    transaction: Any, database: Any, key: bytes, title: str | None, series: str | None, reset_time: int | None
) -> Iterator[Any]:
    """A cursor, at the last report of each title, series and iteration in turn."""
    prefix = key if title is None else key + _name_key(title)
    if title is not None and series is not None:
        prefix += _name_key(series)
    wanted = None if series is None else _name_key(series)
    with transaction.cursor(database) as cursor:
        found = cursor.set_range(prefix)
        while found and cursor.key().startswith(prefix):
            group = bytes(cursor.key()[:_GROUP_SIZE])
            # Past all of the group, and one back: however often it was reported.
            found = cursor.set_range(group + b"\xff" * 33)
            _ = cursor.prev() if found else cursor.last()
            at = cursor.key()
            (time,) = _time.unpack_from(at, _GROUP_SIZE)
            is_wanted = wanted is None or at[TASK_SIZE + _NAME_SIZE :].startswith(wanted)
            if is_wanted and (reset_time is None or time >= reset_time):
                yield cursor
            found = cursor.next()


def _name_key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:_NAME_SIZE]


def _iteration_key(iteration: int) -> bytes:
    return _time.pack(min(max(iteration - _MIN_ITERATION, 0), MAX_TIME))


def _place(reported: Plot | Media) -> tuple[str, str, int]:
    return reported.title, reported.series, reported.iteration
