"""Records of what real processes do to the files of a folder, made by a library that is loaded into them.

`recorder.c` says what is recorded, and how; it is compiled where it is needed.
"""

import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Entry", "Operation", "missing", "read_record", "recording_environment"]

START = 4096
HEAD = struct.Struct("=IIQq")
# The file is sparse: it takes the room of what is recorded.
RECORD_SIZE = 1 << 30


class Operation(IntEnum):
    """What was done; the numbers are those of `recorder.c`."""

    CREATE = 1
    MKDIR = 2
    WRITE = 3
    WRITE_SYNCED = 4
    SIZE = 5
    RENAME = 6
    LINK = 7
    UNLINK = 8
    RMDIR = 9
    SYNC = 10
    SYNC_FOLDER = 11
    STORE = 12
    NOTE = 13


class Entry(NamedTuple):
    """One thing that was done.

    Attributes:
        operation: what.
        file: inode of the file, for operations on an open one.
        offset: where in it, or its new size.
        data: bytes written, or a path, or two with a zero between them.
    """

    operation: Operation
    file: int
    offset: int
    data: bytes

    @property
    def paths(self) -> list[str]:
        """The path or paths that it names."""
        return [os.fsdecode(path) for path in self.data.split(b"\0")]


def missing() -> str:
    """Why nothing can be recorded here, or ""."""
    if os.uname().sysname != "Linux":
        return "what processes write is recorded on Linux alone"
    if _compiler() is None:
        return "there is no C compiler (cc) to build the recorder with"
    return ""


def recording_environment(root: Path, notes: Path, record: Path) -> dict[str, str]:
    """What makes a new process, and those that it starts, record into a new file.

    Args:
        root: the folder whose files are recorded; an absolute path without links.
        notes: a folder; what is written to files in it is recorded as notes.
        record: the file to make.
    """
    with record.open("xb") as file:
        file.truncate(RECORD_SIZE)
    return {
        "LD_PRELOAD": str(_library()),
        "TORTURE_ROOT": str(root),
        "TORTURE_NOTES": str(notes),
        "TORTURE_RECORD": str(record),
    }


def read_record(record: Path) -> Iterator[Entry]:
    """What was recorded, in order, once all its processes have ended."""
    with record.open("rb") as file:
        (used,) = struct.unpack("=Q", file.read(8))
        file.seek(START)
        while file.tell() < used:
            operation, length, inode, offset = HEAD.unpack(file.read(HEAD.size))
            data = file.read(length)
            file.seek(-(HEAD.size + length) % 8, os.SEEK_CUR)
            yield Entry(Operation(operation), inode, offset, data)


@cache
def _compiler() -> str | None:
    return shutil.which(os.environ.get("CC", "cc"))


@cache
def _library() -> Path:
    """The recorder, compiled once for each user and version of it."""
    source = Path(__file__).with_name("recorder.c")
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / f"eventlog-recorder-{os.getuid()}-{version}.so"
    # It is loaded into programs: one that somebody else has put there is not taken.
    if not library.is_file() or library.lstat().st_uid != os.getuid():
        compiler = _compiler()
        assert compiler is not None
        # Under its name once it is whole: rounds may be played at once.
        making = library.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(making), str(source), "-ldl", "-lpthread"]
        subprocess.run(command, check=True)
        making.rename(library)
    return library
