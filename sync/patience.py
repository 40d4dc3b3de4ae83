"""Trying again what failed for the moment: how often, how long, and what is said meanwhile."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from eventlog.sync.copying import OnBytes
from eventlog.sync.failures import Passing

__all__ = ["Patience"]

log = logging.getLogger("eventlog")

# One that never answered is most likely called by a wrong name: nobody wants to wait for that.
STRANGER_SECONDS = 4.0
KNOWN_SECONDS = 120.0
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 15.0
# Shorter waits are not worth a message.
TELL_SECONDS = 2.0
SLICE_SECONDS = 0.1

Result = TypeVar("Result")


class Patience:
    """Patience with one remote: more once it has answered.

    Each wait is twice as long as the one before, and at random a part of that, so that many machines which
    were cut off together do not come back together.

    Args:
        shown: what to call the remote in messages.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._has_answered = False
        self._told = 0.0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Patience with {self._shown}>"

    def run(self, work: Callable[[], Result], progress: OnBytes | None = None) -> Result:
        """Do something, and again while it fails for the moment.

        Args:
            work: may be called several times.
            progress: is called with 0 now and then while waiting, and may raise to stop it.

        Raises:
            Passing: it failed to the end of patience.
        """
        tries = 0
        started = time.monotonic()
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                result = work()
            except Passing as error:
                tries += 1
                elapsed = time.monotonic() - started
                pause = random.uniform(wait / 2, wait)
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
                if elapsed + pause > (KNOWN_SECONDS if self._has_answered else STRANGER_SECONDS):
                    raise
                self._tell(error, tries, pause)
                _sleep(pause, progress)
            except Exception:
                # It said no, but it said something.
                self._has_answered = True
                raise
            else:
                self._has_answered = True
                return result

    def _tell(self, error: Passing, tries: int, pause: float) -> None:
        with self._lock:
            now = time.monotonic()
            # Of all the threads that wait for the same remote, one tells.
            if pause < TELL_SECONDS or now - self._told < pause:
                return
            self._told = now
        reason = str(error).rpartition(": ")[0]
        log.warning("%s; after %d tries, the next is in %.0f s", reason, tries, pause)


def _sleep(seconds: float, progress: OnBytes | None) -> None:
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        if progress is not None:
            progress(0)
        time.sleep(min(rest, SLICE_SECONDS))
