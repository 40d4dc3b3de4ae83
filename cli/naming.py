"""Which task a person means, and what he may have meant where there is none of that name."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from eventlog.errors import NotFound

if TYPE_CHECKING:
    from eventlog.projections import TaskRow, Views

__all__ = ["close_to", "full_name", "listed", "resolve"]

# Looked through for names that are nearly the one given: those that changed last.
MOST_COMPARED = 2000
MOST_SUGGESTED = 3


def resolve(views: "Views", text: str) -> str:
    """The id of the task that `text` means; as `Views.resolve`, with suggestions where it means none."""
    from eventlog.projections import TaskQuery

    try:
        return views.resolve(text)
    except NotFound as error:
        named = views.find(TaskQuery(name=text, limit=MOST_SUGGESTED))
        meant = _distinct(map(full_name, named))
        meant = meant or close_to(text, map(full_name, views.find(TaskQuery(limit=MOST_COMPARED))))
        if not meant:
            raise
        raise NotFound(f"no task '{text}': did you mean {listed(meant)}?") from error


def full_name(row: "TaskRow") -> str:
    """As a person names the task: project/name."""
    return f"{row.project}/{row.name}" if row.project else row.name


def close_to(word: str, known: Iterable[str]) -> list[str]:
    """Those of the known that are nearly `word`, or whose last part is; capitals do not count."""
    words = _distinct(known)
    by_part: dict[str, list[str]] = {}
    for one in words:
        for part in {one.lower(), one.lower().rpartition("/")[2]}:
            by_part.setdefault(part, []).append(one)
    near = get_close_matches(word.lower(), by_part, MOST_SUGGESTED, 0.7)
    return _distinct(one for part in near for one in by_part[part])[:MOST_SUGGESTED]


def listed(words: Iterable[str]) -> str:
    """As "'a' or 'b'"."""
    return " or ".join(f"'{word}'" for word in words)


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
