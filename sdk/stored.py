"""What an object became when it was kept: the facts that an artifact's event holds."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["StoredObject", "content_type", "cut_preview", "safe_file_name", "shown_size"]

_LONGEST_PREVIEW = 60_000
_LONGEST_NAME = 200
_CONTENT_TYPES = {
    ".csv.gz": "text/csv",
    ".feather": "application/vnd.apache.arrow.file",
    ".json": "application/json",
    ".npz": "application/numpy",
    ".parquet": "application/vnd.apache.parquet",
    ".pickle": "application/pickle",
    ".pkl": "application/pickle",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zip": "application/zip",
}


@dataclass(frozen=True)
class StoredObject:
    """What was done with an object.

    Attributes:
        kind: what it was: "file", "folder", "text", "url", "dict", "list", "numpy", "pandas", "image",
            "pickle", or "bytes" of a function of the caller's.
        blob: SHA-256 of the bytes, in hexadecimal; "" for a URL.
        size: bytes.
        file_name: what to call a copy.
        format: how to read it back: "json", "yaml", "text", "npz", "csv.gz", "parquet", "feather", "image",
            "zip", "pkl", "pickle" (a pickled frame), "" for a plain file. Of a CSV with an index, "csv.gz+2"
            says how many columns are the index, and "csv.gz+2,3" how many levels the columns have too;
            "array-csv.gz+2,<f8" is an array's dimensions and type.
        preview: a few lines for a person.
        url: where it is, if not in the store.
        content_type: its media type, or "".
    """

    kind: str
    blob: str
    size: int
    file_name: str
    format: str
    preview: str
    url: str = ""
    content_type: str = ""


def safe_file_name(name: str) -> str:
    """The name if it can be that of a file in any folder, else ""; it is cut to 200 bytes from its start."""
    if name in {"", ".", ".."} or any(letter in "/\\" or not letter.isprintable() for letter in name):
        return ""
    while len(name.encode(errors="replace")) > _LONGEST_NAME:
        name = name[1:]
    return name.encode(errors="replace").decode()


def content_type(file_name: str) -> str:
    """The media type that a file's name speaks of, or ""."""
    lower = file_name.lower()
    for ending, known in _CONTENT_TYPES.items():
        if lower.endswith(ending):
            return known
    import mimetypes

    # What Python knows itself; the files of the system are read for others alone, which takes milliseconds.
    suffix = Path(lower).suffix
    known = "" if suffix in mimetypes.encodings_map else mimetypes.types_map.get(suffix, "")
    return known or mimetypes.guess_type(file_name)[0] or ""


def cut_preview(text: str) -> str:
    """A text, or its beginning where it is long."""
    return text if len(text) <= _LONGEST_PREVIEW else text[:_LONGEST_PREVIEW] + " …"


def shown_size(count: int) -> str:
    """A number of bytes as ClearML's previews write it: "1 byte", "3.15 MB"."""
    if count == 1:
        return "1 byte"
    size = float(count)
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.2f}".rstrip("0").rstrip(".") + f" {unit}"
