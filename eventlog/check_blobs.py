"""What verify finds in a folder of blobs: each a file whose bytes have the SHA-256 that is its name."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["check_blobs", "entries", "list_blobs"]

PIECE_SIZE = 1 << 20
FOLDER = re.compile("[0-9a-f]{2}")
DIGEST = re.compile("[0-9a-f]{64}")


def list_blobs(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Sizes of the blobs by digest, and what in their folder is none."""
    sizes, foreign = {}, []
    for inner in entries(folder):
        if not FOLDER.fullmatch(inner.name) or not inner.is_dir(follow_symlinks=False):
            foreign.append(f"blobs/{inner.name} is not a folder of blobs")
            continue
        for entry in entries(Path(inner.path)):
            status = entry.stat(follow_symlinks=False)
            if DIGEST.fullmatch(entry.name) and entry.name[:2] == inner.name and stat.S_ISREG(status.st_mode):
                sizes[entry.name] = status.st_size
            else:
                foreign.append(f"blobs/{inner.name}/{entry.name} is not a blob")
    return sizes, foreign


def check_blobs(folder: Path, digests: Iterable[str], count: Callable[[int], None], jobs: int) -> list[str]:
    """What is wrong with the bytes of these blobs, a line each.

    Args:
        count: gets the number of bytes of each piece, from any thread.
        jobs: how many to read at once.
    """

    def check(digest: str) -> str:
        name = f"blobs/{digest[:2]}/{digest}"
        hasher = hashlib.sha256()
        try:
            with (folder / digest[:2] / digest).open("rb", buffering=0) as file:
                while piece := file.read(PIECE_SIZE):
                    hasher.update(piece)
                    count(len(piece))
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
        return (
            "" if hasher.hexdigest() == digest else f"{name} was changed: its SHA-256 is {hasher.hexdigest()}"
        )

    with ThreadPoolExecutor(jobs, "eventlog-verify") as pool:
        return [problem for problem in pool.map(check, digests) if problem]


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name; nothing where there is none."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
