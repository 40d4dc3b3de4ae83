"""A remote: the copies of stores that lie under one URL, in the layout of `eventlog.sync.layout`."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from eventlog.batch import Batch
from eventlog.blobs import BlobWriter
from eventlog.errors import NotFound, RemoteInvalid, RemoteUnreachable, StoreNewer
from eventlog.sync.blob_lists import BlobLists, ObjectsPlace
from eventlog.sync.copying import OnBytes
from eventlog.sync.layout import (
    BLOBS,
    FORMAT,
    MARKER,
    MARKER_TEXT,
    STORES,
    TEMPORARY,
    Holdings,
    Segment,
    blob_object,
    is_bundle_name,
    is_digest,
    marker_format,
    parse_segment,
)
from eventlog.sync.objects import Objects, check_size
from eventlog.sync.segment import read_batches, segment_pieces, segment_size
from eventlog.sync.urls import objects_at

__all__ = ["Remote"]


class Remote:
    """The copies of stores under a URL. Nothing there is ever changed once written. A context manager.

    Args:
        url: any URL that fsspec knows, the path of a folder or of a bundle; or the objects themselves.

    Attributes:
        absent: which blobs are known not to be there, as listed when first asked.

    Raises:
        InputInvalid, RemoteInvalid: the URL cannot be used.
    """

    def __init__(self, url: str | os.PathLike[str] | Objects) -> None:
        self.objects = url if isinstance(url, Objects) else objects_at(url)
        self.url = self.objects.shown
        self.absent = BlobLists(ObjectsPlace(self.objects))

    def __repr__(self) -> str:
        return f"<Remote {self.url}>"

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self.objects.close()

    @property
    def advice_on_gaps(self) -> str:
        """What to do when batches are missing in the middle."""
        return self.objects.advice_on_gaps

    @property
    def advice_on_blobs(self) -> str:
        """What to do when a blob is missing."""
        return self.objects.advice_on_blobs

    @property
    def advice_on_sides(self) -> str:
        """What to do when a side of a fork is there under its old id."""
        return self.objects.advice_on_sides

    def left_out(self) -> set[str]:
        """The blobs that a bundle leaves out, as the side that it is for has them; none elsewhere."""
        return self.objects.left_out()

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine: nothing is waited for but its disk."""
        return self.objects.is_local

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be pushed to it, as to a bundle, or a folder that a web server publishes."""
        return self.objects.is_read_only

    def state(self) -> Literal["missing", "empty", "ready"]:
        """Whether it is there, and a remote.

        Raises:
            RemoteInvalid: something else is there.
            StoreNewer: it was made by a newer version of eventlog.
            RemoteUnreachable: it cannot be read.
        """
        if self._is_marked():
            return "ready"
        names = self.objects.names()
        if names is None:
            return "missing"
        # Whoever makes a remote now, or died making it, has a folder for what is being written there.
        foreign = sorted(name for name in names if name != TEMPORARY)
        if not foreign:
            return "empty"
        if self._is_marked():
            return "ready"
        if self.is_read_only:
            raise RemoteInvalid(f"{self.url} is not of eventlog: it holds {', '.join(foreign[:3])}")
        raise RemoteInvalid(
            f"{self.url} is not a remote, and not empty ({', '.join(foreign[:3])}): name an empty folder,"
            " or a new one"
        )

    def require(self) -> None:
        """Make sure that there is a remote to read.

        Raises:
            RemoteUnreachable: nothing is there.
            RemoteInvalid, StoreNewer: see `state`.
        """
        state = self.state()
        if state == "missing":
            instead = (
                "make it with `eventlog bundle create`" if is_bundle_name(self.url) else "push to it first"
            )
            raise RemoteUnreachable(f"{self.url} is not there: check the name, or {instead}")
        if state == "empty":
            raise RemoteInvalid(f"{self.url} is empty, so nothing can be pulled: push to it first")

    def is_reachable(self) -> bool:
        """Whether it still answers: if so, what failed is wrong with one object alone."""
        try:
            return self._is_marked()
        except (RemoteUnreachable, RemoteInvalid):
            return False

    def prepare(self, was_there: Callable[[], bool] = lambda: False) -> None:
        """Make it a remote, if it is none yet, and clear away what dead writers left.

        Args:
            was_there: whether there is known to have been one, as on a stick: then none is made.

        Raises:
            RemoteUnreachable: it cannot be written, or was there and is gone.
            RemoteInvalid: it can only be read, or see `state`.
            StoreNewer: see `state`.
        """
        self.check_writable()
        if self.state() != "ready":
            self._refuse_gone(was_there)
            self.objects.make_root()
            self.objects.put(MARKER, [MARKER_TEXT])
            self.objects.settle()
        self.objects.sweep()

    def check_writable(self) -> None:
        """Make sure that it is none that can only be read; nothing is looked at.

        Raises:
            RemoteInvalid: it is.
        """
        self.objects.check_writable()

    def check_place(self, was_there: Callable[[], bool] = lambda: False) -> None:
        """Make sure that `prepare` would find a remote, or a place for one; nothing is written.

        Raises:
            InputInvalid, RemoteUnreachable, RemoteInvalid, StoreNewer: as of `prepare`.
        """
        if self.state() == "ready":
            self.objects.check_name()
        else:
            self._refuse_gone(was_there)
            self.objects.check_place()

    def holdings(self) -> Holdings:
        """What it holds, read off the names of its segments in one listing."""
        held: Holdings = {}
        for name, size in self.objects.files_in_folders(STORES).items():
            segment = parse_segment(name, size)
            if segment is not None:
                held.setdefault(segment.store, []).append(segment)
        return held

    def segments_of(self, store: bytes) -> list[Segment]:
        """What it holds of one store, listed anew."""
        folder = store.hex()
        listed = self.objects.files(f"{STORES}/{folder}").items()
        found = (parse_segment(f"{folder}/{name}", size) for name, size in listed)
        return [segment for segment in found if segment is not None]

    @contextmanager
    def read_segment(
        self, segment: Segment, progress: OnBytes, file: BinaryIO | None = None
    ) -> Iterator[Iterator[Batch]]:
        """The batches of a segment, one by one, as a context manager; see `segment.read_batches`.

        Args:
            progress: gets the number of bytes of each piece.
            file: what it holds, where that was fetched already.

        Raises:
            NotFound: it is gone.
        """
        with file or self.objects.open(segment.object) as source:
            yield self._unless_broken_off(segment, read_batches(source, segment.size, progress))

    def whole_segment(self, segment: Segment) -> bytes:
        """What a segment holds, for one that is small.

        Raises:
            NotFound: it is gone.
        """
        return self.objects.start(segment.object, segment.size + 1)

    def put_segment(self, store: bytes, batches: Sequence[Batch], last_hash: bytes) -> Segment:
        """Write consecutive batches of a store as a segment.

        Every blob that they name is there already, or listed as absent.
        """
        segment = Segment(
            batches[0].number, batches[-1].number, last_hash.hex()[:16], store, segment_size(batches)
        )
        self.put_chain(segment, batches)
        return segment

    def put_chain(self, segment: Segment, batches: Iterable[Batch]) -> None:
        """Write a segment whose batches come one by one, whole or not at all."""
        self.objects.put(segment.object, segment_pieces(batches))

    def blob_sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """The sizes, in bytes, of those of these blobs that it holds."""
        names = {blob_object(digest): digest for digest in digests}
        return {names[name]: size for name, size in self.objects.sizes(names).items()}

    def together(self) -> AbstractContextManager[None]:
        """A block in which blobs are put that need to be there only at its end, which is faster."""
        return self.objects.together()

    def all_blobs(self) -> dict[str, int]:
        """The sizes, in bytes, of all blobs that it holds, by SHA-256, in one listing."""
        found = self.objects.files_in_folders(BLOBS)
        sizes = {name.partition("/")[2]: size for name, size in found.items()}
        return {name: size for name, size in sizes.items() if is_digest(name)}

    def put_blob(self, digest: str, source: Path, progress: OnBytes) -> None:
        """Write a blob from a file, if the file's bytes have its hash.

        Args:
            progress: gets the number of bytes of each piece.

        Raises:
            DataCorrupt: they do not; nothing was written.
        """
        self.objects.put_file(blob_object(digest), source, digest, progress)

    def whole_blob(self, digest: str, size: int) -> bytes:
        """A small blob's bytes, as many as were listed.

        Raises:
            NotFound: it is not there.
            DataCorrupt: it has more bytes, or fewer.
        """
        data = self.objects.start(blob_object(digest), size + 1)
        check_size(len(data), size)
        return data

    def copy_blob(self, digest: str, size: int, writer: BlobWriter, progress: OnBytes) -> None:
        """Write a blob's bytes to a writer, which hashes them.

        Args:
            size: how many they are, as listed: no more are taken.
            progress: gets the number of bytes of each piece.

        Raises:
            NotFound: it is not there.
            DataCorrupt: it has more bytes.
            StoreFull, StoreReadOnly: the writer cannot keep them.
        """
        self.objects.copy(blob_object(digest), size, writer, progress)

    def settle(self) -> None:
        """Return once everything written so far will outlast a power cut."""
        self.objects.settle()

    def _refuse_gone(self, was_there: Callable[[], bool]) -> None:
        if was_there():
            raise RemoteUnreachable(
                f"{self.url} was a remote when this store met it last, and is not there now: check that"
                " it is mounted, or begin it anew with `eventlog sync --new`"
            )

    def _is_marked(self) -> bool:
        try:
            text = self.objects.start(MARKER, 64)
        except NotFound:
            return False
        number = marker_format(text)
        if number is None:
            raise RemoteInvalid(f"{self.url}/{MARKER} is not the marker of a remote: name another folder")
        if number > FORMAT:
            raise StoreNewer(
                f"{self.url} has format {number}, this eventlog knows {FORMAT}: upgrade eventlog to use it"
            )
        return True

    def _unless_broken_off(self, segment: Segment, batches: Iterator[Batch]) -> Iterator[Batch]:
        with self.objects.errors(segment.object):
            yield from batches
