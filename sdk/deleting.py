"""Artifacts that are taken out of a task, with the copies of them that were delivered."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventlog.errors import EventlogError, InputInvalid, NotFound
from eventlog.sdk.delivery import wait_for_deliveries
from eventlog.sdk.transfers import delete_file
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.projections import TaskState

__all__ = ["delete_artifacts"]

log = logging.getLogger("eventlog")


def delete_artifacts(
    store: Store, state: "TaskState", names: Sequence[str], *, from_storage: bool
) -> tuple[list[str], list[EventlogError]]:
    """Delete the copies of artifacts, and say which they are.

    Args:
        store: where the task is.
        state: the task.
        names: of the artifacts.
        from_storage: delete the copies that were delivered.

    Returns:
        The names, each once, and what went wrong with the copies.

    Raises:
        NotFound: the task has no such artifact.
        InputInvalid: a single text was given.
    """
    if isinstance(names, str):
        raise InputInvalid(f"the names of artifacts must be a list, not the text {names[:200]!r}")
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in state.artifacts:
            known = ", ".join(sorted(state.artifacts)) or "none"
            raise NotFound(f"task {state.id} has no artifact {name!r}; it has: {known}")
    problems: list[EventlogError] = []
    if from_storage and any(state.artifacts[name].url for name in wanted):
        wait_for_deliveries(store, state.id)
        for name in wanted:
            event = state.artifacts[name]
            # Only what this task has put there itself, and never what it merely names.
            if event.blob and event.url in state.deliveries:
                try:
                    delete_file(event.url)
                except NotFound:
                    continue
                except EventlogError as error:
                    problems.append(error)
    return wanted, problems
