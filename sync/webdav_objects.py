"""Remote objects on a WebDAV server: written under another name, then moved by the server."""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eventlog.sync.copying import hash_file, opened
from eventlog.sync.layout import TEMPORARY
from eventlog.sync.objects import Recounted, check_digest
from eventlog.sync.web_objects import WebObjects

__all__ = ["WebdavObjects"]


class WebdavObjects(WebObjects):
    """Objects on a WebDAV server. A write that was cut off begins again: the protocol has no other way."""

    advice_on_rights = (
        "check the user and the password (in the URL, or in ~/.netrc) and what they may do there"
    )

    def replace(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write what may have other bytes by now; the server removes what is there a moment before."""
        data = b"".join(pieces)
        self._attempt(name, lambda: self._overwrite(name, data), writing=True)

    def _overwrite(self, name: str, data: bytes) -> None:
        temporary = self._path(f"{TEMPORARY}/{secrets.token_hex(16)}")
        self._make_folder(TEMPORARY)
        try:
            self._fs.pipe_file(temporary, data)
            self._make_folder(name.rpartition("/")[0])
            self._fs.client.move(temporary, self._path(name), overwrite=True)
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(temporary)
            raise

    def _client(self) -> Any:
        return self._fs.client.http

    def _url(self, path: str) -> Any:
        return self._fs.client.join_url(path)

    def _put_file(self, name: str, source: Path, digest: str, progress: Recounted) -> None:
        progress.again()
        with opened(source) as descriptor, self._placed(name) as temporary:
            with open(descriptor, "rb", closefd=False) as file:
                size = os.fstat(descriptor).st_size
                self._fs.client.upload_fileobj(
                    file, temporary, overwrite=True, size=size, callback=progress, chunk_size=1 << 20
                )
            # What is sent is not seen on its way; it is the same file, and it lies in memory still.
            check_digest(source, hash_file(descriptor, lambda _: None), digest)

    def _move(self, temporary: str, name: str) -> None:
        # The file system of fsspec would have it copied, under the very name that nothing half may have. And
        # servers that are to overwrite what is there remove that first.
        from webdav4.client import ResourceAlreadyExists

        target = self._path(name)
        try:
            self._fs.client.move(temporary, target, overwrite=False)
        except ResourceAlreadyExists:
            if self._size(target) == self._size(temporary):
                self._fs.rm_file(temporary)
            else:
                self._fs.client.move(temporary, target, overwrite=True)
