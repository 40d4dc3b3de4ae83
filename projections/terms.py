"""The terms of the task index: which tasks have a status, a project, a tag, a type, a name …

A term is a field and a value; its tasks, by their ordinals, are a set in chunks (see
`eventlog.projections.bitmaps`), each under the key ``field 0 value chunk``.
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any

from eventlog.projections import bitmaps
from eventlog.projections.query import TaskRow

__all__ = ["TermWriter", "read_term", "stored_terms", "term", "terms_of", "value_of"]

# LMDB's keys hold at most 511 bytes: of a longer value, the beginning and a hash are kept, at a length
# that no value kept whole has.
_MAX_VALUE = 400
_KEPT = _MAX_VALUE + 1 - 32
_MAX_FOLDERS = 64
_chunk_number = struct.Struct(">H")


def term(field: str, value: str = "") -> bytes:
    """The key of a term, without its chunk.

    Args:
        field: "status", "type", "tag", "system tag", "name", "project", "parent", "folder" (a project or one
            that it is in), or "deleted" and "waiting", which have no values.
    """
    encoded = value.encode()
    if len(encoded) > _MAX_VALUE:
        encoded = encoded[:_KEPT] + hashlib.sha256(encoded).digest()
    return field.encode() + b"\0" + encoded


def value_of(key: bytes) -> str | None:
    """The value of a term, or None where only its beginning and a hash are kept."""
    value = key.partition(b"\0")[2]
    return None if len(value) > _MAX_VALUE else value.decode()


def terms_of(row: TaskRow | None) -> set[bytes]:
    """Every term that a task has."""
    if row is None:
        return set()
    terms = {term("tag", tag) for tag in row.tags}
    terms.update(term("system tag", tag) for tag in row.system_tags)
    terms.add(term("status", row.status))
    terms.add(term("type", row.type))
    terms.add(term("name", row.name))
    terms.add(term("project", row.project))
    terms.update(term("folder", folder) for folder in _folders(row.project))
    if row.parent:
        terms.add(term("parent", row.parent))
    if row.is_deleted:
        terms.add(term("deleted"))
    if row.has_waiting:
        terms.add(term("waiting"))
    return terms


def read_term(transaction: Any, database: Any, key: bytes, size: int) -> int:
    """The set of ordinals, of `size` that there are, that have a term."""
    chunks = []
    for number in range(-(-size // bitmaps.CHUNK)):
        data = transaction.get(key + _chunk_number.pack(number), db=database)
        if data is not None:
            chunks.append((number, data))
    return bitmaps.join_chunks(chunks)


def stored_terms(transaction: Any, database: Any, field: str = "") -> Iterator[tuple[bytes, int]]:
    """Every term, or those of one field, with the set of ordinals that have it; one may come in parts."""
    prefix = field.encode() + b"\0" if field else b""
    current = b""
    chunks: list[tuple[int, bytes]] = []
    with transaction.cursor(database) as cursor:
        found = cursor.set_range(prefix)
        while found and cursor.key().startswith(prefix):
            key = bytes(cursor.key())
            if chunks and key[:-2] != current:
                yield current, bitmaps.join_chunks(chunks)
                chunks = []
            current = key[:-2]
            chunks.append((_chunk_number.unpack(key[-2:])[0], bytes(cursor.value())))
            found = cursor.next()
    if chunks:
        yield current, bitmaps.join_chunks(chunks)


class TermWriter:
    """Changes to terms, gathered so that each chunk is written once."""

    def __init__(self) -> None:
        self._added: dict[tuple[bytes, int], list[int]] = {}
        self._removed: dict[tuple[bytes, int], list[int]] = {}

    def change(self, ordinal: int, old: TaskRow | None, new: TaskRow) -> None:
        """Note that the task with this ordinal, which has not been noted yet, has another row now."""
        if old is not None and _what_counts(old) == _what_counts(new):
            return
        before, after = terms_of(old), terms_of(new)
        number, place = divmod(ordinal, bitmaps.CHUNK)
        for key in after - before:
            self._added.setdefault((key, number), []).append(place)
        for key in before - after:
            self._removed.setdefault((key, number), []).append(place)

    def write(self, transaction: Any, database: Any) -> None:
        """Write what was noted."""
        for changed in sorted(self._added.keys() | self._removed.keys()):
            key = changed[0] + _chunk_number.pack(changed[1])
            data = bitmaps.change_chunk(
                transaction.get(key, db=database),
                self._added.get(changed, ()),
                self._removed.get(changed, ()),
            )
            if data is None:
                transaction.delete(key, db=database)
            else:
                transaction.put(key, data, db=database)


def _what_counts(row: TaskRow) -> tuple[object, ...]:
    return (
        row.status,
        row.tags,
        row.name,
        row.project,
        row.type,
        row.system_tags,
        row.parent,
        row.is_deleted,
        row.has_waiting,
    )


def _folders(project: str) -> list[str]:
    """A project and those that it is nested in; of absurdly many, the outermost."""
    parts = project.split("/", _MAX_FOLDERS)
    return ["/".join(parts[: depth + 1]) for depth in range(min(len(parts), _MAX_FOLDERS))]
