"""Getting tasks: by id, by name, by filter."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from eventlog.sdk.stores import open_store, read_state
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskQueries"]


class TaskQueries(TaskBase):
    """The methods of `Task` that find tasks."""

    @classmethod
    def get_task(
        cls,
        task_id: str | None = None,
        project_name: str | None = None,
        task_name: str | None = None,
        tags: Sequence[str] | None = None,
        *,
        task_filter: Mapping[str, Any] | None = None,
    ) -> Self:
        """The task of an id, or the last modified one of a project and name.

        Args:
            task_id: its whole id; the other arguments are then ignored.
            project_name: the exact project; by default any.
            task_name: the exact name; by default any.
            tags, task_filter: as of `get_tasks`.

        Raises:
            NotFound: there is none.
            InputInvalid: nothing was given to go by.
        """
        from eventlog.sdk.queries import find_task

        store = open_store()
        if task_id is not None:
            return cls._of_row(store, read_state(store, task_id))
        return cls._of_row(store, find_task(store, project_name, task_name, tags, task_filter))

    @classmethod
    def get_tasks(
        cls,
        task_ids: Sequence[str] | None = None,
        project_name: str | Sequence[str] | None = None,
        task_name: str | None = None,
        tags: Sequence[str] | None = None,
        *,
        task_filter: Mapping[str, Any] | None = None,
    ) -> list[Self]:
        """The tasks that match, the last modified first; 500 at most.

        Args:
            task_ids: only these; project and name are then ignored.
            project_name: a regular expression that occurs in the project, or several of them.
            task_name: a regular expression that occurs in the name; ``^exact$`` for a whole one.
            tags: any of them, and none with "-" before it; all of them after ``"__$all"``; not the one
                after ``"__$not"``.
            task_filter: more conditions, by "status", "type", "tags", "system_tags", "search_text" (a
                regular expression), "name", "project" (exact), "id"; "order_by", one of last_update,
                created, name, project, status, type, id, with "-" before it for descending; "page" and
                "page_size" for more than 500.

        Raises:
            InputInvalid: a filter is not known, or a pattern is not a regular expression.
            NotFound: there is no store.
        """
        from eventlog.sdk.queries import find_tasks

        store = open_store()
        rows = find_tasks(store, task_ids, project_name, task_name, tags, task_filter)
        return [cls._of_row(store, row) for row in rows]
