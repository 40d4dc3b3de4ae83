"""The files of a session that another program recorded, in a folder or a zip file, opened safely.

Whatever the session's own descriptions name, only files that were found here are read, by names that were
compared and never joined to a path.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from eventlog.errors import DataCorrupt, InputInvalid
from eventlog.regular_file import open_regular
from eventlog.sync.archive import Archive
from eventlog.sync.store_folder import check_plain

__all__ = ["ArchivedFiles", "FolderFiles", "SessionFiles", "fingerprint", "lines"]

_PIECE = 1 << 20
_LONGEST_LINE = 64 << 20


class SessionFiles(Protocol):
    """Files by name, with "/" between folders.

    Attributes:
        path: where they are, for messages.
        sizes: bytes of each.
    """

    path: Path
    sizes: dict[str, int]

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file, opened for reading.

        Raises:
            KeyError: there is none of that name.
            DataCorrupt, InputInvalid: it cannot be read, or is damaged.
        """
        ...


class FolderFiles:
    """The files below a folder, in which there must be no link.

    Raises:
        DataCorrupt: there is a link, a pipe or a device.
        InputInvalid: it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.sizes = check_plain(folder)

    def __repr__(self) -> str:
        return f"<FolderFiles {self.path}: {len(self.sizes)} files>"

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file, opened for reading."""
        self.sizes[name]
        path = self.path / name
        try:
            # What was a file a moment ago may be a link now, or a pipe.
            with open_regular(path, follow=False) as file:
                yield file
        except OSError as error:
            raise InputInvalid(f"{path} cannot be read: {error.strerror}") from None


class ArchivedFiles:
    """The files in a zip file, all of them below one folder of it where `inside` names one."""

    def __init__(self, archive: Archive, inside: str = "") -> None:
        self.path = archive.path
        self._archive = archive
        self._inside = inside
        self.sizes = {
            name.removeprefix(inside): size for name, size in archive.sizes.items() if name.startswith(inside)
        }

    def __repr__(self) -> str:
        return f"<ArchivedFiles {self.path}: {len(self.sizes)} files>"

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file, opened for reading."""
        with self._archive.open(self._inside + name) as file:
            yield file


def fingerprint(files: SessionFiles, progress: Callable[[int], None]) -> bytes:
    """A hash of all files, their names and what they hold; of one that cannot be read, of its name alone.

    Args:
        progress: gets the number of bytes of each piece.
    """
    hasher = hashlib.sha256()
    for name in sorted(files.sizes):
        inner = hashlib.sha256()
        try:
            with files.open(name) as file:
                while piece := file.read(_PIECE):
                    inner.update(piece)
                    progress(len(piece))
        except (DataCorrupt, InputInvalid):
            inner = hashlib.sha256(b"unreadable")
        hasher.update(hashlib.sha256(name.encode(errors="surrogateescape")).digest() + inner.digest())
    return hasher.digest()


def lines(files: SessionFiles, name: str) -> Iterator[tuple[int, bytes | None]]:
    """The lines of a file, numbered from 1; None for one longer than 64 MiB.

    Raises:
        DataCorrupt, InputInvalid: it cannot be read further.
    """
    if name not in files.sizes:
        return
    number = 0
    with files.open(name) as file:
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                yield number, None
                while line and not line.endswith(b"\n"):
                    line = file.readline(_LONGEST_LINE)
            elif line.strip():
                yield number, line
