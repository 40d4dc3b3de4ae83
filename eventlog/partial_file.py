"""Files that a transfer which is cut off leaves, for the next one to go on with; one process at a time."""

import fcntl
import os
from pathlib import Path

__all__ = ["claim"]

TRIES = 3


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


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
