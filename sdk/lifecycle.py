"""A task's status follows its process.

While a task is open, the process is listened to in the places where its end shows first: the hook for
uncaught exceptions, `sys.exit`, `exit` and `quit`, and SIGTERM. What was there before is called as if
nothing stood in front of it, and is put back when the task ends. None of them ends the task by itself,
except a SIGTERM that is about to kill the process: an exception may be reported and lived with, an exit
may be caught. At the interpreter's exit it is known which of it was final, since the outermost frame of
the main thread then stands where it was left: at its return, or at the call that raised.

A child that multiprocessing makes may end without the interpreter's exit; what it ends with instead is
listened to as well (`multiprocessing.process.BaseProcess._bootstrap` calls the finalizers, an exception of
the child's work still being handled).

A forked child has all this in its memory too, and does nothing with it: the task is its parent's.
"""

import atexit
import builtins
import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import msgspec

# Its exit, which closes the session, must be registered before those below, to come after them.
import eventlog.store
from eventlog.events import Event, TaskCompleted, TaskFailed, TaskStopped
from eventlog.sdk.plain_text import plain_text

__all__ = [
    "COMPLETED",
    "Lifecycle",
    "Outcome",
    "at_child_end",
    "at_fork_end",
    "is_being_made",
    "is_multiprocessing_child",
]

_LONGEST_TRACEBACK = 60_000
# Among multiprocessing's finalizers: what others do at the end may still report to the task.
_AFTER_OTHERS = -100


class Outcome(msgspec.Struct, frozen=True):
    """How a task ended: the event to append, and its fields after the task's id."""

    kind: type[Event]
    fields: tuple[str, ...] = ()


COMPLETED = Outcome(TaskCompleted)


class Lifecycle:
    """Listens to the process on behalf of one task.

    Args:
        end: ends the task. It is called once, at the interpreter's exit or before a SIGTERM kills the
            process, unless `release` came first; with True when there is no time to wait for anything.
    """

    def __init__(self, end: Callable[[Outcome, bool], None]) -> None:
        self.process = os.getpid()
        self._end = end
        self._exception: Outcome | None = None
        self._exit: Outcome | None = None
        self._signal: Outcome | None = None
        self._frame = _outermost_frame()
        self._previous_hook: Callable[..., Any] = sys.excepthook
        self._previous_exit: Callable[..., Any] = sys.exit
        # The `exit` and `quit` that the site module gives to every script are of this class.
        self._quitter: Any = type(getattr(builtins, "exit", None))
        self._previous_quit: Callable[..., Any] | None = None
        self._previous_sigterm: Any = None
        # Bound once: what is put in and what is looked for when taking it out must be the same object.
        self._hook = self._on_exception
        self._exit_hook = self._make_exit_hook()
        self._quit_hook = self._make_quit_hook()
        self._sigterm = self._on_sigterm

    def __repr__(self) -> str:
        return f"<Lifecycle of process {self.process}: {self.outcome().kind.__name__} if it ended now>"

    @property
    def is_own(self) -> bool:
        """Whether this is the process that it began in, and not a fork of it."""
        return os.getpid() == self.process

    def listen(self) -> None:
        """Begin to listen."""
        global _listening
        sys.excepthook = self._hook
        sys.exit = self._exit_hook  # type: ignore[assignment]
        if self._quitter.__module__ == "_sitebuiltins":
            self._previous_quit = self._quitter.__call__
            self._quitter.__call__ = self._quit_hook
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGTERM)
            # None is a handler that is not Python's, and a signal that is ignored shall stay so.
            if previous is not None and previous != signal.SIG_IGN:
                self._previous_sigterm = previous
                signal.signal(signal.SIGTERM, self._sigterm)
        _listening = self
        if is_multiprocessing_child():
            at_child_end(self._on_child_end, _AFTER_OTHERS)

    def release(self) -> None:
        """Stop listening, and put back what was there before, where nobody has come after it."""
        global _listening
        if _listening is self:
            _listening = None
        self.forget()
        if sys.excepthook is self._hook:
            sys.excepthook = self._previous_hook
        if sys.exit is self._exit_hook:
            sys.exit = self._previous_exit
        if self._previous_quit is not None and self._quitter.__call__ is self._quit_hook:
            self._quitter.__call__ = self._previous_quit
        if (
            self._previous_sigterm is not None
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is self._sigterm
        ):
            signal.signal(signal.SIGTERM, self._previous_sigterm)

    def forget(self) -> None:
        """Let go of the script's variables: the interpreter could not let go of them at its end."""
        self._frame = None

    def outcome(self) -> Outcome:
        """How the task ends if the process ends as it stands."""
        if self._signal is not None:
            return self._signal
        if _ended_by_exception(self._frame):
            return self._exception or self._exit or COMPLETED
        return COMPLETED

    @property
    def _is_listening(self) -> bool:
        return _listening is self and self.is_own

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if self._is_listening and threading.current_thread() is threading.main_thread():
            self._exception = _outcome_of(kind, error, trace)
        self._previous_hook(kind, error, trace)

    def _make_exit_hook(self) -> Callable[..., None]:
        # Of its name, by which it is pickled, as the target of a process or in a function that calls it.
        @functools.wraps(sys.exit)
        def exit_hook(status: Any = None, /) -> None:
            self._note_exit(status)
            self._previous_exit(status)

        return exit_hook

    def _make_quit_hook(self) -> Callable[..., None]:
        def quit_hook(quitter: Any, code: Any = None) -> None:
            self._note_exit(code)
            if self._previous_quit is not None:
                self._previous_quit(quitter, code)

        return quit_hook

    def _note_exit(self, status: Any) -> None:
        if self._is_listening and threading.current_thread() is threading.main_thread():
            self._exit = _outcome_of_status(status)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        previous = self._previous_sigterm
        if self._is_listening:
            self._signal = Outcome(TaskStopped, ("SIGTERM",))
            if previous == signal.SIG_DFL:
                self._end(self._signal, True)
                self.release()
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    def _on_child_end(self) -> None:
        error = sys.exc_info()[1]
        if self._is_listening:
            if self._signal is None and error is not None:
                self._signal = _outcome_of(type(error), error, error.__traceback__)
            self._end(self._signal or COMPLETED, False)
            self.release()

    def finish(self) -> None:
        """End the task as the process ends."""
        self._end(self.outcome(), False)
        self.release()


