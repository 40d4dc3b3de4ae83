"""What the other hosts that share a home have pushed, pulled before anybody here reads."""

import logging
import time
from collections.abc import Container, Set
from pathlib import Path

from eventlog.errors import EventlogError
from eventlog.hosts import shared_remote
from eventlog.store import Store
from eventlog.sync.layout import MARKER, STORES, parse_segment
from eventlog.sync.meeting import pull

__all__ = ["freshen", "freshen_stores"]

log = logging.getLogger("eventlog")

# How old what is here may be.
SECONDS = 1.0


def freshen(store: Store) -> None:
    """Pull from where the hosts meet that share the home; at most once a second in a process.

    The log alone is pulled; artifacts are fetched when they are asked for. What goes wrong is one warning:
    whoever reads goes on with what is here. Where the home is not shared, or nothing was pushed yet, this
    does nothing.
    """
    remote = shared_remote(store.home)
    if remote is None or store.read_only:
        return
    if time.monotonic() - _pulled.get(store.home, -SECONDS) >= SECONDS:
        if (remote / MARKER).exists() and _has_news(store, remote):
            _pull(store, remote, None)
        _pulled[store.home] = time.monotonic()


def freshen_stores(store: Store, stores: Container[bytes]) -> None:
    """Pull what the stores with these ids have pushed, and no more; as `freshen` does all."""
    remote = shared_remote(store.home)
    if remote is not None and not store.read_only and (remote / MARKER).exists():
        _pull(store, remote, stores)


def _pull(store: Store, remote: Path, stores: Container[bytes] | None) -> None:
    try:
        problems = pull(store, remote, choose=_no_blobs, stores=stores).problems
    except EventlogError as error:
        problems = [str(error)]
    new = [line for line in problems if line not in _told]
    if new:
        _told.update(new)
        more = f" (and {len(new) - 1} more)" if new[1:] else ""
        log.warning("eventlog: not all that the other hosts recorded is here: %s%s", new[0], more)


def _no_blobs(digests: Set[str]) -> Set[str]:
    return frozenset()


def _has_news(store: Store, remote: Path) -> bool:
    """Whether names on the remote say that it has what is not here, or cannot be read, which a pull explains.

    As a pull lists them, but without fsspec, whose import takes longer than all else where nothing is new.
    """
    heads = store.heads()
    try:
        for folder in (remote / STORES).iterdir():
            for path in folder.iterdir():
                segment = parse_segment(f"{folder.name}/{path.name}", 0)
                if segment is not None:
                    head = heads.get(segment.store)
                    if head is None or segment.last > head.number:
                        return True
    except OSError:
        return True
    return False


_pulled: dict[Path, float] = {}
_told: set[str] = set()
