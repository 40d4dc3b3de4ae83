"""What an error of LMDB's, or of the file system below it, means for a store."""

from pathlib import Path

import lmdb

from eventlog.errors import DataCorrupt, EventlogError, StoreFull, StoreInvalid, StoreReadOnly

__all__ = ["explain", "is_refusal"]

# The last is what LMDB makes of a write that a full disk cut short.
_NO_ROOM = ("No space left", "File too large", "quota exceeded", "No room", "Input/output error")
_NO_RIGHT = ("Permission denied", "Read-only file system", "not permitted")


def explain(path: Path, error: Exception) -> EventlogError:
    """The error of the tree that an error of LMDB's, or of the file system's, is."""
    text = str(error)
    if isinstance(error, lmdb.DiskError) or any(words in text for words in _NO_ROOM):
        return StoreFull(
            f"{path}: no room to write ({text}): free some disk space or raise the limit; if there"
            " is room, check the disk"
        )
    if isinstance(error, (lmdb.ReadonlyError, PermissionError)) or any(words in text for words in _NO_RIGHT):
        return StoreReadOnly(
            f"{path} cannot be written ({text}): check its owner and rights, or set EVENTLOG_HOME"
        )
    if isinstance(error, lmdb.MemoryError) or "Cannot allocate memory" in text:
        return StoreInvalid(f"{path} cannot be mapped ({text}): raise the limit on address space (ulimit -v)")
    if "Too many open files" in text:
        return StoreInvalid(f"{path} cannot be opened ({text}): raise the limit on open files (ulimit -n)")
    if isinstance(error, (lmdb.CorruptedError, lmdb.PageNotFoundError)):
        return DataCorrupt(f"{path} is damaged ({text}): run `eventlog verify`")
    if "Resource temporarily unavailable" in text:
        return StoreInvalid(
            f"{path} is open in a process with the same number as this one, as there are in containers: give"
            " each container a home of its own, or have them share their process numbers (docker run --pid)"
        )
    return StoreInvalid(f"{path} cannot be used as a store ({text}): run `eventlog verify`")


def is_refusal(error: Exception) -> bool:
    """Whether it says that a file may not be written."""
    return any(words in str(error) for words in _NO_RIGHT)
