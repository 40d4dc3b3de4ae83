"""What a script writes to its console, reported to its task: stdout, stderr and the logging module.

The streams stay the objects that they are; only their method `write` has another one in front. A line is
reported when it is complete, by the call that completes it. A carriage return begins a line again, as on a
terminal: of a progress bar the last state is reported, and every ten seconds the one it is in.

What the logging module writes to a stream is reported with the level of its record.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from io import StringIO
from typing import TYPE_CHECKING, Any

from eventlog.events import TextReported
from eventlog.sdk.automatic.listening import safely
from eventlog.sdk.lifecycle import at_fork_end

if TYPE_CHECKING:
    from eventlog.sdk.logger import Logger

__all__ = ["Console", "uncaptured_write"]

# ClearML's.
_LEVELS = {"stdout": logging.INFO, "stderr": logging.ERROR}
_REWRITTEN_SECONDS = 10.0
# Characters; a line that is longer is reported in pieces.
_LONGEST = 1 << 20
_SHORT = 1 << 12
# Among multiprocessing's finalizers: after those that may still print.
_AT_END = -500

_get_ident = threading.get_ident


class Console:
    """Captures the streams of this process on behalf of one task.

    Args:
        logger: of the task.
        streams: which of "stdout", "stderr" and "logging".
    """

    def __init__(self, logger: "Logger", streams: Iterable[str]) -> None:
        self._logger = logger
        self._names = [name for name in ("stdout", "stderr") if name in streams]
        self._has_logging = "logging" in streams
        self._captures: list[_Capture] = []
        self._emit: Callable[..., None] | None = None

    def __repr__(self) -> str:
        return f"<Console of {self._logger!r}: {', '.join(self._names)}>"

    def begin(self) -> None:
        """Begin to capture."""
        for name in self._names:
            stream = getattr(sys, name)
            if stream is not None and not any(one.stream is stream for one in self._captures):
                capture = _Capture(stream, self._logger, _LEVELS[name])
                if safely(f"what is written to {name}", capture.begin):
                    self._captures.append(capture)
        if self._has_logging:
            self._emit = logging.StreamHandler.emit
            logging.StreamHandler.emit = self._make_emit(self._emit)  # type: ignore[method-assign]
        _consoles.append(self)
        if (shell := _notebook()) is not None:
            safely("the console of a notebook", shell.events.register, "pre_run_cell", self._begin_cell)

    def settle(self) -> None:
        """Report the lines that are not complete."""
        for capture in self._captures:
            capture.settle()

    def end(self) -> None:
        """Report what is left, and put everything back where nothing else has been put in front of it."""
        if self not in _consoles:
            return
        _consoles.remove(self)
        if (shell := _notebook()) is not None:
            with contextlib.suppress(Exception):
                shell.events.unregister("pre_run_cell", self._begin_cell)
        for capture in self._captures:
            capture.end()
        if self._emit is not None and getattr(logging.StreamHandler.emit, "_console", None) is self:
            logging.StreamHandler.emit = self._emit  # type: ignore[method-assign]

    def forget(self) -> None:
        """In a forked child: the lines that the parent had begun are the parent's to report."""
        for capture in self._captures:
            capture.lines.clear()
            capture.odd.clear()

    def _begin_cell(self, *_: Any) -> None:
        # IPython puts a method of its own in front while a cell runs, and then back what there was before.
        for capture in self._captures:
            safely("the console of a notebook", capture.begin)

    def _make_emit(self, original: Callable[..., None]) -> Callable[..., None]:
        def emit(handler: Any, record: logging.LogRecord) -> None:
            stream = getattr(handler, "stream", None)
            if self not in _consoles or stream is None:
                original(handler, record)
                return
            for capture in self._captures:
                if stream is capture.stream:
                    ident = _get_ident()
                    capture.levels[ident] = record.levelno
                    try:
                        original(handler, record)
                    finally:
                        capture.levels.pop(ident, None)
                    return
            original(handler, record)
            if stream is sys.stdout or stream is sys.stderr:
                safely("what is logged", self._report_record, handler, record)

        emit._console = self  # type: ignore[attr-defined]
        return emit

    def _report_record(self, handler: logging.Handler, record: logging.LogRecord) -> None:
        self._logger.report_text(handler.format(record), max(record.levelno, 0), print_console=False)


