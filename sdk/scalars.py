"""The scalars of a task, as ClearML's nested dictionaries."""

from typing import TYPE_CHECKING, Any

from eventlog.errors import InputInvalid
from eventlog.sdk.automatic.monitor_options import MONITOR

if TYPE_CHECKING:
    from eventlog.projections import Views

__all__ = ["last_iteration", "last_metrics", "reported_scalars"]

_MOST_SAMPLES = 5000


def reported_scalars(
    views: "Views", task_id: str, max_samples: int | None, x_axis: str
) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """``{title: {series: {"x": [...], "y": [...]}}}``; the arguments are `Task.get_reported_scalars`'s.

    With None for `max_samples` it is every point.

    Raises:
        InputInvalid: there is no such axis, or fewer than no samples are asked for.
    """
    from eventlog.projections import downsample

    if x_axis not in {"iter", "timestamp", "iso_time"}:
        raise InputInvalid(f"there is no axis '{x_axis}': choose from iter, timestamp, iso_time")
    if max_samples is not None and (type(max_samples) is not int or max_samples < 0):
        raise InputInvalid(f"max_samples must be a whole number, 0 or more, not {max_samples}")
    most = None if max_samples is None else max(min(max_samples or _MOST_SAMPLES, _MOST_SAMPLES), 4)
    scalars: dict[str, dict[str, dict[str, list[Any]]]] = {}
    for summary in views.series(task_id):
        table = views.scalars(task_id, summary.title, summary.series)
        if most is not None:
            table = downsample(table, most)
        x = table["iteration" if x_axis == "iter" else "time"].to_pylist()
        if x_axis == "iso_time":
            x = [_iso(time) for time in x]
        scalars.setdefault(summary.title, {})[summary.series] = {"x": x, "y": table["value"].to_pylist()}
    return scalars


def last_metrics(views: "Views", task_id: str) -> dict[str, dict[str, dict[str, float]]]:
    """``{title: {series: {"last": …, "min": …, "max": …}}}``."""
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for summary in views.series(task_id):
        metrics.setdefault(summary.title, {})[summary.series] = {
            "last": summary.last,
            "min": summary.minimum,
            "max": summary.maximum,
        }
    return metrics


def last_iteration(views: "Views", task_id: str) -> int:
    """The largest iteration that a scalar, a plot or a medium was reported for, or 0.

    What the machine was busy with does not count: it is reported for seconds.
    """
    series = [one for one in views.series(task_id) if not one.title.startswith(MONITOR)]
    iterations = [summary.last_iteration for summary in series]
    for reports in (views.plots(task_id), views.media(task_id)):
        iterations += [report.iteration for report in reports]
    return max(iterations, default=0)


def _iso(time: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time / 1000, UTC).isoformat()
