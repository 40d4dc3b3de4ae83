"""Each type of object that an artifact can be, in the formats that there are for it.

Every function here keeps an object as a blob and says what it did. A format that is not one of the type's is
warned of and the default one taken, as ClearML does; what cannot be written in its type's own way is pickled,
unless that is ruled out.
"""

import io
import json
import logging
import os
import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

from eventlog.blobs import Blobs, BlobWriter
from eventlog.errors import EventlogError, InputInvalid
from eventlog.sdk.stored import StoredObject, content_type, cut_preview

__all__ = [
    "is_plain",
    "store_array",
    "store_bytes",
    "store_frame",
    "store_image",
    "store_json",
    "store_pickle",
    "text_of",
]

log = logging.getLogger("eventlog")

_BUFFER_SIZE = 1 << 20


def store_json(
    blobs: Blobs,
    stem: Callable[[str], str],
    kind: str,
    value: Any,
    *,
    extension: str | None,
    sort_keys: bool,
    may_pickle: bool,
) -> StoredObject:
    """Keep a dictionary or a list as JSON or YAML.

    Args:
        blobs: where to.
        stem: makes a file's name, given its ending.
        kind: "dict" or "list".
        value: the object.
        extension: ".json" or ".yaml".
        sort_keys: write keys in their order.
        may_pickle: pickle what has no form in JSON; else NumPy's numbers and arrays become numbers and lists,
            and paths text.

    Raises:
        InputInvalid: it has no form in JSON, and is not to be pickled.
    """
    ending = _known(f"a {kind}", extension, ".json", ".yaml")
    try:
        try:
            text = _dumped(value, ending, sort_keys=sort_keys, is_strict=may_pickle)
        except TypeError:
            if may_pickle:
                raise
            # Keys of several types have no order among each other.
            text = _dumped(value, ending, sort_keys=False, is_strict=False)
        data = text.encode()
    except MemoryError:
        raise
    except Exception as error:
        if not may_pickle:
            raise InputInvalid(
                f"the artifact cannot be kept as '{ending}' ({_reason(error)}): pass extension_name='.pkl'"
            ) from None
        log.warning(
            "eventlog: the artifact '%s' cannot be kept as '%s' (%s), and is pickled instead",
            stem(""),
            ending,
            _reason(error),
        )
        return store_pickle(blobs, stem, value)
    return _of_data(blobs, kind, data, stem(ending), ending[1:], text)


def store_array(
    blobs: Blobs, stem: Callable[[str], str], value: Any, *, extension: str | None
) -> StoredObject:
    """Keep a NumPy array as npz, or one of one or two dimensions as compressed CSV.

    Raises:
        InputInvalid: it has more dimensions than a CSV has, or holds what is no number.
    """
    import numpy

    ending = _known("a numpy array", extension, ".npz", ".csv.gz")
    if ending == ".csv.gz":
        if value.ndim not in (1, 2) or value.dtype.kind not in "biuf":
            raise InputInvalid(
                f"an array of shape {value.shape} and type {value.dtype} cannot be kept as '.csv.gz', which"
                " holds one or two dimensions of real numbers: leave out extension_name"
            )

        def write(file: BinaryIO) -> None:
            with _gzipped(file) as packed:
                numpy.savetxt(
                    packed, value, delimiter=",", fmt="%d" if value.dtype.kind in "biu" else "%.18g"
                )

        stored_format = f"array-csv.gz+{value.ndim},{value.dtype.str}"
    else:

        def write(file: BinaryIO) -> None:
            numpy.savez_compressed(file, data=value)

        stored_format = "npz"
    return _written(blobs, "numpy", write, stem(ending), stored_format, text_of(value))


