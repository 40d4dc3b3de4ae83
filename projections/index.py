"""The task index: a row per task, and what finds the rows that match a query without reading the rest.

Each task has an ordinal, given out on this machine in the order in which tasks became known here. Terms
(`eventlog.projections.terms`) say which ordinals have a status, a project or a tag; pages
(`eventlog.projections.pages`) hold the strings for patterns; `by_change` has the ordinals in the order of
last change, for queries with a limit.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from eventlog.projections import bitmaps, pages
from eventlog.projections.environment import ViewsDamaged, ViewsEnvironment
from eventlog.projections.keys import time_key
from eventlog.projections.query import TaskQuery, TaskRow
from eventlog.projections.terms import TermWriter, read_term, stored_terms, term, value_of

__all__ = ["INDEX_VERSION", "IndexWriter", "count_found", "count_tasks", "find", "read_row", "values"]

INDEX_VERSION = 2
ORDINAL = struct.Struct(">I")
# A step along `by_change` costs about this much of what reading and sorting a row does.
_STEP = 0.2
# From this share of all rows on, walking through all of them takes less time than finding each.
_MANY = 0.5
_encode_row = msgspec.msgpack.Encoder().encode


class IndexWriter:
    """Changes to the index in one write transaction; each task is put at most once."""

    def __init__(self, transaction: Any, environment: ViewsEnvironment) -> None:
        self._transaction = transaction
        self._environment = environment
        self._size = count_tasks(transaction, environment)
        self._terms = TermWriter()
        self._pages = pages.PageWriter()

    def put(self, ordinal: int | None, key: bytes, old: TaskRow | None, new: TaskRow) -> int:
        """Give a task another row.

        Args:
            ordinal: of the task, or None if it is new here.
            key: of the task.
            old: the row that it had.

        Returns:
            The ordinal of the task.
        """
        if ordinal is None:
            ordinal = self._size
            self._size += 1
        where = ORDINAL.pack(ordinal)
        put, environment = self._transaction.put, self._environment
        put(where, _encode_row(new), db=environment["rows"])
        if old is not None and old.changed != new.changed:
            self._transaction.delete(time_key(old.changed) + key, db=environment["by_change"])
        put(time_key(new.changed) + key, where, db=environment["by_change"])
        self._terms.change(ordinal, old, new)
        self._pages.change(ordinal, old, new)
        return ordinal

    def write(self) -> None:
        """Write what was gathered."""
        self._terms.write(self._transaction, self._environment["terms"])
        self._pages.write(self._transaction, self._environment["pages"])


def count_tasks(transaction: Any, environment: ViewsEnvironment) -> int:
    """How many tasks there are, which is one more than the last ordinal."""
    entries: int = transaction.stat(environment["rows"])["entries"]
    return entries


def read_row(transaction: Any, environment: ViewsEnvironment, ordinal: int) -> TaskRow:
    """The row of the task with this ordinal."""
    return _decode_row(_raw_rows(transaction, environment, [ORDINAL.pack(ordinal)])[0])


def find(
    transaction: Any, environment: ViewsEnvironment, query: TaskQuery, ordinals_of_ids: Sequence[int] | None
) -> list[TaskRow]:
    """The rows that match a query, in its order.

    Args:
        ordinals_of_ids: of `query.ids`, where it has any.
    """
    found = _Search(transaction, environment, query).run(ordinals_of_ids)
    count = found.bit_count()
    end = count if query.limit is None else min(query.offset + query.limit, count)
    if query.offset >= end:
        return []
    field, descending = query.order.removeprefix("-"), query.order.startswith("-")
    key = _sort_key(field)
    size = count_tasks(transaction, environment)
    if field == "changed" and end * size * _STEP < count * count:
        keys_along = _along_change(transaction, environment, found, size, descending, query.offset, end)
        return [_decode_row(row) for row in _raw_rows(transaction, environment, keys_along)]
    rows = _rows_of(transaction, environment, found, size)
    if query.offset or end < count:
        # No more of a row is decoded than it takes to sort, but for those that are asked for.
        keys = [key(_decode_sorted(row)) for row in rows]
        from heapq import nlargest, nsmallest

        # The first of many are picked out, for which the others need not be in order.
        pick = nlargest if descending else nsmallest
        places = pick(end, range(count), key=keys.__getitem__)
        return [_decode_row(rows[place]) for place in places[query.offset :]]
    return sorted(map(_decode_row, rows), key=key, reverse=descending)


def count_found(transaction: Any, environment: ViewsEnvironment, query: TaskQuery) -> int:
    """How many tasks match a query that names no ids, whatever its limit: no row is read for it."""
    return _Search(transaction, environment, query).run(None).bit_count()


def values(transaction: Any, environment: ViewsEnvironment, field: str) -> list[str]:
    """What the tasks have in a field that is a term, "project" or "type", sorted."""
    size = count_tasks(transaction, environment)
    deleted = read_term(transaction, environment["terms"], term("deleted"), size)
    living = ((value, having & ~deleted) for value, having in _values(transaction, environment, field))
    return sorted({value for value, having in living if having})


class _Sorted(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The beginning of a `TaskRow`: what it is sorted by."""

    id: str
    name: str
    project: str
    status: str
    type: str
    created: int
    changed: int
    progress: int | None


_decode_row = msgspec.msgpack.Decoder(TaskRow).decode
_decode_sorted = msgspec.msgpack.Decoder(_Sorted).decode


