"""What the objects of a remote are called, and what their names say.

    eventlog-remote                                         the marker: "eventlog remote 1", a newline
    stores/<store id>/<first>-<last>-<hash>.segment         consecutive batches of one store
    blobs/ab/<sha256>                                       a blob
    absent/<random>                                         blobs known not to be there
    temporary/<random>                                      what is being written
    since                                                   in a bundle alone: the heads that it goes on from
    had/<random>                                            in a bundle alone: blobs that it leaves out

`<first>` and `<last>` are batch numbers of twelve digits, `<hash>` the first 16 hexadecimal digits of the
last batch's SHA-256. What a remote holds of a store is read off these names alone. Segments may overlap.
Names come from elsewhere: whatever does not match to the letter is passed over, and no name is ever
used as a path before it did.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "ABSENT",
    "BLOBS",
    "FORMAT",
    "HAD",
    "MARKER",
    "MARKER_TEXT",
    "RESUMABLE_SIZE",
    "SEGMENT_SIZE",
    "SINCE",
    "STORES",
    "TEMPORARY",
    "Holdings",
    "Segment",
    "blob_object",
    "chain_after",
    "covering",
    "is_bundle_name",
    "is_digest",
    "is_list_name",
    "is_temporary",
    "marker_format",
    "parse_segment",
    "uncovered",
]

FORMAT = 1
MARKER = "eventlog-remote"
MARKER_TEXT = b"eventlog remote %d\n" % FORMAT
STORES = "stores"
SINCE = "since"
HAD = "had"
BLOBS = "blobs"
ABSENT = "absent"
TEMPORARY = "temporary"
# A segment ends with the batch that takes it past this many bytes.
SEGMENT_SIZE = 32 << 20
# A transfer of a blob of at least this many bytes leaves what it got through, for the next one to go on with.
RESUMABLE_SIZE = 8 << 20

_MARKER = re.compile(rb"eventlog remote ([1-9][0-9]{0,8})\n")
_SEGMENT = re.compile(r"([0-9a-f]{32})/([0-9]{12})-([0-9]{12})-([0-9a-f]{16})\.segment")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_RANDOM = re.compile(r"[0-9a-f]{32}")


class Segment(NamedTuple):
    """A segment, as its name describes it.

    Attributes:
        first: number of its first batch.
        last: number of its last batch.
        mark: first 16 hexadecimal digits of the last batch's hash.
        store: id of the store, 16 bytes.
        size: bytes of the object, as listed.
    """

    first: int
    last: int
    mark: str
    store: bytes
    size: int

    @property
    def object(self) -> str:
        """The name of its object on a remote."""
        return f"{STORES}/{self.store.hex()}/{self.first:012d}-{self.last:012d}-{self.mark}.segment"

    def ends_with(self, digest: bytes) -> bool:
        """Whether its last batch, by its name, has this hash."""
        return digest.hex().startswith(self.mark)


Holdings = dict[bytes, list[Segment]]
"""What a remote holds: its segments, by store id."""


def parse_segment(name: str, size: int) -> Segment | None:
    """The segment that a name under ``stores/`` stands for, or None if it stands for none."""
    match = _SEGMENT.fullmatch(name)
    if match is None:
        return None
    store, first, last, mark = match.groups()
    if int(first) > int(last):
        return None
    return Segment(int(first), int(last), mark, bytes.fromhex(store), size)


def marker_format(text: bytes) -> int | None:
    """The number of the format that a marker states, or None if the bytes are not a marker."""
    match = _MARKER.fullmatch(text)
    return int(match.group(1)) if match else None


def blob_object(digest: str) -> str:
    """The name of a blob's object on a remote."""
    assert is_digest(digest), digest
    return f"{BLOBS}/{digest[:2]}/{digest}"


def is_digest(name: str) -> bool:
    """Whether a name is a SHA-256 in hexadecimal."""
    return _DIGEST.fullmatch(name) is not None


def is_temporary(name: str) -> bool:
    """Whether a name under ``temporary/`` is one that eventlog gave."""
    return _RANDOM.fullmatch(name) is not None


def is_list_name(name: str) -> bool:
    """Whether a name under ``absent/`` or ``had/`` is that of a list."""
    return _RANDOM.fullmatch(name) is not None


def is_bundle_name(name: str) -> bool:
    """Whether a path or a URL is called as bundles are, which no folder is that is made here."""
    return name.lower().endswith(".zip")


def uncovered(segments: Iterable[Segment], last: int) -> list[tuple[int, int]]:
    """The ranges of batches from 0 to `last`, both ends included, that lie in none of the segments."""
    gaps = []
    reached = 0
    for segment in sorted(segments):
        if reached > last:
            break
        if segment.first > reached:
            gaps.append((reached, min(segment.first - 1, last)))
        reached = max(reached, segment.last + 1)
    if reached <= last:
        gaps.append((reached, last))
    return gaps


def covering(segments: Iterable[Segment], number: int) -> Segment | None:
    """Of the segments that hold a batch, the one that reaches furthest."""
    return max(
        (segment for segment in segments if segment.first <= number <= segment.last),
        key=lambda segment: (segment.last, segment.first, segment.mark),
        default=None,
    )


def chain_after(segments: Iterable[Segment], number: int) -> list[Segment]:
    """The segments that are read, if all are sound, by whoever has the batches up to a number."""
    chain = []
    usable = set(segments)
    while segment := covering(usable, number + 1):
        usable.discard(segment)
        chain.append(segment)
        number = segment.last
    return chain
