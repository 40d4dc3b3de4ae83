"""Objects as the bytes of an artifact; `deserialization` makes objects of them again.

`store_object` chooses by the object's type, as ClearML does: a path is taken in as it is, a folder or what
matches wildcards as a zip archive, a dictionary as JSON, a NumPy array as npz, a pandas frame as compressed
CSV, an image as PNG, other text as text, and whatever else as a pickle. A URL is noted, not fetched. NumPy,
pandas and Pillow are never imported to find out what an object is.
"""

import glob
import os
import stat
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from eventlog.blobs import Blobs
from eventlog.errors import InputInvalid
from eventlog.sdk.archives import folder_members
from eventlog.sdk.destinations import is_url, masked, path_part
from eventlog.sdk.object_formats import (
    is_plain,
    log,
    store_array,
    store_bytes,
    store_frame,
    store_image,
    store_json,
    store_pickle,
    text_of,
)
from eventlog.sdk.plain_text import plain_text
from eventlog.sdk.stored import StoredObject, content_type, cut_preview, safe_file_name, shown_size
from eventlog.sdk.taking import Members, take_file, take_members

__all__ = ["StoredObject", "safe_file_name", "store_object"]

_WILDCARDS = frozenset("*?[")
_LONGEST_PATH = 4096


def store_object(
    blobs: Blobs,
    name: str,
    value: Any,
    *,
    extension_name: str | None = None,
    auto_pickle: bool | None = None,
    sort_keys: bool = True,
    serialize: Callable[[Any], Any] | None = None,
) -> StoredObject:
    """Keep an object as a blob.

    Args:
        blobs: where to.
        name: the artifact's name, from which a file's name is made where there is none.
        value: the object.
        extension_name: the format, such as ".parquet", where there is a choice; ".pkl" pickles anything.
        auto_pickle: pickle an object of any other type; None for True.
        sort_keys: write a dictionary's keys in their order.
        serialize: makes the bytes of the object, whatever it is.

    Raises:
        InputInvalid: the object cannot be kept; or a path does not exist, cannot be read or goes on changing.
        StoreFull, StoreReadOnly: it cannot be kept.
    """
    may_pickle = auto_pickle is not False
    extension = None if not extension_name else "." + str(extension_name).lstrip(".")

    def file_name(ending: str) -> str:
        return path_part(name.removesuffix(ending) or name, ending)

    if serialize is not None:
        return _store_serialized(blobs, file_name(extension or ""), value, serialize)
    if extension == ".pkl":
        return store_pickle(blobs, file_name, value)
    if isinstance(value, os.PathLike):
        return _store_path(blobs, Path(value))
    if isinstance(value, str) and value:
        return _store_text(blobs, file_name, str(value), may_pickle=may_pickle)
    if paths := _listed_paths(value):
        return _store_paths(blobs, paths)
    kind = _kind_of(value)
    if kind in {"dict", "list"}:
        return store_json(
            blobs,
            file_name,
            kind,
            value if isinstance(value, (dict, list)) else dict(value),
            extension=extension,
            sort_keys=sort_keys,
            may_pickle=may_pickle,
        )
    if kind == "numpy" and not value.dtype.hasobject:
        return store_array(blobs, file_name, value, extension=extension)
    if kind == "pandas":
        return store_frame(blobs, file_name, value, extension=extension)
    if kind == "image":
        return store_image(blobs, file_name, value, extension=extension)
    if not may_pickle:
        raise InputInvalid(
            f"an object of type {type(value).__name__} cannot be kept as an artifact without a pickle: give a"
            " path, a text, a dictionary, a NumPy array, a pandas DataFrame or an image, or leave out"
            " auto_pickle=False"
        )
    return store_pickle(blobs, file_name, value)


def _kind_of(value: Any) -> str:
    from collections.abc import Mapping

    if isinstance(value, Mapping):
        return "dict"
    if type(value) is list:
        try:
            return "list" if is_plain(value) else ""
        except RecursionError:
            return ""
    for kind in type(value).__mro__:
        full = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        if full in {"numpy.ndarray", "pandas.DataFrame", "PIL.Image"}:
            return {"numpy.ndarray": "numpy", "pandas.DataFrame": "pandas", "PIL.Image": "image"}[full]
    return ""


def _store_serialized(
    blobs: Blobs, file_name: str, value: Any, serialize: Callable[[Any], Any]
) -> StoredObject:
    data = serialize(value)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InputInvalid(f"serialization_function must return bytes, not {type(data).__name__}")
    return store_bytes(blobs, "bytes", bytes(data), file_name, "", text_of(value))


def _store_text(
    blobs: Blobs, file_name: Callable[[str], str], text: str, *, may_pickle: bool
) -> StoredObject:
    """Keep what a text stands for, or else the text itself."""
    if _is_registered(text):
        url = masked(text)
        name = safe_file_name(PurePosixPath(url.partition("?")[0]).name) or "artifact"
        return StoredObject("url", "", 0, name, "", "", url, content_type(name))
    if (path := _existing(text)) is not None:
        return _store_path(blobs, path)
    if _matches(text):
        return _store_members(blobs, lambda: _matches(text), Path(text))
    if _looks_like_path(text):
        log.warning(
            "eventlog: there is no file or folder %s: the text itself is kept as the artifact", text[:200]
        )
    try:
        data = text.encode()
    except UnicodeEncodeError:
        if not may_pickle:
            raise InputInvalid("the text cannot be written as UTF-8: leave out auto_pickle=False") from None
        return store_pickle(blobs, file_name, text)
    return store_bytes(blobs, "text", data, file_name(".txt"), "text", text)


