"""How a task begins in this process: as a new one, as one that is run again, or as one that goes on."""

from typing import TYPE_CHECKING

import msgspec

from eventlog.errors import InputInvalid, NotFound
from eventlog.events import TagsAdded, TaskCreated, TaskReset, TaskStarted, TaskStopped
from eventlog.sdk.automatic.monitor_options import MONITOR
from eventlog.sdk.last_runs import Choice, LastRun, LastRuns
from eventlog.sdk.main_task import read_soon, task_of_main_process
from eventlog.sdk.names import check_id, shown
from eventlog.sdk.offline import new_task_id
from eventlog.sdk.overrides import given_task_id
from eventlog.sdk.stores import current_views, read_state
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = ["Start", "start_task"]


class Start(msgspec.Struct, frozen=True):
    """How a task began in this process.

    Attributes:
        task_id, project, name, task_type: of the task.
        is_own: its end is this process's to tell; else it runs elsewhere, and this process only adds to it.
        is_given: it was taken by its id, whatever names the script gives.
        offset: what is added to the iterations that are reported.
        asked: what was asked for in a draft, of the fields of `ExecutionRecorded`.
        goes_on: it was there before, and nothing of it was reset.
        is_new: it was not there before.
        monitor_offset: what is added to the seconds for which the machine is reported.
    """

    task_id: str
    project: str
    name: str
    task_type: str
    is_own: bool = True
    is_given: bool = False
    offset: int = 0
    asked: dict[str, str] = msgspec.field(default_factory=dict)
    goes_on: bool = False
    monitor_offset: int = 0
    is_new: bool = False


def start_task(
    store: Store,
    project: str,
    name: str,
    task_type: str,
    tags: list[str],
    reuse: bool | str,
    last: bool | str | int = False,
    *,
    joins: bool = False,
) -> Start:
    """Append what begins a task.

    A task that this process was told to run, by ``EVENTLOG_TASK_ID``, comes before all others, and after it
    the one that runs in the process that started this one.

    Args:
        reuse: True to run the last task of that name again where ClearML would, False for a new one, or
            the id of the task to run again.
        last: True, or the id of a task, to go on with it where it ended; a number says what to add to the
            iterations.
        joins: only add to the task of the process that started this one.

    Raises:
        NotFound: there is no task of the id given, or none to be added to.
        InputInvalid: that task runs in another process, is published, or has other names.
    """
    main = task_of_main_process(store)
    if joins and not main:
        raise NotFound("the process that started this one has no open task any more")
    given = main if joins else given_task_id() or main
    if given:
        return _go_on(store, given, tags, last, is_given=True, may_own=given != main)
    if last is not False:
        going = last if isinstance(last, str) else reuse if isinstance(reuse, str) else ""
        going = going or _last_task(store, project, name, task_type)
        if going:
            return _go_on(store, going, tags, last, is_given=isinstance(last, str))
        reuse = False
    return _begin(store, project, name, task_type, tags, reuse)


def _begin(
    store: Store, project: str, name: str, task_type: str, tags: list[str], reuse: bool | str
) -> Start:
    """Begin a new task, or one that is run again."""
    with LastRuns(store).choose(project, name, task_type) as choice:
        again = ""
        if isinstance(reuse, str):
            again = _named_task(store, reuse, project, name)
        elif reuse and choice.run is not None and choice.take(choice.run.task, None):
            again = choice.run.task
            _see_end_of(store, choice.run)
        task = again or new_task_id(store)
        append = store.session.append
        if again:
            append(TaskReset, task)
        else:
            append(TaskCreated, task, name, project, task_type)
        _run(store, task, tags, choice)
    return Start(task, project, name, task_type, is_new=not again)


