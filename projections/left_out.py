"""Which batches the views leave out, kept beside the views, so that they never pass for all of the log."""

from typing import Any, NamedTuple

from eventlog.projections.environment import ViewsEnvironment

__all__ = ["LeftOut", "forget", "read_left_out", "remember"]

_PREFIX = b"left out\0"
_PLACE_SIZE = 16 + 8


class LeftOut(NamedTuple):
    """A batch that could not be read, or was not what its store committed.

    Attributes:
        store, number: its place in a store's chain.
        why: what is wrong with it, in one line that names it.
    """

    store: bytes
    number: int
    why: str


def remember(transaction: Any, environment: ViewsEnvironment, stream: bytes, batch: LeftOut) -> None:
    """Keep that a stream has left a batch out."""
    key = _PREFIX + stream + batch.store + batch.number.to_bytes(8, "big")
    transaction.put(key, batch.why.encode("utf-8", "backslashreplace"), db=environment["meta"])


def forget(transaction: Any, environment: ViewsEnvironment, stream: bytes) -> None:
    """Forget what a stream has left out: it begins anew."""
    for key, _ in _entries(transaction, environment, _PREFIX + stream):
        transaction.delete(key, db=environment["meta"])


def read_left_out(transaction: Any, environment: ViewsEnvironment) -> list[LeftOut]:
    """What the streams have left out, by store and number."""
    found = {}
    for key, why in _entries(transaction, environment, _PREFIX):
        place = key[-_PLACE_SIZE:]
        found[place] = LeftOut(place[:16], int.from_bytes(place[16:], "big"), why.decode("utf-8", "replace"))
    return [found[place] for place in sorted(found)]


def _entries(transaction: Any, environment: ViewsEnvironment, prefix: bytes) -> list[tuple[bytes, bytes]]:
    entries = []
    with transaction.cursor(environment["meta"]) as cursor:
        found = cursor.set_range(prefix)
        while found and cursor.key().startswith(prefix):
            entries.append((bytes(cursor.key()), bytes(cursor.value())))
            found = cursor.next()
    return entries
