"""The data of a task: what it is, as one snapshot, with ClearML's names."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from eventlog.events import ArtifactUploaded, ExecutionRecorded, Parameter
from eventlog.sdk.sound_blobs import read_blob

if TYPE_CHECKING:
    from eventlog.projections import TaskState
    from eventlog.sdk.last_metrics import LastMetrics
    from eventlog.store import Store

__all__ = [
    "Configuration",
    "Execution",
    "Hyperparameter",
    "LinkedModel",
    "LinkedModels",
    "Output",
    "Script",
    "TaskData",
    "task_data",
]


@dataclass(frozen=True)
class Script:
    """Where the code came from and what it ran with.

    Attributes:
        repository: URL of the git remote, without its secrets, or "".
        branch: that was checked out.
        version_num: the commit.
        entry_point: the script, or ``-m module``.
        working_dir: the current folder, from the repository's top or else absolute.
        command: the command line, secrets masked.
        python: the version.
        platform: system, release and machine.
        packages: the distributions that were installed, name to version.
        imported: those of them whose modules were imported.
        text: the script's own text, where no repository holds it.
        binary: the interpreter that was asked for, or "".
        requirements: what it needs, as ``{"pip": lines of a requirements file}``.
    """

    repository: str = ""
    branch: str = ""
    version_num: str = ""
    entry_point: str = ""
    working_dir: str = ""
    command: tuple[str, ...] = ()
    python: str = ""
    platform: str = ""
    packages: dict[str, str] = field(default_factory=dict, repr=False)
    imported: dict[str, str] = field(default_factory=dict, repr=False)
    text: str = field(default="", repr=False)
    binary: str = ""
    requirements: dict[str, str] = field(default_factory=dict, repr=False)
    _read_diff: Callable[[], str] = field(default=str, repr=False, compare=False)

    @cached_property
    def diff(self) -> str:
        """What was changed and not committed, as a unified diff, secrets masked.

        Raises:
            BlobMissing, DataCorrupt: it is a blob that is not in this store, or damaged.
        """
        return self._read_diff()


@dataclass(frozen=True)
class Hyperparameter:
    """A parameter: its value as text, and the name of its type."""

    section: str
    name: str
    value: str
    type: str = ""
    description: str = ""


@dataclass(frozen=True)
class Configuration:
    """A configuration, as it was written."""

    name: str
    type: str = ""
    description: str = ""
    _read: Callable[[], str] = field(default=str, repr=False, compare=False)

    @cached_property
    def value(self) -> str:
        """Its text."""
        return self._read()


@dataclass(frozen=True)
class LinkedModel:
    """A model that a task reads or has made: its id, and the task's name for it."""

    model: str
    name: str


class LinkedModels(dict[str, list[LinkedModel]]):
    """A task's models by direction, as ``models["input"]`` or ``models.input``."""

    @property
    def input(self) -> list[LinkedModel]:
        """Those that the task reads."""
        return self["input"]

    @property
    def output(self) -> list[LinkedModel]:
        """Those that it has made."""
        return self["output"]


@dataclass(frozen=True)
class Execution:
    """What a task runs with and has kept.

    Attributes:
        artifacts: those that were uploaded, the events themselves.
        model_labels: the number of each label.
        docker_cmd: the container's image and arguments, or "".
        queue: None: no task here comes from one.
    """

    artifacts: list[ArtifactUploaded] = field(default_factory=list)
    model_labels: dict[str, int] = field(default_factory=dict)
    docker_cmd: str = ""
    queue: None = None


@dataclass(frozen=True)
class Output:
    """Where a task's files are copied to, besides the store, or ""."""

    destination: str = ""


@dataclass(frozen=True)
class TaskData:
    """What a task is at one moment. Times are in UTC.

    Attributes:
        id, name, project, type, status, comment, tags, system_tags, progress: as of the task.
        parent: id of the task it was made from, or "".
        status_reason, status_message: why it has that status, where something was said.
        status_changed: when it got it.
        traceback: of the exception that it failed with, or "".
        created: when it was created.
        started: when it first started since its last reset.
        completed: when it ended, however it did.
        published: when it was published.
        last_update: when it last changed.
        active_duration: seconds from its start to its end, or until now; None if it never ran.
        host, user: where it last ran, and whose.
        last_worker: the same as `host`.
        script: where the code came from; all of it "" until that was recorded, soon after the start.
        hyperparams: parameters by section and name; "properties" is the section of those that a person
            gave it.
        configuration: configurations by name.
        container: "image", "arguments" and "setup_shell_script"; {} for none.
        execution, output: see there.
        models: those that it reads ("input") and has made ("output").
        runtime: for ClearML's sake, {}.
    """

    id: str
    name: str
    project: str
    type: str
    status: str
    status_reason: str
    status_message: str
    status_changed: datetime
    traceback: str
    comment: str
    parent: str
    tags: list[str]
    system_tags: list[str]
    progress: int | None
    created: datetime
    started: datetime | None
    completed: datetime | None
    published: datetime | None
    last_update: datetime
    active_duration: int | None
    host: str
    user: str
    last_worker: str
    script: Script
    hyperparams: dict[str, dict[str, Hyperparameter]]
    configuration: dict[str, Configuration]
    container: dict[str, str]
    execution: Execution
    output: Output
    models: LinkedModels
    runtime: dict[str, Any] = field(default_factory=dict)
    _store: Any = field(default=None, repr=False, compare=False)
    _state: Any = field(default=None, repr=False, compare=False)

    @property
    def project_name(self) -> str:
        """The same as `project`."""
        return self.project

    @property
    def last_change(self) -> datetime:
        """The same as `last_update`."""
        return self.last_update

    @cached_property
    def last_iteration(self) -> int:
        """The largest iteration that was reported, or 0; as of when it is asked for."""
        from eventlog.sdk.scalars import last_iteration
        from eventlog.sdk.stores import current_views

        return last_iteration(current_views(self._store, reports=True, about=self.id), self.id)

    @cached_property
    def last_metrics(self) -> "LastMetrics":
        """The curves at a glance, by title and series or by the MD5 of those; as of when it is asked for."""
        from eventlog.sdk.last_metrics import last_metrics_of
        from eventlog.sdk.stores import current_views

        return last_metrics_of(current_views(self._store, reports=True, about=self.id), self.id)

    def to_dict(self) -> dict[str, Any]:
        """What the task was given, as `Task.export_task`, with its status and times."""
        from eventlog.sdk.exporting import export_task

        names = ("status", "status_reason", "status_message", "user", "last_worker", "active_duration")
        times = ("created", "started", "completed", "published", "last_update", "status_changed")
        moments = {name: getattr(self, name) for name in times}
        return {
            **export_task(self._store, self._state),
            **{name: getattr(self, name) for name in names},
            **{name: None if moment is None else moment.isoformat() for name, moment in moments.items()},
        }


