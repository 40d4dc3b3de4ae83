"""A reader of LMDB's data file, from the bytes up, that trusts nothing in it.

LMDB follows the pointers of a file as it finds them, and a flipped byte can crash the process that does.
This reader checks every number before it uses it, so that damage is named, by page and byte, and never
followed: each page must be reachable exactly once, or be in the list of free pages. Databases with sorted
duplicates are not read, as a store has none.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from eventlog.lmdb_file import TREE, DataFile, Meta, SnapshotGone, Tree

__all__ = ["Entry", "Snapshot", "SnapshotGone"]

PAGE = struct.Struct("=QHHHH")
OVERFLOW_PAGE = struct.Struct("=QHHI")
NODE = struct.Struct("=HHHH")
NUMBER = struct.Struct("=Q")
BRANCH, LEAF, OVERFLOW = 0x01, 0x02, 0x04
BIG_VALUE, DATABASE = 0x01, 0x02
NO_PAGE = (1 << 64) - 1
MAX_DEPTH = 32
FREE_LIST = "the free list"
# What a page is found to be.
USED, FREE = 1, 2


class Entry(NamedTuple):
    """A key and its value, in the database of that name, and the page where the value begins."""

    database: str
    key: bytes
    value: bytes
    page: int


class Snapshot:
    """What one committed transaction of an LMDB data file holds; a context manager.

    Args:
        path: the file ``data.mdb``.
        name: what problems call it.
        transaction: number of a transaction that a reader holds open; by default the newest, which stays
            whole only while nobody writes.
        max_value: bytes of the largest value that will be read.

    Attributes:
        transaction: its number.
        last_page: number of the last page, in use or free.
        databases: names of the databases found, once `entries` has been gone through.

    Raises:
        DataCorrupt: neither meta page can be used.
        SnapshotGone: `transaction` cannot be read.
    """

    def __init__(
        self, path: Path, name: str, *, transaction: int | None = None, max_value: int = 1 << 30
    ) -> None:
        self.databases: list[str] = []
        self._max_value = max_value
        self._file = DataFile(path, name)
        self._before: Meta | None
        try:
            self._meta, self._before = (
                self._file.newest() if transaction is None else self._file.held(transaction)
            )
        except BaseException:
            self._file.close()
            raise
        self.transaction = self._meta.transaction
        self.last_page = self._meta.last_page
        self.page_size = self._file.page_size
        # Per page: 0 until it is found to be in use or free.
        self._pages = bytearray(self.last_page + 1)

    def __repr__(self) -> str:
        return f"<Snapshot of {self._file.path}: transaction {self.transaction}, {self.last_page + 1} pages>"

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each, naming page and byte."""
        return self._file.problems

    def entries(self) -> Iterator[Entry]:
        """Every key and value, database by database in the order of the keys.

        What cannot be read is passed over, and named in `problems`. Then the free pages are checked, and the
        trees of the transaction before, to which LMDB would fall back if this one's meta page were lost.
        """
        for name, tree in self._databases(self._meta):
            self.databases.append(name)
            for _, node, value in self._walk(f"database {name}", tree):
                if value is not None:
                    yield Entry(name, node.key, value.data, value.page)
        self._check_free(self._meta)
        if self._before is not None and not self.problems:
            self._pages = bytearray(self._before.last_page + 1)
            for name, tree in self._databases(self._before):
                for _ in self._walk(f"database {name} before the last transaction", tree, values=False):
                    pass
            self._check_free(self._before)

    def check_structure(self) -> None:
        """Check every page that holds structure, and the free pages; no value is read, so that this is quick.

        Each page is looked at once at most, whatever the file says.
        """
        for name, tree in self._databases(self._meta):
            self.databases.append(name)
            for _ in self._walk(f"database {name}", tree, values=False):
                pass
        self._check_free(self._meta)

    def _databases(self, meta: Meta) -> list[tuple[str, Tree]]:
        trees = []
        for page, node, value in self._walk("the main database", meta.main):
            if node.flags != DATABASE or value is None or len(value.data) != TREE.size:
                self._file.problem(page, node.start, f"{node.key!r} is not a database")
                continue
            tree = Tree(*TREE.unpack(value.data))
            if tree.flags or tree.pad:
                self._file.problem(
                    page, node.end - TREE.size, f"database {node.key!r} has flags that none has"
                )
            trees.append((node.key.decode("utf-8", "backslashreplace"), tree))
        return trees

    def _check_free(self, meta: Meta) -> None:
        for page, node, value in self._walk(FREE_LIST, meta.free):
            self._free(page, node, value, meta.transaction)
        unknown = self._pages.count(0, 2)
        if unknown and not self.problems:
            first = self._pages.index(0, 2)
            self._file.problem(first, 0, f"it is neither in use nor free, nor are {unknown - 1} others")

    def _walk(
        self, what: str, tree: Tree, *, values: bool = True
    ) -> Iterator[tuple[int, "_Node", "_Value | None"]]:
        """The nodes in a tree's leaves, each with its page and, if wanted and legible, its value."""
        allowed = DATABASE if what == "the main database" else BIG_VALUE
        order = _in_byte_order if what == FREE_LIST else bytes
        count = _Count()
        last: bytes | None = None
        stack: list[tuple[int, int, bytes, bytes | None, str]] = []
        if tree.root != NO_PAGE:
            stack.append((tree.root, 1, b"", None, f"the root of {what}"))
        while stack:
            page, depth, low, high, origin = stack.pop()
            if not self._take(page, origin):
                continue
            data = self._file.read(page * self.page_size, self.page_size)
            flags, nodes = self._nodes(page, data)
            keys = [order(node.key) for node in nodes]
            if flags == BRANCH:
                count.branch += 1
                # The first key of a branch is never looked at.
                self._check_order(page, keys[1:], low, high)
                if depth >= min(tree.depth, MAX_DEPTH):
                    self._file.problem(page, 10, f"it is a branch at level {depth} of {tree.depth} of {what}")
                    continue
                bounds = [low, *keys[1:], high]
                children = [
                    (
                        node.number,
                        depth + 1,
                        bounds[place] or b"",
                        bounds[place + 1],
                        f"a child of page {page}",
                    )
                    for place, node in enumerate(nodes)
                ]
                stack += reversed(children)
            elif flags == LEAF:
                count.leaf += 1
                if depth != tree.depth:
                    self._file.problem(page, 10, f"it is a leaf at level {depth} of {tree.depth} of {what}")
                self._check_order(page, keys, low, high, after=last)
                for node in nodes:
                    count.entries += 1
                    if node.flags & ~allowed or not node.key:
                        self._file.problem(
                            page, node.start, f"a node of {what} has the flags {node.flags:#x}"
                        )
                    yield page, node, self._value(page, data, node, count, wanted=values)
                last = keys[-1] if keys else last
        self._check_counts(what, tree, count)

    def _check_counts(self, what: str, tree: Tree, count: "_Count") -> None:
        found = (count.branch, count.leaf, count.overflow, count.entries)
        expected = (tree.branch_pages, tree.leaf_pages, tree.overflow_pages, tree.entries)
        if found != expected or (tree.root == NO_PAGE and tree.depth):
            words = ("branch pages", "leaf pages", "overflow pages", "entries")
            self._file.note(
                f"{what} has {', '.join(f'{n} {word}' for n, word in zip(found, words, strict=True))}; its"
                f" record says {', '.join(map(str, expected))}, at depth {tree.depth}"
            )

    def _nodes(self, page: int, data: bytes) -> tuple[int, list["_Node"]]:
        """The flags of a branch or leaf page, and its nodes; flags of 0 if it is neither, or unreadable."""
        problem = self._file.problem
        if len(data) < self.page_size:
            problem(page, 0, "the file ends before it, or it cannot be read")
            return 0, []
        number, pad, flags, lower, upper = PAGE.unpack_from(data)
        if number != page or pad:
            problem(page, 0, f"it says that it is page {number}, with pad {pad}")
        if flags not in (BRANCH, LEAF):
            problem(page, 10, f"it has the flags {flags:#x} of neither a branch nor a leaf")
            return 0, []
        if not PAGE.size < lower <= upper < self.page_size or lower & 1:
            problem(page, 12, f"its bounds {lower} and {upper} cannot be")
            return 0, []
        nodes = []
        for start in struct.unpack_from(f"={(lower - PAGE.size) // 2}H", data, PAGE.size):
            if not upper <= start <= self.page_size - NODE.size:
                problem(page, start, f"a node at {start} lies outside of its bounds")
                continue
            low, high, node_flags, key_size = NODE.unpack_from(data, start)
            number = low | high << 16
            key = start + NODE.size
            if flags == BRANCH:
                number |= node_flags << 32
                end = key + key_size
            else:
                end = key + key_size + (NUMBER.size if node_flags & BIG_VALUE else number)
                if node_flags & ~(BIG_VALUE | DATABASE) or not key_size:
                    problem(
                        page, start, f"a node has the flags {node_flags:#x} and a key of {key_size} bytes"
                    )
            if end > self.page_size:
                problem(page, start, "a node goes past the end of the page")
                continue
            nodes.append(_Node(data[key : key + key_size], node_flags, number, start, end))
        self._check_filled(page, upper, nodes)
        return flags, nodes

    def _check_filled(self, page: int, upper: int, nodes: list["_Node"]) -> None:
        """LMDB leaves no gap between nodes, so a gap or an overlap gives away a changed size or pointer."""
        position = upper
        for node in sorted(nodes, key=lambda node: node.start):
            if node.start != position:
                break
            position = (node.end + 1) & ~1
        if position != self.page_size:
            self._file.problem(page, position, "its nodes overlap or leave a gap")

    def _check_order(
        self, page: int, keys: list[bytes], low: bytes, high: bytes | None, after: bytes | None = None
    ) -> None:
        ordered = keys if after is None else [after, *keys]
        if not (
            all(a < b for a, b in pairwise(ordered))
            and (not keys or low <= keys[0])
            and (not keys or high is None or keys[-1] < high)
        ):
            self._file.problem(page, PAGE.size, "its keys are not in order, or not where they belong")

    def _value(
        self, page: int, data: bytes, node: "_Node", count: "_Count", *, wanted: bool
    ) -> "_Value | None":
        if not node.flags & BIG_VALUE:
            return _Value(page, data[node.end - node.number : node.end])
        problem = self._file.problem
        (first,) = NUMBER.unpack_from(data, node.end - NUMBER.size)
        if not self._take(first, f"a value of page {page}"):
            return None
        header = self._file.read(first * self.page_size, OVERFLOW_PAGE.size)
        if len(header) < OVERFLOW_PAGE.size:
            problem(first, 0, "the file ends before it, or it cannot be read")
            return None
        number, pad, flags, pages = OVERFLOW_PAGE.unpack(header)
        if (number, pad, flags) != (first, 0, OVERFLOW):
            problem(first, 0, "its header is not that of an overflow page")
        if OVERFLOW_PAGE.size + node.number > pages * self.page_size or first + pages > len(self._pages):
            problem(first, 12, f"a value of {node.number} bytes cannot take up {pages} pages from here")
            return None
        count.overflow += pages
        if any(self._pages[first + 1 : first + pages]):
            problem(first, 12, f"its value takes up {pages} pages, some of which are in use elsewhere")
        self._pages[first : first + pages] = bytes([USED]) * pages
        if node.number > self._max_value:
            problem(first, 12, f"its value of {node.number} bytes is larger than any in a store")
            return None
        if not wanted:
            return None
        value = self._file.read(first * self.page_size + OVERFLOW_PAGE.size, node.number)
        if len(value) < node.number:
            problem(first, 0, "the file ends within its value, or it cannot be read")
            return None
        return _Value(first, value)

    def _free(self, page: int, node: "_Node", value: "_Value | None", newest: int) -> None:
        """Take in one record of the free list: the pages that a transaction freed, in falling order."""
        transaction = int.from_bytes(node.key, sys.byteorder)
        if len(node.key) != NUMBER.size or not 0 < transaction <= newest:
            self._file.problem(page, node.start, f"the free list names transaction {transaction}")
        if value is None:
            return
        count = len(value.data) // NUMBER.size
        numbers = struct.unpack_from(f"={count}Q", value.data)
        if len(value.data) % NUMBER.size or not numbers or numbers[0] != count - 1:
            self._file.problem(
                value.page, 0, f"the list of what transaction {transaction} freed is not whole"
            )
            return
        before = len(self._pages)
        for number in numbers[1:]:
            if not 2 <= number < before or self._pages[number]:
                self._file.problem(
                    value.page, 0, f"transaction {transaction} freed page {number}, which cannot be"
                )
                return
            self._pages[number] = FREE
            before = number

    def _take(self, page: int, origin: str) -> bool:
        """Whether a page that something points to can be read; it counts as in use from then on."""
        if not 2 <= page < len(self._pages):
            self._file.note(f"{origin} is at page {page}, which there is not")
            return False
        if self._pages[page]:
            self._file.problem(page, 0, f"it is in use twice, the second time as {origin}")
            return False
        self._pages[page] = USED
        return True


class _Node(NamedTuple):
    """A node of a page, from `start` to `end`; `number` is its value's size or its child's page."""

    key: bytes
    flags: int
    number: int
    start: int
    end: int


class _Value(NamedTuple):
    page: int
    data: bytes


@dataclass(slots=True)
class _Count:
    branch: int = 0
    leaf: int = 0
    overflow: int = 0
    entries: int = 0


def _in_byte_order(key: bytes) -> bytes:
    """A key that is a number, as bytes that sort like it."""
    return key[::-1] if sys.byteorder == "little" else key
