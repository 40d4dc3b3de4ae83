"""Copying between two open files without their bytes passing through this process, where that can be done."""

import fcntl
import os

__all__ = ["copy_range", "reflink"]

FICLONE = 0x40049409  # linux/fs.h
RANGE_SIZE = 1 << 20


def reflink(source: int, target: int) -> bool:
    """Make an empty file share the bytes of another; False where the file system cannot."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        # Not this file system, or not between these two: then the bytes are copied.
        return False
    return True


def copy_range(source: int, target: int, offset: int) -> int:
    """Copy a piece at `offset` to the same place; its size, or 0 at the end or where it cannot be done."""
    try:
        return os.copy_file_range(source, target, RANGE_SIZE, offset, offset)
    except (AttributeError, OSError):
        # Whatever it is, plain copying gets around it, or says what it is.
        return 0
