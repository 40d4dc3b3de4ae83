"""A disk whose power is cut: what may be left of recorded operations, by what had been synced.

The model is stricter than the common file systems (ext4, XFS, btrfs), which keep more order than this:

- What a returned `fsync` or `fdatasync` of a file covers is there: its bytes and its size. So is a write to a
  file opened with `O_DSYNC`, once it has returned.
- Every other write, store in mapped memory or change of size may be there or not, each by itself, in any
  order, and in part: every 512 bytes by themselves. In the place of what is missing lies what was there
  before, or zeros.
- A name that was made, removed or changed is so once the folder that holds it was synced (of a rename, either
  of the two). Any other may be there or not, in any order, but that of operations on the same names. A rename
  is there as a whole or not at all.
- A folder whose own name is not there is missing with all that is in it.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from torture.recording import Entry, Operation

__all__ = ["Disk"]

SECTOR = 512
ROOT = 0
WRITES = frozenset({Operation.WRITE, Operation.WRITE_SYNCED, Operation.STORE})


@dataclass
class _File:
    """A file's bytes: those that are safe, those that programs see, and what lies between the two."""

    safe: bytearray = field(default_factory=bytearray)
    seen: bytearray = field(default_factory=bytearray)
    # Changes since the last sync: a place and bytes, or a new size and None.
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def change(self, offset: int, data: bytes | None) -> None:
        _apply(self.seen, offset, data)
        self.pending.append((offset, data))

    def sync(self) -> None:
        self.safe[:] = self.seen
        self.pending.clear()

    def left(self, random: Random, *under_way: tuple[int, bytes | None]) -> bytearray:
        """The bytes that a cut may leave, with what had not yet returned."""
        changes = [*self.pending, *under_way]
        if not changes:
            return bytearray(self.safe)
        manner = random.choice(("none", "all", "some", "some", "beginning", "torn", "torn"))
        left = bytearray(self.safe)
        if manner == "none":
            changes = []
        elif manner == "beginning":
            changes = changes[: random.randint(0, len(changes))]
        chance = 1.0 if manner in ("all", "beginning") else random.choice((0.1, 0.5, 0.9, 0.99))
        for offset, data in changes:
            for place, piece in _sectors(offset, data) if manner == "torn" else [(offset, data)]:
                if random.random() < chance:
                    _apply(left, place, piece)
        return left


@dataclass(frozen=True)
class _Naming:
    """A change of names in folders.

    Attributes:
        removes, adds: a folder and a name in it, or None.
        node: what has the name: a file, or a folder.
        folder: the folder that is removed, which has to be empty, or None.
    """

    removes: tuple[int, str] | None
    adds: tuple[int, str] | None
    node: int
    folder: int | None = None

    @property
    def entries(self) -> set[tuple[int, str]]:
        return {entry for entry in (self.removes, self.adds) if entry is not None}

    @property
    def folders(self) -> set[int]:
        return {folder for folder, _ in self.entries}


Folders = dict[int, dict[str, int]]


