"""Bundles: a remote in a single zip file, for a stick, an attachment, or a machine without a network."""

import contextlib
import os
import secrets
from pathlib import Path

from eventlog.errors import InputInvalid, RemoteUnreachable
from eventlog.store import Store
from eventlog.sync.archive import Archive, claims_too_much
from eventlog.sync.layout import MARKER
from eventlog.sync.puller import Puller
from eventlog.sync.pusher import Pusher
from eventlog.sync.remote import Remote
from eventlog.sync.results import ProgressCallback, PullResult, PushResult, Tally
from eventlog.sync.store_source import StoreSource
from eventlog.sync.zip_objects import ZipObjects, ZipTarget

__all__ = ["export_bundle", "is_bundle", "pull_bundle", "pull_store"]


def export_bundle(store: Store, path: Path, progress: ProgressCallback | None = None) -> PushResult:
    """Write all that is committed in a store, its blobs too, into one zip file, laid out as a remote.

    It is written beside its place and renamed when it is whole and on the disk; a file that was there is
    replaced. Nothing passes through memory as a whole.

    Args:
        path: the zip file.

    Returns:
        What is in it. What could not be put there is among its problems.

    Raises:
        RemoteUnreachable: it cannot be written: no room, or no right.
    """
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        result, content = _write(store, temporary, path, progress, deflate=True)
        if claims_too_much(content, temporary.stat().st_size):
            # What compresses like this would be taken for a bomb, so it is kept as long as it is.
            temporary.unlink()
            result, _ = _write(store, temporary, path, progress, deflate=False)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if isinstance(error, RemoteUnreachable):
            raise
        raise RemoteUnreachable(
            f"{path} cannot be written ({error.strerror}): check its disk and its rights"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return result


def is_bundle(archive: Archive) -> bool:
    """Whether a zip file is a remote."""
    return MARKER in archive.sizes


def pull_bundle(store: Store, archive: Archive, progress: ProgressCallback | None = None) -> PullResult:
    """Let into a store what a bundle holds and is not here, checked as what comes from a remote is.

    Returns:
        What was let in. What was damaged or missing is among its problems; the rest was let in.

    Raises:
        RemoteInvalid, StoreNewer: it is no bundle, or one of a newer version.
        StoreFull, StoreReadOnly: the store cannot take it.
    """
    remote = Remote(ZipObjects(archive))
    remote.require()
    tally = Tally("pull", progress)
    Puller(store, remote, remote.holdings(), tally).pull()
    return tally.result(PullResult)


def pull_store(store: Store, other: Store, progress: ProgressCallback | None = None) -> PullResult:
    """Let into a store what another one on this machine has committed and is not here.

    Raises:
        StoreFull, StoreReadOnly: the store cannot take it.
    """
    if other.id == store.id:
        raise InputInvalid(f"{other.home} is the store that it would be imported into: name another one")
    source = StoreSource(other, store.heads())
    tally = Tally("pull", progress)
    Puller(store, source, source.holdings(), tally).pull()
    return tally.result(PullResult)


def _write(
    store: Store, path: Path, shown: Path, progress: ProgressCallback | None, *, deflate: bool
) -> tuple[PushResult, int]:
    target = ZipTarget(path, str(shown), deflate=deflate)
    try:
        remote = Remote(target)
        remote.prepare()
        tally = Tally("push", progress)
        Pusher(store, remote, {}, tally).push()
        target.close()
    except BaseException:
        target.abandon()
        raise
    return tally.result(PushResult), target.content


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Some file systems cannot sync a folder.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
