"""Views: every question about what a store holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eventlog.batch import NumberedEvent
from eventlog.errors import NotFound, StoreNewer
from eventlog.projections import index, models, plots, scalars, states, text
from eventlog.projections.environment import ViewsDamaged, ViewsEnvironment
from eventlog.projections.history import history
from eventlog.projections.keys import task_key
from eventlog.projections.left_out import LeftOut, read_left_out
from eventlog.projections.model import ModelState
from eventlog.projections.models import ModelQuery
from eventlog.projections.plots import Media, Plot
from eventlog.projections.query import TaskQuery, TaskRow
from eventlog.projections.reports import ReportBatch, report_batches
from eventlog.projections.resolve import resolve
from eventlog.projections.runner import REPORTS, STATES, Progress, Stream, catch_up, has_version
from eventlog.projections.scalars import SeriesSummary
from eventlog.projections.session import SessionState
from eventlog.projections.task import TaskState
from eventlog.projections.text import TextLine
from eventlog.store import Store

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Views"]


class Views:
    """What has been folded from a store's log; get it from `Views.open`.

    A view answers from what it has folded so far: `catch_up` first. To see this process's own last
    calls, `Store.flush` before that.
    """

    def __init__(self, store: Store, environment: ViewsEnvironment) -> None:
        self.store = store
        self._environment = environment
        self._closed = False

    def __repr__(self) -> str:
        return f"<Views of {self.store!r}>"

    @classmethod
    def open(cls, store: Store, *, anew: bool = False) -> "Views":
        """The views of a store, beside its log; in a temporary folder if the store is read-only.

        Cheap to call again: all who open the same store in a process share one environment.

        Args:
            anew: throw away what was folded before, however damaged it may be, without looking at it.

        Raises:
            StoreFull, StoreReadOnly: there is no room, or no right, to keep views.
        """
        return cls(store, ViewsEnvironment.of(store, anew=anew))

    def close(self) -> None:
        """Let go of the views; the last to do so in a process closes the files."""
        if not self._closed:
            self._closed = True
            self._environment.close()

    def __enter__(self) -> "Views":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def catch_up(self, *, reports: bool = False, progress: Progress | None = None) -> None:
        """Fold what is new in the log: state events, and with `reports` the scalars, text, plots and media.

        A batch that cannot be read, or is not what was written, is passed over, with a warning in the log
        named "eventlog"; `left_out` names it from then on. Views that are damaged are deleted and folded
        anew.

        Args:
            reports: needed before `series`, `scalars`, `text`, `plots`, `media` and `events` with reports.
            progress: called as ``progress(done, total)``, in batches.

        Raises:
            StoreFull, StoreReadOnly: there is no room, or no right, to write the views.
            StoreNewer: the log holds batches of a newer format.
        """
        streams = (STATES, REPORTS) if reports else (STATES,)
        try:
            catch_up(self.store, self._environment, streams, progress)
        except ViewsDamaged:
            self._environment.replace()
            catch_up(self.store, self._environment, streams, progress)

    def task(self, task_id: str) -> TaskState:
        """The state of a task, by its whole id.

        Raises:
            NotFound: there is no such task, or it is deleted.
        """
        with self._read(STATES) as transaction:
            state = states.read_state(transaction, self._environment, task_key(task_id))
        if state is None or state.id != task_id:
            raise _no_task(task_id)
        if state.is_deleted:
            raise NotFound(
                f"task {task_id} was deleted: `eventlog log {task_id}` shows what the log keeps of it"
            )
        return state

    def task_at(self, task_id: str, time_ms: int) -> TaskState:
        """The state of a task as of a moment: after its events up to that time, inclusive.

        Args:
            time_ms: milliseconds since 1970-01-01 UTC.

        Raises:
            NotFound: there is no such task, or it did not exist then, or was deleted by then.
        """
        with self._read(STATES) as transaction:
            key = task_key(task_id)
            if states.read_record(transaction, self._environment, key) is None:
                raise _no_task(task_id)
            state = states.read_state_at(transaction, self._environment, key, time_ms)
        if state is None or state.is_deleted:
            raise NotFound(
                f"task {task_id} did not exist at that time: `eventlog log {task_id[:8]}` shows since when"
            )
        return state

    def every_task(self, *, whole: bool = True) -> Iterator[TaskState]:
        """The states of all tasks, deleted ones too, in an order of no meaning that stays; some at a time.

        Args:
            whole: with execution, host and user, which take longer to read than all the rest.
        """
        after = b""
        while True:
            with self._read(STATES) as transaction:
                page, after = states.read_page(transaction, self._environment, after, whole=whole)
            if not page:
                return
            yield from page

    def find(self, query: TaskQuery | None = None) -> list[TaskRow]:
        """The tasks that match a query, in its order.

        Raises:
            InputInvalid: a pattern is not a regular expression.
        """
        query = query or TaskQuery()
        with self._read(STATES) as transaction:
            ordinals = None
            if query.ids is not None:
                records = (
                    states.read_record(transaction, self._environment, task_key(task)) for task in query.ids
                )
                ordinals = [record.ordinal for record in records if record is not None]
            return index.find(transaction, self._environment, query, ordinals)

    def count(self, query: TaskQuery) -> int:
        """How many tasks match a query, its limit, offset and ids aside; reads none of them.

        Raises:
            InputInvalid: a pattern is not a regular expression.
        """
        with self._read(STATES) as transaction:
            return index.count_found(transaction, self._environment, query)

    def projects(self) -> list[str]:
        """The projects that tasks are in, sorted; "" if some are in none."""
        with self._read(STATES) as transaction:
            return index.values(transaction, self._environment, "project")

    def types(self) -> list[str]:
        """The types that tasks have, sorted."""
        with self._read(STATES) as transaction:
            return index.values(transaction, self._environment, "type")

    def model(self, model_id: str) -> ModelState:
        """The state of a model, by its whole id.

        Raises:
            NotFound: there is no such model, or it is deleted.
        """
        with self._read(STATES) as transaction:
            state = models.read_model(transaction, self._environment, model_id)
        if state is None:
            raise NotFound(
                f"no model {model_id} in this store: `eventlog models` lists those it has, `eventlog sync`"
                " fetches more"
            )
        return state

    def models(self, query: ModelQuery | None = None) -> list[ModelState]:
        """The models that match a query, those changed last first.

        Raises:
            InputInvalid: a pattern is not a regular expression.
        """
        with self._read(STATES) as transaction:
            return models.find_models(transaction, self._environment, query or ModelQuery())

    def deleted_models(self) -> list[str]:
        """The ids of the models that are deleted, which `models` never finds."""
        with self._read(STATES) as transaction:
            return models.find_deleted_models(transaction, self._environment)

    def resolve(self, text: str) -> str:
        """The id of the task that a person means.

        Args:
            text: the beginning of an id that only one task has, or "project/name"; of several tasks of
                that name, the last changed.

        Raises:
            NotFound: no task is meant.
            InputInvalid: several ids begin so; the message lists them.
        """
        with self._read(STATES) as transaction:
            return resolve(transaction, self._environment, text)

    def series(self, task_id: str) -> list[SeriesSummary]:
        """The scalar series of a task, or of a model, by title and series; only since its last reset.

        Raises:
            NotFound: there is no such task or model.
        """
        with self._read(STATES, REPORTS) as transaction:
            reset_time = self._reset_time(transaction, task_id)
            return scalars.read_series(transaction, self._environment, task_key(task_id), reset_time)

    def scalars(self, task_id: str, title: str, series: str) -> "pyarrow.Table":
        """The points of a series: columns iteration (int64), time (int64, ms) and value (float64).

        Ordered by (time, iteration, value); only what came after the last reset of the task, or model.

        Raises:
            NotFound: there is no such task or model, or it has no such series.
        """
        with self._read(STATES, REPORTS) as transaction:
            reset_time = self._reset_time(transaction, task_id)
            key = task_key(task_id) + scalars.series_key(title, series)
            table = scalars.read_scalars(transaction, self._environment, key, reset_time)
        if not len(table):
            raise NotFound(
                f"task {task_id} has no scalars '{title}' / '{series}':"
                f" `eventlog scalars {task_id[:8]}` lists what it has"
            )
        return table

    def outline(
        self, task_id: str, title: str, series: str, stretches: int
    ) -> list[tuple[int, float]] | None:
        """Iterations and values of points that draw like all of a series; of a long one, few are read.

        The points are cut into stretches, of each of which the first, the last, the smallest and the largest
        are there.

        Args:
            stretches: how many there are at least, as far as there are points.

        Returns:
            None where it takes all the points to tell (`scalars`, `downsample`): values are NaN or infinite,
            points came out of order, or some are from before a reset.

        Raises:
            NotFound: there is no such task or model.
        """
        with self._read(STATES, REPORTS) as transaction:
            if self._reset_time(transaction, task_id) is not None:
                return None
            key = task_key(task_id) + scalars.series_key(title, series)
            return scalars.read_outline(transaction, self._environment, key, stretches)

    def text(self, task_id: str) -> list[TextLine]:
        """What a task wrote to its console, in order; only what came after its last reset.

        Raises:
            NotFound: there is no such task.
        """
        with self._read(STATES, REPORTS) as transaction:
            reset_time = self._reset_time(transaction, task_id)
            return text.read_text(transaction, self._environment, task_key(task_id), reset_time)

    def plots(self, task_id: str, title: str | None = None, series: str | None = None) -> list[Plot]:
        """The plots of a task, or of a model: the last report of each title, series and iteration.

        By title, series and iteration; only what came after its last reset.

        Args:
            title, series: only these, where given.

        Raises:
            NotFound: there is no such task or model.
        """
        with self._read(STATES, REPORTS) as transaction:
            reset_time = self._reset_time(transaction, task_id)
            key = task_key(task_id)
            return plots.read_plots(transaction, self._environment, key, title, series, reset_time)

    def media(self, task_id: str, title: str | None = None, series: str | None = None) -> list[Media]:
        """The images, sounds, films and pages of a task, or of a model; as for `plots`."""
        with self._read(STATES, REPORTS) as transaction:
            reset_time = self._reset_time(transaction, task_id)
            key = task_key(task_id)
            return plots.read_media(transaction, self._environment, key, title, series, reset_time)

    def count_plots_and_media(self, task_id: str) -> tuple[int, int]:
        """How many `plots` and `media` give, without reading them."""
        with self._read(STATES, REPORTS) as transaction:
            reset_time = self._reset_time(transaction, task_id)
            return plots.count_reported(transaction, self._environment, task_key(task_id), reset_time)

    def events(
        self,
        task_id: str,
        *,
        first_time: int | None = None,
        last_time: int | None = None,
        reports: bool = True,
    ) -> Iterator[NumberedEvent]:
        """The history of a task or a model in the order (time, session, number).

        It holds everything: resets and what came before them, and what is deleted by now.

        Args:
            first_time, last_time: only events from and up to these times, inclusive, in ms.
            reports: scalars, text, plots and media too, after ``catch_up(reports=True)``.

        Raises:
            NotFound: there never was such a task or model.
            DataCorrupt: the log was damaged since it was folded.
        """
        with self._read(STATES, REPORTS) as transaction:
            self._reset_time(transaction, task_id, deleted_too=True)
        return history(self.store, self._environment, task_id, first_time, last_time, reports=reports)

    def report_batches(self, task_id: str) -> list[ReportBatch]:
        """Where the batches lie that hold reports of a task or a model, after ``catch_up(reports=True)``."""
        with self._read(REPORTS) as transaction:
            return list(report_batches(transaction, self._environment, task_key(task_id)))

    def sessions(self) -> dict[bytes, SessionState]:
        """Every session, by its id."""
        with self._read(STATES) as transaction:
            return states.read_sessions(transaction, self._environment)

    def left_out(self) -> list[LeftOut]:
        """The batches that these views are without: they cannot be read, or are not what was written."""
        with self._environment.read() as transaction:
            return read_left_out(transaction, self._environment)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Throw the views away, however damaged they may be, and fold the whole log again."""
        self._environment.replace()
        catch_up(self.store, self._environment, (STATES, REPORTS), progress)

    def check(self, progress: Progress | None = None) -> list[str]:
        """Fold the log again beside the live views and compare them, byte for byte.

        What the views have not folded yet is left out on both sides.

        Returns:
            The differences, a line each; empty when there are none.
        """
        from eventlog.projections.check import check

        try:
            return check(self.store, self._environment, progress)
        except ViewsDamaged as error:
            return [str(error)]

    @contextmanager
    def _read(self, *streams: Stream) -> Iterator[Any]:
        with self._environment.read() as transaction:
            for stream in streams:
                if not has_version(transaction, self._environment, stream):
                    raise StoreNewer(
                        f"the views at {self._environment.path} were folded by another version of eventlog:"
                        " catch up again, and use one version at a time"
                    )
            yield transaction

    def _reset_time(self, transaction: Any, task_id: str, *, deleted_too: bool = False) -> int | None:
        """When a task was last reset, if ever; None for a model. Raises NotFound if it is neither."""
        key = task_key(task_id)
        task = states.read_plain_state(transaction, self._environment, key)
        if task is not None and task.id == task_id and (deleted_too or not task.is_deleted):
            return task.reset_time
        model = models.read_model_record(transaction, self._environment, key)
        state = None if model is None else model.state()
        if state is None or state.id != task_id or (state.is_deleted and not deleted_too):
            raise _no_task(task_id)
        return None


def _no_task(task_id: str) -> NotFound:
    if len(task_id) < 32:
        return NotFound(
            f"no task {task_id} in this store: an id is given whole here; `eventlog show {task_id}`"
            " says the rest of one that begins so"
        )
    return NotFound(
        f"no task {task_id} in this store: `eventlog ls` lists those it has, `eventlog sync` fetches more"
    )
