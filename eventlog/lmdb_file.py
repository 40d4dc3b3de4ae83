"""LMDB's data file as bytes: reading it, naming what is wrong in it, and choosing its meta page.

An LMDB file begins with two meta pages, which committed transactions write in turns: the newer one says
where everything is. Nothing in them is trusted here. The format is LMDB 0.9's, data version 1, 64 bit, in
the machine's byte order; `docs/FORMAT.md` describes what of it is used.
"""

import os
import struct
from pathlib import Path
from typing import NamedTuple

from eventlog.errors import DataCorrupt

__all__ = ["TREE", "DataFile", "Meta", "SnapshotGone", "Tree"]

MAGIC = 0xBEEFC0DE
DATA_VERSION = 1
META = struct.Struct("=QHHHHIIQQ48s48sQQ")
TREE = struct.Struct("=IHHQQQQQ")
META_PAGE = 0x08
INTEGER_KEYS = 0x08
PAGE_SIZES = [1 << power for power in range(9, 17)]
# How far before its last page a file may end: pages that were given out and freed are never written.
MAX_UNWRITTEN = 1 << 20
MAX_MAP_SIZE = 1 << 48
MAX_PROBLEMS = 100


class SnapshotGone(Exception):
    """The transaction asked for is not, or not surely, the one that a meta page describes now."""


class Tree(NamedTuple):
    """The record of one B-tree."""

    pad: int
    flags: int
    depth: int
    branch_pages: int
    leaf_pages: int
    overflow_pages: int
    entries: int
    root: int


class Meta(NamedTuple):
    """A meta page."""

    number: int
    pad: int
    flags: int
    lower: int
    upper: int
    magic: int
    version: int
    address: int
    map_size: int
    free: Tree
    main: Tree
    last_page: int
    transaction: int

    @property
    def page_size(self) -> int:
        """Bytes of a page; LMDB keeps them where other records have a pad."""
        return self.free.pad