_listening: Lifecycle | None = None


def _at_exit() -> None:
    if _listening is not None and _listening.is_own:
        _listening.finish()


# The store's own exit, which closes the session, was registered before and so runs after this. An exception
# that a signal's handler raises ends one call and no more: the next one finishes what it left.
for _ in range(3):
    atexit.register(_at_exit)


def _after_fork() -> None:
    if _listening is not None:
        _listening.forget()


os.register_at_fork(after_in_child=_after_fork)


def is_multiprocessing_child() -> bool:
    """Whether this process was made by multiprocessing, of whatever start method."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and (module.parent_process() is not None or is_being_made())


def is_being_made() -> bool:
    """Whether this is a new process of multiprocessing's that imports what it needs, before its work."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and bool(getattr(module.current_process(), "_inheriting", False))


def at_child_end(end: Callable[[], object], priority: int) -> None:
    """Call this when the work of this child of multiprocessing has ended; in no fork of it.

    Args:
        priority: the higher the sooner.
    """
    from multiprocessing.util import Finalize, register_after_fork

    Finalize(None, end, exitpriority=priority)
    # When the work of a new child begins, what was to be called at its end is forgotten.
    again = _Again(end, priority)
    _kept.append(again)
    register_after_fork(again, _Again.register)


class _Again:
    """Registers the end of a child's work once more."""

    def __init__(self, end: Callable[[], object], priority: int) -> None:
        self._end = end
        self._priority = priority
        self._process = os.getpid()

    def register(self) -> None:
        if os.getpid() == self._process:
            from multiprocessing.util import Finalize

            Finalize(None, self._end, exitpriority=self._priority)


_kept: list[_Again] = []


def at_fork_end(end: Callable[[], object], priority: int) -> None:
    """Call this when the process ends that has just been forked: at its exit, or where its work has ended."""
    atexit.register(end)
    if "multiprocessing.util" in sys.modules:
        at_child_end(end, priority)


def _stay_interrupted() -> None:
    """Have the process end by SIGINT where nobody caught an interrupt, as it does without eventlog.

    CPython forgets that nobody did when any text is executed afterwards, as happens in the import of a module
    with a named tuple, and would exit with 1. It notes it again where such a text is interrupted.
    """
    trace = getattr(sys, "last_traceback", None)
    if (
        getattr(sys, "last_type", None) is KeyboardInterrupt
        and trace is not None
        # At a prompt, the last interrupt ended one command alone.
        and not hasattr(sys, "ps1")
        and trace.tb_frame.f_back is None
        and _ended_by_exception(trace.tb_frame)
    ):
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


# Called once the sessions are closed, whose end may import something.
eventlog.store.at_last(_stay_interrupted)


def _outermost_frame() -> FrameType | None:
    """The frame that the main thread began with: the script's module, or what runs it."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _ended_by_exception(frame: FrameType | None) -> bool:
    """Whether a frame that has ended did not end by returning."""
    if frame is None or not 0 <= frame.f_lasti < len(frame.f_code.co_code):
        return False
    import dis

    return not dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN")


def _outcome_of(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Outcome:
    if isinstance(error, SystemExit):
        return _outcome_of_status(error.code)
    if issubclass(kind, KeyboardInterrupt):
        return Outcome(TaskStopped, ("KeyboardInterrupt",))
    import traceback

    try:
        lines = traceback.format_exception(kind, error, trace)
        reason = "".join(traceback.format_exception_only(kind, error)).strip()
    except Exception:
        # An exception that cannot even say what it is.
        lines, reason = traceback.format_tb(trace), kind.__name__
    text = "".join(lines)
    if len(text) > _LONGEST_TRACEBACK:
        text = f"{text[: _LONGEST_TRACEBACK // 2]}\n… \n{text[-_LONGEST_TRACEBACK // 2 :]}"
    return Outcome(TaskFailed, (_one_line(reason), _clean(text)))


def _outcome_of_status(status: Any) -> Outcome:
    """What `sys.exit` with this argument says: nothing or 0 is success, text is an error message."""
    if status is None or (isinstance(status, int) and status & 0xFF == 0):
        return COMPLETED
    if isinstance(status, int):
        return Outcome(TaskFailed, (f"the script exited with status {status}",))
    try:
        reason = str(status)
    except Exception:
        # The script exits all the same: the interpreter only prints it.
        reason = type(status).__name__
    return Outcome(TaskFailed, (_one_line(reason),))


def _one_line(text: str) -> str:
    lines = text.splitlines() or [""]
    return _clean(lines[-1] if len(lines) > 1 and not lines[0].strip() else lines[0])[:1000]


def _clean(text: str) -> str:
    from eventlog.sdk.secrets import mask_text

    return mask_text(plain_text(text))
