"""Parts: which batches of the log lie in which file of an export.

A part is consecutive batches of one store that begin in one month (UTC), up to a million events. Its file is
called after its store and its first batch, and its rows are a function of the log; so writing it again, once
more batches have come or once a task was reset, puts a whole file in the place of another, and no row is ever
in two files. Only the last part of a store grows.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from eventlog.projections.chain import Link

__all__ = ["PART_BYTES", "PART_EVENTS", "Part", "parse_part", "plan_parts"]

PART_EVENTS = 1_000_000
# Of batches as they lie in the log: text takes more than scalars do.
PART_BYTES = 64 << 20

_NAME = re.compile(r"month=([0-9]{4}-[0-9]{2})/([0-9a-f]{32})-([0-9]{12})\.parquet")


class Part(msgspec.Struct, frozen=True):
    """Some batches of a store, and what is known of them.

    Attributes:
        store: id of the store, in hexadecimal.
        first, last: numbers of its first and last batch.
        hash: SHA-256 of the last batch, in hexadecimal; "" if it is not what was committed.
        month: as "2026-11".
        events: how many they hold.
        bytes: how large they are in the log.
        first_time, last_time: of the events, in milliseconds since 1970-01-01 UTC.
    """

    store: str
    first: int
    last: int
    hash: str
    month: str
    events: int
    bytes: int
    first_time: int
    last_time: int

    @property
    def name(self) -> str:
        """The name of its file in a dataset."""
        return f"month={self.month}/{self.store}-{self.first:012d}.parquet"

    @property
    def is_full(self) -> bool:
        """Whether what comes next begins another part."""
        return self.events >= PART_EVENTS or self.bytes >= PART_BYTES

    def holds(self, time: int) -> bool:
        """Whether an event of its store that is of this time, in ms, may be among its events."""
        return self.first_time <= time <= self.last_time


def parse_part(name: str) -> tuple[str, int, str] | None:
    """The store, first batch and month that a name in a dataset stands for, or None if it stands for none."""
    match = _NAME.fullmatch(name)
    return None if match is None else (match[2], int(match[3]), match[1])


def plan_parts(store: str, links: Iterable[Link], grown: Part | None = None) -> Iterator[Part]:
    """The parts that batches make up, whether or not they can be read.

    Args:
        store: id of the store, in hexadecimal.
        links: its batches, in order.
        grown: the part that the first of them may belong to; its own batches come first among them.
    """
    part: Part | None = None
    first: int | None = None
    for link in links:
        batch = link.batch
        if first is None:
            first = link.number
        if batch is None:
            # Nobody can tell when it was; it goes with the batch before, or with the one after.
            part = part and msgspec.structs.replace(part, last=link.number, hash="")
            continue
        month = _month(batch.first_time)
        settled = grown is not None and link.number <= grown.last
        if part is not None and not settled and (part.is_full or part.month != month):
            yield part
            part, first = None, link.number
        if part is None:
            month = grown.month if settled and grown is not None else month
            part = Part(store, first, 0, "", month, 0, 0, batch.first_time, batch.last_time)
        part = msgspec.structs.replace(
            part,
            last=link.number,
            hash="" if link.wrong else batch.hash.hex(),
            events=part.events + batch.states + batch.reports,
            bytes=part.bytes + len(batch.data),
            first_time=min(part.first_time, batch.first_time),
            last_time=max(part.last_time, batch.last_time),
        )
    if part is not None:
        yield part


def _month(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m")