class DataFile:
    """An LMDB data file open for reading, and what was found wrong in it.

    Args:
        path: the file ``data.mdb``.
        name: what problems call it.

    Attributes:
        page_size: bytes of a page.

    Raises:
        DataCorrupt: it has no meta page.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._problems: list[str] = []
        self._more = 0
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.page_size = self._find_page_size()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<DataFile {self.path}>"

    def close(self) -> None:
        """Close it."""
        os.close(self._file)

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each; past a hundred they are only counted."""
        more = [f"{self.name}: {self._more} more problems of this kind"] if self._more else []
        return self._problems + more

    def problem(self, page: int, offset: int, text: str) -> None:
        """Note something wrong at a byte of a page."""
        self.note(f"page {page} (byte {page * self.page_size + offset}): {text}")

    def note(self, text: str) -> None:
        """Note something wrong."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(f"{self.name}: {text}")
        else:
            self._more += 1

    def read(self, offset: int, size: int) -> bytes:
        """The bytes there; fewer where the file ends, or the disk fails."""
        data = b""
        try:
            while len(data) < size and (piece := os.pread(self._file, size - len(data), offset + len(data))):
                data = data + piece if data else piece
        except (OSError, OverflowError) as error:
            self.note(f"bytes {offset} to {offset + size} cannot be read: {error}")
        return data

    def newest(self) -> tuple[Meta, Meta | None]:
        """The meta pages of the newest transaction and of the one before; for a file that nobody writes.

        Raises:
            DataCorrupt: neither can be used.
        """
        metas = self._stable_metas()
        usable = [meta for slot, meta in enumerate(metas) if meta is not None and self._check(slot, meta)]
        if not usable:
            raise DataCorrupt("; ".join(self.problems) or f"{self.name}: it ends in its first page")
        if len(usable) == 2:
            first, second = usable[0].transaction, usable[1].transaction
            if abs(first - second) != 1 and (first or second):
                self.problem(0, 144, f"the meta pages' transactions {first} and {second} are not neighbours")
        elif None in metas:
            self.problem(1, 0, "the file ends before it")
        usable.sort(key=lambda meta: meta.transaction)
        if len(usable) == 2 and usable[0].map_size > usable[1].map_size:
            self.problem(usable[0].number, 32, f"the map of {usable[0].map_size} bytes has shrunk since")
        return usable[-1], (usable[0] if len(usable) == 2 else None)

    def held(self, transaction: int) -> tuple[Meta, Meta | None]:
        """The same of a transaction that a reader holds open, while others may write.

        As long as it is held, what the transaction before it saw stays whole as well. Its meta page is None
        where a newer one is taking its place.

        Raises:
            SnapshotGone: it has been written anew, or may be about to be: a newer transaction is to be held.
            DataCorrupt: it cannot be used.
        """
        slot = transaction & 1
        # Read before the other one: had a writer begun to write it anew, the other would say so by then.
        meta = self._meta_at(slot * self.page_size)
        before, again = (self._meta_at((1 - slot) * self.page_size) for _ in range(2))
        if (
            meta is None
            or before is None
            or meta.transaction != transaction
            or before.transaction > transaction
        ):
            raise SnapshotGone
        if not self._check(slot, meta):
            raise DataCorrupt("; ".join(self.problems))
        if before != again or before.transaction != transaction - 1:
            return meta, None
        return meta, before

    def _find_page_size(self) -> int:
        """By the first meta page or, where that is damaged, by where the second one lies."""
        first = self._meta_at(0)
        plausible = first is not None and first.magic == MAGIC and first.page_size in PAGE_SIZES
        if first is not None and plausible:
            second = self._meta_at(first.page_size)
            if second is not None and second.magic == MAGIC:
                return first.page_size
        for size in PAGE_SIZES:
            second = self._meta_at(size)
            if second is not None and (second.magic, second.number, second.page_size) == (MAGIC, 1, size):
                return size
        if first is not None and plausible:
            return first.page_size
        raise DataCorrupt(f"{self.name}: page 0 (byte 0): neither this meta page nor the next is LMDB's")

    def _stable_metas(self) -> list[Meta | None]:
        """Both meta pages, read until they have not changed meanwhile."""
        before: list[Meta | None] = []
        for _ in range(1000):
            metas = [self._meta_at(slot * self.page_size) for slot in (0, 1)]
            if metas == before:
                break
            before = metas
        return before

    def _meta_at(self, offset: int) -> Meta | None:
        data = self.read(offset, META.size)
        if len(data) < META.size:
            return None
        fields = META.unpack(data)
        trees = (Tree(*TREE.unpack(fields[9])), Tree(*TREE.unpack(fields[10])))
        return Meta._make((*fields[:9], *trees, *fields[11:]))

    def _check(self, slot: int, meta: Meta) -> bool:
        """Whether the file can be read by this meta page. Whatever is odd about it becomes a problem."""
        size = self.page_size
        written = os.fstat(self._file).st_size // size
        header = (meta.number, meta.pad, meta.flags, meta.lower, meta.upper)
        needed = [
            (meta.magic == MAGIC, 16, f"the magic number is {meta.magic:#x}"),
            (meta.version == DATA_VERSION, 20, f"the data version is {meta.version}, not {DATA_VERSION}"),
            (meta.page_size == size, 40, f"the page size is {meta.page_size}, not {size}"),
            (
                1 <= meta.last_page < written + MAX_UNWRITTEN,
                136,
                f"the last page is {meta.last_page}, in a file of {written} pages",
            ),
            (
                meta.transaction & 1 == slot or not meta.transaction,
                144,
                f"transaction {meta.transaction} does not belong on this page",
            ),
        ]
        expected = [
            (header == (slot, 0, META_PAGE, 0, 0), 0, "the header is not that of a meta page"),
            (meta.address == 0, 24, "it asks for an address, which is never done"),
            (
                meta.map_size % size == 0 and (meta.last_page + 1) * size <= meta.map_size < MAX_MAP_SIZE,
                32,
                f"a map of {meta.map_size} bytes cannot hold the file",
            ),
            (meta.free.flags == INTEGER_KEYS, 44, f"the free list has the flags {meta.free.flags:#x}"),
            ((meta.main.flags, meta.main.pad) == (0, 0), 88, "the main database has flags"),
            (
                not any(self.read(slot * size + META.size, size - META.size)),
                META.size,
                "the rest of the page is not empty",
            ),
        ]
        for holds, offset, text in needed + expected:
            if not holds:
                self.problem(slot, offset, text)
        return all(holds for holds, _, _ in needed)
