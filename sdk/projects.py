"""Projects: names that tasks give, nested by "/". Nothing is kept of one but the tasks in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.projections import TaskQuery, TaskRow
from eventlog.sdk.names import shown
from eventlog.sdk.stores import current_views
from eventlog.store import Store

__all__ = ["Project", "all_projects", "find_project", "has_project"]


@dataclass(frozen=True)
class Project:
    """A project. Times are in UTC.

    Attributes:
        id: its name, which is the whole of what tells it from others.
        name: "main/sub".
        created: when its first task was created.
        last_update: when one of its tasks last changed.
        tasks: how many tasks are in it, those in projects nested below it included.
    """

    id: str
    name: str
    created: datetime | None = None
    last_update: datetime | None = None
    tasks: int = 0

    @property
    def basename(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]


def has_project(store: Store, name: str) -> bool:
    """Whether a task is in it, or in a project nested below it."""
    return bool(current_views(store, about="").find(TaskQuery(project=name, project_prefix=True, limit=1)))


def find_project(store: Store, name: str) -> Project:
    """One project, which may be empty."""
    rows = current_views(store, about="").find(TaskQuery(project=name, project_prefix=True))
    return _project(name, rows)


def all_projects(store: Store, filters: dict[str, Any]) -> list[Project]:
    """The projects that tasks are in, and those above them; the last updated one last.

    Args:
        filters: "name", a regular expression that occurs in the name; "id", exact ones; "order_by",
            "page" and "page_size"; what else ClearML takes is about its own projects.

    Raises:
        InputInvalid: a filter is not known.
    """
    from eventlog.sdk.ordering import page_of, sort_by

    unknown = set(filters) - {
        "name",
        "id",
        "order_by",
        "page",
        "page_size",
        "search_hidden",
        "shallow_search",
    }
    if unknown:
        raise InputInvalid(
            f"projects cannot be filtered by {shown(min(unknown))}: choose from"
            " name, id, order_by, page, page_size"
        )
    members: dict[str, list[TaskRow]] = {}
    for row in current_views(store, about="").find():
        for name in _with_those_above(row.project):
            members.setdefault(name, []).append(row)
    found = [_project(name, rows) for name, rows in members.items()]
    found = [project for project in found if _matches(project, filters)]
    order = filters.get("order_by") or ["last_update"]
    return page_of(sort_by(found, order), filters.get("page"), filters.get("page_size"))


def _project(name: str, rows: Iterable[TaskRow]) -> Project:
    rows = list(rows)
    if not rows:
        return Project(name, name)
    created = min(row.created for row in rows)
    changed = max(row.changed for row in rows)
    return Project(name, name, _moment(created), _moment(changed), len(rows))


def _matches(project: Project, filters: dict[str, Any]) -> bool:
    import re

    from eventlog.sdk.queries import texts

    ids = filters.get("id")
    if ids is not None and project.id not in texts("id", ids):
        return False
    pattern = filters.get("name")
    if pattern is None:
        return True
    try:
        return re.search(pattern, project.name) is not None
    except (re.error, TypeError) as error:
        raise InputInvalid(f"{shown(pattern)} is not a regular expression: {error}") from None


def _with_those_above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1) if parts[count - 1]]


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
