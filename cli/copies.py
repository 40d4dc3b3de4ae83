"""A copy of the log that a command is given: a store, a remote, or a bundle."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from eventlog.cli.opening import no_store, opened_store, views_of
from eventlog.configuration import home_folder
from eventlog.errors import DataCorrupt, NotFound

if TYPE_CHECKING:
    from eventlog.check_report import Report
    from eventlog.cli.progress import Advance
    from eventlog.kept_heads import KeptHeads
    from eventlog.store import Store
    from eventlog.sync.objects import Objects

__all__ = ["Copy", "Head"]


class Head(NamedTuple):
    """A store's last batch: its number, its hash, the time of its last event, and where that happened."""

    number: int
    hash: bytes
    time: int
    host: str = ""


@dataclass(frozen=True)
class Copy:
    """A copy of the log.

    Attributes:
        kind: what it is.
        shown: its folder, URL or file.
        home: of the store that was asked for, where it was named at all.
        is_other: it is not the store that commands work on.
    """

    kind: Literal["store", "remote", "bundle"]
    shown: str
    home: Path | None = None
    is_other: bool = False

    @classmethod
    def named(cls, what: str | None, home: Path | None) -> "Copy":
        """The copy that a person means by a URL, a folder or a file; without one, the store at `home`."""
        if what is None:
            return cls("store", str(home or home_folder()), home)
        if "://" not in what:
            path = Path(what).expanduser().absolute()
            if (path / "log" / "data.mdb").is_file():
                return cls("store", str(path), path, is_other=True)
            if path.is_file():
                return cls("bundle", str(path))
        return cls("remote", what)

    def verify(
        self,
        progress: "Advance | None",
        *,
        against: "KeptHeads | None" = None,
        quick: bool = False,
        jobs: int | None = None,
    ) -> "Report":
        """Check it from the bytes up; see `eventlog.verify` and `eventlog.sync.check_remote`."""
        if self.kind == "store":
            from eventlog.verify import verify

            try:
                return verify(Path(self.shown), progress, against=against, quick=quick, jobs=jobs)
            except NotFound:
                raise no_store(self.home) from None
        from eventlog.sync.check_remote import verify_bundle, verify_remote
        from eventlog.sync.urls import objects_at

        if self.kind == "bundle":
            return verify_bundle(Path(self.shown), progress, against=against, quick=quick, jobs=jobs)
        return verify_remote(objects_at(self.shown), progress, against=against, quick=quick, jobs=jobs)

    def heads(self, *, described: bool = False) -> dict[bytes, Head]:
        """The last batch of each store in it, by store id.

        Args:
            described: with the host, where the copy is a store that knows it.

        Raises:
            DataCorrupt: a last batch is not what was written.
        """
        if self.kind == "store":
            with self._store() as store:
                return dict(_heads(store, described=described))
        from eventlog.sync.check_remote import heads_of

        with self._objects() as objects:
            return {
                store: Head(last.number, last.hash, last.last_time)
                for store, last in heads_of(objects).items()
            }

    @contextmanager
    def _store(self) -> "Iterator[Store]":
        if not self.is_other:
            with opened_store(self.home) as store:
                yield store
            return
        from eventlog.store import Store

        # A copy that was put by is looked at as it is: what its dead sessions left is not for us to commit.
        with Store.open(self.home, create=False, read_only=True) as store:
            yield store

    @contextmanager
    def _objects(self) -> "Iterator[Objects]":
        if self.kind == "remote":
            from eventlog.sync.urls import objects_at

            yield objects_at(self.shown)
            return
        from eventlog.sync.archive import Archive
        from eventlog.sync.zip_objects import ZipObjects

        with Archive(Path(self.shown)) as archive:
            yield ZipObjects(archive)


def _heads(store: "Store", *, described: bool) -> Iterator[tuple[bytes, Head]]:
    sessions = views_of(store).sessions() if described else {}
    for identity, head in store.heads().items():
        for batch in store.batches(identity, head.number, head.number):
            if batch.hash != head.hash:
                raise DataCorrupt(
                    f"batch {head.number} of store {identity.hex()} is not what was written: run"
                    " `eventlog verify`"
                )
            session = sessions.get(batch.session)
            yield identity, Head(head.number, head.hash, batch.last_time, session.host if session else "")
