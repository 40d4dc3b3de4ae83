"""The hybrid logical clock that times events.

Times are whole milliseconds since 1970-01-01 UTC. They follow the wall clock, never go back within a
session, and never stand behind an event that the session has seen. State events get a time of their
own, so that whoever has seen one orders after it; reports may share a millisecond, which is what lets
thousands of them compress to almost nothing.

Source: S. Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed
Databases", 2014. Their logical counter is folded into the milliseconds here: (time, session, number)
is the order of events, and the number breaks ties within a session.
"""

import time

__all__ = ["Clock", "wall_clock"]


def wall_clock() -> int:
    """Milliseconds since 1970-01-01 UTC, by the machine's clock, which may jump."""
    return time.time_ns() // 1_000_000


class Clock:
    """Times that only grow, from a wall clock that may not.

    Not locked: a session calls it under its own lock.
    """

    __slots__ = ("last", "wall")

    def __init__(self, wall=wall_clock) -> None:
        self.wall = wall
        self.last = 0

    def __repr__(self) -> str:
        return f"<Clock {self.last}>"

    def report(self) -> int:
        """The time of a report: not before anything timed so far."""
        now = self.wall()
        if now > self.last:
            self.last = now
        return self.last

    def state(self) -> int:
        """The time of a state event: after everything timed so far."""
        now = self.wall()
        self.last = now if now > self.last else self.last + 1
        return self.last

    def observe(self, time: int) -> None:
        """Order what comes next after an event of this time, which this process has seen."""
        if time > self.last:
            self.last = time
