"""Another store on this machine as what a pull reads from: batches and blobs, with no remote between."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import BinaryIO

from eventlog.batch import Batch
from eventlog.blobs import BlobWriter
from eventlog.errors import BlobMissing, DataCorrupt, InputInvalid, NotFound
from eventlog.store import Head, Store
from eventlog.sync.blob_lists import BlobLists, FolderPlace
from eventlog.sync.copying import OnBytes, opened, read_whole
from eventlog.sync.layout import Holdings, Segment
from eventlog.sync.objects import check_size

__all__ = ["StoreSource"]


class StoreSource:
    """A store to pull from. It is not believed more than a remote is.

    Args:
        store: the store.
        known: the last batches that the pulling store has, by store id.
    """

    def __init__(self, store: Store, known: Mapping[bytes, Head]) -> None:
        self.url = str(store.home)
        self.absent = BlobLists(FolderPlace(store.home))
        self._store = store
        self._known = known

    def __repr__(self) -> str:
        return f"<StoreSource {self.url}>"

    def holdings(self) -> Holdings:
        """What there is to be pulled, as one segment of each store, from the first batch that is lacking."""
        held: Holdings = {}
        for copy_of, head in self._store.heads().items():
            known = self._known.get(copy_of)
            first = 0 if known is None else min(known.number + 1, head.number)
            held[copy_of] = [Segment(first, head.number, head.hash.hex()[:16], copy_of, 0)]
        return held

    @property
    def advice_on_gaps(self) -> str:
        """What to do when batches are missing in the middle."""
        return "run `eventlog verify` on it"

    @property
    def advice_on_blobs(self) -> str:
        """What to do when a blob is missing."""
        return "run `eventlog sync --repair` there"

    @property
    def advice_on_sides(self) -> str:
        """What to do when a side of a fork is there under its old id."""
        return "run `eventlog fork` there"

    def left_out(self) -> set[str]:
        """Nothing."""
        return set()

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine: nothing is waited for but its disk."""
        return True

    def is_reachable(self) -> bool:
        """Whether it is still there."""
        return self._store.home.is_dir()

    def whole_segment(self, segment: Segment) -> bytes:
        """Nothing: no segment is small, since its size is not known."""
        raise NotFound(f"{segment.object} is not there")

    def segments_of(self, store: bytes) -> list[Segment]:
        """What there is to be pulled of one store."""
        return self.holdings().get(store, [])

    @contextmanager
    def read_segment(
        self, segment: Segment, progress: OnBytes, file: BinaryIO | None = None
    ) -> Iterator[Iterator[Batch]]:
        """The batches of a segment, one by one, as a context manager.

        Args:
            progress: gets the number of bytes of each batch.
        """
        yield self._batches(segment, progress)

    def blob_sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """The sizes, in bytes, of those of these blobs that are there."""
        sizes = {}
        for digest in digests:
            with suppress(BlobMissing, OSError):
                sizes[digest] = self._store.blobs.path(digest).stat().st_size
        return sizes

    def whole_blob(self, digest: str, size: int) -> bytes:
        """A small blob's bytes, as many as were listed.

        Raises:
            NotFound: it is not there.
            DataCorrupt: it cannot be read, or has more bytes, or fewer.
        """
        with self._errors(), opened(self._store.blobs.path(digest)) as descriptor:
            data = read_whole(descriptor, size)
        check_size(len(data), size)
        return data

    def copy_blob(self, digest: str, size: int, writer: BlobWriter, progress: OnBytes) -> None:
        """Write a blob's bytes to a writer, which hashes them.

        Raises:
            NotFound: it is not there.
            DataCorrupt: it cannot be read.
            StoreFull, StoreReadOnly: the writer cannot keep them.
        """
        before = 0

        def advance(done: int) -> None:
            nonlocal before
            progress(done - before)
            before = done

        path = self._store.blobs.path
        with self._errors(), opened(path(digest)) as descriptor:
            writer.take(descriptor, path(digest), advance)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BlobMissing as error:
            raise NotFound(str(error)) from None
        except InputInvalid as error:
            raise DataCorrupt(str(error)) from None

    def _batches(self, segment: Segment, progress: OnBytes) -> Iterator[Batch]:
        for batch in self._store.batches(segment.store, segment.first, segment.last):
            progress(len(batch.data))
            yield batch
