"""The history of a task or a model: all its events in one order, from the log itself."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from eventlog.batch import NumberedEvent
from eventlog.errors import DataCorrupt
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.kept_events import state_events
from eventlog.projections.keys import task_key
from eventlog.projections.reports import ReportBatch, report_batches
from eventlog.store import Store

__all__ = ["history"]


def history(
    store: Store,
    environment: ViewsEnvironment,
    task: str,
    first_time: int | None,
    last_time: int | None,
    *,
    reports: bool,
) -> Iterator[NumberedEvent]:
    """The events of a task or a model in the order (time, session, number); described at `Views.events`.

    Raises:
        DataCorrupt: a batch with reports of it is not what it was when it was folded.
    """
    streams: list[Iterable[NumberedEvent]] = [
        state_events(environment, task_key(task), first_time, last_time)
    ]
    if reports:
        with environment.read() as transaction:
            batches = [
                batch
                for batch in report_batches(transaction, environment, task_key(task))
                if (first_time is None or batch.last_time >= first_time)
                and (last_time is None or batch.first_time <= last_time)
            ]
        # Within a session times never go back, so that each session's batches are in order already.
        streams += (
            _reports(store, task, list(of_session), first_time, last_time)
            for _, of_session in groupby(batches, key=attrgetter("session"))
        )
    return heapq.merge(*streams, key=attrgetter("order"))


def _reports(
    store: Store, task: str, batches: list[ReportBatch], first_time: int | None, last_time: int | None
) -> Iterator[NumberedEvent]:
    for where in batches:
        for batch in store.batches(where.store, where.number, where.number):
            if batch.hash != where.hash:
                raise DataCorrupt(
                    f"batch {where.number} of store {where.store.hex()} is not the one that was folded: run"
                    " `eventlog verify`"
                )
            # By their frame, not their kind: of an unknown kind, the frame alone tells.
            states = {numbered.number for numbered in batch.state_events()}
            for numbered in batch.events():
                event = numbered.event
                if (
                    event.task == task
                    and numbered.number not in states
                    and (first_time is None or event.time >= first_time)
                    and (last_time is None or event.time <= last_time)
                ):
                    yield numbered
