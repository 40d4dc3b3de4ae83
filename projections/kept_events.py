"""State events as the views keep them: by what they are about and in order, to be folded again.

They lie under the key of their task or model (see `eventlog.projections.keys`), followed by that of their
order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import zstandard

from eventlog.batch import NumberedEvent
from eventlog.errors import DataCorrupt
from eventlog.events import Event, Unknown, decode_event, encode_event
from eventlog.projections.environment import ViewsDamaged, ViewsEnvironment
from eventlog.projections.keys import NO_ORDER, ORDER_SIZE, TASK_SIZE, order_of, time_key

__all__ = [
    "Ordered",
    "count_events",
    "keep_events",
    "read_event",
    "read_events",
    "state_events",
]

# Larger events (packages, diffs) are kept compressed.
_MAX_PLAIN = 1024
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PAGE = 1000
_END = b"\xff" * (ORDER_SIZE + 1)

Ordered = tuple[bytes, NumberedEvent]
"""An event after its order key."""


def keep_events(
    transaction: Any, environment: ViewsEnvironment, of_keys: Iterable[tuple[bytes, Sequence[Ordered]]]
) -> None:
    """Keep events, given after the key of what they are about."""
    compress = zstandard.ZstdCompressor(level=1).compress
    items = sorted(
        (key + order, _pack(numbered.event, compress))
        for key, ordered in of_keys
        for order, numbered in ordered
    )
    with transaction.cursor(environment["events"]) as cursor:
        cursor.putmulti(items)


def read_events(
    transaction: Any, environment: ViewsEnvironment, key: bytes, start: bytes = NO_ORDER, stop: bytes = _END
) -> Iterator[Ordered]:
    """The events of a task or model from one order key up to, and without, another."""
    with transaction.cursor(environment["events"]) as cursor:
        found = cursor.set_range(key + start)
        while found:
            at = bytes(cursor.key())
            order = at[TASK_SIZE:]
            if at[:TASK_SIZE] != key or order >= stop:
                return
            yield order, _unpack(order, cursor.value())
            found = cursor.next()


def read_event(transaction: Any, environment: ViewsEnvironment, key: bytes, order: bytes) -> Event | None:
    """One event, by its order key."""
    data = transaction.get(key + order, db=environment["events"])
    return None if data is None else _unpack(order, data).event


def count_events(transaction: Any, environment: ViewsEnvironment, key: bytes) -> int:
    """How many events of a task or model are kept."""
    count = 0
    with transaction.cursor(environment["events"]) as cursor:
        if cursor.set_range(key):
            for at in cursor.iternext(values=False):
                if at[:TASK_SIZE] != key:
                    break
                count += 1
    return count


def state_events(
    environment: ViewsEnvironment, key: bytes, first_time: int | None, last_time: int | None
) -> Iterator[NumberedEvent]:
    """The state events of a task or model in order, read some at a time."""
    start = time_key(first_time or 0)
    stop = _END if last_time is None else time_key(last_time + 1)
    while True:
        page: list[Ordered] = []
        with environment.read() as transaction:
            for ordered in read_events(transaction, environment, key, start, stop):
                page.append(ordered)
                if len(page) == _PAGE:
                    break
        yield from (numbered for _, numbered in page)
        if len(page) < _PAGE:
            return
        start = page[-1][0] + b"\0"


def _pack(event: Event, compress: Callable[[bytes], bytes]) -> bytes:
    data = event.raw if isinstance(event, Unknown) else encode_event(event)
    # An event is an array, which never begins like a compressed one.
    return data if len(data) <= _MAX_PLAIN else compress(data)


def _unpack(order: bytes, data: bytes) -> NumberedEvent:
    if data[:4] == _ZSTD_MAGIC:
        data = zstandard.ZstdDecompressor().decompress(data)
    _, session, number = order_of(order)
    try:
        return NumberedEvent(session, number, decode_event(data))
    except DataCorrupt as error:
        raise ViewsDamaged(f"the views hold a damaged event ({error}): run `eventlog rebuild`") from None
