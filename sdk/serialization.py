"""Objects as the bytes of an artifact, and back again.

`store_object` chooses by the object's type: a path is taken in as it is, a folder as a zip archive, a
dictionary or a list as JSON, a NumPy array as npz, a pandas frame as compressed CSV, whatever else as a
pickle where the caller says so. `load_object` reads what `store_object` wrote. NumPy and pandas are never
imported to find out what an object is.
"""

import io
import json
import os
import pickle
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlog.blobs import Blobs
from eventlog.errors import DataCorrupt, InputInvalid
from eventlog.sdk.archives import folder_members, write_archive

__all__ = ["StoredObject", "load_object", "safe_file_name", "store_object"]

_LONGEST_PREVIEW = 2_000
_LONGEST_NAME = 200
_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class StoredObject:
    """What `store_object` did with an object.

    Attributes:
        kind: what it was: "file", "folder", "dict", "list", "numpy", "pandas" or "pickle".
        blob: SHA-256 of the bytes, in hexadecimal.
        size: bytes.
        file_name: what to call a copy.
        format: how to read it back: "json", "npz", "csv.gz", "parquet", "zip", "pkl", "" for a plain file.
            Of a CSV with an index, "csv.gz+2" says how many columns are the index.
        preview: a few lines for a person.
    """

    kind: str
    blob: str
    size: int
    file_name: str
    format: str
    preview: str


def store_object(
    blobs: Blobs, name: str, value: Any, *, extension_name: str | None, auto_pickle: bool, sort_keys: bool
) -> StoredObject:
    """Keep an object as a blob.

    Args:
        blobs: where to.
        name: the artifact's name, from which a file's name is made where there is none.
        value: the object.
        extension_name: the format, such as ".parquet", where there is a choice.
        auto_pickle: pickle an object of any other type.
        sort_keys: write a dictionary's keys in their order.

    Raises:
        InputInvalid: the object, or that extension for it, is not supported; or a path does not exist.
        StoreFull, StoreReadOnly: it cannot be kept.
    """
    stem = safe_file_name(name.replace("/", "_").replace("\\", "_")) or "artifact"
    extension = None if extension_name is None else "." + extension_name.lstrip(".")
    if extension == ".pkl":
        return _store_pickle(blobs, stem, value)
    if isinstance(value, (str, os.PathLike)):
        return _store_path(blobs, value)
    if isinstance(value, Mapping):
        _check_extension(value, extension, ".json")
        return _store_json(blobs, stem, "dict", dict(value), sort_keys)
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    if kind == "numpy.ndarray":
        _check_extension(value, extension, ".npz")
        return _store_array(blobs, stem, value)
    if kind == "pandas.DataFrame":
        return _store_frame(blobs, stem, value, _check_extension(value, extension, ".csv.gz", ".parquet"))
    if auto_pickle:
        return _store_pickle(blobs, stem, value)
    if isinstance(value, list):
        _check_extension(value, extension, ".json")
        return _store_json(blobs, stem, "list", value, sort_keys)
    raise InputInvalid(
        f"an object of type {type(value).__name__} cannot be kept as an artifact: give a path, a dictionary,"
        " a list, a NumPy array or a pandas DataFrame, or pass auto_pickle=True"
    )


def load_object(path: Path, stored_format: str) -> Any:
    """The object that was kept in a format other than "" and "zip", which stay files.

    Args:
        path: the blob.
        stored_format: as in `StoredObject`. A pickle is loaded: whoever calls this has decided that.

    Raises:
        DataCorrupt: the bytes are not of that format.
        InputInvalid: this version does not know the format.
    """
    known, _, columns = stored_format.partition("+")
    load = _LOADERS.get(known)
    if load is None:
        raise InputInvalid(
            f"an artifact of the format {stored_format!r} cannot be read as an object: use get_local_copy()"
        )
    try:
        return load(path, columns)
    except ImportError as error:
        raise InputInvalid(
            f"reading an artifact of the format {known} needs {error.name}: install it"
        ) from None
    except MemoryError:
        raise
    except Exception as error:
        raise DataCorrupt(f"the artifact at {path} cannot be read as {known}: {error}") from error


