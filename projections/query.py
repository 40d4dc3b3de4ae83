"""What can be asked of the task index, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from eventlog.errors import InputInvalid
from eventlog.projections.task import TaskState

__all__ = ["ORDERS", "TaskQuery", "TaskRow"]

ORDERS = ("changed", "created", "name", "project", "status", "type", "progress", "id")


class TaskRow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A task as a list shows it. Times are in milliseconds since 1970-01-01 UTC.

    Attributes:
        id, name, project, status, type, created, changed, progress, tags, comment, system_tags, parent,
            is_deleted: as in `TaskState`.
        has_waiting: a blob of it has not been delivered yet.
    """

    id: str
    name: str
    project: str
    status: str
    type: str
    created: int
    changed: int
    progress: int | None
    tags: list[str]
    comment: str
    system_tags: list[str] = []
    parent: str = ""
    is_deleted: bool = False
    has_waiting: bool = False

    def __repr__(self) -> str:
        return f"<TaskRow {self.id[:8]} {self.project}/{self.name}: {self.status}>"

    @classmethod
    def of(cls, state: TaskState) -> "TaskRow":
        """The row of a task."""
        return cls(
            state.id,
            state.name,
            state.project,
            state.status,
            state.type,
            state.created,
            state.changed,
            state.progress,
            state.tags,
            state.comment,
            state.system_tags,
            state.parent,
            state.is_deleted,
            any(delivery.status != "completed" for delivery in state.deliveries.values()),
        )


@dataclass(frozen=True, kw_only=True)
class TaskQuery:
    """Which tasks to find. Every condition that is given must hold; without any, all tasks match.

    Tasks that are deleted are never found.

    Attributes:
        ids: only these tasks, by their whole ids; those that are not here are passed over.
        project: the exact project, or any one of several.
        project_prefix: with `project`, also the projects nested below it: "a" matches "a/b" and not "ab".
        project_pattern: a regular expression that occurs in the project.
        name: the exact name, or any one of several.
        name_pattern: a regular expression that occurs in the name.
        text: a regular expression that occurs in what is said of the task: its id, its name, its project,
            each of its tags and its comment, a line each. Capitals do not count, and ``^`` and ``$`` stand
            for the ends of a line.
        status, types, tags, system_tags: any one of these, and none of those that begin with "-": ``["best",
            "-archived"]``. With exclusions alone, everything else matches.
        all_tags: all of `tags` at once, not any one of them.
        parent: the task that they were made from, by its whole id, or any one of several; "" is for those
            without one.
        waiting_deliveries: only those with a blob that has not arrived where it was sent, or not yet.
        order: what to sort by, one of `ORDERS`; with "-" before it, the other way round. Tasks that are
            equal in it follow each other by id.
        limit: at most so many tasks, after the first `offset`.
        offset: how many to pass over.
    """

    ids: Sequence[str] | None = None
    project: str | Sequence[str] | None = None
    project_prefix: bool = False
    project_pattern: str | None = None
    name: str | Sequence[str] | None = None
    name_pattern: str | None = None
    text: str | None = None
    status: Sequence[str] = ()
    types: Sequence[str] = ()
    tags: Sequence[str] = ()
    all_tags: bool = False
    system_tags: Sequence[str] = ()
    parent: str | Sequence[str] | None = None
    waiting_deliveries: bool = False
    order: str = "-changed"
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        if self.order.removeprefix("-") not in ORDERS:
            raise InputInvalid(f"tasks cannot be ordered by '{self.order}': choose from {', '.join(ORDERS)}")
        if (self.limit is not None and self.limit < 0) or self.offset < 0:
            raise InputInvalid("limit and offset must not be negative")
