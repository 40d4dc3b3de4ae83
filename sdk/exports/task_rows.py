"""The rows of what tasks are now: a task each, and a parameter each."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow

from eventlog.sdk.exports.schemas import PARAMETERS, TASKS

if TYPE_CHECKING:
    from eventlog.events import Parameter
    from eventlog.projections import TaskState

__all__ = ["parameter_tables", "states_digest", "task_tables"]

_TASKS_IN_GROUP = 10_000
_PARAMETERS_IN_GROUP = 1 << 17


def states_digest(states: Iterable["TaskState"]) -> str:
    """What tells these tasks from what they were before."""
    hasher = sha256()
    encode = msgspec.msgpack.Encoder().encode
    for state in states:
        hasher.update(encode(state))
    return hasher.hexdigest()


def task_tables(states: Iterable["TaskState"]) -> Iterator[pyarrow.Table]:
    """A row for each task, as row groups."""
    rows: list[dict[str, Any]] = []
    for state in states:
        rows.append(_task_row(state))
        if len(rows) == _TASKS_IN_GROUP:
            yield pyarrow.Table.from_pylist(rows, schema=TASKS)
            rows = []
    if rows:
        yield pyarrow.Table.from_pylist(rows, schema=TASKS)


def parameter_tables(states: Iterable["TaskState"]) -> Iterator[pyarrow.Table]:
    """A row for each parameter of each task, as row groups."""
    rows: list[tuple[str, str, Parameter]] = []
    for state in states:
        rows += [(state.id, name, parameter) for name, parameter in sorted(state.parameters.items())]
        if len(rows) >= _PARAMETERS_IN_GROUP:
            yield _parameters(rows)
            rows = []
    if rows:
        yield _parameters(rows)


def _task_row(state: "TaskState") -> dict[str, Any]:
    execution = state.execution
    return {
        "task": state.id,
        "name": state.name,
        "project": state.project,
        "type": state.type,
        "status": state.status,
        "status_reason": state.status_reason,
        "status_message": state.status_message,
        "progress": state.progress,
        "created": state.created,
        "started": state.started,
        "ended": state.ended,
        "published": state.published,
        "changed": state.changed,
        "reset": state.reset_time,
        "comment": state.comment,
        "parent": state.parent or None,
        "tags": state.tags,
        "system_tags": state.system_tags,
        "host": state.host,
        "user": state.user,
        "repository": execution.repository if execution else "",
        "branch": execution.branch if execution else "",
        "commit": execution.commit if execution else "",
        "entry_point": execution.entry_point if execution else "",
        "python": execution.python if execution else "",
        "single_values": sorted(state.single_values.items()),
        "properties": [(name, one.value) for name, one in sorted(state.properties.items())],
        "artifacts": [
            {"name": name, "kind": one.kind, "sha256": one.blob, "size": one.size, "url": one.url}
            for name, one in sorted(state.artifacts.items())
        ],
        "models": [
            {"model": link.model, "direction": link.direction, "name": link.name} for link in state.models
        ],
        "dropped_reports": state.dropped,
    }


def _parameters(rows: list[tuple[str, str, "Parameter"]]) -> pyarrow.Table:
    return pyarrow.table(
        {
            "task": [task for task, _, _ in rows],
            "name": [name for _, name, _ in rows],
            "value": [parameter.value for _, _, parameter in rows],
            "type": [parameter.type for _, _, parameter in rows],
            "number": [_number(parameter) for _, _, parameter in rows],
            "description": [parameter.description for _, _, parameter in rows],
        },
        schema=PARAMETERS,
    )


def _number(parameter: "Parameter") -> float | None:
    """A parameter's value, if it is a number or a truth value; text that looks like one is none."""
    if parameter.type == "bool":
        return {"true": 1.0, "false": 0.0}.get(parameter.value.lower())
    if parameter.type == "str":
        return None
    try:
        return float(parameter.value)
    except ValueError:
        return None
