"""Readers of what comes from a remote, a bundle, or another machine's folder."""

import atexit
import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from unittest.mock import patch

from eventlog.cli.signatures import check_signature, sign
from eventlog.kept_heads import load_heads
from eventlog.sdk.importing import import_session
from eventlog.store import Store
from eventlog.sync import Remote, pull
from eventlog.sync.bundle import known_to
from eventlog.sync.check_remote import heads_of, verify_bundle, verify_remote
from eventlog.sync.file_systems import has_secrets, protocol_of, scheme_of, shown
from eventlog.sync.http_objects import HttpObjects
from eventlog.sync.urls import objects_at
from eventlog.verify import verify
from torture.fuzzing import corpus
from torture.fuzzing.changes import hostile_text
from torture.fuzzing.formats import changed_tree, changed_zip, zip_of
from torture.fuzzing.target import MIB, Target, errors_of_the_tree
from torture.fuzzing.trees import packed, unpacked, write_below

__all__ = ["REMOTE_TARGETS"]

NAMESPACE = "eventlog-head"
_QUIET = frozenset({"sftp", "ssh", "http", "https", "webdav", "webdavs", "memory", "nothing", ""})


# Remotes in a folder, and bundles.


def _read_remote(data: bytes, folder: Path) -> None:
    remote = folder / "remote"
    remote.mkdir()
    write_below(remote, unpacked(data))
    with Store.open(folder / "home") as store:
        with errors_of_the_tree():
            _told(pull(store, remote).problems)
        # What was let in is sound.
        assert verify(folder / "home", jobs=1).problems == []
    with errors_of_the_tree():
        _told(verify_remote(objects_at(remote), jobs=1).problems)
    with errors_of_the_tree():
        heads_of(objects_at(remote))
    with errors_of_the_tree():
        known_to(str(remote))


def _read_bundle(data: bytes, folder: Path) -> None:
    path = folder / "runs.zip"
    path.write_bytes(data)
    with errors_of_the_tree():
        _told(verify_bundle(path, jobs=1).problems)
    with errors_of_the_tree():
        known_to(str(path))
    _import(path, folder)
    assert sorted(one.name for one in folder.iterdir()) in (["home", "runs.zip"], ["runs.zip"])


def _import(path: Path, folder: Path) -> None:
    os.environ["EVENTLOG_HOME"] = str(folder / "home")
    with Store.open(folder / "home") as store:
        with errors_of_the_tree():
            _told(import_session(store, path).problems)
        assert verify(folder / "home", jobs=1).problems == []


def _told(problems: list[str]) -> None:
    assert not any("\n" in line for line in problems)


def _bomb(name: str, start: bytes = b"", item: bytes = b"\0", times: int = 64 * MIB) -> Callable[[], bytes]:
    marker = {"eventlog-remote": b"eventlog remote 1\n", "task.json": b"{}"}
    return lambda: zip_of({**marker, name: start + item * times})


def _many_members() -> bytes:
    return zip_of({f"{number}/x": b"" for number in range(20_000)})


