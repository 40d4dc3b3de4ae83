"""How copies of the log meet: push, pull, and the two together."""

import os
from collections.abc import Container

from eventlog.errors import (
    DataCorrupt,
    RemoteInvalid,
    RemoteUnreachable,
    StoreForked,
    StoreFull,
    StoreReadOnly,
)
from eventlog.store import Store
from eventlog.sync.compaction import merge_small
from eventlog.sync.layout import Holdings
from eventlog.sync.planning import Plan, plan_pull, plan_push
from eventlog.sync.puller import Puller
from eventlog.sync.pusher import Pusher, lacking
from eventlog.sync.references import Choose
from eventlog.sync.remembered import is_remembered, remember
from eventlog.sync.remote import Remote
from eventlog.sync.repairing import Repairing
from eventlog.sync.results import (
    ProgressCallback,
    PullResult,
    PushResult,
    SyncResult,
    Tally,
    Unpushed,
)

__all__ = ["planned", "pull", "push", "synchronise", "unpushed"]

Url = str | os.PathLike[str]


def push(
    store: Store,
    url: Url,
    progress: ProgressCallback | None = None,
    *,
    choose: Choose | None = None,
    jobs: int | None = None,
    anew: bool = False,
    repair: bool = False,
) -> PushResult:
    """Put on a remote what this store holds, its own batches and others', and the remote lacks.

    A remote is made where nothing is yet. What is pushed already costs one listing. A push that is cut
    off leaves nothing half-written under its name; the next goes on where it stopped.

    Args:
        url: any URL that fsspec knows, or the path of a folder.
        progress: is told how far it has got, about twenty times a second, from any thread.
        choose: which blobs travel now; by default all. The log always travels whole.
        jobs: how many transfers at once; by default as many as their sizes suggest.
        anew: begin a remote also where one was that is gone.
        repair: see to every blob that the log names, also of batches that are there already.

    Returns:
        What was put there. Stores that could not be pushed are among its problems; the others were.

    Raises:
        InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer: the remote cannot be used.
    """
    tally = Tally("push", progress)
    _flush(store, tally)
    with Remote(url) as remote:
        _prepare(store, url, remote, anew=anew)
        if repair:
            Repairing(store).note_missing_there(remote)
        _push(Pusher(store, remote, remote.holdings(), tally, choose=choose, jobs=jobs))
        remember(store, url, remote)
    return tally.result(PushResult)


def pull(
    store: Store,
    url: Url,
    progress: ProgressCallback | None = None,
    *,
    choose: Choose | None = None,
    jobs: int | None = None,
    stores: Container[bytes] | None = None,
    repair: bool = False,
) -> PullResult:
    """Let into this store what a remote holds of any store and is not here.

    Every byte is checked before it is let in: framing, numbers, hashes, the chain, the sessions, the
    blobs. A pull that is cut off leaves the store whole; the next goes on where it stopped.

    Args:
        url: any URL that fsspec knows, or the path of a folder.
        progress: is told how far it has got, about twenty times a second, from any thread.
        choose: which blobs travel now; by default all. The log always travels whole.
        jobs: how many transfers at once; by default as many as their sizes suggest.
        stores: the ids of those to be let in; by default all.
        repair: see to every blob that the log names, also of batches that are here already.

    Returns:
        What was let in. What was damaged or missing is among its problems; the rest was let in.

    Raises:
        InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer: the remote cannot be used.
        StoreFull, StoreReadOnly: the store cannot take it.
    """
    with Remote(url) as remote:
        remote.require()
        tally = Tally("pull", progress)
        if repair:
            Repairing(store).note_missing_here()
        holdings = remote.holdings()
        if stores is not None:
            holdings = {store_id: segments for store_id, segments in holdings.items() if store_id in stores}
        Puller(store, remote, holdings, tally, choose=choose, jobs=jobs).pull()
        remember(store, url, remote)
    return tally.result(PullResult)