class Disk:
    """A folder that was empty, as recorded operations leave it, and as a power cut may leave it.

    Args:
        root: the folder's path in the record.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._files: dict[int, _File] = {}
        self._by_inode: dict[int, int] = {}
        self._next = ROOT + 1
        self._safe: Folders = {ROOT: {}}
        self._seen: Folders = {ROOT: {}}
        self._pending: list[_Naming] = []

    def apply(self, entry: Entry) -> None:
        """Take in what was done next."""
        match entry.operation:
            case Operation.WRITE | Operation.STORE:
                self._file(entry.file).change(entry.offset, entry.data)
            case Operation.WRITE_SYNCED:
                file = self._file(entry.file)
                # These bytes, and no others that wait.
                _apply(file.seen, entry.offset, entry.data)
                _apply(file.safe, entry.offset, entry.data)
                file.pending = _without(file.pending, entry.offset, entry.offset + len(entry.data))
            case Operation.SIZE:
                self._file(entry.file).change(entry.offset, None)
            case Operation.SYNC:
                self._file(entry.file).sync()
            case Operation.CREATE:
                node = self._new()
                self._files[node] = _File()
                self._by_inode[entry.file] = node
                self._name(_Naming(None, self._entry(entry.paths[0]), node))
            case Operation.MKDIR:
                node = self._new()
                self._safe[node], self._seen[node] = {}, {}
                self._name(_Naming(None, self._entry(entry.paths[0]), node))
            case Operation.RENAME:
                source, target = map(self._entry, entry.paths)
                if source != target:
                    self._name(_Naming(source, target, self._node(source)))
            case Operation.LINK:
                source, target = map(self._entry, entry.paths)
                self._name(_Naming(None, target, self._node(source)))
            case Operation.UNLINK:
                source = self._entry(entry.paths[0])
                self._name(_Naming(source, None, self._node(source)))
            case Operation.RMDIR:
                source = self._entry(entry.paths[0])
                self._name(_Naming(source, None, self._node(source), folder=self._node(source)))
            case Operation.SYNC_FOLDER:
                self._sync_folder(entry.paths[0])
            case Operation.NOTE:
                pass

    def is_file(self, path: str, inode: int) -> bool:
        """Whether programs see that file under this path, which is under the root."""
        folder = self._seen[ROOT]
        *way, name = path.split("/")
        for part in way:
            if part not in folder:
                return False
            folder = self._seen[folder[part]]
        return folder.get(name) == self._by_inode.get(inode, -1)

    def write_seen(self, folder: Path, only: str = "") -> None:
        """Write what programs see, or of it the one file of a path under the root, to a new folder."""
        if only:
            folder_, name = self._entry(f"{self._root}/{only}")
            node = self._seen[folder_][name]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(self._files[node].seen)
            return
        self._write(folder, self._seen, {node: file.seen for node, file in self._files.items()})

    def write_left(self, folder: Path, random: Random, under_way: Entry | None = None) -> None:
        """Write what a power cut may leave now to a new folder.

        Args:
            random: what is left is drawn from it.
            under_way: what was being done when the power was cut: it may be there in part.
        """
        folders = self._names_left(random)
        nodes = _reachable(folders)
        begun: dict[int, list[tuple[int, bytes | None]]] = {}
        if under_way is not None and under_way.operation in WRITES:
            begun[self._by_inode[under_way.file]] = [(under_way.offset, under_way.data)]
        left = {
            node: self._files[node].left(random, *begun.get(node, ()))
            for node in sorted(nodes & self._files.keys())
        }
        self._write(folder, folders, left)

    # Names.

    def _names_left(self, random: Random) -> Folders:
        manner = random.choice(("none", "all", "some", "some", "beginning"))
        chosen: set[int]
        if manner == "none":
            chosen = set()
        elif manner == "all":
            chosen = set(range(len(self._pending)))
        elif manner == "beginning":
            chosen = set(range(random.randint(0, len(self._pending))))
        else:
            chance = random.choice((0.2, 0.5, 0.9))
            chosen = {place for place in range(len(self._pending)) if random.random() < chance}
        folders = {folder: dict(names) for folder, names in self._safe.items()}
        for place in sorted(self._with_what_it_needs(chosen)):
            _rename(folders, self._pending[place])
        return folders

    def _sync_folder(self, path: str) -> None:
        folder = ROOT if path == self._root else self._node(self._entry(path))
        chosen = {place for place, naming in enumerate(self._pending) if folder in naming.folders}
        chosen = self._with_what_it_needs(chosen)
        for place in sorted(chosen):
            _rename(self._safe, self._pending[place])
        self._pending = [naming for place, naming in enumerate(self._pending) if place not in chosen]

    def _with_what_it_needs(self, chosen: Iterable[int]) -> set[int]:
        """These changes, and the earlier ones without which they cannot be: those of the same names."""
        needed = set(chosen)
        entries: set[tuple[int, str]] = set()
        emptied: set[int] = set()
        for place in range(max(needed, default=-1), -1, -1):
            naming = self._pending[place]
            if place in needed or naming.entries & entries or naming.folders & emptied:
                needed.add(place)
                entries |= naming.entries
                if naming.folder is not None:
                    emptied.add(naming.folder)
        return needed

    def _name(self, naming: _Naming) -> None:
        _rename(self._seen, naming)
        self._pending.append(naming)

    def _entry(self, path: str) -> tuple[int, str]:
        """The folder, and the name in it, of a path."""
        assert path.startswith(f"{self._root}/"), path
        *way, name = path[len(self._root) + 1 :].split("/")
        folder = ROOT
        for part in way:
            folder = self._seen[folder][part]
        return folder, name

    def _node(self, entry: tuple[int, str]) -> int:
        return self._seen[entry[0]][entry[1]]

    def _new(self) -> int:
        self._next += 1
        return self._next

    def _file(self, inode: int) -> _File:
        return self._files[self._by_inode[inode]]

    def _write(self, folder: Path, folders: Folders, files: dict[int, bytearray], node: int = ROOT) -> None:
        folder.mkdir(mode=0o700, parents=True)
        for name, inner in folders[node].items():
            if inner in folders:
                self._write(folder / name, folders, files, inner)
            else:
                (folder / name).write_bytes(files[inner])


def _rename(folders: Folders, naming: _Naming) -> None:
    if naming.removes is not None:
        del folders[naming.removes[0]][naming.removes[1]]
    if naming.adds is not None:
        folders[naming.adds[0]][naming.adds[1]] = naming.node


def _reachable(folders: Folders, node: int = ROOT) -> set[int]:
    found = {node}
    for inner in folders.get(node, {}).values():
        found |= _reachable(folders, inner)
    return found


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    size = offset if data is None else offset + len(data)
    if data is None:
        del content[size:]
    if size > len(content):
        content.extend(bytes(size - len(content)))
    if data is not None:
        content[offset:size] = data


def _sectors(offset: int, data: bytes | None) -> list[tuple[int, bytes | None]]:
    """A change in pieces, each of which a disk writes whole or not at all."""
    if data is None:
        return [(offset, data)]
    cuts = [0, *range(SECTOR - offset % SECTOR, len(data), SECTOR), len(data)]
    return [(offset + a, data[a:b]) for a, b in itertools.pairwise(cuts)]


def _without(pending: list[tuple[int, bytes | None]], start: int, end: int) -> list[tuple[int, bytes | None]]:
    """What waits to be written but for these bytes, which a later write has made safe."""
    left: list[tuple[int, bytes | None]] = []
    for offset, data in pending:
        if data is None or offset >= end or offset + len(data) <= start:
            left.append((offset, data))
            continue
        if offset < start:
            left.append((offset, data[: start - offset]))
        if offset + len(data) > end:
            left.append((end, data[end - offset :]))
    return left
