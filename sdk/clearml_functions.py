"""Small functions and names that scripts import from ClearML's inner modules, written anew.

They are reached as `clearml.config.running_remotely`, `clearml.utilities.proxy_object.flatten_dictionary`
and so on; see `clearml_modules.py`. What each does was seen by calling ClearML 2.1.
"""

import ast
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "LoggerRoot",
    "cast_basic_type",
    "cast_str_to_bool",
    "flatten_dictionary",
    "get_basic_type",
    "get_is_master_node",
    "get_logger",
    "get_node_count",
    "get_node_id",
    "get_or_create_project",
    "get_remote_task_id",
    "make_deterministic",
    "merge_dicts",
    "naive_nested_from_flat_dictionary",
    "nested_from_flat_dictionary",
    "running_remotely",
    "sha256sum",
]


def running_remotely() -> bool:
    """Whether this process runs a task that was handed to it (`eventlog run --task ID`)."""
    return not _task_class().running_locally()


def get_remote_task_id() -> str | None:
    """The id of the task that was handed to this process, or None."""
    return os.environ.get("EVENTLOG_TASK_ID") or None


def get_node_id(default: int = 0) -> int:
    """Which of several processes this is, as a launcher says in RANK (torchrun), or `default`."""
    return _whole_number("RANK", default) or 0


def get_node_count() -> int | None:
    """How many processes a launcher started, as it says in WORLD_SIZE, or None where it said nothing."""
    return _whole_number("WORLD_SIZE", None)


def get_is_master_node() -> bool:
    """Whether this is the first of several processes, or the only one."""
    return get_node_id() == 0


def get_or_create_project(
    session: Any = None,
    project_name: str = "",
    description: str | None = None,
    system_tags: Sequence[str] | None = None,
    project_id: str | None = None,
) -> str:
    """The id of a project, which is its name: a project is there as soon as a task is in it.

    Args:
        project_name: its name.
        session, description, system_tags, project_id: for ClearML's sake.

    Raises:
        InputInvalid: it cannot be a project's name.
    """
    from eventlog.sdk.names import check_name

    return check_name("project", project_name)


def flatten_dictionary(a_dict: Mapping[Any, Any], prefix: str = "", sep: str = "/") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a/b": 1}``; an empty dictionary within stays as it is."""
    flat: dict[str, Any] = {}
    for key, value in a_dict.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten_dictionary(value, f"{name}{sep}", sep))
        else:
            flat[name] = dict(value) if isinstance(value, Mapping) else value
    return flat


def naive_nested_from_flat_dictionary(flat_dict: Mapping[str, Any], sep: str = "/") -> dict[str, Any]:
    """``{"a/b": 1}`` as ``{"a": {"b": 1}}``."""
    nested: dict[str, Any] = {}
    for name, value in flat_dict.items():
        *parents, last = str(name).split(sep)
        inner = nested
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    return nested


def nested_from_flat_dictionary(
    a_dict: Mapping[Any, Any], flat_dict: Mapping[str, Any], prefix: str = "", sep: str = "/"
) -> dict[Any, Any]:
    """A nested dictionary like `a_dict`, with the values that `flat_dict` has for its names."""
    return {
        key: nested_from_flat_dictionary(value, flat_dict, f"{prefix}{key}{sep}", sep)
        if isinstance(value, Mapping) and value
        else flat_dict.get(f"{prefix}{key}", value)
        for key, value in a_dict.items()
    }


def get_basic_type(value: Any) -> str:
    """The name of a value's type, with that of its members where they have one in common: ``list/int``."""
    name = type(value).__name__
    if isinstance(value, (list, tuple, dict)) and value:
        members = value.values() if isinstance(value, dict) else value
        types = {type(member) for member in members}
        if len(types) == 1 and (member := types.pop()) in {bool, int, float, str}:
            return f"{name}/{member.__name__}"
    return name


def cast_basic_type(value: Any, type_str: str) -> Any:
    """A text as the type that `get_basic_type` named; as it is where it cannot be that."""
    kind = str(type_str).partition("/")[0]
    text = str(value).strip()
    try:
        if kind == "bool":
            return _TRUTHS[text.lower()]
        if kind in {"int", "float"}:
            return {"int": int, "float": float}[kind](text)
        if kind in {"list", "tuple", "dict"}:
            read = ast.literal_eval(text)
            return read if type(read).__name__ == kind else value
    except (KeyError, ValueError, SyntaxError):
        return value
    return value


def merge_dicts(dict1: dict[Any, Any], dict2: Mapping[Any, Any]) -> dict[Any, Any]:
    """`dict1` with what `dict2` has put into it, dictionaries within likewise; `dict1` itself is changed."""
    for key, value in dict2.items():
        mine = dict1.get(key)
        dict1[key] = (
            merge_dicts(mine, value) if isinstance(mine, dict) and isinstance(value, Mapping) else value
        )
    return dict1


def cast_str_to_bool(value: Any, strip: bool = True) -> bool | None:
    """True or False for their names and for numbers, None for anything else."""
    text = str(value).strip() if strip else str(value)
    if text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    try:
        return bool(float(text))
    except ValueError:
        return None


def sha256sum(filename: str, skip_header: int = 0, block_size: int = 65536) -> tuple[str, str | None]:
    """The SHA-256 of a file in hexadecimal.

    Args:
        filename: its path.
        skip_header: bytes at its beginning that a first hash leaves out.
        block_size: bytes that are read at once.

    Returns:
        The hash without the header, and that of the whole file; the second None where no header is skipped.
    """
    whole, rest = hashlib.sha256(), hashlib.sha256()
    with Path(filename).open("rb") as file:
        header = file.read(skip_header) if skip_header else b""
        whole.update(header)
        while block := file.read(block_size):
            whole.update(block)
            rest.update(block)
    return rest.hexdigest(), whole.hexdigest() if skip_header else None


def make_deterministic(seed: int = 1337, cudnn_deterministic: bool = False) -> None:
    """Seed `random`, and NumPy, PyTorch and TensorFlow where the script has imported them."""
    import random
    import sys

    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % (1 << 32))
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
        if cudnn_deterministic:
            torch.backends.cudnn.deterministic = True
            torch.backends.cudnn.benchmark = False
    if tensorflow := sys.modules.get("tensorflow"):
        tensorflow.random.set_seed(seed)


def get_logger(path: str | None = None, level: int | None = None, **_: Any) -> logging.Logger:
    """The logger of the logging module named ``clearml.path``."""
    logger = logging.getLogger(f"clearml.{path}" if path else "clearml")
    if level is not None:
        logger.setLevel(level)
    return logger


class LoggerRoot:
    """Gives the logger of the logging module that ClearML's own messages go to."""

    @classmethod
    def get_base_logger(cls, level: int | None = None, **_: Any) -> logging.Logger:
        """The logger named ``clearml``."""
        return get_logger(level=level)


_TRUTHS = {"true": True, "false": False}


def _task_class() -> Any:
    from eventlog.sdk.task import Task

    return Task


def _whole_number(variable: str, default: int | None) -> int | None:
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() else default