def synchronise(
    store: Store,
    url: Url,
    progress: ProgressCallback | None = None,
    *,
    choose: Choose | None = None,
    jobs: int | None = None,
    anew: bool = False,
    repair: bool = False,
) -> SyncResult:
    """Pull, then push, on one listing of the remote.

    The pull comes first, so that a restored copy of this store takes back what it had pushed, and a fork
    is found, before anything is spread. A store that cannot take more still gives what it has. From what can
    only be read, such as a bundle, it is a pull alone, and what is not there is counted.

    Args:
        url, progress, choose, jobs, anew, repair: as of `push` and `pull`.

    Returns:
        What was let in and put there. Where something was let in, and the remote then takes nothing, as one
        on which there is no right to write, that is among the problems.

    Raises:
        InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer: the remote cannot be used.
    """
    pulling, pushing = Tally("pull", progress), Tally("push", progress)
    with Remote(url) as remote:
        holdings = _holdings(remote)
        repairing = Repairing(store) if repair else None
        if repairing:
            repairing.note_missing_here()
        puller = Puller(store, remote, holdings, pulling, choose=choose, jobs=jobs)
        try:
            puller.pull()
        except (StoreFull, StoreReadOnly) as error:
            pulling.problems.append(str(error))
        pulled = pulling.result(PullResult)
        if not remote.is_read_only:
            _flush(store, pushing)
            try:
                _prepare(store, url, remote, anew=anew)
                if repairing:
                    repairing.note_missing_there(remote)
                # So that whoever has them supplies them.
                remote.absent.add(puller.missing)
                _push(Pusher(store, remote, holdings, pushing, pulled=True, choose=choose, jobs=jobs))
            except (RemoteInvalid, RemoteUnreachable) as error:
                if not pulled.batches and not pulled.blobs:
                    raise
                pushing.problems.append(str(error))
        remember(store, url, remote)
        push = None if remote.is_read_only else pushing.result(PushResult)
        return SyncResult(pulled, push, _staying(store, remote, holdings))


def planned(
    store: Store,
    url: Url,
    progress: ProgressCallback | None = None,
    *,
    choose: Choose | None = None,
    pull: bool = True,
    push: bool = True,
    anew: bool = False,
) -> tuple[Plan | None, Plan | None, Unpushed | None]:
    """What a pull and a push would move; nothing is written, here or there.

    What processes have appended and not yet committed is not counted.

    Args:
        url, progress, choose, anew: as of `push` and `pull`.
        pull, push: which of the two is asked about.

    Returns:
        What would be pulled and what would be pushed, None for what was not asked about; and as of
        `SyncResult`, what is not on a remote that can only be read.

    Raises:
        InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer: the remote cannot be used.
    """
    with Remote(url) as remote:
        if not push:
            remote.require()
        if not pull:
            remote.check_writable()
        holdings = _holdings(remote)
        pushes = push and not remote.is_read_only
        if pushes:
            remote.check_place(lambda: not anew and is_remembered(store, url, remote))
        return (
            plan_pull(store, remote, holdings, choose, progress) if pull else None,
            plan_push(store, remote, holdings, choose, progress, pulled=pull) if pushes else None,
            _staying(store, remote, holdings) if push else None,
        )


def unpushed(store: Store, url: Url) -> Unpushed:
    """What this store holds and a remote does not, read off one listing.

    What processes have appended and not yet committed is not counted.

    Raises:
        InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer: the remote cannot be used.
    """
    with Remote(url) as remote:
        holdings = _holdings(remote)
        if not holdings:
            # What was pushed to one that is not there now is no batch that waits.
            remote.check_place(lambda: is_remembered(store, url, remote))
        return _unpushed(store, remote, holdings)


def _staying(store: Store, remote: Remote, holdings: Holdings) -> Unpushed | None:
    """What is not on a remote that can only be read; None of others, and of one that is made once."""
    if not remote.is_read_only or remote.objects.is_made_once:
        return None
    return _unpushed(store, remote, holdings)


def _unpushed(store: Store, remote: Remote, holdings: Holdings) -> Unpushed:
    counts = []
    problems = []
    for copy_of, head in sorted(store.heads().items()):
        try:
            ranges = lacking(store, remote, copy_of, head, holdings.get(copy_of, []))
        except (DataCorrupt, StoreForked) as error:
            problems.append(str(error))
        else:
            counts.append(sum(last - first + 1 for first, last in ranges))
    return Unpushed(sum(counts), sum(count > 0 for count in counts), problems)


def _prepare(store: Store, url: Url, remote: Remote, *, anew: bool) -> None:
    remote.prepare(lambda: not anew and is_remembered(store, url, remote))


def _holdings(remote: Remote) -> Holdings:
    """What a remote holds; nothing where it is still to be made."""
    if remote.is_read_only:
        remote.require()
    return remote.holdings() if remote.state() == "ready" else {}


def _push(pusher: Pusher) -> None:
    pusher.push()
    pusher.tally.problems += merge_small(pusher.store, pusher.remote, pusher.holdings, pusher.put)


def _flush(store: Store, tally: Tally) -> None:
    """Commit what this process has appended; where there is no room for it, the rest is still pushed."""
    try:
        store.flush()
    except (StoreFull, StoreReadOnly) as error:
        tally.problems.append(str(error))
