"""A file at a URL comes whole or not at all, and what keeps it away is said in one line, without secrets."""

import http.server
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest

from eventlog.errors import (
    DataCorrupt,
    EventlogError,
    NotAvailable,
    NotFound,
    RemoteInvalid,
    RemoteUnreachable,
)
from eventlog.sdk.destinations import masked
from eventlog.sdk.transfers import delete_file, fetch_file, local_path, put_file

DATA = os.urandom(3_000_000)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves DATA at /data, breaks off at /short, says no elsewhere; takes what is put."""

    taken: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        if self.path in {"/data", "/short", "/data?token=hunter2secret"}:
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            self.wfile.write(DATA[:1000] if self.path == "/short" else DATA)
        else:
            self.send_error({"/private": 403, "/broken": 503}.get(self.path, 404))

    def do_PUT(self) -> None:
        length = self.headers["Content-Length"]
        if length is not None:
            data = self.rfile.read(int(length))
        else:
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        Handler.taken[self.path] = data
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_comes_from_the_web_without_a_further_package(web: str, tmp_path: Path) -> None:
    done: list[int] = []
    fetch_file(f"{web}/data", tmp_path / "x", done.append)
    assert (tmp_path / "x").read_bytes() == DATA
    assert done[-1] == len(DATA)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("nothing", NotFound),
        ("private", RemoteInvalid),
        ("broken", RemoteUnreachable),
        ("short", (DataCorrupt, RemoteUnreachable)),
    ],
)
def test_what_does_not_come_whole_leaves_nothing(
    web: str, tmp_path: Path, path: str, error: type[EventlogError]
) -> None:
    with pytest.raises(error) as caught:
        fetch_file(f"{web}/{path}", tmp_path / "x")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_put_on_the_web(web: str, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    (tmp_path / "x").write_bytes(DATA)
    put_file(tmp_path / "x", f"{web}/folder/x.bin", lambda done: None)
    assert Handler.taken["/folder/x.bin"] == DATA


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnreachable, match="cannot be read"):
        fetch_file("http://127.0.0.1:9/x", tmp_path / "x")


def test_a_secret_is_used_and_not_shown(web: str, tmp_path: Path) -> None:
    url = masked(f"{web}/data?token=hunter2secret")
    assert "hunter2" not in url
    fetch_file(url, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA
    with pytest.raises(EventlogError) as caught:
        fetch_file(masked(f"{web}/no?token=hunter2secret"), tmp_path / "y")
    assert "hunter2" not in str(caught.value)


def test_a_chain_of_file_systems_and_an_unknown_one_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs.core", None)
    with pytest.raises(RemoteInvalid, match="chains"):
        fetch_file("simplecache::memory://x", tmp_path / "x")
    with pytest.raises(RemoteInvalid, match="nosuch"):
        fetch_file("nosuch://x/y", tmp_path / "x")
    with pytest.raises(NotAvailable, match=r"eventlog\[gcs\]"):
        fetch_file("gs://bucket/y", tmp_path / "x")


def test_a_link_at_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "place").symlink_to(tmp_path / "victim")
    (tmp_path / ".place.source.partial").symlink_to(tmp_path / "victim")
    put_file(tmp_path / "source", f"file://{tmp_path}/place", lambda done: None)
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert (tmp_path / "place").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place", "source", "victim"]


def test_files_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    fsspec.filesystem("memory").pipe_file("/deleted/x", b"x")
    for url in (f"file://{tmp_path}/x", "memory://deleted/x"):
        delete_file(url)
        with pytest.raises(NotFound):
            delete_file(url)


def test_only_files_here_have_a_path() -> None:
    assert local_path("file:///a/b c") == Path("/a/b c")
    assert local_path("FILE:///a") == Path("/a")
    assert local_path("/a/../b") == Path("/a/../b")
    assert local_path("s3://a/b") is None
