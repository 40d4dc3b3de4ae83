"""Images, sounds, films and pages: kept as blobs, and copied to a destination where there is one."""

import io
import logging
import mimetypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid, StoreFull, StoreReadOnly
from eventlog.events import EventsDropped
from eventlog.sdk.plain_text import check_text
from eventlog.store import Store

__all__ = ["Medium", "medium_of_bytes", "medium_of_file", "medium_of_stream", "medium_of_url"]

log = logging.getLogger("eventlog")

_KINDS = frozenset({"image", "audio", "video"})
_LONGEST_EXTENSION = 20


@dataclass(frozen=True)
class Medium:
    """What is reported, before it is kept.

    Attributes:
        extension: of the name of a copy, such as ".png", or "".
        source: the bytes, or the file that holds them; None where the URL alone is known.
        url: where it is.
    """

    extension: str
    source: bytes | Path | None = None
    url: str = ""

    @property
    def kind(self) -> str:
        """What it is, by its extension: "image", "audio", "video", "html" or "file"."""
        kind = mimetypes.guess_type(f"a{self.extension}")[0] or ""
        if kind == "text/html":
            return "html"
        return kind.partition("/")[0] if kind.partition("/")[0] in _KINDS else "file"

    def keep(self, store: Store) -> tuple[str, int] | None:
        """Keep the bytes; returns their SHA-256 and their size, or None where there is no room for them.

        What could not be kept is counted, as an event.

        Raises:
            InputInvalid: the file cannot be read.
        """
        if self.source is None:
            return "", 0
        try:
            if isinstance(self.source, Path):
                return store.blobs.put_file(self.source)
            return store.blobs.put_bytes(self.source), len(self.source)
        except (StoreFull, StoreReadOnly) as error:
            # Reporting never breaks a training loop for want of room.
            store.session.warn(f"an image or a file that was reported could not be kept: {error}")
            store.session.append(EventsDropped, "", 1, str(error))
            return None


def medium_of_bytes(data: bytes, extension: str) -> Medium:
    """A medium that is these bytes."""
    return Medium(extension, data)


def medium_of_file(path: Any) -> Medium:
    """A medium that is a file's bytes as they are now.

    Raises:
        InputInvalid: there is no such file.
    """
    text = check_text("the path of a file", os.fspath(path) if isinstance(path, os.PathLike) else path)
    try:
        file = Path(text).expanduser()
        is_file = file.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputInvalid(f"{text[:200]!r} cannot be a path: {error}") from None
    if not is_file:
        raise InputInvalid(f"there is no file {file}: give the path of one that exists")
    return Medium(_checked_extension(file.suffix), file)


def medium_of_stream(stream: Any, file_extension: Any) -> Medium:
    """A medium that is all that a stream holds; of one that is no buffer in memory, what is left to be read.

    Raises:
        InputInvalid: it is no stream, cannot be read, or no extension is given.
    """
    if file_extension is None or not check_text("the file extension", file_extension).strip(". "):
        raise InputInvalid("file_extension says what a stream holds, such as 'mp4': give it")
    read: Callable[[], Any] | None = getattr(stream, "getvalue", None) or getattr(stream, "read", None)
    if read is None:
        raise InputInvalid(
            f"the stream must be io.BytesIO, io.StringIO or another file, not {type(stream).__name__}"
        )
    try:
        data = read()
    except (OSError, ValueError, io.UnsupportedOperation) as error:
        raise InputInvalid(f"the stream cannot be read: {error}") from None
    if isinstance(data, str):
        data = data.encode(errors="replace")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InputInvalid(f"the stream must give bytes or text, not {type(data).__name__}")
    return Medium(_checked_extension("." + file_extension.strip(". ")), bytes(data))


def medium_of_url(url: Any) -> Medium:
    """A medium that lies elsewhere already; nothing is fetched. Secrets in the URL are masked.

    Raises:
        InputInvalid: it is no text, or empty.
    """
    from urllib.parse import urlsplit

    from eventlog.sdk.destinations import masked

    text = check_text("the URL", url)
    if not text.strip():
        raise InputInvalid("the URL is empty: give that of the image or the file")
    try:
        path = urlsplit(text).path
    except ValueError as error:
        raise InputInvalid(f"{text[:200]!r} is no URL: {error}") from None
    return Medium(_checked_extension(Path(path.rpartition("/")[2]).suffix), None, masked(text))


def _checked_extension(extension: str) -> str:
    """An extension that may stand in the name of a file."""
    is_plain = len(extension) <= _LONGEST_EXTENSION and all(
        letter.isalnum() or letter in "._-" for letter in extension
    )
    return extension if is_plain else ""
