"""Remote objects where a put succeeds as a whole or leaves nothing, as on GCS and Azure."""

import os
from pathlib import Path
from typing import Any

from eventlog.errors import NotFound
from eventlog.sync.copying import WHOLE_SIZE, OnBytes, hash_file, opened
from eventlog.sync.failures import Failure, failure_of
from eventlog.sync.objects import Objects, Recounted, check_digest, read_checked

__all__ = ["PutObjects"]


class PutObjects(Objects):
    """Objects on a store without folders, where a put succeeds as a whole or leaves nothing."""

    advice_on_rights = "check the credentials, and what they may do there"

    def files_in_folders(self, folder: str) -> dict[str, int]:
        """Size by ``folder/name`` of the files in the folders of a folder, in one listing."""
        start = self._path(folder) + "/"
        entries = self._attempt(folder, lambda: self._found(self._path(folder)))
        return {
            name[name.index(start) + len(start) :]: int(entry["size"] or 0)
            for name, entry in entries.items()
            if entry["type"] == "file" and start in name
        }

    def everything(self) -> dict[str, int | None]:
        """Size by name of every object under the root, in one listing.

        Raises:
            NotFound: there is none.
        """
        start = self._path("") + "/"
        entries = self._attempt("", lambda: self._found(self._path("")))
        found: dict[str, int | None] = {
            name[name.index(start) + len(start) :]: int(entry["size"] or 0)
            for name, entry in entries.items()
            if entry["type"] == "file" and start in name
        }
        if not found:
            raise NotFound(f"{self.shown} is not there")
        return found

    def make_root(self) -> None:
        """Nothing: what is put brings its folders with it."""

    def sweep(self) -> None:
        """Nothing: nothing is written under ``temporary/``."""

    def _put(self, name: str, data: bytes) -> None:
        self._fs.pipe_file(self._path(name), data)

    def _put_file(self, name: str, source: Path, digest: str, progress: Recounted) -> None:
        progress.again()
        # A put cannot be taken back half-way, so the hash has to be known before it begins.
        with opened(source) as descriptor:
            if (size := os.fstat(descriptor).st_size) < WHOLE_SIZE:
                self._put(name, read_checked(source, descriptor, size, digest))
                progress(size)
                return
            check_digest(source, hash_file(descriptor, lambda _: None), digest)
        self._fs.put_file(str(source), self._path(name), callback=_callback(progress))
        progress.again()
        progress(source.stat().st_size)

    def _found(self, path: str) -> dict[str, dict[str, Any]]:
        self._fs.invalidate_cache()
        try:
            entries: dict[str, dict[str, Any]] = self._fs.find(path, detail=True)
        except FileNotFoundError as error:
            if failure_of(error) is Failure.BUCKET_MISSING:
                raise
            return {}
        return entries


def _callback(progress: OnBytes) -> Any:
    from fsspec.callbacks import Callback

    class Counting(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            progress(inc)

    return Counting()
