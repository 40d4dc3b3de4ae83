"""Machines for the tests of sync, and servers, each started when a test first asks for it."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.sync.machines import Machine
from tests.sync.servers import (
    SftpServer,
    azure_server,
    gcs_server,
    s3_server,
    sftp_server,
    webdav_server,
)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[[str], Machine]]:
    """Gives a machine by name, with a store of its own, closed after the test."""
    made: dict[str, Machine] = {}

    def named(name: str) -> Machine:
        if name not in made:
            made[name] = Machine(tmp_path / name)
        return made[name]

    yield named
    for one in made.values():
        one.close()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """The path of a remote that is not there yet."""
    return tmp_path / "remote"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an S3 server with a bucket named "bucket"."""
    with s3_server(tmp_path_factory.mktemp("s3")) as url:
        urlopen(Request(f"{url}/bucket", method="PUT"), timeout=30).close()
        yield url


@pytest.fixture(scope="session")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """An SFTP server, and a key that it lets in."""
    with sftp_server(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture(scope="session")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The user, password, host and port of a WebDAV server."""
    with webdav_server(tmp_path_factory.mktemp("webdav")) as host:
        yield f"me:pass%20word@{host}"


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a GCS server with a bucket named "bucket"."""
    with gcs_server(tmp_path_factory.mktemp("gcs")) as url:
        yield url


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an Azure server with a container named "bucket"."""
    with azure_server(tmp_path_factory.mktemp("azure")) as connection:
        yield connection


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials for S3, and none of this user's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    credentials: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], str]:
    """Gives the URL of a remote that is not there yet, by its kind; of the same one for the same test."""
    name = secrets.token_hex(8)

    def url(kind: str) -> str:
        match kind:
            case "folder":
                return str(tmp_path / "remote")
            case "s3":
                return f"s3://bucket/{name}/runs?endpoint_url={request.getfixturevalue('s3')}"
            case "sftp":
                return str(request.getfixturevalue("sftp").url(tmp_path / "remote"))
            case "webdav":
                return f"webdav://{request.getfixturevalue('webdav')}/{name}/runs"
            case "gcs":
                endpoint = request.getfixturevalue("gcs")
                return f"gs://bucket/{name}/runs?endpoint_url={endpoint}&anon=true"
            case "azure":
                monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", request.getfixturevalue("azure"))
                return f"az://bucket/{name}/runs"
        raise AssertionError(kind)

    return url
