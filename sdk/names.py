"""What a task may be called: its name, its project and its tags, given or by default."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventlog.errors import InputInvalid, NotFound
from eventlog.sdk.plain_text import check_text

__all__ = ["check_id", "check_name", "default_project_name", "default_task_name", "shown", "tag_list"]

_SHORTEST_NAME = 3
_LONGEST_ID = 200
_LONGEST_SHOWN = 100


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
            f"the {what} name {shown(name)} is too short: give at least {_SHORTEST_NAME} characters"
        )
    return text


def check_id(task_id: object) -> str:
    """An id of a task or a model, if it can be one.

    Raises:
        InputInvalid: it is no text, or cannot be written as UTF-8.
        NotFound: it is empty, too long, or has characters that no id has.
    """
    text = check_text("an id", task_id).strip()
    if not text or len(text) > _LONGEST_ID or not text.isprintable():
        raise NotFound(f"there is no task {shown(text)}: `eventlog ls` lists the ids of those it has")
    return text


def shown(value: object) -> str:
    """A value that a caller gave, as a message in one line shows it: in quotes, and not too long."""
    text = repr(value) if isinstance(value, str | int | float | bytes) else f"of {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


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
