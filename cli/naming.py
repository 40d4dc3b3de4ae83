"""Which task or model a person means, and what he may have meant where there is none of that name."""

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from eventlog.errors import InputInvalid, NotFound

if TYPE_CHECKING:
    from eventlog.projections import ModelState, TaskRow, Views

__all__ = [
    "check_project",
    "close_to",
    "full_name",
    "listed",
    "prefix_length",
    "resolve",
    "resolve_any",
]

# Looked through for names that are nearly the one given: those that changed last.
MOST_COMPARED = 2000
MOST_SUGGESTED = 3


def resolve(views: "Views", text: str) -> str:
    """The id of the task that `text` means; as `Views.resolve`, with suggestions where it means none."""
    from eventlog.projections import TaskQuery

    try:
        return views.resolve(text)
    except NotFound as error:
        project = text.rstrip("/")
        if project in _projects(views):
            list_it = f"`eventlog ls --project {shlex.quote(project)}`"
            raise NotFound(f"'{project}' is a project, not a task: {list_it} lists its tasks") from error
        if models := _models_with(views, text):
            which = f"'{full_name(models[0])}'"
            raise NotFound(f"'{text}' is a model, {which}, not a task: `eventlog show` shows it") from error
        named = views.find(TaskQuery(name=text, limit=MOST_SUGGESTED))
        meant = _distinct(map(full_name, named))
        meant = meant or close_to(text, map(full_name, views.find(TaskQuery(limit=MOST_COMPARED))))
        if not meant:
            raise
        raise NotFound(f"no task '{text}': did you mean {listed(meant)}?") from error


def resolve_any(views: "Views", text: str) -> str:
    """As `resolve`; also a model by the beginning of its id, and what is deleted by its whole id.

    Raises:
        NotFound: `text` means nothing of these.
        InputInvalid: it means several.
    """
    try:
        return resolve(views, text)
    except NotFound:
        meant = [model.id for model in _models_with(views, text)]
        if len(meant) == 1:
            return meant[0]
        if meant:
            some = ", ".join(meant[:MOST_SUGGESTED])
            raise InputInvalid(f"several models have an id that begins with {text}: {some} …") from None
        try:
            views.events(text, reports=False)
        except NotFound:
            pass
        else:
            return text
        raise


def _models_with(views: "Views", text: str) -> list["ModelState"]:
    """The models whose ids begin with a text that is not empty."""
    from eventlog.projections import ModelQuery

    models = views.models(ModelQuery(include_archived=True)) if text else []
    return [model for model in models if model.id.startswith(text.lower())]


def check_project(views: "Views", project: str) -> None:
    """Make sure that there are tasks in a project, or in one under it.

    Raises:
        NotFound: there are none; it says which project may have been meant.
    """
    known = _projects(views)
    if project in known:
        return
    meant = [one for one in sorted(known) if one.lower().endswith(f"/{project.lower()}")]
    meant = meant[:MOST_SUGGESTED] or close_to(project, sorted(known))
    advice = f"did you mean {listed(meant)}?" if meant else "`eventlog ls` lists the tasks there are"
    raise NotFound(f"no task of a project '{project}': {advice}")


def _projects(views: "Views") -> set[str]:
    """Each project that tasks are in, and those that it is under."""
    return {one[:end] for one in views.projects() if one for end in _ends(one)}


def _ends(project: str) -> list[int]:
    return [len(project), *(at for at, letter in enumerate(project) if letter == "/")]


def full_name(row: "TaskRow | ModelState") -> str:
    """As a person names it: project/name."""
    return f"{row.project}/{row.name}" if row.project else row.name


def close_to(word: str, known: Iterable[str]) -> list[str]:
    """Those of the known that are nearly `word`, or whose last part is; capitals do not count."""
    from difflib import get_close_matches

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


def prefix_length(ids: Sequence[str]) -> int:
    """How much of the ids tells these apart; eight digits at least."""
    count = len({*ids})
    return next((length for length in range(8, 32) if len({one[:length] for one in ids}) == count), 32)


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
