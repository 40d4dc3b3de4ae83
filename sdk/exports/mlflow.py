"""Replaying tasks into an MLflow tracking server: a run for each, in the experiment of its project.

Runs are found again by a tag with the task's id, so that replaying twice makes no run, metric or artifact
twice, wherever the first time was cut off. After a reset a task gets a new run, and the old one is deleted,
since MLflow changes no parameter and takes no metric back.
"""

from collections.abc import Callable
from dataclasses import dataclass

from eventlog.errors import RemoteInvalid
from eventlog.projections import Views
from eventlog.sdk.exports.mlflow_run import replay_task, reset_of, task_digest
from eventlog.sdk.exports.mlflow_server import Run, Server
from eventlog.sdk.exports.selection import Selection
from eventlog.store import Store

__all__ = ["ReplayedAll", "replay"]

Progress = Callable[[int, int], None]


@dataclass
class ReplayedAll:
    """What was sent.

    Attributes:
        uri: of the server, without credentials.
        created, updated, unchanged: how many runs.
        points, files: how many of them were sent.
        problems: what could not be, a line each.
    """

    uri: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    points: int = 0
    files: int = 0
    problems: tuple[str, ...] = ()


def replay(
    store: Store, uri: str, selection: Selection | None = None, progress: Progress | None = None
) -> ReplayedAll:
    """Send tasks to a tracking server, or what is new of them since the last time.

    Args:
        uri: its URL.
        selection: which tasks; with `since`, those that changed from then on.
        progress: called as ``progress(done, total)``, in tasks.

    Raises:
        InputInvalid: the URL is not one of a tracking server.
        NotAvailable: MLflow's client is not installed.
        RemoteUnreachable, RemoteInvalid: nothing, or nothing that is MLflow, answers there.
    """
    selection = selection or Selection()
    server = Server(uri)
    done = ReplayedAll(server.uri)
    problems: list[str] = []
    with Views.open(store) as views:
        views.catch_up(reports=True)
        chosen = [
            state.id
            for state in views.every_task(whole=False)
            if not state.is_deleted and selection.takes(state) and state.changed >= (selection.since or 0)
        ]
        runs = server.runs()
        for number, task in enumerate(sorted(chosen), 1):
            try:
                with server.errors(f"task {task} was not replayed to its end"):
                    problems += _replay(server, store, views, task, runs.get(task, []), done)
            except RemoteInvalid as error:
                problems.append(str(error))
            if progress is not None:
                progress(number, len(chosen))
    done.problems = tuple(problems)
    return done


def _replay(
    server: Server, store: Store, views: Views, task: str, runs: list[Run], done: ReplayedAll
) -> tuple[str, ...]:
    state, series = views.task(task), views.series(task)
    run = next((run for run in runs if run.reset == reset_of(state)), None)
    if run is not None and (run.is_deleted or run.digest == task_digest(state, series)):
        # Who deletes a run there does not want to see it again.
        done.unchanged += 1
    else:
        sent = replay_task(server, store, views, state, series, run)
        done.points += sent.points
        done.files += sent.files
        if run is None:
            done.created += 1
        else:
            done.updated += 1
        if sent.problems:
            return sent.problems
    for old in runs:
        if old.reset != reset_of(state) and not old.is_deleted:
            server.delete_run(old.id)
    return ()
