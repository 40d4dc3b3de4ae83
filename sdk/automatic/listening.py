"""Which task hears what libraries do, and what it wants to hear.

Hooks stay in place once a library has them; whether anything comes of a call is decided here, at the call.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eventlog.sdk.automatic.choices import Choices

if TYPE_CHECKING:
    from eventlog.sdk.task import Task

__all__ = ["choices", "hears", "is_muted", "listen", "muted", "safely", "switch", "warn_once"]

log = logging.getLogger("eventlog")


def listen(wanted: Choices) -> None:
    """From here on the current task hears what is chosen."""
    global _choices, _current_task
    from eventlog.sdk.task import Task

    _choices, _current_task = wanted, Task._open_task
    _off.clear()


def choices() -> Choices:
    """What the current task wants to hear."""
    return _choices


def switch(framework: str, is_on: bool) -> None:
    """Have a framework not heard until it is switched on, or another task begins; or have it heard again."""
    if is_on:
        _off.discard(framework)
    else:
        _off.add(framework)


def hears(framework: str, group: str = "") -> "Task | None":
    """The task that hears what a framework does at this moment, in this thread; None if none does.

    Args:
        group: besides, whoever is in `muted` for that group is not heard.
    """
    # Each step here is paid whenever a function that is hooked is called.
    task = _current_task()
    if task is None or framework in _off or (framework and not _choices.wants(framework)):
        return None
    return None if is_muted(group) else task


def is_muted(group: str) -> bool:
    """Whether this thread is in `muted` for a group, or for all."""
    groups = getattr(_local, "muted", ())
    return "" in groups or group in groups


@contextmanager
def muted(group: str = "") -> Iterator[None]:
    """What libraries do inside, in this thread, is not heard: of one group of hooks, or of all with ""."""
    before: tuple[str, ...] = getattr(_local, "muted", ())
    _local.muted = (*before, group)
    try:
        yield
    finally:
        _local.muted = before


def safely(what: str, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call this; if it raises, the script goes on, and one warning says what is not recorded.

    What it does with libraries itself is not heard. Returns what it returns, or None where it raises.
    """
    try:
        with muted():
            return work(*args, **kwargs)
    except Exception as error:
        # While the interpreter goes away, nothing is recorded any more, nor can it be said.
        if not sys.is_finalizing():
            warn_once(what, error)
        return None


def warn_once(what: str, error: object) -> None:
    """Warn that something could not be recorded: once for each `what` in a process."""
    if sys.is_finalizing():
        # Nothing is recorded any more, nor imported.
        return
    with _lock:
        if what in _warned:
            return
        _warned.add(what)
    if isinstance(error, Exception):
        from eventlog.sdk.plain_text import plain_text

        try:
            reason = plain_text(error).partition("\n")[0][:300]
        except Exception:
            reason = ""
        error = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    log.warning("eventlog: %s could not be recorded; the script goes on (%s)", what, error)


_choices = Choices()
_current_task: "Callable[[], Task | None]" = lambda: None  # noqa: E731 (a class imported late has it)
_off: set[str] = set()
_local = threading.local()
_lock = threading.Lock()
_warned: set[str] = set()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