def safe_file_name(name: str) -> str:
    """The name if it can be that of a file in any folder, else ""; it is cut to 200 bytes from its start."""
    if name in {"", ".", ".."} or any(letter in "/\\" or not letter.isprintable() for letter in name):
        return ""
    while len(name.encode(errors="replace")) > _LONGEST_NAME:
        name = name[1:]
    return name.encode(errors="replace").decode()


def _check_extension(value: Any, extension: str | None, *known: str) -> str:
    if extension is None:
        return known[0]
    if extension not in known:
        raise InputInvalid(
            f"a {type(value).__name__} cannot be kept as '{extension}':"
            f" choose from {', '.join((*known, '.pkl'))}"
        )
    return extension


def _store_path(blobs: Blobs, value: "str | os.PathLike[str]") -> StoredObject:
    path = Path(value)
    try:
        if not os.fspath(value):
            # It would stand for the current folder.
            raise ValueError("an empty path")
        kind = stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):
        if _WILDCARDS.intersection(str(value)):
            return _store_matches(blobs, path)
        raise InputInvalid(
            f"there is no file or folder {str(value)[:200]!r} to upload: check the path; to keep text, put it"
            " in a dictionary"
        ) from None
    if kind == stat.S_IFDIR:
        return _store_folder(blobs, path.absolute())
    digest, size = blobs.put_file(path)
    name = safe_file_name(path.name) or "artifact"
    return StoredObject("file", digest, size, name, "", f"{path.name}, {size:,} bytes")


def _store_folder(blobs: Blobs, folder: Path) -> StoredObject:
    digest, size, preview = _store_members(blobs, list(folder_members(folder)))
    name = safe_file_name(folder.name) or "folder"
    return StoredObject("folder", digest, size, f"{name}.zip", "zip", preview)


def _store_matches(blobs: Blobs, pattern: Path) -> StoredObject:
    import glob

    members: list[tuple[Path, str]] = []
    for path in sorted(map(Path, glob.glob(str(pattern)))):  # noqa: PTH207 (pathlib's needs a fixed root)
        if path.is_dir():
            members += [(inner, f"{path.name}/{name}") for inner, name in folder_members(path)]
        else:
            members.append((path, path.name))
    if not members:
        raise InputInvalid(f"nothing matches {str(pattern)!r}: check the path")
    digest, size, preview = _store_members(blobs, members)
    name = safe_file_name(pattern.parent.absolute().name) or "folder"
    return StoredObject("folder", digest, size, f"{name}.zip", "zip", preview)


def _store_members(blobs: Blobs, members: list[tuple[Path, str]]) -> tuple[str, int, str]:
    with blobs.writer() as writer:
        written = write_archive(members, writer)
    lines = [f"{name}, {size:,} bytes" for name, size in written]
    return writer.digest, writer.size, _cut("\n".join((f"{len(written)} files", *lines)))


def _store_json(blobs: Blobs, stem: str, kind: str, value: Any, sort_keys: bool) -> StoredObject:
    def dump(*, sort: bool) -> str:
        return json.dumps(value, indent=2, sort_keys=sort, default=_to_json, ensure_ascii=False)

    try:
        try:
            text = dump(sort=sort_keys)
        except TypeError:
            # Keys of several types have no order among each other.
            text = dump(sort=False)
        data = text.encode()
    except MemoryError:
        raise
    except Exception as error:
        raise InputInvalid(
            f"the artifact cannot be kept as JSON ({error}): pass extension_name='.pkl'"
        ) from None
    return StoredObject(kind, blobs.put_bytes(data), len(data), f"{stem}.json", "json", _cut(text))


def _to_json(item: Any) -> Any:
    """NumPy's and PyTorch's numbers and arrays as numbers and lists, and paths as text."""
    if hasattr(item, "tolist") and hasattr(item, "dtype"):
        return item.tolist()
    if isinstance(item, os.PathLike):
        return os.fspath(item)
    raise TypeError(f"{type(item).__name__} has no form in JSON")


