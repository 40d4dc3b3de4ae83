"""The rows of what tasks are now: a task each, and a parameter each."""

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow

from eventlog.sdk.exports.schemas import PARAMETERS, ROW_GROUP, TASKS

if TYPE_CHECKING:
    from eventlog.events import Parameter
    from eventlog.projections import TaskState

__all__ = ["TaskRows"]

_TASKS_IN_GROUP = 10_000
_encode = msgspec.msgpack.Encoder().encode


class TaskRows:
    """The rows of tasks, gathered one task at a time, and a digest of each of the two kinds."""

    def __init__(self) -> None:
        self._tasks: list[dict[str, Any]] = []
        self._parameters: list[tuple[str, str, Parameter]] = []
        self._of_tasks, self._of_parameters = sha256(), sha256()

    @property
    def tasks_digest(self) -> str:
        """What tells the tasks from what they were before."""
        return self._of_tasks.hexdigest()

    @property
    def parameters_digest(self) -> str:
        """What tells their parameters from what these were before."""
        return self._of_parameters.hexdigest()

    def add(self, state: "TaskState") -> None:
        """Take one task."""
        row = _task_row(state)
        self._of_tasks.update(_encode(row))
        self._tasks.append(row)
        parameters = sorted(state.parameters.items())
        self._of_parameters.update(_encode((state.id, parameters)))
        self._parameters += [(state.id, name, parameter) for name, parameter in parameters]

    def full_tasks(self) -> Iterator[pyarrow.Table]:
        """A row group of tasks, if there are enough for one."""
        if len(self._tasks) >= _TASKS_IN_GROUP:
            yield from self.last_tasks()

    def full_parameters(self) -> Iterator[pyarrow.Table]:
        """A row group of parameters, if there are enough for one."""
        if len(self._parameters) >= ROW_GROUP:
            yield from self.last_parameters()

    def last_tasks(self) -> Iterator[pyarrow.Table]:
        """What no row group has held yet."""
        yield pyarrow.Table.from_pylist(self._tasks, schema=TASKS)
        self._tasks = []

    def last_parameters(self) -> Iterator[pyarrow.Table]:
        """What no row group has held yet."""
        yield _parameters(self._parameters)
        self._parameters = []


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
