"""Where an export goes: a folder or URL that is ours, and the record there of what it holds.

    eventlog-export.json                                      the record
    scalars/month=2026-11/<store>-<first batch>.parquet       and events/ alike: the parts
    tasks/tasks.parquet, parameters/parameters.parquet        what tasks are now

Every file is whole as soon as it has its name. The record, which is written last, says what has been
written; of a file that is not as it says, because an export was cut off, the file's own footer tells.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow
import pyarrow.parquet

from eventlog.errors import DataCorrupt, EventlogError, NotFound, RemoteInvalid, StoreNewer
from eventlog.sdk.exports.parts import Part, parse_part
from eventlog.sdk.exports.schemas import FORMAT
from eventlog.sdk.exports.selection import Selection
from eventlog.sync.layout import TEMPORARY
from eventlog.sync.objects import Objects
from eventlog.sync.urls import objects_at

__all__ = ["PARAMETERS", "RECORD", "TASKS", "Record", "Target", "TargetFile"]

RECORD = "eventlog-export.json"
# The files of what tasks are now.
TASKS, PARAMETERS = "tasks/tasks.parquet", "parameters/parameters.parquet"
# Of a file that is looked into, and of the record: what has more is none of ours.
_MOST_BYTES = 1 << 30
_LONGEST_RECORD = 256 << 20
_PIECE = 1 << 20
_KEY = b"eventlog"


class Written(msgspec.Struct, frozen=True):
    """A file as it was written: its size in bytes, and the part that it is of, or a digest of its tasks."""

    size: int
    part: Part | None = None
    digest: str = ""


class Record(msgspec.Struct):
    """What an export holds.

    Attributes:
        format: the number of its format.
        selection: what was asked for.
        shown: from when on scalars are shown, by id, in the parts that are there; see `Shown`.
        showing: the same while parts are being brought to it, or None.
        heads: of each store, by id, the last batch that was exported.
        left_out: batches that could not be read, as store and number.
        files: by name.
    """

    format: int = FORMAT
    selection: Selection = Selection()
    shown: dict[str, int] = {}
    showing: dict[str, int] | None = None
    heads: dict[str, int] = {}
    left_out: list[tuple[str, int]] = []
    files: dict[str, Written] = {}


class _Stated(msgspec.Struct):
    format: int


class Target:
    """A place for an export.

    Args:
        url: a folder, or any URL that fsspec knows.
        scratch: where files are written before they go there, or None for where Python has such a place.

    Attributes:
        record: what it holds, after `open`.
        files, bytes: how many were written, and how large they are.
    """

    def __init__(self, url: str | os.PathLike[str], scratch: Path | None = None) -> None:
        self.objects: Objects = objects_at(url)
        self.url = self.objects.shown
        self.scratch = scratch
        self.record = Record()
        self.files = 0
        self.bytes = 0

    def __repr__(self) -> str:
        return f"<Target {self.url}>"

    def open(self) -> bool:
        """Read the record, and look at what is there; nothing is written.

        Returns:
            Whether there is an export already.

        Raises:
            RemoteInvalid: something else is there, or it can only be read.
            StoreNewer: the export was made by a newer version of eventlog.
            RemoteUnreachable: it cannot be read.
        """
        self.objects.check_writable()
        if self.objects.size(RECORD) is None:
            foreign = sorted(name for name in self.objects.names() or () if name != TEMPORARY)
            if foreign:
                raise RemoteInvalid(
                    f"{self.url} is not an export, and not empty ({', '.join(foreign[:3])}): name an empty"
                    " folder, or a new one"
                )
            return False
        try:
            data = self._read_record()
            if (stated := msgspec.json.decode(data, type=_Stated).format) > FORMAT:
                raise StoreNewer(
                    f"{self.url} holds an export of format {stated}, this eventlog knows {FORMAT}: upgrade"
                    " eventlog, or name another folder"
                )
            self.record = msgspec.json.decode(data, type=Record)
        except (msgspec.DecodeError, RecursionError, DataCorrupt, NotFound) as error:
            raise RemoteInvalid(
                f"{self.url}/{RECORD} is not the record of an export ({error}): name another folder"
            ) from None
        return True

    def _read_record(self) -> bytes:
        # What it was said to have may be out of date, and a read takes all the memory that it is asked for.
        count = _PIECE
        while len(data := self.objects.start(RECORD, count)) == count:
            if count > _LONGEST_RECORD:
                raise DataCorrupt(f"it has more than {_LONGEST_RECORD >> 20} MiB")
            count *= 4
        return data

    def begin(self) -> None:
        """Make it a place for an export."""
        self.objects.make_root()
        self.write_record()

    def look(self) -> None:
        """List what is there, mend the record where a file is not as it says, clear away what is none."""
        self.objects.sweep()
        listed = {
            f"{dataset}/{name}": size
            for dataset in ("events", "scalars")
            for name, size in self.objects.files_in_folders(dataset).items()
        } | {
            f"{dataset}/{name}": size
            for dataset in ("tasks", "parameters")
            for name, size in self.objects.files(dataset).items()
        }
        self.record.files = {name: self._seen(name, size) for name, size in listed.items()}

    def parts(self) -> list[Part]:
        """The parts that are there, as far as their events are: these are written last."""
        found = [
            written.part
            for name, written in self.record.files.items()
            if written.part is not None and name == f"events/{written.part.name}"
        ]
        return sorted(found, key=lambda part: (part.store, part.first))

    def is_even(self, part: Part) -> bool:
        """Whether the scalars of a part are of the same batches as its events."""
        written = self.record.files.get(f"scalars/{part.name}")
        return written is not None and written.part == part

    def digest(self, name: str) -> str:
        """What tells the tasks in a file from what they were; "" if there is none, or nobody knows."""
        written = self.record.files.get(name)
        return "" if written is None else written.digest

    def file(self, name: str, schema: pyarrow.Schema, part: Part | None = None) -> "TargetFile":
        """A file to be written, as a context manager.

        Args:
            name: of a file that may be there already; it is then put in its place, whole.
            part: what it is of.
        """
        return TargetFile(self, name, schema, part)

    def write_record(self) -> None:
        """Write down what the record says by now."""
        self.objects.settle()
        self.objects.replace(RECORD, [msgspec.json.encode(self.record)])
        self.objects.settle()

    def note(self, name: str, written: Written) -> None:
        """Note that a file was written."""
        self.record.files[name] = written
        self.files += 1
        self.bytes += written.size

    def _seen(self, name: str, size: int) -> Written:
        written = self.record.files.get(name)
        if written is None or written.size != size:
            written = Written(size, self._footer(name, size).part)
        # What a file or the record says never becomes a name unchecked.
        place = name.partition("/")[2]
        if name in (TASKS, PARAMETERS):
            return written
        if written.part is None or written.part.name != place or parse_part(place) is None:
            raise self._foreign(name)
        return written

    def _footer(self, name: str, size: int) -> "_About":
        if size > _MOST_BYTES:
            raise self._foreign(name)
        try:
            data = pyarrow.BufferReader(self.objects.start(name, size))
            metadata = pyarrow.parquet.read_metadata(data).metadata or {}
            return msgspec.json.decode(metadata[_KEY], type=_About)
        except EventlogError:
            raise
        except (KeyError, msgspec.DecodeError, RecursionError, pyarrow.ArrowException, OSError):
            # OSError is what it says of a footer that is none.
            raise self._foreign(name) from None

    def _foreign(self, name: str) -> DataCorrupt:
        return DataCorrupt(
            f"{self.url}/{name} was not written by an export, and whoever reads the data set reads it too:"
            " take it away, and export again"
        )


class TargetFile:
    """A file of an export, written on this machine first.

    Attributes:
        name: what it will be called there.
        rows: how many it has so far.
    """

    def __init__(self, target: Target, name: str, schema: pyarrow.Schema, part: Part | None) -> None:
        self.name = name
        self.rows = 0
        self._target = target
        self._part = part
        about = msgspec.json.encode(_About(FORMAT, part))
        self._schema = schema.with_metadata({_KEY: about})

    def __repr__(self) -> str:
        return f"<TargetFile {self.name}: {self.rows} rows>"

    def __enter__(self) -> "TargetFile":
        self._folder = tempfile.TemporaryDirectory(prefix="eventlog-export-", dir=self._target.scratch)
        self._path = Path(self._folder.name) / "file.parquet"
        self._writer = pyarrow.parquet.ParquetWriter(self._path, self._schema, compression="zstd")
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._folder.cleanup()

    def add(self, groups: Iterable[pyarrow.Table]) -> None:
        """Append row groups."""
        for table in groups:
            if table.num_rows:
                self.rows += table.num_rows
                self._writer.write_table(table, row_group_size=table.num_rows)

    def put(self, digest: str = "") -> None:
        """Let readers see it, as it is now.

        Args:
            digest: what tells its rows from those before.
        """
        self._writer.close()
        size = self._path.stat().st_size
        with self._path.open("rb") as file:
            self._target.objects.replace(self.name, iter(lambda: file.read(_PIECE), b""))
        self._target.note(self.name, Written(size, self._part, digest))


class _About(msgspec.Struct):
    """What the footer of a file says of it."""

    format: int
    part: Part | None = None
