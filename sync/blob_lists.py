"""Lists of blobs: which of them a place does not have, though what it holds of the log names them.

Nothing on a remote, and nothing let into a store, names a blob that is neither there nor listed as absent.
A list is written before what names the blobs that it lists, has a random name, and is never changed; whoever
has supplied some of its blobs writes what is left of it as a new list, and then deletes it. So a list may
still name a blob that is there, which does no harm: what is there is there.

A bundle lists in the same way which blobs it leaves out, since the side that it is for has them.
"""

import contextlib
import os
import secrets
from collections.abc import Set
from pathlib import Path
from typing import Protocol

from eventlog.blobs import NO_RIGHT, NO_ROOM
from eventlog.errors import DataCorrupt, EventlogError, NotFound, StoreFull, StoreInvalid, StoreReadOnly
from eventlog.group_sync import sync_folders
from eventlog.sync.layout import ABSENT, is_digest, is_list_name
from eventlog.sync.objects import Objects

__all__ = ["BlobLists", "FolderPlace", "ObjectsPlace"]

# 64 digits and a line end.
LINE_SIZE = 65
# A list never has more blobs than this, and one that is larger is not read.
LONGEST_LIST = 1 << 16
# No more are taken into memory of all lists of one place: about 350 MB.
MOST_DIGESTS = 1 << 21
# With so many lists, whoever writes the next one merges them into it.
MANY_LISTS = 16
ATTEMPTS = 3


class Place(Protocol):
    """Where lists lie: a folder of a remote, or of a store."""

    shown: str
    folder: str

    def sizes(self) -> dict[str, int]:
        """Bytes of each file that may be a list, by its name."""

    def read(self, name: str, count: int) -> bytes:
        """At most so many bytes of one; raises NotFound."""

    def write(self, name: str, data: bytes) -> None:
        """Write one, whole or not at all."""

    def settle(self) -> None:
        """Return once what was written will outlast a power cut."""

    def remove(self, name: str) -> None:
        """Delete one, if it is there."""


class BlobLists:
    """The lists of one place, read when they are first asked for."""

    def __init__(self, place: Place) -> None:
        self.problems: list[str] = []
        self._place = place
        self._lists: dict[str, frozenset[str]] | None = None

    def __repr__(self) -> str:
        return f"<BlobLists at {self._place.shown}>"

    def digests(self) -> set[str]:
        """The blobs that are listed, as SHA-256 in hexadecimal."""
        return set().union(*self._read().values())

    def add(self, digests: Set[str]) -> None:
        """List blobs that are not listed yet.

        It has to be settled before what names them is written.
        """
        lists = self._read()
        new = set(digests).difference(*lists.values())
        if new:
            merged = list(lists) if len(lists) >= MANY_LISTS else []
            self._replace(merged, new.union(*(lists[name] for name in merged)))

    def strike(self, present: Set[str]) -> None:
        """Take from the lists what is there now; where a list cannot be deleted, it stays."""
        lists = self._read()
        changed = [name for name, listed in lists.items() if not listed.isdisjoint(present)]
        if changed:
            rest = set().union(*(lists[name] for name in changed)) - present
            # What another list has needs none of its own, as where deleting is not allowed.
            rest.difference_update(*(listed for name, listed in lists.items() if name not in changed))
            self._replace(changed, rest)

    def _replace(self, names: list[str], digests: set[str]) -> None:
        lists = self._read()
        ordered = sorted(digests)
        for start in range(0, len(ordered), LONGEST_LIST):
            part = ordered[start : start + LONGEST_LIST]
            name = secrets.token_hex(16)
            self._place.write(name, "".join(f"{digest}\n" for digest in part).encode())
            lists[name] = frozenset(part)
        if names:
            self._place.settle()
        for name in names:
            with contextlib.suppress(EventlogError):
                self._place.remove(name)
                del lists[name]

    def _read(self) -> dict[str, frozenset[str]]:
        lists = self._lists
        if lists is None:
            for _ in range(ATTEMPTS):
                self.problems.clear()
                lists, is_whole = self._read_all()
                if is_whole:
                    break
            assert lists is not None
            self._lists = lists
        return lists

    def _read_all(self) -> tuple[dict[str, frozenset[str]], bool]:
        """The lists, and whether none was deleted meanwhile: what was left of it is then in a new one."""
        lists: dict[str, frozenset[str]] = {}
        is_whole = True
        room = MOST_DIGESTS * LINE_SIZE
        for name, size in sorted(self._place.sizes().items()):
            if not is_list_name(name):
                continue
            try:
                if size > min(room, LONGEST_LIST * LINE_SIZE):
                    raise DataCorrupt(f"it has {size} bytes, more than are taken")
                lists[name] = _parsed(self._place.read(name, size + 1), size)
                room -= size
            except NotFound:
                is_whole = False
            except DataCorrupt as error:
                self.problems.append(
                    f"{self._place.shown}/{self._place.folder}/{name} is passed over: {error}; remove it"
                )
        return lists, is_whole


