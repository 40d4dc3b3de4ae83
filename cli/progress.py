"""Progress bars on stderr: only on a terminal, and only for what takes longer than half a second."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from eventlog.cli.printing import clean, is_terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Advance", "progress_bar"]

PATIENCE_SECONDS = 0.5
REFRESH_SECONDS = 0.1


class Advance(Protocol):
    """What a layer below calls as it gets on."""

    def __call__(self, done: int, total: int, what: str = "", /) -> None: ...


class _Bar:
    def __init__(self, title: str, *, sized: bool) -> None:
        self.title = title
        self.sized = sized
        self.started = time.monotonic()
        self.last = 0.0
        self.progress: Progress | None = None
        # One for each thing that is done, since what one has left says nothing of the next.
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, done: int, total: int, what: str = "", /) -> None:
        now = time.monotonic()
        if now - self.started < PATIENCE_SECONDS or (now - self.last < REFRESH_SECONDS and done < total):
            return
        self.last = now
        title = clean(f"{self.title} {what}".strip())
        if not total and title not in self.tasks:
            return
        if self.progress is None:
            self.progress = _drawing(sized=self.sized)
            self.progress.start()
        if title not in self.tasks:
            for earlier in self.tasks.values():
                self.progress.update(earlier, visible=False)
            self.tasks[title] = self.progress.add_task(title, completed=done, total=total or None)
            return
        task = self.tasks[title]
        # Given to `update`, a total that grows would make it forget the rate.
        self.progress.tasks[task].total = total or None
        self.progress.update(task, completed=done)

    def close(self) -> None:
        if self.progress is not None:
            self.progress.stop()


@contextmanager
def progress_bar(title: str, *, sized: bool = False) -> Iterator[Advance | None]:
    """A callback that draws how far the work in the block has come; None where nobody would see it.

    Args:
        title: what is being done, such as "reading the log".
        sized: what is counted are bytes.
    """
    if not is_terminal(sys.stderr):
        yield None
        return
    bar = _Bar(title, sized=sized)
    try:
        yield bar
    finally:
        bar.close()


def _drawing(*, sized: bool) -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    counts: tuple[ProgressColumn, ...] = (
        (DownloadColumn(), TransferSpeedColumn()) if sized else (MofNCompleteColumn(), TaskProgressColumn())
    )
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        *counts,
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