def task_data(store: "Store", state: "TaskState") -> TaskData:
    """The data of a task in this state. Long texts are read when they are asked for."""
    container = state.container
    return TaskData(
        id=state.id,
        name=state.name,
        project=state.project,
        type=state.type,
        status=state.status,
        status_reason=state.status_reason,
        status_message=state.status_message,
        status_changed=_moment(_status_changed(state)),
        traceback=state.traceback,
        comment=state.comment,
        parent=state.parent,
        tags=list(state.tags),
        system_tags=list(state.system_tags),
        progress=state.progress,
        created=_moment(state.created),
        started=_moment_or_none(state.started),
        completed=_moment_or_none(state.ended),
        published=_moment_or_none(state.published),
        last_update=_moment(state.changed),
        active_duration=_duration(state),
        host=state.host,
        user=state.user,
        last_worker=state.host,
        script=Script() if state.execution is None else _script(store, state.execution),
        hyperparams=_hyperparameters(state),
        configuration={
            name: Configuration(
                name,
                one.type,
                one.description,
                _reader(store, one.text, one.blob, f"the configuration '{name}' of task {state.id}"),
            )
            for name, one in state.configurations.items()
        },
        container={}
        if container is None
        else {
            "image": container.image,
            "arguments": container.arguments,
            "setup_shell_script": container.setup_script,
        },
        execution=Execution(
            list(state.artifacts.values()),
            dict(state.labels),
            "" if container is None else f"{container.image} {container.arguments}".strip(),
        ),
        output=Output(state.destination),
        models=LinkedModels(
            {
                direction: [
                    LinkedModel(link.model, link.name) for link in state.models if link.direction == direction
                ]
                for direction in ("input", "output")
            }
        ),
        _store=store,
        _state=state,
    )


def _script(store: "Store", execution: ExecutionRecorded) -> Script:
    from eventlog.sdk.script_edits import requirements_of

    what = f"the uncommitted changes of task {execution.task}"
    return Script(
        repository=execution.repository,
        branch=execution.branch,
        version_num=execution.commit,
        entry_point=execution.entry_point,
        working_dir=execution.working_folder,
        command=tuple(execution.command),
        python=execution.python,
        platform=execution.platform,
        packages=dict(execution.packages),
        imported=dict(execution.imported),
        text=execution.script,
        binary=execution.binary,
        requirements=requirements_of(execution),
        _read_diff=_reader(store, execution.diff, execution.diff_blob, what),
    )


def _hyperparameters(state: "TaskState") -> dict[str, dict[str, Hyperparameter]]:
    sections: dict[str, dict[str, Hyperparameter]] = {}
    named: list[tuple[str, str, Parameter]] = []
    for full, parameter in state.parameters.items():
        section, _, name = full.partition("/")
        named.append((section, name, parameter))
    named += [("properties", name, parameter) for name, parameter in state.properties.items()]
    for section, name, parameter in named:
        sections.setdefault(section, {})[name] = Hyperparameter(
            section, name, parameter.value, parameter.type, parameter.description
        )
    return sections


def _reader(store: "Store", text: str, blob: str, what: str) -> Callable[[], str]:
    def read() -> str:
        return read_blob(store.blobs, blob, what).decode(errors="replace") if blob else text

    return read


def _status_changed(state: "TaskState") -> int:
    times = (state.published, state.ended, state.started, state.reset_time)
    return next((time for time in times if time is not None), state.created)


def _duration(state: "TaskState") -> int | None:
    if state.started is None:
        return None
    from eventlog.clock import wall_clock

    end = wall_clock() if state.ended is None else state.ended
    return max(end - state.started, 0) // 1000


def _moment_or_none(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _moment(milliseconds)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
