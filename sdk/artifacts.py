"""Artifacts of a task, as it is read: the object again, or a copy of the file."""

import contextlib
import errno
import logging
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eventlog.errors import DataCorrupt, InputInvalid, NotFound, StoreFull, StoreReadOnly
from eventlog.events import ArtifactUploaded
from eventlog.sdk.archives import extract_archive, is_extracted
from eventlog.sdk.plain_text import INLINE_SIZE, check_text, cut_text, plain_text
from eventlog.sdk.serialization import load_object, safe_file_name, store_object
from eventlog.sdk.sound_blobs import check_blob, copy_blob, has_digest, read_blob
from eventlog.sdk.stores import current_views
from eventlog.store import Store

__all__ = ["Artifact", "Artifacts", "upload"]

log = logging.getLogger("eventlog")

# Bytes; reading so much again is not noticed.
_CHEAP_SIZE = 64 << 20


class Artifact:
    """One artifact of a task, as it was when it was looked up.

    Attributes:
        name: its name in the task.
        type: what it was: "file", "folder", "dict", "list", "numpy", "pandas" or "pickle".
        size: bytes.
        hash: SHA-256 of the bytes, in hexadecimal.
        metadata: what was said of it when it was uploaded.
        preview: a few lines for a person.
        timestamp: when it was uploaded, in UTC.
    """

    def __init__(self, store: Store, event: ArtifactUploaded) -> None:
        self.name = event.name
        self.type = event.kind
        self.size = event.size
        self.hash = event.blob
        self.metadata = dict(event.metadata)
        self.preview = event.preview
        self.timestamp = datetime.fromtimestamp(event.time / 1000, UTC)
        self._store = store
        self._event = event

    def __repr__(self) -> str:
        return f"<Artifact {self.name!r}: {self.type}, {self.size:,} bytes>"

    @property
    def url(self) -> str:
        """Where its bytes are: a file URL into the store, to be read and never written.

        Raises:
            BlobMissing: they are not in this store.
        """
        return self._store.blobs.path(self.hash).as_uri()

    def get(
        self, *, deserialization_function: Callable[[bytes], Any] | None = None, allow_pickle: bool = False
    ) -> Any:
        """The object again: a dictionary, a list, an array, a frame; of a file or a folder, a Path to a copy.

        Args:
            deserialization_function: makes the object from the bytes, whatever the artifact's type.
            allow_pickle: load a pickle that came from another store. Loading one runs whatever code it
                holds: do it only where you trust whoever uploaded it.

        Raises:
            BlobMissing: its bytes are not in this store.
            DataCorrupt: they are not what they should be.
            InputInvalid: it is a pickle from another store, and `allow_pickle` is off.
        """
        if deserialization_function is not None:
            return deserialization_function(read_blob(self._store.blobs, self.hash, self._what))
        if self._event.format in {"", "zip"}:
            return Path(self.get_local_copy())
        path = check_blob(self._store.blobs, self.hash, self._what)
        if self._event.format == "pkl" and not allow_pickle and not self._is_own():
            raise InputInvalid(
                f"artifact '{self.name}' is a pickle from another store, and loading it would run its code:"
                " pass allow_pickle=True if you trust it"
            )
        return load_object(path, self._event.format)

    def get_local_copy(self, *, extract_archive: bool = True) -> str:
        """The path of a copy under the artifact's own file name, kept in the store's ``cache`` folder.

        A copy that is there already is used again if it was not changed, which is judged by sizes and times
        and, up to 64 MiB, by the bytes too. What a script writes into a copy never reaches the artifact.

        Args:
            extract_archive: of a folder, the path of the folder and not of the archive.

        Raises:
            BlobMissing: its bytes are not in this store.
            DataCorrupt: they are not what they should be, or an archive that cannot be extracted safely.
            StoreFull, StoreReadOnly: there is no room, or no right, for a copy.
        """
        blob = self._store.blobs.path(self.hash)
        folder = self._store.home / "cache" / self.hash
        name = _name_here(self._event.file_name) or "artifact"
        if self._event.format == "zip" and extract_archive:
            extracted = folder / "extracted" / name.removesuffix(".zip")
            if not is_extracted(blob, extracted, check_bytes=self.size <= _CHEAP_SIZE):
                check_blob(self._store.blobs, self.hash, self._what)
                _set_aside(extracted)
                _extract(blob, extracted)
            return str(extracted)
        copy = folder / name
        if not _is_unchanged(copy, blob) or (self.size <= _CHEAP_SIZE and not has_digest(copy, self.hash)):
            self._copy(blob, copy)
        return str(copy)

    @property
    def _what(self) -> str:
        return f"artifact {self.name!r}"

    def _copy(self, blob: Path, copy: Path) -> None:
        partial = _beside(copy)
        try:
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with partial.open("wb") as target:
                copy_blob(self._store.blobs, self.hash, self._what, target)
            partial.chmod(0o600)
            status = blob.stat()
            os.utime(partial, ns=(status.st_atime_ns, status.st_mtime_ns))
            partial.replace(copy)
        except OSError as error:
            text = f"no copy of an artifact can be made at {copy} ({error.strerror})"
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise StoreFull(f"{text}: free some disk space") from None
            raise StoreReadOnly(f"{text}: make it writable") from None
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)

    def _is_own(self) -> bool:
        """Whether a session of this very store uploaded these bytes to this task."""
        event = self._event
        for numbered in current_views(self._store).events(event.task, reports=False):
            other = numbered.event
            if isinstance(other, ArtifactUploaded) and (other.name, other.blob) == (event.name, event.blob):
                record = self._store.record_of(numbered.session)
                if record is not None and record.store == self._store.id:
                    return True
        return False


