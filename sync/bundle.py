"""Bundles: a remote in a single zip file, for a stick, an attachment, or a machine without a network."""

import contextlib
import secrets
import zipfile
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import NamedTuple

from eventlog.errors import DataCorrupt, InputInvalid, RemoteUnreachable
from eventlog.group_sync import sync_folders
from eventlog.kept_heads import MOST_BYTES, KeptHeads, heads_text, load_heads, read_heads
from eventlog.partial_file import sweep
from eventlog.regular_file import open_regular
from eventlog.store import Store
from eventlog.sync.archive import Archive, claims_too_much
from eventlog.sync.blob_lists import BlobLists, ObjectsPlace
from eventlog.sync.forks import hash_of
from eventlog.sync.layout import HAD, MARKER, SINCE, Holdings, Segment
from eventlog.sync.puller import Puller
from eventlog.sync.pusher import Pusher
from eventlog.sync.references import Choose
from eventlog.sync.remote import Remote
from eventlog.sync.results import ProgressCallback, PullResult, PushResult, Tally
from eventlog.sync.store_source import StoreSource
from eventlog.sync.zip_objects import ZipObjects, ZipTarget

__all__ = ["NOTHING", "Known", "export_bundle", "is_bundle", "known_to", "pull_bundle", "pull_store"]


class Known(NamedTuple):
    """What the side that a bundle is for has already.

    Attributes:
        holdings: of each store, one segment from its first batch on.
        absent: SHA-256 of blobs that are named in these, and that it is known not to have.
        blobs: SHA-256 of blobs that it is known to have.
        tells_blobs: whether that is known: heads tell what it has of the log, and nothing of blobs.
    """

    holdings: Holdings
    absent: frozenset[str] = frozenset()
    blobs: frozenset[str] = frozenset()
    tells_blobs: bool = True


NOTHING = Known({})


def known_to(other: str) -> Known:
    """What another side has, by something that it gave or that it was given.

    Args:
        other: a bundle, a file that `eventlog head -o` wrote, or the URL or folder of a remote.

    Raises:
        InputInvalid, DataCorrupt, RemoteInvalid, RemoteUnreachable, StoreNewer: it cannot be read as one.
    """
    path = Path(other).expanduser()
    if "://" not in other and path.is_file() and not _is_zip(path):
        heads, _ = load_heads(path)
        return Known(_up_to_heads(heads), tells_blobs=False)
    with Remote(other) as remote:
        remote.require()
        held = remote.holdings()
        # A bundle that goes on from another one was for a side that has both.
        holdings = _up_to_heads(_goes_on_from(remote))
        for store, segments in held.items():
            last = max([*segments, *holdings.get(store, [])], key=lambda one: one.last)
            holdings[store] = [_up_to(store, last.last, last.mark)]
        blobs = frozenset(remote.all_blobs()) | remote.left_out()
        return Known(holdings, frozenset(remote.absent.digests() - blobs), blobs)


