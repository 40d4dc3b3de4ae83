"""Values of a ClearML session's JSON, taken for what they should be; what is not is told, never raised."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from eventlog.clock import MAX_TIME
from eventlog.errors import DataCorrupt, InputInvalid, in_one_line
from eventlog.sdk.plain_text import plain_text
from eventlog.sdk.session_files import SessionFiles

__all__ = [
    "Problems",
    "as_int",
    "as_map",
    "as_text",
    "as_texts",
    "as_time",
    "base_name",
    "file_of",
    "id_of",
    "parsed",
    "read_json",
]

_MOST_PROBLEMS = 50
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Problems:
    """What could not be read of a session: one line each, the first fifty of them.

    Attributes:
        lines: what to tell.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = 0

    def __repr__(self) -> str:
        return f"<Problems: {len(self.lines) + self._more}>"

    def add(self, line: str) -> None:
        """Note one."""
        if len(self.lines) < _MOST_PROBLEMS:
            # Names of the session's are in it.
            self.lines.append(in_one_line(line))
        else:
            self._more += 1

    def told(self) -> list[str]:
        """All lines, and how many more there would be."""
        return [*self.lines, f"and {self._more} problems more of this session"] if self._more else self.lines


def parsed(data: bytes) -> Any:
    """What JSON says; NaN and infinities are allowed.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        value = json.loads(data)
        # JSON can escape halves of a surrogate pair, for which UTF-8 has no form.
        return _plain(value) if _SURROGATE.search(data) else value
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {plain_text(name): _plain(one) for name, one in value.items()}
    return value


def as_text(value: Any, default: str = "") -> str:
    """A text, or what a number or a truth value is as one."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return plain_text(value)
    return str(value) if isinstance(value, bool) else default


def as_texts(value: Any) -> list[str]:
    """The texts in a list."""
    return [plain_text(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []


def as_map(value: Any) -> Mapping[str, Any]:
    """An object of JSON; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_int(value: Any) -> int | None:
    """A whole number of 64 bits, or None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
        return None
    return int(value)


def as_time(value: Any, *, per_second: int = 1000) -> int | None:
    """A time in milliseconds: of a number, or of a text in ISO 8601; None if it is none.

    Args:
        per_second: what a number counts in: 1 for seconds, 1000 for milliseconds.
    """
    time: int | None = None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            time = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            return None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            time = int(value * 1000 / per_second)
        except (ValueError, OverflowError):
            return None
    return time if time is not None and 0 <= time <= MAX_TIME else None


def id_of(what: str, identity: str) -> str:
    """The id that something of ClearML gets here: the same at every import, on every machine.

    It is a hash, so that a session cannot choose to be another task that is here.
    """
    import hashlib

    return hashlib.sha256(f"clearml {what} {identity}".encode(errors="replace")).hexdigest()[:32]


def file_of(files: SessionFiles, location: str, folder: str, identity: str) -> str:
    """The name of the session's file that a path of the machine it came from means, or "".

    Args:
        location: the path.
        folder: where the session lay there.
        identity: the session's id, which is what its folder is called.
    """
    location = location.removeprefix("file://").replace("\\", "/")
    candidates = []
    folder = folder.replace("\\", "/").rstrip("/")
    if folder and location.startswith(folder + "/"):
        candidates.append(location[len(folder) + 1 :])
    if identity and f"/{identity}/" in location:
        candidates.append(location.split(f"/{identity}/", 1)[1])
    candidates.append(location)
    # Names are compared with those found, and never joined to a path.
    return next((one for one in candidates if one in files.sizes), "")


def base_name(location: str) -> str:
    """The last part of a path or a URL, as a file may be called."""
    from eventlog.sdk.stored import safe_file_name

    name = PurePosixPath(location.partition("?")[0].replace("\\", "/")).name
    return safe_file_name(name)


def read_json(files: SessionFiles, name: str, most: int) -> Any:
    """What a file holds, as JSON.

    Raises:
        DataCorrupt: it is larger than `most` bytes, or not JSON.
        InputInvalid: it cannot be read.
    """
    if files.sizes[name] > most:
        raise DataCorrupt(f"{files.path}: {name} has {files.sizes[name]} bytes, more than a task's can have")
    try:
        with files.open(name) as file:
            # A read takes all the memory that it is asked for, whatever the file holds.
            return parsed(file.read(files.sizes[name] + 1))
    except (KeyError, ValueError) as error:
        if isinstance(error, InputInvalid):
            raise
        raise DataCorrupt(f"{files.path}: {name} cannot be read as JSON ({error})") from None
