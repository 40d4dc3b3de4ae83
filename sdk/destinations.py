"""Destinations: the URLs of folders that artifacts and models are copied to, besides the store.

Where a file goes is ``DESTINATION/PROJECT/NAME.TASK/artifacts/ARTIFACT/FILE``, or ``…/models/FILE``: the
layout is ClearML's. An event is for ever, so a password, a token or a signature in a URL is masked before
it becomes a part of one; this process alone remembers it, and puts it in again when it copies.
"""

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

from eventlog.configuration import Configuration
from eventlog.errors import InputInvalid
from eventlog.sdk.plain_text import check_text
from eventlog.sdk.secrets import MASK, mask_url

__all__ = ["check_destination", "file_url", "is_url", "masked", "path_part", "reveal", "task_folder_url"]

_LONGEST_PART = 200
_SCHEME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+.-")
# Some servers, and Windows, take these in a name to mean something else.
_UNSAFE = frozenset(':?%#"<>')


def check_destination(value: Any, configuration: Configuration) -> str:
    """The URL of a destination, as events may hold it: its secrets masked, and remembered here.

    Args:
        value: a URL or a path; True or None for the one that is configured (``default_output_uri``), or for
            none where none is, since the store keeps everything in any case; False or "" for none.
        configuration: the settings in force.

    Returns:
        The URL, without a slash at its end, or "".

    Raises:
        InputInvalid: it can be neither.
    """
    if value is None or value is True:
        value = configuration.default_output_uri
    if value is False or value == "":
        return ""
    text = check_text("a destination", os.fspath(value) if isinstance(value, os.PathLike) else value)
    if any(not letter.isprintable() for letter in text) or "::" in text:
        raise InputInvalid(f"{text[:200]!r} cannot be a destination: give the path or the URL of a folder")
    if not is_url(text):
        try:
            text = "file://" + str(Path(text).expanduser().absolute())
        except RuntimeError as error:
            raise InputInvalid(f"{text} cannot be a destination: {error}") from None
    elif not text.lower().startswith("file:"):
        _check_scheme(text.partition("://")[0].lower())
    path, query = _halves(text)
    stripped = path.rstrip("/")
    # "memory://" and "file:///" name a root.
    return masked((stripped if "://" in stripped else path) + query)


def is_url(text: str) -> bool:
    """Whether a text begins as a URL does, with a scheme and ``://``."""
    scheme, mark, _ = text.partition("://")
    return bool(mark and scheme) and _SCHEME_LETTERS.issuperset(scheme.lower())


def masked(url: str) -> str:
    """A URL without its secrets; here `reveal` puts them in again, whatever was added to the path."""
    safe = mask_url(url)
    if safe != url:
        with _lock:
            _known[_halves(safe)] = _halves(url)
    return safe


def reveal(url: str) -> str:
    """A URL with the secrets that were masked in this process.

    Raises:
        InputInvalid: they are not known here.
    """
    if MASK not in url:
        return url
    path, query = _halves(url)
    with _lock:
        for (known_path, known_query), (real_path, real_query) in _known.items():
            if query == known_query and (path == known_path or path.startswith(known_path.rstrip("/") + "/")):
                return real_path + path[len(known_path) :] + real_query
    raise InputInvalid(
        f"the credentials of {url} are not known to this process, as the log never holds any: set"
        " EVENTLOG_DEFAULT_OUTPUT_URI to that destination with them, or use a URL without"
    )


def task_folder_url(destination: str, project: str, name: str, task_id: str) -> str:
    """The URL of the folder of a task below a destination; folders nest as projects do."""
    parts = [path_part(part) for part in project.split("/") if part]
    return _joined(destination, *parts, path_part(name, f".{task_id}"))


def file_url(
    destination: str,
    project: str,
    task_name: str,
    task_id: str,
    folder: str,
    file_name: str,
    name: str | None = None,
) -> str:
    """The URL of a file of a task below a destination.

    Args:
        destination: as `check_destination` gives it.
        project, task_name, task_id: of the task.
        folder: "artifacts" or "models".
        file_name: what the file is called.
        name: of the artifact, which has a folder of its own; None for none.
    """
    parts = [folder, *([] if name is None else [path_part(name)]), path_part(file_name)]
    return _joined(task_folder_url(destination, project, task_name, task_id), *parts)


def path_part(name: str, end: str = "") -> str:
    """A name as a part of a path: whatever is in it, it is one part, never "..", and never too long.

    Args:
        end: what stands after the name, and is kept when it is cut.
    """
    text = "".join(_letter(letter) for letter in name)
    is_whole = len((text + end).encode()) <= _LONGEST_PART
    if is_whole and text + end not in {"", ".", ".."}:
        return text + end
    mark = "-" + hashlib.sha256(name.encode(errors="replace")).hexdigest()[:12]
    room = _LONGEST_PART - len((mark + end).encode())
    stem, dot, ending = text.rpartition(".")
    if not end and stem.strip(".") and 0 < len(ending) < 20:
        room -= len((dot + ending).encode())
        return stem.encode()[:room].decode(errors="ignore") + mark + dot + ending
    return text.strip(".").encode()[:room].decode(errors="ignore") + mark + end


def _check_scheme(scheme: str) -> None:
    """Refuse at once what would only fail in the background, when the training has ended."""
    import fsspec  # costs tens of milliseconds, and few destinations are URLs

    if scheme not in fsspec.available_protocols():
        raise InputInvalid(
            f"{scheme}:// cannot be a destination: no file system of that name is known to fsspec"
        )


def _letter(letter: str) -> str:
    if letter in "/\\":
        return ".slash."
    if letter in _UNSAFE or not letter.isprintable():
        return f"0x{ord(letter):02x}"
    return letter


def _joined(url: str, *parts: str) -> str:
    path, query = _halves(url)
    return path + ("" if path.endswith("/") else "/") + "/".join(parts) + query


def _halves(url: str) -> tuple[str, str]:
    if url.startswith("file://"):
        return url, ""
    path, mark, query = url.partition("?")
    return path, mark + query


_lock = threading.Lock()
# What masked URLs stand for, each as its path and its query.
_known: dict[tuple[str, str], tuple[str, str]] = {}


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
