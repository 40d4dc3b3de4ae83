"""The blobs of a pull: those that travel are taken in, the others listed as absent before what names them.

A blob that cannot be had holds nothing back. It is listed as absent here, and asked for again by each pull.
"""

from collections.abc import Iterable, Set
from typing import TYPE_CHECKING

from eventlog.errors import DataCorrupt, EventlogError, NotFound, RemoteInvalid, RemoteUnreachable
from eventlog.store import Store
from eventlog.sync.blob_lists import BlobLists, FolderPlace
from eventlog.sync.copying import WHOLE_SIZE, OnBytes
from eventlog.sync.failures import passed_over
from eventlog.sync.layout import RESUMABLE_SIZE, blob_object
from eventlog.sync.parallel import in_parallel
from eventlog.sync.references import Choose, NamedBlobs, all_named
from eventlog.sync.results import Tally
from eventlog.sync.upgrading import blobs_overlooked, note_kinds

if TYPE_CHECKING:
    from eventlog.sync.puller import Source

__all__ = ["Fetcher"]


class Fetcher:
    """Takes blobs from a remote into a store.

    Args:
        choose: which blobs travel now; by default all.
        jobs: how many transfers at once; by default as many as their sizes suggest.

    Attributes:
        missing: blobs that the remote should have, and neither has nor lists as absent.
    """

    def __init__(
        self, store: Store, remote: "Source", tally: Tally, choose: Choose | None, jobs: int | None
    ) -> None:
        self._store = store
        self._remote = remote
        self._tally = tally
        self._choose = choose
        self._jobs = jobs
        self._absent_here = BlobLists(FolderPlace(store.home))
        # Asked for in this pull already.
        self._tried: set[str] = set()
        # Named by what was let in, and not on the remote.
        self._not_there: set[str] = set()
        self._overlooked: set[str] | None = None
        self.missing: set[str] = set()

    def __repr__(self) -> str:
        return f"<Fetcher from {self._remote!r} into {self._store!r}>"

    def begin(self) -> None:
        """Look for what an older version has overlooked, before more is let in."""
        self._overlooked = blobs_overlooked(self._store)

    def fetch_named(self, named: Iterable[NamedBlobs]) -> None:
        """See to the blobs that batches name, which are let in next.

        Raises:
            RemoteUnreachable: the remote broke off.
            StoreFull, StoreReadOnly: the store cannot take them.
        """
        every = all_named(named)
        required, possible = map(self._lacking, every)
        # Somebody may have put them here a moment ago, and been killed.
        self._store.blobs.settle(every.required - required)
        if self._choose is None:
            self._not_there |= self._fetch(required - self._tried, possible - self._tried) & required
            absent = self._lacking(required)
            if doubtful := self._lacking(possible):
                # What is listed as absent there is a blob, whatever the event is that names it.
                absent |= doubtful & self._remote.absent.digests()
        else:
            # What is chosen is known once the log is here; till then all of it is absent.
            absent = required | self._remote.blob_sizes(possible).keys()
        self._absent_here.add(absent)

    def finish(self, *, covers_log: bool) -> None:
        """Fetch what travels of all that is absent here, and count what stays so.

        Args:
            covers_log: the remote holds all that is here of others' logs.

        Raises:
            RemoteUnreachable: the remote broke off.
            StoreFull, StoreReadOnly: the store cannot take them.
        """
        if self._overlooked is not None:
            self._absent_here.add(self._overlooked)
            note_kinds(self._store)
        wanted = self._wanted()
        if wanted or self._not_there:
            listed_there = self._remote.absent.digests()
            # What was put there since, or before its list was deleted, is found when asked for again.
            suspect = (wanted | self._not_there) - listed_there
            gone = self._fetch(suspect)
            if gone and not covers_log:
                # What a bundle takes to be here is told where it is not, though it may name it nowhere.
                gone &= self._not_there | self._remote.left_out()
            self.missing = gone
            for digest in sorted(self.missing):
                self._tally.add_blob_problem(
                    f"{self._remote.url}/{blob_object(digest)} is not there, nor listed as absent:"
                    f" {self._remote.advice_on_blobs}"
                )
            if self._choose is not None:
                # Chosen by name: then what is listed is asked for as well, since a list may be out of date.
                self._fetch(wanted & listed_there)
            self._tally.problems += self._remote.absent.problems
        listed_here = self._absent_here.digests()
        still_absent = self._lacking(listed_here)
        self._absent_here.strike(listed_here - still_absent)
        self._tally.absent = len(still_absent)
        self._tally.problems += self._absent_here.problems

    def measure_named(self, named: Iterable[NamedBlobs]) -> dict[str, int]:
        """The bytes of each blob that could be fetched of those that batches name, unless measured before."""
        required, possible = map(self._lacking, all_named(named))
        sizes = self._remote.blob_sizes((required | possible) - self._tried)
        self._tried |= sizes.keys()
        return sizes

    def measure_absent(self) -> dict[str, int]:
        """The bytes of each blob that is listed as absent here and would be fetched."""
        wanted = self._wanted()
        return self._remote.blob_sizes(wanted - self._remote.absent.digests()) if wanted else {}

    def _wanted(self) -> set[str]:
        """What travels of the blobs that are listed as absent here, and was not asked for yet."""
        absent = self._lacking(self._absent_here.digests())
        if absent and self._choose is not None:
            absent = absent & self._choose(absent)
        return absent - self._tried

    def _lacking(self, digests: Set[str]) -> set[str]:
        return {digest for digest in digests if digest not in self._store.blobs}

    def _fetch(self, digests: Set[str], possible: Set[str] = frozenset()) -> set[str]:
        """Take in blobs; returns those that are not on the remote.

        Args:
            digests: their names.
            possible: what may be the names of others, of which nothing is said if it is not.
        """
        asked = set(digests | possible)
        sizes = self._remote.blob_sizes(asked)
        if not sizes:
            return asked
        self._tried |= sizes.keys()
        self._tally.add(blobs_total=len(sizes), bytes_total=sum(sizes.values()))

        def fetch(digest: str, count: OnBytes) -> None:
            try:
                size = sizes[digest]
                if size < WHOLE_SIZE:
                    data = self._remote.whole_blob(digest, size)
                    count(size)
                    blobs.put_bytes(data, expected=digest, group=group)
                else:
                    resumable = size >= RESUMABLE_SIZE
                    with blobs.writer(expected=digest, resumable=resumable, group=group) as writer:
                        self._remote.copy_blob(digest, size, writer, count)
            except (DataCorrupt, NotFound, RemoteInvalid, RemoteUnreachable) as error:
                self._note(digest, error, is_told=digest in digests)
            else:
                self._tally.add(blobs=1)

        blobs = self._store.blobs
        with blobs.together() as group:
            in_parallel(fetch, sizes, self._count_bytes, self._jobs, is_local=self._remote.is_local)
        return asked - sizes.keys()

    def _note(self, digest: str, error: EventlogError, *, is_told: bool) -> None:
        if isinstance(error, RemoteUnreachable) and not self._remote.is_reachable():
            raise error
        if is_told:
            self._tally.add_blob_problem(passed_over(self._remote.url, blob_object(digest), error))

    def _count_bytes(self, count: int) -> None:
        self._tally.add(bytes=count)
