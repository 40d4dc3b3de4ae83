"""Which packages a task asks for, as lines of a requirements file, beside those that it found installed.

What is said before `Task.init` (`add`, `ignore`, `freeze`) holds for the tasks that begin afterwards.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.regular_file import read_regular
from eventlog.sdk.names import shown
from eventlog.sdk.plain_text import check_text, plain_text
from eventlog.sdk.secrets import mask_text

__all__ = ["add", "as_lines", "asked_requirements", "freeze", "ignore", "read_file"]

_SEPARATORS = re.compile(r"[-_.]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add(package: str, version: str | None = None) -> None:
    """Ask for a package.

    Args:
        package: its name, or the path of a requirements file.
        version: "2.4.0", or a condition such as ">=2.4", or "" for any; by default the one installed.
    """
    name = check_text("a package", package)
    if version is None and (path := Path(name)).suffix == ".txt" and path.is_file():
        for line in read_file(path).splitlines():
            match = _NAME.match(line)
            _added[_normal(match.group()) if match else line] = line
        return
    _added[_normal(name)] = name if version is None else name + _condition(version)
    if version is None:
        _installed_version.add(_normal(name))
    else:
        _installed_version.discard(_normal(name))


def ignore(package: str) -> None:
    """Do not list a package."""
    _ignored.add(_normal(check_text("a package", package)))


def freeze(force: bool, file: str | Path | None) -> None:
    """List all that is installed, not only what is imported; or what a requirements file lists instead."""
    global _file, _is_frozen
    _is_frozen = force
    _file = read_file(file) if force and file is not None else None


def asked_requirements(facts: Mapping[str, Any]) -> dict[str, str]:
    """The field of `ExecutionRecorded` that these wishes make of what was found; {} without any."""
    if not (_added or _ignored or _is_frozen or _file is not None):
        return {}
    installed: Mapping[str, str] = facts.get("packages", {})
    packages = installed if _is_frozen else facts.get("imported") or installed
    lines = {_normal(name): f"{name}=={version}" for name, version in packages.items()}
    if _file is not None:
        lines = {line: line for line in _file.splitlines()}
    for name in _ignored:
        lines.pop(name, None)
    for name, line in _added.items():
        if name in _installed_version:
            lines.setdefault(name, line)
        else:
            lines[name] = line
    return {"requirements": mask_text("\n".join(lines.values()))}


def as_lines(packages: Any) -> str:
    """What a caller gives as packages, as the text of a requirements file, with its secrets masked.

    Args:
        packages: a list of requirements, the path of a requirements file, or one requirement.

    Raises:
        InputInvalid: it is none of them, or the file cannot be read.
    """
    if isinstance(packages, Path):
        return read_file(packages)
    if isinstance(packages, str):
        is_path = "\n" not in packages and packages and Path(packages).suffix == ".txt"
        return read_file(packages) if is_path else mask_text(check_text("the packages", packages))
    if isinstance(packages, Mapping):
        return "\n".join(f"{name}{_condition(str(version))}" for name, version in packages.items())
    if not isinstance(packages, Sequence) or not all(isinstance(line, str) for line in packages):
        raise InputInvalid("packages must be given as a list of requirements, or as a requirements file")
    return mask_text(check_text("the packages", "\n".join(packages)))


def read_file(path: str | Path) -> str:
    """The text of a requirements file, with its secrets masked: a package's URL may have a password in it.

    Raises:
        InputInvalid: it cannot be read.
    """
    try:
        text = read_regular(Path(path).expanduser()).decode("utf-8", "replace").replace("\r\n", "\n")
    except (OSError, ValueError, TypeError) as caught:
        error = getattr(caught, "strerror", None) or type(caught).__name__
        raise InputInvalid(
            f"the requirements file {shown(str(path))} cannot be read ({error}): give its path, or a list"
        ) from None
    return mask_text(plain_text(text).strip())


def _condition(version: str) -> str:
    version = check_text("a version", version).strip()
    return f"=={version}" if version[:1].isdigit() else version


def _normal(name: str) -> str:
    """A name in its normal form (https://packaging.python.org/en/latest/specifications/name-normalization/)."""
    return _SEPARATORS.sub("-", name).lower()


_added: dict[str, str] = {}
_installed_version: set[str] = set()
_ignored: set[str] = set()
_file: str | None = None
_is_frozen = False
