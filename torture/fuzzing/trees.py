"""Folders as one string of bytes, so that a target of several files is read like any other."""

from pathlib import Path, PurePosixPath

import msgspec

__all__ = ["Tree", "files_below", "packed", "unpacked", "write_below"]

Tree = dict[str, bytes]
"""What files hold, by their names, with "/" between folders."""


def files_below(folder: Path) -> Tree:
    """The files below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def packed(tree: Tree) -> bytes:
    """Files as one string of bytes."""
    return msgspec.msgpack.encode(tree)


def unpacked(data: bytes) -> Tree:
    """The files in such a string; an empty tree of one that is none."""
    try:
        tree = msgspec.msgpack.decode(data, type=dict[str, bytes])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {name: content for name, content in tree.items() if _stays_below(name)}


def write_below(folder: Path, tree: Tree) -> None:
    """Write files into a folder, those that can be."""
    for name, content in tree.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (OSError, ValueError):
            continue


def _stays_below(name: str) -> bool:
    """Whether a file of this name is written into the folder: what writes here is no target itself."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name
