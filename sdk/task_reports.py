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

        return reported_scalars(current_views(self._store, reports=True), self._id, max_samples, x_axis)

    def get_last_scalar_metrics(self) -> dict[str, dict[str, dict[str, float]]]:
        """The curves at a glance: ``{title: {series: {"last": …, "min": …, "max": …}}}``."""
        from eventlog.sdk.scalars import last_metrics

        return last_metrics(current_views(self._store, reports=True), self._id)

    def get_last_iteration(self) -> int:
        """The largest iteration that was reported, or 0."""
        from eventlog.sdk.scalars import last_iteration

        return last_iteration(current_views(self._store, reports=True), self._id)
