"""The file systems that a URL may name: the package that each takes, and what can be set in the URL.

Where they are and how one signs in is set as the packages themselves read it: ``AWS_ENDPOINT_URL`` and
``~/.aws``, ``~/.ssh/config``, ``GOOGLE_APPLICATION_CREDENTIALS``, ``AZURE_STORAGE_CONNECTION_STRING``,
``~/.netrc``, or fsspec's own configuration. What differs from remote to remote may stand in the URL, behind
a ``?``.
"""

import re
import socket
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from eventlog.errors import InputInvalid, NotAvailable, RemoteInvalid
from eventlog.sync.failures import first_line

__all__ = [
    "CONNECT_SECONDS",
    "STALL_SECONDS",
    "Protocol",
    "file_system",
    "has_secrets",
    "protocol_of",
    "scheme_of",
    "shown",
]

# How long a connection may take, and how long nothing may come or go on one.
CONNECT_SECONDS = 10
STALL_SECONDS = 30


class Protocol(NamedTuple):
    """How a kind of URL is reached.

    Attributes:
        kind: what it is: the name of its extra (`pip install 'eventlog[s3]'`), or "memory".
        package: what the extra brings.
        options: what may be set in the URL.
    """

    kind: str
    package: str
    options: tuple[str, ...] = ()


S3 = Protocol("s3", "s3fs", ("anon", "endpoint_url", "profile", "region"))
GCS = Protocol("gcs", "gcsfs", ("anon", "endpoint_url", "project"))
AZURE = Protocol("azure", "adlfs", ("account_name", "anon"))
SFTP = Protocol("sftp", "sshfs", ("key_file", "known_hosts"))
WEBDAV = Protocol("webdav", "webdav4")
HTTP = Protocol("http", "aiohttp")
PROTOCOLS = {
    "s3": S3,
    "s3a": S3,
    "gs": GCS,
    "gcs": GCS,
    "az": AZURE,
    "azure": AZURE,
    "abfs": AZURE,
    "abfss": AZURE,
    "sftp": SFTP,
    "ssh": SFTP,
    "webdav": WEBDAV,
    "dav": WEBDAV,
    "webdavs": WEBDAV,
    "davs": WEBDAV,
    "http": HTTP,
    "https": HTTP,
    "memory": Protocol("memory", "fsspec"),
}
# What the first part of a path is called where it is none of a folder.
BUCKETS = {"s3": "bucket", "gcs": "bucket", "azure": "container"}


def scheme_of(url: str) -> str:
    """The protocol of a URL, in small letters; "" of a path."""
    scheme, mark, _ = url.partition("://")
    return scheme.lower() if mark else ""


def protocol_of(url: str) -> Protocol | None:
    """How a URL is reached; None where fsspec alone knows."""
    return PROTOCOLS.get(scheme_of(url))


def shown(url: str) -> str:
    """A URL as it may be shown: no password, no query, and no slash at its end."""
    # What names nothing more, as memory:// does, keeps its slashes.
    return re.sub(r"(?<=[^:/])/+$", "", _masked(url).partition("?")[0]) if "://" in url else url


