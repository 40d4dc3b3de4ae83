"""Task: one run of a script, as the script sees it.

Each method appends one event, or reads what the events amount to; what that takes is in the modules
beside this one. The names and their meaning are ClearML's.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from eventlog.events import Event, ParametersSet, ProgressSet, TagsAdded, TagsRemoved
from eventlog.sdk import parameters, start, task_types
from eventlog.sdk.last_runs import LastRuns
from eventlog.sdk.logger import Logger
from eventlog.sdk.numbers import as_percent
from eventlog.sdk.run import Run, changing, commit
from eventlog.sdk.stores import current_views, open_store, read_state
from eventlog.sdk.whole_import import import_whole
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskRow, TaskState
    from eventlog.sdk.artifacts import Artifacts
    from eventlog.sdk.task_data import TaskData

__all__ = ["Task"]


class Task:
    """One run of a script; get it from `Task.init`, `Task.current_task`, `Task.get_task` or `get_tasks`."""

    TaskTypes: TypeAlias = task_types.TaskTypes
    TaskStatusEnum: TypeAlias = task_types.TaskStatusEnum

    def __init__(
        self, store: Store, task_id: str, project: str, name: str, task_type: str, run: Run | None = None
    ) -> None:
        self._store = store
        self._id = task_id
        self._project = project
        self._name = name
        self._type = task_type
        self._run = run
        self._logger = Logger(store, task_id)

    def __repr__(self) -> str:
        return f"<Task {self._id[:8]} {self._project}/{self._name}>"

    # The task of this process.

    @classmethod
    def init(
        cls,
        project_name: str | None = None,
        task_name: str | None = None,
        task_type: TaskTypes | str = TaskTypes.training,
        tags: Sequence[str] | None = None,
        reuse_last_task_id: bool | str = True,
    ) -> "Task":
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
        global _current
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
            _current = cls(store, run.task_id, project, name, kind, run)
            return _current

    @classmethod
    def current_task(cls) -> "Task | None":
        """The task that `Task.init` began in this process, or None; a forked child shares its parent's."""
        return _current if _current is not None and _current._run and _current._run.is_open else None

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

    # Other tasks.

    @classmethod
    def get_task(
        cls,
        task_id: str | None = None,
        project_name: str | None = None,
        task_name: str | None = None,
        tags: Sequence[str] | None = None,
        *,
        task_filter: Mapping[str, Any] | None = None,
    ) -> "Task":
        """The task of an id, or the last modified one of a project and name.

        Args:
            task_id: its whole id; the other arguments are then ignored.
            project_name: the exact project; by default any.
            task_name: the exact name; by default any.
            tags, task_filter: as of `get_tasks`.

        Raises:
            NotFound: there is none.
            InputInvalid: nothing was given to go by.
        """
        from eventlog.sdk.queries import find_task

        store = open_store()
        if task_id is not None:
            return cls._of_row(store, read_state(store, task_id))
        return cls._of_row(store, find_task(store, project_name, task_name, tags, task_filter))

    @classmethod
    def get_tasks(
        cls,
        task_ids: Sequence[str] | None = None,
        project_name: str | Sequence[str] | None = None,
        task_name: str | None = None,
        tags: Sequence[str] | None = None,
        *,
        task_filter: Mapping[str, Any] | None = None,
    ) -> "list[Task]":
        """The tasks that match, the last modified first; 500 at most.

        Args:
            task_ids: only these; project and name are then ignored.
            project_name: a regular expression that occurs in the project, or several of them.
            task_name: a regular expression that occurs in the name; ``^exact$`` for a whole one.
            tags: any of them, and none with "-" before it; all of them after ``"__$all"``; not the one
                after ``"__$not"``.
            task_filter: more conditions, by "status", "type", "tags", "system_tags", "search_text" (a
                regular expression), "name", "project" (exact), "id"; "order_by", one of last_update,
                created, name, project, status, type, id, with "-" before it for descending; "page" and
                "page_size" for more than 500.

        Raises:
            InputInvalid: a filter is not known, or a pattern is not a regular expression.
            NotFound: there is no store.
        """
        from eventlog.sdk.queries import find_tasks

        store = open_store()
        rows = find_tasks(store, task_ids, project_name, task_name, tags, task_filter)
        return [cls._of_row(store, row) for row in rows]

    # What it is.

    @property
    def id(self) -> str:
        """Its id, 32 hexadecimal digits."""
        return self._id

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def task_type(self) -> str:
        """What it is for, one of `TaskTypes`."""
        return self._type

    @property
    def project(self) -> str:
        """The id of its project, which is its name."""
        return self._project

    @property
    def status(self) -> str:
        """How far it has got: created, in_progress, completed, failed or stopped."""
        return self._state().status

    @property
    def comment(self) -> str:
        """What a person says about it."""
        return self._state().comment

    @property
    def parent(self) -> str:
        """The id of the task that it was made from, or ""."""
        return self._state().parent

    @property
    def data(self) -> "TaskData":
        """What is known of the run, at this moment: times, outcome, and where its code came from."""
        from eventlog.sdk.task_data import task_data

        return task_data(self._store, self._state())

    def get_status(self) -> str:
        """As `status`."""
        return self.status

    def get_project_name(self) -> str:
        """The name of its project."""
        return self._project

    def get_tags(self) -> list[str]:
        """Its tags, sorted."""
        return list(self._state().tags)

    def add_tags(self, tags: Sequence[str] | str) -> None:
        """Add tags; of one text, its words."""
        self._append(TagsAdded, start.tag_list(tags))

    def set_tags(self, tags: Sequence[str]) -> None:
        """Have these tags and no others."""
        wanted = start.tag_list(tags)
        gone = [tag for tag in self._state().tags if tag not in wanted]
        if gone:
            self._append(TagsRemoved, gone)
        self._append(TagsAdded, wanted)

    # Parameters.

    def set_parameters(self, *args: Mapping[str, Any], **kwargs: Any) -> None:
        """Have these parameters and no others.

        Args:
            args, kwargs: values by name or "section/name"; without a section they are in "General".

        Raises:
            InputInvalid: a name is empty, or a value longer than 64 KiB.
        """
        self._append(ParametersSet, parameters.to_parameters(args, kwargs), True)

    def update_parameters(self, *args: Mapping[str, Any], **kwargs: Any) -> None:
        """Set these parameters and keep the others; the arguments are those of `set_parameters`."""
        self._append(ParametersSet, parameters.to_parameters(args, kwargs))

    def set_parameters_as_dict(self, dictionary: Mapping[str, Any]) -> None:
        """Set the parameters of a nested dictionary and keep the others: ``{"a": {"b": 1}}`` is "a/b"."""
        self.update_parameters(parameters.flatten_parameters(dictionary))

    def set_parameter(
        self, name: str, value: Any, description: str | None = None, value_type: Any = None
    ) -> None:
        """Set one parameter and keep the others.

        Args:
            name: "name" or "section/name".
            value: anything that has a text.
            description: for a person.
            value_type: the type to cast to, where it is not the value's own.
        """
        parameter = parameters.to_parameter(value, description=description, value_type=value_type)
        self._append(ParametersSet, {parameters.full_name(name): parameter})

    def get_parameters(self, *, cast: bool = False) -> dict[str, Any]:
        """All parameters by "section/name", as text or, with `cast`, as the values they were."""
        read = parameters.cast_parameter if cast else attrgetter("value")
        return {name: read(parameter) for name, parameter in self._state().parameters.items()}

    def get_parameters_as_dict(self, cast: bool = False) -> dict[str, Any]:
        """All parameters as a nested dictionary: "a/b" is in ``{"a": {"b": …}}``."""
        return parameters.nest_parameters(self.get_parameters(cast=cast))

    def get_parameter(self, name: str, default: Any = None, cast: bool = False) -> Any:
        """One parameter, as text or, with `cast`, as the value it was; `default` if there is none."""
        parameter = self._state().parameters.get(parameters.full_name(name))
        if parameter is None:
            return default
        return parameters.cast_parameter(parameter) if cast else parameter.value

    # Progress, and what was reported.

    def set_progress(self, progress: int) -> None:
        """Say how far it has got, in percent.

        Raises:
            InputInvalid: it is no number from 0 to 100.
        """
        self._append(ProgressSet, as_percent("the progress", progress))

    def get_progress(self) -> int | None:
        """How far it has got, in percent; None if that was never said."""
        return self._state().progress

    def get_logger(self) -> Logger:
        """What reports scalars and text to this task."""
        return self._logger

    def get_reported_single_values(self) -> dict[str, float]:
        """The single values, by name."""
        return dict(self._state().single_values)

    def get_reported_single_value(self, name: str) -> float | None:
        """One single value, or None if it was never reported."""
        return self._state().single_values.get(name)

    def get_reported_scalars(
        self, max_samples: int = 0, x_axis: str = "iter"
    ) -> dict[str, dict[str, dict[str, list[Any]]]]:
        """The curves: ``{title: {series: {"x": [...], "y": [...]}}}``.

        Args:
            max_samples: at most so many points of each, chosen so that they draw alike; 0 for 5,000.
            x_axis: "iter", "timestamp" (milliseconds since 1970-01-01 UTC) or "iso_time".
        """
        from eventlog.sdk.scalars import reported_scalars

        return reported_scalars(current_views(self._store, reports=True), self._id, max_samples, x_axis)

    def get_last_scalar_metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """The curves at a glance: ``{title: {series: {"last": …, "min": …, "max": …}}}``."""
        from eventlog.sdk.scalars import last_metrics

        return last_metrics(current_views(self._store, reports=True), self._id)

    def get_last_iteration(self) -> int:
        """The largest iteration that was reported, or 0."""
        from eventlog.sdk.scalars import last_iteration

        return last_iteration(current_views(self._store, reports=True), self._id)

    # Artifacts.

    def upload_artifact(
        self,
        name: str,
        artifact_object: Any,
        metadata: Mapping[str, Any] | None = None,
        delete_after_upload: bool = False,
        auto_pickle: bool | None = None,
        preview: Any = None,
        wait_on_upload: bool = False,
        extension_name: str | None = None,
        *,
        sort_keys: bool = True,
    ) -> bool:
        """Keep an object with the task; when this returns, its bytes are in the store.

        Args:
            name: its name; what had that name before is no longer shown.
            artifact_object: the path of a file, of a folder (kept as a zip archive) or with wildcards; a
                dictionary or a list (JSON); a NumPy array (npz); a pandas DataFrame (compressed CSV).
            metadata: more to be said of it, kept as text.
            delete_after_upload: delete the file or the folder afterwards.
            auto_pickle: pickle an object of any other type.
            preview: a few lines for a person; by default the beginning.
            wait_on_upload: for ClearML's sake; it is always waited for.
            extension_name: the format: ".parquet" for a frame, ".pkl" for anything.
            sort_keys: write a dictionary's keys in their order.

        Returns:
            True; what goes wrong is raised.

        Raises:
            InputInvalid: the path does not exist, or such an object cannot be kept.
            StoreFull, StoreReadOnly: there is no room, or no right, to keep it.
        """
        import_whole("eventlog.sdk.artifacts")
        from eventlog.sdk.artifacts import upload

        upload(
            self._store,
            self._id,
            name,
            artifact_object,
            metadata=metadata,
            preview=preview,
            auto_pickle=bool(auto_pickle),
            extension_name=extension_name,
            sort_keys=sort_keys,
            delete=delete_after_upload,
        )
        LastRuns(self._store).note_kept(self._project, self._name, self._type, self._id)
        return True

    @property
    def artifacts(self) -> "Artifacts":
        """Its artifacts, by name."""
        from eventlog.sdk.artifacts import Artifacts

        return Artifacts(self._store, self._id, self._state().artifacts)

    # What the methods above are made of.

    def _append(self, kind: type[Event], *fields: Any) -> None:
        self._store.session.append(kind, self._id, *fields)

    def _state(self) -> "TaskState":
        return read_state(self._store, self._id)

    @classmethod
    def _of_row(cls, store: Store, row: "TaskRow | TaskState") -> "Task":
        current = cls.current_task()
        if current is not None and current.id == row.id and current._store is store:
            return current
        return cls(store, row.id, row.project, row.name, row.type)


_current: Task | None = None
