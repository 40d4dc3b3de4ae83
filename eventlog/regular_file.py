"""Opening a file that somebody names, or that others may put something else in the place of.

A pipe would be waited for until somebody writes to it, and a device may give bytes without end.
"""

import errno
import os
import stat
from typing import BinaryIO

__all__ = ["NotRegular", "open_regular", "read_regular", "regular_size"]

# Of a path at which there is no file, a link to itself among others.
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class NotRegular(OSError):
    """What was to be read is neither a file nor a folder."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(errno.EINVAL, "it is not a regular file", os.fspath(path))


def open_regular(path: str | os.PathLike[str], *, follow: bool = True) -> BinaryIO:
    """A regular file, opened for reading.

    Args:
        follow: where it is a link, to open what it leads to.

    Raises:
        OSError: it cannot be opened, or is something else.
        ValueError: no file can have such a path.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        raise NotRegular(path)
    return open(descriptor, "rb")


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """What a regular file holds.

    Raises:
        OSError, ValueError: as of `open_regular`, or it cannot be read.
    """
    with open_regular(path) as file:
        return file.read()


def regular_size(path: str) -> int | None:
    """The size in bytes of a regular file, or of what a link there leads to; None where there is none.

    Raises:
        OSError: it cannot be known.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in NOT_THERE:
            return None
        raise
    return status.st_size if stat.S_ISREG(status.st_mode) else None
