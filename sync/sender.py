"""The blobs of a push: those that travel are put there, the others listed as absent before what names them.

A blob that should be here and is not, or is damaged, holds nothing back: it is a problem that is told, and
listed as absent on the remote. Whoever has it supplies it with a later push.
"""

from collections.abc import Iterable, Set

from eventlog.errors import BlobMissing, DataCorrupt
from eventlog.store import Store
from eventlog.sync.blob_lists import BlobLists, FolderPlace
from eventlog.sync.copying import OnBytes
from eventlog.sync.parallel import in_parallel
from eventlog.sync.references import Choose, NamedBlobs, all_named
from eventlog.sync.remote import Remote
from eventlog.sync.results import Tally

__all__ = ["Sender"]


class Sender:
    """Puts blobs of a store on a remote.

    Args:
        choose: which blobs travel now; by default all.
        jobs: how many transfers at once; by default as many as their sizes suggest.
        has: blobs that need not go, by their SHA-256.
    """

    def __init__(
        self,
        store: Store,
        remote: Remote,
        tally: Tally,
        choose: Choose | None,
        jobs: int | None,
        has: Set[str] = frozenset(),
    ) -> None:
        self._store = store
        self._remote = remote
        self._tally = tally
        self._choose = choose
        self._jobs = jobs
        self._lists_here: set[str] | None = None
        # What this push has found out of the remote.
        self._there: set[str] = set(has)
        self._absent: set[str] = set()

    def __repr__(self) -> str:
        return f"<Sender from {self._store!r} to {self._remote!r}>"

    def send_named(self, named: Iterable[NamedBlobs]) -> None:
        """See to the blobs that batches name, which are put next.

        Raises:
            RemoteUnreachable, RemoteInvalid: the remote does not take them.
        """
        outgoing = self._outgoing(all_named(named))
        self._put(outgoing)
        self._remote.absent.add(outgoing.absent)
        self._absent |= outgoing.absent
        self._tally.absent = len(self._absent)

    def send_all(self, digests: Set[str]) -> None:
        """Put those of these blobs that are here and travel now; list the others, and what is lacking here.

        Raises:
            RemoteUnreachable, RemoteInvalid: the remote does not take them.
        """
        here = {digest for digest in digests if digest in self._store.blobs}
        lacking = {digest for digest in self._listed_here() if digest not in self._store.blobs}
        self._absent |= (digests - here | lacking) - self._there
        self._remote.absent.add(self._absent)
        self.send_named([NamedBlobs(set(), here)])

    def supply(self) -> None:
        """Put what the remote lists as absent and is here.

        Raises:
            RemoteUnreachable, RemoteInvalid: the remote does not take it.
        """
        listed = self._remote.absent.digests()
        self._put(self._outgoing(self._to_supply(listed)))
        self._remote.absent.strike(listed & self._there)

    def measure_named(self, named: Iterable[NamedBlobs]) -> dict[str, int]:
        """The bytes of each blob that would be put of those that batches name, unless measured before."""
        return self._measure(all_named(named))

    def measure_supply(self) -> dict[str, int]:
        """The bytes of each blob that the remote lists as absent and that would be put."""
        return self._measure(self._to_supply(self._remote.absent.digests()))

    def _measure(self, named: NamedBlobs) -> dict[str, int]:
        outgoing = self._outgoing(named)
        self._there |= outgoing.sizes.keys() | outgoing.there
        self._absent |= outgoing.absent
        return outgoing.sizes

    def _to_supply(self, listed: Set[str]) -> NamedBlobs:
        here = {digest for digest in listed - self._absent if digest in self._store.blobs}
        if here and self._choose is not None:
            return NamedBlobs(here & self._choose(here), set())
        return NamedBlobs(here, set())

    def _outgoing(self, named: NamedBlobs) -> "_Outgoing":
        """What is to be put of these blobs, and what stays absent; what should be here and is not is told."""
        outgoing = _Outgoing()
        asked = (named.required | named.possible) - self._there - self._absent
        if not asked:
            return outgoing
        chosen = asked if self._choose is None else self._choose(asked)
        there = self._remote.blob_sizes(asked)
        outgoing.there.update(there)
        for digest in sorted(asked):
            try:
                size = self._store.blobs.size(digest)
            except (BlobMissing, OSError) as error:
                is_listed = digest not in there and digest in self._listed_here()
                if digest not in there and (digest in named.required or is_listed):
                    outgoing.absent.add(digest)
                    if not is_listed:
                        self._tally.add_blob_problem(f"{error}; what names it is pushed without it")
            else:
                # One of another size is not whole, as a folder on a stick that was pulled out may hold.
                if there.get(digest) != size and digest in chosen:
                    outgoing.sizes[digest] = size
                elif digest not in there:
                    outgoing.absent.add(digest)
        return outgoing

    def _put(self, outgoing: "_Outgoing") -> None:
        """Put blobs there; those that turn out to be damaged are told, and stay absent."""
        sizes = outgoing.sizes
        if not sizes:
            self._there |= outgoing.there - outgoing.absent
            return
        self._tally.add(blobs_total=len(sizes), bytes_total=sum(sizes.values()))

        def put(digest: str, count: OnBytes) -> None:
            try:
                self._remote.put_blob(digest, self._store.blobs.path(digest), count)
            except (DataCorrupt, BlobMissing) as error:
                if digest not in outgoing.there:
                    outgoing.absent.add(digest)
                self._tally.add_blob_problem(f"{error}; run `eventlog verify`")
            else:
                self._tally.add(blobs=1)

        with self._remote.together():
            in_parallel(put, sizes, self._count_bytes, self._jobs, is_local=self._remote.is_local)
        self._there |= (outgoing.there | sizes.keys()) - outgoing.absent

    def _count_bytes(self, count: int) -> None:
        self._tally.add(bytes=count)

    def _listed_here(self) -> set[str]:
        if self._lists_here is None:
            self._lists_here = BlobLists(FolderPlace(self._store.home)).digests()
        return self._lists_here


class _Outgoing:
    """What is to be done about some blobs.

    Attributes:
        sizes: of those that are to be put, in bytes.
        there: those that the remote has, whole or not.
        absent: those that it does not have afterwards.
    """

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.there: set[str] = set()
        self.absent: set[str] = set()
