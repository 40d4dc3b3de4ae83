"""StorageManager: files at URLs, fetched, put and listed through fsspec.

A URL is anything that fsspec opens, or a path on this machine. What was fetched once is kept in the cache of
the store (``EVENTLOG_HOME/cache``), and fetched again only when asked to.
"""

import fnmatch
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eventlog.configuration import home_folder
from eventlog.errors import EventlogError, NotAvailable, NotFound
from eventlog.sdk.transfers import fetch_file, file_system, local_path, put_file

__all__ = ["StorageManager"]

log = logging.getLogger("eventlog")

_CHUNK = 1 << 20
_ATTEMPTS = 3
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


class StorageManager:
    """Class methods that move files between this machine and URLs; see ClearML's class of that name."""

    @classmethod
    def get_local_copy(
        cls,
        remote_url: str,
        cache_context: str | None = None,
        extract_archive: bool = True,
        name: str | None = None,
        force_download: bool = False,
    ) -> str | None:
        """The path of a file on this machine: itself, or a copy in the cache.

        Args:
            remote_url: a URL or a path.
            cache_context: a word that keeps copies apart.
            extract_archive: of a zip or tar file, give the folder that it is extracted to.
            name: what to call the copy; by default as at the URL.
            force_download: fetch it again.

        Returns:
            The path, or None where nothing is at that URL.

        Raises:
            DataCorrupt: an archive is damaged, or a member would leave its folder.
            RemoteUnreachable, RemoteInvalid, NotAvailable: it cannot be fetched.
        """
        here = local_path(remote_url)
        if here is not None:
            path = here
        else:
            path = _cache(remote_url, cache_context) / (name or _last_part(remote_url))
            if force_download or not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                try:
                    fetch_file(remote_url, path)
                except NotFound:
                    return None
        if not path.exists():
            return None
        if extract_archive and path.is_file() and path.name.endswith(_ARCHIVES):
            return str(_extracted(path, cache_context, anew=force_download))
        return str(path)

    @classmethod
    def upload_file(
        cls, local_file: str, remote_url: str, wait_for_upload: bool = True, retries: int | None = None
    ) -> str:
        """Copy a file to a URL, and return the URL.

        Args:
            local_file: its path.
            remote_url: where to, the file's name included.
            wait_for_upload: for ClearML's sake; it is always waited for.
            retries: how often to try again; 2 by default.

        Raises:
            FileNotFoundError: there is no such file.
            EventlogError: it cannot be written there.
        """
        path = Path(local_file)
        if not path.is_file():
            raise FileNotFoundError(2, "No such file", str(local_file))
        attempts = _ATTEMPTS if retries is None else 1 + max(0, retries)
        for attempt in range(1, attempts + 1):
            try:
                put_file(path, remote_url, lambda done: None)
            except OSError as error:
                if attempt == attempts:
                    raise
                log.warning("eventlog: %s; trying again", error)
            else:
                break
        return remote_url

    @classmethod
    def upload_folder(
        cls,
        local_folder: str,
        remote_url: str,
        match_wildcard: str | None = None,
        retries: int | None = None,
    ) -> str | None:
        """Copy the files below a folder to a URL, and return the URL; None where there is no such folder.

        Args:
            local_folder: its path.
            remote_url: of the folder that they are put in.
            match_wildcard: only files whose path below the folder matches, such as ``*.json``.
            retries: as of `upload_file`, for each file.
        """
        folder = Path(local_folder)
        if not folder.is_dir():
            return None
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder).as_posix()
            if path.is_file() and fnmatch.fnmatch(relative, match_wildcard or "*"):
                cls.upload_file(str(path), f"{remote_url.rstrip('/')}/{relative}", retries=retries)
        return remote_url

    @classmethod
    def download_file(
        cls,
        remote_url: str,
        local_folder: str | None = None,
        overwrite: bool = False,
        skip_zero_size_check: bool = False,
        silence_errors: bool = False,
    ) -> str | None:
        """Copy a file at a URL below a folder, under its path at the URL, and return the copy's path.

        Args:
            remote_url: of the file.
            local_folder: where to; by default the cache.
            overwrite: fetch it again where a copy is there.
            skip_zero_size_check: take an empty file too; otherwise None is returned for one.
            silence_errors: return None where it cannot be fetched.
        """
        path = _below(
            Path(local_folder) if local_folder else _cache(remote_url, None), _whole_path(remote_url)
        )
        return cls._download(remote_url, path, overwrite, skip_zero_size_check, silence_errors)

    @classmethod
    def download_folder(
        cls,
        remote_url: str,
        local_folder: str | None = None,
        match_wildcard: str | None = None,
        overwrite: bool = False,
        skip_zero_size_check: bool = False,
        silence_errors: bool = False,
        max_workers: int | None = None,
    ) -> str | None:
        """Copy the files below a URL to a folder, and return the folder's path; None where there are none.

        Args:
            remote_url: of the folder.
            local_folder: where to; by default the cache.
            match_wildcard: only files whose path below the URL matches.
            overwrite, skip_zero_size_check, silence_errors: as of `download_file`, for each file.
            max_workers: for ClearML's sake.
        """
        names = cls.list(remote_url) or []
        folder = Path(local_folder) if local_folder else _cache(remote_url, None)
        for name in names:
            if fnmatch.fnmatch(name, match_wildcard or "*"):
                url = f"{remote_url.rstrip('/')}/{name}"
                cls._download(url, _below(folder, name), overwrite, skip_zero_size_check, silence_errors)
        return str(folder) if names else None

    @classmethod
    def list(
        cls,
        remote_url: str,
        return_full_path: bool = False,
        with_metadata: bool = False,
        read_hash: bool = False,
    ) -> list[Any] | None:
        """The files below a URL, by their path below it, sorted.

        Args:
            remote_url: of the folder.
            return_full_path: as whole URLs instead.
            with_metadata: as dictionaries with "name" and "size" (bytes) instead.
            read_hash: not here.

        Raises:
            NotAvailable: a hash was asked for.
        """
        _no_hash("list", read_hash)
        system, place = file_system(remote_url)
        place = place.rstrip("/")
        listed = []
        for path, entry in sorted(system.find(place, detail=True).items()):
            name = path.removeprefix(place).lstrip("/")
            shown = f"{remote_url.rstrip('/')}/{name}" if return_full_path else name
            listed.append({"name": shown, "size": entry.get("size")} if with_metadata else shown)
        return listed

    @classmethod
    def exists_file(cls, remote_url: str) -> bool:
        """Whether a file is at a URL."""
        system, place = file_system(remote_url)
        return bool(system.isfile(place))

    @classmethod
    def get_file_size_bytes(cls, remote_url: str, silence_errors: bool = False) -> int | None:
        """The size of the file at a URL, or None where none is there, or its size is not known."""
        metadata = cls.get_metadata(remote_url)
        return None if metadata is None else metadata["size"]

    @classmethod
    def get_metadata(
        cls, remote_url: str, return_full_path: bool = False, read_hash: bool = False
    ) -> dict[str, Any] | None:
        """The "name" and the "size" (bytes) of the file at a URL, or None where none is there.

        Raises:
            NotAvailable: a hash was asked for.
        """
        _no_hash("get_metadata", read_hash)
        system, place = file_system(remote_url)
        try:
            size = system.info(place).get("size")
        except FileNotFoundError:
            return None
        return {"name": remote_url if return_full_path else place, "size": size}

    @classmethod
    def get_stream(cls, remote_url: str, chunk_size: int | None = None) -> Iterator[bytes] | None:
        """The bytes of the file at a URL, in pieces of `chunk_size` (1 MiB by default)."""
        system, place = file_system(remote_url)

        def pieces() -> Iterator[bytes]:
            with system.open(place, "rb") as file:
                while piece := file.read(chunk_size or _CHUNK):
                    yield piece

        return pieces() if system.isfile(place) else None

    @classmethod
    def storage_helper(cls, *_: Any, **__: Any) -> Any:
        """Not here.

        Raises:
            NotAvailable: always.
        """
        raise NotAvailable(
            "StorageManager.storage_helper is not available: it is the inside of ClearML's class; use the"
            " calls of this one, or fsspec"
        )

    @classmethod
    def get_files_server(cls) -> str:
        """Not here.

        Raises:
            NotAvailable: always.
        """
        raise NotAvailable(
            "StorageManager.get_files_server is not available: eventlog has no server; artifacts are in the"
            " store"
        )

    @classmethod
    def set_cache_file_limit(cls, cache_file_limit: int, cache_context: str | None = None) -> int:
        """Not here.

        Raises:
            NotAvailable: always.
        """
        raise NotAvailable(
            "StorageManager.set_cache_file_limit is not available: the cache has no limit; its folder, cache"
            " in EVENTLOG_HOME, may be deleted at any time"
        )

    @classmethod
    def set_report_upload_chunk_size(cls, chunk_size_mb: int) -> None:
        """Not here.

        Raises:
            NotAvailable: always.
        """
        raise NotAvailable(
            "StorageManager.set_report_upload_chunk_size is not available: uploads are not logged"
        )

    @classmethod
    def set_report_download_chunk_size(cls, chunk_size_mb: int) -> None:
        """Not here.

        Raises:
            NotAvailable: always.
        """
        raise NotAvailable(
            "StorageManager.set_report_download_chunk_size is not available: downloads are not logged"
        )

    @classmethod
    def _download(cls, url: str, path: Path, anew: bool, empty: bool, silent: bool) -> str | None:
        if anew or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                fetch_file(url, path)
            except EventlogError:
                if silent:
                    return None
                raise
        return str(path) if empty or path.stat().st_size else None


