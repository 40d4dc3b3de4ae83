"""The machine's clock, as everything but a session reads it; a session has its hybrid clock in itself."""

import time

__all__ = ["wall_clock"]


def wall_clock() -> int:
    """Milliseconds since 1970-01-01 UTC, by the machine's clock, which may jump."""
    return time.time_ns() // 1_000_000
