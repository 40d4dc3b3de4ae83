"""A task, or a model, as of a moment."""

import time
from typing import TYPE_CHECKING

import click

from eventlog.cli.moments import local
from eventlog.errors import NotFound

if TYPE_CHECKING:
    from eventlog.projections import ModelState, TaskState, Views

__all__ = ["check_moment", "model_of", "state_of"]


def state_of(views: "Views", task: str, at: int | None) -> "TaskState":
    """The state of a task, or what it was at the moment `at`, in milliseconds since 1970-01-01 UTC.

    Raises:
        NotFound: it did not exist then.
    """
    if at is None:
        return views.task(task)
    check_moment(views, task, at)
    return views.task_at(task, at)


def model_of(views: "Views", model: str, at: int | None) -> "ModelState | None":
    """The state of a model, or what it was at the moment `at`; None if the id is not a model's.

    Raises:
        NotFound: it did not exist then.
    """
    from eventlog.projections.model import MODEL, fold_model

    try:
        state = views.model(model)
    except NotFound:
        return None
    if at is None:
        return state
    then = fold_model(MODEL.initial(), views.events(model, last_time=at, reports=False))
    if not then.id:
        since = local(state.created, precise=True)
        raise NotFound(f"model {model} did not exist at {local(at, precise=True)}: it was created at {since}")
    return then


def check_moment(views: "Views", task: str, at: int) -> None:
    """Make sure that there was something of a task at a moment; note on stderr that one is still to come.

    Raises:
        NotFound: the moment is before all of its events.
    """
    first = next(iter(views.events(task, last_time=at, reports=False)), None)
    if first is None:
        created = views.task(task).created
        since = f": it was created at {local(created, precise=True)}" if created else ""
        raise NotFound(f"task {task} did not exist at {local(at, precise=True)}{since}")
    if at > time.time() * 1000:
        click.echo(f"eventlog: {local(at)} is still to come: the task is shown as it is now", err=True)
