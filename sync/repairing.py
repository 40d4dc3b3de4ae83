"""Blobs that were lost here or on a remote: listed as absent, so that a sync brings them.

A sync looks at the blobs of batches that are new alone. To look at those of all batches costs reading the
whole log, once, and a listing of all blobs that the remote holds; so it is done when it is asked for.
"""

import contextlib

from eventlog.errors import BlobMissing, DataCorrupt, StoreNewer
from eventlog.store import Store
from eventlog.sync.blob_lists import BlobLists, FolderPlace
from eventlog.sync.references import named_blobs
from eventlog.sync.remote import Remote

__all__ = ["Repairing"]


class Repairing:
    """Lists what the log of a store names and is not where it should be.

    What is pulled between a look here and one on the remote is read as well, the rest no second time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._named: set[str] = set()
        # The last batch of each store that was read.
        self._read: dict[bytes, int] = {}

    def __repr__(self) -> str:
        return f"<Repairing of {self._store!r}>"

    def note_missing_here(self) -> None:
        """List what the log names and is not here; the next pull fetches it.

        Raises:
            StoreFull, StoreReadOnly: it cannot be listed.
        """
        missing = {one for one in self._all_named() if one not in self._store.blobs}
        BlobLists(FolderPlace(self._store.home)).add(missing)

    def note_missing_there(self, remote: Remote) -> None:
        """List what the log names, and a remote does not hold whole; the next push puts what is here.

        Raises:
            RemoteUnreachable, RemoteInvalid: it cannot be read, or listed.
        """
        there = remote.all_blobs()
        missing = set()
        for digest in self._all_named():
            if digest not in there:
                missing.add(digest)
                continue
            with contextlib.suppress(BlobMissing, OSError):
                if self._store.blobs.path(digest).stat().st_size != there[digest]:
                    missing.add(digest)
        remote.absent.add(missing)

    def _all_named(self) -> set[str]:
        for copy_of, head in self._store.heads().items():
            with contextlib.suppress(DataCorrupt, StoreNewer):
                for batch in self._store.batches(copy_of, self._read.get(copy_of, -1) + 1):
                    with contextlib.suppress(DataCorrupt):
                        self._named |= named_blobs(batch).required
            self._read[copy_of] = head.number
        return self._named
