"""Blobs that are fetched when they are asked for: a machine may have the log alone.

They come from the remote that is configured, or else from those that the store has met, and are kept in the
store; where it cannot be written, in a folder of this process that goes with it.
"""

import atexit
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from eventlog.blobs import Blobs
from eventlog.configuration import Configuration
from eventlog.errors import (
    BlobMissing,
    EventlogError,
    RemoteInvalid,
    RemoteUnreachable,
    StoreFull,
    StoreReadOnly,
)
from eventlog.sdk.progress import moving

__all__ = ["found_blob"]

# How long a remote that could not be reached is left alone, as when many plots are shown.
_PATIENCE_SECONDS = 60.0


def found_blob(blobs: Blobs, digest: str, what: str) -> Path:
    """The file of a blob, which is fetched if it is not here.

    Args:
        what: it holds, for messages: "artifact 'model'".

    Raises:
        BlobMissing: it is not here, and not to be had.
        StoreFull: there is no room to keep it.
    """
    try:
        return blobs.path(digest)
    except BlobMissing as error:
        missing = error
    with _lock:
        borrowed = _borrowed.get((blobs.home, digest))
    if borrowed is not None and borrowed.is_file():
        return borrowed
    return _fetched(blobs, digest, what, missing)


def _fetched(blobs: Blobs, digest: str, what: str, missing: BlobMissing) -> Path:
    from eventlog.sync.layout import is_digest
    from eventlog.sync.remembered import remembered

    urls = [Configuration.load(blobs.home).remote, *remembered(blobs.home)]
    reasons = []
    for url in dict.fromkeys(filter(None, urls)) if is_digest(digest) else ():
        try:
            return _fetch(blobs, url, digest, what)
        except StoreFull:
            raise
        except EventlogError as error:
            reasons.append(str(error))
    if not reasons:
        raise missing
    raise BlobMissing(
        f"blob {digest} of {what} is not in this store, and could not be fetched: {'; '.join(reasons)}"
    )


def _fetch(blobs: Blobs, url: str, digest: str, what: str) -> Path:
    from eventlog.sync.single_blob import fetch_blob

    with _lock:
        tried, reason = _unreachable.get(url, (-_PATIENCE_SECONDS, ""))
    if reason and time.monotonic() - tried < _PATIENCE_SECONDS:
        raise RemoteUnreachable(reason)
    with moving(f"fetching {what}", 0) as shown:

        def advance(done: int, total: int) -> None:
            shown.total = total
            shown(done)

        try:
            try:
                return fetch_blob(blobs, url, digest, advance)
            except StoreReadOnly:
                path = fetch_blob(_own_blobs(), url, digest, advance)
        except (RemoteUnreachable, RemoteInvalid) as error:
            with _lock:
                _unreachable[url] = (time.monotonic(), str(error))
            raise
    with _lock:
        _borrowed[blobs.home, digest] = path
    return path


def _own_blobs() -> Blobs:
    """Blobs in a folder of this process."""
    with _lock:
        process = os.getpid()
        if process not in _folders:
            folder = Path(tempfile.mkdtemp(prefix="eventlog_blobs_"))
            _folders[process] = folder
            atexit.register(_remove, folder, process)
        return Blobs(_folders[process])


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


_lock = threading.Lock()
_borrowed: dict[tuple[Path, str], Path] = {}
_unreachable: dict[str, tuple[float, str]] = {}
_folders: dict[int, Path] = {}


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
