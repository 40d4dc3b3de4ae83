"""The keys of the views: made so that LMDB's byte order is the order that is asked for."""

import hashlib
import re
import struct

from eventlog.batch import NumberedEvent

__all__ = ["NO_ORDER", "ORDER_SIZE", "TASK_SIZE", "order_key", "order_of", "task_key", "time_key"]

TASK_SIZE = 16
ORDER_SIZE = 32
NO_ORDER = bytes(ORDER_SIZE)
MAX_TIME = (1 << 64) - 1

_is_usual_id = re.compile(r"[0-9a-f]{32}\Z").match
_order = struct.Struct(">Q16sQ")
_time = struct.Struct(">Q")


def task_key(task: str) -> bytes:
    """16 bytes that stand for a task: its id's, or for an id that is not 32 hexadecimal digits, a hash."""
    if _is_usual_id(task):
        return bytes.fromhex(task)
    # What is asked for may have halves of a surrogate pair, which no id that was recorded has.
    return hashlib.sha256(task.encode(errors="surrogatepass")).digest()[:TASK_SIZE]


def time_key(time: int) -> bytes:
    """8 bytes that sort like a time; times before 1970 count as 0."""
    return _time.pack(min(max(time, 0), MAX_TIME))


def order_key(numbered: NumberedEvent) -> bytes:
    """32 bytes that sort like (time, session, number)."""
    session, number, event = numbered
    try:
        return _order.pack(event.time, session, number)
    except struct.error:
        return _order.pack(0, session, number)


def order_of(key: bytes) -> tuple[int, bytes, int]:
    """The (time, session, number) that an order key stands for."""
    time, session, number = _order.unpack(key)
    return time, session, number
