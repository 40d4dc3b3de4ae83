"""A remote that refuses is said in one line, with what to do, and soon; and nothing is half let in."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eventlog.errors import EventlogError, InputInvalid, NotAvailable, RemoteInvalid, RemoteUnreachable
from eventlog.sync import Remote, pull, push, synchronise
from eventlog.sync.check_remote import verify_remote
from eventlog.sync.file_systems import has_secrets, shown
from eventlog.sync.patience import KNOWN_SECONDS
from eventlog.sync.sftp_files import sftp_path
from eventlog.sync.urls import objects_at
from tests.sync.machines import Machine, batches_of
from tests.sync.servers import SftpServer, sftp_server, web_server

Machines = Callable[[str], Machine]
Place = Callable[[str], str]

# A remote that was there before would be waited for longer. A busy machine takes its time, too.
SECONDS = KNOWN_SECONDS / 2


@pytest.fixture
def refusal(machine: Machines) -> Callable[..., str]:
    """What a push to a URL is told, in one line and soon."""

    def told(url: str, kind: type[EventlogError] = RemoteUnreachable, way: Callable = push) -> str:
        machine("laptop").train()
        started = time.monotonic()
        with pytest.raises(kind) as caught:
            way(machine("laptop").store, url)
        assert time.monotonic() - started < SECONDS
        text = str(caught.value)
        assert "\n" not in text
        assert "Traceback" not in text
        return text

    return told


def test_a_bucket_that_is_not_there_is_not_made(
    refusal: Callable[..., str], s3: str, credentials: None
) -> None:
    url = f"s3://nowhere/runs?endpoint_url={s3}"
    assert "its bucket is not there: check the name, or create it" in refusal(url)
    assert "its bucket is not there" in refusal(url, way=pull)


@pytest.mark.parametrize("kind", ["s3", "gcs", "azure", "sftp", "webdav"])
def test_a_place_that_holds_something_else_is_left_alone(
    kind: str, refusal: Callable[..., str], place: Place
) -> None:
    objects = objects_at(place(kind))
    objects.make_root()
    objects.put("cat.jpg", [b"meow"])
    for way in (push, pull, synchronise):
        told = refusal(place(kind), RemoteInvalid, way)
        assert "is not a remote, and not empty (cat.jpg)" in told
    assert set(objects.names() or ()) <= {"cat.jpg", "temporary"}


def test_no_credentials_are_said_and_not_searched_for_long(
    refusal: Callable[..., str], s3: str, credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # Another region, since what fsspec connected to it keeps for the process.
    told = refusal(f"s3://bucket/runs?region=us-east-2&endpoint_url={s3}")
    assert "check the credentials (AWS_PROFILE, or AWS_ACCESS_KEY_ID)" in told
    monkeypatch.setenv("AWS_PROFILE", "of-nobody")
    assert "of-nobody" in refusal(f"s3://bucket/runs?region=us-west-1&endpoint_url={s3}")


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [("ExpiredToken", "no", "ExpiredToken: no"), ("AccessDenied", "AccessDenied here", "AccessDenied here")],
)
def test_why_s3_refuses_is_said_by_its_code_too(
    code: str, message: str, said: str, refusal: Callable[..., str], credentials: None
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            self.send_response(403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            told = refusal(f"s3://bucket/runs?endpoint_url=http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
    assert f"cannot be read ({said}): check the credentials" in told


def test_an_answer_that_is_not_tls_is_not_trusted(
    refusal: Callable[..., str], s3: str, credentials: None
) -> None:
    told = refusal(f"s3://bucket/runs?endpoint_url={s3.replace('http:', 'https:')}")
    assert "is not trusted" in told
    assert "certificate" in told


@pytest.mark.parametrize(
    "url", ["sftp://nowhere.invalid/runs", "webdav://nowhere.invalid/runs", "https://nowhere.invalid/runs"]
)
def test_a_host_that_nobody_knows_is_said(url: str, refusal: Callable[..., str]) -> None:
    told = refusal(url, way=pull)
    assert "check the host's name" in told or "sync again" in told


def test_a_wrong_password_is_said_and_not_shown(refusal: Callable[..., str], webdav: str) -> None:
    host = webdav.rpartition("@")[2]
    told = refusal(f"webdav://me:wrong@{host}/runs")
    assert "check the user and the password" in told
    assert "wrong" not in told
    assert "check the user and the password" in refusal(f"webdav://{host}/runs")


def test_a_password_is_taken_from_netrc(
    machine: Machines, webdav: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text('machine 127.0.0.1 login me password "pass word"\n')
    (tmp_path / ".netrc").chmod(0o600)
    host = webdav.rpartition("@")[2]
    machine("laptop").train()
    assert push(machine("laptop").store, f"webdav://{host}/of-netrc").problems == []


def test_a_host_is_who_its_key_says(refusal: Callable[..., str], sftp: SftpServer, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    url = sftp.url(tmp_path / "remote").replace(str(sftp.known_hosts), str(known))
    known.write_text("")
    assert "is not trusted" in refusal(url)
    assert "connect once with ssh to accept it" in refusal(url)
    other = (sftp.key.with_suffix(".pub")).read_text()
    known.write_text(f"[127.0.0.1]:{sftp.port} {other}")
    assert "is not trusted" in refusal(url)
    assert not (tmp_path / "remote").exists()


def test_a_key_that_is_not_let_in_is_said(
    refusal: Callable[..., str], sftp: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=30)
    url = sftp.url(tmp_path / "remote").replace(str(sftp.key), str(key))
    assert "ssh to that host must work" in refusal(url)
    assert "ssh to that host must work" in refusal(url.replace(str(key), str(tmp_path / "none")))


def test_ssh_knows_hosts_and_keys_from_its_own_configuration(
    machine: Machines, sftp: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(
        f"Host cluster\n  HostName 127.0.0.1\n  Port {sftp.port}\n  IdentityFile {sftp.key}\n"
        f"  UserKnownHostsFile {sftp.known_hosts}\n"
    )
    machine("laptop").train()
    assert push(machine("laptop").store, f"sftp://cluster{tmp_path}/remote").problems == []
    assert (tmp_path / "remote" / "eventlog-remote").exists()


def test_a_server_that_is_for_reading_alone_can_be_pulled_from(
    refusal: Callable[..., str], machine: Machines, tmp_path: Path
) -> None:
    push(machine("desktop").store, tmp_path / "remote")
    machine("desktop").train()
    push(machine("desktop").store, tmp_path / "remote")
    with sftp_server(tmp_path / "server", read_only=True) as server:
        url = server.url(tmp_path / "remote")
        told = refusal(url)
        assert "cannot be written" in told
        assert "the rights there" in told
        # A sync says what it could not put there, and what it has let in all the same.
        result = synchronise(machine("laptop").store, url)
        assert result.pull.batches > 0
        (problem,) = result.problems
        assert "cannot be written" in problem
        assert pull(machine("laptop").store, url).problems == []
        assert "cannot be written" in refusal(url, way=synchronise)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 12 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, timeout=30).returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


@pytest.mark.parametrize("kind", ["folder", "sftp"])
def test_a_remote_that_is_full_takes_the_rest_when_there_is_room(
    kind: str, small_disk: Path, refusal: Callable[..., str], machine: Machines, sftp: SftpServer
) -> None:
    filler = small_disk / "filler"
    machine("laptop").upload(os.urandom(5 << 20))
    url = str(small_disk / "remote") if kind == "folder" else sftp.url(small_disk / "remote")
    push(machine("laptop").store, url)
    machine("laptop").upload(os.urandom(9 << 20), "larger")
    told = refusal(url)
    assert "make room there, and sync again" in told
    assert not list((small_disk / "remote" / "temporary").iterdir())
    assert not filler.exists()
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True, timeout=30)
    assert push(machine("laptop").store, url).problems == []
    assert pull(machine("cluster").store, url).problems == []
    assert batches_of(machine("cluster").store) == batches_of(machine("laptop").store)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sftp://host/data/my%20runs/", "/data/my runs"),
        ("sftp://host/~/runs", "runs"),
        ("sftp://host/~", "."),
        ("sftp://host", "/"),
    ],
)
def test_a_path_over_sftp_may_begin_at_home(url: str, path: str) -> None:
    assert sftp_path(url) == path


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("s3://bucket/runs", "s3fs", "s3"),
        ("gs://bucket/runs", "gcsfs.core", "gcs"),
        ("az://bucket/runs", "adlfs", "azure"),
        ("sftp://host/runs", "asyncssh", "sftp"),
        ("webdav://host/runs", "webdav4.fsspec", "webdav"),
        ("https://host/runs", "httpx", "http"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_extra(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NotAvailable, match=rf"pip install 'eventlog\[{extra}\]'"):
        Remote(url)


@pytest.mark.parametrize(
    "url", ["s3://bucket/runs?colour=red", "sftp://host/runs?anon=1", "webdav://host/x?y=z", "sftp:///runs"]
)
def test_what_cannot_be_set_in_a_url_is_said(url: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        Remote(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["s3://", "s3:///runs", "gs://", "az://?anon=1"])
def test_a_url_without_a_bucket_is_told_what_it_lacks(url: str) -> None:
    with pytest.raises(
        InputInvalid, match=r"names no (bucket|container): give one, as in \w+://[A-Z]+/FOLDER$"
    ):
        Remote(url)


def test_of_a_protocol_that_is_not_known_those_that_are_are_named() -> None:
    with pytest.raises(RemoteInvalid, match=r"nosuch:// is not known; known are .*s3://, .*sftp://"):
        Remote("nosuch://host/runs")


def test_a_folder_that_a_web_server_publishes_is_pulled_from(
    machine: Machines, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    """Python's own server, which has no ranges, does."""
    laptop, cluster = machine("desktop"), machine("cluster")
    laptop.train()
    for size in (10, 20_000_000):
        laptop.upload(os.urandom(size), f"of {size}")
    (tmp_path / "published").mkdir()
    push(laptop.store, tmp_path / "published" / "..my runs")
    with web_server(tmp_path / "published") as url:
        remote = f"{url}/..my%20runs"
        assert pull(cluster.store, remote).problems == []
        assert batches_of(cluster.store) == batches_of(laptop.store)
        assert set(cluster.store.blobs) == set(laptop.store.blobs)
        assert pull(cluster.store, remote).bytes == 0
        assert len(objects_at(remote).everything()) == 4
        assert "can only be read" in refusal(remote, RemoteInvalid)
        assert "is not there" in refusal(f"{url}/nowhere", way=pull)
        assert objects_at(f"{remote}/").size("nothing") is None


