"""A session of eventlog imported as the continuation of a task that is here, or with its iterations shifted.

Its own batches then cannot be let in, as they say something else. What they hold is written again, about the
other task, as a log of its own (`imported_log`); the session itself is not here afterwards.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from eventlog.batch import FIRST_PREVIOUS, Batch
from eventlog.errors import DataCorrupt, NotFound, RemoteInvalid, StoreNewer
from eventlog.events import (
    Event,
    ModelCreated,
    SessionEnded,
    SessionStarted,
    TaskCreated,
    TaskDeleted,
    TaskMoved,
    TaskRenamed,
    TaskReset,
    TaskStarted,
    Unknown,
)
from eventlog.sdk.imported_log import ImportedLog
from eventlog.store import Store
from eventlog.sync.blob_lists import BlobLists, FolderPlace
from eventlog.sync.layout import Segment, covering
from eventlog.sync.puller import Source
from eventlog.sync.references import named_blobs
from eventlog.sync.segment import confirmed

__all__ = ["Continuation"]

# What the task is called, and how it came to be, stays that of the task that goes on.
_LEFT_OUT = (
    SessionStarted,
    SessionEnded,
    TaskCreated,
    TaskDeleted,
    TaskMoved,
    TaskRenamed,
    TaskReset,
    Unknown,
)


class Continuation:
    """An import of stores' batches as the doings of another task.

    Args:
        store: where to.
        source: what holds the batches and their blobs.
        previous: id of the task to go on with; "" for a task of its own, of another id than the session's.
        after: time of the last event about that task, in milliseconds.
        offset: added to iterations.

    Attributes:
        blobs: how many were taken in.
        problems: what could not be read: one line each.
    """

    def __init__(self, store: Store, source: Source, previous: str, after: int, offset: int) -> None:
        self._found: list[str] = []
        self.blobs = 0
        self.problems: list[str] = []
        self._store = store
        self._source = source
        self._previous = previous
        self._after = after
        self._offset = offset
        self._absent_here = BlobLists(FolderPlace(store.home))

    @property
    def tasks(self) -> list[str]:
        """The tasks that were found, as they are called here."""
        return [self._aim(task) for task in self._found]

    def __repr__(self) -> str:
        return f"<Continuation of {self._previous or 'a new task'}, {self._offset:+d}>"

    def let_in(self, identity: bytes, segments: list[Segment]) -> int:
        """Import what was not imported before of one store; returns how many events are new.

        Raises:
            StoreFull, StoreReadOnly: the store cannot take it.
        """
        name = f"store {identity.hex()} as {self._previous or 'itself'} {self._offset:+d}"
        log = ImportedLog(self._store, name, b"")
        # The task's own history comes first: these are kept back until the reports are through.
        late: list[Event] = []
        try:
            for batch in self._batches(identity, segments):
                self._take_blobs(batch)
                for numbered in batch.events():
                    event = self._translated(numbered.event)
                    if event is None:
                        continue
                    if event.is_report or not self._previous:
                        log.add(event)
                    else:
                        late.append(event)
        except (DataCorrupt, NotFound, RemoteInvalid, StoreNewer) as error:
            self.problems.append(f"{self._source.url}: {error}; what is behind it is not imported")
        for event in late:
            log.add(msgspec.structs.replace(event, time=max(event.time, self._after)))
        return log.finish()

    def _batches(self, identity: bytes, segments: list[Segment]) -> Iterator[Batch]:
        usable = set(segments)
        reached, previous = -1, FIRST_PREVIOUS
        while segment := covering(usable, reached + 1):
            usable.discard(segment)
            with self._source.read_segment(segment, lambda _: None) as batches:
                for batch, digest in confirmed(
                    batches, identity, segment.first, segment.last, segment.ends_with
                ):
                    if batch.number <= reached:
                        continue
                    if batch.previous != previous:
                        raise DataCorrupt(f"the chain breaks before batch {batch.number}")
                    batch.checked_states()
                    yield batch
                    reached, previous = batch.number, digest

    def _take_blobs(self, batch: Batch) -> None:
        """Take in the blobs that a batch names; those that cannot be had are told, and listed as absent."""
        wanted = {digest for digest in named_blobs(batch).required if digest not in self._store.blobs}
        sizes = self._source.blob_sizes(wanted)
        absent = wanted - sizes.keys()
        for digest in sorted(absent - self._source.absent.digests() if absent else absent):
            self._tell(f"blob {digest}, which batch {batch.number} names, is not there")
        for digest in sorted(sizes):
            try:
                with self._store.blobs.writer(expected=digest) as writer:
                    self._source.copy_blob(digest, sizes[digest], writer, lambda _: None)
            except (DataCorrupt, NotFound, RemoteInvalid) as error:
                absent.add(digest)
                self._tell(str(error))
            else:
                self.blobs += 1
        self._absent_here.add(absent)

    def _tell(self, problem: str) -> None:
        line = f"{self._source.url}: {problem}"
        if line not in self.problems:
            self.problems.append(line)

    def _aim(self, task: str) -> str:
        """What a task of the session is called here: the first one is the previous task."""
        if self._previous:
            return self._previous if task == self._found[0] else task
        # With its iterations shifted it is another task, or importing it both ways would mix the two.
        return hashlib.sha256(f"shifted {self._offset:+d} {task}".encode()).hexdigest()[:32]

    def _translated(self, event: Event) -> Event | None:
        if isinstance(event, Unknown) or not event.task:
            return None
        changes: dict[str, Any] = {}
        if isinstance(event, TaskCreated | TaskStarted) and event.task not in self._found:
            self._found.append(event.task)
        if self._previous:
            if isinstance(event, _LEFT_OUT):
                return None
            if isinstance(event, ModelCreated):
                changes["made_by"] = self._previous
        if event.task in self._found:
            changes["task"] = self._aim(event.task)
        iteration = getattr(event, "iteration", None)
        if self._offset and isinstance(iteration, int) and iteration != -(1 << 31):
            changes["iteration"] = min(max(iteration + self._offset, -(1 << 63)), (1 << 63) - 1)
        return msgspec.structs.replace(event, **changes) if changes else event