def _is_registered(text: str) -> bool:
    """Whether a text is a URL of a file elsewhere. One of a file here is a text to ClearML."""
    return (
        is_url(text)
        and not text.lower().startswith("file://")
        and len(text) <= _LONGEST_PATH
        and text.isprintable()
        and " " not in text
    )


def _existing(text: str) -> Path | None:
    if len(text) > _LONGEST_PATH:
        return None
    try:
        path = Path(text)
        path.stat()
    except (OSError, ValueError):
        return None
    return path


def _looks_like_path(text: str) -> bool:
    if len(text) > _LONGEST_PATH or any(letter.isspace() for letter in text):
        return False
    return text.startswith(("/", "./", "../", "~")) or ("/" in text and bool(PurePosixPath(text).suffix))


def _store_path(blobs: Blobs, path: Path) -> StoredObject:
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):
        if _matches(str(path)):
            return _store_members(blobs, lambda: _matches(str(path)), path)
        raise InputInvalid(
            f"there is no file or folder {str(path)[:200]!r} to upload: check the path"
        ) from None
    if kind == stat.S_IFDIR:
        folder = path.absolute()
        return _store_members(blobs, lambda: list(folder_members(folder)), path / "*", folder.name)
    digest, size = take_file(blobs, path)
    name = safe_file_name(path.name) or "artifact"
    preview = plain_text(f"{path.name} - {shown_size(size)}\n")
    return StoredObject("file", digest, size, name, "", preview, "", content_type(name))


def _matches(pattern: str) -> list[tuple[Path, str]]:
    """What matches wildcards: files, and folders with what is in them, named below the folder without any.

    Where only the last name has wildcards, behind that of a folder, files of all folders below it match.
    """
    if not _WILDCARDS.intersection(pattern) or len(pattern) > _LONGEST_PATH or "\0" in pattern:
        return []
    root = _fixed_part(pattern)
    members: dict[str, Path] = {}
    try:
        for path in sorted(map(Path, glob.iglob(pattern, recursive=True))):  # noqa: PTH207 (the root varies)
            name = path.relative_to(root).as_posix()
            if path.is_dir():
                members.update((f"{name}/{below}", inner) for inner, below in folder_members(path))
            elif path.is_file():
                members[name] = path
        parent, last = Path(pattern).parent, Path(pattern).name
        if root == parent != Path():
            members |= {
                name: path
                for path, name in folder_members(root)
                if fnmatchcase(path.name, last) and not name.endswith("/")
            }
    except (OSError, ValueError):
        return []
    return [(path, name) for name, path in sorted(members.items())]


def _fixed_part(pattern: str) -> Path:
    """The folders at the beginning of a pattern that have no wildcards in their names."""
    path = Path(pattern)
    while _WILDCARDS.intersection(str(path)):
        path = path.parent
    return path


def _listed_paths(value: Any) -> list[Path]:
    """The paths of a list of nothing else, all of which are there; a list of texts is not one."""
    if not isinstance(value, (list, tuple)) or not value:
        return []
    if not all(isinstance(one, os.PathLike) for one in value):
        return []
    paths = [Path(one) for one in value]
    for path in paths:
        if _existing(str(path)) is None:
            raise InputInvalid(f"there is no file or folder {str(path)[:200]!r} to upload: check the path")
    return paths


def _store_paths(blobs: Blobs, paths: list[Path]) -> StoredObject:
    """Keep several files and folders as one archive, named below the folder that holds them all."""
    absolute = [Path(os.path.abspath(path)) for path in paths]
    root = Path(os.path.commonpath([path.parent for path in absolute]))

    def members() -> list[tuple[Path, str]]:
        found: list[tuple[Path, str]] = []
        for path in dict.fromkeys(absolute):
            name = path.relative_to(root).as_posix()
            if path.is_dir():
                found += [(inner, f"{name}/{below}") for inner, below in folder_members(path)]
            else:
                found.append((path, name))
        return found

    return _store_members(blobs, members, root, root.name)


def _store_members(
    blobs: Blobs, members: Callable[[], Members], shown: Path, folder_name: str | None = None
) -> StoredObject:
    if folder_name is None:
        folder_name = _fixed_part(str(shown)).absolute().name
    name = safe_file_name(folder_name) or "folder"
    digest, size, written = take_members(blobs, members, plain_text(shown))
    lines = [f"{one} - {shown_size(count)}" for one, count in written]
    preview = cut_preview(plain_text("\n".join((f"Archive content {shown}:", *lines, ""))))
    return StoredObject("folder", digest, size, f"{name}.zip", "zip", preview, "", "application/zip")