class _Search:
    """One query's conditions, each narrowing the set of ordinals."""

    def __init__(self, transaction: Any, environment: ViewsEnvironment, query: TaskQuery) -> None:
        self.transaction = transaction
        self.environment = environment
        self.query = query
        self.size = count_tasks(transaction, environment)

    def run(self, ordinals_of_ids: Sequence[int] | None) -> int:
        query = self.query
        found = (1 << self.size) - 1
        if ordinals_of_ids is not None:
            found = bitmaps.from_numbers(ordinals_of_ids, self.size)
        found &= ~self.has("deleted")
        if query.project is not None:
            found &= self.any_of("folder" if query.project_prefix else "project", _several(query.project))
        if query.name is not None:
            found &= self.any_of("name", _several(query.name))
        found = self.choose(found, "status", query.status)
        found = self.choose(found, "type", query.types)
        found = self.choose(found, "tag", query.tags, together=query.all_tags)
        found = self.choose(found, "system tag", query.system_tags)
        if query.parent is not None:
            found &= self.children_of(_several(query.parent))
        if query.waiting_deliveries:
            found &= self.has("waiting")
        if query.project_pattern is not None:
            found &= self.projects(pages.Pattern(query.project_pattern))
        if query.name_pattern is not None:
            found = self.search(found, "name", pages.Pattern(query.name_pattern))
        if query.text is not None:
            found = self.search(found, "text", pages.Pattern(query.text, lines=True))
        return found

    def has(self, field: str, value: str = "") -> int:
        return read_term(self.transaction, self.environment["terms"], term(field, value), self.size)

    def any_of(self, field: str, values: Iterable[str]) -> int:
        found = 0
        for value in values:
            found |= self.has(field, value)
        return found

    def choose(self, found: int, field: str, values: Sequence[str], *, together: bool = False) -> int:
        wanted = [value for value in _several(values) if not value.startswith("-")]
        if together:
            for value in wanted:
                found &= self.has(field, value)
        elif wanted:
            found &= self.any_of(field, wanted)
        return found & ~self.any_of(field, (value[1:] for value in _several(values) if value[:1] == "-"))

    def children_of(self, parents: Sequence[str]) -> int:
        found = self.any_of("parent", (parent for parent in parents if parent))
        if "" in parents:
            having = 0
            for _, some in stored_terms(self.transaction, self.environment["terms"], "parent"):
                having |= some
            found |= ((1 << self.size) - 1) & ~having
        return found

    def projects(self, pattern: pages.Pattern) -> int:
        found = 0
        for value, having in _values(self.transaction, self.environment, "project"):
            if pattern.search(value):
                found |= having
        return found

    def search(self, among: int, field: str, pattern: pages.Pattern) -> int:
        return pages.search(self.transaction, self.environment["pages"], field, pattern, among, self.size)


def _values(transaction: Any, environment: ViewsEnvironment, field: str) -> Iterator[tuple[str, int]]:
    """Every value of a field and the ordinals that have it; one may come in parts."""
    for key, having in stored_terms(transaction, environment["terms"], field):
        value = value_of(key)
        if value is None:
            first = (having & -having).bit_length() - 1
            value = getattr(read_row(transaction, environment, first), field)
        yield value, having


def _rows_of(transaction: Any, environment: ViewsEnvironment, found: int, size: int) -> list[bytes]:
    """The rows of a set of ordinals, of `size` that there are."""
    ordinals = bitmaps.numbers(found)
    if len(ordinals) < size * _MANY:
        return _raw_rows(transaction, environment, [ORDINAL.pack(ordinal) for ordinal in ordinals])
    with transaction.cursor(environment["rows"]) as cursor:
        rows = list(cursor.iternext(keys=False, values=True))
        # So many rows, up to this one: each is at the place of its ordinal.
        if not cursor.last() or cursor.key() != ORDINAL.pack(size - 1):
            raise _lost()
    return [rows[ordinal] for ordinal in ordinals]


def _raw_rows(transaction: Any, environment: ViewsEnvironment, keys: Sequence[bytes]) -> list[bytes]:
    """The rows under these keys, which are packed ordinals."""
    with transaction.cursor(environment["rows"]) as cursor:
        rows = [row for _, row in cursor.getmulti(keys)]
    if len(rows) != len(keys):
        raise _lost()
    return rows


def _lost() -> ViewsDamaged:
    return ViewsDamaged("the views have lost the rows of some tasks: run `eventlog rebuild`")


def _several(values: str | Sequence[str]) -> Sequence[str]:
    return (values,) if isinstance(values, str) else values


def _along_change(
    transaction: Any,
    environment: ViewsEnvironment,
    found: int,
    size: int,
    last_first: bool,
    first: int,
    end: int,
) -> list[bytes]:
    """The packed ordinals of a set from place `first` up to `end` in the order of last change."""
    with transaction.cursor(environment["by_change"]) as cursor:
        steps = cursor.iterprev if last_first else cursor.iternext
        values: Iterator[bytes] = steps(keys=False, values=True)
        if found.bit_count() < size:
            bits = found.to_bytes((size + 7) // 8, "little")
            values = (
                value for value in values if bits[(at := int.from_bytes(value, "big")) >> 3] >> (at & 7) & 1
            )
        return list(islice(values, first, end))


def _sort_key(field: str) -> Callable[[TaskRow | _Sorted], Any]:
    if field == "progress":
        return lambda row: (row.progress is not None, row.progress, row.id)
    return attrgetter(field, "id")
