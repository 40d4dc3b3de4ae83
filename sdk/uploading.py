"""How an artifact is uploaded: into the store first, and from there to the task's destination, if any."""

import contextlib
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.events import ArtifactUploaded
from eventlog.sdk.plain_text import INLINE_SIZE, check_text, cut_text, plain_text
from eventlog.sdk.serialization import StoredObject, store_object
from eventlog.store import Store

__all__ = ["Owner", "describe", "keep", "upload"]

log = logging.getLogger("eventlog")


@dataclass(frozen=True)
class Owner:
    """Whose artifacts they are.

    Attributes:
        store: where the task is.
        task_id, project, task_name: the task.
        destination: where its artifacts are copied to, or "".
    """

    store: Store
    task_id: str
    project: str
    task_name: str
    destination: str


def upload(
    owner: Owner,
    name: str,
    value: Any,
    *,
    metadata: Mapping[str, Any] | None = None,
    preview: Any = None,
    auto_pickle: bool | None = None,
    extension_name: str | None = None,
    sort_keys: bool = True,
    delete: bool = False,
    wait: bool = False,
    serialize: Callable[[Any], Any] | None = None,
    retries: int = 0,
) -> bool:
    """Keep an object and append `ArtifactUploaded`; arguments are those of `Task.upload_artifact`.

    Returns:
        False where it was waited for and has not arrived at the destination; else True.
    """
    check_name(name)
    about = describe(name, metadata)
    stored = store_object(
        owner.store.blobs,
        name,
        value,
        extension_name=extension_name,
        auto_pickle=auto_pickle,
        sort_keys=sort_keys,
        serialize=serialize,
    )
    shown = stored.preview if preview is None else plain_text(preview)
    has_arrived = keep(owner, name, stored, shown, about, wait=wait, retries=retries)
    if delete and stored.kind in {"file", "folder"}:
        _delete(value)
    return has_arrived


def check_name(name: object) -> str:
    """The name of an artifact, if it can be one.

    Raises:
        InputInvalid: it is no text, empty, or longer than 64 KiB.
    """
    text = check_text("the name of an artifact", name)
    if not text:
        raise InputInvalid("an artifact needs a name that is not empty")
    return text


def describe(name: str, metadata: Mapping[str, Any] | None) -> dict[str, str]:
    """What is said of an artifact, as text.

    Raises:
        InputInvalid: it is no dictionary, cannot be written as text, or is longer than 64 KiB.
    """
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise InputInvalid(f"the metadata of artifact '{name[:200]}' must be a dictionary")
    about = {
        check_text("a key of metadata", plain_text(key)): plain_text(item) for key, item in metadata.items()
    }
    if len(repr(about)) > INLINE_SIZE:
        raise InputInvalid(
            f"the metadata of artifact '{name[:200]}' is longer than 64 KiB: upload it as an artifact"
        )
    return about


def keep(
    owner: Owner,
    name: str,
    stored: StoredObject,
    preview: str,
    metadata: dict[str, str],
    *,
    wait: bool = False,
    retries: int = 0,
) -> bool:
    """Append `ArtifactUploaded`, and deliver the bytes where the task has a destination.

    Args:
        owner: the task.
        name: of the artifact.
        stored: what was kept.
        preview: what is to be shown of it.
        metadata: what is said of it.
        wait: until it has arrived, or was given up.
        retries: how often the delivery is tried again at least.

    Returns:
        False where it was waited for and has not arrived; else True.
    """
    url = stored.url
    if owner.destination and stored.blob:
        from eventlog.sdk.destinations import file_url

        url = file_url(
            owner.destination,
            owner.project,
            owner.task_name,
            owner.task_id,
            "artifacts",
            stored.file_name,
            name,
        )
    owner.store.session.append(
        ArtifactUploaded,
        owner.task_id,
        name,
        stored.kind,
        stored.blob,
        stored.size,
        stored.file_name,
        stored.format,
        cut_text(preview),
        metadata,
        url,
        stored.content_type,
    )
    if not url or not stored.blob:
        return True
    from eventlog.sdk.delivery import deliver

    delivery = deliver(owner.store, owner.task_id, stored.blob, url, retries=retries)
    return not wait or delivery.wait()


def _delete(value: Any) -> None:
    """Delete what was uploaded, file by file where several were listed; of wildcards, nothing."""
    for one in value if isinstance(value, (list, tuple)) else (value,):
        path = Path(one)
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                with contextlib.suppress(ValueError):
                    path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("eventlog: %s was uploaded and cannot be deleted: %s", path, error.strerror)
