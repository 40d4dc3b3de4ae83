"""The state stream: state events kept by task and order, the state of each task, the sessions, the index.

Events that come after all that a task has seen are folded onto its state. When some come late, from
another process or through a sync, that one task is folded again from all its events.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
import zstandard

from eventlog.batch import Batch, NumberedEvent
from eventlog.errors import DataCorrupt
from eventlog.events import Event, ExecutionRecorded, Unknown, decode_event, encode_event
from eventlog.projections.environment import ViewsDamaged, ViewsEnvironment
from eventlog.projections.index import IndexWriter
from eventlog.projections.keys import NO_ORDER, ORDER_SIZE, TASK_SIZE, order_key, order_of, task_key, time_key
from eventlog.projections.query import TaskRow
from eventlog.projections.session import SessionState, evolve_session
from eventlog.projections.task import TaskState, fold_task

__all__ = [
    "TaskRecord",
    "fold_states",
    "read_plain_state",
    "read_record",
    "read_sessions",
    "read_state",
    "read_state_at",
    "state_events",
]

# Larger events (packages, diffs) are kept compressed.
_MAX_PLAIN = 1024
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PAGE = 1000
_record_head = struct.Struct(">I32s32s")
_encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(TaskState).decode
_decode_session = msgspec.msgpack.Decoder(SessionState).decode
_by_order = itemgetter(0)
# Stands for an execution that is not read, while a task is folded on.
_KEPT_EXECUTION = ExecutionRecorded(0, "")

Ordered = tuple[bytes, NumberedEvent]


class TaskRecord(NamedTuple):
    """What is kept of a task.

    Attributes:
        ordinal: of the task in the index.
        last: order key of its last event.
        execution: order key of the event that its `execution` is, or zeros.
        state: the encoded `TaskState`, without what is joined when it is read: execution, host, user.
    """

    ordinal: int
    last: bytes
    execution: bytes
    state: bytes

    def pack(self) -> bytes:
        """The bytes of the record."""
        return _record_head.pack(self.ordinal, self.last, self.execution) + self.state

    @classmethod
    def unpack(cls, data: bytes) -> "TaskRecord":
        """The record that these bytes are."""
        ordinal, last, execution = _record_head.unpack_from(data)
        return cls(ordinal, last, execution, data[_record_head.size :])


def fold_states(
    transaction: Any, environment: ViewsEnvironment, batches: Sequence[tuple[Batch, list[NumberedEvent]]]
) -> None:
    """Fold the state events of some batches into the views."""
    of_tasks: dict[str, list[Ordered]] = {}
    of_sessions: dict[bytes, list[NumberedEvent]] = {}
    for _, numbered_events in batches:
        for numbered in numbered_events:
            if numbered.event.task:
                of_tasks.setdefault(numbered.event.task, []).append((order_key(numbered), numbered))
            else:
                of_sessions.setdefault(numbered.session, []).append(numbered)
    for session, own in of_sessions.items():
        _fold_session(transaction, environment, session, own)
    keys = {task: task_key(task) for task in of_tasks}
    _keep_events(transaction, environment, keys, of_tasks)
    index = IndexWriter(transaction, environment)
    for task, ordered in of_tasks.items():
        ordered.sort(key=_by_order)
        _fold_task(transaction, environment, index, keys[task], ordered)
    index.write()


def read_record(transaction: Any, environment: ViewsEnvironment, key: bytes) -> TaskRecord | None:
    """What is kept of a task, by its key."""
    data = transaction.get(key, db=environment["tasks"])
    return None if data is None else TaskRecord.unpack(data)


def read_plain_state(transaction: Any, environment: ViewsEnvironment, key: bytes) -> TaskState | None:
    """The state of a task, by its key, without execution, host and user."""
    record = read_record(transaction, environment, key)
    return None if record is None else _decode_state(record.state)


def read_state(transaction: Any, environment: ViewsEnvironment, key: bytes) -> TaskState | None:
    """The state of a task, by its key, with everything joined."""
    record = read_record(transaction, environment, key)
    if record is None:
        return None
    state = _decode_state(record.state)
    if record.execution != NO_ORDER:
        data = transaction.get(key + record.execution, db=environment["events"])
        execution = None if data is None else _unpack_event(record.execution, data).event
        if not isinstance(execution, ExecutionRecorded):
            raise ViewsDamaged(f"the views have lost an event of task {state.id}: run `eventlog rebuild`")
        state.execution = execution
    return _join_sessions(transaction, environment, state)


def read_state_at(transaction: Any, environment: ViewsEnvironment, key: bytes, time: int) -> TaskState | None:
    """The state of a task after its events up to a time, in ms, inclusive; None if it has none by then."""
    ordered = _range(transaction, environment, key, NO_ORDER, time_key(time + 1))
    state = fold_task(TaskState(""), (numbered for _, numbered in ordered))
    return _join_sessions(transaction, environment, state) if state.id else None


def read_sessions(transaction: Any, environment: ViewsEnvironment) -> dict[bytes, SessionState]:
    """Every session, by its id."""
    with transaction.cursor(environment["sessions"]) as cursor:
        return {bytes(key): _decode_session(value) for key, value in cursor}


def state_events(
    environment: ViewsEnvironment, key: bytes, first_time: int | None, last_time: int | None
) -> Iterator[NumberedEvent]:
    """The state events of a task in order, read some at a time."""
    start = time_key(first_time or 0)
    stop = b"\xff" * (ORDER_SIZE + 1) if last_time is None else time_key(last_time + 1)
    while True:
        page: list[Ordered] = []
        with environment.read() as transaction:
            for ordered in _range(transaction, environment, key, start, stop):
                page.append(ordered)
                if len(page) == _PAGE:
                    break
        yield from (numbered for _, numbered in page)
        if len(page) < _PAGE:
            return
        start = page[-1][0] + b"\0"


def _fold_session(
    transaction: Any, environment: ViewsEnvironment, session: bytes, own: Iterable[NumberedEvent]
) -> None:
    data = transaction.get(session, db=environment["sessions"])
    state = SessionState() if data is None else _decode_session(data)
    for numbered in own:
        state = evolve_session(state, numbered)
    transaction.put(session, _encode(state), db=environment["sessions"])


def _keep_events(
    transaction: Any,
    environment: ViewsEnvironment,
    keys: dict[str, bytes],
    of_tasks: dict[str, list[Ordered]],
) -> None:
    """Put events where they can be folded again."""
    compress = zstandard.ZstdCompressor(level=1).compress
    items = sorted(
        (keys[task] + order, _pack_event(numbered.event, compress))
        for task, ordered in of_tasks.items()
        for order, numbered in ordered
    )
    with transaction.cursor(environment["events"]) as cursor:
        cursor.putmulti(items)


def _fold_task(
    transaction: Any,
    environment: ViewsEnvironment,
    index: IndexWriter,
    key: bytes,
    ordered: Sequence[Ordered],
) -> None:
    record = read_record(transaction, environment, key)
    state, old_row = TaskState(""), None
    if record is not None:
        old = _decode_state(record.state)
        old_row = TaskRow.of(old)
        if ordered[0][0] <= record.last:
            # Some came late.
            ordered = list(_range(transaction, environment, key, NO_ORDER, b"\xff" * (ORDER_SIZE + 1)))
        else:
            state = old
            if record.execution != NO_ORDER:
                state.execution = _KEPT_EXECUTION
    state = fold_task(state, map(itemgetter(1), ordered))
    execution = NO_ORDER
    if state.execution is _KEPT_EXECUTION and record is not None:
        execution = record.execution
    elif state.execution is not None:
        execution = next(order for order, numbered in reversed(ordered) if numbered.event is state.execution)
    state.execution = None
    ordinal = index.put(record.ordinal if record else None, key, old_row, TaskRow.of(state))
    kept = TaskRecord(ordinal, ordered[-1][0], execution, _encode(state))
    transaction.put(key, kept.pack(), db=environment["tasks"])


def _range(
    transaction: Any, environment: ViewsEnvironment, key: bytes, start: bytes, stop: bytes
) -> Iterator[Ordered]:
    """The events of a task from one order key up to, and without, another."""
    with transaction.cursor(environment["events"]) as cursor:
        found = cursor.set_range(key + start)
        while found:
            at = bytes(cursor.key())
            order = at[TASK_SIZE:]
            if at[:TASK_SIZE] != key or order >= stop:
                return
            yield order, _unpack_event(order, cursor.value())
            found = cursor.next()


def _pack_event(event: Event, compress: Callable[[bytes], bytes]) -> bytes:
    data = event.raw if isinstance(event, Unknown) else encode_event(event)
    # An event is an array, which never begins like a compressed one.
    return data if len(data) <= _MAX_PLAIN else compress(data)


def _unpack_event(order: bytes, data: bytes) -> NumberedEvent:
    if data[:4] == _ZSTD_MAGIC:
        data = zstandard.ZstdDecompressor().decompress(data)
    _, session, number = order_of(order)
    try:
        return NumberedEvent(session, number, decode_event(data))
    except DataCorrupt as error:
        raise ViewsDamaged(f"the views hold a damaged event ({error}): run `eventlog rebuild`") from None


def _join_sessions(transaction: Any, environment: ViewsEnvironment, state: TaskState) -> TaskState:
    for session in state.sessions:
        data = transaction.get(session, db=environment["sessions"])
        if data is not None:
            known = _decode_session(data)
            state.host, state.user = known.host, known.user
            state.dropped += known.dropped
    return state
