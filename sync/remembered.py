"""Which remotes a store has met, the last one first: where to look for a blob that is not here.

They lie in ``cache/remotes``, a URL a line, and may be deleted; the file's time is when the first of them was
met. A URL with a secret in it is not kept.
"""

import contextlib
import os
from pathlib import Path

from eventlog.store import Store
from eventlog.sync.file_systems import has_secrets
from eventlog.sync.remote import Remote

__all__ = ["is_remembered", "last_met", "remember", "remembered"]

MOST = 8
LONGEST = 4096


def remember(store: Store, url: str | os.PathLike[str], remote: Remote) -> None:
    """Note that a store has met a remote; nothing is said where that cannot be written."""
    given = _kept(url, remote)
    if store.read_only or has_secrets(given):
        return
    known = remembered(store.home)
    if not _is_sound(given):
        return
    if known[:1] == [given]:
        with contextlib.suppress(OSError):
            os.utime(_path(store.home))
        return
    lines = [given, *(one for one in known if one != given)][:MOST]
    path = _path(store.home)
    partial = path.with_name(f".remotes-{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            partial.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def is_remembered(store: Store, url: str | os.PathLike[str], remote: Remote) -> bool:
    """Whether a store is known to have met a remote."""
    return _kept(url, remote) in remembered(store.home)


def remembered(home: Path) -> list[str]:
    """The URLs of the remotes that the store in a folder has met, the last one first."""
    try:
        with _path(home).open("rb") as file:
            text = file.read(MOST * LONGEST).decode("utf-8", "replace")
    except OSError:
        return []
    return [one for one in text.splitlines() if _is_sound(one)][:MOST]


def last_met(home: Path) -> tuple[str, int] | None:
    """The remote that the store in a folder met last, and when, in milliseconds since 1970-01-01 UTC."""
    known = remembered(home)
    try:
        return (known[0], _path(home).stat().st_mtime_ns // 1_000_000) if known else None
    except OSError:
        return None


def _kept(url: str | os.PathLike[str], remote: Remote) -> str:
    """What is kept of a remote: its URL as it was given, a folder's path whole."""
    given = os.fspath(url)
    return given if "://" in given else remote.url


def _path(home: Path) -> Path:
    return home / "cache" / "remotes"


def _is_sound(url: str) -> bool:
    return bool(url) and len(url) <= LONGEST and url.isprintable()
