"""Every error that eventlog raises on purpose: one small tree.

A message is one line that says what happened, to what, and what to do now. The command line prints it
as it is and exits with 1.
"""

__all__ = [
    "BlobMissing",
    "ConfigurationInvalid",
    "DataCorrupt",
    "EventlogError",
    "InputInvalid",
    "NotAvailable",
    "NotFound",
    "RemoteInvalid",
    "RemoteUnreachable",
    "StatusUnexpected",
    "StoreForked",
    "StoreFull",
    "StoreInvalid",
    "StoreNewer",
    "StoreReadOnly",
    "in_one_line",
]


_LONGEST = 2000


class EventlogError(Exception):
    """The root of the tree."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(in_one_line(one) if isinstance(one, str) else one for one in args))


class InputInvalid(EventlogError, ValueError):
    """The caller gave something that cannot be used: a name too short, a value that is not a number."""


class NotAvailable(EventlogError, NotImplementedError):
    """ClearML has such a call and eventlog does not, or a package that it needs is not installed."""


class NotFound(EventlogError, LookupError, ValueError):
    """What was named is not here: a task, an artifact, a series. ClearML raises ValueError then."""


class StatusUnexpected(EventlogError, RuntimeError):
    """A task that is waited for did not come to the status that it was to have."""


class ConfigurationInvalid(EventlogError):
    """A setting, in the environment or in the TOML file, cannot be used."""


class StoreInvalid(EventlogError):
    """A folder is not a store, or its files cannot be opened as one."""


class StoreNewer(StoreInvalid):
    """A store, a batch or a remote was written by a newer version of eventlog."""


class StoreForked(EventlogError):
    """Two copies of a store went on from the same head, each by itself."""


class StoreFull(EventlogError, OSError):
    """The disk, a quota or a file-size limit leaves no room for the log."""


class StoreReadOnly(EventlogError, OSError):
    """The store cannot be written: a read-only file system, or missing rights."""


class DataCorrupt(EventlogError):
    """Bytes are not what was written: a hash, a CRC, a count or a chain does not hold."""


class BlobMissing(EventlogError, LookupError):
    """A blob that an event names is not in this store."""


class RemoteInvalid(EventlogError):
    """A URL is not a remote, or holds something else."""


class RemoteUnreachable(EventlogError, OSError):
    """A remote cannot be reached or refuses."""


def in_one_line(message: str) -> str:
    """A message as it can be printed: a name in it may have line ends or a terminal's codes, or be long."""
    if len(message) > _LONGEST:
        half = _LONGEST // 2
        message = f"{message[:half]} … {message[-half:]}"
    if message.isprintable():
        return message
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in message
    )
