"""What verify finds in a store's absent lists: the blobs that are known not to be there."""

import re
import stat
from pathlib import Path

from eventlog.check_blobs import entries

__all__ = ["read_absent"]

DIGEST = re.compile("[0-9a-f]{64}")
LIST = re.compile("[0-9a-f]{32}")
LONGEST_LIST = 65 << 16
ATTEMPTS = 3


def read_absent(folder: Path) -> tuple[set[str], list[str]]:
    """The blobs that are known not to be here, and what is wrong with the lists that say so."""
    for _ in range(ATTEMPTS):
        try:
            return _read_lists(folder)
        except FileNotFoundError:
            # A sync has just replaced one: what was left of it is in a new one.
            continue
    return set(), ["absent/ does not hold still: let no sync run meanwhile, and verify again"]


def _read_lists(folder: Path) -> tuple[set[str], list[str]]:
    absent: set[str] = set()
    problems = []
    for entry in entries(folder):
        name = f"absent/{entry.name}"
        status = entry.stat(follow_symlinks=False)
        if not LIST.fullmatch(entry.name) or not stat.S_ISREG(status.st_mode):
            problems.append(f"{name} is not a list of absent blobs")
        elif status.st_size > LONGEST_LIST:
            problems.append(f"{name} has {status.st_size} bytes, more than a list of absent blobs has")
        else:
            try:
                lines = Path(entry.path).read_bytes().decode("ascii", "replace").split("\n")
            except FileNotFoundError:
                raise
            except OSError as error:
                problems.append(f"{name} cannot be read: {error.strerror}")
                continue
            digests = lines[:-1]
            if not digests or lines[-1] or digests != sorted(set(digests)):
                problems.append(f"{name} is damaged: it is not a sorted list of lines")
            elif not all(map(DIGEST.fullmatch, digests)):
                problems.append(f"{name} is damaged: a line is not a SHA-256")
            else:
                absent.update(digests)
    return absent, problems
