"""Blobs that were lost here or on a remote: listed as absent, so that a sync brings them.

A sync looks at the blobs of batches that are new alone. To look at those of all batches costs reading the
whole log, and a listing of all blobs that the remote holds; so it is done when it is asked for.
"""

import contextlib

from eventlog.errors import BlobMissing, DataCorrupt, StoreNewer
from eventlog.store import Store
from eventlog.sync.absent import AbsentLists, FolderPlace
from eventlog.sync.references import named_blobs
from eventlog.sync.remote import Remote

__all__ = ["note_missing_here", "note_missing_there"]


def note_missing_here(store: Store) -> None:
    """List what the log here names and is not here; the next pull fetches it.

    Raises:
        StoreFull, StoreReadOnly: it cannot be listed.
    """
    AbsentLists(FolderPlace(store.home)).add({one for one in _named(store) if one not in store.blobs})


def note_missing_there(store: Store, remote: Remote) -> None:
    """List what the log here names, and a remote does not hold whole; the next push puts what is here.

    Raises:
        RemoteUnreachable, RemoteInvalid: it cannot be read, or listed.
    """
    there = remote.all_blobs()
    missing = set()
    for digest in _named(store):
        if digest not in there:
            missing.add(digest)
            continue
        with contextlib.suppress(BlobMissing, OSError):
            if store.blobs.path(digest).stat().st_size != there[digest]:
                missing.add(digest)
    remote.absent.add(missing)


def _named(store: Store) -> set[str]:
    named = set()
    for copy_of in store.heads():
        with contextlib.suppress(DataCorrupt, StoreNewer):
            for batch in store.batches(copy_of):
                with contextlib.suppress(DataCorrupt):
                    named |= named_blobs(batch).required
    return named
