"""How far each session has got: kept beside the batches, changed in the same transaction as they are."""

from collections.abc import Iterable

import msgspec

from eventlog.errors import DataCorrupt
from eventlog.events import Event, SessionEnded, TaskCompleted, TaskFailed, TaskStarted, TaskStopped

__all__ = ["SessionRecord", "changes_of"]

_CHANGES = (TaskStarted, TaskCompleted, TaskFailed, TaskStopped, SessionEnded)


class SessionRecord(msgspec.Struct, array_like=True):
    """How far a session has got.

    Attributes:
        store: id of the store whose session it is.
        next: the number of the event that comes next.
        open_tasks: the tasks that it started and that have not ended.
        ended: it will append nothing more.
        last_time: time of its last event, in milliseconds since 1970-01-01 UTC.
        session: its id; the key of the record, not part of its bytes.
    """

    store: bytes
    next: int = 0
    open_tasks: list[str] = []
    ended: bool = False
    last_time: int = 0
    session: bytes = b""

    @classmethod
    def read(cls, session: bytes, value: bytes) -> "SessionRecord":
        """The record of a session, from its bytes.

        Raises:
            DataCorrupt: they are not a record.
        """
        try:
            record = _decoder.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataCorrupt(f"the record of session {session.hex()} cannot be read: {error}") from None
        record.session = bytes(session)
        return record

    def encode(self) -> bytes:
        """The record's bytes."""
        return msgspec.msgpack.encode((self.store, self.next, self.open_tasks, self.ended, self.last_time))

    def advance(self, end: int, last_time: int, states: Iterable[Event]) -> None:
        """Take in the events up to, not including, number `end`; `states` are the state events of them."""
        self.next = end
        self.last_time = max(self.last_time, last_time)
        changes = changes_of(states)
        if not changes:
            return
        open_tasks = dict.fromkeys(self.open_tasks)
        for event in changes:
            match event:
                case TaskStarted():
                    open_tasks.pop(event.task, None)
                    open_tasks[event.task] = None
                case TaskCompleted() | TaskFailed() | TaskStopped():
                    open_tasks.pop(event.task, None)
                case SessionEnded():
                    self.ended = True
        self.open_tasks = list(open_tasks)


def changes_of(states: Iterable[Event]) -> list[Event]:
    """Those state events that change how far a session has got."""
    return [event for event in states if isinstance(event, _CHANGES)]


_decoder = msgspec.msgpack.Decoder(SessionRecord)
