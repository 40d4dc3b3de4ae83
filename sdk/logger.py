"""What a script reports: scalars, single values and text here; plots and media in the classes below it."""

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from eventlog.errors import EventlogError, InputInvalid, NotFound
from eventlog.events import Event, ScalarReported, SingleValueReported, TextReported
from eventlog.sdk.automatic.console import uncaptured_write
from eventlog.sdk.media_reports import MediaReports
from eventlog.sdk.numbers import as_float, as_iteration
from eventlog.sdk.plain_text import INLINE_SIZE, check_text, cut_text, plain_text
from eventlog.sdk.substitutes import Substitutes
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.sdk.log_capture import LogCapture

__all__ = ["Logger"]

log = logging.getLogger("eventlog")

# In UTF-8 a character takes 4 bytes at most.
_ALWAYS_INLINE = INLINE_SIZE // 4
# Seconds; "no periodic flush" is one that nobody sees.
_NEVER = 86_400.0


class Logger(MediaReports):
    """Reports to one task; get it from `Task.get_logger` or `Logger.current_logger`.

    Any number of threads and forked processes may report through one logger.
    """

    _substitutes: ClassVar = Substitutes()
    # What the bindings to TensorBoard go by.
    _tensorboard_single_series: ClassVar[bool] = False
    _tensorboard_group_scalars: ClassVar[bool] = False

    def __init__(self, store: Store, task_id: str, *, is_checked: bool = False) -> None:
        """Report to a task of a store, or to a model.

        Args:
            is_checked: before its first report, look whether the task may be reported to.
        """
        super().__init__()
        self._store = store
        self._task_id = task_id
        # The session of a store is one object as long as the process lives, and in its forks.
        self._append = self._append_first if is_checked else store.session.append
        self._known: dict[tuple[str, str], tuple[str, str]] = {}
        self._initial = 0
        self._largest = 0

    def __repr__(self) -> str:
        return f"<Logger of task {self._task_id}>"

    @classmethod
    def current_logger(cls) -> "Logger | None":
        """The logger of the current task, or None where there is none."""
        from eventlog.sdk.task import Task

        task = Task.current_task()
        return None if task is None else task.get_logger()

    def report_scalar(self, title: str, series: str, value: float, iteration: int | None) -> None:
        """Report a point of a curve.

        Args:
            title: the plot; curves of one title are drawn together.
            series: the curve.
            value: a number of Python, NumPy or PyTorch; NaN and infinity are legal.
            iteration: the step, a whole number of 64 bits; None, as some loggers of libraries give, is 0.

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
            iteration = 0 if iteration is None else as_iteration(iteration)
        if iteration > self._largest:
            self._largest = iteration
        self._append(ScalarReported, self._task_id, title, series, iteration, value)

    def report_single_value(self, name: str, value: float) -> None:
        """Report one number for the whole task, such as a final accuracy; the last one of a name counts.

        Raises:
            InputInvalid: the value is not a number.
        """
        name = check_text("the name of a value", name)
        number = self._substitutes.of(as_float(f"the value '{name}'", value))
        self._append(SingleValueReported, self._task_id, name, number)

    def report_text(
        self, msg: str, level: int = logging.INFO, print_console: bool = True, *args: Any, **_: Any
    ) -> None:
        """Report text to the task's console.

        Args:
            msg: the text; of any other object, what `str` makes of it.
            level: a number of the logging module.
            print_console: print it, too.
            args: put into the text as the logging module does, by ``%``.

        Raises:
            InputInvalid: the level is not a whole number, `str` raises for the object, or the arguments do
                not fit the text.
        """
        text = msg if type(msg) is str else plain_text(msg)
        if args:
            text = _formatted(text, args)
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

    def capture_logging(self) -> "LogCapture":
        """A context: what the logging module handles in it goes to the task's console too, at its level."""
        from eventlog.sdk.log_capture import LogCapture

        return LogCapture(self)

    def flush(self, wait: bool = False) -> bool:
        """Commit everything reported so far to disk; returns True.

        Args:
            wait: until the copies of images and media have arrived at their destination, too.

        Raises:
            StoreFull, StoreReadOnly: it cannot be committed now; it is kept and tried again.
        """
        self._store.flush()
        if wait and self.get_default_upload_destination():
            from eventlog.sdk.delivery import wait_for_deliveries

            return wait_for_deliveries(self._store, self._task_id)
        return True

    def set_flush_period(self, period: float | None) -> None:
        """Set how long what this process reports may wait in the journal before it is committed.

        A journal outlives its process in any case; a power cut may take what waits in it.

        Args:
            period: seconds; None or 0 commits only when it must, on `flush` and at the end.

        Raises:
            InputInvalid: it is no number of seconds.
        """
        seconds = as_float("the flush period", period) if period else _NEVER
        if not 0 < seconds <= _NEVER:
            raise InputInvalid(f"the flush period must be from 0 to {_NEVER:,.0f} seconds, not {seconds:g}")
        self._store.configuration = msgspec.structs.replace(
            self._store.configuration, commit_interval_seconds=seconds
        )
        # What waits already does so for the former period.
        with contextlib.suppress(EventlogError):
            self._store.flush()

    def get_flush_period(self) -> float | None:
        """How many seconds what is reported may wait before it is committed, or None for no such period."""
        seconds = self._store.configuration.commit_interval_seconds
        return None if seconds >= _NEVER else seconds

    @classmethod
    def set_reporting_nan_value(cls, value: float, warn_period: int = 1000) -> None:
        """Report this number wherever a scalar or a single value is NaN. By default NaN is reported as it is.

        Args:
            value: the number; NaN for as it is.
            warn_period: a warning is logged for the first one and after each so many.

        Raises:
            InputInvalid: it is no number, or the period is no whole one above 0.
        """
        cls._substitutes.set("NaN", value, warn_period)
        _bind_reports()

    @classmethod
    def set_reporting_inf_value(cls, value: float, warn_period: int = 1000) -> None:
        """Report this number wherever a scalar or a single value is infinite, of either sign.

        By default infinity is reported as it is.

        Args:
            value: the number; infinity for as it is.
            warn_period: a warning is logged for the first one and after each so many.

        Raises:
            InputInvalid: it is no number, or the period is no whole one above 0.
        """
        cls._substitutes.set("infinity", value, warn_period)
        _bind_reports()

    @classmethod
    def tensorboard_auto_group_scalars(cls, group_scalars: bool = False) -> None:
        """Draw TensorBoard's scalars that have no title together, under the title "Scalars"."""
        Logger._tensorboard_group_scalars = bool(group_scalars)

    @classmethod
    def tensorboard_single_series_per_graph(cls, single_series: bool = False) -> None:
        """Draw each of TensorBoard's scalars in a plot of its own."""
        Logger._tensorboard_single_series = bool(single_series)

    @property
    def _offset(self) -> int:
        """The initial iteration, which is added to those that are reported; 0 by default."""
        return self._initial

    @_offset.setter
    def _offset(self, offset: int) -> None:
        self._initial = as_iteration(offset)
        # Only who sets one pays for it.
        if self._initial:
            self.__dict__["report_scalar"] = self._report_adjusted_scalar
        else:
            self.__dict__.pop("report_scalar", None)

    @property
    def _step(self) -> int:
        """The largest iteration of the scalars that were reported here, without the initial one."""
        return max(self._largest - self._initial, 0)

    def _report_adjusted_scalar(self, title: str, series: str, value: float, iteration: int | None) -> None:
        """`report_scalar`, where an initial iteration or a number for NaN or infinity is set."""
        number = self._substitutes.of(as_float("the value of a scalar", value))
        _report_plain_scalar(
            self, title, series, number, self._iteration(0 if iteration is None else as_iteration(iteration))
        )

    def _report(self, kind: type[Event], *fields: Any) -> None:
        self._append(kind, self._task_id, *fields)

    def _iteration(self, iteration: Any) -> int:
        return as_iteration(super()._iteration(iteration) + self._initial)

    def _check_again(self) -> None:
        """Before the next report, look whether the task may be reported to."""
        self._append = self._append_first

    def _append_first(self, kind: type[Event], *fields: Any) -> None:
        """Append, unless the task is published; from then on without looking.

        Raises:
            InputInvalid: the task is published.
            NotFound: it is deleted.
        """
        from eventlog.sdk.stores import read_state

        try:
            status = read_state(self._store, self._task_id).status
        except NotFound:
            raise
        except EventlogError as error:
            # Such as no room for views: a report is kept all the same.
            log.debug("eventlog: reporting to task %s, whatever its status: %s", self._task_id, error)
            status = ""
        if status == "published":
            raise InputInvalid(
                f"task {self._task_id} is published, and nothing is reported to published tasks: report to a"
                " new task, or to a copy of it from Task.clone"
            )
        self._append = self._store.session.append
        self._append(kind, *fields)

    def _know(self, title: Any, series: Any) -> tuple[str, str]:
        """Check the names of a curve when it is first reported to."""
        names = (check_text("the title of a scalar", title), check_text("the series of a scalar", series))
        self._known[names] = names
        return names

    def _report_console(self, text: str, level: int) -> None:
        """Report what was printed."""
        if len(text) > _ALWAYS_INLINE:
            self._report_long(text, level)
            return
        try:
            self._append(TextReported, self._task_id, text, level)
        except UnicodeEncodeError:
            self._append(TextReported, self._task_id, plain_text(text), level)

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


_report_plain_scalar = Logger.report_scalar


def _bind_reports() -> None:
    """Let `report_scalar` look at NaN and infinity, as long as numbers are set for them."""
    method = Logger._report_adjusted_scalar if Logger._substitutes else _report_plain_scalar
    Logger.report_scalar = method  # type: ignore[method-assign]


def _formatted(text: str, args: tuple[Any, ...]) -> str:
    try:
        return text % args
    except Exception as error:
        why = f"{type(error).__name__}: {plain_text(error)[:100]}"
        raise InputInvalid(f"the arguments do not fit the text {text[:50]!r} ({why})") from None


def _print(text: str) -> None:
    """Print a text that is reported itself, with escapes where the console cannot show a character."""
    write = uncaptured_write(sys.stdout)
    try:
        write(f"{text}\n")
    except UnicodeEncodeError:
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        write(f"{text}\n".encode(encoding, errors="backslashreplace").decode(encoding))
