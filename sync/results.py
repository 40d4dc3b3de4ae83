"""What a push or a pull did, and how it tells while it does it."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from eventlog.errors import in_one_line

__all__ = ["Progress", "ProgressCallback", "PullResult", "PushResult", "SyncResult", "Tally", "Unpushed"]

REPORT_SECONDS = 0.05
MOST_BLOB_PROBLEMS = 100


@dataclass(frozen=True)
class Transfer:
    """What went through.

    Attributes:
        batches: how many.
        segments: the objects that they were in.
        blobs: how many.
        bytes: moved for segments and blobs together.
        absent: blobs that are known not to be where the log went: not chosen, or not to be had.
        problems: what did not go through, and why: one line each.
    """

    batches: int = 0
    segments: int = 0
    blobs: int = 0
    bytes: int = 0
    absent: int = 0
    problems: list[str] = field(default_factory=list)


AnyTransfer = TypeVar("AnyTransfer", bound=Transfer)


@dataclass(frozen=True)
class PushResult(Transfer):
    """What a push put on the remote."""


@dataclass(frozen=True)
class PullResult(Transfer):
    """What a pull let into the store."""


@dataclass(frozen=True)
class Unpushed:
    """What a store holds and a remote does not.

    Attributes:
        batches: how many.
        stores: the stores that they are of.
        problems: stores whose copies do not agree: one line each.
    """

    batches: int = 0
    stores: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SyncResult:
    """What a pull and then a push did.

    Attributes:
        push: None where the remote can only be read.
        unpushed: what is not on it then; None of a bundle, which is made once.
    """

    pull: PullResult
    push: PushResult | None
    unpushed: Unpushed | None = None

    @property
    def problems(self) -> list[str]:
        """What did not go through, each line once."""
        return list(dict.fromkeys(self.pull.problems + (self.push.problems if self.push else [])))


@dataclass(frozen=True)
class Progress:
    """How far a push or a pull has got.

    The totals of blobs and bytes grow while batches are read, since it is they that name the blobs.

    Attributes:
        direction: "push" or "pull".
        batches, blobs, bytes: done so far.
        batches_total, blobs_total, bytes_total: to be done, as far as is known.
    """

    direction: str
    batches: int = 0
    batches_total: int = 0
    blobs: int = 0
    blobs_total: int = 0
    bytes: int = 0
    bytes_total: int = 0


ProgressCallback = Callable[[Progress], None]


class Tally:
    """Counts what a transfer has done, and tells whoever asked, at most twenty times a second.

    Attributes:
        segments: objects transferred.
        absent: blobs that are not where the log went.
        problems: what did not go through.
    """

    def __init__(self, direction: str, callback: ProgressCallback | None) -> None:
        self.segments = 0
        self.absent = 0
        self.problems: list[str] = []
        self._blob_problems = 0
        self._direction = direction
        self._counts: Counter[str] = Counter()
        self._callback = callback
        self._lock = threading.Lock()
        self._told = 0.0

    def __repr__(self) -> str:
        return f"<Tally {self._progress()}>"

    def add(self, **counts: int) -> None:
        """Add to the counts of `Progress`; from any thread."""
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count
            if self._callback is not None and time.monotonic() - self._told >= REPORT_SECONDS:
                self._tell()

    def add_blob_problem(self, problem: str) -> None:
        """Note what is wrong with a blob; of very many the first alone, and how many more there are."""
        with self._lock:
            self._blob_problems += 1
            if self._blob_problems <= MOST_BLOB_PROBLEMS:
                self.problems.append(problem)

    def result(self, kind: type[AnyTransfer]) -> AnyTransfer:
        """What it came to; whoever asked is told a last time."""
        with self._lock:
            if self._blob_problems > MOST_BLOB_PROBLEMS:
                self.problems.append(f"and so are {self._blob_problems - MOST_BLOB_PROBLEMS} blobs more")
            if self._callback is not None:
                self._tell()
            done = self._progress()
        problems = list(map(in_one_line, self.problems))
        return kind(done.batches, self.segments, done.blobs, done.bytes, self.absent, problems)

    def _tell(self) -> None:
        assert self._callback is not None
        self._told = time.monotonic()
        self._callback(self._progress())

    def _progress(self) -> Progress:
        return Progress(self._direction, **self._counts)
