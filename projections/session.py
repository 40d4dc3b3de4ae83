"""What is known of a session: the fold of its own events, those that are about no task."""

import msgspec

from eventlog.batch import NumberedEvent
from eventlog.events import EventsDropped, SessionEnded, SessionStarted
from eventlog.projections.projection import Projection

__all__ = ["SESSION", "SessionState", "evolve_session"]


class SessionState(msgspec.Struct, array_like=True, frozen=True):
    """One process's run of appends. Times are in milliseconds since 1970-01-01 UTC.

    Attributes:
        id: 16 bytes.
        host, user, process: where it ran, whose it was, and its process id there.
        program, python: "eventlog 0.1.0" and "3.11.7".
        command: the command line.
        started: time of its first event.
        ended: when it ended, or None: it is alive, or its end has not come here yet.
        reason: "closed", or how the process died.
        dropped: how many reports it could not keep.
        next: the number of the event that comes next, as far as this view has seen.
    """

    id: bytes = b""
    host: str = ""
    user: str = ""
    process: int = 0
    program: str = ""
    python: str = ""
    command: list[str] = []
    started: int | None = None
    ended: int | None = None
    reason: str = ""
    dropped: int = 0
    next: int = 0

    def __repr__(self) -> str:
        end = self.reason if self.ended is not None else "not ended"
        return (
            f"<SessionState {self.id.hex()[:8]}: process {self.process} of {self.user} on {self.host}, {end}>"
        )


def evolve_session(state: SessionState, numbered: NumberedEvent) -> SessionState:
    """The state after one more of the session's events; one seen before changes nothing."""
    session, number, event = numbered
    if number < state.next:
        return state
    known = msgspec.structs.replace(state, id=session, next=number + 1)
    if isinstance(event, SessionStarted):
        return msgspec.structs.replace(
            known,
            host=event.host,
            user=event.user,
            process=event.process,
            program=event.program,
            python=event.python,
            command=event.command,
            started=event.time,
        )
    if isinstance(event, SessionEnded):
        return msgspec.structs.replace(known, ended=event.time, reason=event.reason)
    if isinstance(event, EventsDropped):
        return msgspec.structs.replace(known, dropped=known.dropped + event.count)
    return known


SESSION: Projection[SessionState] = Projection("sessions", 1, SessionState, evolve_session)
