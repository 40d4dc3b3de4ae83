"""The machine's clock, as everything but a session reads it; a session has its hybrid clock in itself."""

import time

__all__ = ["MAX_LEAD", "MAX_TIME", "wall_clock"]

# The end of the year 9999, in milliseconds since 1970-01-01 UTC: no event is later.
MAX_TIME = 253_402_300_799_999
# No session follows an event that is further ahead of its own clock, in milliseconds: a year.
MAX_LEAD = 366 * 24 * 3600 * 1000


def wall_clock() -> int:
    """Milliseconds since 1970-01-01 UTC, by the machine's clock, which may jump."""
    return time.time_ns() // 1_000_000
