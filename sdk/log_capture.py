"""What the logging module handles, reported to the console of a task."""

import logging
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventlog.sdk.logger import Logger

__all__ = ["LogCapture"]


class LogCapture(logging.Handler):
    """A context manager: records of the logging module that reach the root logger go to a task, too.

    Which records there are, and what else becomes of them, stays as the script has set it.
    """

    def __init__(self, logger: "Logger") -> None:
        super().__init__()
        self._logger = logger
        self._busy = threading.local()

    def __repr__(self) -> str:
        return f"<LogCapture to {self._logger!r}>"

    def __enter__(self) -> "LogCapture":
        logging.getLogger().addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Report a record."""
        # What reporting itself logs would come back here.
        if getattr(self._busy, "is_busy", False):
            return
        self._busy.is_busy = True
        try:
            self._logger.report_text(self.format(record), level=max(record.levelno, 0), print_console=False)
        except Exception:
            self.handleError(record)
        finally:
            self._busy.is_busy = False
