"""What was reported to a task, in the form that ClearML's server gives it: events as dictionaries."""

from typing import TYPE_CHECKING, Any

from eventlog.errors import EventlogError, InputInvalid
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.events import TextReported
    from eventlog.projections import Media, Plot, TextLine, Views

__all__ = ["console_output", "debug_samples", "reported_plots", "whole_text"]


def reported_plots(
    store: Store, views: "Views", task_id: str, max_iterations: int | None
) -> list[dict[str, Any]]:
    """The plots of a task, the last iteration first.

    Args:
        max_iterations: of each title and series only those of so many last iterations; None for all.

    Raises:
        InputInvalid: the number is no whole one above 0.
        BlobMissing, DataCorrupt: a large figure is not in this store.
    """
    most = _checked_count("max_iterations", max_iterations)
    plots = _last_iterations(views.plots(task_id), most)
    return [
        {
            "timestamp": plot.time,
            "type": "plot",
            "task": task_id,
            "iter": plot.iteration,
            "metric": plot.title,
            "variant": plot.series,
            "plot_str": (text := _figure(store, plot)),
            "plot_len": len(text),
        }
        for plot in sorted(plots, key=lambda plot: (-plot.iteration, plot.title, plot.series))
    ]


def debug_samples(
    store: Store, views: "Views", task_id: str, title: str, series: str, n_last_iterations: int | None
) -> list[dict[str, Any]]:
    """The media of a title and a series, the last iteration first.

    Args:
        n_last_iterations: only those of so many last iterations; None for all.

    Raises:
        InputInvalid: the number is no whole one above 0.
    """
    most = _checked_count("n_last_iterations", n_last_iterations)
    samples = _last_iterations(views.media(task_id, title, series), most)
    return [
        {
            "timestamp": sample.time,
            "type": "training_debug_image",
            "task": task_id,
            "iter": sample.iteration,
            "metric": sample.title,
            "variant": sample.series,
            "key": sample.file_name,
            "url": _url(store, sample),
        }
        for sample in sorted(samples, key=lambda sample: -sample.iteration)
    ]


def console_output(store: Store, lines: "list[TextLine]", number_of_reports: int) -> list[str]:
    """The last reports to a console, the oldest first.

    Raises:
        InputInvalid: the number is no whole one above 0.
    """
    most = _checked_count("number_of_reports", number_of_reports) or 1
    return [whole_text(store, line) for line in lines[-most:]]


def _checked_count(name: str, count: Any) -> int | None:
    if count is not None and (type(count) is not int or count < 1):
        raise InputInvalid(f"{name} must be a whole number above 0, or None for all")
    return count


def _last_iterations(reports: list[Any], most: int | None) -> list[Any]:
    """Of each title and series, the reports of the last iterations."""
    if most is None:
        return reports
    iterations: dict[tuple[str, str], list[int]] = {}
    for report in reports:
        iterations.setdefault((report.title, report.series), []).append(report.iteration)
    kept = {names: set(sorted(known)[-most:]) for names, known in iterations.items()}
    return [report for report in reports if report.iteration in kept[report.title, report.series]]


def _figure(store: Store, plot: "Plot") -> str:
    if not plot.blob or plot.figure:
        return plot.figure
    from eventlog.sdk.sound_blobs import read_blob

    return read_blob(store.blobs, plot.blob, f"the plot '{plot.title}/{plot.series}'").decode()


def _url(store: Store, sample: "Media") -> str:
    """Where a sample is on this machine, or else where it was copied to."""
    if sample.blob and sample.blob in store.blobs:
        return store.blobs.path(sample.blob).as_uri()
    return sample.url


def whole_text(store: Store, line: "TextLine | TextReported") -> str:
    """A text of the console, all of it where it is in this store."""
    if not line.blob:
        return line.text
    from eventlog.sdk.sound_blobs import read_blob

    try:
        return read_blob(store.blobs, line.blob, "a text of the console").decode(errors="replace")
    except EventlogError:
        # Its beginning is in the log in any case.
        return line.text
