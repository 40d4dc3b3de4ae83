"""Reading remote objects over HTTP, by httpx: what WebDAV servers and published folders have in common."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eventlog.sync.copying import OnBytes
from eventlog.sync.objects import Objects

__all__ = ["WebObjects"]

PIECE_SIZE = 1 << 20


class WebObjects(Objects):
    """Objects that are read over HTTP, in ranges where the server can."""

    def __init__(self, file_system: Any, root: str, shown: str) -> None:
        super().__init__(file_system, root, shown)
        # Known from the first answer, which is that to the question for the marker.
        self._has_ranges = True
        weakref.finalize(self, self._client().close)

    def _client(self) -> Any:
        """The httpx client to ask with."""
        raise NotImplementedError

    def _url(self, path: str) -> Any:
        """The URL of a path."""
        raise NotImplementedError

    def _read(self, path: str, start: int, count: int) -> bytes:
        with self._get(path, start, start + count - 1) as (pieces, first):
            data = bytearray()
            # A server that has no ranges sends all from the beginning.
            before = start - first
            for piece in pieces:
                data += piece[before:]
                before = max(0, before - len(piece))
                if len(data) >= count:
                    break
        return bytes(data[:count])

    def _pieces(self, name: str, start: int, size: int, progress: OnBytes) -> Iterator[bytes]:
        if self._has_ranges:
            yield from super()._pieces(name, start, size, progress)
            return
        # In one answer, from the beginning: what breaks off cannot go on.
        with self.errors(name), self._get(self._path(name), 0, None) as (pieces, _):
            offset = 0
            for piece in pieces:
                offset += len(piece)
                if offset > start:
                    yield piece[max(0, len(piece) - (offset - start)) :]

    @contextmanager
    def _get(self, path: str, first: int, last: int | None) -> Iterator[tuple[Iterator[bytes], int]]:
        """The bytes of a file from one to another, or to its end, and the offset at which they begin."""
        headers = {"Accept-Encoding": "identity"}
        if last is not None:
            headers["Range"] = f"bytes={first}-{last}"
        with self._client().stream("GET", self._url(path), headers=headers, follow_redirects=True) as answer:
            if answer.status_code == 416:
                yield iter(()), first
                return
            answer.raise_for_status()
            if last is not None:
                self._has_ranges = answer.status_code == 206
            yield answer.iter_raw(PIECE_SIZE), first if answer.status_code == 206 else 0