def has_secrets(url: str) -> bool:
    """Whether a URL holds what may not be shown: a password, or something that is not known to be none."""
    plain, _, query = url.partition("?")
    protocol = protocol_of(url)
    known = protocol.options if protocol else ()
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    return _masked(plain) != plain or any(name not in known for name in names) or bool(query and not names)


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path on it. Nothing is looked at yet, save over SFTP.

    Raises:
        NotAvailable: it needs a package that is not installed.
        InputInvalid: an option in the URL is none, or there is no bucket in it.
        RemoteInvalid: fsspec knows no such protocol, or cannot use the URL.
    """
    import fsspec  # costs tens of milliseconds, and only remotes need it

    protocol = protocol_of(url)
    try:
        if protocol is None or protocol.kind in {"http", "memory"}:
            found: tuple[Any, str] = fsspec.core.url_to_fs(url)
            return found
        plain, options = split_options(url, protocol)
        _check_bucket(plain, protocol)
        make = {"s3": _s3, "gcs": _gcs, "azure": _azure, "sftp": _sftp, "webdav": _webdav}[protocol.kind]
        system, root = make(plain, options)
    except (InputInvalid, RemoteInvalid):
        raise
    except ImportError as error:
        raise missing_package(url, error) from None
    except ValueError as error:
        if str(error).startswith("Protocol not known"):
            raise RemoteInvalid(
                f"{shown(url)} cannot be used: {scheme_of(url)}:// is not known; known are a folder's path,"
                " s3://, gs://, az://, sftp://, webdav://, https://, and what else fsspec has"
            ) from None
        raise RemoteInvalid(f"{shown(url)} cannot be used: {first_line(error)}") from None
    return system, root


def missing_package(url: str, error: ImportError) -> NotAvailable:
    """What to say where a package is not installed."""
    protocol = protocol_of(url)
    if protocol is None:
        return NotAvailable(f"{shown(url)} needs a package that is not installed: {first_line(error)}")
    return NotAvailable(
        f"{shown(url)} needs {protocol.package}, which is not installed:"
        f" pip install 'eventlog[{protocol.kind}]'"
    )


def split_options(url: str, protocol: Protocol) -> tuple[str, dict[str, str]]:
    """A URL without what is set in it, and that.

    Raises:
        InputInvalid: it is nothing that can be set.
    """
    plain, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in protocol.options:
            known = f"; known are {', '.join(protocol.options)}" if protocol.options else ""
            raise InputInvalid(
                f"{shown(url)} sets '{name}' behind its ?, which {protocol.kind} has not{known}"
            )
    return plain, options


def _masked(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", url)


def _check_bucket(url: str, protocol: Protocol) -> None:
    if protocol.kind not in BUCKETS:
        return
    path = url.partition("://")[2]
    # Azure's package passes over slashes before the container.
    if not (path.lstrip("/") if protocol is AZURE else path.partition("/")[0]):
        what = BUCKETS[protocol.kind]
        raise InputInvalid(
            f"{shown(url)} names no {what}: give one, as in {scheme_of(url)}://{what.upper()}/FOLDER"
        )


def _s3(url: str, options: dict[str, str]) -> tuple[Any, str]:
    from s3fs import S3FileSystem

    # What fails is tried again here, with patience, so the libraries below do not each do the same.
    config: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": STALL_SECONDS,
        "retries": {"total_max_attempts": 1},
        "max_pool_connections": 32,
    }
    client = {"region_name": options["region"]} if "region" in options else {}
    settings: dict[str, Any] = {
        name: options[name] for name in ("endpoint_url", "profile") if name in options
    }
    if _takes_sockets():
        config["connector_args"] = {"socket_factory": _stalling_socket}
    system = S3FileSystem(
        anon=_is_set(options, "anon"), client_kwargs=client, config_kwargs=config, **settings
    )
    return system, S3FileSystem._strip_protocol(url)


def _gcs(url: str, options: dict[str, str]) -> tuple[Any, str]:
    # The class that the package gives asks by gRPC, for a minute if need be, what kind of bucket it is.
    from gcsfs.core import GCSFileSystem

    settings: dict[str, Any] = {
        name: options[name] for name in ("endpoint_url", "project") if name in options
    }
    if _is_set(options, "anon"):
        settings["token"] = "anon"
    system = GCSFileSystem(requests_timeout=STALL_SECONDS, **settings)
    return system, GCSFileSystem._strip_protocol(url)


def _azure(url: str, options: dict[str, str]) -> tuple[Any, str]:
    from adlfs import AzureBlobFileSystem

    settings: dict[str, Any] = dict(options)
    if "anon" in settings:
        settings["anon"] = _is_set(options, "anon")
    settings = {**AzureBlobFileSystem._get_kwargs_from_urls(url), **settings}
    system = AzureBlobFileSystem(connection_timeout=CONNECT_SECONDS, read_timeout=STALL_SECONDS, **settings)
    return system, AzureBlobFileSystem._strip_protocol(url)


def _sftp(url: str, options: dict[str, str]) -> tuple[Any, str]:
    import sshfs

    from eventlog.sync.sftp_files import connect_options, sftp_path

    host, settings = connect_options(url, options)
    return sshfs.SSHFileSystem(host, **settings), sftp_path(url)


def _webdav(url: str, options: dict[str, str]) -> tuple[Any, str]:
    import httpx
    from webdav4.fsspec import WebdavFileSystem

    parts = urlsplit(url)
    base = urlunsplit(
        ("https" if parts.scheme.lower().endswith("s") else "http", _place(parts.netloc), "", "", "")
    )
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    auth: Any = (unquote(user), unquote(password)) if user else _from_netrc(parts.hostname)
    system = WebdavFileSystem(
        base,
        auth=auth,
        retry=False,
        timeout=httpx.Timeout(STALL_SECONDS, connect=CONNECT_SECONDS, pool=None),
        skip_instance_cache=True,
    )
    return system, unquote(parts.path).strip("/")


def _place(location: str) -> str:
    return location.rpartition("@")[2]


def _from_netrc(host: str | None) -> tuple[str, str] | None:
    import netrc

    try:
        found = netrc.netrc().authenticators(host or "")
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0], found[2] or "") if found else None


def _is_set(options: dict[str, str], name: str) -> bool:
    return options.get(name, "").lower() in {"1", "true", "yes"}


def _takes_sockets() -> bool:
    from aiobotocore.config import AioConfig
    from botocore.exceptions import ParamValidationError

    try:
        AioConfig(connector_args={"socket_factory": _stalling_socket})
    except ParamValidationError:
        return False
    return True


def _stalling_socket(address: Any) -> socket.socket:
    """A socket that gives up when what it sends is not taken; the system would wait for 15 minutes."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setblocking(False)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_SECONDS * 1000)
    return made
