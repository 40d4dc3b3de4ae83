"""What a script's person is told beside what the script prints."""

import contextlib
import sys

__all__ = ["tell"]


def tell(what: str) -> None:
    """Write a line to stderr; where there is none, or it is closed, nothing happens."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"eventlog: {what}\n")
