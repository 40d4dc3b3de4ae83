"""Which task a person means: the beginning of an id, or "project/name"."""

from typing import Any

from eventlog.errors import InputInvalid, NotFound
from eventlog.projections.environment import ViewsEnvironment
from eventlog.projections.index import find, read_row
from eventlog.projections.keys import TASK_SIZE, task_key
from eventlog.projections.query import TaskQuery, TaskRow
from eventlog.projections.states import TaskRecord, read_record

__all__ = ["resolve"]

_SHOWN = 5


def resolve(transaction: Any, environment: ViewsEnvironment, text: str) -> str:
    """The id of the task meant; described at `Views.resolve`."""
    record = read_record(transaction, environment, task_key(text))
    if record is not None:
        row = read_row(transaction, environment, record.ordinal)
        if not row.is_deleted:
            return row.id
    candidates = _by_prefix(transaction, environment, text.lower())
    if len(candidates) == 1:
        return candidates[0].id
    named = _by_name(transaction, environment, text)
    if named is not None:
        return named.id
    if candidates:
        listed = ", ".join(
            f"{row.id[: len(text) + 4]} ({row.project}/{row.name})" for row in candidates[:_SHOWN]
        )
        more = ", …" if len(candidates) > _SHOWN else ""
        raise InputInvalid(
            f"several tasks have an id that begins with {text}: {listed}{more}; give more of it"
        )
    raise NotFound(
        f"no task '{text}': give the beginning of an id or project/name, as `eventlog ls` shows them"
    )


def _by_prefix(transaction: Any, environment: ViewsEnvironment, text: str) -> list[TaskRow]:
    """The tasks whose ids begin so, and no more than it takes to say that there are several."""
    digits = 2 * TASK_SIZE
    if not 0 < len(text) <= digits or not all(letter in "0123456789abcdef" for letter in text):
        return []
    last = bytes.fromhex(text.ljust(digits, "f"))
    rows: list[TaskRow] = []
    with transaction.cursor(environment["tasks"]) as cursor:
        found = cursor.set_range(bytes.fromhex(text.ljust(digits, "0")))
        while found and cursor.key() <= last and len(rows) <= _SHOWN:
            row = read_row(transaction, environment, TaskRecord.unpack(cursor.value()).ordinal)
            # The key of an id from elsewhere is a hash.
            if row.id.startswith(text) and not row.is_deleted:
                rows.append(row)
            found = cursor.next()
    return rows


def _by_name(transaction: Any, environment: ViewsEnvironment, text: str) -> TaskRow | None:
    """The last changed task of a project and name; either may hold slashes."""
    parts = text.split("/")
    rows = []
    for at in range(1, min(len(parts), 64)):
        query = TaskQuery(project="/".join(parts[:at]), name="/".join(parts[at:]), limit=1)
        rows += find(transaction, environment, query, None)
    return max(rows, key=lambda row: (row.changed, row.id), default=None)
