"""Deleting a task, with the models that it made and the copies of its files elsewhere.

The log keeps what was, and the store its blobs: an event is for ever. What is deleted is no longer shown.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from eventlog.errors import EventlogError, InputInvalid, NotFound
from eventlog.events import ModelDeleted, TaskDeleted
from eventlog.sdk.stores import current_views
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = ["delete_task"]

log = logging.getLogger("eventlog")


def delete_task(
    store: Store,
    state: "TaskState",
    *,
    delete_all: bool,
    skip_used: bool,
    raise_on_error: bool,
    callback: Callable[[str, str], bool] | None,
    keep: Callable[[], None],
) -> bool:
    """Delete a task; the arguments are those of `Task.delete`.

    Args:
        keep: lets no later run use the task again.

    Returns:
        Whether it was deleted with all that was to go with it.

    Raises:
        InputInvalid: it runs, and `raise_on_error` is on.
        EventlogError: a copy could not be deleted, and `raise_on_error` is on.
    """
    if state.status == "in_progress":
        error = InputInvalid(f"task {state.id} runs: stop it before it is deleted")
        if raise_on_error:
            raise error
        log.warning("eventlog: %s", error)
        return False
    from eventlog.sdk.delivery import wait_for_deliveries

    models = _models(store, state, skip_used=skip_used)
    copies = [
        ("artifact", artifact.url or f"blob:{artifact.blob}", artifact.url)
        for artifact in state.artifacts.values()
    ]
    copies += [("model", url or f"blob:{blob}", url) for _, url, blob in models]
    wanted = [one for one in copies if (callback(one[0], one[1]) if callback is not None else delete_all)]
    named = {shown for _, shown, _ in wanted}
    done = True
    if any(url for _, _, url in wanted):
        wait_for_deliveries(store, state.id)
    for _, _, url in wanted:
        # Only what this task has put there itself, and never what it merely names.
        if url and url in state.deliveries:
            done = _delete_copy(url, raise_on_error=raise_on_error) and done
    for model, url, blob in models:
        if (url or f"blob:{blob}") in named:
            store.session.append(ModelDeleted, model)
    keep()
    store.session.append(TaskDeleted, state.id)
    store.flush()
    return done


def _models(store: Store, state: "TaskState", *, skip_used: bool) -> list[tuple[str, str, str]]:
    """The models that a task made, of which it may take away: id, URL and blob."""
    views = current_views(store)
    made = []
    for link in state.models:
        if link.direction == "output":
            try:
                model = views.model(link.model)
            except NotFound:
                continue
            made.append((model.id, model.url, model.blob))
    if not made or not skip_used:
        return made
    used: set[str] = set()
    for row in views.find():
        if row.id != state.id:
            used.update(link.model for link in views.task(row.id).models)
    return [one for one in made if one[0] not in used]


def _delete_copy(url: str, *, raise_on_error: bool) -> bool:
    from eventlog.sdk.transfers import delete_file

    try:
        delete_file(url)
    except NotFound:
        return True
    except EventlogError as error:
        if raise_on_error:
            raise
        log.warning("eventlog: %s could not be deleted: %s", url, error)
        return False
    return True
