"""What patterns are searched in: the names and the texts of all tasks, packed 256 to a page.

A page is a MessagePack array of strings, so that 100,000 names are decoded in 400 steps, and a plain word
can be looked for in the bytes of a page before it is decoded at all.
"""

import re
import struct
from collections.abc import Callable
from itertools import compress
from typing import Any

import msgspec

from eventlog.errors import InputInvalid
from eventlog.projections.query import TaskRow

__all__ = ["FIELDS", "PageWriter", "Pattern", "search", "text_of"]

PAGE = 256
_key = struct.Struct(">BI")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[str]).decode
_is_plain = re.compile(r"[\w \-:,=/%@!\"'<>~`;]+\Z").match


def text_of(row: TaskRow) -> str:
    """What free text is looked for in."""
    return "\n".join((row.id, row.name, row.project, *row.tags, row.comment)).lower()


FIELDS: dict[str, tuple[int, Callable[[TaskRow], str]]] = {
    "name": (0, lambda row: row.name),
    "text": (1, text_of),
}


class Pattern:
    """A regular expression, ready to be looked for.

    Args:
        pattern: as for the `re` module; found anywhere, unless anchored.
        lines: what is searched are lines in lower case; the pattern's case does not count, and its anchors
            stand for the ends of a line.

    Raises:
        InputInvalid: it is not a regular expression.
    """

    def __init__(self, pattern: str, *, lines: bool = False) -> None:
        self.plain = b""
        try:
            # Strings in lower case need no folding, which is slow, unless the pattern has capitals.
            flags = re.IGNORECASE if lines and pattern != pattern.lower() else 0
            self.search = re.compile(pattern, flags | re.MULTILINE if lines else 0).search
        except (re.error, RecursionError, OverflowError) as error:
            raise InputInvalid(f"'{pattern}' is not a regular expression: {error}") from None
        if _is_plain(pattern):
            word = pattern.lower() if lines else pattern
            self.plain = word.encode()
            self.search = re.compile(re.escape(word)).search


def search(transaction: Any, database: Any, field: str, pattern: Pattern, among: int, size: int) -> int:
    """The ordinals in the set `among`, of `size` that there are, whose string a pattern is found in."""
    column = FIELDS[field][0]
    bits = among.to_bytes(-(-size // PAGE) * PAGE // 8, "little")
    found = bytearray(len(bits))
    empty = bytes(PAGE // 8)
    for page in range(len(bits) * 8 // PAGE):
        part = bits[page * PAGE // 8 : (page + 1) * PAGE // 8]
        if part == empty:
            continue
        data = transaction.get(_key.pack(column, page), db=database)
        if data is None or pattern.plain not in data:
            continue
        strings = _decode(data)
        for place in compress(range(len(strings)), map(pattern.search, strings)):
            found[page * PAGE // 8 + (place >> 3)] |= 1 << (place & 7)
    return int.from_bytes(found, "little") & among


class PageWriter:
    """Changes to pages, gathered so that each page is written once."""

    def __init__(self) -> None:
        self._changed: dict[bytes, dict[int, str]] = {}

    def change(self, ordinal: int, old: TaskRow | None, new: TaskRow) -> None:
        """Note that the task with this ordinal has another row now."""
        page, place = divmod(ordinal, PAGE)
        for column, of in FIELDS.values():
            text = of(new)
            if old is None or of(old) != text:
                self._changed.setdefault(_key.pack(column, page), {})[place] = text

    def write(self, transaction: Any, database: Any) -> None:
        """Write what was noted."""
        for key, changed in sorted(self._changed.items()):
            data = transaction.get(key, db=database)
            strings = _decode(data) if data is not None else []
            strings += [""] * (max(changed) + 1 - len(strings))
            for place, text in changed.items():
                strings[place] = text
            transaction.put(key, _encode(strings), db=database)


def stored_strings(transaction: Any, database: Any, field: str) -> list[str]:
    """Every string of a field, by ordinal."""
    column = FIELDS[field][0]
    strings: list[str] = []
    with transaction.cursor(database) as cursor:
        found = cursor.set_range(_key.pack(column, 0))
        while found and cursor.key()[0] == column:
            strings += _decode(cursor.value())
            found = cursor.next()
    return strings
