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
    from eventlog.sdk.input_model import InputModel
    from eventlog.sdk.logger import Logger
    from eventlog.sdk.model import Model
    from eventlog.sdk.output_model import OutputModel
    from eventlog.sdk.storage_manager import StorageManager
    from eventlog.sdk.task import Task
    from eventlog.sdk.task_parameters_object import TaskParameters
    from eventlog.sdk.task_types import TaskTypes
    from eventlog.store import Store

__version__ = "0.1.0"

_HOMES = {
    "InputModel": "eventlog.sdk.input_model",
    "Logger": "eventlog.sdk.logger",
    "Model": "eventlog.sdk.model",
    "OutputModel": "eventlog.sdk.output_model",
    "StorageManager": "eventlog.sdk.storage_manager",
    "Store": "eventlog.store",
    "Task": "eventlog.sdk.task",
    "TaskParameters": "eventlog.sdk.task_parameters_object",
    "TaskTypes": "eventlog.sdk.task_types",
    "install_as_clearml": "eventlog.sdk.clearml_import",
}

__all__ = [
    "InputModel",
    "Logger",
    "Model",
    "OutputModel",
    "StorageManager",
    "Store",
    "Task",
    "TaskParameters",
    "TaskTypes",
    "__version__",
    "install_as_clearml",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'eventlog' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
