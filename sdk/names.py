"""What a task may be called: its name, its project and its tags, given or by default."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.sdk.plain_text import check_text

__all__ = ["check_name", "default_project_name", "default_task_name", "tag_list"]

_SHORTEST_NAME = 3


def check_name(what: str, name: object) -> str:
    """The name of a project or a task, if it can be one.

    Args:
        what: "project" or "task", for the message.

    Raises:
        InputInvalid: it is no text, has fewer than 3 characters, or cannot be written as UTF-8.
    """
    text = check_text(f"the {what} name", name)
    if len(text.strip()) < _SHORTEST_NAME:
        raise InputInvalid(
            f"the {what} name {name!r} is too short: give at least {_SHORTEST_NAME} characters"
        )
    return text


def default_project_name() -> str:
    """The name of the folder of the repository around the script, or "Untitled"."""
    script = _script()
    for folder in script.parents if script else ():
        if (folder / ".git").exists():
            return folder.name if len(folder.name) >= _SHORTEST_NAME else f"{folder.name} project"
    return "Untitled"


def default_task_name() -> str:
    """The script's file name without its ending, or "untitled"."""
    script = _script()
    name = script.stem if script else ""
    return name if len(name) >= _SHORTEST_NAME else f"{name} task".strip() if name else "untitled"


def tag_list(tags: Sequence[str] | str) -> list[str]:
    """Tags as a list without repetitions; of one text, its words.

    Raises:
        InputInvalid: a tag is not text, or empty.
    """
    try:
        wanted: list[Any] = tags.split() if isinstance(tags, str) else list(tags)
    except TypeError:
        raise InputInvalid(f"tags must be given as a list of texts, not as {type(tags).__name__}") from None
    texts = list(dict.fromkeys(check_text("a tag", tag) for tag in wanted))
    if not all(text.strip() for text in texts):
        raise InputInvalid("a tag must not be empty")
    return texts


def _script() -> Path | None:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).absolute() if file else None