def store_frame(
    blobs: Blobs, stem: Callable[[str], str], value: Any, *, extension: str | None
) -> StoredObject:
    """Keep a pandas DataFrame as compressed CSV, Parquet, Feather or a pickle; its index is kept too.

    Columns in several levels are kept as Parquet if nothing else is asked for, since CSV makes text of their
    labels; or as a pickle, where Parquet does not keep them. Rows without columns are in no other format.

    Raises:
        InputInvalid: it cannot be written.
    """
    levels = value.columns.nlevels
    ending = _known("a pandas frame", extension, ".csv.gz", ".parquet", ".feather", ".pickle")
    if extension is None and levels > 1:
        ending = ".parquet"
    elif extension is None and value.columns.empty and len(value):
        ending = ".pickle"
    is_kept = ending not in {".parquet", ".feather"} or _keeps_labels(value, ending)
    if extension is None and not is_kept:
        ending = ".pickle"
    preview = text_of(value, str)
    if ending in {".parquet", ".feather"}:
        save = value.to_parquet if ending == ".parquet" else value.to_feather
        buffer = io.BytesIO()
        try:
            if not is_kept:
                raise ValueError("the labels of its columns would not come back")
            save(buffer)
            return _of_data(blobs, "pandas", buffer.getvalue(), stem(ending), ending[1:], preview)
        except (ValueError, TypeError, ImportError, OSError) as error:
            instead = ".csv.gz" if is_kept and levels == 1 else ".pickle"
            log.warning(
                "eventlog: the frame '%s' cannot be kept as '%s' (%s): '%s' is taken instead",
                stem(""),
                ending,
                _reason(error),
                instead,
            )
            ending = instead
    if ending == ".pickle":
        return _written(blobs, "pandas", _pickling(value), stem(ending), "pickle", preview)
    # A plain 0, 1, 2 … index comes back by itself.
    index = value.index
    is_plain_index = (
        type(index).__name__ == "RangeIndex" and index.name is None and index.start == 0 and index.step == 1
    )
    about = f"{'' if is_plain_index else index.nlevels}{f',{levels}' if levels > 1 else ''}"
    stored_format = f"csv.gz+{about}" if about else "csv.gz"

    def write(file: BinaryIO) -> None:
        with _gzipped(file) as packed:
            value.to_csv(packed, index=not is_plain_index)

    try:
        return _written(blobs, "pandas", write, stem(ending), stored_format, preview)
    except (ValueError, TypeError) as error:
        raise InputInvalid(
            f"the frame cannot be kept as '{ending}' ({_reason(error)}): pass extension_name='.pkl'"
        ) from None


def _keeps_labels(frame: Any, ending: str) -> bool:
    """Whether the labels of a frame's columns come back from Parquet or Feather; those of flags do not."""
    import warnings

    import pandas

    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if ending == ".parquet":
                frame.iloc[:0].to_parquet(buffer)
                back = pandas.read_parquet(buffer)
            else:
                # Feather keeps no index but a plain one.
                frame.iloc[:0].reset_index(drop=True).to_feather(buffer)
                back = pandas.read_feather(buffer)
        return bool(back.columns.equals(frame.columns))
    except ImportError:
        # Said when the frame is written.
        return True
    except Exception:
        return False


def store_image(
    blobs: Blobs, stem: Callable[[str], str], value: Any, *, extension: str | None
) -> StoredObject:
    """Keep an image of Pillow's as PNG, or in any format that Pillow writes.

    Raises:
        InputInvalid: it cannot be written.
    """
    from PIL import Image

    Image.init()
    formats = {ending: name for ending, name in Image.registered_extensions().items() if name in Image.SAVE}
    ending = _known("an image", extension, ".png", *sorted(set(formats) - {".png"}))
    for last, one in ((ending == ".png", ending), (True, ".png")):
        buffer = io.BytesIO()
        try:
            value.save(buffer, format=formats[one])
        except (OSError, ValueError, TypeError, KeyError) as error:
            if last:
                raise InputInvalid(
                    f"the image cannot be kept as '{one}' ({_reason(error)}): convert it, or pass"
                    " extension_name='.pkl'"
                ) from None
            log.warning(
                "eventlog: the image '%s' cannot be kept as '%s' (%s): '.png' is taken instead",
                stem(""),
                one,
                _reason(error),
            )
            continue
        about = f"PIL.Image.Image image mode={value.mode} size={value.size[0]}x{value.size[1]}"
        return _of_data(blobs, "image", buffer.getvalue(), stem(one), "image", about)
    raise AssertionError("unreachable")


