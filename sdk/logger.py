"""What a script reports: scalars, single values and text."""

import logging
import sys
from typing import Any

from eventlog.errors import EventlogError, InputInvalid
from eventlog.events import ScalarReported, SingleValueReported, TextReported
from eventlog.sdk.numbers import as_float, as_iteration
from eventlog.sdk.plain_text import INLINE_SIZE, check_text, cut_text, plain_text
from eventlog.store import Store

__all__ = ["Logger"]

log = logging.getLogger("eventlog")

# In UTF-8 a character takes 4 bytes at most.
_ALWAYS_INLINE = INLINE_SIZE // 4


class Logger:
    """Reports to one task; get it from `Task.get_logger` or `Logger.current_logger`.

    Any number of threads and forked processes may report through one logger.
    """

    def __init__(self, store: Store, task_id: str) -> None:
        self._store = store
        self._task_id = task_id
        # The session of a store is one object as long as the process lives, and in its forks.
        self._append = store.session.append
        self._known: dict[tuple[str, str], tuple[str, str]] = {}

    def __repr__(self) -> str:
        return f"<Logger of task {self._task_id}>"

    @classmethod
    def current_logger(cls) -> "Logger | None":
        """The logger of the current task, or None where there is none."""
        from eventlog.sdk.task import Task

        task = Task.current_task()
        return None if task is None else task.get_logger()

    def report_scalar(self, title: str, series: str, value: float, iteration: int) -> None:
        """Report a point of a curve.

        Args:
            title: the plot; curves of one title are drawn together.
            series: the curve.
            value: a number of Python, NumPy or PyTorch; NaN and infinity are legal.
            iteration: the step, a whole number of 64 bits.

        Raises:
            InputInvalid: a value is not a number, or the iteration is not a whole one.
        """
        # Each step here is paid at every call: names are checked once, and what is given is mostly right.
        try:
            title, series = self._known[title, series]
        except (KeyError, TypeError):
            title, series = self._know(title, series)
        if type(value) is not float:
            value = as_float("the value of a scalar", value)
        if type(iteration) is not int or not -0x8000000000000000 <= iteration <= 0x7FFFFFFFFFFFFFFF:
            iteration = as_iteration(iteration)
        self._append(ScalarReported, self._task_id, title, series, iteration, value)

    def report_single_value(self, name: str, value: float) -> None:
        """Report one number for the whole task, such as a final accuracy; the last one of a name counts.

        Raises:
            InputInvalid: the value is not a number.
        """
        name = check_text("the name of a value", name)
        self._append(SingleValueReported, self._task_id, name, as_float(f"the value '{name}'", value))

    def report_text(self, msg: str, level: int = logging.INFO, print_console: bool = True) -> None:
        """Report text to the task's console.

        Args:
            msg: the text; of any other object, what `str` makes of it.
            level: a number of the logging module.
            print_console: print it, too.

        Raises:
            InputInvalid: the level is not a whole number, or `str` raises for the object.
        """
        text = msg if type(msg) is str else plain_text(msg)
        if type(level) is not int or not 0 <= level < 1 << 63:
            raise InputInvalid(
                f"the level must be a number of the logging module, not {plain_text(level)[:50]}"
            )
        if print_console and sys.stdout is not None:
            _print(text)
        if len(text) > _ALWAYS_INLINE:
            self._report_long(text, level)
        else:
            self._append(TextReported, self._task_id, plain_text(text), level)

    def flush(self, wait: bool = False) -> bool:
        """Commit everything reported so far to disk; returns True.

        Args:
            wait: for ClearML's sake; it is always waited for.

        Raises:
            StoreFull, StoreReadOnly: it cannot be committed now; it is kept and tried again.
        """
        self._store.flush()
        return True

    def _know(self, title: Any, series: Any) -> tuple[str, str]:
        """Check the names of a curve when it is first reported to."""
        names = (check_text("the title of a scalar", title), check_text("the series of a scalar", series))
        self._known[names] = names
        return names

    def _report_long(self, text: str, level: int) -> None:
        data = text.encode(errors="replace")
        if len(data) <= INLINE_SIZE:
            self._append(TextReported, self._task_id, data.decode(), level)
            return
        try:
            blob = self._store.blobs.put_bytes(data)
        except EventlogError as error:
            # Without room for a blob the session still keeps what it can, piece by piece.
            log.debug("eventlog: a long text is reported in pieces: %s", error)
            for start in range(0, len(text), _ALWAYS_INLINE):
                piece = plain_text(text[start : start + _ALWAYS_INLINE])
                self._append(TextReported, self._task_id, piece, level)
            return
        self._append(TextReported, self._task_id, cut_text(text), level, blob)


def _print(text: str) -> None:
    """Print a text, with escapes where the console's encoding has no form for a character."""
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        print(text.encode(encoding, errors="backslashreplace").decode(encoding))
