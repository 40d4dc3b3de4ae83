"""Real servers on loopback, each a process of its own on a free port."""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

__all__ = [
    "SftpServer",
    "azure_server",
    "free_port",
    "gcs_server",
    "s3_server",
    "sftp_server",
    "web_server",
    "webdav_server",
]

START_SECONDS = 90.0
# No system takes ports of outgoing connections from these: one could take a server's before it starts.
PORTS = range(20_000, 32_000)
USER = pwd.getpwuid(os.getuid()).pw_name


def free_port() -> int:
    """A port that nobody has, nor gets without asking for it."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def missing(what: str, how: str) -> None:
    """Skip a test whose server is not installed; where all have to be there (.ci/run), fail."""
    if os.environ.get("EVENTLOG_TEST_SERVERS") == "required":
        pytest.fail(f"{what} is not installed: {how}")
    pytest.skip(f"{what} is not installed: {how}")


def require(*modules: str) -> None:
    """Skip a test, or fail it, where a module is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            missing(module, "pip install 'eventlog[test]'")


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """moto's server; gives its URL."""
    require("s3fs", "moto", "flask")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, folder, lambda: _answers(f"http://127.0.0.1:{port}/moto-api/data.json")):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def webdav_server(folder: Path, *, user: str = "me", password: str = "pass word") -> Iterator[str]:
    """WsgiDAV on cheroot, serving a folder to one user; gives host and port."""
    require("webdav4", "wsgidav", "cheroot")
    port = free_port()
    (folder / "served").mkdir(parents=True, exist_ok=True)
    settings = folder / "wsgidav.json"
    settings.write_text(
        f"""{{"host": "127.0.0.1", "port": {port}, "provider_mapping": {{"/": "{folder / "served"}"}},
        "simple_dc": {{"user_mapping": {{"*": {{"{user}": {{"password": "{password}"}}}}}}}},
        "http_authenticator": {{"accept_basic": true, "accept_digest": false, "default_to_digest": false}},
        "logging": {{"enable": false}}, "server": "cheroot", "verbose": 0}}"""
    )
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(settings)]
    with _running(command, folder, lambda: _answers(f"http://127.0.0.1:{port}/")):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def gcs_server(folder: Path) -> Iterator[str]:
    """gcp-storage-emulator; gives its URL."""
    require("gcsfs", "gcp_storage_emulator")
    port = free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host=127.0.0.1", f"--port={port}"]
    command += ["--in-memory", "--default-bucket=bucket"]
    with _running(command, folder, lambda: _answers(f"http://127.0.0.1:{port}/storage/v1/b/bucket")):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def azure_server(folder: Path) -> Iterator[str]:
    """Azurite; gives the connection string of its account, in which there is a container "bucket"."""
    require("adlfs")
    program = shutil.which("azurite-blob") or os.environ.get("AZURITE_BLOB")
    if program is None:
        pytest.skip("azurite is not installed: npm install --global azurite")
    port = free_port()
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    command = [program, *place, "--silent", "--skipApiVersionCheck", "--inMemoryPersistence"]
    account = "devstoreaccount1"
    # The key that Azurite's documentation gives to everybody.
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{account};"
    )
    with _running(command, folder, lambda: _answers(f"http://127.0.0.1:{port}/")):
        from azure.storage.blob import BlobServiceClient

        with BlobServiceClient.from_connection_string(connection) as client:
            client.create_container("bucket")
        yield connection


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Python's own web server, which lists folders and knows no ranges; gives its URL."""
    require("httpx")
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        "--directory",
        str(folder),
        str(port),
    ]
    with _running(command, folder, lambda: _answers(f"http://127.0.0.1:{port}/")):
        yield f"http://127.0.0.1:{port}"


class SftpServer:
    """OpenSSH's server, and the files of a client that it knows."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.key = folder / "client"
        self.known_hosts = folder / "known_hosts"
        self.home = folder / "home"
        self.config = folder / "sshd_config"

    def url(self, path: Path | str, port: int | None = None) -> str:
        place = f"sftp://{USER}@127.0.0.1:{port or self.port}{path}"
        return f"{place}?key_file={self.key}&known_hosts={self.known_hosts}"

    def trust(self, port: int, key: str | None = None) -> None:
        """Make the server's key, or another, the one that is known at a port."""
        key = key or (self.config.parent / "host.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{port} {key.strip()}\n")


@contextlib.contextmanager
def sftp_server(folder: Path, *, read_only: bool = False) -> Iterator[SftpServer]:
    """Debian's sshd, with keys made for it, letting this user in."""
    require("asyncssh")
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        missing("sshd", "apt-get install openssh-server")
    assert program is not None
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name in ("host", "client"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, timeout=30)
    (folder / "authorized_keys").write_text((folder / "client.pub").read_text())
    port = free_port()
    server = SftpServer(folder, port)
    server.trust(port)
    server.config.write_text(
        f"""
        ListenAddress 127.0.0.1:{port}
        HostKey {folder / "host"}
        AuthorizedKeysFile {folder / "authorized_keys"}
        PidFile none
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        UsePAM no
        StrictModes no
        PermitRootLogin yes
        MaxStartups 100
        Subsystem sftp internal-sftp{" -R" if read_only else ""}
        """
    )
    if os.getuid() == 0:
        # Where it leaves its rights, as a package's start script makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    command = [program, "-D", "-e", "-f", str(server.config)]
    with _running(command, folder, lambda: _greets(port)):
        yield server


@contextlib.contextmanager
def _running(command: list[str], folder: Path, is_ready: Callable[[], bool]) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    said = folder / f"{Path(command[0]).name}.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.02)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):
            return True
    except HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