class _Capture:
    """One stream.

    Attributes:
        stream: the stream.
        write: its own method.
        lines: by thread, what it has written of a line that is not complete, in one piece.
        odd: by thread, the same, where it was written in several, or is long, or begun again; a long one in a
            buffer, since what is added to it piece by piece is not to be copied each time.
        levels: by thread, the level of the record that it is writing.
    """

    def __init__(self, stream: Any, logger: "Logger", level: int) -> None:
        self.stream = stream
        self.write = stream.write
        self.lines: dict[int, str] = {}
        self.odd: dict[int, str | StringIO] = {}
        self.levels: dict[int, int] = {}
        self._logger = logger
        self._level = level
        self._hook: Callable[[str], int] | None = None
        self._own: Any = None
        self._reported = 0.0

    def begin(self) -> bool:
        if self.stream.write is not self._hook:
            self._own = vars(self.stream).get("write")
            self.write = self.stream.write
            self._hook = self._make_hook()
            self.stream.write = self._hook
        return True

    def settle(self) -> None:
        for thread in {*self.lines, *self.odd}:
            line = _text(self.odd.pop(thread, "")) + self.lines.pop(thread, "")
            if line:
                safely("what is printed", self._report, _folded(line), self._level)

    def end(self) -> None:
        self.settle()
        if self._hook is None or vars(self.stream).get("write") is not self._hook:
            return
        if self._own is None:
            del self.stream.write
        else:
            self.stream.write = self._own

    def _make_hook(self) -> Callable[[str], int]:
        write, lines, odd, levels, level = self.write, self.lines, self.odd, self.levels, self._level
        append, task_id, take = self._logger._store.session.append, self._logger._task_id, self._take
        # While the interpreter goes away, the names of modules are None; those in here are not.
        get_ident, kind, short, safe, pop = _get_ident, TextReported, _SHORT, safely, lines.pop

        def take_safely(thread: int, text: str) -> None:
            try:
                safe("what is printed", take, thread, text)
            except Exception:  # noqa: S110 (nothing can be said any more)
                pass

        # Each step here is paid for every piece of text: `print` writes the text, then the newline.
        def hooked(text: str, /) -> int:
            written: int = write(text)
            thread = get_ident()
            if text == "\n" and (line := pop(thread, None)) is not None:
                try:
                    append(kind, task_id, line, levels.get(thread, level) if levels else level)
                except Exception:
                    take_safely(thread, line + text)
            elif (
                (not lines or thread not in lines)
                and (not odd or thread not in odd)
                and "\n" not in text
                and "\r" not in text
                and len(text) < short
            ):
                lines[thread] = text
            else:
                take_safely(thread, text)
            return written

        return hooked

    def _take(self, thread: int, text: str) -> None:
        """Take in a piece of text that is not just the rest of a line."""
        line, text = self.odd.pop(thread, ""), self.lines.pop(thread, "") + text
        is_long = isinstance(line, StringIO) or len(line) + len(text) >= _SHORT
        if is_long and "\n" not in text and "\r" not in text:
            buffer = line if isinstance(line, StringIO) else StringIO(newline="")
            buffer.write(text if buffer is line else f"{line}{text}")
            if buffer.tell() <= _LONGEST:
                self.odd[thread] = buffer
                return
            line, text = buffer, ""
        text = _text(line) + text
        level = self.levels.get(thread, self._level)
        whole, newline, rest = text.rpartition("\n")
        if newline:
            self._report("\n".join(_folded(line) for line in whole.split("\n")), level)
        if len(rest) > _LONGEST:
            self._report(_folded(rest), level)
        elif rest:
            self.odd[thread] = self._rewritten(rest, level) if "\r" in rest else rest

    def _rewritten(self, text: str, level: int) -> str:
        """What counts of a line that was begun again; reported as it stands, if it is time."""
        line = _folded(text)
        now = time.monotonic()
        if now - self._reported > _REWRITTEN_SECONDS:
            if self._reported and line:
                self._report(line, level)
            self._reported = now
        return line + "\r" if text.endswith("\r") else line

    def _report(self, text: str, level: int) -> None:
        self._logger._report_console(text, level)


def uncaptured_write(stream: Any) -> Callable[[str], Any]:
    """The method `write` of a stream, as it is without anything captured."""
    captures = (capture for console in _consoles for capture in console._captures)
    write: Callable[[str], Any] = next((one.write for one in captures if one.stream is stream), stream.write)
    return write


def _notebook() -> Any:
    """IPython's shell, where this process has one, or None."""
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def _text(line: str | StringIO) -> str:
    return line.getvalue() if isinstance(line, StringIO) else line


def _folded(line: str) -> str:
    """What a terminal shows of a line: what was written since the carriage last returned."""
    return line.rstrip("\r").rpartition("\r")[2]


_consoles: list[Console] = []


def _settle() -> None:
    for console in _consoles:
        console.settle()


def _after_fork() -> None:
    for console in _consoles:
        console.forget()
    if _consoles:
        at_fork_end(_settle, _AT_END)


os.register_at_fork(after_in_child=_after_fork)
