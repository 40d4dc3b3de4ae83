"""Objects again, from the bytes of artifacts that `serialization` kept.

The bytes may come from another machine: what they unpack to is bounded by this one's memory, and no format
but a pickle can run code.
"""

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eventlog.errors import DataCorrupt, InputInvalid

__all__ = ["FILES", "PICKLES", "load_object"]

# Formats that stay files, and those whose loading runs what they hold.
FILES = frozenset({"", "zip"})
PICKLES = frozenset({"pkl", "pickle"})


def load_object(path: Path, stored_format: str) -> Any:
    """The object that was kept in a format other than those of `FILES`.

    Args:
        path: the blob.
        stored_format: as in `StoredObject`. A pickle is loaded: whoever calls this has decided that.

    Raises:
        DataCorrupt: the bytes are not of that format.
        InputInvalid: this version does not know the format, a package that reads it is not installed, or it
            takes more memory than there is.
    """
    known, _, about = stored_format.partition("+")
    load = _LOADERS.get(known)
    if load is None:
        raise InputInvalid(
            f"an artifact of the format {stored_format[:100]!r} cannot be read as an object: use"
            " get_local_copy()"
        )
    try:
        return load(path, about)
    except ImportError as error:
        raise InputInvalid(
            f"reading an artifact of the format {known} needs {error.name}: install it"
        ) from None
    except MemoryError:
        # What is damaged, or was made to, may claim any size.
        raise InputInvalid(
            f"the artifact at {path} takes more memory to read as {known} than there is: use get_local_copy()"
        ) from None
    except Exception as error:
        raise DataCorrupt(f"the artifact at {path} cannot be read as {known}: {error}") from error


def _load_json(path: Path, _: str) -> Any:
    return json.loads(path.read_bytes())


def _load_yaml(path: Path, _: str) -> Any:
    import yaml

    return yaml.safe_load(path.read_bytes())


def _load_text(path: Path, _: str) -> Any:
    return path.read_bytes().decode()


def _load_npz(path: Path, _: str) -> Any:
    import zipfile

    import numpy

    with zipfile.ZipFile(path) as archive:
        _check_size(sum(member.file_size for member in archive.infolist()))
    with numpy.load(path, allow_pickle=False) as arrays:
        # ClearML names the array after the artifact.
        (alone, *more) = arrays.files
        return arrays["data" if more else alone]


def _load_array_csv(path: Path, about: str) -> Any:
    import gzip

    import numpy

    dimensions, _, name = about.partition(",")
    kind = numpy.dtype(name)
    if kind.kind not in "biuf":
        raise ValueError(f"{name} is no type of numbers")
    with gzip.open(path) as file:
        # By way of the type itself, so that whole numbers keep all their digits.
        reading = numpy.int64 if kind.kind == "b" else kind
        lines = io.TextIOWrapper(io.BufferedReader(_Bounded(file)))
        array = numpy.loadtxt(lines, delimiter=",", dtype=reading, ndmin=2)
    return array.astype(kind).reshape(-1) if dimensions == "1" else array.astype(kind)


def _load_csv(path: Path, about: str) -> Any:
    import gzip

    import pandas

    index, _, levels = about.partition(",")
    with gzip.open(path) as file:
        try:
            return pandas.read_csv(
                io.BufferedReader(_Bounded(file)),
                index_col=list(range(int(index))) if index else None,
                header=list(range(int(levels))) if levels else 0,
            )
        except pandas.errors.EmptyDataError:
            return pandas.DataFrame()


def _load_parquet(path: Path, _: str) -> Any:
    import pandas
    import pyarrow.parquet

    about = pyarrow.parquet.read_metadata(path)
    _check_size(about.num_rows * about.num_columns * 8)
    return pandas.read_parquet(path)


def _load_feather(path: Path, _: str) -> Any:
    import pandas
    import pyarrow

    with pyarrow.memory_map(str(path)) as file:
        reader = pyarrow.ipc.open_file(file)
        rows = sum(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))
        _check_size(rows * len(reader.schema) * 8)
    return pandas.read_feather(path)


def _load_image(path: Path, _: str) -> Any:
    from PIL import Image

    Image.init()
    # PostScript is a program, which another program would run.
    formats = [name for name in Image.OPEN if name != "EPS"]
    return Image.open(io.BytesIO(path.read_bytes()), formats=formats)


def _load_pickle(path: Path, _: str) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)


_LOADERS: dict[str, Callable[[Path, str], Any]] = {
    "array-csv.gz": _load_array_csv,
    "csv.gz": _load_csv,
    "feather": _load_feather,
    "image": _load_image,
    "json": _load_json,
    "npz": _load_npz,
    "parquet": _load_parquet,
    "pickle": _load_pickle,
    "pkl": _load_pickle,
    "text": _load_text,
    "yaml": _load_yaml,
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