def upload(
    store: Store,
    task_id: str,
    name: str,
    value: Any,
    *,
    metadata: Mapping[str, Any] | None,
    preview: Any,
    auto_pickle: bool,
    extension_name: str | None,
    sort_keys: bool,
    delete: bool,
) -> None:
    """Keep an object and append `ArtifactUploaded`; the arguments are those of `Task.upload_artifact`."""
    name = check_text("the name of an artifact", name)
    if not name:
        raise InputInvalid("an artifact needs a name that is not empty")
    about = {
        check_text("a key of metadata", plain_text(key)): plain_text(item)
        for key, item in (metadata or {}).items()
    }
    if len(repr(about)) > INLINE_SIZE:
        raise InputInvalid(
            f"the metadata of artifact '{name}' is longer than 64 KiB: upload it as an artifact"
        )
    stored = store_object(
        store.blobs, name, value, extension_name=extension_name, auto_pickle=auto_pickle, sort_keys=sort_keys
    )
    shown = stored.preview if preview is None else preview
    store.session.append(
        ArtifactUploaded,
        task_id,
        name,
        stored.kind,
        stored.blob,
        stored.size,
        stored.file_name,
        stored.format,
        cut_text(plain_text(shown)),
        about,
    )
    if delete and stored.kind in {"file", "folder"}:
        _delete(Path(value))


class Artifacts(dict[str, Artifact]):
    """A task's artifacts by name; asking for one that is not there says which are."""

    def __init__(self, store: Store, task_id: str, events: dict[str, ArtifactUploaded]) -> None:
        super().__init__((name, Artifact(store, event)) for name, event in events.items())
        self._task_id = task_id

    def __missing__(self, name: str) -> Artifact:
        known = ", ".join(sorted(self)) or "none"
        raise NotFound(f"task {self._task_id} has no artifact {name!r}; it has: {known}")


def _delete(path: Path) -> None:
    """Delete what was uploaded; of wildcards, nothing."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("eventlog: %s was uploaded and cannot be deleted: %s", path, error.strerror)


def _is_unchanged(copy: Path, blob: Path) -> bool:
    try:
        one, other = copy.stat(), blob.stat()
    except OSError:
        return False
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _name_here(name: str) -> str:
    """The name if it can be that of a file on this machine, in its locale's encoding too, else ""."""
    name = safe_file_name(name)
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return ""
    return name


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
