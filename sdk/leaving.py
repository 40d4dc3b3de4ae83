"""The end of a script whose run is left to another process."""

import atexit
import contextlib
import os
import sys

__all__ = ["leave"]


def leave() -> None:
    """End the process with the exit code 0, from any thread; a notebook's ends its cell.

    What is registered for the end is called, but nothing of the script, as with ClearML: what a ``finally``
    or an ``except BaseException`` reports there would get into the draft.
    """
    if "ipykernel" in sys.modules:
        raise SystemExit(0)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    os._exit(0)
