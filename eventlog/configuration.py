"""Settings: read from the environment and one TOML file, in one place.

The store is at ``EVENTLOG_HOME``, by default ``~/.eventlog``. The file ``config.toml`` in it may hold any
setting below by its name; a variable of the environment, named in the table, beats it.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from eventlog.errors import ConfigurationInvalid

__all__ = ["Configuration", "home_folder"]

FILE_NAME = "config.toml"
_MAY_BE_ZERO = frozenset({"rank_wait_seconds"})


def home_folder() -> Path:
    """Where the store is: ``EVENTLOG_HOME``, or ``~/.eventlog``."""
    return Path(os.environ.get("EVENTLOG_HOME") or "~/.eventlog").expanduser().absolute()


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
    """

    remote: str = ""
    commit_interval_seconds: float = 0.2
    task_reuse_time_window_in_hours: float = 72.0
    default_output_uri: str = ""
    monitor_interval_seconds: float = 5.0
    rank_wait_seconds: float = 60.0

    @classmethod
    def load(cls, home: Path | None = None) -> "Configuration":
        """The settings in force for the store at `home`.

        Raises:
            ConfigurationInvalid: a setting is unknown, or its value cannot be used.
        """
        path = (home or home_folder()) / FILE_NAME
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
        content = path.read_bytes()
        if not content:
            return {}
        import tomllib  # most stores have no file

        return tomllib.loads(content.decode())
    except ValueError as error:
        raise ConfigurationInvalid(f"{path} cannot be read as TOML: {error}") from None
    except OSError as error:
        # Where the folder itself cannot be used, opening the store says it better.
        if isinstance(error, FileNotFoundError | NotADirectoryError) or not os.access(path.parent, os.X_OK):
            return {}
        raise ConfigurationInvalid(f"{path} cannot be read ({error.strerror}): check its rights") from None


def _cast(name: str, value: Any, kind: Any, where: str) -> Any:
    may_be_zero = name in _MAY_BE_ZERO
    if kind is str:
        if isinstance(value, str):
            return value
    elif not isinstance(value, bool):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if number > 0 or (number == 0 and may_be_zero):
            return number
    number_wanted = "a number, 0 or more" if may_be_zero else "a number above zero"
    wanted = "text" if kind is str else number_wanted
    raise ConfigurationInvalid(f"{where} gives {name} the value {value!r}; it must be {wanted}")
