"""Which distributions the modules belong to that this process has imported.

A distribution is mostly called what its module is, which costs a look into a dictionary; for the others what
the installer wrote down is read ("Recording installed projects", Python Packaging User Guide), and only as
long as there are modules that belong to none yet.

What eventlog needs for itself is left out, unless the script uses it as well.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from eventlog.sdk.packages import normal_name, versions_of

__all__ = ["ImportedPackages"]

_REQUIRED = re.compile(r"^Requires-Dist:\s*([A-Za-z0-9._-]+)(.*)$", re.MULTILINE)
# Of a line of RECORD: the module at the top, and the one below it.
_RECORDED = re.compile(r"^([A-Za-z_]\w*)(?:/([A-Za-z_]\w*))?[./]", re.MULTILINE)
# A larger record is read to here: a distribution's first files say what it is called.
_MOST = 1 << 16


class ImportedPackages:
    """Knows what belongs to which distribution, from one look to the next.

    Args:
        folders: where distributions are installed, as `sys.path`.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._found = versions_of(folders)
        self._by_module: dict[str, str] = {}
        self._unknown: set[str] = set()
        self._folders = {path.parent for _, path in self._found.values()}
        self._read: dict[str, set[str]] = {}
        self._edited: dict[str, bool] = {}
        self._own = self._needed_by_eventlog()

    def __repr__(self) -> str:
        return f"<ImportedPackages: {len(self._by_module)} modules known>"

    @classmethod
    def of_folders(cls, folders: Sequence[str]) -> "ImportedPackages":
        """What an earlier task of this process has learnt of them, if nothing was installed since."""
        global _last
        key = [(folder, _changed_at(folder)) for folder in folders]
        known = _last
        if known is None or known[0] != key:
            known = _last = key, cls(folders)
        return known[1]

    def now(self) -> dict[str, str]:
        """The distributions whose modules are imported, name to version; names in their normal form."""
        modules = sys.modules.copy()
        names = {name for name in _names(modules) if not _is_known_to_python(name)}
        for name in sorted(names - self._by_module.keys() - self._unknown):
            distribution = self._distribution_of(name, modules)
            if distribution:
                self._by_module[name] = distribution
            elif name in modules:
                self._unknown.add(name)
        used = {self._by_module[name] for name in names if name in self._by_module}
        used -= self._own - self._used_by_script(modules, used & self._own)
        return {name: self._found[name][0] for name in sorted(used)}

    def _distribution_of(self, name: str, modules: Mapping[str, Any]) -> str:
        folder = _folder_of(name, modules)
        alike = normal_name(name.replace(".", "-"))
        if alike in self._found and (folder is None or self._is_in(alike, folder)):
            return alike
        if folder is None and "." not in name:
            # Made while the process runs, or built in.
            return ""
        # One that has a module already is known to be imported.
        known = set(self._by_module.values())
        left = [one for one in self._found if one not in known and (not folder or self._is_in(one, folder))]
        for records in (self._tops, self._records):
            for distribution in left:
                if name in records(distribution):
                    return distribution
        return ""

    def _tops(self, distribution: str) -> set[str]:
        if distribution not in self._read:
            self._read[distribution] = set(_text_of(self._found[distribution][1] / "top_level.txt").split())
        return self._read[distribution]

    def _records(self, distribution: str) -> set[str]:
        # Reading what lists every file is left for those that say nothing shorter.
        if not self._read[distribution]:
            text = _text_of(self._found[distribution][1] / "RECORD")
            for top, below in _RECORDED.findall(text):
                self._read[distribution] |= {top, f"{top}.{below}"} if below else {top}
            self._read[distribution].add("")
        return self._read[distribution]

    def _is_in(self, distribution: str, folder: Path) -> bool:
        path = self._found[distribution][1]
        if path.parent == folder:
            return True
        # The modules of one that is installed to be edited lie elsewhere.
        if folder in self._folders:
            return False
        if distribution not in self._edited:
            self._edited[distribution] = (path / "direct_url.json").exists()
        return self._edited[distribution]

    def _needed_by_eventlog(self) -> set[str]:
        if "eventlog" not in self._found:
            return set()
        try:
            text = (self._found["eventlog"][1] / "METADATA").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return set()
        return {normal_name(name) for name, rest in _REQUIRED.findall(text) if "extra ==" not in rest}

    def _used_by_script(self, modules: Mapping[str, Any], distributions: set[str]) -> set[str]:
        """Those of some distributions whose modules, or what is in them, a module of the script's own has."""
        used: set[str] = set()
        for name, module in modules.items():
            if used >= distributions:
                break
            if not isinstance(module, ModuleType) or name.partition(".")[0] in self._by_module:
                continue
            if name != "__main__" and (_is_known_to_python(name.partition(".")[0]) or not _file_of(module)):
                continue
            for value in list(vars(module).values()):
                home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
                if isinstance(home, str):
                    used.add(self._by_module.get(home.partition(".")[0], ""))
        return used


# Several threads may look at once: each look ends with the same, whatever another has found meanwhile.
_last: tuple[list[tuple[str, int]], ImportedPackages] | None = None


def _changed_at(folder: str) -> int:
    try:
        return Path(folder or ".").stat().st_mtime_ns
    except OSError:
        return 0


def _names(modules: Mapping[str, Any]) -> Iterator[str]:
    """The names of modules at the top, or below a namespace that distributions share."""
    for name, module in modules.items():
        top, _, below = name.partition(".")
        if not below:
            if not _is_namespace(module):
                yield name
        elif _is_namespace(modules.get(top)):
            yield ".".join(name.split(".")[:2])


def _is_namespace(module: Any) -> bool:
    return isinstance(module, ModuleType) and _file_of(module) is None and hasattr(module, "__path__")


def _file_of(module: Any) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None


def _is_known_to_python(name: str) -> bool:
    # What setuptools has each interpreter import, to find distutils, and what is installed to be edited.
    is_helper = name.startswith("__editable__") or name == "_distutils_hack"
    return is_helper or name in sys.stdlib_module_names or name in {"__main__", "__mp_main__"}


def _folder_of(name: str, modules: Mapping[str, Any]) -> Path | None:
    """The folder on the path that a module was imported from; None where that cannot be said."""
    file = _file_of(modules.get(name))
    if file is None:
        return None
    path = Path(file)
    # A module may call itself a package, as six does.
    folder = path.parent.parent if path.name.startswith("__init__.") else path.parent
    return folder.parents[name.count(".") - 1] if "." in name else folder


def _text_of(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST)
    except OSError:
        return ""
