"""Questions about tasks in ClearML's words, as a `TaskQuery`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from eventlog.errors import InputInvalid, NotFound
from eventlog.projections import TaskQuery, TaskRow
from eventlog.sdk.stores import current_views
from eventlog.store import Store

__all__ = ["MOST_TASKS", "find_task", "find_tasks", "task_query"]

MOST_TASKS = 500
_ORDERS = {
    "last_update": "changed",
    "last_change": "changed",
    "created": "created",
    "name": "name",
    "project": "project",
    "status": "status",
    "type": "type",
    "id": "id",
}
_OPERATORS = {"__$all": "and", "__$and": "and", "__$any": "or", "__$or": "or", "__$not": "not"}


def task_query(
    task_ids: Sequence[str] | None,
    project_name: str | Sequence[str] | None,
    task_name: str | None,
    tags: Sequence[str] | None,
    task_filter: Mapping[str, Any] | None,
) -> TaskQuery:
    """The query that the arguments of `Task.get_tasks` stand for.

    Raises:
        InputInvalid: a filter is not known, or its value cannot be used.
    """
    fields: dict[str, Any] = {"limit": MOST_TASKS}
    for name, value in (task_filter or {}).items():
        if name not in _FILTERS:
            raise InputInvalid(f"tasks cannot be filtered by '{name}': choose from {', '.join(_FILTERS)}")
        if value is not None:
            _FILTERS[name](fields, value)
    if task_ids is not None:
        fields["ids"] = _texts("task_ids", task_ids)
    elif project_name is not None or task_name is not None:
        if project_name:
            names = _texts("project_name", project_name)
            fields["project_pattern"] = "|".join(f"(?:{name})" for name in names) if names[1:] else names[0]
        if task_name:
            fields["name_pattern"] = task_name
    if tags is not None:
        _filter_tags(fields, tags)
    page, size = fields.pop("page", 0), fields.pop("page_size", MOST_TASKS)
    fields["limit"], fields["offset"] = size, page * size
    if fields.pop("impossible", False):
        fields["ids"] = []
    return TaskQuery(**fields)


def find_tasks(
    store: Store,
    task_ids: Sequence[str] | None,
    project_name: str | Sequence[str] | None,
    task_name: str | None,
    tags: Sequence[str] | None,
    task_filter: Mapping[str, Any] | None,
) -> list[TaskRow]:
    """The tasks that `Task.get_tasks` means."""
    query = task_query(task_ids, project_name, task_name, tags, task_filter)
    return _find(store, query)


def find_task(
    store: Store,
    project_name: str | None,
    task_name: str | None,
    tags: Sequence[str] | None,
    task_filter: Mapping[str, Any] | None,
) -> TaskRow:
    """The task that `Task.get_task` means: exact names, the last changed one.

    Raises:
        NotFound: there is none.
        InputInvalid: nothing was given to go by.
    """
    if not (project_name or task_name or tags or task_filter):
        raise InputInvalid("get_task needs a task_id, or a project_name and a task_name")
    query = replace(
        task_query(None, None, None, tags, task_filter),
        project=project_name,
        name=task_name,
        order="-changed",
        limit=1,
        offset=0,
    )
    rows = _find(store, query)
    if not rows:
        asked = "/".join(name for name in (project_name, task_name) if name) or "of that filter"
        raise NotFound(f"no task '{asked}' in the store at {store.home}: `eventlog ls` lists those it has")
    return rows[0]


def _find(store: Store, query: TaskQuery) -> list[TaskRow]:
    rows = current_views(store).find(query)
    # What is appended from here on orders after what was seen.
    store.session.observe(max((row.changed for row in rows), default=0))
    return rows


def _filter_tags(fields: dict[str, Any], value: Any) -> None:
    """ClearML's tag lists: ``["a", "-b"]``, ``["__$all", "a", "b", "__$not", "c"]``."""
    wanted: list[str] = []
    mode = ""
    negated = False
    for tag in _texts("tags", value):
        operator = _OPERATORS.get(tag)
        if operator == "not":
            negated = True
        elif operator:
            if wanted and any(not one.startswith("-") for one in wanted) and operator != (mode or "or"):
                raise InputInvalid("a tag filter cannot mix 'all' and 'any': give one of them, first")
            mode = operator
        else:
            wanted.append(f"-{tag}" if negated else tag)
            negated = False
    fields["tags"] = [*fields.get("tags", ()), *wanted]
    fields["all_tags"] = mode == "and"


def _filter_system_tags(fields: dict[str, Any], value: Any) -> None:
    # Nothing here has a system tag, so that asking for one finds nothing and leaving one out, everything.
    if any(not tag.startswith("-") for tag in _texts("system_tags", value)):
        fields["impossible"] = True


def _filter_order(fields: dict[str, Any], value: Any) -> None:
    names = _texts("order_by", value)
    if len(names) != 1 or names[0].removeprefix("-") not in _ORDERS:
        raise InputInvalid(
            f"tasks cannot be ordered by {', '.join(names)}: give one of {', '.join(_ORDERS)}, with '-'"
            " before it for the other way round"
        )
    descending = "-" if names[0].startswith("-") else ""
    fields["order"] = descending + _ORDERS[names[0].removeprefix("-")]


def _number_filter(name: str, least: int) -> Callable[[dict[str, Any], Any], None]:
    def filter_number(fields: dict[str, Any], value: Any) -> None:
        if not isinstance(value, int) or value < least:
            raise InputInvalid(f"'{name}' must be a whole number from {least} on, not {value!r}")
        fields[name] = value

    return filter_number


def _list_filter(name: str, field: str) -> Callable[[dict[str, Any], Any], None]:
    def filter_list(fields: dict[str, Any], value: Any) -> None:
        fields[field] = _texts(name, value)

    return filter_list


def _pattern_filter(name: str, field: str) -> Callable[[dict[str, Any], Any], None]:
    def filter_pattern(fields: dict[str, Any], value: Any) -> None:
        if not isinstance(value, str):
            raise InputInvalid(f"'{name}' must be a regular expression, not {type(value).__name__}")
        fields[field] = value

    return filter_pattern


_FILTERS: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "id": _list_filter("id", "ids"),
    "name": _pattern_filter("name", "name_pattern"),
    "order_by": _filter_order,
    "page": _number_filter("page", 0),
    "page_size": _number_filter("page_size", 1),
    "project": _list_filter("project", "project"),
    "search_text": _pattern_filter("search_text", "text"),
    "status": _list_filter("status", "status"),
    "system_tags": _filter_system_tags,
    "tags": _filter_tags,
    "type": _list_filter("type", "types"),
}


def _texts(what: str, value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise InputInvalid(f"'{what}' must be text, or a list of texts")
    return [str(text) for text in texts]
