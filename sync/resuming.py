"""What a file that is being written to a remote is called: the next try finds it, and nobody else does."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.sync.layout import RESUMABLE_SIZE

__all__ = ["own_name"]

# New at each start of a machine, and shared by no two.
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def own_name(source: int, digest: str) -> Iterator[str | None]:
    """A name under ``temporary/``, the same each time, that nobody else uses while the block lasts.

    It is derived from the very file that is sent, and the file is locked meanwhile. So two processes of this
    machine never use it at once, and another machine, even a clone of this one, has another name.

    Args:
        source: descriptor of the file.
        digest: its SHA-256 in hexadecimal.

    Returns:
        32 hexadecimal digits; None where the file is small, or another sends it just now.
    """
    status = os.fstat(source)
    boot = _boot_id() if status.st_size >= RESUMABLE_SIZE else ""
    if boot:
        try:
            # Given back when the descriptor is closed.
            fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            boot = ""
    if not boot:
        yield None
        return
    identity = f"{boot}/{status.st_dev}/{status.st_ino}/{status.st_ctime_ns}/{digest}"
    yield hashlib.sha256(identity.encode()).hexdigest()[:32]


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
