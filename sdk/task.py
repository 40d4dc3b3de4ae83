"""Task: one run of a script, as the script sees it.

Each method appends one event, or reads what the events amount to. The methods lie in the modules named
``task_…``, by what they are about; what they take is in the modules beside those. The names and their
meaning are ClearML's.
"""

from collections.abc import Sequence
from typing import Self, TypeAlias

from eventlog.sdk import start, task_types
from eventlog.sdk.run import Run, changing, commit
from eventlog.sdk.stores import open_store
from eventlog.sdk.task_artifacts import TaskArtifacts
from eventlog.sdk.task_base import set_current_task
from eventlog.sdk.task_edits import TaskEdits
from eventlog.sdk.task_parameters import TaskParameters
from eventlog.sdk.task_queries import TaskQueries
from eventlog.sdk.task_reports import TaskReports

__all__ = ["Task"]


class Task(TaskQueries, TaskEdits, TaskParameters, TaskReports, TaskArtifacts):
    """One run of a script; get it from `Task.init`, `Task.current_task`, `Task.get_task` or `get_tasks`."""

    TaskTypes: TypeAlias = task_types.TaskTypes
    TaskStatusEnum: TypeAlias = task_types.TaskStatusEnum

    @classmethod
    def init(
        cls,
        project_name: str | None = None,
        task_name: str | None = None,
        task_type: TaskTypes | str = TaskTypes.training,
        tags: Sequence[str] | None = None,
        reuse_last_task_id: bool | str = True,
    ) -> Self:
        """Begin the task of this process, and return at once; or return the one that has begun.

        Its status follows the process: completed at its end, failed on an uncaught exception, stopped on
        Ctrl-C or SIGTERM. The code, the command line and the packages are recorded in the background.

        Args:
            project_name: at least 3 characters; "/" nests projects. By default that of the repository.
            task_name: at least 3 characters. By default that of the script.
            task_type: what the task is for.
            tags: to be added to it.
            reuse_last_task_id: run the last task of that project and name again, if it ran on this
                machine in the last 72 hours (``task_reuse_time_window_in_hours``), has no artifacts and
                does not run: what it reported is then no longer shown. False makes a new task; an id
                says which one to run again.

        Raises:
            InputInvalid: a name is too short, there is no such type, another task is open in this
                process, or the task to be run again is running.
            NotFound: there is no task of the id to be run again.
            StoreInvalid, StoreReadOnly, StoreFull: the store cannot be opened.
        """
        with changing():
            if (current := cls.current_task()) is not None and current._run is not None:
                current._run.check_names(project_name, task_name, task_type)
                return current
            project = start.check_name(
                "project", start.default_project_name() if project_name is None else project_name
            )
            name = start.check_name("task", start.default_task_name() if task_name is None else task_name)
            kind, added = task_types.type_name(task_type), start.tag_list(tags or [])
            store = open_store(create=True)
            run = Run(store, project, name, kind, added, reuse_last_task_id)
            task = cls(store, run.task_id, project, name, kind, run)
            set_current_task(task)
            return task

    def close(self) -> None:
        """Complete the task and commit everything; afterwards there is no current task.

        Of a task that another process began, a forked child's parent too, its status stays as it is.
        """
        if self._run is not None:
            self._run.close()
        commit(self._store, self._id)

    def flush(self, wait_for_uploads: bool = False) -> bool:
        """Commit everything reported so far to disk; returns True.

        Args:
            wait_for_uploads: for ClearML's sake; an upload has always ended when its call returns.

        Raises:
            StoreFull, StoreReadOnly: it cannot be committed now; it is kept and tried again.
        """
        self._store.flush()
        return True
