"""Settings: read from the environment and one TOML file, in one place.

The home is ``EVENTLOG_HOME``, by default ``~/.eventlog``. The file ``config.toml`` in it may hold any
setting below by its name; a variable of the environment, named in the table, beats it. The store is in the
home or, where several hosts share that, in a folder of this host under it (`eventlog.hosts`).
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from eventlog.errors import ConfigurationInvalid
from eventlog.hosts import home_around, host_folder, is_on_network
from eventlog.regular_file import read_regular

__all__ = ["Configuration", "home_folder", "settings_file", "store_folder"]

FILE_NAME = "config.toml"
_MAY_BE_ZERO = frozenset({"auto_sync_wait_seconds", "rank_wait_seconds"})
_SHARED_HOME = "shared_home"
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})


def home_folder() -> Path:
    """Where this host's store is, of the home ``EVENTLOG_HOME``, or ``~/.eventlog``.

    Raises:
        ConfigurationInvalid: whether several hosts share it is set to something that cannot be used.
    """
    return store_folder(Path(os.environ.get("EVENTLOG_HOME") or "~/.eventlog").expanduser().absolute())


def store_folder(home: Path) -> Path:
    """Where this host's store is, of a home: the home itself, or a folder in it where hosts share it.

    Raises:
        ConfigurationInvalid: see `home_folder`.
    """
    variables = os.environ.get("EVENTLOG_SHARED_HOME", ""), os.environ.get("EVENTLOG_HOST", "")
    key = home, *variables
    folder = _store_folders.get(key)
    if folder is None:
        folder = _store_folders[key] = host_folder(home) if _is_shared(home, variables[0]) else home
    return folder


# What was found out, which takes longer than `Task.init` should notice.
_store_folders: dict[tuple[Path, str, str], Path] = {}


def settings_file(home: Path) -> Path:
    """The file with the settings of the store at `home`: where hosts share a home, one for all of them."""
    own = home / FILE_NAME
    around = home_around(home)
    return own if around is home or own.is_file() else around / FILE_NAME


class Configuration(msgspec.Struct, frozen=True):
    """Every setting, with its default.

    Attributes:
        remote: the URL that `eventlog sync` uses when none is given (``EVENTLOG_REMOTE``).
        commit_interval_seconds: how long an event waits in the journal before it is committed with a
            full sync (``EVENTLOG_COMMIT_INTERVAL_SECONDS``).
        task_reuse_time_window_in_hours: how old a task's last run may be for `Task.init` to reuse it
            (``EVENTLOG_TASK_REUSE_TIME_WINDOW_IN_HOURS``).
        default_output_uri: the folder or URL that artifacts and models of every task are copied to, where
            the script names none (``EVENTLOG_DEFAULT_OUTPUT_URI``).
        monitor_interval_seconds: how often a task reports what its machine is busy with; the first time after
            half of it (``EVENTLOG_MONITOR_INTERVAL_SECONDS``).
        rank_wait_seconds: how long a rank of a distributed run waits for the task that rank 0 begins; 0 for
            a task of its own in each rank (``EVENTLOG_RANK_WAIT_SECONDS``).
        auto_sync: when a task that runs is pushed to the remote by itself: every so many seconds, "close" for
            when it ends, or "off"; "" is off, and every 5 seconds to where hosts that share a home meet
            (``EVENTLOG_AUTO_SYNC``).
        auto_sync_wait_seconds: how long the end of a process waits for the last push, which then goes on by
            itself (``EVENTLOG_AUTO_SYNC_WAIT_SECONDS``).
        shared_home: whether several hosts share the home, so that each has a store of its own in it; None for
            where it is on a network file system (``EVENTLOG_SHARED_HOME``).
    """

    remote: str = ""
    commit_interval_seconds: float = 0.2
    task_reuse_time_window_in_hours: float = 72.0
    default_output_uri: str = ""
    monitor_interval_seconds: float = 5.0
    rank_wait_seconds: float = 60.0
    auto_sync: float | str = ""
    auto_sync_wait_seconds: float = 30.0
    shared_home: bool | None = None

    @classmethod
    def load(cls, home: Path | None = None) -> "Configuration":
        """The settings in force for the store at `home`.

        Raises:
            ConfigurationInvalid: a setting is unknown, or its value cannot be used.
        """
        path = settings_file(home or home_folder())
        values = _read_file(path)
        known = cls.__annotations__
        for name in values:
            if name not in known:
                raise ConfigurationInvalid(
                    f"{path} sets '{name}', which is not a setting; known are {', '.join(sorted(known))}"
                )
        where = dict.fromkeys(values, str(path))
        for name in known:
            variable = "EVENTLOG_" + name.upper()
            if os.environ.get(variable):
                values[name] = os.environ[variable]
                where[name] = variable
        return cls(**{name: _cast(name, values[name], known[name], where[name]) for name in values})


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = read_regular(path)
        if not content:
            return {}
        import tomllib  # most stores have no file

        values = tomllib.loads(content.decode())
        for name, value in values.items():
            # TOML has whole numbers of 64 bits; one of thousands of digits could not even be shown.
            if isinstance(value, int) and value.bit_length() > 64:
                raise ConfigurationInvalid(f"{path} gives {name} a number that is too large")
        return values
    except (ValueError, RecursionError) as error:
        raise ConfigurationInvalid(f"{path} cannot be read as TOML: {error}") from None
    except OSError as error:
        # Where the folder itself cannot be used, opening the store says it better.
        if isinstance(error, FileNotFoundError | NotADirectoryError) or not os.access(path.parent, os.X_OK):
            return {}
        raise ConfigurationInvalid(
            f"{path} cannot be read ({error.strerror}): check the file, and its rights"
        ) from None


def _is_shared(home: Path, variable: str) -> bool:
    if home_around(home) is not home:
        # It is a host's folder already.
        return False
    if variable:
        return _to_switch(_SHARED_HOME, variable, "EVENTLOG_SHARED_HOME")
    path = home / FILE_NAME
    values = _read_file(path)
    if _SHARED_HOME in values:
        return _to_switch(_SHARED_HOME, values[_SHARED_HOME], str(path))
    return is_on_network(home)


def _cast(name: str, value: Any, kind: Any, where: str) -> Any:
    if name == _SHARED_HOME:
        return _to_switch(name, value, where)
    if kind is str:
        if isinstance(value, str):
            return value
        raise _unusable(name, value, where, "text")
    if name == "auto_sync" and (value in ("", "close") or str(value).lower() in _OFF):
        return value if value in ("", "close") else "off"
    may_be_zero = name in _MAY_BE_ZERO
    if not isinstance(value, bool):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if 0 < number < float("inf") or (number == 0 and may_be_zero):
            return number
    wanted = "a number, 0 or more" if may_be_zero else "a number above zero"
    raise _unusable(
        name, value, where, wanted if name != "auto_sync" else f'{wanted} of seconds, "close" or "off"'
    )


def _to_switch(name: str, value: Any, where: str) -> bool:
    text = str(value).strip().lower()
    if text in _ON or text in _OFF:
        return text in _ON
    raise _unusable(name, value, where, "true or false")


def _unusable(name: str, value: Any, where: str, wanted: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"{where} gives {name} the value {value!r}; it must be {wanted}")