def _store_array(blobs: Blobs, stem: str, value: Any) -> StoredObject:
    import numpy

    if value.dtype.hasobject:
        raise InputInvalid(
            "an array of Python objects cannot be kept as '.npz': pass extension_name='.pkl' to pickle it"
        )
    buffer = io.BytesIO()
    numpy.savez_compressed(buffer, data=value)
    data = buffer.getvalue()
    preview = _cut(f"{value.dtype} of shape {value.shape}\n{numpy.array2string(value, threshold=100)}")
    return StoredObject("numpy", blobs.put_bytes(data), len(data), f"{stem}.npz", "npz", preview)


def _store_frame(blobs: Blobs, stem: str, value: Any, extension: str) -> StoredObject:
    buffer = io.BytesIO()
    stored_format = extension[1:]
    try:
        if extension == ".parquet":
            value.to_parquet(buffer)
        else:
            # A plain 0, 1, 2 … index comes back by itself.
            index = value.index
            is_plain = type(index).__name__ == "RangeIndex" and index.name is None
            if not (is_plain and index.start == 0 and index.step == 1):
                stored_format = f"csv.gz+{index.nlevels}"
            value.to_csv(
                buffer,
                index=stored_format != "csv.gz",
                compression={"method": "gzip", "compresslevel": 6, "mtime": 0},
            )
    except (ValueError, TypeError, ImportError) as error:
        raise InputInvalid(
            f"the frame cannot be kept as '{extension}' ({error}): pass extension_name='.pkl'"
        ) from None
    data = buffer.getvalue()
    preview = (
        f"{len(value):,} rows of {len(value.columns)} columns\n{value.to_string(max_rows=10, max_cols=10)}"
    )
    return StoredObject(
        "pandas", blobs.put_bytes(data), len(data), stem + extension, stored_format, _cut(preview)
    )


def _store_pickle(blobs: Blobs, stem: str, value: Any) -> StoredObject:
    try:
        data = pickle.dumps(value)
    except Exception as error:
        raise InputInvalid(f"an object of type {type(value).__name__} cannot be pickled: {error}") from None
    preview = _cut(f"{type(value).__module__}.{type(value).__qualname__}")
    return StoredObject("pickle", blobs.put_bytes(data), len(data), f"{stem}.pkl", "pkl", preview)


def _load_json(path: Path, _: str) -> Any:
    return json.loads(path.read_bytes())


def _load_npz(path: Path, _: str) -> Any:
    import zipfile

    import numpy

    with zipfile.ZipFile(path) as archive:
        _check_size(sum(member.file_size for member in archive.infolist()))
    with numpy.load(path, allow_pickle=False) as arrays:
        return arrays["data"]


def _load_csv(path: Path, index_columns: str) -> Any:
    import gzip

    import pandas

    index = list(range(int(index_columns))) if index_columns else None
    with gzip.open(path) as file:
        return pandas.read_csv(io.BufferedReader(_Bounded(file)), index_col=index)


def _load_parquet(path: Path, _: str) -> Any:
    import pandas
    import pyarrow.parquet

    about = pyarrow.parquet.read_metadata(path)
    _check_size(about.num_rows * about.num_columns * 8)
    return pandas.read_parquet(path)


def _load_pickle(path: Path, _: str) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


_LOADERS: dict[str, Callable[[Path, str], Any]] = {
    "csv.gz": _load_csv,
    "json": _load_json,
    "npz": _load_npz,
    "parquet": _load_parquet,
    "pkl": _load_pickle,
}


class _Bounded(io.RawIOBase):
    """A file that is not read beyond what memory can hold, whatever it unpacks to."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self._file.readinto(buffer)
        self._size += count
        _check_size(self._size)
        return count


def _check_size(size: int) -> None:
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    if size > most:
        raise ValueError(f"it takes more than {most} bytes, half of this machine's memory")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_PREVIEW else text[:_LONGEST_PREVIEW] + " …"
