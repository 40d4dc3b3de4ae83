"""Who a session's process is: what its journal's lock and its first event say of it."""

import getpass
import os
import platform
import sys
from typing import Any

from eventlog.hosts import host

__all__ = ["describe_death", "lock_lines", "session_fields"]


def lock_lines() -> list[str]:
    """What the owner of a journal writes into its lock: process id, host, boot id."""
    return [str(os.getpid()), host(), _boot_id()]


def session_fields() -> tuple[Any, ...]:
    """The fields of this process's `SessionStarted`."""
    from eventlog import __version__

    return (
        host(),
        _user(),
        os.getpid(),
        f"eventlog {__version__}",
        platform.python_version(),
        sys.argv[:1],
    )


def describe_death(lines: list[str]) -> str:
    """How the process ended that wrote these lines into its journal's lock and left the journal."""
    process, host, boot = (*lines, "", "", "")[:3]
    if boot and boot != _boot_id():
        return f"{host} stopped or restarted while process {process} was running"
    return f"process {process} on {host} was killed"


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
