"""The report stream: scalars, text, plots, media, and which batches hold a task's reports.

No fold here depends on the order in which batches arrive.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from eventlog.batch import Batch
from eventlog.events import Event, MediaReported, PlotReported, ScalarReported, TextReported
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.keys import TASK_SIZE, task_key
from eventlog.projections.plots import fold_media, fold_plots
from eventlog.projections.scalars import fold_scalars
from eventlog.projections.text import fold_text

__all__ = ["REPORTS_VERSION", "ReportBatch", "fold_reports", "report_batches"]

REPORTS_VERSION = 4
_key = struct.Struct(">16s16sQ")
_value = struct.Struct(">16sQQQ32s")
E = TypeVar("E", bound=Event)
_series_of: Any = attrgetter("task", "title", "series")


class ReportBatch(NamedTuple):
    """Where a batch with reports of a task lies.

    Attributes:
        session: whose events it holds.
        first: number of its first event within the session.
        store, number: its place in a store's chain.
        first_time, last_time: of its events, in ms.
        hash: SHA-256 of its bytes, which is checked again when they are read for a history.
    """

    session: bytes
    first: int
    store: bytes
    number: int
    first_time: int
    last_time: int
    hash: bytes


def fold_reports(
    transaction: Any, environment: ViewsEnvironment, batches: Sequence[tuple[Batch, list[Event]]]
) -> None:
    """Fold the reports of some batches into the views."""
    points: defaultdict[tuple[str, str, str], list[ScalarReported]] = defaultdict(list)
    for batch, events in batches:
        of_batch: defaultdict[tuple[str, str, str], list[ScalarReported]] = defaultdict(list)
        others: list[tuple[int, Event]] = []
        scalars: list[Any] = events
        if set(map(type, events)) != {ScalarReported}:
            scalars = [event for event in events if isinstance(event, ScalarReported)]
            # Not the number of the event, for which state events would have to be read, but in its order.
            places = enumerate(events, batch.first)
            others = [(place, event) for place, event in places if not isinstance(event, ScalarReported)]
        for key, event in zip(map(_series_of, scalars), scalars, strict=True):
            of_batch[key].append(event)
        for key, reported in of_batch.items():
            points[key] += reported
        tasks = {task for task, _, _ in of_batch}
        if others:
            tasks.update(event.task for _, event in others)
            session = batch.session
            fold_text(transaction, environment, session, _only(TextReported, others))
            fold_plots(transaction, environment, session, _only(PlotReported, others))
            fold_media(transaction, environment, session, _only(MediaReported, others))
        where = _value.pack(batch.store, batch.number, batch.first_time, batch.last_time, batch.hash)
        for task in tasks:
            transaction.put(
                _key.pack(task_key(task), batch.session, batch.first),
                where,
                db=environment["report_batches"],
            )
    fold_scalars(transaction, environment, points)


def report_batches(transaction: Any, environment: ViewsEnvironment, key: bytes) -> Iterator[ReportBatch]:
    """The batches that hold reports of a task, by session, each session's in order.

    Args:
        key: of the task.
    """
    with transaction.cursor(environment["report_batches"]) as cursor:
        found = cursor.set_range(key)
        while found and cursor.key()[:TASK_SIZE] == key:
            _, session, first = _key.unpack(cursor.key())
            yield ReportBatch(session, first, *_value.unpack(cursor.value()))
            found = cursor.next()


def _only(kind: type[E], placed: Iterable[tuple[int, Event]]) -> Iterator[tuple[int, E]]:
    return ((place, event) for place, event in placed if isinstance(event, kind))