def store_pickle(blobs: Blobs, stem: Callable[[str], str], value: Any) -> StoredObject:
    """Keep any object as a pickle.

    Raises:
        InputInvalid: it cannot be pickled.
    """
    try:
        return _written(blobs, "pickle", _pickling(value), stem(".pkl"), "pkl", text_of(value))
    except (EventlogError, MemoryError):
        raise
    except Exception as error:
        raise InputInvalid(
            f"an object of type {type(value).__name__} cannot be pickled: {_reason(error)}"
        ) from None


def store_bytes(
    blobs: Blobs, kind: str, data: bytes, file_name: str, stored_format: str, preview: str
) -> StoredObject:
    """Keep bytes as they are; the arguments are the attributes of `StoredObject`."""
    return _of_data(blobs, kind, data, file_name, stored_format, preview)


def is_plain(value: Any) -> bool:
    """Whether JSON gives a list, with all that is in it, back as it was."""
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if type(value) is list:
        return all(map(is_plain, value))
    return value is None or type(value) in {str, int, float, bool}


def text_of(value: Any, function: Callable[[Any], str] = repr) -> str:
    """What a person may see of an object; "" where it cannot say what it is."""
    try:
        return cut_preview(function(value))
    except Exception:
        return ""


def _known(what: str, extension: str | None, *known: str) -> str:
    """The extension if it is one of those known, else the first of them, with a warning."""
    if extension is None:
        return known[0]
    if extension.lower() in known:
        return extension.lower()
    log.warning(
        "eventlog: %s cannot be kept as '%s', and '%s' is taken instead; there are %s%s and .pkl",
        what,
        extension,
        known[0],
        ", ".join(known[:8]),
        " and others" if len(known) > 8 else "",
    )
    return known[0]


def _dumped(value: Any, ending: str, *, sort_keys: bool, is_strict: bool) -> str:
    if ending == ".json":
        return json.dumps(value, indent=4, sort_keys=sort_keys, default=None if is_strict else _to_json)
    import yaml

    # By way of JSON, which makes plain dictionaries and lists of their subclasses, and refuses a cycle.
    plain = json.loads(json.dumps(value, default=None if is_strict else _to_json))
    return str(yaml.safe_dump(plain, sort_keys=sort_keys))


def _to_json(item: Any) -> Any:
    """NumPy's and PyTorch's numbers and arrays as numbers and lists, and paths as text."""
    if hasattr(item, "tolist") and hasattr(item, "dtype"):
        return item.tolist()
    if isinstance(item, os.PathLike):
        return os.fspath(item)
    raise TypeError(f"{type(item).__name__} has no form in JSON")


def _pickling(value: Any) -> Callable[[BinaryIO], None]:
    def write(file: BinaryIO) -> None:
        pickle.dump(value, file)

    return write


def _gzipped(file: BinaryIO) -> Any:
    import gzip

    # No time and no name, so that the same object gives the same bytes.
    return gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0, filename="")


def _written(
    blobs: Blobs,
    kind: str,
    write: Callable[[BinaryIO], None],
    file_name: str,
    stored_format: str,
    preview: str,
) -> StoredObject:
    """Keep what a function writes, a piece at a time: the whole of it is never in memory."""
    with blobs.writer() as writer:
        with io.BufferedWriter(_Stream(writer), _BUFFER_SIZE) as file:
            write(file)
    return StoredObject(
        kind,
        writer.digest,
        writer.size,
        file_name,
        stored_format,
        cut_preview(preview),
        "",
        content_type(file_name),
    )


def _of_data(
    blobs: Blobs, kind: str, data: bytes, file_name: str, stored_format: str, preview: str
) -> StoredObject:
    return StoredObject(
        kind,
        blobs.put_bytes(data),
        len(data),
        file_name,
        stored_format,
        cut_preview(preview),
        "",
        content_type(file_name),
    )


class _Stream(io.RawIOBase):
    """A blob's writer as a file that nobody can seek in."""

    def __init__(self, writer: BlobWriter) -> None:
        self._writer = writer

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._writer.write(data)


def _reason(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
