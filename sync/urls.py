"""Which remote objects a URL stands for."""

import os
import re
from pathlib import Path

from eventlog.errors import InputInvalid, RemoteInvalid
from eventlog.sync.folder_objects import FolderObjects
from eventlog.sync.objects import Objects, first_line
from eventlog.sync.put_objects import PutObjects

__all__ = ["objects_at"]

PUT_PROTOCOLS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"})


def objects_at(url: str | os.PathLike[str]) -> Objects:
    """The objects under a URL or a path; nothing is looked at yet.

    Raises:
        InputInvalid: the URL is empty, or the path cannot be one.
        RemoteInvalid: fsspec knows no such protocol, or lacks the package for it.
    """
    text = os.fspath(url)
    if not text:
        raise InputInvalid("no remote given: name a folder or a URL")
    if "://" not in text:
        try:
            text = str(Path(text).expanduser().absolute())
        except RuntimeError as error:
            raise InputInvalid(f"{text} cannot be a remote: {first_line(error)}") from None
    import fsspec  # costs tens of milliseconds, and is needed nowhere else

    shown = _without_secrets(text)
    try:
        file_system, root = fsspec.core.url_to_fs(text)
    except ImportError as error:
        raise RemoteInvalid(f"{shown} needs a package that is not installed: {first_line(error)}") from None
    except Exception as error:
        raise RemoteInvalid(f"{shown} cannot be used as a remote: {first_line(error)}") from None
    protocols = file_system.protocol if isinstance(file_system.protocol, tuple) else (file_system.protocol,)
    if "file" in protocols:
        return FolderObjects(file_system, root, shown)
    if PUT_PROTOCOLS.intersection(protocols):
        return PutObjects(file_system, root, shown)
    return Objects(file_system, root, shown)


def _without_secrets(url: str) -> str:
    """A URL as it may be shown: no password, no query."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", url).partition("?")[0] if "://" in url else url
