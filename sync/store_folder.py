"""The folder of a store that came from elsewhere, looked over before LMDB is let near it.

LMDB follows what its pages say, and may crash on pages that were made to; so they are walked first, with
`verify`'s code. A link in the folder could lead anywhere: there is none in a store.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.errors import DataCorrupt, InputInvalid, StoreReadOnly
from eventlog.lmdb_pages import Snapshot
from eventlog.store import Store

__all__ = ["check_plain", "is_store_folder", "opened_folder"]

_DATA = "log/data.mdb"
_ATTEMPTS = 10
_DEEPEST = 50


def is_store_folder(folder: Path) -> bool:
    """Whether a folder is that of a store."""
    return (folder / _DATA).is_file()


@contextmanager
def opened_folder(folder: Path, *, is_own: bool) -> Iterator[Store]:
    """The store in a folder; what dead processes left in it is committed, if it can be written.

    Args:
        folder: of the store.
        is_own: it was made on this machine, so that its files are not looked over.

    Raises:
        DataCorrupt: there is something in the folder, or in its log, that a store never has.
        StoreInvalid, StoreFull: it cannot be opened.
    """
    if not is_own:
        check_plain(folder)
        _check_pages(folder)
    try:
        store = Store.open(folder, create=False)
    except StoreReadOnly:
        store = Store.open(folder, read_only=True)
    try:
        if not store.read_only:
            store.flush()
        yield store
    finally:
        store.close()


def check_plain(folder: Path) -> dict[str, int]:
    """Make sure that a folder holds plain files and folders alone; returns the files' sizes, by name.

    Raises:
        DataCorrupt: there is a link, a pipe or a device in it, or it is too deep.
        InputInvalid: it cannot be read.
    """
    sizes: dict[str, int] = {}
    waiting = [(folder, "", 0)]
    while waiting:
        path, name, depth = waiting.pop()
        if depth > _DEEPEST:
            raise DataCorrupt(f"{folder} is refused: its folders are more than {_DEEPEST} deep")
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                inner = f"{name}/{entry.name}" if name else entry.name
                if stat.S_ISDIR(mode):
                    waiting.append((Path(entry.path), inner, depth + 1))
                elif stat.S_ISREG(mode):
                    sizes[inner] = entry.stat(follow_symlinks=False).st_size
                else:
                    what = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                    raise DataCorrupt(f"{folder} is refused: {inner!r} in it is {what}")
        except FileNotFoundError:
            # What a living process has just removed.
            continue
        except OSError as error:
            raise InputInvalid(f"{path} cannot be read: {error.strerror}") from None
    return sizes


def _check_pages(folder: Path) -> None:
    """Make sure that the log's pages are such as LMDB can follow; others may write to it meanwhile."""
    path = folder / _DATA
    problem = ""
    for _ in range(_ATTEMPTS):
        with Snapshot(path, _DATA) as snapshot:
            snapshot.check_structure()
            if not snapshot.problems:
                return
            problem = snapshot.problems[0]
            with Snapshot(path, _DATA) as now:
                if now.transaction == snapshot.transaction:
                    break
    raise DataCorrupt(f"{folder} is refused: {problem}; ask for the session's zip file")
