"""Files and folders taken into the store as blobs, as they stood at one moment.

A file that is being written to while it is read would give bytes that it never held. So what is known of it
is looked at before and after; where it differs it is taken in again, and where it goes on changing that is an
error.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from eventlog.blobs import Blobs
from eventlog.errors import InputInvalid
from eventlog.sdk.archives import write_archive
from eventlog.sdk.progress import moving

__all__ = ["Members", "take_file", "take_members"]

T = TypeVar("T")
# Paths, and the names that they get in an archive.
Members = Sequence[tuple[Path, str]]

_ATTEMPTS = 4
# Two changes within a tick of the kernel's clock leave the same time on a file.
_TICK_SECONDS = 0.01


def take_file(blobs: Blobs, path: Path) -> tuple[str, int]:
    """Keep a file's bytes; it does not pass through memory, and shows its progress.

    Args:
        blobs: where to.
        path: a regular file.

    Returns:
        The SHA-256 in hexadecimal, and the size in bytes.

    Raises:
        InputInvalid: there is no such file, it cannot be read, or it goes on changing.
        StoreFull, StoreReadOnly: it cannot be kept.
    """

    def take() -> tuple[str, int]:
        size = path.stat().st_size if path.exists() else 0
        with moving(f"keeping {path.name}", size) as shown:
            return blobs.put_file(path, shown)

    return _at_one_moment(take, lambda: [(path, "")], str(path))


def take_members(
    blobs: Blobs, list_members: Callable[[], Members], what: str
) -> tuple[str, int, list[tuple[str, int]]]:
    """Keep files as one zip archive; none of them passes through memory.

    Args:
        blobs: where to.
        list_members: lists them; it is asked again afterwards.
        what: they are, for messages.

    Returns:
        The SHA-256 in hexadecimal and the size in bytes of the archive; the names and sizes of its members.

    Raises:
        InputInvalid: one cannot be read, or they go on changing.
        StoreFull, StoreReadOnly: they cannot be kept.
    """

    def take() -> tuple[str, int, list[tuple[str, int]]]:
        members = list_members()
        total = sum(path.stat().st_size for path, name in members if not name.endswith("/") and path.exists())
        with moving(f"keeping {what}", total) as shown, blobs.writer() as writer:
            written = write_archive(members, writer, shown)
        return writer.digest, writer.size, written

    return _at_one_moment(take, list_members, what)


def _at_one_moment(take: Callable[[], T], list_members: Callable[[], Members], what: str) -> T:
    for attempt in range(_ATTEMPTS):
        before = _marks(list_members())
        if any(abs(time.time() - mark[-1] / 1e9) < _TICK_SECONDS for mark in before.values()):
            time.sleep(_TICK_SECONDS)
            before = _marks(list_members())
        try:
            taken = take()
        except InputInvalid:
            # A file may have gone away in between.
            if attempt == _ATTEMPTS - 1 or _marks(list_members()) == before:
                raise
            continue
        if _marks(list_members()) == before:
            return taken
    raise InputInvalid(
        f"{what[:300]} changed each time while it was read: upload it once nothing writes to it any more, or"
        " a copy of it"
    )


def _marks(members: Members) -> dict[str, tuple[int, ...]]:
    """What tells of each file whether it was changed, the time of its last change last."""
    marks: dict[str, tuple[int, ...]] = {}
    for path, name in members:
        try:
            status = path.stat()
        except (OSError, ValueError):
            marks[name] = (0,)
            continue
        # A folder's own times change with what is not taken in.
        is_file = not name.endswith("/")
        marks[name] = (
            (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns) if is_file else (0,)
        )
    return marks
