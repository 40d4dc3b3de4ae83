"""The weights of models: taken into the store as blobs, and handed out as copies.

A file is taken in as it is, a folder or several files as one zip archive, and none of it passes through
memory. Where only a URL is known, the file is fetched from it once and kept in the store's cache.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from eventlog.errors import DataCorrupt, InputInvalid, NotFound
from eventlog.events import ModelWeightsSet
from eventlog.sdk.archives import folder_members, write_archive
from eventlog.sdk.copies import copy_of_blob, copy_of_url, fetch_delivered, folder_of_blob
from eventlog.sdk.destinations import masked
from eventlog.sdk.model_names import name_of_url
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.remote_blobs import found_blob
from eventlog.sdk.stored import safe_file_name
from eventlog.sdk.stores import current_views
from eventlog.sdk.taking import Members, take_file, take_members
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import ModelState, Views

__all__ = [
    "Weights",
    "digest_of_path",
    "file_name_of",
    "local_weights",
    "registered",
    "registered_path",
    "standing",
    "take_files",
    "take_path",
]

_PACKAGE = "zip"
_PACKAGE_NAME = "model_package.zip"


@dataclass(frozen=True)
class Weights:
    """The weights of a model, as `ModelWeightsSet` names them.

    Attributes:
        blob: SHA-256 of the bytes, or "" where the URL alone is known.
        size: bytes.
        file_name: what to call a copy.
        format: "zip" for a package of several files, "" for a plain file.
        url: where they are, or "" for the store alone.
        members: the names of what is in a package.
    """

    blob: str = ""
    size: int = 0
    file_name: str = ""
    format: str = ""
    url: str = ""
    members: tuple[str, ...] = ()


def take_path(store: Store, path: object, target: str | None = None, *, is_package: bool = False) -> Weights:
    """Take in a file as it is, or a folder as a package.

    Args:
        path: of a file or a folder that is there.
        target: what to call it, where not as it is called.
        is_package: the file is an archive of several files.

    Raises:
        InputInvalid: there is no such file or folder, it is no plain file, or it vanishes while it is read.
        StoreFull, StoreReadOnly: it cannot be kept.
    """
    place = _existing(path)
    if place.is_dir():
        name = target or f"{place.absolute().name}.zip"
        return _take_package(store, lambda: list(folder_members(place)), name, str(place))
    blob, size = take_file(store.blobs, place)
    return Weights(blob, size, file_name_of(target or place.name), _PACKAGE if is_package else "")


def take_files(store: Store, paths: Iterable[object], target: str | None = None) -> Weights:
    """Take in several files as a package, each under its own name; folders with what is below them.

    Raises:
        InputInvalid: there are none, one is not there, or two have one name.
        StoreFull, StoreReadOnly: they cannot be kept.
    """
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise InputInvalid("weights_filenames must be a list of paths: give a folder as weights_path")
    places = [_existing(path) for path in paths]

    def list_members() -> list[tuple[Path, str]]:
        members: list[tuple[Path, str]] = []
        for place in places:
            name = place.absolute().name
            if place.is_dir():
                members += [(inner, f"{name}/{rest}") for inner, rest in folder_members(place)]
            else:
                members.append((place, name))
        return members

    names = sorted(place.absolute().name for place in places)
    twice = [name for name, following in pairwise(names) if name == following]
    if twice:
        raise InputInvalid(f"two of the files are called {twice[0]!r}: give a folder as weights_path instead")
    return _take_package(store, list_members, target or _PACKAGE_NAME, f"{len(places)} files")


def registered(url: object, target: str | None = None, *, is_package: bool = False) -> Weights:
    """Weights of which the URL alone is known; its secrets are masked.

    Raises:
        InputInvalid: it is no text, or empty.
    """
    text = check_text("the URL of a model's weights", os.fspath(url) if isinstance(url, os.PathLike) else url)
    if not text.strip():
        raise InputInvalid("the URL of a model's weights must not be empty")
    safe = masked(text)
    name = file_name_of(target or name_of_url(safe))
    return Weights(file_name=name, format=_PACKAGE if is_package else "", url=safe)


def digest_of_path(path: Path) -> str:
    """The SHA-256 that a file, or a folder as a package, would be kept under; nothing is kept.

    Raises:
        InputInvalid: it is not there, or vanishes while it is read.
    """
    place = _existing(path)
    if place.is_dir():
        sink = _HashSink()
        write_archive(folder_members(place), sink)
        return sink.hash.hexdigest()
    try:
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputInvalid(f"{place} cannot be read: {error.strerror}") from None


def file_name_of(name: str) -> str:
    """A name that copies can have in any folder, whatever was asked for."""
    text = check_text("the file name of a model's weights", name)
    return safe_file_name(text) or safe_file_name(PurePosixPath(text.replace("\\", "/")).name) or "model"


def registered_path(store: Store, views: "Views", state: "ModelState") -> Path | None:
    """Where on this machine a model's weights were registered and not taken in; None for any other model."""
    from eventlog.sdk.transfers import local_path

    here = None if state.blob else local_path(state.url)
    for numbered in views.events(state.id, reports=False) if here is not None else ():
        event = numbered.event
        if isinstance(event, ModelWeightsSet) and (event.url, event.blob) == (state.url, ""):
            record = store.record_of(numbered.session)
            if record is not None and record.store == store.id:
                return here
    return None


