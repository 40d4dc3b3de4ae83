"""One blob, fetched from a remote when somebody asks for it."""

import os
from collections.abc import Callable
from pathlib import Path

from eventlog.blobs import Blobs
from eventlog.errors import DataCorrupt, NotFound
from eventlog.sync.layout import RESUMABLE_SIZE, blob_object
from eventlog.sync.remote import Remote

__all__ = ["fetch_blob"]


def fetch_blob(
    blobs: Blobs, url: str | os.PathLike[str], digest: str, progress: Callable[[int, int], object]
) -> Path:
    """Take in a blob that is not here; returns its file.

    Args:
        blobs: where to.
        url: of the remote.
        digest: its SHA-256, which is checked.
        progress: gets the bytes done so far, and how many there are.

    Raises:
        NotFound: the remote does not have it.
        DataCorrupt: it has other bytes.
        InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer: the remote cannot be used.
        StoreFull, StoreReadOnly: it cannot be kept.
    """
    with Remote(url) as remote:
        remote.require()
        size = remote.blob_sizes([digest]).get(digest)
        if size is None:
            raise NotFound(f"{remote.url} does not have it: {remote.advice_on_blobs}")
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress(done, size)

        try:
            with blobs.writer(expected=digest, resumable=size >= RESUMABLE_SIZE) as writer:
                remote.copy_blob(digest, size, writer, advance)
        except DataCorrupt as error:
            raise DataCorrupt(f"{remote.url}/{blob_object(digest)}: {error}") from None
    return blobs.path(digest)
