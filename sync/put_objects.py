"""Remote objects where a put succeeds as a whole or leaves nothing, as on S3."""

from collections.abc import Iterable
from pathlib import Path

from eventlog.sync.copying import OnBytes, hash_file, opened
from eventlog.sync.objects import Objects, check_digest

__all__ = ["PutObjects"]


class PutObjects(Objects):
    """Objects on a store without folders, where a put succeeds as a whole or leaves nothing."""

    def files_in_folders(self, folder: str) -> dict[str, int]:
        """Size by ``folder/name`` of the files in the folders of a folder, in one listing."""
        with self.errors(folder):
            self._fs.invalidate_cache()
            start = self._path(folder) + "/"
            try:
                entries = self._fs.find(self._path(folder), detail=True)
            except FileNotFoundError:
                return {}
            return {
                name[name.index(start) + len(start) :]: int(entry["size"] or 0)
                for name, entry in entries.items()
                if entry["type"] == "file" and start in name
            }

    def make_root(self) -> None:
        """Nothing: what is put brings its folders with it."""

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write an object, whole or not at all."""
        data = b"".join(pieces)
        with self.errors(name, writing=True):
            self._fs.pipe_file(self._path(name), data)

    def put_file(self, name: str, source: Path, digest: str, progress: OnBytes) -> None:
        """Write a file's bytes as an object, whole or not at all.

        Raises:
            DataCorrupt: the file's bytes have another hash, or cannot be read.
        """
        # A put cannot be taken back half-way, so the hash has to be known before it begins.
        with opened(source) as descriptor:
            check_digest(source, hash_file(descriptor, lambda _: None), digest)
        with self.errors(name, writing=True):
            self._fs.put_file(str(source), self._path(name))
        progress(source.stat().st_size)

    def sweep(self) -> None:
        """Nothing: nothing is written under ``temporary/``."""
