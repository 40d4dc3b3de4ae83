"""Copies of artifacts under their own names, in the store's ``cache`` folder.

A copy belongs to whoever asked for it: what a script writes into it never reaches the artifact. One that is
there already is used again if it was not changed.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import threading
from pathlib import Path

from eventlog.errors import BlobMissing, DataCorrupt, EventlogError, StoreFull, StoreReadOnly
from eventlog.sdk.archives import extract_archive, is_extracted
from eventlog.sdk.progress import moving
from eventlog.sdk.remote_blobs import found_blob
from eventlog.sdk.sound_blobs import check_blob, copy_blob, has_digest
from eventlog.sdk.stored import safe_file_name
from eventlog.store import Store

__all__ = ["copy_of_blob", "copy_of_url", "fetch_delivered", "folder_of_blob"]

# Bytes; reading so much again is not noticed.
_CHEAP_SIZE = 64 << 20


def copy_of_blob(store: Store, digest: str, file_name: str, what: str, *, anew: bool = False) -> Path:
    """A copy of a blob.

    Args:
        store: where the blob is.
        digest: its SHA-256.
        file_name: what to call the copy, where that can be the name of a file here.
        what: it holds, for messages.
        anew: make the copy again, even if there is one.

    Raises:
        BlobMissing: it is not in the store, nor on a remote that is known here.
        DataCorrupt: its bytes are not what they should be.
        StoreFull, StoreReadOnly: there is no room, or no right, for a copy.
    """
    blob = found_blob(store.blobs, digest, what)
    copy = _folder(store, digest) / _name_here(file_name)
    is_cheap = blob.stat().st_size <= _CHEAP_SIZE
    if anew or not _is_unchanged(copy, blob) or (is_cheap and not has_digest(copy, digest)):
        with _writing(copy) as partial:
            with partial.open("wb") as target:
                copy_blob(store.blobs, digest, what, target)
            partial.chmod(0o600)
            status = blob.stat()
            os.utime(partial, ns=(status.st_atime_ns, status.st_mtime_ns))
            partial.replace(copy)
    return copy


def folder_of_blob(store: Store, digest: str, file_name: str, what: str, *, anew: bool = False) -> Path:
    """The folder that was extracted from a blob that is a zip archive; arguments are those of `copy_of_blob`.

    Raises:
        BlobMissing: it is not in the store, nor on a remote that is known here.
        DataCorrupt: its bytes are not what they should be, or it cannot be extracted safely.
        StoreFull, StoreReadOnly: there is no room, or no right, for a copy.
    """
    blob = found_blob(store.blobs, digest, what)
    folder = _folder(store, digest) / "extracted" / _name_here(file_name).removesuffix(".zip")
    is_cheap = blob.stat().st_size <= _CHEAP_SIZE
    if anew or not is_extracted(blob, folder, check_bytes=is_cheap):
        check_blob(store.blobs, digest, what)
        _set_aside(folder)
        _extract(blob, folder)
    return folder


def copy_of_url(store: Store, url: str, file_name: str, *, anew: bool = False) -> Path:
    """A copy of what is at a URL, fetched once.

    Args:
        store: in whose cache it is kept.
        url: of a file.
        file_name: what to call the copy.
        anew: fetch it again, even if there is a copy.

    Raises:
        NotFound, RemoteUnreachable, RemoteInvalid, NotAvailable: it cannot be fetched.
        StoreFull, StoreReadOnly: there is no room, or no right, for a copy.
    """
    from eventlog.sdk.transfers import fetch_file

    folder = _folder(store, "urls") / hashlib.sha256(url.encode()).hexdigest()
    copy = folder / _name_here(file_name)
    if anew or not copy.is_file():
        with _writing(copy) as partial, moving(f"fetching {copy.name}", 0) as shown:
            fetch_file(url, partial, shown)
            partial.chmod(0o600)
            partial.replace(copy)
    return copy


def fetch_delivered(store: Store, digest: str, url: str, size: int, what: str) -> None:
    """Take a blob that is not in the store from where it was delivered to, or else from a remote.

    Raises:
        BlobMissing: other bytes are there, or they cannot be fetched.
        StoreFull, StoreReadOnly: it cannot be kept.
    """
    from eventlog.sdk.transfers import fetch_file

    store.blobs.temporary.mkdir(mode=0o700, exist_ok=True)
    partial = store.blobs.temporary / f"fetched-{os.urandom(12).hex()}"
    try:
        with moving(f"fetching {what}", size) as shown:
            fetch_file(url, partial, shown)
        store.blobs.admit_file(partial, digest)
    except (StoreFull, StoreReadOnly):
        raise
    except EventlogError as error:
        with contextlib.suppress(BlobMissing):
            found_blob(store.blobs, digest, what)
            return
        raise BlobMissing(
            f"blob {digest} of {what} is not in this store, and could not be fetched: {error}"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _folder(store: Store, name: str) -> Path:
    return store.home / "cache" / name


class _writing:  # noqa: N801 (a context manager that reads as a verb)
    """A path to write a copy to, beside its place; what is left of it at the end is removed."""

    def __init__(self, copy: Path) -> None:
        self._copy = copy
        self._partial = _beside(copy)

    def __enter__(self) -> Path:
        try:
            self._copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._explain(error) from None
        return self._partial

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, EventlogError):
            raise self._explain(error) from None

    def _explain(self, error: OSError) -> EventlogError:
        text = f"no copy of an artifact can be made at {self._copy} ({error.strerror})"
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return StoreFull(f"{text}: free some disk space")
        return StoreReadOnly(f"{text}: make it writable")


def _is_unchanged(copy: Path, blob: Path) -> bool:
    try:
        one, other = copy.stat(), blob.stat()
    except OSError:
        return False
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _name_here(name: str) -> str:
    """The name if it can be that of a file on this machine, in its locale's encoding too, else another."""
    name = safe_file_name(name)
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        name = ""
    return name or "artifact"


def _extract(blob: Path, folder: Path) -> None:
    try:
        extract_archive(blob, folder)
    except DataCorrupt:
        # Another process, or thread, may have extracted it just now.
        if not is_extracted(blob, folder):
            raise


def _set_aside(folder: Path) -> None:
    """Take a changed copy out of the way; a process that works in it keeps it until then."""
    if folder.exists():
        aside = _beside(folder)
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".partial-{os.getpid()}-{threading.get_ident()}-{path.name[:50]}")
