"""What was reported to a task, read back."""

from typing import Any

from eventlog.sdk.stores import current_views
from eventlog.sdk.task_base import TaskBase

__all__ = ["TaskReports"]


class TaskReports(TaskBase):
    """The methods of `Task` that read back what was reported to it."""

    def get_reported_single_values(self) -> dict[str, float]:
        """The single values, by name."""
        return dict(self._state().single_values)

    def get_reported_single_value(self, name: str) -> float | None:
        """One single value, or None if it was never reported."""
        return self._state().single_values.get(name)

    def get_reported_scalars(
        self, max_samples: int = 0, x_axis: str = "iter"
    ) -> dict[str, dict[str, dict[str, list[Any]]]]:
        """The curves: ``{title: {series: {"x": [...], "y": [...]}}}``.

        Args:
            max_samples: at most so many points of each, chosen so that they draw alike; 0 for 5,000.
            x_axis: "iter", "timestamp" (milliseconds since 1970-01-01 UTC) or "iso_time".
        """
        from eventlog.sdk.scalars import reported_scalars

        return reported_scalars(
            current_views(self._store, reports=True, about=self._id), self._id, max_samples, x_axis
        )

    def get_all_reported_scalars(self, x_axis: str = "iter") -> dict[str, dict[str, dict[str, list[Any]]]]:
        """The curves with every point of them; `x_axis` as of `get_reported_scalars`."""
        from eventlog.sdk.scalars import reported_scalars

        return reported_scalars(
            current_views(self._store, reports=True, about=self._id), self._id, None, x_axis
        )

    def get_last_scalar_metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """The curves at a glance: ``{title: {series: {"last": …, "min": …, "max": …}}}``."""
        from eventlog.sdk.scalars import last_metrics

        return last_metrics(current_views(self._store, reports=True, about=self._id), self._id)

    def get_last_iteration(self) -> int:
        """The largest iteration that a scalar, a plot, an image or another medium was reported for, or 0."""
        from eventlog.sdk.scalars import last_iteration

        return last_iteration(current_views(self._store, reports=True, about=self._id), self._id)

    def get_reported_plots(self, max_iterations: int | None = None) -> list[dict[str, Any]]:
        """The plots, the last iteration first; the last report of each title, series and iteration.

        Args:
            max_iterations: of each title and series only those of so many last iterations; None for all.

        Returns:
            Of each its "metric" (title), "variant" (series), "iter", "timestamp" (milliseconds since
            1970-01-01 UTC), "task", "type" and "plot_str", a Plotly figure as JSON.

        Raises:
            InputInvalid: the number is no whole one above 0.
            BlobMissing, DataCorrupt: a large figure is not in this store, or damaged.
        """
        from eventlog.sdk.reported import reported_plots

        views = current_views(self._store, reports=True, about=self._id)
        return reported_plots(self._store, views, self._id, max_iterations)

    def get_debug_samples(
        self, title: str, series: str, n_last_iterations: int | None = None
    ) -> list[dict[str, Any]]:
        """The images and other media of a title and a series, the last iteration first.

        Args:
            title, series: what they are called.
            n_last_iterations: only those of so many last iterations; None for all.

        Returns:
            Of each its "url" (of a file in the store, to be read and never written; or where it is else),
            "iter", "metric" (title), "variant" (series), "timestamp", "task", "type" and "key", a file name.

        Raises:
            InputInvalid: the number is no whole one above 0.
        """
        from eventlog.sdk.reported import debug_samples

        views = current_views(self._store, reports=True, about=self._id)
        return debug_samples(self._store, views, self._id, title, series, n_last_iterations)

    def get_reported_console_output(self, number_of_reports: int = 1) -> list[str]:
        """The last reports to the console, the oldest of them first.

        Args:
            number_of_reports: how many; a report is what one call or one line wrote.

        Raises:
            InputInvalid: the number is no whole one above 0.
        """
        from eventlog.sdk.reported import console_output

        lines = current_views(self._store, reports=True, about=self._id).text(self._id)
        return console_output(self._store, lines, number_of_reports)
