"""Remote objects in a folder that a web server publishes: read from its listings, never written."""

import errno
import os
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from eventlog.errors import DataCorrupt, RemoteInvalid
from eventlog.sync.file_systems import CONNECT_SECONDS, STALL_SECONDS
from eventlog.sync.read_only import ReadOnlyObjects
from eventlog.sync.web_objects import WebObjects

__all__ = ["HttpFiles", "HttpObjects"]

# No folder of a remote has a listing as long as this.
MOST_LISTED = 256 << 20


class HttpFiles:
    """Files that a web server lists and gives, with the few methods of an fsspec file system that are called.

    Raises:
        ImportError: httpx is not installed.
    """

    def __init__(self) -> None:
        import httpx

        self.client: Any = httpx.Client(
            timeout=httpx.Timeout(STALL_SECONDS, connect=CONNECT_SECONDS, pool=None), follow_redirects=True
        )

    def invalidate_cache(self) -> None:
        """Nothing: nothing is cached."""

    def ls(self, path: str, detail: bool = True) -> list[dict[str, Any]]:
        """What a folder's page links to right below it."""
        url = path.rstrip("/") + "/"
        with self.client.stream("GET", url) as answer:
            _require(answer)
            if "html" not in answer.headers.get("content-type", ""):
                raise RemoteInvalid(f"{url} has no listing: only a folder that the server lists can be read")
            data = bytearray()
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > MOST_LISTED:
                    raise DataCorrupt(f"the listing of {url} has no end")
            return _entries(path, str(answer.url), data.decode(errors="replace"))

    def info(self, path: str) -> dict[str, Any]:
        """A file's size."""
        answer = self.client.head(path, headers={"Accept-Encoding": "identity"})
        _require(answer)
        return {"name": path, "type": "file", "size": int(answer.headers.get("content-length", 0))}

    def isfile(self, path: str) -> bool:
        """Never: what has a listing is a folder."""
        return False


class HttpObjects(ReadOnlyObjects, WebObjects):
    """Objects that a web server publishes. Listings give no sizes, so each file is asked for its own."""

    advice_on_rights = "check who may read it"
    advice_on_sides = (
        "run `eventlog fork` with that remote by a protocol that writes (webdav://, sftp://, s3://)"
    )
    advice_on_writing = "pull from it, and push by another protocol (webdav://, sftp://, s3://)"

    def __init__(self, url: str, shown: str) -> None:
        super().__init__(HttpFiles(), url, shown)

    def files(self, folder: str) -> dict[str, int]:
        """Size by name of the files right in a folder; empty where there is no such folder."""
        entries = self._entries(folder)
        names = [f"{folder}/{one['name'].rpartition('/')[2]}" for one in entries if one["type"] == "file"]
        return {name.rpartition("/")[2]: size for name, size in self._each_size(names).items()}

    def everything(self) -> dict[str, int | None]:
        """Size by name of every object under the root.

        Raises:
            NotFound: there is no such folder.
        """
        names = super().everything()
        sizes = self._each_size([name for name, size in names.items() if size is not None])
        return {name: sizes.get(name) for name in names}

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The sizes of those of these objects that are there."""
        return self._each_size(list(names))

    def _client(self) -> Any:
        return self._fs.client

    def _url(self, path: str) -> Any:
        return path


def _require(answer: Any) -> None:
    """Raise what file systems raise for what is not there, or what httpx raises for any other error."""
    if answer.status_code in {404, 410}:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    answer.raise_for_status()


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attributes if name == "href" and value]


def _entries(path: str, page: str, text: str) -> list[dict[str, Any]]:
    links = _Links()
    links.feed(text)
    base = urlsplit(page)
    found: dict[str, dict[str, Any]] = {}
    for link in links.found:
        parts = urlsplit(urljoin(page, link))
        rest = parts.path.removeprefix(base.path)
        name = unquote(rest.rstrip("/"))
        # Links to elsewhere, to the folder above, and those that sort the page are no files of this folder.
        same = parts[:2] == base[:2] and parts.path.startswith(base.path) and not parts.query
        if same and name and "/" not in name:
            kind = "directory" if rest.endswith("/") else "file"
            found[name] = {"name": f"{path.rstrip('/')}/{name}", "type": kind, "size": 0}
    return list(found.values())