def _go_on(
    store: Store,
    task: str,
    tags: list[str],
    last: bool | str | int,
    *,
    is_given: bool,
    may_own: bool = True,
) -> Start:
    """Go on with a task where it stands: start it, unless it runs elsewhere or that is another's to do."""
    last_runs = LastRuns(store)
    # Two processes that are given one task take turns, so that only one of them starts it.
    with last_runs.choose("", task, ""):
        # That of rank 0 has arrived, and of other tasks of other hosts this one needs to know nothing.
        state = read_soon(store, task, here=not may_own)
        if state.status == "published":
            raise InputInvalid(
                f"task {task} is published and does not run any more: run a copy of it, from Task.clone"
            )
        offset = _offset(store, task, last)
        seconds = 0 if last is False else _next_iteration(store, task, of_machine=True)
        is_own = may_own and not _is_running(store, state)
        if is_own:
            with last_runs.choose(state.project, state.name, state.type) as choice:
                _run(store, task, tags, choice)
            store.flush()
        elif tags:
            store.session.append(TagsAdded, task, tags)
    if state.artifacts or state.models or state.system_tags:
        last_runs.note_kept(state.project, state.name, state.type, task)
    execution = state.execution
    asked = {} if execution is None else {"requirements": execution.requirements, "binary": execution.binary}
    return Start(task, state.project, state.name, state.type, is_own, is_given, offset, asked, True, seconds)


def _run(store: Store, task: str, tags: list[str], choice: Choice) -> None:
    append = store.session.append
    if tags:
        append(TagsAdded, task, tags)
    try:
        append(TaskStarted, task)
        choice.take(task, store.session.id)
    except BaseException as error:
        append(TaskStopped, task, f"{type(error).__name__} at its start")
        raise


def _is_running(store: Store, state: "TaskState") -> bool:
    """Whether a session has started the task that has not ended: of another process, host or call."""
    if state.status != "in_progress":
        return False
    record = store.record_of(state.sessions[-1]) if state.sessions else None
    return record is None or not record.ended


def _offset(store: Store, task: str, last: bool | str | int) -> int:
    """What is added to iterations: one more than the last that was reported, unless a number is given."""
    if last is False:
        return 0
    if last is not True and not isinstance(last, str):
        return last
    return _next_iteration(store, task, of_machine=False)


def _next_iteration(store: Store, task: str, *, of_machine: bool) -> int:
    """One more than the last that was reported, of the machine's own curves or of all others."""
    series = current_views(store, reports=True).series(task)
    counted = (one.last_iteration for one in series if one.title.startswith(MONITOR) == of_machine)
    return max(counted, default=-1) + 1


def _last_task(store: Store, project: str, name: str, task_type: str) -> str:
    """The task that these names last ran as, by the note of this machine or else by the log, or ""."""
    from eventlog.projections import TaskQuery

    noted = LastRuns(store).last_task(project, name, task_type)
    if noted:
        try:
            state = read_state(store, noted, here=True)
        except NotFound:
            pass
        else:
            if state.status == "published" or "archived" in state.system_tags:
                return ""
            # A run that was left to another process is its draft.
            if state.status != "created":
                return noted
    query = TaskQuery(
        project=project,
        name=name,
        types=[task_type],
        status=["-published", "-created"],
        system_tags=["-archived"],
        limit=1,
    )
    rows = current_views(store).find(query)
    return rows[0].id if rows else ""


def _named_task(store: Store, task: str, project: str, name: str) -> str:
    """The id of a task that is to be run again, or "" where it is to be kept and a new one is made."""
    state = read_state(store, check_id(task))
    if state.status == "in_progress":
        raise InputInvalid(
            f"task {task} is running in another process: wait until it has ended, or leave out"
            " reuse_last_task_id"
        )
    if (state.project, state.name) != (project, name):
        own, asked = shown(f"{state.project}/{state.name}"), shown(f"{project}/{name}")
        raise InputInvalid(f"task {task} is {own}, not {asked}: give its own names to run it again")
    is_kept = state.artifacts or state.models or state.status == "published"
    return "" if is_kept or "archived" in state.system_tags else task


def _see_end_of(store: Store, run: LastRun) -> None:
    """Order what comes next after the last event of a run by another session of this store."""
    record = store.record_of(bytes.fromhex(run.session))
    if record is not None:
        store.session.observe(record.last_time)
