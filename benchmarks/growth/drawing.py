"""Draws curves with matplotlib, as SVG that is small and readable on a light and on a dark page."""

import re
from pathlib import Path
from typing import Any

from benchmarks.growth.curve import Curve, Figures, Line, Panel

__all__ = ["draw"]

COLOURS = ("#1f6feb", "#bf4b8a", "#2da44e", "#9a6700")
GREY = "#6e7781"
PAPER = "#ffffff"
SETTINGS: Any = {
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "eventlog",
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
}
WIDTH, HEIGHT = 4.1, 3.0
# By so much each line of a legend raises the upper end of an axis.
LEGEND = 2.0


def draw(curve: Curve, figures: dict[int, Figures], path: Path) -> None:
    """Draw what was measured at each size as the picture at `path`."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    with mpl.rc_context(SETTINGS):
        columns = min(len(curve.panels), 2)
        rows = -(-len(curve.panels) // columns)
        figure, axes = pyplot.subplots(
            rows, columns, figsize=(WIDTH * columns, HEIGHT * rows), squeeze=False, facecolor=PAPER
        )
        places = list(axes.flat)
        for place, panel in zip(places, curve.panels, strict=False):
            _draw_panel(place, panel, curve, figures)
        for place in places[len(curve.panels) :]:
            place.axis("off")
        figure.suptitle(curve.title, fontsize=11)
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    # A tenth of a point is finer than any screen.
    path.write_text(re.sub(r"(\d+\.\d)\d+", r"\1", path.read_text()))


def _draw_panel(place: Any, panel: Panel, curve: Curve, figures: dict[int, Figures]) -> None:
    from matplotlib.ticker import EngFormatter

    colours, dashes = iter(COLOURS), iter(("--", ":"))
    for line in panel.lines:
        points = _points(line, figures)
        style = {"color": GREY, "linestyle": next(dashes)} if line.limit else {"color": next(colours)}
        place.plot(
            *zip(*points, strict=True), marker="o", markersize=3, linewidth=1.4, label=line.label, **style
        )
    place.set_title(f"{panel.title}, {panel.unit}")
    place.set_xlabel(panel.across or curve.across, color=GREY)
    place.grid(True, which="major", color="#d0d7de", linewidth=0.5)
    if panel.from_zero:
        place.xaxis.set_major_formatter(EngFormatter(sep=""))
        place.set_ylim(0, 1.3 * max(value for line in panel.lines for _, value in _points(line, figures)))
    else:
        place.set_xscale("log")
        place.set_yscale("log")
        place.minorticks_off()
        values = [value for line in panel.lines for _, value in _points(line, figures)]
        # At least a decade and some room, so that what is flat looks flat, and for the legend.
        place.set_ylim(min(values) / 2, max(*values, min(values) * 5) * LEGEND ** len(panel.lines))
    place.legend(loc="upper left")


def _points(line: Line, figures: dict[int, Figures]) -> list[tuple[float, float]]:
    """What a line goes through; of a figure that is a list, that of the largest size."""
    last = figures[max(figures)][line.name]
    if isinstance(last, list):
        return [(place, value) for place, value in last]
    return [(size, value) for size in sorted(figures) if isinstance(value := figures[size][line.name], float)]
