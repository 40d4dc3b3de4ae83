"""Figures of matplotlib are drawn by Plotly: as the same lines and bars, or as a picture of all of it."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib
import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from eventlog import Logger, Task
from eventlog.errors import InputInvalid
from eventlog.sdk.stores import current_views

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")
    Logger.matplotlib_force_report_non_interactive(False)


def reported(task: Task, figure: Any, **arguments: Any) -> dict[str, Any]:
    task.get_logger().report_matplotlib_figure("title", "series", figure, iteration=3, **arguments)
    (plot,) = task.get_reported_plots()
    assert (plot["metric"], plot["variant"], plot["iter"]) == ("title", "series", 3)
    read: dict[str, Any] = json.loads(plot["plot_str"])
    go.Figure(read)
    return read


def size(read: dict[str, Any]) -> tuple[int, int]:
    """The size of the picture in a figure, in pixels."""
    assert read["data"] == []
    (image,) = read["layout"]["images"]
    start, _, data = image["source"].partition(",")
    assert start == "data:image/png;base64"
    opened = Image.open(io.BytesIO(base64.b64decode(data)))
    assert opened.size == (image["sizex"], image["sizey"])
    return opened.size


def test_lines_are_lines(task: Task) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3], [4, 5, 6], "r--o", label="one")
    axes.plot(np.arange(2), np.array([1.5, np.nan]), alpha=0.5)
    axes.set(xlabel="X", ylabel="Y", title="own", xlim=(0, 4))
    axes.legend()
    axes.grid(visible=True)
    read = reported(task, figure)
    one, two = read["data"]
    assert (one["type"], one["mode"], one["name"]) == ("scatter", "lines+markers", "one")
    assert (one["x"], one["y"]) == ([1, 2, 3], [4, 5, 6])
    assert (one["line"]["color"], one["line"]["dash"]) == ("rgba(255, 0, 0, 1)", "dash")
    assert (two["y"], two["showlegend"]) == ([1.5, None], False)
    layout = read["layout"]
    assert (layout["title"], layout["showlegend"]) == ({"text": "own"}, True)
    assert layout["xaxis"]["title"] == {"text": "X"}
    assert (layout["xaxis"]["range"], layout["xaxis"]["showgrid"]) == ([0, 4], True)


def test_points_are_points(task: Task) -> None:
    figure, axes = plt.subplots()
    axes.scatter([1, 2], [3, 4], c=["red", "#0000ff"], s=[9, 36], label="dots")
    (trace,) = reported(task, figure)["data"]
    assert (trace["mode"], trace["x"], trace["y"]) == ("markers", [1, 2], [3, 4])
    assert trace["marker"]["color"] == ["rgba(255, 0, 0, 1)", "rgba(0, 0, 255, 1)"]
    assert trace["marker"]["size"] == [4, 8]


def test_bars_are_bars_with_their_labels(task: Task) -> None:
    figure, axes = plt.subplots()
    axes.bar(["cats", "dogs"], [3, 4], bottom=[1, 0])
    read = reported(task, figure)
    (trace,) = read["data"]
    assert (trace["type"], trace["x"], trace["y"], trace["base"]) == ("bar", [0, 1], [3, 4], [1, 0])
    assert (read["layout"]["xaxis"]["tickvals"], read["layout"]["xaxis"]["ticktext"]) == (
        [0, 1],
        ["cats", "dogs"],
    )


def test_bars_that_lie_and_histograms_are_bars(task: Task) -> None:
    figure, axes = plt.subplots()
    axes.barh([1, 2], [3, 4])
    (trace,) = reported(task, figure)["data"]
    assert (trace["orientation"], trace["x"], trace["y"]) == ("h", [3, 4], [1, 2])
    figure, axes = plt.subplots()
    axes.hist([1, 2, 2, 3], bins=2)
    (trace,) = reported(task, figure)["data"]
    assert (trace["x"], trace["y"], trace["width"]) == ([1.5, 2.5], [1, 3], [1, 1])


def test_a_logarithmic_axis_stays_one(task: Task) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 10], [1, 100])
    axes.set(yscale="log", ylim=(1, 1000))
    axis = reported(task, figure)["layout"]["yaxis"]
    assert (axis["type"], axis["range"]) == ("log", [0, 3])


def draw_image(figure: Figure) -> None:
    figure.subplots().imshow(np.eye(3))


def draw_two(figure: Figure) -> None:
    for axes in figure.subplots(1, 2):
        axes.plot([1, 2])


def draw_in_space(figure: Figure) -> None:
    figure.add_subplot(projection="3d").scatter([1], [2], [3])


def draw_polar(figure: Figure) -> None:
    figure.add_subplot(projection="polar").plot([1, 2])


def draw_area(figure: Figure) -> None:
    figure.subplots().fill_between([1, 2], [3, 4])


def draw_text(figure: Figure) -> None:
    axes = figure.subplots()
    axes.plot([1, 2])
    axes.text(1, 1, "note")


def draw_level(figure: Figure) -> None:
    axes = figure.subplots()
    axes.plot([1, 2])
    axes.axhline(1.5)


def draw_pie(figure: Figure) -> None:
    figure.subplots().pie([1, 2])


def draw_contour(figure: Figure) -> None:
    axes = figure.subplots()
    figure.colorbar(axes.contourf(np.eye(4)))


def draw_errors(figure: Figure) -> None:
    figure.subplots().bar([1, 2], [3, 4], yerr=[1, 1])


def draw_box(figure: Figure) -> None:
    figure.subplots().boxplot([1, 2, 3], patch_artist=True)


def draw_squares(figure: Figure) -> None:
    figure.subplots().scatter([1], [2], marker="s")


def draw_nothing(figure: Figure) -> None:
    figure.subplots()


def draw_title(figure: Figure) -> None:
    figure.subplots().plot([1, 2])
    figure.suptitle("all")


@pytest.mark.parametrize(
    "draw",
    [
        draw_image,
        draw_two,
        draw_in_space,
        draw_polar,
        draw_area,
        draw_text,
        draw_level,
        draw_pie,
        draw_contour,
        draw_errors,
        draw_box,
        draw_squares,
        draw_nothing,
        draw_title,
    ],
)
def test_what_is_no_line_point_or_bar_is_a_picture(task: Task, draw: Callable[[Figure], None]) -> None:
    figure = plt.figure()
    draw(figure)
    width, height = size(reported(task, figure))
    assert min(width, height) > 100


def test_a_picture_is_drawn_where_it_is_asked_for(task: Task) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    assert size(reported(task, figure, report_interactive=False))
    Logger.matplotlib_force_report_non_interactive(True)
    assert size(reported(task, figure))
    Logger.matplotlib_force_report_non_interactive(False)
    assert reported(task, figure)["data"]


def test_an_image_is_reported_as_one(task: Task) -> None:
    plt.plot([1, 2])
    task.get_logger().report_matplotlib_figure("t", "s", plt, iteration=4, report_image=True)
    (one,) = current_views(task._store, reports=True).media(task.id)
    assert (one.kind, one.iteration) == ("image", 4)
    with Image.open(task._store.blobs.path(one.blob)) as opened:
        assert opened.format == "PNG"
    assert task.get_reported_plots() == []


def test_the_current_figure_and_that_of_axes_are_taken(task: Task) -> None:
    plt.plot([1, 2], [3, 4])
    assert reported(task, plt)["data"][0]["y"] == [3, 4]
    assert reported(task, plt.gca())["data"][0]["y"] == [3, 4]


def test_what_is_no_figure_or_cannot_be_drawn_is_refused(task: Task) -> None:
    figure = plt.figure()
    figure.subplots().set_title("$\\broken{$")
    for wrong in (7, None, "figure", np.zeros(3), Figure, figure):
        with pytest.raises(InputInvalid) as caught:
            task.get_logger().report_matplotlib_figure("t", "s", wrong, report_interactive=False)
        assert "\n" not in str(caught.value)
    assert task.get_reported_plots() == []
