"""TensorBoard's histograms, drawn as ClearML draws them: one surface for all steps of a tag."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventlog.sdk.logger import Logger

__all__ = ["Histograms"]

_BINS = 50
# Of more steps than that, every second one is drawn; then every fourth, and so on.
_MOST_STEPS = 50
# A surface is drawn again when there are so many more steps, or after so many seconds: not for each of them,
# since each drawing holds all steps.
_GROWTH = 0.25
_SECONDS = 30.0
_CAMERA = (-0.1, 1.3, 1.4)


class Histograms:
    """The surfaces of one task."""

    def __init__(self, logger: "Logger") -> None:
        self._logger = logger
        self._surfaces: dict[tuple[str, str], _Surface] = {}

    def __repr__(self) -> str:
        return f"<Histograms of {self._logger!r}: {len(self._surfaces)}>"

    def add(self, names: tuple[str, str], step: int, edges: Any, counts: Any) -> None:
        """Add a step of one.

        Args:
            names: title and series.
            step: the step.
            edges: where bins begin and end: one more than there are bins, growing.
            counts: how many values lie in each bin.
        """
        surface = self._surfaces.setdefault(names, _Surface())
        surface.add(step, edges, counts)
        if surface.is_due():
            self._draw(names, surface)

    def settle(self) -> None:
        """Draw those to which steps were added since they were drawn."""
        for names, surface in list(self._surfaces.items()):
            if surface.waits:
                self._draw(names, surface)

    def _draw(self, names: tuple[str, str], surface: "_Surface") -> None:
        from eventlog.sdk.plain_text import check_title
        from eventlog.sdk.plotly_figures import surface as figure_of

        title, series = check_title(*names)
        steps, places, rows = surface.drawn()
        labels = [str(step) for step in steps]
        if len(rows) == 1:
            # One row makes no surface; as in ClearML, it rises from the ground.
            rows, labels = [[0.0] * len(places), *rows], ["", *labels]
        figure = figure_of(
            title,
            series,
            rows,
            "",
            "iteration",
            None,
            [f"{place:.4g}" for place in places],
            labels,
            _CAMERA,
        )
        self._logger._report_figure(title, series, 0, figure)


class _Surface:
    """The steps of one histogram.

    Attributes:
        waits: how many steps were added since it was last drawn.
    """

    def __init__(self) -> None:
        self.waits = 0
        self._steps: list[tuple[int, Any, Any]] = []
        self._last: tuple[int, Any, Any] | None = None
        self._count = 0
        self._stride = 1
        self._drawn_at = 0.0

    def add(self, step: int, edges: Any, counts: Any) -> None:
        self._last = (step, edges, counts)
        if self._count % self._stride == 0:
            self._steps.append(self._last)
        self._count += 1
        self.waits += 1
        if len(self._steps) > _MOST_STEPS:
            self._steps = self._steps[::2]
            self._stride *= 2

    def is_due(self) -> bool:
        return self.waits >= self._count * _GROWTH or time.monotonic() - self._drawn_at > _SECONDS

    def drawn(self) -> tuple[Sequence[int], Any, Any]:
        """The steps, where the bins begin that are common to them, and how many values lie in each."""
        import numpy as np

        self.waits = 0
        self._drawn_at = time.monotonic()
        steps = list(self._steps)
        if self._last is not None and steps[-1] is not self._last:
            steps.append(self._last)
        low = min(float(edges[0]) for _, edges, _ in steps)
        high = max(float(edges[-1]) for _, edges, _ in steps)
        if not high > low:
            low, high = low - 0.5, high + 0.5
        bins = np.linspace(low, high, _BINS + 1)
        rows = []
        for _, edges, counts in steps:
            # Within a bin, values are taken to lie evenly.
            total = np.concatenate(([0.0], np.cumsum(counts)))
            rows.append(np.diff(np.interp(bins, _distinct(edges), total, left=0.0, right=total[-1])))
        return [step for step, _, _ in steps], bins[:-1], np.array(rows)


def _distinct(edges: Any) -> Any:
    """Edges that grow, if only by a little, where all values of a bin are the same."""
    import numpy as np

    if (np.diff(edges) > 0).all():
        return edges
    grown = [float(edges[0])]
    for edge in edges[1:].tolist():
        grown.append(edge if edge > grown[-1] else float(np.nextafter(grown[-1], np.inf)))
    return np.array(grown)