class ObjectsPlace:
    """The lists of a remote.

    Args:
        folder: where they are on it.
    """

    def __init__(self, objects: Objects, folder: str = ABSENT) -> None:
        self.shown = objects.shown
        self.folder = folder
        self._objects = objects

    def sizes(self) -> dict[str, int]:
        """Bytes of each file that may be a list, by its name."""
        return self._objects.files(self.folder)

    def read(self, name: str, count: int) -> bytes:
        """At most so many bytes of one; raises NotFound."""
        return self._objects.start(f"{self.folder}/{name}", count)

    def write(self, name: str, data: bytes) -> None:
        """Write one, whole or not at all."""
        self._objects.put(f"{self.folder}/{name}", [data])

    def settle(self) -> None:
        """Return once what was written will outlast a power cut."""
        self._objects.settle()

    def remove(self, name: str) -> None:
        """Delete one, if it is there."""
        self._objects.remove(f"{self.folder}/{name}")


class FolderPlace:
    """The lists of a store.

    Args:
        home: the store's folder.
    """

    def __init__(self, home: Path) -> None:
        self.shown = str(home)
        self.folder = ABSENT
        self._home = home
        self._folder = home / ABSENT

    def sizes(self) -> dict[str, int]:
        """Bytes of each file that may be a list, by its name."""
        try:
            with os.scandir(self._folder) as entries:
                files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return {}
        # One that was deleted meanwhile is found missing when it is read.
        sizes = dict.fromkeys((entry.name for entry in files), 0)
        for entry in files:
            with contextlib.suppress(FileNotFoundError):
                sizes[entry.name] = entry.stat(follow_symlinks=False).st_size
        return sizes

    def read(self, name: str, count: int) -> bytes:
        """At most so many bytes of one; raises NotFound."""
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(count)
        except FileNotFoundError:
            raise NotFound(f"{self._folder / name} is not there") from None
        except OSError as error:
            raise DataCorrupt(f"it cannot be read ({error.strerror})") from None

    def write(self, name: str, data: bytes) -> None:
        """Write one, whole or not at all, and have it outlast a power cut.

        Raises:
            StoreFull, StoreReadOnly: there is no room, or no right.
        """
        temporary = self._home / "temporary" / f"absent-{name}"
        try:
            for folder in (temporary.parent, self._folder):
                folder.mkdir(mode=0o700, exist_ok=True)
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with open(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(descriptor)
                temporary.rename(self._folder / name)
            finally:
                temporary.unlink(missing_ok=True)
            sync_folders((self._folder, self._home))
        except OSError as error:
            raise self._explained(error) from None

    def settle(self) -> None:
        """Nothing: a list is on the disk when it is written."""

    def remove(self, name: str) -> None:
        """Delete one, if it is there."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._explained(error) from None

    def _explained(self, error: OSError) -> EventlogError:
        text = f"the store at {self._home} cannot be written ({error.strerror})"
        if error.errno in NO_ROOM:
            return StoreFull(f"{text}: free some space, and sync again")
        if error.errno in NO_RIGHT:
            return StoreReadOnly(f"{text}: make it writable, and sync again")
        return StoreInvalid(f"{text}: check the folder and its disk")


def _parsed(data: bytes, size: int) -> frozenset[str]:
    lines = data.decode("ascii", "replace").split("\n")
    listed = frozenset(lines[:-1])
    if len(data) != size or not listed or lines != [*sorted(listed), ""] or not all(map(is_digest, listed)):
        raise DataCorrupt("it is no sorted list of blobs")
    return listed
