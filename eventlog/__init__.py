"""Experiment tracking in which the log is the truth.

Every call (`set_parameters`, `report_scalar`, `upload_artifact`) becomes one immutable event in a log on
this machine; whatever a person sees is a fold over that log::

    from eventlog import Task

    task = Task.init(project_name="digits", task_name="baseline")
    task.get_logger().report_scalar("loss", "train", value=0.5, iteration=1)

`import eventlog` loads nothing else: each name below is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventlog.sdk.clearml_import import install_as_clearml
    from eventlog.sdk.logger import Logger
    from eventlog.sdk.task import Task
    from eventlog.store import Store

__version__ = "0.1.0"

_HOMES = {
    "Logger": "eventlog.sdk.logger",
    "Store": "eventlog.store",
    "Task": "eventlog.sdk.task",
    "install_as_clearml": "eventlog.sdk.clearml_import",
}

__all__ = ["Logger", "Store", "Task", "__version__", "install_as_clearml"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eventlog' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
