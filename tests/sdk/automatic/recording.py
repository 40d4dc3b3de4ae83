"""Scripts whose command lines are recorded, and clones of their tasks that run with other values."""

from typing import Any

from eventlog import Task
from tests.sdk.scripts import Scripts


def recorded(scripts: Scripts, text: str, *line: str, code: int = 0) -> dict[str, Any]:
    """Run a script to its end; returns the parameters of the task that it began last."""
    scripts.run(text, *line, code=code)
    return last().get_parameters(cast=True)


def last() -> Task:
    """The task that changed last."""
    return Task.get_tasks(task_filter={"order_by": ["-last_update"]})[0]


def clone(values: dict[str, Any], section: str = "Args") -> str:
    """The id of a copy of the last task, with other values of some parameters."""
    copy = Task.clone(last())
    for name, value in values.items():
        copy.set_parameter(f"{section}/{name}", value)
    return copy.id


def run_clone(scripts: Scripts, text: str, task: str, *line: str) -> str:
    """Run a script as that task; returns what it prints."""
    script = scripts.start(text, *line, environment={"EVENTLOG_TASK_ID": task})
    assert script.wait() == 0, script.err
    assert script.err == ""
    return script.out