def _overlapping() -> bytes:
    """Members that all lie where the first one does."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("task.json", bytes(64 * MIB))
        info = archive.infolist()[0]
        for number in range(500):
            other = zipfile.ZipInfo(f"data/{number}")
            for name in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(other, name, getattr(info, name))
            archive.filelist.append(other)
    return buffer.getvalue()


_ZIP_BOMBS = (
    _bomb(f"blobs/ab/{'ab' * 32}"),
    _bomb(f"stores/{'0' * 32}/{'0' * 12}-{'0' * 12}-{'0' * 16}.segment", b"EVSEG001"),
    _bomb("absent/" + "0" * 32),
    _bomb("since"),
    _many_members,
    _overlapping,
)
_SESSION_BOMBS = (
    lambda: zip_of({"task.json": bytes(64 * MIB)}),
    lambda: zip_of({"task.json": b"[" * (16 * MIB)}),
    lambda: zip_of({"task.json": b"{}", "metrics.jsonl": bytes(64 * MIB)}),
    lambda: zip_of({"task.json": b"{}", "metrics.jsonl": b"[]\n" * MIB, "log.jsonl": b"1\n" * MIB}),
    lambda: zip_of({"task.json": b'{"id": "x", "tags": [' + b'"",' * (8 * MIB) + b'""]}'}),
)


# The folder of another machine's store.


def _read_home(data: bytes, folder: Path) -> None:
    away = folder / "away"
    away.mkdir()
    write_below(away, unpacked(data))
    with errors_of_the_tree():
        _told(verify(away, jobs=1).problems)
    with errors_of_the_tree():
        _import(away, folder)


def _shape_home(chance: Random, data: bytes) -> bytes:
    """Mostly the pages of the log, most of which mean something at their beginning alone."""
    tree = unpacked(data)
    log = tree.get("log/data.mdb")
    if log is None or not chance.randrange(4):
        return changed_tree(chance, data)
    changed = bytearray(log)
    for _ in range(chance.randint(1, 3)):
        page = chance.randrange(max(1, len(log) // 4096)) * 4096
        at = page + chance.choice(
            [0, 8, 10, 12, 14, 16, 18, 24, 40, 48, 56, 88, 96, 128, 136, 144, chance.randrange(4096)]
        )
        size = chance.choice([1, 2, 4, 8])
        number = chance.choice(
            [0, 1, 2, 3, 0xFF, 0xFFFF, 0x7FFFFFFF, (1 << 64) - 1, len(log) // 4096, chance.randrange(1 << 16)]
        )
        changed[at : at + size] = (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    tree["log/data.mdb"] = bytes(changed[: len(log)])
    return packed(tree)


# Web servers.


def _read_listing(data: bytes, folder: Path) -> None:
    """A web server that answers whatever it is asked with these bytes: headers, an empty line, a body."""
    import httpx

    head, _, body = data.partition(b"\n\n")

    def answer(request: httpx.Request) -> httpx.Response:
        headers = []
        status = 200
        for line in head.split(b"\n"):
            name, _, value = line.partition(b":")
            if name == b"status" and value.strip().isdigit():
                status = int(value[:4])
            elif name.isalnum() or name.replace(b"-", b"").isalnum():
                headers.append((name, value.strip()))
        return httpx.Response(status, headers=headers, content=body)

    real = httpx.Client
    with patch("httpx.Client", lambda **given: real(transport=httpx.MockTransport(answer), **given)):
        objects = HttpObjects("http://host.invalid/runs", "http://host.invalid/runs")
    remote = Remote(objects)
    for ask in (
        objects.names,
        remote.holdings,
        remote.all_blobs,
        lambda: objects.size("eventlog-remote"),
        lambda: objects.start("eventlog-remote", 64),
        remote.absent.digests,
        remote.state,
    ):
        with errors_of_the_tree():
            ask()


def _listings() -> list[bytes]:
    head = b"content-type: text/html; charset=utf-8\ncontent-length: 5\n\n"
    links = [
        "eventlog-remote",
        "stores/",
        "blobs/",
        "absent/",
        "../",
        "?C=N;O=D",
        "/runs/x",
        "http://other.invalid/y",
    ]
    page = "<html><body><h1>Index</h1><pre>" + "".join(f'<a href="{one}">{one}</a> 1-Jan\n' for one in links)
    return [
        head + page.encode(),
        b"status: 404\n\n",
        b"status: 302\nlocation: /elsewhere/\n\n",
        b"content-encoding: gzip\n" + head + b"\x1f\x8b",
    ]


def _shape_listing(chance: Random, data: bytes) -> bytes:
    hostile = [
        "http://[::1",
        "//[/x",
        "//\u2100.com/",
        "%00",
        "%ff%fe",
        "%2e%2e%2f",
        "a" * 5000,
        "javascript:x",
        "\\\\x\\y",
        "?",
        hostile_text(chance)[:2000],
    ]
    link = f'<a href="{chance.choice(hostile)}">x</a>'.encode(errors="replace")
    return data.replace(b"<a ", link + b"<a ", 1)


def _page(piece: bytes) -> Callable[[], bytes]:
    return lambda: b"content-type: text/html\n\n" + piece * (MIB // len(piece))


_PIECES = (b"<", b"<!--", b"<a href='", b"<![CDATA[", b"</a", b"<a ", b"&#", b"<!", b"<a href=x>", b"<?")
_LISTING_BOMBS = tuple(map(_page, _PIECES))


# URLs.


def _read_url(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "surrogateescape")
    text = text.replace("~", str(folder))
    protocol_of(text)
    said = shown(text)
    with errors_of_the_tree():
        has_secrets(text)
    # Nothing is asked for; but protocols of fsspec's own may reach for the network even so.
    if "://" not in text or scheme_of(text) in _QUIET:
        with errors_of_the_tree():
            objects = objects_at(text)
            repr(objects)
            assert "://" in text or said
            objects.close()


def _urls() -> list[bytes]:
    return [
        b"sftp://user:secret@host:22/~/runs?key_file=/k",
        b"webdavs://user:secret@host:8080/a%20b/?x=1",
        b"https://user:secret@host/runs?token=secret",
        b"memory://runs",
        b"nothing://x/y",
        b"~/remote",
        b"ssh://[::1]:22/x",
    ]


# Signatures.


@cache
def _key() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="eventlog-key-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    return folder / "key"


@cache
def _signature() -> bytes:
    return sign(corpus.heads(), _key(), NAMESPACE)


def _read_signature(data: bytes, folder: Path) -> None:
    (folder / "heads.txt").write_bytes(corpus.heads())
    (folder / "heads.txt.sig").write_bytes(data)
    public = _key().with_suffix(".pub").read_text()
    (folder / "signers").write_text(f'somebody namespaces="{NAMESPACE}" {public}')
    with errors_of_the_tree():
        check_signature(corpus.heads(), folder / "heads.txt", folder / "signers", None)
        # The armour may be written in other ways, but what it says is what was signed.
        assert b"SSH SIGNATURE" in data


def _read_known(data: bytes, folder: Path) -> None:
    path = folder / "given"
    path.write_bytes(data)
    with errors_of_the_tree():
        known_to(str(path))
    with errors_of_the_tree():
        kept, _ = load_heads(path)
        write_below(folder / "remote", corpus.remote())
        verify_remote(objects_at(folder / "remote"), against=kept, jobs=1)


REMOTE_TARGETS = [
    Target("remote", lambda: [packed(corpus.remote())], _read_remote, changed_tree, slow=True),
    Target(
        "bundle",
        lambda: [corpus.bundle()],
        _read_bundle,
        changed_zip,
        (*_ZIP_BOMBS, *_SESSION_BOMBS),
        memory=256 * MIB,
        seconds=15,
        slow=True,
    ),
    Target("store folder", lambda: [packed(corpus.home())], _read_home, _shape_home, slow=True),
    Target("HTTP listing", _listings, _read_listing, _shape_listing, _LISTING_BOMBS, needs=("httpx",)),
    Target("URL", _urls, _read_url, needs=("fsspec",)),
    Target("signature", lambda: [_signature()], _read_signature, slow=True, needs=("ssh-keygen",)),
    Target("kept heads", lambda: [corpus.heads(), corpus.bundle()], _read_known),
]
