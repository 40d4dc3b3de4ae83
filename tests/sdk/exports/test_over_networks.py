"""An export over a network puts whole files in the place of others there too: read back, nothing is twice."""

from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from eventlog.sdk.exports.parquet import export
from tests.sdk.exports.reading import everything
from tests.sync import servers
from tests.sync.machines import Machine

pytestmark = [
    pytest.mark.usefixtures("small_parts"),
    # Clients leave their connections to the end of the process.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def exported_thrice(machine: Machine, url: str) -> None:
    for _ in range(3):
        machine.train(30)
        done = export(machine.store, url)
        assert (done.problems, done.files > 0) == ((), True)
    assert export(machine.store, url).files == 0


def check(machine: Machine, found: Path, tmp_path: Path) -> None:
    export(machine.store, tmp_path / "once")
    assert everything(found) == everything(tmp_path / "once")


def test_webdav(machine: Callable[[str], Machine], tmp_path: Path):
    pytest.importorskip("wsgidav")
    laptop = machine("laptop")
    with servers.webdav_server(tmp_path / "webdav") as host:
        exported_thrice(laptop, f"webdav://me:pass%20word@{host}/runs")
    check(laptop, tmp_path / "webdav" / "served" / "runs", tmp_path)


def test_sftp(machine: Callable[[str], Machine], tmp_path: Path):
    pytest.importorskip("asyncssh")
    laptop = machine("laptop")
    with servers.sftp_server(tmp_path / "sftp") as server:
        exported_thrice(laptop, server.url(tmp_path / "runs"))
    check(laptop, tmp_path / "runs", tmp_path)


def test_s3(machine: Callable[[str], Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("moto")
    s3fs = pytest.importorskip("s3fs")
    for name, value in {
        "ACCESS_KEY_ID": "key",
        "SECRET_ACCESS_KEY": "secret",
        "DEFAULT_REGION": "eu",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    laptop = machine("laptop")
    with servers.s3_server(tmp_path / "s3") as endpoint:
        urlopen(Request(f"{endpoint}/bucket", method="PUT"), timeout=30).close()
        exported_thrice(laptop, f"s3://bucket/runs?endpoint_url={endpoint}")
        system = s3fs.S3FileSystem(endpoint_url=endpoint, skip_instance_cache=True)
        system.get("bucket/runs", str(tmp_path / "fetched"), recursive=True)
    check(laptop, tmp_path / "fetched", tmp_path)
