"""The blobs of tasks: what a sync of these tasks takes along, where it does not take everything."""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from eventlog.errors import NotFound
from eventlog.sync.references import NamedBlobs, add_blobs_of

if TYPE_CHECKING:
    from eventlog.projections import Views

__all__ = ["blobs_of_tasks"]


def blobs_of_tasks(views: "Views", tasks: Iterable[str]) -> set[str]:
    """What was ever uploaded to tasks, and models that they link or made, and what is reported to them now.

    Args:
        views: with the reports.
        tasks: their whole ids; one that is not here has none.

    Returns:
        SHA-256 in hexadecimal.
    """
    from eventlog.projections import ModelQuery

    ids = set(tasks)
    for task in list(ids):
        with contextlib.suppress(NotFound):
            ids |= {link.model for link in views.task(task).models}
    if ids:
        ids |= {model.id for model in views.models(ModelQuery(made_by=sorted(ids), include_archived=True))}
    named = NamedBlobs(set(), set())
    for one in ids:
        with contextlib.suppress(NotFound):
            for numbered in views.events(one, reports=False):
                add_blobs_of(numbered.event, named)
            # Not from the history: it would have every scalar decoded.
            named.required.update(plot.blob for plot in views.plots(one))
            named.required.update(media.blob for media in views.media(one))
            named.required.update(text.blob for text in views.text(one))
    return named.required | named.possible
