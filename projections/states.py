"""The state stream: state events kept in order, the state of each task and model, the sessions, the index.

Events that come after all that a task or a model has seen are folded onto its state. When some come late,
from another process or through a sync, that one is folded again from all its events. A task, or a model, is
there from the first event of a kind that is about one; those of unknown kinds alone make neither.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from eventlog.batch import Batch, NumberedEvent
from eventlog.events import Event, ExecutionRecorded, Unknown
from eventlog.projections.environment import ViewsDamaged, ViewsEnvironment
from eventlog.projections.index import IndexWriter
from eventlog.projections.kept_events import Ordered, count_events, keep_events, read_event, read_events
from eventlog.projections.keys import NO_ORDER, order_key, task_key, time_key
from eventlog.projections.model import ModelState, fold_model
from eventlog.projections.models import ModelRecord, read_model_record
from eventlog.projections.query import TaskRow
from eventlog.projections.session import SessionState, evolve_session
from eventlog.projections.task import TaskState, fold_task

__all__ = [
    "TaskRecord",
    "fold_states",
    "read_page",
    "read_plain_state",
    "read_record",
    "read_sessions",
    "read_state",
    "read_state_at",
]

_PAGE = 500
_record_head = struct.Struct(">I32s32s")
_encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(TaskState).decode
_decode_session = msgspec.msgpack.Decoder(SessionState).decode
_by_order = itemgetter(0)
# Stands for an execution that is not read, while a task is folded on.
_KEPT_EXECUTION = ExecutionRecorded(0, "")


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
    of_ids: dict[str, list[Ordered]] = {}
    of_sessions: dict[bytes, list[NumberedEvent]] = {}
    for _, numbered_events in batches:
        for numbered in numbered_events:
            if numbered.event.task:
                of_ids.setdefault(numbered.event.task, []).append((order_key(numbered), numbered))
            else:
                of_sessions.setdefault(numbered.session, []).append(numbered)
    for session, own in of_sessions.items():
        _fold_session(transaction, environment, session, own)
    of_keys = [(task_key(about), ordered) for about, ordered in of_ids.items()]
    keep_events(transaction, environment, of_keys)
    index = IndexWriter(transaction, environment)
    for key, ordered in of_keys:
        ordered.sort(key=_by_order)
        _fold_task(transaction, environment, index, key, ordered)
        _fold_model(transaction, environment, key, ordered)
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
        execution = read_event(transaction, environment, key, record.execution)
        if not isinstance(execution, ExecutionRecorded):
            raise ViewsDamaged(f"the views have lost an event of task {state.id}: run `eventlog rebuild`")
        state.execution = execution
    return _join_sessions(transaction, environment, state)


def read_page(
    transaction: Any, environment: ViewsEnvironment, after: bytes, *, whole: bool
) -> tuple[list[TaskState], bytes]:
    """The states of some tasks, deleted ones too, in the order of their keys, and the key to go on after.

    Args:
        after: the key that the page before ended with; empty for the first page.
        whole: with what is joined, execution, host and user.
    """
    keys: list[bytes] = []
    with transaction.cursor(environment["tasks"]) as cursor:
        # No key is of this length, so the one after it is the next.
        if cursor.set_range(after + b"\0" if after else b""):
            keys = [bytes(key) for key in islice(cursor.iternext(values=False), _PAGE)]
    read = read_state if whole else read_plain_state
    states = (read(transaction, environment, key) for key in keys)
    return [state for state in states if state is not None], keys[-1] if keys else b""


def read_state_at(transaction: Any, environment: ViewsEnvironment, key: bytes, time: int) -> TaskState | None:
    """The state of a task after its events up to a time, in ms, inclusive; None if it has none by then."""
    ordered = read_events(transaction, environment, key, NO_ORDER, time_key(time + 1))
    state = fold_task(TaskState(""), (numbered for _, numbered in ordered))
    return _join_sessions(transaction, environment, state) if state.id else None


def read_sessions(transaction: Any, environment: ViewsEnvironment) -> dict[bytes, SessionState]:
    """Every session, by its id."""
    with transaction.cursor(environment["sessions"]) as cursor:
        return {bytes(key): _decode_session(value) for key, value in cursor}


def _fold_session(
    transaction: Any, environment: ViewsEnvironment, session: bytes, own: Iterable[NumberedEvent]
) -> None:
    data = transaction.get(session, db=environment["sessions"])
    state = SessionState() if data is None else _decode_session(data)
    for numbered in own:
        state = evolve_session(state, numbered)
    transaction.put(session, _encode(state), db=environment["sessions"])


def _fold_task(
    transaction: Any,
    environment: ViewsEnvironment,
    index: IndexWriter,
    key: bytes,
    ordered: Sequence[Ordered],
) -> None:
    ordered = [one for one in ordered if _is_of_task(one[1].event)]
    record = read_record(transaction, environment, key) if ordered else None
    if record is None and not _makes_one(ordered):
        return
    last = None if record is None else record.last
    ordered, goes_on = _to_fold(transaction, environment, key, ordered, last, _is_of_task)
    state, old_row = TaskState(""), None
    if record is not None:
        old = _decode_state(record.state)
        old_row = TaskRow.of(old)
        if goes_on:
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


def _fold_model(
    transaction: Any, environment: ViewsEnvironment, key: bytes, ordered: Sequence[Ordered]
) -> None:
    ordered = [one for one in ordered if _is_of_model(one[1].event)]
    record = read_model_record(transaction, environment, key) if ordered else None
    if record is None and not _makes_one(ordered):
        return
    last = None if record is None else record.last
    ordered, goes_on = _to_fold(transaction, environment, key, ordered, last, _is_of_model)
    state = record.state() if record is not None and goes_on else ModelState("")
    state = fold_model(state, map(itemgetter(1), ordered))
    kept = ModelRecord(ordered[-1][0], _encode(state))
    transaction.put(key, kept.pack(), db=environment["models"])


def _is_of_task(event: Event) -> bool:
    return not event.is_about_model


def _is_of_model(event: Event) -> bool:
    return event.is_about_model or isinstance(event, Unknown)


def _makes_one(ordered: Sequence[Ordered]) -> bool:
    return not all(isinstance(numbered.event, Unknown) for _, numbered in ordered)


def _to_fold(
    transaction: Any,
    environment: ViewsEnvironment,
    key: bytes,
    new: Sequence[Ordered],
    last: bytes | None,
    belongs: Callable[[Event], bool],
) -> tuple[Sequence[Ordered], bool]:
    """The events to fold, and whether onto the state that there is; if not, they are all that there are.

    Args:
        new: those that came now.
        last: order key of the last that the state has seen, or None if there is no state.
        belongs: tells which of the kept events are the state's.
    """
    if last is None and count_events(transaction, environment, key) == len(new):
        return new, False
    if last is not None and new[0][0] > last:
        return new, True
    return [one for one in read_events(transaction, environment, key) if belongs(one[1].event)], False


def _join_sessions(transaction: Any, environment: ViewsEnvironment, state: TaskState) -> TaskState:
    for session in state.sessions:
        data = transaction.get(session, db=environment["sessions"])
        if data is not None:
            known = _decode_session(data)
            state.host, state.user = known.host, known.user
            state.dropped += known.dropped
    return state
