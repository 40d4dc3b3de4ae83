"""Which remote objects a URL stands for."""

import os
import zipfile
from pathlib import Path

from eventlog.errors import DataCorrupt, EventlogError, InputInvalid, RemoteInvalid
from eventlog.sync.failures import first_line
from eventlog.sync.file_systems import file_system, missing_package, protocol_of, shown
from eventlog.sync.folder_objects import FolderObjects
from eventlog.sync.objects import Objects

__all__ = ["PUT_PROTOCOLS", "objects_at"]

# Where a put succeeds as a whole, or leaves nothing.
PUT_PROTOCOLS = frozenset({"s3", "s3a", "gs", "gcs", "az", "azure", "abfs", "abfss", "memory"})


def objects_at(url: str | os.PathLike[str]) -> Objects:
    """The objects under a URL or a path, or in a bundle; of others than bundles, nothing is looked at yet.

    Raises:
        InputInvalid: the URL is empty, or the path cannot be one.
        DataCorrupt: it is a bundle, and damaged.
        RemoteInvalid: fsspec knows no such protocol, or cannot use the URL.
        NotAvailable: it needs a package that is not installed.
    """
    text = os.fspath(url)
    if not text:
        raise InputInvalid("no remote given: name a folder or a URL")
    if "://" not in text:
        try:
            text = str(Path(text).expanduser().absolute())
        except RuntimeError as error:
            raise InputInvalid(f"{text} cannot be a remote: {first_line(error)}") from None
        # A name too long for any file is told like one that is not there.
        if os.path.isfile(text):  # noqa: PTH113
            return _bundle(Path(text))
    try:
        return _objects(text)
    except EventlogError:
        raise
    except ImportError as error:
        raise missing_package(text, error) from None
    except Exception as error:
        raise RemoteInvalid(f"{shown(text)} cannot be used as a remote: {first_line(error)}") from None


def _bundle(path: Path) -> Objects:
    from eventlog.sync.archive import Archive
    from eventlog.sync.zip_objects import ZipObjects

    try:
        return ZipObjects(Archive(path))
    except DataCorrupt as error:
        if zipfile.is_zipfile(path):
            raise
        raise RemoteInvalid(
            f"{path} is a file, and no whole bundle: name a folder, or copy it again"
        ) from error


def _objects(url: str) -> Objects:
    protocol = protocol_of(url)
    kind = protocol.kind if protocol else ""
    if kind == "sftp":
        from eventlog.sync.sftp_files import SftpFiles, sftp_path
        from eventlog.sync.sftp_objects import SftpObjects

        return SftpObjects(SftpFiles(url), sftp_path(url), shown(url))
    if kind == "http":
        from eventlog.sync.http_objects import HttpObjects

        return HttpObjects(url.partition("?")[0], shown(url))
    system, root = file_system(url)
    if kind == "s3":
        from eventlog.sync.s3_objects import S3Objects

        return S3Objects(system, root, shown(url))
    if kind == "webdav":
        from eventlog.sync.webdav_objects import WebdavObjects

        return WebdavObjects(system, root, shown(url))
    if kind in {"gcs", "azure", "memory"}:
        from eventlog.sync.put_objects import PutObjects

        return PutObjects(system, root, shown(url))
    protocols = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
    return (FolderObjects if "file" in protocols else Objects)(system, root, shown(url))
