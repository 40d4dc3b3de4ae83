"""Which blobs a batch's events name: what has to be there before the batch may be."""

import re
from collections.abc import Callable, Iterable, Set
from typing import NamedTuple

from eventlog.batch import Batch
from eventlog.events import EVENT_KINDS, Event, ScalarReported, Unknown
from eventlog.sync.layout import is_digest

__all__ = ["Choose", "NamedBlobs", "add_blobs_of", "all_named", "named_blobs"]

Choose = Callable[[Set[str]], Set[str]]
"""Says which of these blobs, by SHA-256, travel now; asked only once the log is where they are wanted."""

_BLOB_FIELDS = {
    kind: [field for field in kind.__struct_fields__ if field in ("blob", "diff_blob")]
    for kind in EVENT_KINDS.values()
}
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class NamedBlobs(NamedTuple):
    """The blobs that a batch's events name, as SHA-256 in hexadecimal.

    Attributes:
        required: named by events of kinds that this version knows.
        possible: what looks like a blob's name in events of kinds that it does not know; they are taken
            along where they are found, so that an older program forwards what a newer one wrote.
    """

    required: set[str]
    possible: set[str]


def named_blobs(batch: Batch) -> NamedBlobs:
    """The blobs that a batch's events name. What could not be the name of a blob is passed over.

    Raises:
        DataCorrupt: the batch's events cannot be read.
    """
    named = NamedBlobs(set(), set())
    for numbered in batch.state_events():
        add_blobs_of(numbered.event, named)
    for event in batch.report_events():
        if type(event) is not ScalarReported:
            add_blobs_of(event, named)
    return named


def all_named(named: Iterable[NamedBlobs]) -> NamedBlobs:
    """The blobs that any of some batches name; what is required by one is not merely possible."""
    required: set[str] = set()
    possible: set[str] = set()
    for blobs in named:
        required |= blobs.required
        possible |= blobs.possible
    return NamedBlobs(required, possible - required)


def add_blobs_of(event: Event, named: NamedBlobs) -> None:
    """Add the blobs that an event names to those of others."""
    if isinstance(event, Unknown):
        named.possible.update(match.decode() for match in _DIGEST.findall(event.raw))
        return
    for field in _BLOB_FIELDS.get(type(event), ()):
        digest = getattr(event, field)
        if is_digest(digest):
            named.required.add(digest)
