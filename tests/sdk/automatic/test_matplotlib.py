"""Figures of matplotlib are reported when the script shows or saves them, under the titles of ClearML."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

from eventlog import Logger, Task
from eventlog.sdk.stores import current_views
from tests.sdk.scripts import Scripts

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.animation import FuncAnimation, HTMLWriter
from matplotlib.figure import Figure

# What matplotlib says of each `show` without a display.
pytestmark = pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")

INIT = "from eventlog import Task\ntask = Task.init(project_name='tests/auto', task_name='matplotlib')\n"


@pytest.fixture(autouse=True)
def figures() -> Iterator[None]:
    yield
    plt.close("all")
    Logger.matplotlib_force_report_non_interactive(False)


def plots(task: Task) -> dict[tuple[str, str, int], Any]:
    return {
        (plot["metric"], plot["variant"], plot["iter"]): json.loads(plot["plot_str"])
        for plot in task.get_reported_plots()
    }


def titles(task: Task) -> list[str]:
    return sorted(title for title, _, _ in plots(task))


def images(task: Task) -> list[tuple[str, str, int]]:
    media = current_views(task._store, reports=True).media(task.id)
    return sorted((one.title, one.series, one.iteration) for one in media if one.kind == "image")


def line(title: str = "") -> None:
    plt.figure()
    plt.plot([1, 2, 3], [4, 5, 6])
    plt.title(title)


def test_figures_that_are_shown_are_plots(task: Task) -> None:
    line("a title")
    plt.show()
    ((names, figure),) = plots(task).items()
    assert names == ("a title", "plot", 0)
    assert figure["data"][0]["y"] == [4, 5, 6]
    assert figure["layout"]["title"]["text"] == "a title"


def test_figures_without_a_title_are_counted(task: Task) -> None:
    for _ in range(2):
        line()
        plt.show()
        plt.close()
    assert titles(task) == ["untitled 00", "untitled 01"]


def test_a_title_above_all_axes_counts_then_that_of_the_last_axes(task: Task) -> None:
    _, axes = plt.subplots(2, 2)
    axes[0, 0].set_title("first")
    axes[1, 1].set_title("last")
    plt.show()
    plt.close()
    _, axes = plt.subplots(1, 2)
    axes[1].set_title("last")
    plt.suptitle("above")
    plt.show()
    assert titles(task) == ["above", "last"]
    # What Plotly could not draw alike is a picture.
    assert {series for _, series, _ in plots(task)} == {"plot image"}


def test_a_figure_that_looks_the_same_is_reported_once(task: Task, tmp_path: Path) -> None:
    line("one")
    plt.savefig(tmp_path / "one.png")
    plt.savefig(tmp_path / "one.svg")
    plt.show()
    plt.show()
    assert titles(task) == ["one"]
    plt.plot([3, 2, 1])
    plt.show()
    assert titles(task) == ["one", "one/1"]


def test_figures_of_one_title_are_told_apart_within_an_iteration(task: Task, tmp_path: Path) -> None:
    for step in (0, 5):
        task.get_logger().report_scalar("loss", "train", 1.0, step)
        plt.imshow(np.eye(4))
        plt.title("image")
        plt.show()
        plt.close()
        for _ in range(2):
            line("loss")
            plt.savefig(tmp_path / "loss.png")
            plt.close()
    assert sorted(plots(task)) == [(title, "plot", step) for title in ("loss", "loss/1") for step in (0, 5)]
    assert images(task) == [("image", "plot image", step) for step in (0, 5)]


def test_a_figure_is_of_the_last_iteration(task: Task, tmp_path: Path) -> None:
    task.get_logger().report_scalar("loss", "train", 1.0, 7)
    task.get_logger().report_scalar("loss", "test", 1.0, 3)
    line("loss")
    plt.savefig(tmp_path / "loss.png")
    assert list(plots(task)) == [("loss", "plot", 7)]


def test_a_continued_task_has_figures_after_the_last_iteration(tmp_path: Path) -> None:
    for last, step in ((False, 7), (True, 8)):
        task = Task.init("tests/auto", "continued", continue_last_task=last)
        line("loss")
        plt.savefig(tmp_path / "loss.png")
        task.get_logger().report_scalar("loss", "train", 1.0, 7)
        line("loss")
        plt.savefig(tmp_path / "loss.png")
        assert ("loss", "plot", step if last else 7) in plots(task)
        task.close()
    assert ("loss", "plot", 15) in plots(task)


def test_images_are_images_when_shown_and_plots_when_saved(task: Task, tmp_path: Path) -> None:
    plt.imshow(np.eye(4))
    plt.title("image")
    plt.savefig(tmp_path / "image.png")
    plt.show()
    plt.show()
    assert list(plots(task)) == [("image", "plot image", 0)]
    assert images(task) == [("image/1", "plot image", 0)]


def test_of_what_moves_only_images_are_reported_as_it_moves(task: Task, tmp_path: Path) -> None:
    for step in range(3):
        plt.clf()
        plt.plot([step, 1])
        plt.pause(0.001)
    plt.imshow(np.eye(4))
    plt.title("moves")
    plt.pause(0.001)
    film = FuncAnimation(plt.figure(), lambda step: [], frames=3, cache_frame_data=False)
    film.save(tmp_path / "film.html", writer=HTMLWriter(embed_frames=False))
    assert titles(task) == []
    assert images(task) == [("moves", "plot image", 0)]


def test_figures_without_pyplot_are_reported_when_saved(task: Task, tmp_path: Path) -> None:
    figure = Figure()
    figure.subplots().bar(["a", "b"], [1, 2])
    figure.savefig(str(tmp_path / "bars.pdf"))
    ((names, made),) = plots(task).items()
    assert names == ("untitled 00", "plot", 0)
    assert made["data"][0]["type"] == "bar"


def test_what_is_drawn_into_a_buffer_is_not_reported(task: Task, tmp_path: Path) -> None:
    line("buffer")
    plt.savefig(io.BytesIO())
    with (tmp_path / "file.png").open("wb") as file:
        plt.savefig(file)
    assert titles(task) == []


def test_what_the_script_reports_is_reported_once(task: Task) -> None:
    line("by hand")
    for is_image in (False, True):
        task.get_logger().report_matplotlib_figure("t", "s", plt.gcf(), 2, report_image=is_image)
    task.get_logger().report_matplotlib_figure("p", "s", plt.gcf(), 2, report_interactive=False)
    assert sorted(plots(task)) == [("p", "s", 2), ("t", "s", 2)]
    assert images(task) == [("t", "s", 2)]


def test_all_figures_are_pictures_where_asked(task: Task, tmp_path: Path) -> None:
    Logger.matplotlib_force_report_non_interactive(True)
    line("picture")
    plt.savefig(tmp_path / "picture.png")
    assert list(plots(task)) == [("picture", "plot image", 0)]


def test_a_figure_of_very_many_points_is_a_picture(task: Task, tmp_path: Path) -> None:
    figure = Figure()
    figure.subplots().plot(np.arange(1_000_000))
    figure.savefig(tmp_path / "points.png")
    (((_, series, _), made),) = plots(task).items()
    assert series == "plot image"
    assert len(json.dumps(made)) < 200_000


def test_figures_of_pandas_are_reported(task: Task, tmp_path: Path) -> None:
    import pandas as pd

    axes = pd.DataFrame({"a": [1, 2], "b": [2, 1]}).plot(title="frame")
    axes.get_figure().savefig(tmp_path / "frame.png")
    ((names, made),) = plots(task).items()
    assert names == ("frame", "plot", 0)
    assert [trace["name"] for trace in made["data"]] == ["a", "b"]


def test_a_notebooks_figures_are_reported_at_the_end_of_a_cell(task: Task) -> None:
    inline = pytest.importorskip("matplotlib_inline.backend_inline")
    pytest.importorskip("IPython")
    line("cell")
    inline.show(True)
    assert titles(task) == ["cell"]
    assert plt.get_fignums() == []


@pytest.mark.parametrize("choice", [False, {"matplotlib": False}])
def test_nothing_is_reported_where_it_is_not_wanted(choice: Any, tmp_path: Path) -> None:
    task = Task.init("tests/auto", "off", auto_connect_frameworks=choice)
    line("off")
    plt.savefig(tmp_path / "off.png")
    plt.show()
    assert titles(task) == []


def test_a_figure_that_cannot_be_drawn_raises_as_before_and_is_warned_of_once(
    task: Task, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    line(r"$\notatex{$")
    with pytest.raises(ValueError, match="notatex"):
        plt.savefig(tmp_path / "wrong.png")
    for _ in range(2):
        plt.text(0, 0, "drawn as a picture")
        plt.show()
    (record,) = [record for record in caplog.records if record.name == "eventlog"]
    assert record.getMessage().startswith("eventlog: a figure of matplotlib could not be recorded;")
    assert titles(task) == []


def test_a_script_says_and_writes_what_it_did_before(scripts: Scripts) -> None:
    text = """
import matplotlib; matplotlib.use('Agg')
import matplotlib.pyplot as plt
plt.imshow([[1, 2], [3, 4]]); plt.title('a')
print(plt.savefig('{0}.png', metadata={{'Software': None}}), plt.gcf().stale)
try: plt.show()
except Warning as warning: print(warning)
"""
    before = scripts.run(text.format("before"))
    later = "import matplotlib.pyplot\n" + INIT + text
    by_name = text.replace("plt.show()", "show()")
    by_name = "from matplotlib.pyplot import show\n" + INIT + by_name
    for name, begun in (("first", INIT + text), ("later", later), ("by_name", by_name)):
        after = scripts.run(begun.format(name))
        assert (after.out, after.err) == (before.out, before.err)
        assert (scripts.folder / f"{name}.png").read_bytes() == (scripts.folder / "before.png").read_bytes()
        task = Task.get_tasks()[0]
        assert titles(task) == ["a"]
