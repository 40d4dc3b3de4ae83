"""Console text: the lines that a task reported, in order.

What a batch holds of a task's text is one value, which never changes; so the view is the same whatever
the order in which batches arrive.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import zstandard

from eventlog.events import TextReported
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.keys import task_key, time_key

__all__ = ["TextLine", "fold_text", "read_text"]

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_MAX_PLAIN = 512


class TextLine(msgspec.Struct, array_like=True, frozen=True):
    """One report of text.

    Attributes:
        time: in milliseconds since 1970-01-01 UTC.
        level: a number of the logging module.
        text: what was reported; it may hold several lines.
        blob: SHA-256 of the whole text where it is larger than 64 KiB; `text` is then its beginning.
        session: id of the session that reported it, 16 bytes.
        place: what its session's lines are ordered by.
    """

    time: int
    level: int
    text: str
    blob: str = ""
    session: bytes = b""
    place: int = 0

    def __repr__(self) -> str:
        return f"<TextLine {self.time} {self.text[:40]!r}>"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[TextLine]).decode


def fold_text(
    transaction: Any,
    environment: ViewsEnvironment,
    session: bytes,
    reported: Iterable[tuple[int, TextReported]],
) -> None:
    """Fold the text of one batch into the views.

    Args:
        session: whose batch it is.
        reported: each with its place, which grows within the session.
    """
    of_tasks: dict[str, list[TextLine]] = {}
    for place, event in reported:
        line = TextLine(event.time, event.level, event.text, event.blob, session, place)
        of_tasks.setdefault(event.task, []).append(line)
    for task, lines in of_tasks.items():
        key = task_key(task) + time_key(lines[0].time) + session + time_key(lines[0].place)
        data = _encode(lines)
        if len(data) > _MAX_PLAIN:
            data = zstandard.ZstdCompressor(level=1).compress(data)
        transaction.put(key, data, db=environment["text"])


def read_text(
    transaction: Any, environment: ViewsEnvironment, key: bytes, reset_time: int | None
) -> list[TextLine]:
    """The lines of a task in the order (time, session, place), from when it was last reset.

    Args:
        key: of the task.
        reset_time: in ms, or None.
    """
    lines = [
        line
        for part in _parts(transaction, environment, key)
        for line in part
        if reset_time is None or line.time >= reset_time
    ]
    return sorted(lines, key=lambda line: (line.time, line.session, line.place))


def _parts(transaction: Any, environment: ViewsEnvironment, key: bytes) -> Iterator[list[TextLine]]:
    with transaction.cursor(environment["text"]) as cursor:
        found = cursor.set_range(key)
        while found and cursor.key()[: len(key)] == key:
            data = cursor.value()
            if data[:4] == _ZSTD_MAGIC:
                data = zstandard.ZstdDecompressor().decompress(data)
            yield _decode(data)
            found = cursor.next()
