"""Questions about tasks in ClearML's words: what the index answers, and what is asked of each task then."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid, NotFound
from eventlog.projections import TaskQuery, TaskRow
from eventlog.sdk.names import shown
from eventlog.sdk.ordering import field_of, page_of, sort_by
from eventlog.sdk.plain_text import check_text
from eventlog.sdk.stores import current_views
from eventlog.sdk.tag_filters import TagFilter
from eventlog.sdk.task_types import TaskStatusEnum
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.sdk.task_data import TaskData

__all__ = ["MOST_TASKS", "Question", "field_values", "find_task", "find_tasks", "question", "texts"]

MOST_TASKS = 500
_ORDERS = {
    "last_update": "changed",
    "last_change": "changed",
    "created": "created",
    "name": "name",
    "project": "project",
    "status": "status",
    "type": "type",
    "progress": "progress",
    "id": "id",
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    "": lambda left, right: left == right,
}


@dataclass
class Question:
    """What is asked about tasks.

    Attributes:
        query: what the index answers.
        tests: what must hold of each task besides, asked of its data, one after the other.
        order: fields to order by, where the index does not know them.
        page, size: which page of what was found, and how large a page is.
        projects: names or patterns of projects, of which one must hold.
        tags: ClearML's tag list.
    """

    query: dict[str, Any] = field(default_factory=dict)
    tests: list[Callable[["TaskData"], bool]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    page: int | None = None
    size: int | None = None
    projects: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def question(
    task_ids: Sequence[str] | None,
    project_name: str | Sequence[str] | None,
    task_name: str | None,
    tags: Sequence[str] | None,
    allow_archived: bool,
    task_filter: Mapping[str, Any] | None,
) -> Question:
    """The question that the arguments of `Task.get_tasks` stand for.

    Raises:
        InputInvalid: a filter is not known, or its value cannot be used.
    """
    asked = Question()
    if task_filter is not None and not isinstance(task_filter, Mapping):
        raise InputInvalid(f"'task_filter' must be a dictionary, not {type(task_filter).__name__}")
    for name, value in (task_filter or {}).items():
        if name not in _FILTERS:
            raise InputInvalid(
                f"tasks cannot be filtered by {shown(name)}: choose from {', '.join(_FILTERS)}"
            )
        if value is not None:
            _FILTERS[name](asked, value)
    if task_ids is not None:
        asked.query["ids"] = texts("task_ids", task_ids)
    else:
        if project_name:
            asked.projects = texts("project_name", project_name)
        if task_name:
            asked.query["name_pattern"] = _text("task_name", task_name)
    if tags is not None:
        _filter_tags(asked, tags)
    if asked.tags:
        _ask_for_tags(asked)
    if not allow_archived:
        asked.query["system_tags"] = [*asked.query.get("system_tags", ()), "-archived"]
    return asked


def find_tasks(store: Store, asked: Question, *, most: int | None = MOST_TASKS) -> list[TaskRow]:
    """The tasks that are asked for.

    Args:
        most: at most so many, where no page is asked for; None for all.
    """
    fields = dict(asked.query)
    if asked.projects:
        fields["project_pattern"] = _project_pattern(store, asked.projects)
    size = asked.size if asked.size is not None else (MOST_TASKS if asked.page is not None else most)
    if not asked.tests and not asked.order:
        offset = (asked.page or 0) * (size or 0)
        return _find(store, TaskQuery(**fields, limit=size, offset=offset))
    rows = _find(store, TaskQuery(**fields))
    with_data = [(row, _Lazy(store, row)) for row in rows]
    kept = [pair for pair in with_data if all(test(pair[1]) for test in asked.tests)]  # type: ignore[arg-type]
    if asked.order:
        kept = sort_by(kept, asked.order, lambda pair, path: field_of(pair[1], path))
    rows = [row for row, _ in kept]
    return rows if size is None else page_of(rows, asked.page, size)


def find_task(
    store: Store, project_name: str | None, task_name: str | None, asked: Question
) -> TaskRow | None:
    """The task that `Task.get_task` means: exact names, the last changed one; None if there is none.

    A task that is archived is meant only where no other is.

    Raises:
        NotFound: there is no such project.
        InputInvalid: nothing was given to go by.
    """
    if not (project_name or task_name or asked.query or asked.tests):
        raise InputInvalid("get_task needs a task_id, or a project_name and a task_name")
    for what, name in (("project_name", project_name), ("task_name", task_name)):
        if name is not None:
            _text(what, name)
    exact = {"project": project_name, "name": task_name}
    asked = replace(asked, query={**asked.query, **{key: name for key, name in exact.items() if name}})
    rows = find_tasks(store, asked, most=None if asked.tests else 50)
    if rows:
        return next((row for row in rows if "archived" not in row.system_tags), rows[0])
    if project_name:
        from eventlog.sdk.projects import has_project

        if not has_project(store, project_name):
            raise NotFound(
                f"no project {shown(project_name)} in the store at {store.home}: `eventlog ls` shows all"
            )
    return None


def field_values(store: Store, row: TaskRow, paths: Sequence[str]) -> dict[str, Any]:
    """The id of a task and some more fields by their dotted paths; None where a path leads nowhere."""
    data = _Lazy(store, row)
    values: dict[str, Any] = {"id": row.id}
    for path in paths:
        try:
            values[path] = field_of(data, path)
        except LookupError:
            values[path] = None
    return values


class _Lazy:
    """The data of a task, of which no more is read than is asked for."""

    def __init__(self, store: Store, row: TaskRow) -> None:
        self.id = row.id
        self.name = row.name
        self.project = row.project
        self.type = row.type
        self.status = row.status
        self.comment = row.comment
        self.tags = row.tags
        self.system_tags = row.system_tags
        self.parent = row.parent
        self.progress = row.progress
        self._store = store

    def __getattr__(self, name: str) -> Any:
        from eventlog.sdk.task_data import task_data

        if name.startswith("_"):
            raise AttributeError(name)
        if "_data" not in self.__dict__:
            self.__dict__["_data"] = task_data(
                self._store, current_views(self._store, about=self.id).task(self.id)
            )
        return getattr(self.__dict__["_data"], name)


def _find(store: Store, query: TaskQuery) -> list[TaskRow]:
    rows = current_views(store, about="").find(query)
    # What is appended from here on orders after what was seen.
    store.session.observe(max((row.changed for row in rows), default=0))
    return rows


def _project_pattern(store: Store, names: list[str]) -> str:
    """A pattern for projects: the very one where there is such a one, as in ClearML; else where it occurs."""
    views = current_views(store, about="")
    patterns = []
    for name in names:
        is_one = bool(views.find(TaskQuery(project=name, limit=1)))
        patterns.append(rf"\A{re.escape(name)}\Z" if is_one else name)
    return "|".join(f"(?:{pattern})" for pattern in patterns) if patterns[1:] else patterns[0]


def _filter_tags(asked: Question, value: Any) -> None:
    asked.tags += texts("tags", value)


def _ask_for_tags(asked: Question) -> None:
    wanted = TagFilter(asked.tags)
    if wanted.is_simple:
        asked.query["tags"] = wanted.simple
        asked.query["all_tags"] = wanted.together
    else:
        asked.tests.append(lambda data: wanted.holds(data.tags))


def _filter_system_tags(asked: Question, value: Any) -> None:
    wanted = TagFilter(texts("system_tags", value))
    if wanted.is_simple and not (wanted.together and len(wanted.simple) > 1):
        asked.query["system_tags"] = wanted.simple
    else:
        asked.tests.append(lambda data: wanted.holds(data.system_tags))


def _filter_order(asked: Question, value: Any) -> None:
    names = texts("order_by", value)
    if len(names) == 1 and names[0].removeprefix("-") in _ORDERS:
        descending = "-" if names[0].startswith("-") else ""
        asked.query["order"] = descending + _ORDERS[names[0].removeprefix("-")]
        return
    from eventlog.sdk.task_data import TaskData

    known = {*TaskData.__dataclass_fields__, *dir(TaskData)}
    for name in names:
        first = name.removeprefix("-").partition(".")[0]
        if first not in known or first.startswith("_"):
            raise InputInvalid(
                f"tasks cannot be ordered by {shown(name)}: give one of {', '.join(_ORDERS)}, or a field of"
                " task.data, with '-' before it for the other way round"
            )
    asked.order = names


def _filter_number(name: str, attribute: str, least: int, asked: Question, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputInvalid(f"'{name}' must be a whole number from {least} on, not {shown(value)}")
    setattr(asked, attribute, value)


def _filter_status(asked: Question, value: Any) -> None:
    wanted = texts("status", value)
    for one in wanted:
        if one.removeprefix("-") not in TaskStatusEnum.__members__ and not one.startswith("__$"):
            raise InputInvalid(
                f"there is no status {shown(one)}: choose from {', '.join(TaskStatusEnum.__members__)}"
            )
    asked.query["status"] = wanted


def _filter_list(name: str, key: str, asked: Question, value: Any) -> None:
    asked.query[key] = texts(name, value)


def _filter_pattern(name: str, key: str, asked: Question, value: Any) -> None:
    asked.query[key] = _text(name, value)


def _filter_project(asked: Question, value: Any) -> None:
    asked.query["project"] = texts("project", value)


def _filter_nested(asked: Question, value: Any) -> None:
    asked.query["project_prefix"] = bool(value)


def _filter_user(asked: Question, value: Any) -> None:
    users = texts("user", value)
    asked.tests.append(lambda data: data.user in users)


def _filter_fields(name: str, needed: Callable[[Any], bool], asked: Question, value: Any) -> None:
    """``{"fields": ["comment", "script.repository"], "pattern": "regular expression"}``."""
    if not isinstance(value, Mapping) or not {"fields", "pattern"} <= set(value):
        raise InputInvalid(f"'{name}' must be a dictionary with 'fields' and 'pattern'")
    paths = texts(f"{name}.fields", value["fields"])
    try:
        pattern = re.compile(_text(f"{name}.pattern", value["pattern"]), re.IGNORECASE)
    except re.error as error:
        raise InputInvalid(f"'{name}' has no regular expression as its pattern: {error}") from None

    def test(data: "TaskData") -> bool:
        return needed(pattern.search(text) for text in (_as_text(data, path) for path in paths))

    asked.tests.append(test)


def _filter_time(name: str, asked: Question, value: Any) -> None:
    """Conditions such as ">=2026-11-20T14:00:00" or "<1700000000" (seconds since 1970); all must hold."""
    from datetime import UTC, datetime

    for condition in texts(name, value):
        match = re.fullmatch(r"\s*(>=|<=|>|<|)\s*(.+?)\s*", condition)
        text = match.group(2) if match else ""
        try:
            moment = (
                datetime.fromtimestamp(float(text), UTC)
                if re.fullmatch(r"\d+(\.\d*)?", text)
                else datetime.fromisoformat(text)
            )
        except (ValueError, OverflowError, OSError):
            raise InputInvalid(
                f"'{name}' must be a time such as '>=2026-11-20T14:00:00', not {shown(condition)}"
            ) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        compare = _COMPARISONS[match.group(1) if match else ""]
        asked.tests.append(partial(_compare_time, name, compare, moment))


def _compare_time(name: str, compare: Callable[[Any, Any], bool], moment: Any, data: "TaskData") -> bool:
    found = getattr(data, name)
    return found is not None and compare(found, moment)


def _pass(asked: Question, value: Any) -> None:
    """What makes no difference here."""


_FILTERS: dict[str, Callable[[Question, Any], None]] = {
    "_all_": partial(_filter_fields, "_all_", all),
    "_any_": partial(_filter_fields, "_any_", any),
    "completed": partial(_filter_time, "completed"),
    "created": partial(_filter_time, "created"),
    "id": partial(_filter_list, "id", "ids"),
    "include_subprojects": _filter_nested,
    "last_update": partial(_filter_time, "last_update"),
    "name": partial(_filter_pattern, "name", "name_pattern"),
    "only_fields": _pass,
    "order_by": _filter_order,
    "page": partial(_filter_number, "page", "page", 0),
    "page_size": partial(_filter_number, "page_size", "size", 1),
    "parent": partial(_filter_list, "parent", "parent"),
    "project": _filter_project,
    "search_hidden": _pass,
    "search_text": partial(_filter_pattern, "search_text", "text"),
    "started": partial(_filter_time, "started"),
    "status": _filter_status,
    "status_changed": partial(_filter_time, "status_changed"),
    "system_tags": _filter_system_tags,
    "tags": _filter_tags,
    "type": partial(_filter_list, "type", "types"),
    "user": _filter_user,
}


def _as_text(data: Any, path: str) -> str:
    try:
        found = field_of(data, path)
    except LookupError:
        return ""
    if isinstance(found, list | tuple):
        return "\n".join(map(str, found))
    return "" if found is None else str(found)


def _text(what: str, value: Any) -> str:
    return check_text(f"'{what}'", value)


def texts(what: str, value: Any) -> list[str]:
    """A text, or a list of texts, as a list.

    Args:
        what: what it is, for the message.

    Raises:
        InputInvalid: it is neither.
    """
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, Sequence) or not all(isinstance(text, str) for text in several):
        raise InputInvalid(f"'{what}' must be text, or a list of texts")
    return [check_text(f"'{what}'", text) for text in several]