def standing(path: Path, digest: str, largest: int | None = None) -> str:
    """What has become of weights since they were registered: "", "changed" or "gone".

    Args:
        path: where they are.
        digest: SHA-256 of them, or "" where it is not known.
        largest: files of more bytes are not read.
    """
    from eventlog.sdk.automatic.model_files import Version

    try:
        version = Version(path)
    except OSError:
        return "gone"
    try:
        is_read = bool(digest) and (largest is None or version.size <= largest)
        return "changed" if is_read and version.digest(lambda done: None)[0] != digest else ""
    finally:
        version.close()


def local_weights(store: Store, state: "ModelState", *, extract: bool | None, anew: bool = False) -> Path:
    """The path of a copy of a model's weights on this machine.

    Args:
        store: where the model is.
        state: the model.
        extract: of an archive, the folder with what is in it; None for archives that are packages.
        anew: make the copy again, even if there is one.

    Raises:
        NotFound: the model has no weights, or there are none at their URL any more.
        BlobMissing: they are not in this store, nor on a remote that is known here.
        DataCorrupt: they are not what they should be, or an archive that cannot be extracted safely.
        RemoteUnreachable, RemoteInvalid, NotAvailable: their URL cannot be read.
        StoreFull, StoreReadOnly: there is no room, or no right, for a copy.
    """
    if not (state.blob or state.url):
        raise NotFound(f"model {state.id} '{state.name[:100]}' has no weights yet")
    what = f"model {state.name[:100]!r}"
    wants_folder = state.format == _PACKAGE if extract is None else extract
    if state.blob:
        if state.blob not in store.blobs and state.url:
            fetch_delivered(store, state.blob, state.url, state.size, what)
        if wants_folder and _is_zip(found_blob(store.blobs, state.blob, what)):
            return folder_of_blob(store, state.blob, state.file_name, what, anew=anew)
        return copy_of_blob(store, state.blob, state.file_name, what, anew=anew)
    path = _registered_here(store, state) or copy_of_url(store, state.url, state.file_name, anew=anew)
    if not (wants_folder and _is_zip(path)):
        return path
    blob, _ = take_file(store.blobs, path)
    return folder_of_blob(store, blob, state.file_name, what, anew=anew)


def _take_package(store: Store, list_members: Callable[[], Members], target: str, what: str) -> Weights:
    if not list_members():
        raise InputInvalid(f"there are no files with a model's weights in {what}: save the model first")
    blob, size, written = take_members(store.blobs, list_members, what)
    names = tuple(name for name, _ in written)
    return Weights(blob, size, file_name_of(target), _PACKAGE, members=names)


def _existing(path: object) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise InputInvalid(
            f"the weights of a model must be the path of a file or a folder, not {path!r:.100}"
        )
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    place = Path(text.removeprefix("file://")).expanduser()
    try:
        kind = stat.S_IFMT(place.stat().st_mode)
    except (OSError, ValueError):
        raise InputInvalid(
            f"there is no file or folder {plain_text(text)[:200]!r} with a model's weights: check the path"
        ) from None
    if kind not in {stat.S_IFREG, stat.S_IFDIR}:
        raise InputInvalid(f"{plain_text(text)[:200]!r} is neither a file nor a folder: give one of them")
    return place


def _registered_here(store: Store, state: "ModelState") -> Path | None:
    """The path that a model's URL is, where it is one; a path of another machine is none of this one."""
    from eventlog.sdk.transfers import local_path

    here = local_path(state.url)
    if here is None:
        return None
    known = registered_path(store, current_views(store), state)
    what = standing(known, state.digest) if known is not None else "gone"
    if what == "changed":
        raise DataCorrupt(
            f"{here} has changed since it was registered as the weights of model {state.id}: Task.init with"
            " output_uri=True keeps the bytes of what is saved"
        )
    if what == "gone":
        raise NotFound(
            f"the weights of model {state.id} were registered at {here}, not taken in, and are not there"
            " on this machine: update_weights(weights_filename=…) keeps them"
        )
    return here


def _is_zip(path: Path) -> bool:
    import zipfile

    return path.is_file() and zipfile.is_zipfile(path)


class _HashSink:
    """Takes what an archive would be written as, and keeps its hash alone."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, data: bytes, /) -> int:
        self.hash.update(data)
        return len(data)
