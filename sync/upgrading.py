"""What an older version let in without being able to read it all: the blobs that it could not know of."""

import contextlib
import hashlib
from pathlib import Path

from eventlog.errors import DataCorrupt, StoreNewer
from eventlog.events import EVENT_KINDS
from eventlog.store import Store
from eventlog.sync.references import named_blobs

__all__ = ["blobs_overlooked", "note_kinds"]

KINDS = hashlib.sha256(
    repr([(name, kind.__struct_fields__) for name, kind in sorted(EVENT_KINDS.items())]).encode()
).hexdigest()


def blobs_overlooked(store: Store) -> set[str] | None:
    """Blobs that others' batches name and that are not here, if other kinds of event were known till now.

    Reads all that is here of others once after each upgrade; to be asked before more is let in.

    Returns:
        None if these kinds were known already. Else the blobs; once they are seen to, `note_kinds`.
    """
    others = store.heads().keys() - {store.id}
    if others and _are_noted(store.home):
        return None
    overlooked = set()
    for copy_of in others:
        with contextlib.suppress(DataCorrupt, StoreNewer):
            for batch in store.batches(copy_of):
                with contextlib.suppress(DataCorrupt):
                    overlooked |= {one for one in named_blobs(batch).required if one not in store.blobs}
    return overlooked


def note_kinds(store: Store) -> None:
    """Note that all that is here of others was read by a program that knows these kinds of event."""
    if not store.heads().keys() - {store.id}:
        return
    path = _path(store.home)
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(KINDS, encoding="ascii")


def _are_noted(home: Path) -> bool:
    try:
        return _path(home).read_bytes() == KINDS.encode()
    except OSError:
        return False


def _path(home: Path) -> Path:
    return home / "cache" / "kinds"
