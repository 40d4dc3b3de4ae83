"""Blobs that are handed out: their bytes are checked against the SHA-256 that names them, each time.

A disk may give back other bytes than it was given, and a blob is never looked at again by who wrote it. One
that is not here is fetched.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from eventlog.blobs import Blobs
from eventlog.errors import DataCorrupt
from eventlog.sdk.remote_blobs import found_blob

__all__ = ["check_blob", "copy_blob", "damaged", "has_digest", "read_blob"]

_PIECE = 1 << 20


def check_blob(blobs: Blobs, digest: str, what: str, progress: Callable[[int], object] | None = None) -> Path:
    """The file of a blob that is sound.

    Args:
        what: it holds, for the message: "artifact 'model'".
        progress: gets the number of bytes looked at so far.

    Raises:
        BlobMissing: it is not here, nor on a remote that is known here.
        DataCorrupt: its bytes are not those that it is named by.
    """
    path = found_blob(blobs, digest, what)
    if not has_digest(path, digest, progress):
        raise damaged(path, digest, what)
    return path


def read_blob(blobs: Blobs, digest: str, what: str) -> bytes:
    """The bytes of a blob; arguments and errors are those of `check_blob`."""
    path = found_blob(blobs, digest, what)
    try:
        data = path.read_bytes()
    except OSError:
        raise damaged(path, digest, what) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise damaged(path, digest, what)
    return data


def copy_blob(blobs: Blobs, digest: str, what: str, to: BinaryIO) -> None:
    """Write the bytes of a blob of any size; at the error they are written, and are not to be used.

    Arguments and errors are those of `check_blob`.
    """
    path = found_blob(blobs, digest, what)
    hasher = hashlib.sha256()
    with path.open("rb") as source:
        while piece := _read(source, path, digest, what):
            hasher.update(piece)
            to.write(piece)
    if hasher.hexdigest() != digest:
        raise damaged(path, digest, what)


def has_digest(path: Path, digest: str, progress: Callable[[int], object] | None = None) -> bool:
    """Whether a file can be read and has this SHA-256."""
    hasher = hashlib.sha256()
    buffer = memoryview(bytearray(_PIECE))
    done = 0
    try:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                hasher.update(buffer[:count])
                done += count
                if progress is not None:
                    progress(done)
    except OSError:
        return False
    return hasher.hexdigest() == digest


def damaged(path: Path, digest: str, what: str) -> DataCorrupt:
    """The error that says that a blob's bytes are not those that it is named by."""
    return DataCorrupt(
        f"blob {digest} of {what} is damaged: run `eventlog verify`, move {path} out of the way, and pull it"
        " again from a remote that has it"
    )


def _read(source: BinaryIO, path: Path, digest: str, what: str) -> bytes:
    try:
        return source.read(_PIECE)
    except OSError:
        raise damaged(path, digest, what) from None
