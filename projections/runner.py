"""The runner: keeps the views current by reading only what is new in the log.

There are two streams, each with a checkpoint per store: state events, and reports. A catch-up folds a
stream in pieces, each one transaction that reads the checkpoints, folds what comes next and moves them;
so any number of processes may catch up at once, and one that is killed has done whole pieces or nothing.
A stream is folded anew when its version is another, or when the log is not the one it was folded from
(an older copy was put back, say).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from eventlog.batch import FIRST_PREVIOUS, Batch
from eventlog.errors import DataCorrupt
from eventlog.events import EVENT_KINDS
from eventlog.projections.chain import UNKNOWN, Link, read_chain
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.index import INDEX_VERSION
from eventlog.projections.left_out import LeftOut, forget, remember
from eventlog.projections.model import MODEL
from eventlog.projections.reports import REPORTS_VERSION, fold_reports
from eventlog.projections.session import SESSION
from eventlog.projections.states import fold_states
from eventlog.projections.task import TASK
from eventlog.store import Head, Store

__all__ = [
    "REPORTS",
    "STATES",
    "Checkpoint",
    "Progress",
    "Stream",
    "catch_up",
    "drop",
    "has_version",
    "read_checkpoints",
]

log = logging.getLogger("eventlog")

Progress = Callable[[int, int], None]

# Bytes of batches in one piece; with `Stream.piece` it bounds the memory taken, and for how long other
# processes wait.
_PIECE_BYTES = 16 << 20
_FEW = 64


class Checkpoint(msgspec.Struct, array_like=True, frozen=True):
    """How far a stream has read the chain of a store.

    Attributes:
        next: number of the batch that comes next.
        previous: SHA-256 of the batch before that one.
    """

    next: int = 0
    previous: bytes = FIRST_PREVIOUS


NOWHERE = Checkpoint()


@dataclass(frozen=True)
class Stream:
    """One of the two sorts of event, and what is folded from it.

    Attributes:
        name: "states" or "reports".
        version: of all its projections, and of the events that they read.
        databases: what it writes.
        piece: how many events one transaction folds, or a batch more.
        count: how many of a batch's events belong to it.
        read: a batch's events that do.
        fold: folds batches, given with their events, in a write transaction.
    """

    name: str
    version: bytes
    databases: tuple[str, ...]
    piece: int
    count: Callable[[Batch], int]
    read: Callable[[Batch], list[Any]]
    fold: Callable[[Any, ViewsEnvironment, list[tuple[Batch, list[Any]]]], None]


def _version(*versions: int) -> bytes:
    """Versions of projections, with a digest of every kind of event and its fields."""
    kinds = [(name, kind.__struct_fields__) for name, kind in sorted(EVENT_KINDS.items())]
    return msgspec.msgpack.encode((list(versions), sha256(repr(kinds).encode()).digest()[:8]))


STATES = Stream(
    "states",
    _version(TASK.version, MODEL.version, SESSION.version, INDEX_VERSION),
    ("events", "tasks", "models", "sessions", "rows", "terms", "pages", "by_change"),
    20_000,
    lambda batch: batch.states,
    Batch.state_events,
    fold_states,
)
REPORTS = Stream(
    "reports",
    _version(REPORTS_VERSION),
    ("series", "points", "outlines", "text", "plots", "media", "report_batches"),
    200_000,
    lambda batch: batch.reports,
    Batch.report_events,
    fold_reports,
)


def catch_up(
    store: Store,
    environment: ViewsEnvironment,
    streams: tuple[Stream, ...],
    progress: Progress | None = None,
    until: dict[bytes, int] | None = None,
) -> list[str]:
    """Fold what is new.

    Args:
        streams: which, in this order.
        progress: called as ``progress(done, total)``, in batches of all the streams.
        until: of each store, how many batches to fold; by default all.

    Returns:
        A line for each batch that was left out: it could not be read, or is not what its store committed.
    """
    if until is None:
        until = {key: head.number + 1 for key, head in store.heads().items()}
    standing = {stream.name: _standing(store, environment, stream, until) for stream in streams}
    total = sum(behind for behind, _ in standing.values())
    done = 0
    unreadable: list[str] = []
    for stream in streams:
        behind, anew = standing[stream.name]
        while behind or anew:
            piece = _Piece(store, environment, stream, until)
            environment.write(piece.fold)
            for line in [batch.why for batch in piece.left_out]:
                if line in unreadable:
                    # The other stream's.
                    continue
                unreadable.append(line)
                log.warning("eventlog: %s; the views leave it out: run `eventlog verify`", line)
            before, (behind, anew) = behind, _standing(store, environment, stream, until)
            if piece.was_nothing:
                behind = 0
            done += max(before - behind, 0)
            if progress is not None:
                progress(done, max(total, done))
    return unreadable


def read_checkpoints(
    transaction: Any, environment: ViewsEnvironment, stream: Stream
) -> dict[bytes, Checkpoint]:
    """How far a stream has read, by store id."""
    prefix = _prefix(stream)
    checkpoints = {}
    with transaction.cursor(environment["checkpoints"]) as cursor:
        found = cursor.set_range(prefix)
        while found and cursor.key().startswith(prefix):
            checkpoints[bytes(cursor.key()[len(prefix) :])] = _decode_checkpoint(cursor.value())
            found = cursor.next()
    return checkpoints


def has_version(transaction: Any, environment: ViewsEnvironment, stream: Stream) -> bool:
    """Whether what a stream has written, if anything, is of the version that this program writes."""
    return transaction.get(_prefix(stream), db=environment["meta"]) in (None, stream.version)


def drop(transaction: Any, environment: ViewsEnvironment, stream: Stream) -> None:
    """Forget all that a stream has folded."""
    for name in stream.databases:
        transaction.drop(environment[name], delete=False)
    for key in read_checkpoints(transaction, environment, stream):
        transaction.delete(_prefix(stream) + key, db=environment["checkpoints"])
    forget(transaction, environment, _prefix(stream))
    transaction.put(_prefix(stream), stream.version, db=environment["meta"])


_decode_checkpoint = msgspec.msgpack.Decoder(Checkpoint).decode


def _prefix(stream: Stream) -> bytes:
    return stream.name.encode() + b"\0"


def _standing(
    store: Store, environment: ViewsEnvironment, stream: Stream, until: dict[bytes, int]
) -> tuple[int, bool]:
    """How many batches a stream has not folded yet, and whether it has to begin anew."""
    with environment.read() as transaction:
        anew = not has_version(transaction, environment, stream)
        checkpoints = read_checkpoints(transaction, environment, stream)
    # Read after the checkpoints, so that another process cannot have folded more than these heads say.
    anew = anew or not _continues(checkpoints, store.heads())
    if anew:
        checkpoints = {}
    return sum(max(end - checkpoints.get(key, NOWHERE).next, 0) for key, end in until.items()), anew


def _continues(checkpoints: dict[bytes, Checkpoint], heads: dict[bytes, Head]) -> bool:
    """Whether the log still holds what was folded, as far as its heads tell."""
    for key, checkpoint in checkpoints.items():
        head = heads.get(key)
        if head is None or head.number + 1 < checkpoint.next:
            return False
        if head.number + 1 == checkpoint.next and checkpoint.previous not in (UNKNOWN, head.hash):
            return False
    return True


class _Piece:
    """One transaction's worth of a catch-up.

    Attributes:
        left_out: the batches that were passed over.
        was_nothing: none of the batches left had an event of the stream, and they are so few that it costs
            less to look at them again next time than to sync that they were seen.
    """

    def __init__(
        self, store: Store, environment: ViewsEnvironment, stream: Stream, until: dict[bytes, int]
    ) -> None:
        self.left_out: list[LeftOut] = []
        self.was_nothing = False
        self._store = store
        self._environment = environment
        self._stream = stream
        self._until = until

    def fold(self, transaction: Any) -> None:
        """Fold what comes next and move the checkpoints; run again, whole, when the map had to grow."""
        self.left_out = []
        self.was_nothing = False
        self._read: list[tuple[Batch, list[Any]]] = []
        self._events = self._bytes = 0
        stream, environment = self._stream, self._environment
        checkpoints = read_checkpoints(transaction, environment, stream)
        heads = self._store.heads()
        if not has_version(transaction, environment, stream) or not _continues(checkpoints, heads):
            drop(transaction, environment, stream)
            checkpoints = {}
        moved = {}
        for key, end in sorted(self._until.items()):
            checkpoint = checkpoints.get(key, NOWHERE)
            if checkpoint.next < end and not self._is_full():
                new = self._read_chain(key, checkpoint, end, heads[key])
                if new is None:
                    # Another log has been put in the place of the one that was folded.
                    drop(transaction, environment, stream)
                    self.left_out = []
                    return
                moved[key] = new
        if self._read:
            stream.fold(transaction, environment, self._read)
        elif checkpoints and not self.left_out and not self._is_full():
            left = sum(moved[key].next - checkpoints.get(key, NOWHERE).next for key in moved)
            self.was_nothing = left <= _FEW
            if self.was_nothing:
                return
        for batch in self.left_out:
            remember(transaction, environment, _prefix(stream), batch)
        for key, checkpoint in moved.items():
            data = msgspec.msgpack.encode(checkpoint)
            transaction.put(_prefix(stream) + key, data, db=environment["checkpoints"])
        transaction.put(_prefix(stream), stream.version, db=environment["meta"])

    def _is_full(self) -> bool:
        return self._events >= self._stream.piece or self._bytes >= _PIECE_BYTES

    def _read_chain(self, key: bytes, checkpoint: Checkpoint, end: int, head: Head) -> Checkpoint | None:
        """Take a store's next batches; None when they do not continue what was folded."""
        for link in read_chain(self._store, key, checkpoint.next, head):
            # A changed batch that does not follow is just that, and of a first batch there is no other log.
            follows = link.wrong or not link.number or link.follows(checkpoint.previous)
            if link.number == checkpoint.next and not follows:
                return None
            if link.number >= end or self._is_full():
                return Checkpoint(link.number, link.previous)
            self._take(key, link)
        return Checkpoint(head.number + 1, head.hash)

    def _take(self, key: bytes, link: Link) -> None:
        batch = link.batch
        if link.wrong or batch is None:
            self.left_out.append(LeftOut(key, link.number, link.wrong))
            return
        count = self._stream.count(batch)
        self._bytes += len(batch.data) if count else 0
        # Passing over a batch costs something too.
        self._events += count + 10
        if count:
            try:
                self._read.append((batch, self._stream.read(batch)))
            except DataCorrupt as error:
                self.left_out.append(LeftOut(key, link.number, str(error)))
