"""Views: every question about what a store holds."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from eventlog.batch import NumberedEvent
from eventlog.projections.query import TaskQuery, TaskRow
from eventlog.projections.scalars import SeriesSummary
from eventlog.projections.session import SessionState
from eventlog.projections.task import TaskState
from eventlog.projections.text import TextLine
from eventlog.store import Store

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Progress", "Views"]

Progress = Callable[[int, int], None]


class Views:
    """What has been folded from a store's log; get it from `Views.open`.

    A view answers from what it has folded so far: `catch_up` first. To see this process's own last
    calls, `Store.flush` before that.
    """

    @classmethod
    def open(cls, store: Store) -> "Views":
        """The views of a store, beside its log; in a temporary folder if the store is read-only.

        Cheap to call again: all who open the same store in a process share one environment.

        Raises:
            StoreFull, StoreReadOnly: there is no room, or no right, to keep views.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the views; the last to do so closes the files."""
        raise NotImplementedError

    def catch_up(self, *, reports: bool = False, progress: Progress | None = None) -> None:
        """Fold what is new in the log: state events, and with `reports` the scalars and text too.

        Args:
            reports: needed before `series`, `scalars`, `text` and `events` with reports.
            progress: called as ``progress(done, total)``, in batches.

        Raises:
            DataCorrupt: a batch cannot be read; what came before it is folded.
            StoreFull: there is no room for the views.
        """
        raise NotImplementedError

    def task(self, task_id: str) -> TaskState:
        """The state of a task, by its whole id.

        Raises:
            NotFound: there is no such task.
        """
        raise NotImplementedError

    def task_at(self, task_id: str, time_ms: int) -> TaskState:
        """The state of a task as of a moment: after its events up to that time, inclusive.

        Args:
            time_ms: milliseconds since 1970-01-01 UTC.

        Raises:
            NotFound: there is no such task, or it did not exist then.
        """
        raise NotImplementedError

    def find(self, query: TaskQuery | None = None) -> list[TaskRow]:
        """The tasks that match a query, in its order.

        Raises:
            InputInvalid: a pattern is not a regular expression.
        """
        raise NotImplementedError

    def resolve(self, text: str) -> str:
        """The id of the task that a person means.

        Args:
            text: the beginning of an id that only one task has, or "project/name"; of several tasks of
                that name, the last changed.

        Raises:
            NotFound: no task is meant.
            InputInvalid: several ids begin so; the message lists them.
        """
        raise NotImplementedError

    def series(self, task_id: str) -> list[SeriesSummary]:
        """The scalar series of a task, by title and series; only what came after its last reset."""
        raise NotImplementedError

    def scalars(self, task_id: str, title: str, series: str) -> "pyarrow.Table":
        """The points of a series: columns iteration (int64), time (int64, ms) and value (float64).

        Ordered by (time, iteration, value); only what came after the task's last reset.

        Raises:
            NotFound: the task has no such series.
        """
        raise NotImplementedError

    def text(self, task_id: str) -> list[TextLine]:
        """What a task wrote to its console, in order; only what came after its last reset."""
        raise NotImplementedError

    def events(
        self,
        task_id: str,
        *,
        first_time: int | None = None,
        last_time: int | None = None,
        reports: bool = True,
    ) -> Iterator[NumberedEvent]:
        """The history of a task in the order (time, session, number), resets and what came before included.

        Args:
            first_time, last_time: only events from and up to these times, inclusive, in ms.
            reports: scalars and text too, after ``catch_up(reports=True)``.

        Raises:
            NotFound: there is no such task.
        """
        raise NotImplementedError

    def sessions(self) -> dict[bytes, SessionState]:
        """Every session, by its id."""
        raise NotImplementedError

    def rebuild(self, progress: Progress | None = None) -> None:
        """Drop all views and fold the whole log again."""
        raise NotImplementedError

    def check(self, progress: Progress | None = None) -> list[str]:
        """Fold the log again beside the live views and compare them, byte for byte.

        Returns:
            The differences, a line each; empty when there are none.
        """
        raise NotImplementedError
