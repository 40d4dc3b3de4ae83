"""What a curve of growth is: sizes, what is measured at each, and the panels of its picture."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

__all__ = ["CURVES", "Curve", "Figures", "Line", "Panel", "find_curve", "milliseconds"]

CURVES = ("calls", "tasks", "remotes", "artifacts")
Figures = dict[str, float | list[list[float]]]
"""What was measured at one size, by name; a list is pairs of a place on the way there and a value."""

_ENOUGH_SECONDS = 15.0


@dataclass(frozen=True)
class Line:
    """A line in a panel.

    Attributes:
        name: of the figure.
        label: what a person reads.
        limit: it is what the machine can do, beside which the others are drawn.
    """

    name: str
    label: str
    limit: bool = False


@dataclass(frozen=True)
class Panel:
    """Axes with some lines, over the sizes; or over the places of one figure that is a list.

    Attributes:
        title: what is shown.
        unit: of the vertical axis.
        lines: in the order of the legend.
        across: the horizontal axis, where it is not the sizes.
        from_zero: the axes are linear, and the vertical one begins at 0: for what should be flat.
    """

    title: str
    unit: str
    lines: tuple[Line, ...]
    across: str = ""
    from_zero: bool = False


@dataclass(frozen=True)
class Curve:
    """One thing whose cost grows, or should not.

    Attributes:
        title: what grows.
        across: what the sizes count.
        sizes: in growing order; those up to `quick` are enough to try it out.
        quick: the largest size for trying out.
        measure: measures one size, in a folder of its own, where ``EVENTLOG_HOME`` is the folder "home".
        panels: the picture, from left to right.
        room: bytes of disk that a size takes at most.
    """

    title: str
    across: str
    sizes: tuple[int, ...]
    quick: int
    measure: Callable[[int, Path], Figures]
    panels: tuple[Panel, ...]
    room: Callable[[int], int] = lambda size: 0


def find_curve(name: str) -> Curve:
    """The curve that a module of this package holds."""
    curve = importlib.import_module(f"benchmarks.growth.{name}").CURVE
    assert isinstance(curve, Curve)
    return curve


def milliseconds(
    work: Callable[[], object], times: int = 5, clock: Callable[[], float] = perf_counter
) -> float:
    """The shortest of the times that something takes, done so often, or less often where it takes long.

    Whatever else a machine does makes times longer, and none shorter.

    Args:
        clock: `time.process_time` for the processor time of all threads.
    """
    taken: list[float] = []
    while len(taken) < times and sum(taken) < _ENOUGH_SECONDS * 1e3:
        start = clock()
        work()
        taken.append((clock() - start) * 1e3)
    return min(taken)
