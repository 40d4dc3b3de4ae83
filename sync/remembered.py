"""Which remotes a store has met, the last one first: where to look for a blob that is not here.

They lie in ``cache/remotes``, a URL a line, and may be deleted. A URL with a secret in it is not kept.
"""

import contextlib
import os
from pathlib import Path

from eventlog.store import Store
from eventlog.sync.remote import Remote

__all__ = ["remember", "remembered"]

MOST = 8
LONGEST = 4096


def remember(store: Store, url: str | os.PathLike[str], remote: Remote) -> None:
    """Note that a store has met a remote; nothing is said where that cannot be written."""
    given = os.fspath(url)
    # As it is shown, a URL has no secrets: then this one had some.
    if store.read_only or ("://" in given and given != remote.url):
        return
    known = remembered(store.home)
    if known[:1] == [remote.url] or not _is_sound(remote.url):
        return
    lines = [remote.url, *(one for one in known if one != remote.url)][:MOST]
    path = _path(store.home)
    partial = path.with_name(f".remotes-{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            partial.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def remembered(home: Path) -> list[str]:
    """The URLs of the remotes that the store in a folder has met, the last one first."""
    try:
        with _path(home).open("rb") as file:
            text = file.read(MOST * LONGEST).decode("utf-8", "replace")
    except OSError:
        return []
    return [one for one in text.splitlines() if _is_sound(one)][:MOST]


def _path(home: Path) -> Path:
    return home / "cache" / "remotes"


def _is_sound(url: str) -> bool:
    return bool(url) and len(url) <= LONGEST and url.isprintable()
