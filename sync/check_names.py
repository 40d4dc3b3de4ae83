"""What verify makes of the names of a remote's objects, as `docs/FORMAT.md` describes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from eventlog.errors import DataCorrupt

__all__ = ["Names", "SegmentName", "format_of", "read_list"]

SEGMENT = re.compile(r"stores/([0-9a-f]{32})/([0-9]{12})-([0-9]{12})-([0-9a-f]{16})\.segment")
BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")
ABSENT = re.compile(r"absent/[0-9a-f]{32}")
HAD = re.compile(r"had/[0-9a-f]{32}")
TEMPORARY = re.compile(r"temporary/[0-9a-f]{32}")
FORMAT = re.compile(rb"eventlog remote ([1-9][0-9]{0,8})\n")
DIGEST = re.compile(rb"[0-9a-f]{64}")


class SegmentName(NamedTuple):
    """A segment, by its name.

    Attributes:
        store: id of the store.
        first, last: numbers of its first and last batch.
        mark: first 16 digits of the last batch's hash.
        name: the whole of it.
        size: bytes, as listed.
    """

    store: bytes
    first: int
    last: int
    mark: str
    name: str
    size: int


@dataclass(slots=True)
class Names:
    """The objects of a remote by what they are.

    Attributes:
        marker: there is one.
        segments: by store, then by first batch.
        blobs: sizes by digest.
        absent: sizes by name of the lists of blobs that are known not to be there.
        had: in a bundle, sizes by name of the lists of blobs that it leaves out.
        foreign: what lies where only objects of a remote should, and is none.
        beside: what lies beside them.
    """

    marker: bool = False
    segments: list[SegmentName] = field(default_factory=list)
    blobs: dict[str, int] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)
    had: dict[str, int] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, sizes: Mapping[str, int | None], *, is_bundle: bool = False) -> "Names":
        """Sort out names; a size of None is that of something that is no plain object."""
        names = cls()
        for name, size in sorted(sizes.items()):
            names._take(name, size, is_bundle=is_bundle)
        names.segments.sort()
        return names

    def _take(self, name: str, size: int | None, *, is_bundle: bool) -> None:
        if size is not None:
            if name == "eventlog-remote":
                self.marker = True
                return
            if match := SEGMENT.fullmatch(name):
                store, first, last, mark = match.groups()
                if int(first) <= int(last):
                    self.segments.append(
                        SegmentName(bytes.fromhex(store), int(first), int(last), mark, name, size)
                    )
                    return
            elif match := BLOB.fullmatch(name):
                self.blobs[match.group(2)] = size
                return
            elif ABSENT.fullmatch(name):
                self.absent[name] = size
                return
            elif is_bundle and HAD.fullmatch(name):
                self.had[name] = size
                return
            elif TEMPORARY.fullmatch(name):
                return
        folder = name.partition("/")[0]
        inside = folder in ("stores", "blobs", "absent") or (is_bundle and folder == "had")
        shown = name if name.isprintable() else ascii(name)
        (self.foreign if inside or name == "eventlog-remote" else self.beside).append(shown)


def format_of(marker: bytes) -> int | None:
    """The number of a format that is not this one, as a marker states it; None if it states none."""
    match = FORMAT.fullmatch(marker)
    return int(match.group(1)) if match else None


def read_list(data: bytes) -> set[str]:
    """The digests in a list of blobs.

    Raises:
        DataCorrupt: it is not one SHA-256 a line, sorted, each once.
    """
    *lines, rest = data.split(b"\n")
    for place, line in enumerate(lines, 1):
        if DIGEST.fullmatch(line) is None:
            raise DataCorrupt(f"was changed: line {place} is not a SHA-256")
    if rest or not lines:
        raise DataCorrupt("is cut short: its last line does not end")
    if lines != sorted(set(lines)):
        raise DataCorrupt("was changed: its lines are not in order, each once")
    return {line.decode() for line in lines}