def _cache(url: str, context: str | None) -> Path:
    """The folder of the cache for what is at a URL."""
    key = hashlib.sha256(f"{context or ''}\n{url}".encode()).hexdigest()[:40]
    return home_folder() / "cache" / f"url-{key}"


def _last_part(url: str) -> str:
    return url.partition("?")[0].rstrip("/").rpartition("/")[2] or "file"


def _whole_path(url: str) -> str:
    return url.partition("://")[2] or url


def _below(folder: Path, name: str) -> Path:
    """A path below a folder, from a name that may come from elsewhere."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise NotFound(f"{name!r} would leave {folder}: fetch it by its own URL")
    return folder.joinpath(*parts)


def _no_hash(call: str, asked: bool) -> None:
    if asked:
        raise NotAvailable(
            f"StorageManager.{call} with read_hash is not available: file systems say no hashes; fetch the"
            " file, and use clearml.storage.util.sha256sum"
        )


def _extracted(path: Path, context: str | None, *, anew: bool) -> Path:
    """The folder that an archive is extracted to; an archive that has changed is extracted again."""
    status = path.stat()
    folder = _cache(f"{path}\n{status.st_size}\n{status.st_mtime_ns}", context) / f"{path.name}.extracted"
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir():
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.name.endswith(".zip"):
            from eventlog.sdk.archives import extract_archive

            extract_archive(path, folder)
        else:
            _extract_tar(path, folder)
    return folder


def _extract_tar(path: Path, folder: Path) -> None:
    import tarfile

    from eventlog.errors import DataCorrupt

    partial = folder.with_name(f".{os.urandom(6).hex()}.partial")
    try:
        with tarfile.open(path) as archive:
            # Refuses links and names that leave the folder, and devices (PEP 706).
            archive.extractall(partial, filter="data")
        partial.rename(folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataCorrupt(f"{path} cannot be extracted: {error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
