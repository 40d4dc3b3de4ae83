"""Artifacts of a task, as they are read: the object again, or a copy of the file."""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from eventlog.errors import EventlogError, InputInvalid, NotFound
from eventlog.events import ArtifactUploaded
from eventlog.sdk.copies import copy_of_blob, copy_of_url, fetch_delivered, folder_of_blob
from eventlog.sdk.deserialization import FILES, PICKLES, load_object
from eventlog.sdk.sound_blobs import check_blob, read_blob
from eventlog.sdk.stores import current_views
from eventlog.sdk.transfers import local_path
from eventlog.store import Store

__all__ = ["Artifact", "Artifacts", "TypeData"]

log = logging.getLogger("eventlog")

# ClearML's words for what is uploaded; others are its own.
_TYPES = MappingProxyType(
    {
        "bytes": "custom",
        "file": "custom",
        "folder": "archive",
        "table": "data-audit-table",
        "text": "string",
        "url": "custom",
    }
)


class TypeData(NamedTuple):
    """More of what an artifact is.

    Attributes:
        content_type: its media type, such as "application/json", or "".
        preview: a few lines for a person.
    """

    content_type: str
    preview: str


class Artifact:
    """One artifact of a task, as it was when it was looked up.

    Attributes:
        name: its name in the task.
        type: what it was, in ClearML's words: "custom" (a file), "archive" (a folder, or several files),
            "string", "dict", "numpy", "pandas", "image", "pickle", "data-audit-table"; or "list".
        mode: "output".
        size: bytes; None where only its URL is known.
        hash: SHA-256 of the bytes, in hexadecimal; None where only its URL is known.
        metadata: what was said of it when it was uploaded.
        preview: a few lines for a person.
        timestamp: when it was uploaded, in the time of this place, as ClearML gives it.
        type_data: its preview and its media type.
    """

    def __init__(self, store: Store, event: ArtifactUploaded) -> None:
        self.name = event.name
        self.type = _TYPES.get(event.kind, event.kind)
        self.mode = "output"
        self.size = event.size if event.blob else None
        self.hash = event.blob or None
        self.metadata = dict(event.metadata)
        self.preview = event.preview
        self.timestamp = datetime.fromtimestamp(event.time // 1000)
        self.type_data = TypeData(event.content_type, event.preview)
        self._store = store
        self._event = event

    def __repr__(self) -> str:
        size = f"{self.size:,} bytes" if self.size is not None else self._event.url
        return f"<Artifact {self.name!r}: {self.type}, {size}>"

    @property
    def url(self) -> str:
        """Where its bytes were delivered to, or else a file URL into the store, which is never to be written.

        Raises:
            BlobMissing: they are in no other place than a store, and not in this one.
        """
        return self._event.url or self._store.blobs.path(self._event.blob).as_uri()

    def get(
        self,
        force_download: bool = False,
        deserialization_function: Callable[[bytes], Any] | None = None,
        block_unsafe_artifacts: bool = False,
        *,
        allow_pickle: bool = False,
    ) -> Any:
        """The object again: a dictionary, an array, a frame, an image, a text; of a file or a folder, a Path.

        Args:
            force_download: make a new copy of a file.
            deserialization_function: makes the object from the bytes, whatever the artifact's type.
            block_unsafe_artifacts: load no pickle at all.
            allow_pickle: load a pickle that came from another store. Loading one runs whatever code it
                holds: do it only where you trust whoever uploaded it.

        Raises:
            BlobMissing: its bytes are not in this store, and not at its URL.
            DataCorrupt: they are not what they should be.
            InputInvalid: it is a pickle from another store, and `allow_pickle` is off.
            NotFound, RemoteUnreachable, RemoteInvalid, NotAvailable: its URL cannot be read.
        """
        event = self._event
        if deserialization_function is not None:
            if not event.blob:
                return deserialization_function(self._copy(anew=force_download).read_bytes())
            self._have_bytes()
            return deserialization_function(read_blob(self._store.blobs, event.blob, self._what))
        if event.format in FILES or not event.blob:
            return Path(self._local_copy(extract=True, anew=force_download))
        if event.format in PICKLES:
            if block_unsafe_artifacts:
                raise InputInvalid(
                    f"artifact '{self.name}' is a pickle, and block_unsafe_artifacts is on: leave it out if"
                    " you trust whoever uploaded it, or use get_local_copy()"
                )
            if not allow_pickle and not self._is_own():
                raise InputInvalid(
                    f"artifact '{self.name}' is a pickle from another store, and loading it would run its"
                    " code: pass allow_pickle=True if you trust it"
                )
        self._have_bytes()
        return load_object(check_blob(self._store.blobs, event.blob, self._what), event.format)

    def get_local_copy(
        self, extract_archive: bool = True, raise_on_error: bool = True, force_download: bool = False
    ) -> str | None:
        """The path of a copy under the artifact's own file name, kept in the store's ``cache`` folder.

        A copy that is there already is used again if it was not changed, which is judged by sizes and times
        and, up to 64 MiB, by the bytes too. What a script writes into a copy never reaches the artifact.

        Args:
            extract_archive: of a folder, the path of the folder and not of the archive.
            raise_on_error: unlike ClearML, on by default; off, an error is logged, and None is returned.
            force_download: make the copy again.

        Raises:
            BlobMissing: its bytes are not in this store, and not at its URL.
            DataCorrupt: they are not what they should be, or an archive that cannot be extracted safely.
            NotFound, RemoteUnreachable, RemoteInvalid, NotAvailable: its URL cannot be read.
            StoreFull, StoreReadOnly: there is no room, or no right, for a copy.
        """
        try:
            return self._local_copy(extract=extract_archive, anew=force_download)
        except EventlogError as error:
            if raise_on_error:
                raise
            log.warning("eventlog: there is no local copy of artifact '%s': %s", self.name, error)
            return None

    @property
    def _what(self) -> str:
        return f"artifact {self.name!r}"

    def _local_copy(self, *, extract: bool, anew: bool) -> str:
        event = self._event
        if event.format == "zip" and extract and event.blob:
            self._have_bytes()
            return str(folder_of_blob(self._store, event.blob, event.file_name, self._what, anew=anew))
        return str(self._copy(anew=anew))

    def _copy(self, *, anew: bool) -> Path:
        event = self._event
        if not event.blob:
            if local_path(event.url) is not None and not self._is_own():
                raise InputInvalid(
                    f"artifact '{self.name}' is a file of the machine that it came from, {event.url}: it is"
                    " not here"
                )
            return copy_of_url(self._store, event.url, event.file_name, anew=anew)
        self._have_bytes()
        return copy_of_blob(self._store, event.blob, event.file_name, self._what, anew=anew)

    def _have_bytes(self) -> None:
        """See to it that the bytes are in the store, where they were delivered to another place too."""
        event = self._event
        # A path in another machine's log is not a path here.
        is_elsewhere = event.url and (local_path(event.url) is None or self._is_own())
        if event.blob not in self._store.blobs and is_elsewhere:
            fetch_delivered(self._store, event.blob, event.url, event.size, self._what)

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


class Artifacts(dict[str, Artifact]):
    """A task's artifacts by name; asking for one that is not there says which are."""

    def __init__(self, store: Store, task_id: str, events: dict[str, ArtifactUploaded]) -> None:
        super().__init__((name, Artifact(store, event)) for name, event in events.items())
        self._task_id = task_id

    def __missing__(self, name: str) -> Artifact:
        known = ", ".join(sorted(self)) or "none"
        raise _NoArtifact(f"task {self._task_id} has no artifact {name!r}; it has: {known}")


class _NoArtifact(NotFound, KeyError):
    """`NotFound`, for those who expect what a dictionary raises."""

    def __str__(self) -> str:
        return Exception.__str__(self)
