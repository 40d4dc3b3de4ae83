"""Founding a store's log, so that a power cut at any instant leaves none or a whole one, under its name.

LMDB writes the first pages of a new file without a sync, and never syncs a folder: a cut in its first moments
may leave a file that it refuses, and a later one may take away the name of a file in which much is committed.
So the file is made elsewhere, and gets its name when it is whole; and it is no store before all names on the
way to it are safe.
"""

import os
from pathlib import Path
from typing import Any

from eventlog.environment import Environment
from eventlog.group_sync import sync_folders
from eventlog.home import is_there, unusable
from eventlog.recovery import turn

__all__ = ["make_log", "sync_names"]


def make_log(home: Path, databases: dict[str, dict[str, Any]]) -> None:
    """Make the log's environment in a store's folders, if it is not there; it holds nothing yet.

    Args:
        databases: as of `Environment`.

    Raises:
        StoreFull, StoreReadOnly: there is no room, or no right.
    """
    with turn(home):
        if is_there(home):
            return
        making = home / "temporary" / f"log-{os.urandom(4).hex()}"
        Environment(making, databases).close()
        try:
            (making / "data.mdb").rename(home / "log" / "data.mdb")
            (making / "lock.mdb").unlink()
            making.rmdir()
        except OSError as error:
            raise unusable(home, error) from None


def sync_names(home: Path) -> None:
    """Have a new store's files and folders, and those on the way to it, keep their names through a power cut.

    Raises:
        StoreFull, StoreReadOnly: that cannot be done.
    """
    try:
        sync_folders((home / "log", home))
        # Those that were made with it are this user's; the first that is not holds the last of the names.
        folder = home
        while folder != folder.parent and folder.stat().st_uid == os.geteuid():
            folder = folder.parent
            try:
                sync_folders([folder])
            except PermissionError:
                # It can be passed through, and not be read: nor was anything made in it.
                break
    except OSError as error:
        raise unusable(home, error) from None
