"""What an error of a file system means for a remote, whichever package raised it.

The packages behind fsspec raise whatever theirs raise, and none of them can be imported here. So an error is
known by its number, by the HTTP status or the code that the server gave, or by the names of its classes.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from eventlog.blobs import NO_RIGHT, NO_ROOM
from eventlog.errors import EventlogError, NotFound, RemoteInvalid, RemoteUnreachable

__all__ = ["Failure", "Passing", "failure_of", "first_line", "passed_over", "told"]


class Passing(RemoteUnreachable):
    """The network or the server failed for the moment: the same may go through when it is tried again."""


class Failure(Enum):
    """What is the matter."""

    MISSING = auto()
    BUCKET_MISSING = auto()
    MISPLACED = auto()
    FORBIDDEN = auto()
    FULL = auto()
    HOST_UNKNOWN = auto()
    HOST_KEY = auto()
    CERTIFICATE = auto()
    RANGE = auto()
    PASSING = auto()
    OTHER = auto()


_NETWORK = frozenset(
    {
        errno.EAGAIN,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ESHUTDOWN,
        errno.ETIMEDOUT,
    }
)
_STATUSES = {
    401: Failure.FORBIDDEN,
    403: Failure.FORBIDDEN,
    404: Failure.MISSING,
    405: Failure.FORBIDDEN,
    407: Failure.FORBIDDEN,
    408: Failure.PASSING,
    410: Failure.MISSING,
    416: Failure.RANGE,
    425: Failure.PASSING,
    429: Failure.PASSING,
    500: Failure.PASSING,
    502: Failure.PASSING,
    503: Failure.PASSING,
    504: Failure.PASSING,
    507: Failure.FULL,
    509: Failure.PASSING,
}
# What S3, GCS and Azure say besides the status, which may even be 200.
_CODES = {
    "ContainerNotFound": Failure.BUCKET_MISSING,
    "InternalError": Failure.PASSING,
    "InvalidPart": Failure.MISSING,
    "InvalidRange": Failure.RANGE,
    "NoSuchBucket": Failure.BUCKET_MISSING,
    "OperationAborted": Failure.PASSING,
    "QuotaExceeded": Failure.FULL,
    "RequestTimeout": Failure.PASSING,
    "ServiceUnavailable": Failure.PASSING,
    "SlowDown": Failure.PASSING,
    "Throttling": Failure.PASSING,
    "XMinioStorageFull": Failure.FULL,
}
# Classes of botocore, aiohttp, httpx, webdav4, asyncssh, google-auth and azure-core.
_CLASSES = {
    "HostKeyNotVerifiable": Failure.HOST_KEY,
    "ClientConnectorCertificateError": Failure.CERTIFICATE,
    "SSLCertVerificationError": Failure.CERTIFICATE,
    "ClientAuthenticationError": Failure.FORBIDDEN,
    "DefaultCredentialsError": Failure.FORBIDDEN,
    "InvalidConfigError": Failure.FORBIDDEN,
    "NoAuthHandlerFound": Failure.FORBIDDEN,
    "NoCredentialsError": Failure.FORBIDDEN,
    "PartialCredentialsError": Failure.FORBIDDEN,
    "PermissionDenied": Failure.FORBIDDEN,
    "ProfileNotFound": Failure.FORBIDDEN,
    "SFTPPermissionDenied": Failure.FORBIDDEN,
    "SFTPWriteProtect": Failure.FORBIDDEN,
    "SFTPFileAlreadyExists": Failure.MISPLACED,
    "SFTPFileIsADirectory": Failure.MISPLACED,
    "SFTPNotADirectory": Failure.MISPLACED,
    "SFTPNoSpaceOnFilesystem": Failure.FULL,
    "SFTPQuotaExceeded": Failure.FULL,
    "ResourceNotFoundError": Failure.MISSING,
    "SFTPNoSuchFile": Failure.MISSING,
    "SFTPNoSuchPath": Failure.MISSING,
    "ResourceConflict": Failure.MISSING,
    "ResourceNotFound": Failure.MISSING,
    "InsufficientStorage": Failure.FULL,
    "BadGatewayError": Failure.PASSING,
    "ResourceLocked": Failure.PASSING,
    "ClientPayloadError": Failure.PASSING,
    "ConnectionLost": Failure.PASSING,
    "DisconnectError": Failure.PASSING,
    "EndpointConnectionError": Failure.PASSING,
    "FlexibleChecksumError": Failure.PASSING,
    "HTTPClientError": Failure.PASSING,
    "IncompleteRead": Failure.PASSING,
    "IncompleteReadError": Failure.PASSING,
    "SFTPConnectionLost": Failure.PASSING,
    "SFTPNoConnection": Failure.PASSING,
    "ServerDisconnectedError": Failure.PASSING,
    "ServerTimeoutError": Failure.PASSING,
    "ServiceRequestError": Failure.PASSING,
    "ServiceResponseError": Failure.PASSING,
    "TransportError": Failure.PASSING,
}


def failure_of(error: BaseException) -> Failure:
    """What an error means; what is most exactly known of it, or of what it came from, counts."""
    causes = list(_causes(error))
    for known in (_by_code, _by_trust, _by_number, _by_status, _by_class):
        for cause in causes:
            failure = known(cause)
            if failure is not None:
                return failure
    return Failure.OTHER


def told(error: Exception, shown: str, name: str, *, rights: str, writing: bool) -> EventlogError:
    """The error of the tree that says in one line what an error means for a remote, and what to do.

    Args:
        shown: what to call the remote.
        name: of the object; "" for the remote itself.
        rights: what to do where it refuses.
        writing: it was to be written, not read.
    """
    where = f"{shown}/{name}" if name else shown
    reason = first_line(error)
    # Which of its reasons a server means, it may say in its code alone.
    code = next(filter(None, map(_code_of, _causes(error))), "")
    if code not in reason:
        reason = f"{code}: {reason}"
    if not isinstance(error, OSError):
        reason = f"{type(error).__name__}: {reason}"
    cannot = f"{where} cannot be {'written' if writing else 'read'} ({reason})"
    match failure_of(error):
        case Failure.BUCKET_MISSING:
            return RemoteUnreachable(
                f"{shown} cannot be used, as its bucket is not there: check the name, or create it"
            )
        case Failure.MISSING if writing:
            return RemoteUnreachable(f"{cannot}: check that the remote is still there, and sync again")
        case Failure.MISSING:
            return NotFound(f"{where} is not there")
        case Failure.MISPLACED:
            return RemoteInvalid(
                f"{where} cannot be used: a file is where a folder should be; name another folder"
            )
        case Failure.FORBIDDEN:
            return RemoteUnreachable(f"{cannot}: {rights}")
        case Failure.FULL:
            return RemoteUnreachable(f"{cannot}: make room there, and sync again")
        case Failure.HOST_UNKNOWN:
            return RemoteUnreachable(f"{shown} cannot be reached ({reason}): check the host's name")
        case Failure.HOST_KEY:
            return RemoteUnreachable(
                f"{shown} is not trusted ({reason}): check its key, and connect once with ssh to accept it"
            )
        case Failure.CERTIFICATE:
            return RemoteUnreachable(
                f"{shown} is not trusted ({reason}): check its certificate, and the URL's protocol"
            )
        case Failure.PASSING:
            return Passing(f"{where} does not answer ({reason}): check the network, and sync again")
        case _:
            return RemoteUnreachable(f"{cannot}: check that it is there, and sync again")


def passed_over(shown: str, name: str, error: EventlogError) -> str:
    """The line that says that an object cannot be used; the error may name it already."""
    said = str(error)
    return f"{said}; it is passed over" if name in said else f"{shown}/{name} is passed over: {said}"


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was raised from, or because of."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _by_code(error: BaseException) -> Failure | None:
    return _CODES.get(_code_of(error))


def _code_of(error: BaseException) -> str:
    """The code that S3, GCS or Azure gave; "" where none did."""
    response = getattr(error, "response", None)
    code: Any = getattr(error, "error_code", None)
    if isinstance(response, dict):
        code = response.get("Error", {}).get("Code")
    if isinstance(code, Enum):
        code = code.value
    return code if isinstance(code, str) else ""


def _by_trust(error: BaseException) -> Failure | None:
    if isinstance(error, socket.gaierror):
        passing = error.errno == socket.EAI_AGAIN
        return Failure.PASSING if passing else Failure.HOST_UNKNOWN
    if isinstance(error, ssl.SSLError):
        broken_off = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        return Failure.PASSING if broken_off else Failure.CERTIFICATE
    return None


def _by_number(error: BaseException) -> Failure | None:
    if isinstance(error, FileNotFoundError):
        return Failure.MISSING
    if isinstance(error, NotADirectoryError | FileExistsError | IsADirectoryError):
        return Failure.MISPLACED
    if isinstance(error, PermissionError):
        return Failure.FORBIDDEN
    if isinstance(error, ConnectionError | TimeoutError | EOFError):
        return Failure.PASSING
    number = getattr(error, "errno", None)
    if number in NO_ROOM:
        return Failure.FULL
    if number in NO_RIGHT:
        return Failure.FORBIDDEN
    return Failure.PASSING if number in _NETWORK else None


def _by_status(error: BaseException) -> Failure | None:
    response = getattr(error, "response", None)
    status: Any = None
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    for source, name in (
        (response, "status_code"),
        (error, "status_code"),
        (error, "status"),
        (error, "code"),
    ):
        if status is None:
            status = getattr(source, name, None)
    return _STATUSES.get(status) if isinstance(status, int) else None


def _by_class(error: BaseException) -> Failure | None:
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((_CLASSES[name] for name in names if name in _CLASSES), None)
