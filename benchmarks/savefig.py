"""What it adds to `savefig` that a task hears it, of a figure that is converted, or drawn again."""

import gc
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.benchmark import Benchmark, Place, Row

__all__ = ["BENCHMARK"]

FIGURES = 20


def measure(place: Place) -> dict[str, float]:
    import matplotlib

    from benchmarks.waiting import wait_for_execution
    from eventlog import Task

    matplotlib.use("Agg")
    task = Task.init(project_name="benchmarks/automatic", task_name="savefig")
    wait_for_execution(task.id)
    from matplotlib.figure import Figure

    hooked = vars(Figure)["savefig"]
    path = place.folder / f"figure-{place.round}.png"
    times: dict[str, list[float]] = {}
    for number in range(place.size(FIGURES) + 1):
        for kind in ("line", "image"):
            for way, function in (("without", hooked.__wrapped__), ("with", hooked)):
                Figure.savefig = function  # type: ignore[method-assign]
                figure = _figure(kind, number)
                gc.collect()
                start = perf_counter()
                figure.savefig(path)
                times.setdefault(f"{kind}_{way}", []).append(perf_counter() - start)
    task.close()
    # The first of each fills caches, such as that of fonts.
    measured = {name: median(those[1:]) * 1e3 for name, those in times.items()}
    return measured | {
        f"{kind}_times": measured[f"{kind}_with"] / measured[f"{kind}_without"] for kind in ("line", "image")
    }


def _figure(kind: str, number: int) -> Any:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.set_title(f"{kind} {number}")
    if kind == "line":
        axes.plot(range(100), [number * value**0.5 for value in range(100)], label="a line")
        axes.legend()
    else:
        axes.imshow([[(row * column + number) % 7 for column in range(32)] for row in range(32)])
    return figure


BENCHMARK = Benchmark(
    title="savefig of a small figure to a PNG file",
    rows=(
        Row("line_without", "a line, not heard", "ms"),
        Row("line_with", "a line, heard by a task: a plot of Plotly", "ms"),
        Row("line_times", "times savefig alone", "×", budget=1.5),
        Row("image_without", "an image, not heard", "ms"),
        Row("image_with", "an image, heard by a task: drawn again", "ms"),
        Row("image_times", "times savefig alone", "×"),
    ),
    measure=measure,
    needs=("matplotlib",),
)
