"""Blobs: the bytes of artifacts, models, plots and images, each a write-once file named by its SHA-256.

A blob is written in the store's ``temporary`` folder, hashed from what was written there, synced, and
only then renamed to ``blobs/ab/abcdef…``: under its name there is never half a blob, nor one whose source
changed while it was read. Any number of processes may put the same bytes at once.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import queue
import secrets
import stat
import threading
import time
from collections.abc import Buffer, Callable, Iterator
from pathlib import Path
from types import TracebackType

from eventlog.errors import BlobMissing, DataCorrupt, InputInvalid, StoreFull, StoreReadOnly

__all__ = ["BlobWriter", "Blobs", "sweep_temporary"]

PIECE_SIZE = 1 << 20
SWEEP_AGE_SECONDS = 24 * 3600
FICLONE = 0x40049409  # linux/fs.h
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_RIGHT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
