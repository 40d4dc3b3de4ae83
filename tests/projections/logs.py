"""Logs made by hand: sessions of several stores, whose batches a real store then lets in."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eventlog import events
from eventlog.batch import FIRST_PREVIOUS, Batch, NumberedEvent, encode_batch
from eventlog.events import Event, encode_event
from eventlog.projections import Views
from eventlog.store import Store

TASK = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


class Log:
    """The chain of one store, written from outside.

    Args:
        number: tells this store from others.
    """

    def __init__(self, number: int = 1) -> None:
        self.id = bytes([number]) * 16
        self.batches: list[Batch] = []
        self._next: dict[bytes, int] = {}

    def add(self, session: int, new: Sequence[Event | bytes]) -> Batch:
        """One more batch, of a session given by a small number; of bytes, an event of an unknown kind.

        Within a batch times never go back, or a store would not let it in.
        """
        name = bytes([session]) * 8 + self.id[:8]
        first = self._next.get(name, 0)
        self._next[name] = first + len(new)
        decoded = [events.decode_event(event) if isinstance(event, bytes) else event for event in new]
        times = [event.time for event in decoded]
        batch = Batch.read(
            encode_batch(
                store=self.id,
                number=len(self.batches),
                previous=self.batches[-1].hash if self.batches else FIRST_PREVIOUS,
                session=name,
                first=first,
                events=[event if isinstance(event, bytes) else encode_event(event) for event in new],
                states=[at for at, event in enumerate(decoded) if not event.is_report],
                first_time=times[0],
                last_time=times[-1],
            )
        )
        self.batches.append(batch)
        return batch


def views_of(home: Path, batches: Iterable[Batch]) -> Views:
    """Views of a real store that holds these batches, caught up."""
    store = Store.open(home)
    store.admit(batches)
    views = Views.open(store)
    views.catch_up(reports=True)
    return views


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one of the many examples of a property, in memory where there is such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder) / "home"


def close(views: Views) -> None:
    views.close()
    views.store.close()


def created(time: int, task: str = TASK, name: str = "baseline", project: str = "digits") -> Event:
    return events.TaskCreated(time, task, name, project)


def scalar(time: int, iteration: int, value: float, task: str = TASK, series: str = "train") -> Event:
    return events.ScalarReported(time, task, "loss", series, iteration, value)


def numbered(*given: Event, session: bytes = b"s" * 16) -> list[NumberedEvent]:
    return [NumberedEvent(session, number, event) for number, event in enumerate(given)]
