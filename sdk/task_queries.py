"""Getting tasks: by id, by name, by filter; and the projects that they are in."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import msgspec

from eventlog.errors import NotFound
from eventlog.sdk.names import check_id
from eventlog.sdk.plain_text import check_text
from eventlog.sdk.stores import find_state, open_store, read_state, stores_to_search
from eventlog.sdk.task_base import TaskBase

if TYPE_CHECKING:
    from eventlog.sdk.projects import Project
    from eventlog.sdk.task_data import TaskData

__all__ = ["Found", "TaskQueries"]


class Found(msgspec.Struct, frozen=True):
    """What `Task.get_all` found, where ClearML's answer has it: ``found.response.tasks``."""

    tasks: "list[TaskData]"

    @property
    def response(self) -> "Found":
        """Itself."""
        return self


class TaskQueries(TaskBase):
    """The methods of `Task` that find tasks."""

    @classmethod
    def get_task(
        cls,
        task_id: str | None = None,
        project_name: str | None = None,
        task_name: str | None = None,
        tags: Sequence[str] | None = None,
        allow_archived: bool = True,
        task_filter: Mapping[str, Any] | None = None,
    ) -> Self:
        """The task of an id, or the last modified one of a project and name.

        Args:
            task_id: its whole id; the other arguments are then ignored.
            project_name: the exact project; by default any.
            task_name: the exact name; by default any.
            tags, allow_archived, task_filter: as of `get_tasks`; one that is archived is returned only where
                there is no other.

        Returns:
            The task. Where project and name are given and the project has no such task, None, as in ClearML.

        Raises:
            NotFound: there is no task of that id, or no such project.
            InputInvalid: nothing was given to go by.
        """
        from eventlog.sdk.queries import find_task, question

        if task_id is not None:
            return cls._of_row(*find_state(check_id(task_id)))
        asked = question(None, None, None, tags, allow_archived, task_filter)
        *others, last = stores_to_search()
        for store in others:
            with suppress(NotFound):
                if (row := find_task(store, project_name, task_name, asked)) is not None:
                    return cls._of_row(store, row)
        row = find_task(last, project_name, task_name, asked)
        # Most scripts go on with the task, and should not have to ask whether it is one.
        return None if row is None else cls._of_row(last, row)  # type: ignore[return-value]

    @classmethod
    def get_by_name(cls, task_name: str) -> Self:
        """The last modified task of a name, in any project; None if there is none, as in ClearML."""
        return cls.get_task(task_name=task_name)

    @classmethod
    def get_tasks(
        cls,
        task_ids: Sequence[str] | None = None,
        project_name: str | Sequence[str] | None = None,
        task_name: str | None = None,
        tags: Sequence[str] | None = None,
        allow_archived: bool = True,
        task_filter: Mapping[str, Any] | None = None,
    ) -> list[Self]:
        """The tasks that match, the last modified first; 500 at most.

        Args:
            task_ids: only these; project and name are then ignored.
            project_name: a project, or several of them. Of a name that no project has, those in whose names
                it occurs as a regular expression.
            task_name: a regular expression that occurs in the name; ``^exact$`` for a whole one.
            tags: any of them, and none with "-" before it; all of them after ``"__$all"``, any of them after
                ``"__$any"``, not the one after ``"__$not"``.
            allow_archived: those that are archived, too.
            task_filter: more conditions, by "status", "type", "tags", "system_tags", "search_text" (a
                regular expression), "name", "project" (exact), "include_subprojects", "id", "parent",
                "user"; "_all_" and "_any_", a dictionary of "fields" and a "pattern" that occurs in all, or
                any, of them; "created", "started", "completed", "last_update", "status_changed", such as
                ``[">=2026-11-20"]``; "order_by", names of fields, with "-" before one for descending;
                "page" and "page_size" for more than 500.

        Raises:
            InputInvalid: a filter is not known, or a pattern is not a regular expression.
            NotFound: there is no store.
        """
        from eventlog.sdk.queries import find_tasks, question

        asked = question(task_ids, project_name, task_name, tags, allow_archived, task_filter)
        found: dict[str, Self] = {}
        for store in stores_to_search():
            for row in find_tasks(store, asked):
                found.setdefault(row.id, cls._of_row(store, row))
        return list(found.values())

    @classmethod
    def query_tasks(
        cls,
        project_name: str | Sequence[str] | None = None,
        task_name: str | None = None,
        tags: Sequence[str] | None = None,
        additional_return_fields: Sequence[str] | None = None,
        task_filter: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """The ids of the tasks that match, all of them; or dictionaries with more fields.

        Args:
            project_name, task_name, tags, task_filter: as of `get_tasks`.
            additional_return_fields: fields of `data` by their dotted paths, such as "last_update" or
                "script.repository"; then each task is a dictionary of them and its "id", with None where a
                path leads nowhere.

        Raises:
            InputInvalid: a filter is not known, or a pattern is not a regular expression.
            NotFound: there is no store.
        """
        from eventlog.sdk.queries import field_values, find_tasks, question, texts

        store = open_store()
        asked = question(None, project_name, task_name, tags, True, task_filter)
        rows = find_tasks(store, asked, most=None)
        if not additional_return_fields:
            return [row.id for row in rows]
        paths = texts("additional_return_fields", additional_return_fields)
        return [field_values(store, row, paths) for row in rows]

    @classmethod
    def get_all(cls, session: Any = None, log: Any = None, **kwargs: Any) -> Found:
        """The data of the tasks that match, as ``get_all(…).response.tasks``.

        Args:
            session, log: for ClearML's sake.
            kwargs: conditions, as `task_filter` of `get_tasks`.
        """
        from eventlog.sdk.queries import find_tasks, question
        from eventlog.sdk.task_data import task_data

        store = open_store()
        rows = find_tasks(store, question(None, None, None, None, True, kwargs))
        return Found([task_data(store, read_state(store, row.id)) for row in rows])

    @classmethod
    def get_projects(cls, **kwargs: Any) -> "list[Project]":
        """The projects that tasks are in, and those above them; the last updated one last.

        Args:
            kwargs: "name", a regular expression that occurs in the name; "id"; "order_by", "page" and
                "page_size".
        """
        from eventlog.sdk.projects import all_projects

        return all_projects(open_store(), kwargs)

    @classmethod
    def get_project_id(cls, project_name: str, search_hidden: bool = True) -> str | None:
        """The id of a project, which is its name; None if no task is in it, nor below it."""
        from eventlog.sdk.projects import has_project

        name = check_text("the project name", project_name)
        return name if has_project(open_store(), name) else None
