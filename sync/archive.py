"""A zip file from elsewhere, opened with nothing in it believed.

Every member is looked at before any is read: its name must stay where it is put, it must be a plain file or
a folder, lie in the archive where no other does, and what all of them claim to hold must be something that
deflate can make of so few bytes. What a member holds is read in pieces, up to the size that was checked; its
CRC is checked at its end.
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from eventlog.errors import DataCorrupt, EventlogError, InputInvalid
from eventlog.regular_file import NotRegular, open_regular

__all__ = ["Archive", "claims_too_much"]

# More than a gibibyte from less than a hundredth of it is a bomb, not a session.
_ALWAYS_ALLOWED = 1 << 30
_MOST_PER_BYTE = 100
_MOST_MEMBERS = 1_000_000
_LONGEST_NAME = 4096
_LOCAL_HEADER_SIZE = 30
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises for bytes that are not what they should be.
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
    RuntimeError,
    ValueError,
    OverflowError,
)


class Archive:
    """The files in a zip file, by name; a context manager.

    Args:
        path: the zip file.

    Attributes:
        path: as given.
        sizes: bytes of each file, by its name, with "/" between folders.

    Raises:
        InputInvalid: there is no such file, or it cannot be read.
        DataCorrupt: it is no whole zip file, or a member is not what a session's can be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _opened(path)
        try:
            with self.errors():
                self._zip = zipfile.ZipFile(self._file)
            self._members = self._checked()
        except BaseException:
            self._file.close()
            raise
        self.sizes = {name: info.file_size for name, info in self._members.items()}

    def __repr__(self) -> str:
        return f"<Archive {self.path}: {len(self.sizes)} files>"

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._file.close()

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file in it, opened for reading; from several threads at once, too.

        Raises:
            KeyError: there is none of that name.
            DataCorrupt: within the block too: its bytes are not what they should be.
        """
        with self.errors(name), self.file(name) as file:
            yield file

    def file(self, name: str) -> BinaryIO:
        """A file in it, opened for reading, to be read and closed within `errors`."""
        return cast(BinaryIO, self._zip.open(self._members[name]))

    @contextmanager
    def errors(self, name: str = "") -> Iterator[None]:
        """Says in one line what is wrong with the file, or with a member of it.

        Raises:
            DataCorrupt: bytes are not what they should be.
            InputInvalid: they cannot be read.
        """
        try:
            yield
        except EventlogError:
            raise
        except _DAMAGE as error:
            if name:
                # Of a wrong CRC zipfile says the name again.
                reason = str(error).partition(" for file ")[0]
                raise DataCorrupt(f"{name[:200]} in {self.path} is damaged ({reason})") from None
            raise DataCorrupt(f"{self.path} is not a whole zip file ({error}): copy it again") from None
        except OSError as error:
            raise InputInvalid(f"{self.path} cannot be read: {error.strerror or error}") from None

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        size = os.fstat(self._file.fileno()).st_size
        if len(infos) > _MOST_MEMBERS:
            raise self._refused(f"it has {len(infos)} members")
        if claims_too_much(sum(info.file_size for info in infos), size):
            total = sum(info.file_size for info in infos)
            raise self._refused(f"its {size} bytes claim to hold {total}")
        found: dict[str, zipfile.ZipInfo] = {}
        reached = 0
        for info in sorted(infos, key=lambda info: info.header_offset):
            # What is behind a NUL is cut from the name that others see.
            name = info.orig_filename
            problem = _problem_of(info)
            if not problem and info.header_offset < reached:
                problem = "lies on top of another"
            if not problem and name in found:
                problem = "is there twice"
            if problem:
                raise self._refused(f"its member {name[:200]!r} {problem}")
            reached = info.header_offset + _LOCAL_HEADER_SIZE + info.compress_size
            if not info.is_dir():
                found[name] = info
        if reached > size:
            raise self._refused("it is cut short")
        return found

    def _refused(self, why: str) -> DataCorrupt:
        return DataCorrupt(f"{self.path} is refused: {why}")


def claims_too_much(content: int, size: int) -> bool:
    """Whether so many bytes of content are more than a zip file of this size is taken to hold."""
    return content > _ALWAYS_ALLOWED and content > _MOST_PER_BYTE * size


def _problem_of(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename
    parts = name.removesuffix("/").split("/")
    if not name or len(name) > _LONGEST_NAME or "\0" in name or "\\" in name:
        return "has a name that cannot be a file's"
    if name.startswith("/") or ":" in parts[0] or any(part in ("", ".", "..") for part in parts):
        return "has a name that leads out of it"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if stat.S_ISLNK(kind):
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is neither a file nor a folder"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in _METHODS:
        return "is compressed in a way that is not known here"
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        return "claims a size that it does not have"
    return ""


def _opened(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except NotRegular:
        raise InputInvalid(
            f"{path} is neither a folder nor a file: give a session's folder or zip file"
        ) from None
    except ValueError as error:
        # It has a character that no path can have, or this process's encoding has not.
        raise InputInvalid(f"{str(path)!r} cannot be the path of a file ({error})") from None
    except OSError as error:
        raise InputInvalid(f"{path} cannot be read: {error.strerror}") from None
