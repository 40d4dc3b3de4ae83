"""A line of a plot, with its name."""

from typing import Any

__all__ = ["SeriesInfo"]


class SeriesInfo:
    """A line of `Logger.report_line_plot`.

    Attributes:
        name: what the legend calls it.
        data: its points (x, y).
        labels: a text for each point, or None.
    """

    __slots__ = ("data", "labels", "name")

    def __init__(self, name: str, data: Any, labels: Any = None) -> None:
        self.name = name
        self.data = data
        self.labels = labels

    def __repr__(self) -> str:
        return f"<SeriesInfo {self.name!r}>"
