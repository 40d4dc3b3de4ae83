"""The curves of a task at a glance, in the form that scripts for ClearML's server look them up.

ClearML names titles and series by the MD5 of their UTF-8 there, as in the field
``last_metrics.<title>.<series>.max_value`` that tasks are ordered by; here their own names will do as well.
"""

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventlog.projections import Views

__all__ = ["LastMetric", "LastMetrics", "last_metrics_of"]


class LastMetric(dict[str, Any]):
    """One curve: "metric" (title), "variant" (series), "value", "min_value", "max_value" and "iteration".

    Each is an attribute, too; "last", "min" and "max" are other names of the values.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class LastMetrics(dict[str, Any]):
    """What is kept by the MD5 of names, and found by the names themselves, too."""

    def __missing__(self, name: str) -> Any:
        key = _key(name)
        if key not in self:
            raise KeyError(name)
        return self[key]


def last_metrics_of(views: "Views", task_id: str) -> LastMetrics:
    """The curves of a task: ``{title: {series: LastMetric}}``."""
    metrics = LastMetrics()
    for one in views.series(task_id):
        of_title = metrics.setdefault(_key(one.title), LastMetrics())
        of_title[_key(one.series)] = LastMetric(
            metric=one.title,
            variant=one.series,
            value=one.last,
            min_value=one.minimum,
            max_value=one.maximum,
            iteration=one.last_iteration,
            last=one.last,
            min=one.minimum,
            max=one.maximum,
        )
    return metrics


def _key(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
