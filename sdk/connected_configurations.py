"""`Task.connect_configuration`: dictionaries, lists and files, recorded or replaced by what is stored."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.events import ConfigurationSet
from eventlog.sdk.configurations import (
    DESIGN,
    DICTIONARY,
    check_name,
    file_text,
    full_text,
    parse_text,
    temporary_file,
    text_of,
)
from eventlog.sdk.connected_dict import ConnectedDict

if TYPE_CHECKING:
    from eventlog.sdk.task_configuration import TaskConfiguration

__all__ = ["connect_configuration"]

log = logging.getLogger("eventlog")


def connect_configuration(
    task: "TaskConfiguration",
    configuration: Any,
    name: str | None,
    description: str | None,
    stored: Mapping[str, ConfigurationSet],
) -> Any:
    """Connect a configuration, as `Task.connect_configuration` says.

    Args:
        stored: the configurations that win over the script's.
    """
    name = check_name(DESIGN if name is None or name == "" else name)
    if isinstance(configuration, (str, Path)) or hasattr(configuration, "__fspath__"):
        return _connect_file(task, configuration, name, description, stored.get(name))
    if not isinstance(configuration, (Mapping, list, tuple)):
        raise InputInvalid(
            "Task.connect_configuration takes a dictionary, a list or the path of a file, not"
            f" {type(configuration).__name__}"
        )
    return _connect_value(task, configuration, name, description, stored.get(name))


def _connect_file(
    task: "TaskConfiguration", path: Any, name: str, description: str | None, stored: ConfigurationSet | None
) -> Any:
    if stored is not None:
        file = temporary_file(full_text(task._store, stored), _ending(stored, Path(path)))
        return str(file) if isinstance(path, str) else type(path)(file)
    text, kind = file_text(Path(path).expanduser())
    task._set_configuration(name, text, description, kind)
    return path


def _ending(stored: ConfigurationSet, path: Path) -> str:
    """What the name of a file ends with that holds a stored configuration, such as ".yaml"."""
    is_named = stored.type.isalnum() and stored.type not in {DICTIONARY, "file"}
    return f".{stored.type}" if is_named else path.suffix


def _connect_value(
    task: "TaskConfiguration", value: Any, name: str, description: str | None, stored: ConfigurationSet | None
) -> Any:
    if stored is not None:
        value = _stored_value(task, value, stored)
    else:
        task._set_configuration(name, text_of(value), description, DICTIONARY)
    if not isinstance(value, dict):
        return value
    fixed_in = parse_text(full_text(task._store, stored), stored.type) if stored is not None else None

    def written(path: tuple[Any, ...], values: Mapping[Any, Any]) -> None:
        try:
            text = text_of(connected)
            if last[0] != text:
                task._set_configuration(name, text, description, DICTIONARY)
                last[0] = text
        except Exception as error:
            log.warning("eventlog: a change of configuration %r is not recorded: %s", name, error)

    def fixed(path: tuple[Any, ...], value: Any) -> Any:
        inner = fixed_in
        for key in path:
            if not isinstance(inner, dict) or key not in inner:
                return value
            inner = inner[key]
        return inner

    connected = ConnectedDict(value, written, fixed)
    last = [text_of(connected)]
    return connected


def _stored_value(task: "TaskConfiguration", value: Any, stored: ConfigurationSet) -> Any:
    """What is stored, written into the script's own dictionary or list."""
    found = parse_text(full_text(task._store, stored), stored.type)
    if found is None:
        found = [] if isinstance(value, (list, tuple)) else {}
    if isinstance(value, dict) and isinstance(found, dict):
        value.clear()
        value.update(found)
        return value
    if isinstance(value, list) and isinstance(found, list):
        value[:] = found
        return value
    if isinstance(found, list) is isinstance(value, (list, tuple)):
        return type(value)(found) if isinstance(value, tuple) else found
    raise InputInvalid(
        f"configuration {stored.name!r} is stored as {type(found).__name__}, and the script connects"
        f" {type(value).__name__}: set it again in the task, or give ignore_remote_overrides=True"
    )
