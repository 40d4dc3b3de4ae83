"""The views: pure folds over the log, and the runner that keeps them current.

`Views` answers every question about what a store holds: the state of a task, now or as of a moment; the
tasks that match a query; models; curves, plots, media, console text and history. All of it is folded from
the log, lives in an LMDB environment of its own (``views/`` in the store's folder), and may be deleted at
any time::

    views = Views.open(store)
    store.flush()
    views.catch_up()
    views.find(TaskQuery(project="digits", status=["completed"], tags=["-archived"]))
"""

from eventlog.projections.downsample import downsample
from eventlog.projections.model import ModelState
from eventlog.projections.models import ModelQuery
from eventlog.projections.plots import Media, Plot
from eventlog.projections.query import TaskQuery, TaskRow
from eventlog.projections.scalars import SeriesSummary
from eventlog.projections.session import SessionState
from eventlog.projections.task import STATUSES, DeliveryState, TaskState
from eventlog.projections.text import TextLine
from eventlog.projections.views import Views

__all__ = [
    "STATUSES",
    "DeliveryState",
    "Media",
    "ModelQuery",
    "ModelState",
    "Plot",
    "SeriesSummary",
    "SessionState",
    "TaskQuery",
    "TaskRow",
    "TaskState",
    "TextLine",
    "Views",
    "downsample",
]
