"""Tasks that are recorded offline, and brought home to the store of another machine."""

import os
from pathlib import Path
from typing import Any

from eventlog.projections import TaskState, Views
from eventlog.sdk.importing import Imported, import_session
from eventlog.sdk.task import Task
from eventlog.store import Store

NAMES = {"project_name": "far away", "task_name": "a cluster's task"}


def record(**arguments: Any) -> tuple[Task, Path]:
    """A task recorded offline; the task, and its session's zip file."""
    Task.set_offline(True)
    task = Task.init(**NAMES, **arguments)
    logger = task.get_logger()
    for iteration in range(10):
        logger.report_scalar("loss", "train", 1 / (iteration + 1), iteration)
    logger.report_text("said far away", print_console=False)
    task.set_parameters({"General/rate": 0.1})
    task.upload_artifact("numbers", {"a": [1, 2, 3]})
    task.upload_artifact("bytes", os.urandom(1000).hex())
    task.close()
    Task.set_offline(False)
    return task, zip_of(task)


def zip_of(task: Task) -> Path:
    folder = task.get_offline_mode_folder()
    assert folder is not None
    return folder.with_name(f"{task.id}.zip")


def bring_home(path: Path, home: Path, **arguments: Any) -> tuple[Imported, TaskState, int]:
    """Import into the store of another machine; also what the task is there, and how many points it has."""
    with Store.open(home) as store:
        result = import_session(store, path, **arguments)
        with Views.open(store) as views:
            views.catch_up(reports=True)
            points = sum(one.count for one in views.series(result.task))
            return result, views.task(result.task), points
