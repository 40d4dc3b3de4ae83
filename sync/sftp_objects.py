"""Remote objects over SFTP: large ones go on where a write that was cut off stopped."""

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

from eventlog.errors import DataCorrupt
from eventlog.sync.copying import opened
from eventlog.sync.objects import Objects, Recounted, check_digest
from eventlog.sync.resuming import own_name
from eventlog.sync.sftp_files import SftpFiles

__all__ = ["SftpObjects"]

PIECE_SIZE = 1 << 20
# Pieces of one file that are on their way at once.
PIECES_AT_ONCE = 8
# After this many bytes the server syncs them to its disk; what was synced is not sent again.
STRETCH_SIZE = 8 << 20


class SftpObjects(Objects):
    """Objects on a host that is reached by SFTP."""

    advice_on_rights = (
        "check the user, the key (ssh to that host must work without a question) and the rights there"
    )

    _fs: SftpFiles

    def _put_file(self, name: str, source: Path, digest: str, progress: Recounted) -> None:
        progress.again()
        with opened(source) as descriptor, own_name(descriptor, digest) as own:
            with self._placed(name, own) as temporary:
                size = os.fstat(descriptor).st_size

                async def work(client: Any) -> str:
                    return await _send(self._fs, client, descriptor, size, temporary, progress)

                check_digest(source, self._fs.run(work), digest)


async def _send(files: SftpFiles, client: Any, source: int, size: int, path: str, progress: Recounted) -> str:
    """Write a file's bytes after what is there of them; returns the SHA-256 of all that it has.

    Writes are on their way together and come in any order, so of what is there the last stretch may have
    holes. The stretches before it were waited for, and synced.
    """
    hasher = hashlib.sha256()
    there = (await client.stat(path)).size if await client.exists(path) else 0
    start = max(0, (there - 1) // STRETCH_SIZE * STRETCH_SIZE)
    async with client.open(path, "r+b" if there else "wb") as file:
        for offset in range(0, size, STRETCH_SIZE):
            end = min(offset + STRETCH_SIZE, size)
            await _send_stretch(file, source, offset, end, hasher, progress, send=offset >= start)
            if offset >= start:
                await files.sync_file(file)
        if there > size:
            await file.truncate(size)
    found = (await client.stat(path)).size
    if found != size:
        raise ConnectionError(f"{found} bytes of {size} have arrived")
    return hasher.hexdigest()


async def _send_stretch(
    file: Any, source: int, offset: int, end: int, hasher: Any, progress: Recounted, *, send: bool
) -> None:
    waiting: set[asyncio.Future[Any]] = set()
    try:
        while offset < end:
            count = min(PIECE_SIZE, end - offset)
            data = await asyncio.to_thread(_read_hashing, source, offset, count, hasher)
            if send:
                if len(waiting) >= PIECES_AT_ONCE:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    _check(done)
                waiting.add(asyncio.ensure_future(file.write(data, offset)))
            offset += len(data)
            progress(len(data))
        _check((await asyncio.wait(waiting))[0] if waiting else set())
    finally:
        for one in waiting:
            one.cancel()
        # What they failed of is known already.
        await asyncio.gather(*waiting, return_exceptions=True)


def _check(done: set[asyncio.Future[Any]]) -> None:
    for one in done:
        one.result()


def _read_hashing(source: int, offset: int, count: int, hasher: Any) -> bytes:
    try:
        data = os.pread(source, count, offset)
    except OSError as error:
        raise DataCorrupt(f"the file cannot be read at byte {offset} ({error.strerror})") from None
    if len(data) < count:
        raise DataCorrupt("the file was cut short while it was sent")
    hasher.update(data)
    return data
