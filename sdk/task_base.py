"""What all parts of `Task` stand on: its identity, its store, and how it appends and reads."""

from typing import TYPE_CHECKING, Any, Self

from eventlog.errors import InputInvalid
from eventlog.events import Event
from eventlog.sdk import task_types
from eventlog.sdk.last_runs import LastRuns
from eventlog.sdk.logger import Logger
from eventlog.sdk.run import Run
from eventlog.sdk.stores import read_state
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskRow, TaskState

__all__ = ["TaskBase", "set_current_task"]


class TaskBase:
    """A task of a store. The parts of `Task`, each in its module, are subclasses of this one."""

    def __init__(
        self, store: Store, task_id: str, project: str, name: str, task_type: str, run: Run | None = None
    ) -> None:
        self._store = store
        self._id = task_id
        self._project = project
        self._name = name
        self._type = task_type
        self._run = run
        self._logger = Logger(store, task_id, is_checked=run is None)

    def __repr__(self) -> str:
        return f"<Task {self._id[:8]} {self._project}/{self._name}>"

    @classmethod
    def current_task(cls) -> Self | None:
        """The task that `Task.init` began in this process, or None.

        A forked child shares that of its parent. A process that was started by one with an open task adds
        to that one from here on.
        """
        run = _current_run()
        return _current if run is not None and run.is_current else cls._join()

    @classmethod
    def _open_task(cls) -> Self | None:
        """The same, if it has begun in this process or in one that this is a fork of."""
        run = _current_run()
        return _current if run is not None and run.is_open else None

    @classmethod
    def _marked_task(cls, project: str | None, name: str | None, task_type: str) -> Self | None:
        """That of these names which the script has said itself has ended, and has not closed."""
        run = _current_run()
        is_meant = run is not None and run.is_marked and run.is_named(project, name, task_type)
        return _current if is_meant else None

    @classmethod
    def _join(cls) -> Self | None:
        """Add to the task of the process that started this one, if there is one."""
        return None

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
        return task_types.known_type(self._type)

    @property
    def project(self) -> str:
        """The id of its project, which is its name."""
        return self._project

    @property
    def task_id(self) -> str:
        """As `id`."""
        return self._id

    @property
    def logger(self) -> Logger:
        """What reports scalars, plots, media and text to this task."""
        return self._logger

    def get_logger(self) -> Logger:
        """As `logger`."""
        return self._logger

    def reload(self) -> None:
        """See what other processes have made of it since: its name, its project and its type."""
        state = self._state()
        self._project, self._name, self._type = state.project, state.name, state.type

    def _append(self, kind: type[Event], *fields: Any) -> None:
        """Append an event about this task, unless it is published."""
        if self._run is not None and self._run.is_open:
            self._store.session.append(kind, self._id, *fields)
            return
        self._check_editable(self._state())
        self._store.session.append(kind, self._id, *fields)
        # Whoever is told to run it next, in another process, must find it so.
        self._store.flush()

    def _append_always(self, kind: type[Event], *fields: Any) -> None:
        """Append an event about this task, even if it is published: after all that is known of it."""
        if self._run is None or not self._run.is_open:
            self._state()
        self._store.session.append(kind, self._id, *fields)
        self._store.flush()

    def _keep(self) -> None:
        """Let no later `Task.init` run this task again, and so hide what it holds."""
        start: Any = self if self._run is None else self._run.start
        LastRuns(self._store).note_kept(start.project, start.name, str(start.task_type), self._id)

    def _check_editable(self, state: "TaskState") -> None:
        if state.status == "published":
            raise InputInvalid(
                f"task {self._id} is published, and published tasks are not edited: work on a copy of it,"
                " from Task.clone"
            )

    def _state(self) -> "TaskState":
        return read_state(self._store, self._id)

    @classmethod
    def _of_row(cls, store: Store, row: "TaskRow | TaskState") -> Self:
        current = cls._open_task()
        if current is not None and current.id == row.id and current._store is store:
            return current
        return cls(store, row.id, row.project, row.name, row.type)


def set_current_task(task: TaskBase) -> None:
    """Make a task the one that `Task.current_task` returns for as long as it runs."""
    global _current
    _current = task


# Of whichever class `init` was called on.
def _current_run() -> "Run | None":
    return None if _current is None else _current._run


_current: Any = None