def test_a_blob_that_a_web_server_lacks_holds_nothing_back(machine: Machines, tmp_path: Path) -> None:
    laptop, cluster = machine("desktop"), machine("cluster")
    kept, lost = (laptop.upload(name.encode(), name) for name in ("kept", "lost"))
    (tmp_path / "published").mkdir()
    push(laptop.store, tmp_path / "published" / "runs")
    (tmp_path / "published" / "runs" / "blobs" / lost[:2] / lost).unlink()
    with web_server(tmp_path / "published") as url:
        (problem,) = pull(cluster.store, f"{url}/runs/").problems
        assert problem.startswith(f"{url}/runs/blobs/{lost[:2]}/{lost} is not there, nor listed as absent")
        assert batches_of(cluster.store) == batches_of(laptop.store)
        assert set(cluster.store.blobs) == {kept}
        (problem,) = verify_remote(objects_at(f"{url}/runs/")).problems
        assert lost in problem
        assert problem.endswith("is missing")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://me:secret@host/runs//", "https://me:***@host/runs"),
        ("s3://bucket/?anon=true", "s3://bucket"),
        ("memory://", "memory://"),
        ("/", "/"),
    ],
)
def test_a_url_is_shown_without_what_does_not_belong_to_its_name(url: str, told: str) -> None:
    assert shown(url) == told
    assert has_secrets(url) == ("secret" in url)
