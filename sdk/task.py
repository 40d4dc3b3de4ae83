"""Task: one run of a script, as the script sees it.

Each method appends one event, or reads what the events amount to. The methods lie in the modules named
``task_…``, by what they are about; what they take is in the modules beside those. The names and their
meaning are ClearML's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

from eventlog.errors import EventlogError
from eventlog.sdk import names, task_types
from eventlog.sdk.automatic import attaching
from eventlog.sdk.automatic.automatic import Automatic
from eventlog.sdk.automatic.choices import Choices
from eventlog.sdk.automatic.listening import safely
from eventlog.sdk.lifecycle import is_being_made
from eventlog.sdk.main_task import has_main_task, left_choices, main_task_store, pass_over_main_task
from eventlog.sdk.offline import end_session
from eventlog.sdk.overrides import given_task_id, set_overridden
from eventlog.sdk.ranks import follow_rank_0
from eventlog.sdk.run import Run, changing, commit
from eventlog.sdk.stores import store_for_task
from eventlog.sdk.task_absent import TaskAbsent
from eventlog.sdk.task_artifacts import TaskArtifacts
from eventlog.sdk.task_base import set_current_task
from eventlog.sdk.task_configuration import TaskConfiguration
from eventlog.sdk.task_edits import TaskEdits
from eventlog.sdk.task_environment import TaskEnvironment
from eventlog.sdk.task_integrations import TaskIntegrations
from eventlog.sdk.task_making import TaskMaking
from eventlog.sdk.task_models import TaskModelLinks
from eventlog.sdk.task_offline import TaskOffline
from eventlog.sdk.task_parameters import TaskParameters
from eventlog.sdk.task_properties import TaskProperties
from eventlog.sdk.task_queries import TaskQueries
from eventlog.sdk.task_reports import TaskReports
from eventlog.sdk.task_status import TaskStatus
from eventlog.store import Store

__all__ = ["Task"]


class Task(
    TaskQueries,
    TaskMaking,
    TaskEdits,
    TaskStatus,
    TaskEnvironment,
    TaskParameters,
    TaskConfiguration,
    TaskProperties,
    TaskReports,
    TaskArtifacts,
    TaskModelLinks,
    TaskIntegrations,
    TaskOffline,
    TaskAbsent,
):
    """One run of a script; get it from `Task.init`, `Task.current_task`, `Task.get_task` or `get_tasks`."""

    _automatic: Automatic | None = None

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
        continue_last_task: bool | str | int = False,
        output_uri: str | bool | None = None,
        auto_connect_arg_parser: bool | Mapping[str, bool] = True,
        auto_connect_frameworks: bool | Mapping[str, Any] = True,
        auto_resource_monitoring: bool | Mapping[str, Any] = True,
        auto_connect_streams: bool | Mapping[str, bool] = True,
        deferred_init: bool = False,
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
                machine in the last 72 hours (``task_reuse_time_window_in_hours``), has no artifacts and no
                models, is not archived or published and does not run: what it reported is then no longer
                shown. False makes a new task; an id says which one to run again.
            continue_last_task: go on with that task instead, where it ended: nothing of it is reset, and
                what is reported comes after its last iteration. An id says which one; a number, what to
                add to the iterations. If it runs in another process, this one adds to it and does not end
                it.
            output_uri: the path or the URL of a folder that artifacts and models are copied to, besides the
                store; True or None for the one that is configured (``default_output_uri``), if one is. Models
                that libraries save are taken into the store where there is a destination, or with True; else
                they are registered where they were saved.
            auto_connect_arg_parser: record the command line as parameters; by name of the argument, "*" for
                all others, which ones. An empty dictionary is as False.
            auto_connect_frameworks: record what the script does with well-known libraries; by name of the
                framework (`choices.FRAMEWORKS`) whether, or for models a pattern of file names, or several.
            auto_resource_monitoring: report what the machine is busy with, every few seconds.
            auto_connect_streams: report what is printed and logged; by name, "stdout", "stderr" and
                "logging", which.
            deferred_init: for ClearML's sake; beginning takes milliseconds.

        ``EVENTLOG_TASK_ID`` in the environment names the task to run, whatever is given here: a draft is
        started, one that runs is added to, one that has ended goes on. A process that was started by one
        with an open task adds to that task, as with ClearML.

        Raises:
            InputInvalid: a name is too short, there is no such type, another task is open in this
                process, or the task to be run again is running or published.
            NotFound: there is no task of the id to be run.
            StoreInvalid, StoreReadOnly, StoreFull: the store cannot be opened.
        """
        with changing():
            current = cls._open_task() or cls._marked_task(project_name, task_name, task_type)
            if current is not None and current._run is not None:
                current._run.check_names(project_name, task_name, task_type)
                if output_uri is not None:
                    current.output_uri = output_uri
                return current
            project = names.check_name(
                "project", names.default_project_name() if project_name is None else project_name
            )
            name = names.check_name("task", names.default_task_name() if task_name is None else task_name)
            kind, added = task_types.type_name(task_type), names.tag_list(tags or [])
            choices = Choices.of(
                auto_connect_frameworks,
                auto_connect_arg_parser,
                auto_connect_streams,
                auto_resource_monitoring,
            )
            cls._check_destination(output_uri)
            follow_rank_0()
            store = store_for_task(project, name, reuse_last_task_id, continue_last_task)
            run = Run(store, project, name, kind, added, reuse_last_task_id, continue_last_task)
            task = cls._of_run(store, run)
            try:
                task._begin_environment(run.start.offset)
                task._begin_destination(output_uri)
            finally:
                task._begin(run, choices)
            return task

    @classmethod
    def _of_run(cls, store: Store, run: Run) -> Self:
        """Make the task of a run that has begun the current one."""
        set_overridden(bool(given_task_id()))
        start = run.start
        task = cls(store, start.task_id, start.project, start.name, start.task_type, run)
        set_current_task(task)
        return task

    def _begin(self, run: Run, choices: Choices) -> None:
        """Begin what goes on beside the script."""
        try:
            if run.execution is not None:
                run.execution.detects_repository = choices.detects_repository()
            self._automatic = Automatic(self, choices)
            self._automatic.begin()
        finally:
            run.begin()

    @classmethod
    def _join(cls) -> Self | None:
        if not has_main_task():
            return None
        with changing():
            if (task := cls._open_task()) is not None:
                return task
            store = main_task_store()
            try:
                run = None if store is None else Run(store, "", "", "", [], False, joins=True)
            except EventlogError:
                run = None
            if store is None or run is None:
                pass_over_main_task()
                return None
            # Random numbers are not seeded, as the script did not call `init`.
            task = cls._of_run(store, run)
            task._begin(run, left_choices())
            return task

    def close(self) -> None:
        """Complete the task and commit everything; afterwards there is no current task.

        Of a task that another process began, a forked child's parent too, its status stays as it is.
        Uploads are waited for as long as they move; what is left goes on at the next `eventlog sync`.
        """
        self._finish_uploads(wait=True, is_last=True)
        if self._automatic is not None:
            self._automatic.end()
        if self._run is not None:
            self._run.close()
        # It may be published now, or be so later.
        self._logger._check_again()
        commit(self._store, self._id)
        end_session(self._store)

    def flush(self, wait_for_uploads: bool = False) -> bool:
        """Commit everything reported so far to disk.

        Args:
            wait_for_uploads: and wait for what is copied to the task's destination, as long as it moves.

        Returns:
            False where an upload was waited for and has not arrived; else True.

        Raises:
            StoreFull, StoreReadOnly: it cannot be committed now; it is kept and tried again.
        """
        self._settle_parameters()
        has_arrived = self._finish_uploads(wait=wait_for_uploads)
        self._store.flush()
        return has_arrived


# A script may parse its command line before it begins its task.
attaching.attach_to_command_lines()
if is_being_made():
    # A child of multiprocessing that is no fork imports the script again, and may use libraries alone.
    safely("what a child process does", Task._join)
