"""Files that a command writes: whole, or not at all."""

import os
import secrets
from pathlib import Path

from eventlog.errors import InputInvalid

__all__ = ["refuse_special", "write_whole"]


def refuse_special(path: Path) -> None:
    """Make sure that no pipe, device or folder is replaced by a file.

    Raises:
        InputInvalid: there is one.
    """
    if path.exists() and not path.is_file():
        raise InputInvalid(f"{path} is no plain file, and is not replaced: name another one")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; one that is there is replaced once all of the new one is on the disk.

    Raises:
        OSError: it cannot be written; what was there is still there.
        InputInvalid: what is there is no plain file.
    """
    refuse_special(path)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