def export_bundle(
    store: Store,
    path: Path,
    progress: ProgressCallback | None = None,
    *,
    known: Known = NOTHING,
    choose: Choose | None = None,
    may_place: Callable[[], None] = lambda: None,
) -> PushResult:
    """Write all that is committed in a store, its blobs too, into one zip file, laid out as a remote.

    It is written beside its place and renamed when it is whole and on the disk; a file that was there is
    replaced. Nothing passes through memory as a whole.

    Args:
        path: the zip file.
        known: what is left out, since whoever gets it has it already.
        choose: which blobs are in it; by default all that the other side may lack. Where nothing is known of
            what it has, all that are chosen are in it.
        may_place: is called before it takes its place; what it raises keeps it from there.

    Returns:
        What is in it. What could not be put there is among its problems.

    Raises:
        RemoteUnreachable: it cannot be written: no room, or no right.
    """

    def write(temporary: Path, *, deflate: bool) -> tuple[PushResult, int]:
        return _write(store, temporary, path, progress, known, choose, deflate=deflate)

    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    # Of processes that were killed. One that is written now is not a day old.
    left = path.parent.glob(f".{escape(path.name)}-{'[0-9a-f]' * 16}")
    sweep(one for one in left if one.is_file() and not one.is_symlink())
    try:
        result, content = write(temporary, deflate=True)
        if claims_too_much(content, temporary.stat().st_size):
            # What compresses like this would be taken for a bomb, so it is kept as long as it is.
            temporary.unlink()
            result, _ = write(temporary, deflate=False)
        may_place()
        temporary.replace(path)
        sync_folders([path.parent])
    except OSError as error:
        if isinstance(error, RemoteUnreachable):
            raise
        raise RemoteUnreachable(
            f"{path} cannot be written ({error.strerror}): check its disk and its rights"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return result


def is_bundle(archive: Archive) -> bool:
    """Whether a zip file is a remote."""
    return MARKER in archive.sizes


def pull_bundle(store: Store, archive: Archive, progress: ProgressCallback | None = None) -> PullResult:
    """Let into a store what a bundle holds and is not here, checked as what comes from a remote is.

    Returns:
        What was let in. What was damaged or missing is among its problems; the rest was let in.

    Raises:
        RemoteInvalid, StoreNewer: it is no bundle, or one of a newer version.
        StoreFull, StoreReadOnly: the store cannot take it.
    """
    remote = Remote(ZipObjects(archive))
    remote.require()
    tally = Tally("pull", progress)
    Puller(store, remote, remote.holdings(), tally).pull()
    return tally.result(PullResult)


def pull_store(store: Store, other: Store, progress: ProgressCallback | None = None) -> PullResult:
    """Let into a store what another one on this machine has committed and is not here.

    Raises:
        StoreFull, StoreReadOnly: the store cannot take it.
    """
    if other.id == store.id:
        raise InputInvalid(f"{other.home} is the store that it would be imported into: name another one")
    source = StoreSource(other, store.heads())
    tally = Tally("pull", progress)
    Puller(store, source, source.holdings(), tally).pull()
    return tally.result(PullResult)


def _is_zip(path: Path) -> bool:
    """Whether a file is a zip file, or was one before it was cut short."""
    with contextlib.suppress(OSError), open_regular(path) as file:
        return file.read(2) == b"PK" or zipfile.is_zipfile(file)
    return False


def _goes_on_from(remote: Remote) -> KeptHeads:
    """The heads that a bundle goes on from; none where it is a whole one, or no bundle."""
    objects = remote.objects
    size = objects.size(SINCE) if isinstance(objects, ZipObjects) else None
    if size is None:
        return KeptHeads(SINCE, {})
    if size > MOST_BYTES:
        raise DataCorrupt(f"{SINCE} in {remote.url} has {size} bytes, more than heads ever have")
    return read_heads(objects.start(SINCE, size + 1), f"{SINCE} in {remote.url}")


def _since(store: Store, known: Known) -> dict[bytes, tuple[int, bytes]]:
    """The heads that a bundle goes on from, also of the stores that have nothing new.

    Without these, a bundle that goes on from this one would begin them anew.
    """
    heads = {}
    here = store.heads()
    for copy_of in here.keys() & known.holdings.keys():
        (segment,) = known.holdings[copy_of]
        if segment.last > here[copy_of].number:
            continue
        # Damage is told by the push.
        with contextlib.suppress(DataCorrupt):
            digest = hash_of(store, copy_of, segment.last, here[copy_of])
            if segment.ends_with(digest):
                heads[copy_of] = segment.last, digest
    return heads


def _up_to_heads(heads: KeptHeads) -> Holdings:
    return {store: [_up_to(store, head.number, head.hash.hex()[:16])] for store, head in heads.heads.items()}


def _up_to(store: bytes, last: int, mark: str) -> Segment:
    return Segment(0, last, mark, store, 0)


def _write(
    store: Store,
    path: Path,
    shown: Path,
    progress: ProgressCallback | None,
    known: Known,
    choose: Choose | None,
    *,
    deflate: bool,
) -> tuple[PushResult, int]:
    target = ZipTarget(path, str(shown), deflate=deflate)
    try:
        remote = Remote(target)
        remote.prepare()
        tally = Tally("push", progress)
        # What either side lacks goes along, or is listed as absent, whoever this bundle is read by later.
        both = {digest for digest in known.blobs if digest in store.blobs}
        pusher = Pusher(store, remote, known.holdings, tally, choose=choose, has=both)
        lacking = known.absent
        if choose is not None and not known.tells_blobs:
            lacking = frozenset(choose(frozenset(store.blobs)))
        pusher.supply(lacking)
        pusher.push()
        if since := _since(store, known):
            target.put(SINCE, [heads_text(since).encode()])
        # Those that no batch here names are for a bundle that goes on from this one.
        BlobLists(ObjectsPlace(target, HAD)).add(both)
        target.close()
    except BaseException:
        target.abandon()
        raise
    return tally.result(PushResult), target.content
