"""Folders as zip archives, and safely back again.

An archive may come from another machine, so nothing in it is believed: a member's name must stay below
the folder, only plain files and folders are made, and what the members claim to hold must be something
that this archive can hold and this disk can take.
"""

import calendar
import errno
import os
import shutil
import stat
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from eventlog.errors import DataCorrupt, EventlogError, InputInvalid, StoreFull, StoreReadOnly

__all__ = ["extract_archive", "folder_members", "is_extracted", "write_archive"]

# Deflate cannot make more than this of a byte (zlib's documentation); an archive that claims more lies.
_MOST_PER_BYTE = 1032
_MOST_MEMBERS = 1_000_000
_PIECE = 1 << 20
_FIRST_YEAR = 1980
# What zipfile raises for bytes that are not what they should be.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


class Writable(Protocol):
    """What an archive is written to."""

    def write(self, data: bytes, /) -> int: ...


def folder_members(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files and empty folders below a folder, sorted, with their names relative to it.

    Links to files are followed, links to folders are not; sockets, pipes and devices are passed over.
    """
    for parent, folders, files in os.walk(folder):
        folders.sort()
        here = Path(parent)
        for name in sorted(files):
            if (here / name).is_file():
                yield here / name, (here / name).relative_to(folder).as_posix()
        if not folders and not files and here != folder:
            yield here, here.relative_to(folder).as_posix() + "/"


def write_archive(
    members: Iterable[tuple[Path, str]], to: Writable, progress: Callable[[int], object] | None = None
) -> list[tuple[str, int]]:
    """Write files into a zip archive; the same files, unchanged, give the same bytes.

    Args:
        members: paths, and the names that they get in the archive.
        to: where to.
        progress: gets the number of bytes read so far.

    Returns:
        The names and the sizes in bytes of what was written.

    Raises:
        InputInvalid: a file cannot be read.
    """
    written: list[tuple[str, int]] = []
    done = 0
    with zipfile.ZipFile(_Stream(to), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, name in members:
            try:
                status = path.stat()
                info = zipfile.ZipInfo(name, _zip_time(status.st_mtime))
                info.external_attr = (status.st_mode & 0xFFFF) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                if name.endswith("/"):
                    archive.writestr(info, b"")
                    continue
                with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                    before = done
                    # No further than it was, or whoever appends faster than this reads would fill the disk.
                    end = done + (status.st_size or sys.maxsize)
                    while done < end and (piece := source.read(_PIECE)):
                        target.write(piece)
                        done += len(piece)
                        if progress is not None:
                            progress(done)
                written.append((name, done - before))
            except UnicodeEncodeError:
                raise InputInvalid(f"the name of {str(path)!r} is not UTF-8: rename the file") from None
            except EventlogError:
                raise
            except OSError as error:
                raise InputInvalid(f"{path} cannot be read: {error.strerror}") from None
    return written


def extract_archive(archive_path: Path, folder: Path) -> None:
    """Extract a zip archive into a folder that is not there yet; all of it or, on an error, nothing.

    Raises:
        DataCorrupt: it is no zip archive, a member would leave the folder, or it claims what it cannot hold.
        StoreFull: the disk has no room for it.
        InputInvalid: a name in it has no form in this process's encoding of file names.
    """
    partial = folder.with_name(f".{folder.name[:100]}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        with zipfile.ZipFile(archive_path) as archive:
            members = archive.infolist()
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_size(members, archive_path, folder.parent)
            partial.mkdir(mode=0o700)
            for member in members:
                _extract_member(archive, member, partial)
        partial.rename(folder)
    except UnicodeEncodeError:
        raise InputInvalid(
            f"{archive_path} holds names that {sys.getfilesystemencoding()} has no form for:"
            " set LC_ALL=C.UTF-8"
        ) from None
    except _DAMAGE as error:
        raise DataCorrupt(f"{archive_path} is not a sound zip archive: {error}") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataCorrupt(
            f"{archive_path} holds two members at {error.filename}: it is not extracted"
        ) from None
    except OSError as error:
        raise _explain(error, archive_path, folder) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def is_extracted(archive_path: Path, folder: Path, *, check_bytes: bool = False) -> bool:
    """Whether a folder still holds what the archive does, going by sizes and times of change.

    Args:
        check_bytes: and by the CRC-32 of each file.
    """
    if not folder.is_dir():
        return False
    try:
        with zipfile.ZipFile(archive_path) as archive:
            for member in archive.infolist():
                path = folder.joinpath(*_safe_parts(member))
                status = path.stat()
                if member.is_dir():
                    continue
                if (status.st_size, int(status.st_mtime)) != (member.file_size, _seconds(member)):
                    return False
                if check_bytes and _crc(path) != member.CRC:
                    return False
    except (OSError, DataCorrupt, *_DAMAGE):
        return False
    return True


class _Stream:
    """The few calls that `zipfile` makes of a file that it cannot seek in."""

    def __init__(self, to: Writable) -> None:
        self._to = to

    def write(self, data: bytes, /) -> int:
        return self._to.write(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _check_size(members: list[zipfile.ZipInfo], archive_path: Path, folder: Path) -> None:
    packed = archive_path.stat().st_size
    size = sum(member.file_size for member in members)
    if len(members) > _MOST_MEMBERS or size > packed * _MOST_PER_BYTE:
        raise DataCorrupt(
            f"{archive_path} claims {len(members)} members of {size} bytes in all, which {packed} bytes"
            " cannot hold: it is not extracted"
        )
    free = shutil.disk_usage(folder).free
    if size > free:
        raise StoreFull(f"extracting {archive_path} takes {size} bytes, {free} are free at {folder}")


def _extract_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    parts = _safe_parts(member)
    path = folder.joinpath(*parts)
    if member.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise DataCorrupt(
            f"the archive's member {member.filename!r} is not a plain file: nothing is extracted"
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = 0o700 if member.external_attr >> 16 & stat.S_IXUSR else 0o600
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as target, archive.open(member) as source:
        _copy(source, target, member)
    os.utime(path, (_seconds(member), _seconds(member)))


def _copy(source: IO[bytes], target: IO[bytes], member: zipfile.ZipInfo) -> None:
    copied = 0
    while piece := source.read(_PIECE):
        copied += len(piece)
        if copied > member.file_size:
            raise DataCorrupt(f"the archive's member {member.filename!r} holds more than it says")
        target.write(piece)


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            crc = zlib.crc32(piece, crc)
    return crc


def _safe_parts(member: zipfile.ZipInfo) -> tuple[str, ...]:
    name = member.filename
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or "\0" in name
        or any(part in {"..", "."} for part in name.split("/"))
    ):
        raise DataCorrupt(f"the archive's member {name!r} would leave its folder: nothing is extracted")
    return parts


def _explain(error: OSError, archive_path: Path, folder: Path) -> EventlogError:
    text = f"{archive_path} cannot be extracted to {folder} ({error.strerror})"
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StoreFull(f"{text}: free some disk space")
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return StoreReadOnly(f"{text}: make it writable")
    return DataCorrupt(text)


def _zip_time(seconds: float) -> tuple[int, int, int, int, int, int]:
    # UTC, so that the same folder gives the same bytes in every time zone; zip knows even seconds alone.
    year, month, day, hour, minute, second, *_ = time.gmtime(max(seconds, 0))
    return (
        (min(year, 2107), month, day, hour, minute, second & ~1)
        if year >= _FIRST_YEAR
        else (1980, 1, 1, 0, 0, 0)
    )


def _seconds(member: zipfile.ZipInfo) -> int:
    return calendar.timegm((*member.date_time, 0, 0, 0))
