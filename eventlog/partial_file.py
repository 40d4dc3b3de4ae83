"""Files that a transfer which is cut off leaves: the next one goes on with them, one process at a time.

What nobody goes on with is swept away after a day.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["SWEEP_AGE_SECONDS", "claim", "hold", "sweep", "sweep_temporary"]

TRIES = 3
SWEEP_AGE_SECONDS = 24 * 3600


def claim(path: Path) -> int | None:
    """The descriptor of a file, made if it is not there, that nobody else writes to until it is closed.

    The file may hold what an earlier one wrote. Whoever is done with it renames or removes it, then closes.

    Returns:
        None where another holds it, or where locks cannot be had.

    Raises:
        OSError: it cannot be opened.
    """
    for _ in range(TRIES):
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        # Another may have renamed it, and let it go, between the two calls: it is a whole file then.
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)
    return None


def hold(descriptor: int) -> None:
    """Let no sweep take a file away, however old it seems, until it is closed; where locks can be had."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def sweep_temporary(home: Path) -> int:
    """Removes what writers that died left in ``temporary`` more than a day ago; returns how many."""
    return sweep(_inside(home / "temporary"))


def sweep(paths: Iterable[Path]) -> int:
    """Removes those of these that writers that died left more than a day ago; returns how many.

    What cannot be removed is left: this never raises for it. So is what a writer holds: a machine may have
    slept for days, or its clock may have been set.
    """
    oldest = time.time() - SWEEP_AGE_SECONDS
    swept = 0
    for path in paths:
        with contextlib.suppress(OSError):
            status = path.lstat()
            if status.st_mtime >= oldest:
                continue
            if stat.S_ISDIR(status.st_mode):
                import shutil  # costs milliseconds that almost no process needs

                shutil.rmtree(path)
            elif not stat.S_ISREG(status.st_mode):
                path.unlink()
            elif not _remove_unless_held(path):
                continue
            swept += 1
    return swept


def _remove_unless_held(path: Path) -> bool:
    """Remove a file; False where a process writes to it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # Kept until it is gone, so that nobody goes on with it meanwhile.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
