"""Founding a store's log, so that a power cut at any instant leaves none or a whole one, under its name.

LMDB writes the first pages of a new file without a sync, and never syncs a folder: a cut in its first moments
may leave a file that it refuses, and a later one may take away the name of a file in which much is committed.
So the file is made elsewhere, and gets its name when it is whole; and it is no store before all names on the
way to it are safe.
"""

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lmdb

from eventlog.clock import wall_clock
from eventlog.group_sync import sync_folders
from eventlog.home import is_there, refuse_orphans, unusable
from eventlog.lmdb_errors import explain
from eventlog.recovery import turn

__all__ = ["FORMAT", "found", "make_log", "put_identity", "sync_names"]

FORMAT = b"1"


def make_log(home: Path, databases: Iterable[str]) -> None:
    """Make the log of a new store in its folders, if it is not there.

    Args:
        databases: the names of those in it.

    Raises:
        StoreInvalid: it was there, and is lost: what it named is left.
        StoreFull, StoreReadOnly: there is no room, or no right.
    """
    with turn(home):
        if is_there(home):
            return
        # Not before it is this one's turn: another may have made the store since, and views of it.
        refuse_orphans(home)
        making = home / "temporary" / f"log-{os.urandom(4).hex()}"
        try:
            making.mkdir(mode=0o700)
            _make_file(making, list(databases))
            (making / "data.mdb").rename(home / "log" / "data.mdb")
        except (lmdb.Error, OSError) as error:
            raise explain(home / "log", error) from error
        finally:
            with contextlib.suppress(OSError):
                (making / "data.mdb").unlink(missing_ok=True)
                making.rmdir()


def found(transaction: Any, meta: Any) -> None:
    """Make an empty environment the log of a store."""
    transaction.put(b"format", FORMAT, db=meta)
    transaction.put(b"created", struct.pack(">Q", wall_clock()), db=meta)
    put_identity(transaction, meta, os.urandom(16))


def put_identity(transaction: Any, meta: Any, identity: bytes) -> None:
    """Give a store that has its format and time of creation an id, and the hash that confirms all three."""
    transaction.put(b"store", identity, db=meta)
    content = (transaction.get(b"format", db=meta), identity, transaction.get(b"created", db=meta))
    transaction.put(b"check", hashlib.sha256(b"".join(content)).digest(), db=meta)


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


def _make_file(folder: Path, databases: list[str]) -> None:
    # Nobody else knows of it, so that no locks are needed; one transaction, and so one sync, for all of it.
    with lmdb.open(
        os.fsencode(folder), map_size=1 << 20, max_dbs=len(databases), mode=0o600, lock=False
    ) as environment:
        with environment.begin(write=True) as transaction:
            for name in databases:
                handle = environment.open_db(name.encode(), txn=transaction)
                if name == "meta":
                    found(transaction, handle)
