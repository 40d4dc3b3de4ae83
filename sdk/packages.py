"""Which distributions are installed, read off the names of their folders.

Opening the metadata of some hundred packages takes the interpreter's lock for a good while; the name
``numpy-2.1.0.dist-info`` says the same (Python Packaging User Guide, "Recording installed projects").
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["installed_packages", "normal_name", "versions_of"]

_SEPARATORS = re.compile(r"[-_.]+")
_EGG_SUFFIX = re.compile(r"-py\d[\d.]*.*$")
_METADATA_START = 4096


def installed_packages(folders: Iterable[str]) -> dict[str, str]:
    """The distributions that can be imported, name to version, sorted; names in their normal form.

    Args:
        folders: where to look, as `sys.path`; the first of a name counts.
    """
    return {name: version for name, (version, _) in versions_of(folders).items()}


def versions_of(folders: Iterable[str]) -> dict[str, tuple[str, Path]]:
    """The same, name to version and the folder of its metadata."""
    found: dict[str, tuple[str, Path]] = {}
    for folder in folders:
        for entry in _names(folder):
            if entry.endswith((".dist-info", ".egg-info")):
                path = Path(folder or ".", entry)
                name, version = _name_and_version(path)
                if name:
                    found.setdefault(normal_name(name), (version, path))
    return dict(sorted(found.items()))


def normal_name(name: str) -> str:
    """A name in its normal form (Python Packaging User Guide, "Names and normalization")."""
    return _SEPARATORS.sub("-", name).lower()


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")  # noqa: PTH208 (names are all that is needed, of large folders)
    except OSError:
        return []


def _name_and_version(path: Path) -> tuple[str, str]:
    stem, suffix = path.name.rsplit(".", 1)
    if suffix == "egg-info":
        stem = _EGG_SUFFIX.sub("", stem)
    name, _, version = stem.partition("-")
    return name, version or _version_inside(path)


def _version_inside(path: Path) -> str:
    """The version of a distribution whose folder does not name it, as setuptools once did in source trees."""
    try:
        with (path / "PKG-INFO").open(encoding="utf-8", errors="replace") as file:
            for line in file.read(_METADATA_START).splitlines():
                if line.startswith("Version:"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""
