"""The folder of a store: whether there is one, and making it."""

import errno
import logging
from pathlib import Path

from eventlog.errors import EventlogError, StoreFull, StoreInvalid, StoreReadOnly
from eventlog.hosts import HOSTS, SHARED, home_around

__all__ = ["is_there", "make_home", "refuse_orphans", "unusable"]

log = logging.getLogger("eventlog")

FOLDERS = ("log", "journals", "blobs", "views", "temporary")
# What may lie in a folder that a store is made in.
KNOWN = {
    *FOLDERS,
    "absent",
    "auto_sync",
    "config.toml",
    "cache",
    "damaged",
    "edits",
    "last_runs",
    "offline",
    "ranks",
    HOSTS,
    SHARED,
}
# What file servers put into folders.
_OF_SERVERS = (".nfs", ".snapshot", ".afs")


def is_there(home: Path) -> bool:
    """Whether there is a store in the folder.

    Raises:
        StoreReadOnly, StoreInvalid: there is no right to look, or no way.
    """
    try:
        return (home / "log" / "data.mdb").exists()
    except OSError as error:
        raise unusable(home, error) from None


def make_home(home: Path) -> None:
    """Make a store's folders, in a new or empty folder or in one that only holds settings.

    Raises:
        StoreInvalid: it is not a folder, or holds something else.
        StoreFull, StoreReadOnly: there is no room, or no right.
    """
    around = home_around(home)
    try:
        for folder in dict.fromkeys((around, home)):
            if folder.exists():
                _refuse_foreign(folder)
        if around is not home:
            for folder in (around, home.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in FOLDERS:
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unusable(home, error) from None
    if around is not home and is_there(around):
        log.warning(
            "eventlog: %s is on a network file system, or said to be shared, so this host gets a store of its"
            " own in it; `eventlog import %s` takes in what the one there holds from before",
            around,
            around,
        )


def refuse_orphans(home: Path) -> None:
    """Make sure that what is about to become a store is not one whose log was lost.

    Raises:
        StoreInvalid: there are blobs, journals or views of a log that is not there.
    """
    for name in ("blobs", "journals", "views", "last_runs"):
        if any((home / name).glob("[!.]*")):
            raise StoreInvalid(
                f"the log of the store at {home} is gone, but its {name} are there: restore log/data.mdb from"
                " a copy, or move the folder away and begin anew"
            )


def unusable(home: Path, error: OSError) -> EventlogError:
    """The error of the tree that says why a folder cannot be a store."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(
            f"no room for a store at {home} ({error.strerror}): free some disk space, or set EVENTLOG_HOME"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreReadOnly(
            f"no store can be made at {home} ({error.strerror}): check its rights, or set EVENTLOG_HOME"
        )
    return StoreInvalid(f"{home} cannot be a store ({error.strerror}): set EVENTLOG_HOME to a folder")


def _refuse_foreign(home: Path) -> None:
    if not home.is_dir():
        raise StoreInvalid(f"{home} is a file, not a folder: set EVENTLOG_HOME to a folder")
    foreign = sorted(
        entry.name
        for entry in home.iterdir()
        if entry.name not in KNOWN and not entry.name.startswith(_OF_SERVERS)
    )
    if foreign:
        raise StoreInvalid(
            f"{home} holds other things ({', '.join(foreign[:3])}): set EVENTLOG_HOME to an empty folder"
        )
