"""Configurations: from dictionaries and files to the text that an event keeps, and back."""

import atexit
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid, NotAvailable
from eventlog.events import ConfigurationSet
from eventlog.regular_file import read_regular
from eventlog.sdk.hocon import parse_hocon, to_hocon
from eventlog.sdk.plain_text import INLINE_SIZE, check_text, plain_text
from eventlog.sdk.sound_blobs import read_blob
from eventlog.store import Store

__all__ = [
    "DESIGN",
    "DICTIONARY",
    "check_name",
    "file_text",
    "full_text",
    "given_text",
    "kept_text",
    "parse_text",
    "temporary_file",
    "text_of",
]

# Where ClearML keeps a task's model design, and a configuration without a name.
DESIGN = "General"
# The type of what was given as a dictionary or a list.
DICTIONARY = "dictionary"
# Bytes; a configuration is read into memory as a whole.
_LARGEST_FILE = 256 << 20
# Bytes of a large text that the event holds besides.
_BEGINNING = 4 << 10
_JSON = {"json"}
_YAML = {"yaml", "yml"}


def check_name(name: object) -> str:
    """The name of a configuration.

    Raises:
        InputInvalid: it is no text, empty, or longer than 64 KiB.
    """
    text = check_text("the name of a configuration", name)
    if not text:
        raise InputInvalid("a configuration must have a name")
    return text


def given_text(text: Any, value: Any, *, takes_lists: bool = True) -> str:
    """The text of a configuration that is given as text or as a dictionary or list.

    Args:
        takes_lists: it may be a list.

    Raises:
        InputInvalid: not one of the two is given, or it is of another type, or contains itself.
    """
    if (text is None) == (value is None):
        raise InputInvalid("give either config_text or config_dict, one of them")
    if text is not None:
        if not isinstance(text, str):
            raise InputInvalid(f"config_text must be text, not {type(text).__name__}")
        return text
    if not isinstance(value, (Mapping, list, tuple) if takes_lists else Mapping):
        raise InputInvalid(f"config_dict must be a dictionary, not {type(value).__name__}")
    return text_of(value)


def text_of(value: Any) -> str:
    """A dictionary or a list as the text that is kept, in HOCON.

    Raises:
        InputInvalid: it is neither, it contains itself, or something in it has no text.
    """
    if not isinstance(value, (Mapping, list, tuple)):
        raise InputInvalid(f"a configuration must be a dictionary or a list, not {type(value).__name__}")
    return to_hocon(value)


def file_text(path: Path) -> tuple[str, str]:
    """What a configuration file holds as it was written, and its type: its ending, such as "yaml".

    Raises:
        InputInvalid: it cannot be read, is not text in UTF-8, or is larger than 256 MiB.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputInvalid(f"{path} is larger than 256 MiB: upload it as an artifact")
        text = read_regular(path).decode()
    except UnicodeDecodeError:
        raise InputInvalid(
            f"{path} is no text in UTF-8, so it is no configuration: upload it as an artifact"
        ) from None
    except (OSError, ValueError) as error:
        raise InputInvalid(
            f"the configuration file {path} cannot be read ({type(error).__name__}): give the path of a file"
        ) from None
    return text, path.suffix.removeprefix(".") or "file"


def full_text(store: Store, configuration: ConfigurationSet) -> str:
    """The whole text of a configuration.

    Raises:
        BlobMissing, DataCorrupt: it is a large one, and its blob is not here or damaged.
    """
    if not configuration.blob:
        return configuration.text
    what = f"configuration '{configuration.name}'"
    return read_blob(store.blobs, configuration.blob, what).decode()


def parse_text(text: str, kind: str) -> Any:
    """The dictionary or list that a configuration is; None for an empty text.

    Args:
        kind: its type: "json", "yaml", "toml"; anything else is read as JSON or HOCON.

    Raises:
        InputInvalid: it is nothing of the kind.
        NotAvailable: it is HOCON with a substitution, and pyhocon is not installed.
    """
    if not text.strip():
        return None
    kind = kind.lower()
    try:
        if kind in _JSON:
            value = json.loads(text)
        elif kind in _YAML:
            value = _parse_yaml(text)
        elif kind == "toml":
            value = _parse_toml(text)
        else:
            value = parse_hocon(text)
    except NotAvailable:
        raise
    except (ValueError, RecursionError):
        try:
            # Whatever its ending says, such as a dictionary that was put in a file's place.
            value = parse_hocon(text)
        except (ValueError, RecursionError) as error:
            raise InputInvalid(
                f"the configuration cannot be read as {kind or 'JSON or HOCON'} ({error}): read it with"
                " get_configuration_object and parse it yourself"
            ) from None
    if not isinstance(value, (dict, list)):
        raise InputInvalid(
            f"the configuration is {type(value).__name__}, no dictionary or list: read it with"
            " get_configuration_object"
        )
    return value


def temporary_file(text: str, ending: str) -> Path:
    """A file that holds a stored configuration for this process, with an ending such as ".yaml".

    It is deleted when the process ends.
    """
    number, path = tempfile.mkstemp(prefix="eventlog_configuration_", suffix=ending)
    with os.fdopen(number, "wb") as file:
        file.write(text.encode())
    atexit.register(_delete, path, os.getpid())
    return Path(path)


def kept_text(store: Store, text: str) -> tuple[str, str]:
    """What an event keeps of a text, or its beginning, and the blob that holds it where it is large."""
    text = plain_text(text)
    data = text.encode()
    if len(data) <= INLINE_SIZE:
        return text, ""
    return data[:_BEGINNING].decode(errors="ignore"), store.blobs.put_bytes(data)


_BRACKET = re.compile(r"[\[\]{}]")
# Deeper ones are not read in any case, and take PyYAML a hundred times as long to find that out.
_MOST_BRACKETS = 500


def _parse_yaml(text: str) -> Any:
    import yaml

    depth = 0
    for bracket in _BRACKET.findall(text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > _MOST_BRACKETS:
            raise ValueError(f"more than {_MOST_BRACKETS} brackets are open at once")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


# A key of so many parts, for which tomllib takes as much memory as the square of their number.
_DEEP_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){500}""")


def _parse_toml(text: str) -> Any:
    import tomllib

    if _DEEP_KEY.search(text):
        raise ValueError("a key has more than 500 parts")
    return tomllib.loads(text)


def _delete(path: str, process: int) -> None:
    if os.getpid() == process:
        Path(path).unlink(missing_ok=True)
