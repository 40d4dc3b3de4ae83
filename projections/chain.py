"""A store's chain as the log holds it, each batch checked against the hash that its successor names.

The log reads batches as they lie there. A flipped byte in one must not become a view, so whoever folds a
chain reads it here. SHA-256 costs little beside decompressing and decoding.
"""

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import NamedTuple

from eventlog.batch import Batch
from eventlog.errors import DataCorrupt
from eventlog.store import Head, Store

__all__ = ["UNKNOWN", "Link", "read_chain"]

# A hash, where the batch that would tell it cannot be read.
UNKNOWN = b""


class Link(NamedTuple):
    """A batch of a chain.

    Attributes:
        number: its place in the chain.
        batch: the batch; None if the bytes there are not one.
        wrong: what is wrong with it, in one line that names it; empty if it is what was committed, as far as
            the batch after it can tell.
    """

    number: int
    batch: Batch | None
    wrong: str

    @property
    def previous(self) -> bytes:
        """The hash of the batch before, which this one names."""
        return self.batch.previous if self.batch else UNKNOWN

    def follows(self, previous: bytes) -> bool:
        """Whether it can be the batch after one of this hash."""
        return self.previous == previous or UNKNOWN in (self.previous, previous)


def read_chain(store: Store, key: bytes, first: int, head: Head) -> Iterator[Link]:
    """The batches of a chain from number `first` to its head; one that cannot be read ends nothing."""
    end = Link(head.number + 1, None, "")
    for link, after in pairwise(chain(_links(store, key, first, head.number), [end])):
        named = head.hash if after is end else after.previous
        if link.batch is None or named in (UNKNOWN, link.batch.hash):
            yield link
            continue
        by = "the head" if after is end else "the batch after it"
        yield link._replace(
            wrong=f"batch {link.number} of store {key.hex()} is not the one whose SHA-256 {by} names"
        )


def _links(store: Store, key: bytes, first: int, last: int) -> Iterator[Link]:
    one_by_one = False
    while first <= last:
        try:
            for batch in store.batches(key, first, first if one_by_one else last):
                yield Link(first, batch, "")
                first += 1
        except DataCorrupt as error:
            # Several are read at once; the one that is meant is found by reading them singly.
            if one_by_one:
                name = f"batch {first} of store {key.hex()}"
                yield Link(first, None, str(error) if name in str(error) else f"{name}: {error}")
                first += 1
            one_by_one = not one_by_one
