"""The data of a run: what a task is, as one snapshot, with ClearML's names."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eventlog.events import ExecutionRecorded
from eventlog.sdk.sound_blobs import read_blob

if TYPE_CHECKING:
    from eventlog.projections import TaskState
    from eventlog.store import Store

__all__ = ["Script", "TaskData", "task_data"]


@dataclass(frozen=True)
class Script:
    """Where the code came from and what it ran with.

    Attributes:
        repository: URL of the git remote, without its secrets, or "".
        branch: that was checked out.
        version_num: the commit.
        diff: what was changed and not committed, as a unified diff, secrets masked.
        entry_point: the script, or ``-m module``.
        working_dir: the current folder, from the repository's top or else absolute.
        command: the command line, secrets masked.
        python: the version.
        platform: system, release and machine.
        packages: the distributions that were installed, name to version.
        text: the script's own text, where no repository holds it.
    """

    repository: str = ""
    branch: str = ""
    version_num: str = ""
    diff: str = field(default="", repr=False)
    entry_point: str = ""
    working_dir: str = ""
    command: tuple[str, ...] = ()
    python: str = ""
    platform: str = ""
    packages: dict[str, str] = field(default_factory=dict, repr=False)
    text: str = field(default="", repr=False)


@dataclass(frozen=True)
class TaskData:
    """What a task is at one moment. Times are in UTC.

    Attributes:
        id, name, project, type, status, comment, tags, progress: as of the task.
        parent: id of the task it was made from, or "".
        status_reason: why it has that status, where something was said.
        traceback: of the exception that it failed with, or "".
        created: when it was created.
        started: when it first started since its last reset.
        completed: when it ended, however it did.
        last_update: when it last changed.
        host, user: where it last ran, and whose.
        script: where the code came from; None until that was recorded, soon after the start.
    """

    id: str
    name: str
    project: str
    type: str
    status: str
    status_reason: str
    traceback: str
    comment: str
    parent: str
    tags: list[str]
    progress: int | None
    created: datetime
    started: datetime | None
    completed: datetime | None
    last_update: datetime
    host: str
    user: str
    script: Script | None


def task_data(store: "Store", state: "TaskState") -> TaskData:
    """The data of a task in this state.

    Raises:
        BlobMissing, DataCorrupt: its uncommitted changes are a blob that is not in this store, or damaged.
    """
    return TaskData(
        id=state.id,
        name=state.name,
        project=state.project,
        type=state.type,
        status=state.status,
        status_reason=state.status_reason,
        traceback=state.traceback,
        comment=state.comment,
        parent=state.parent,
        tags=list(state.tags),
        progress=state.progress,
        created=_moment(state.created),
        started=None if state.started is None else _moment(state.started),
        completed=None if state.ended is None else _moment(state.ended),
        last_update=_moment(state.changed),
        host=state.host,
        user=state.user,
        script=None if state.execution is None else _script(store, state.execution),
    )


def _script(store: "Store", execution: ExecutionRecorded) -> Script:
    diff = execution.diff
    if execution.diff_blob:
        what = f"the uncommitted changes of task {execution.task}"
        diff = read_blob(store.blobs, execution.diff_blob, what).decode(errors="replace")
    return Script(
        repository=execution.repository,
        branch=execution.branch,
        version_num=execution.commit,
        diff=diff,
        entry_point=execution.entry_point,
        working_dir=execution.working_folder,
        command=tuple(execution.command),
        python=execution.python,
        platform=execution.platform,
        packages=dict(execution.packages),
        text=execution.script,
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
