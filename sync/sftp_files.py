"""Files over SFTP, by asyncssh: known_hosts is checked, and ~/.ssh/config, keys and the agent count.

It has the few methods of an fsspec file system that `Objects` calls. fsspec's own, by paramiko, takes any
host for the one that it says it is.
"""

import asyncio
import datetime
import errno
import os
import stat
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from eventlog.errors import InputInvalid
from eventlog.sync.failures import Failure, failure_of
from eventlog.sync.file_systems import CONNECT_SECONDS, SFTP, STALL_SECONDS, shown, split_options

__all__ = ["SftpFiles", "connect_options", "sftp_path"]

# A server says no more than "failure" when its disk is full.
FULL_SIZE = 1 << 20

Result = TypeVar("Result")


def connect_options(url: str, options: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """The host of a URL, and how asyncssh is to connect to it."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if not parts.hostname or port == -1:
        raise InputInvalid(f"{shown(url)} names no host, or no port: write sftp://HOST:22/FOLDER")
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "login_timeout": STALL_SECONDS,
        "keepalive_interval": STALL_SECONDS / 3,
        "keepalive_count_max": 3,
        # Those of ~/.ssh/config, or ~/.ssh/known_hosts; sshfs itself would check nothing.
        "known_hosts": (),
    }
    if port is not None:
        settings["port"] = port
    if parts.username:
        settings["username"] = unquote(parts.username)
    if parts.password:
        settings["password"] = unquote(parts.password)
    if "key_file" in options:
        settings["client_keys"] = [str(Path(options["key_file"]).expanduser())]
    if "known_hosts" in options:
        settings["known_hosts"] = str(Path(options["known_hosts"]).expanduser())
    return parts.hostname, settings


def sftp_path(url: str) -> str:
    """The path that a URL names; one that begins with ``/~/`` is relative to the user's home."""
    path = unquote(urlsplit(url).path).rstrip("/")
    return path.removeprefix("/~/") if path.startswith("/~/") else ("." if path == "/~" else path or "/")


class SftpFiles:
    """Files on one host. It connects when it is first asked for something, and again when it was cut off.

    Args:
        url: of the host; ``key_file`` and ``known_hosts`` may be set behind a ``?``.

    Raises:
        ImportError: asyncssh is not installed.
        InputInvalid: the URL names no host, or sets something else.
    """

    def __init__(self, url: str) -> None:
        import asyncssh
        from fsspec.asyn import get_loop

        self._shown = shown(url)
        plain, options = split_options(url, SFTP)
        self._root = sftp_path(url)
        self._host, self._settings = connect_options(plain, options)
        self._asyncssh: Any = asyncssh
        self._loop = get_loop()
        self._open = _Open()
        self._connecting = asyncio.Lock()
        weakref.finalize(self, self._open.abandon, self._loop)

    def __repr__(self) -> str:
        return f"<SftpFiles at {self._shown}>"

    def run(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        """Do something with an asyncssh SFTP client, from any thread."""
        future = asyncio.run_coroutine_threadsafe(self._run(work), self._loop)
        try:
            return future.result()
        except BaseException:
            # Interrupted while waiting: what the file system does must not go on by itself.
            future.cancel()
            raise

    # As fsspec's.

    def invalidate_cache(self) -> None:
        """Nothing: nothing is cached."""

    def ls(self, path: str, detail: bool = True) -> list[dict[str, Any]]:
        """What is in a folder."""

        async def work(client: Any) -> Any:
            return await client.readdir(path)

        return [
            _entry(f"{path.rstrip('/')}/{one.filename}", one.attrs)
            for one in self.run(work)
            if one.filename not in {".", ".."}
        ]

    def info(self, path: str) -> dict[str, Any]:
        """What is known of a file."""

        async def work(client: Any) -> Any:
            return await client.stat(path)

        return _entry(path, self.run(work))

    def isfile(self, path: str) -> bool:
        """Whether it is a file."""
        return bool(self.info(path)["type"] == "file")

    def modified(self, path: str) -> datetime.datetime:
        """When it was last written to."""
        return datetime.datetime.fromtimestamp(self.info(path)["mtime"], datetime.UTC)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Make a folder, and those around it."""

        async def work(client: Any) -> None:
            # Read first: a server tells not even that a folder is there already.
            if not await client.isdir(path):
                await client.makedirs(path, exist_ok=exist_ok)

        self.run(work)

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        """A range of a file's bytes."""

        async def work(client: Any) -> bytes:
            async with client.open(path, "rb") as file:
                data: bytes = await file.read(end - start, start)
                return data

        return self.run(work)

    def pipe_file(self, path: str, data: bytes) -> None:
        """Write a file, and wait until it is on the server's disk."""

        async def work(client: Any) -> None:
            async with client.open(path, "wb") as file:
                await file.write(data)
                await self.sync_file(file)

        self.run(work)

    def mv(self, source: str, target: str) -> None:
        """Move a file onto another, at once where the server can (OpenSSH does)."""

        async def work(client: Any) -> None:
            try:
                await client.posix_rename(source, target)
            except self._asyncssh.SFTPOpUnsupported:
                # What is there has the same bytes, since what has a name never changes.
                if await client.exists(target):
                    await client.remove(target)
                await client.rename(source, target)

        self.run(work)

    def rm_file(self, path: str) -> None:
        """Remove a file."""

        async def work(client: Any) -> None:
            await client.remove(path)

        self.run(work)

    async def sync_file(self, file: Any) -> None:
        """Wait until what was written to a file is on the server's disk, where it can say so."""
        try:
            await file.fsync()
        except self._asyncssh.SFTPOpUnsupported:
            pass

    # Below.

    async def _run(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        client = await self._client()
        try:
            return await work(client)
        except self._asyncssh.SFTPPermissionDenied as error:
            raise PermissionError(errno.EACCES, str(error.reason)) from error
        except (self._asyncssh.SFTPNoSuchFile, self._asyncssh.SFTPNoSuchPath) as error:
            raise FileNotFoundError(errno.ENOENT, str(error.reason)) from error
        except self._asyncssh.SFTPFailure as error:
            await self._explain(client, error)
            raise
        except Exception as error:
            if failure_of(error) is Failure.PASSING:
                self._open.forget(client)
            raise

    async def _client(self) -> Any:
        # One connection for all: each operation sends many requests, and waits for none of them singly.
        async with self._connecting:
            if self._open.client is None or self._open.connection.is_closed():
                try:
                    connection = await self._asyncssh.connect(self._host, **self._settings)
                except (ValueError, FileNotFoundError) as error:
                    # A key file that is none, or is not there.
                    raise PermissionError(errno.EACCES, str(error)) from error
                self._open.connection = connection
                self._open.client = await connection.start_sftp_client()
            return self._open.client

    async def _explain(self, client: Any, error: Exception) -> None:
        """Raise what is behind a failure that the server gives no reason for, if it is a full disk."""
        try:
            room = await client.statvfs(self._root)
        except Exception:
            return
        if room.bavail * room.frsize < FULL_SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


class _Open:
    """A connection that is open, and what is done over it."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.client: Any = None

    def forget(self, client: Any) -> None:
        """Connect anew the next time, unless that was done already."""
        if client is self.client and self.connection is not None:
            self.connection.abort()
            self.client = None

    def abandon(self, loop: Any) -> None:
        """Close it, from any thread."""
        if self.connection is not None and loop.is_running():
            loop.call_soon_threadsafe(self.connection.abort)


def _entry(path: str, attributes: Any) -> dict[str, Any]:
    mode = attributes.permissions or 0
    kind = "directory" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"
    return {"name": path, "type": kind, "size": attributes.size or 0, "mtime": attributes.mtime or 0}
