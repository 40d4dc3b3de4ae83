"""What is reported as a plot is a figure that Plotly draws, and comes back as it was."""

import json
import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import Logger, Task
from eventlog.errors import EventlogError, InputInvalid, NotFound
from eventlog.events import PlotReported
from eventlog.sdk.figure_json import figure_of, figure_text
from eventlog.sdk.stores import current_views


def figures(task: Task) -> dict[tuple[str, str, int], dict[str, Any]]:
    """The plots of a task, each of which Plotly itself takes."""
    read = {
        (plot["metric"], plot["variant"], plot["iter"]): json.loads(plot["plot_str"])
        for plot in task.get_reported_plots()
    }
    for figure in read.values():
        go.Figure(figure)
    return read


def only_figure(task: Task) -> dict[str, Any]:
    (figure,) = figures(task).values()
    return figure


def test_a_histogram_is_bars_of_the_values(task: Task) -> None:
    task.get_logger().report_histogram(
        title="sizes",
        series="all",
        values=np.arange(6).reshape(2, 3),
        iteration=7,
        labels=["cats", "dogs"],
        xlabels=["small", "medium", "large"],
        xaxis="size",
        yaxis="count",
        mode="stack",
        data_args={"orientation": "h"},
        extra_layout={"xaxis": {"type": "category"}, "width": 500},
    )
    figure = figures(task)["sizes", "all", 7]
    assert figure["data"] == [
        {"type": "bar", "name": name, "x": ["small", "medium", "large"], "y": values, "orientation": "h"}
        for name, values in (("cats", [0, 1, 2]), ("dogs", [3, 4, 5]))
    ]
    layout = figure["layout"]
    assert layout["xaxis"] == {"title": {"text": "size"}, "type": "category"}
    assert (layout["yaxis"], layout["barmode"], layout["width"]) == (
        {"title": {"text": "count"}},
        "stack",
        500,
    )


@pytest.mark.parametrize(
    "values",
    [
        [1, 2.5],
        (1, 2.5),
        np.array([1, 2.5]),
        np.array([1, 2.5], dtype=np.float16),
        np.array([np.float64(1), Decimal("2.5")], dtype=object),
        [np.int8(1), np.float32(2.5)],
        pd.Series([1, 2.5]),
        pd.Series([1, 2.5], dtype="Float64"),
        [[1, 2.5]],
        (number for number in (1, 2.5)),
    ],
    ids=range(10),
)
def test_a_vector_is_a_list_an_array_or_a_series(task: Task, values: Any) -> None:
    task.get_logger().report_vector("vector", "v", values, iteration=1, xlabels=["a", "b"])
    assert only_figure(task)["data"] == [{"type": "bar", "name": "v", "x": ["a", "b"], "y": [1, 2.5]}]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"name": ["Ada", "Max"], "age": [36, 41]}),
        [["name", "age"], ["Ada", 36], ["Max", 41]],
        (("name", "age"), ("Ada", 36), ("Max", 41)),
    ],
)
def test_a_table_is_a_frame_or_rows_with_a_header(task: Task, table: Any) -> None:
    task.get_logger().report_table(
        "people", "all", 3, table, extra_layout={"height": 600}, extra_data={"columnwidth": [2, 1]}
    )
    figure = figures(task)["people", "all", 3]
    (trace,) = figure["data"]
    header = [name if isinstance(name, str) else name[0] for name in trace["header"]["values"]]
    assert (trace["type"], header) == ("table", ["name", "age"])
    assert trace["cells"]["values"] == [["Ada", "Max"], [36, 41]]
    assert (trace["columnwidth"], figure["layout"]["height"]) == ([2, 1], 600)


def test_a_url_that_cannot_be_read_is_named(task: Task, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="none"):
        task.get_logger().report_table("t", "s", url=(tmp_path / "none.csv").as_uri())
    for url in (7, "", "nonsense://x/y.csv"):
        with pytest.raises(EventlogError) as caught:
            task.get_logger().report_table("t", "s", url=url)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    assert task.get_reported_plots() == []


def test_a_csv_file_may_be_in_an_old_encoding_and_empty(task: Task, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_bytes(b"name\nJos\xe9\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    for name in ("old", "empty"):
        task.get_logger().report_table("t", name, csv=tmp_path / f"{name}.csv")  # type: ignore[arg-type]
    cells = {series: figure["data"][0]["cells"]["values"] for (_, series, _), figure in figures(task).items()}
    assert cells == {"old": [["José"]], "empty": []}


def test_the_index_of_a_frame_is_a_column_where_it_says_something(task: Task) -> None:
    frame = pd.DataFrame(
        {"legs": [2, 4], "when": pd.to_datetime(["2020-01-02", None])}, index=["bird", "dog"]
    )
    task.get_logger().report_table("animals", "a", table_plot=frame)
    pairs = pd.DataFrame(
        {("n", "x"): [math.nan]}, index=pd.MultiIndex.from_tuples([(1, 2)], names=["i", "j"])
    )
    task.get_logger().report_table("animals", "b", table_plot=pairs)
    first, second = (figures(task)["animals", series, 0]["data"][0] for series in "ab")
    assert first["header"]["values"] == ["", ["legs"], ["when"]]
    assert first["cells"]["values"] == [["bird", "dog"], [2, 4], ["2020-01-02T00:00:00", "nan"]]
    assert second["header"]["values"] == ["i", "j", ["n", "x"]]
    assert second["cells"]["values"] == [[1], [2], ["nan"]]


def test_a_table_is_read_from_a_csv_file_and_from_a_url(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('name,note\nAda,"a, b"\nMax\n')
    task.get_logger().report_table("t", "file", csv=str(path))
    task.get_logger().report_table("t", "url", url=path.as_uri())
    for series in ("file", "url"):
        (trace,) = figures(task)["t", series, 0]["data"]
        assert trace["header"]["values"] == ["name", "note"]
        assert trace["cells"]["values"] == [["Ada", "Max"], ["a, b", ""]]


def test_what_is_like_an_array_or_a_frame_is_one(task: Task) -> None:
    class Tensor:
        """What tensors of TensorFlow are like: no lists, but arrays."""

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array([1.5, 2.5])

    class Frame:
        """What frames of Polars are like: columns, and no index."""

        columns = ("a", "b")

        def __getitem__(self, name: str) -> Any:
            return pd.Series([1, None] if name == "a" else ["x", "y"])

    task.get_logger().report_histogram("tensor", "s", Tensor())
    task.get_logger().report_table("frame", "s", table_plot=Frame())
    read = {title: figure["data"][0] for (title, _, _), figure in figures(task).items()}
    assert read["tensor"]["y"] == [1.5, 2.5]
    assert read["frame"]["header"]["values"] == ["a", "b"]
    assert read["frame"]["cells"]["values"] == [[1.0, "nan"], ["x", "y"]]


def test_lines_are_drawn_in_one_plot(task: Task) -> None:
    task.get_logger().report_line_plot(
        "lines",
        [
            Logger.SeriesInfo("one", [(0, 1), (2, 3)]),
            Logger.SeriesInfo(name="two", data=np.array([[4, 5.5]]), labels=["p"]),
            {"name": "three", "data": pd.DataFrame({"x": [6], "y": [7]})},
        ],
        xaxis="x",
        yaxis="y",
        mode="lines+markers",
        iteration=4,
        reverse_xaxis=True,
        comment="why",
    )
    figure = figures(task)["lines", "", 4]
    drawn = [(trace["name"], trace["x"], trace["y"], trace.get("text")) for trace in figure["data"]]
    assert drawn == [
        ("one", [0, 2], [1, 3], None),
        ("two", [4], [5.5], ["p"]),
        ("three", [6], [7], None),
    ]
    assert {trace["mode"] for trace in figure["data"]} == {"lines+markers"}
    assert figure["layout"]["title"] == {"text": "lines<br><sup>why</sup>"}
    assert figure["layout"]["xaxis"]["autorange"] == "reversed"


@pytest.mark.parametrize("mode", ["lines", "markers", "lines+markers", "line"])
def test_points_of_a_plane(task: Task, mode: str) -> None:
    task.get_logger().report_scatter2d(
        "plane", "s", np.array([[0, 1], [2, 3]]), 1, "X", "Y", labels=["a", "b"], mode=mode, comment="C"
    )
    figure = figures(task)["plane", "s", 1]
    (trace,) = figure["data"]
    assert (trace["type"], trace["name"], trace["x"], trace["y"]) == ("scatter", "s", [0, 2], [1, 3])
    assert (trace["text"], trace["mode"]) == (["a", "b"], "lines" if mode == "line" else mode)
    assert figure["layout"]["xaxis"]["title"] == {"text": "X"}
    assert figure["layout"]["yaxis"]["title"] == {"text": "Y"}


def test_a_coordinate_may_be_a_date_or_a_category(task: Task) -> None:
    report = task.get_logger().report_scatter2d
    report("t", "date", [(date(2020, 1, 2), 1)], extra_layout={"xaxis": {"type": "date"}})
    report("t", "text", [("a", 1), ("b", 2)])
    times = np.array([["2020-01-02T03:04:05.123456789"]] * 2, dtype="datetime64[ns]").reshape(1, 2)
    report("t", "numpy", times)
    read = {series: figure["data"][0]["x"] for (_, series, _), figure in figures(task).items()}
    assert read == {"date": ["2020-01-02"], "text": ["a", "b"], "numpy": ["2020-01-02T03:04:05.123456"]}


def test_points_in_space(task: Task) -> None:
    report = task.get_logger().report_scatter3d
    report("space", "one", [(1, 2, 3), (4, 5, 6)], 1, "X", "Y", "Z", labels=["a", "b"], mode="lines")
    report("space", "two", np.arange(12).reshape(2, 2, 3), 1, fill=True)
    one, two = figures(task)["space", "one", 1], figures(task)["space", "two", 1]
    (trace,) = one["data"]
    assert [trace[axis] for axis in "xyz"] == [[1, 4], [2, 5], [3, 6]]
    assert (trace["type"], trace["mode"], trace["text"]) == ("scatter3d", "lines", ["a", "b"])
    titles = [one["layout"]["scene"][axis]["title"]["text"] for axis in ("xaxis", "yaxis", "zaxis")]
    assert titles == ["X", "Y", "Z"]
    assert [trace["z"] for trace in two["data"]] == [[2, 5], [8, 11]]
    assert [trace["surfaceaxis"] for trace in two["data"]] == [2, 2]


def test_a_confusion_matrix_shows_colors_and_numbers(task: Task) -> None:
    logger = task.get_logger()
    logger.report_confusion_matrix(
        "confusion", "c", np.arange(6).reshape(2, 3), 2, "guess", "truth", list("abc"), list("de"), True, "C"
    )
    logger.report_matrix("matrix", "m", [[1, 2], [3, math.inf]], extra_layout={"texttemplate": ""})
    confusion, matrix = figures(task)["confusion", "c", 2], figures(task)["matrix", "m", 0]
    (trace,) = confusion["data"]
    assert (trace["type"], trace["z"], trace["texttemplate"]) == ("heatmap", [[0, 1, 2], [3, 4, 5]], "%{z}")
    assert (trace["x"], trace["y"]) == (["a", "b", "c"], ["d", "e"])
    assert confusion["layout"]["yaxis"] == {"title": {"text": "truth"}, "autorange": "reversed"}
    assert matrix["data"][0]["z"] == [[1, 2], [3, None]]
    assert matrix["data"][0]["texttemplate"] == ""
    assert "autorange" not in matrix["layout"]["yaxis"]


@pytest.mark.parametrize(
    ("labels", "shown"),
    [([], None), (["a"], ["a", "1", "2"]), (["a", "b", "c", "d"], ["a", "b", "c", "d"])],
    ids=["none", "fewer", "more"],
)
def test_an_axis_takes_more_or_fewer_labels_than_it_has_places(
    task: Task, labels: list[str], shown: list[str] | None
) -> None:
    # ClearML takes them; reports of classes that the data lacks are common.
    logger = task.get_logger()
    logger.report_histogram("bars", "s", [4, 5, 6], xlabels=labels)
    logger.report_confusion_matrix("matrix", "s", np.eye(3), 0, xlabels=labels, ylabels=labels)
    logger.report_surface("hills", "s", np.eye(3), xlabels=labels, ylabels=labels)
    logger.report_scatter3d("space", "s", np.eye(3), labels=labels)
    found = {title: figure for (title, _, _), figure in figures(task).items()}
    assert found["bars"]["data"][0]["x"] == (shown or [0, 1, 2])
    assert (found["matrix"]["data"][0].get("x"), found["matrix"]["data"][0].get("y")) == (shown, shown)
    assert found["hills"]["layout"]["scene"]["yaxis"].get("ticktext") == shown
    assert found["space"]["data"][0]["text"] == labels


def test_a_surface_is_seen_from_where_the_camera_is(task: Task) -> None:
    task.get_logger().report_surface(
        "hills", "h", np.eye(2), 1, "X", "Y", "Z", ["a", "b"], ["c", "d"], camera=(1, 2, 3), comment="C"
    )
    figure = only_figure(task)
    scene = figure["layout"]["scene"]
    assert (figure["data"][0]["type"], figure["data"][0]["z"]) == ("surface", [[1, 0], [0, 1]])
    assert scene["camera"]["eye"] == {"x": 1, "y": 2, "z": 3}
    assert (scene["xaxis"]["ticktext"], scene["xaxis"]["tickvals"]) == (["a", "b"], [0, 1])
    assert figure["layout"]["title"] == {"text": "hills/h<br><sup>C</sup>"}


FIGURE = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {"xaxis": {"title": {"text": "X"}}}}


@pytest.mark.parametrize(
    "figure", [FIGURE, go.Figure(FIGURE), json.dumps(FIGURE), go.Figure(FIGURE).to_json()]
)
def test_a_figure_of_plotly_is_kept_as_it_is(task: Task, figure: Any) -> None:
    task.get_logger().report_plotly("title", "series", figure, iteration=3)
    read = figures(task)["title", "series", 3]
    assert read["data"] == FIGURE["data"]
    assert read["layout"]["xaxis"] == {"title": {"text": "X"}}
    assert read["layout"]["title"] == {"text": "series"}


def test_a_figure_keeps_a_title_of_its_own(task: Task) -> None:
    for series, title in (("a", "mine"), ("b", {"text": "mine", "x": 0.5}), ("c", {"x": 0.5})):
        task.get_logger().report_plotly("t", series, {"data": [], "layout": {"title": title}})
    titles = {series: figure["layout"]["title"] for (_, series, _), figure in figures(task).items()}
    assert titles == {"a": "mine", "b": {"text": "mine", "x": 0.5}, "c": {"x": 0.5, "text": "c"}}


def test_arrays_in_a_figure_are_lists_that_every_version_of_plotly_draws(task: Task) -> None:
    numbers = np.array([[1.5, math.nan], [3.0, -math.inf]])
    figure = go.Figure([go.Heatmap(z=numbers), go.Bar(y=np.arange(3, dtype=np.uint8))])
    figure.add_scatter(x=pd.date_range("2020-01-01", periods=2), y=pd.Series([1, 2]))
    task.get_logger().report_plotly("t", "s", figure)
    task.get_logger().report_plotly("t", "raw", {"data": {"type": "bar", "y": np.float32([1, math.nan])}})
    heat, bar, line = figures(task)["t", "s", 0]["data"]
    assert (heat["z"], bar["y"]) == ([[1.5, None], [3.0, None]], [0, 1, 2])
    assert [x[:10] for x in line["x"]] == ["2020-01-01", "2020-01-02"]
    assert figures(task)["t", "raw", 0]["data"][0]["y"] == [1.0, None]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    )
)
def test_whatever_json_can_hold_is_a_value_in_a_figure(value: Any) -> None:
    def sound(value: Any) -> Any:
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, dict):
            return {sound(name): sound(inner) for name, inner in value.items()}
        if isinstance(value, str):
            return value.encode(errors="replace").decode()
        return [sound(inner) for inner in value] if isinstance(value, list) else value

    figure = figure_of({"data": [], "layout": {"meta": value}})
    assert json.loads(figure_text(figure))["layout"]["meta"] == sound(value)
    assert figure_of(figure_text(figure)) == json.loads(figure_text(figure))


class Odd:
    def tolist(self) -> Any:
        raise RuntimeError("half made")


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
CIRCULAR: dict[str, Any] = {"data": []}
CIRCULAR["layout"] = {"self": CIRCULAR}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("report_histogram", {"values": [[1, 2], [3]]}),
        ("report_histogram", {"values": np.zeros((2, 2, 2))}),
        ("report_histogram", {"values": ["a"]}),
        ("report_histogram", {"values": "abc"}),
        ("report_histogram", {"values": {"a": 1}}),
        ("report_histogram", {"values": None}),
        ("report_histogram", {"values": [1], "labels": 7}),
        ("report_histogram", {"values": [1j]}),
        ("report_histogram", {"values": Odd()}),
        ("report_histogram", {"values": CIRCLE}),
        ("report_histogram", {"values": [[1], [2]], "labels": ["one"]}),
        ("report_histogram", {"values": [1, 2], "xlabels": "ab"}),
        ("report_histogram", {"values": [1], "mode": "heap"}),
        ("report_histogram", {"values": [1], "extra_layout": []}),
        ("report_histogram", {"values": [1], "data_args": "red"}),
        ("report_vector", {"values": object()}),
        ("report_table", {}),
        ("report_table", {"table_plot": [["a"]], "csv": "x.csv"}),
        ("report_table", {"table_plot": [["a", "b"], [1]]}),
        ("report_table", {"table_plot": {"a": 1}}),
        ("report_table", {"table_plot": 7}),
        ("report_table", {"csv": "there/is/none.csv"}),
        ("report_table", {"csv": 7}),
        ("report_table", {"csv": "a\0b"}),
        ("report_table", {"table_plot": [["a"]], "extra_data": 7}),
        ("report_scatter2d", {"scatter": [1, 2, 3]}),
        ("report_scatter2d", {"scatter": [(1, 2, 3)]}),
        ("report_scatter2d", {"scatter": [(1, 2), (3,)]}),
        ("report_scatter2d", {"scatter": [(1, object())]}),
        ("report_scatter2d", {"scatter": [(1, 2)], "labels": ["a", "b"]}),
        ("report_scatter2d", {"scatter": [(1, 2)], "mode": "dots"}),
        ("report_scatter2d", {"scatter": [(1, 2)], "mode": None}),
        ("report_scatter2d", {"scatter": [(1, 10**400)]}),
        ("report_scatter3d", {"scatter": [(1, 2)]}),
        ("report_scatter3d", {"scatter": [[(1, 2, 3)]], "labels": ["a", "b"]}),
        ("report_confusion_matrix", {"matrix": [1, 2]}),
        ("report_confusion_matrix", {"matrix": [[]]}),
        ("report_confusion_matrix", {"matrix": [[1, 2]], "ylabels": "ab"}),
        ("report_matrix", {"matrix": [["a"]]}),
        ("report_surface", {"matrix": [[1]], "camera": (1, 2)}),
        ("report_surface", {"matrix": np.zeros((2, 0))}),
        ("report_plotly", {"figure": 7}),
        ("report_plotly", {"figure": "no JSON"}),
        ("report_plotly", {"figure": "[1]"}),
        ("report_plotly", {"figure": go.Figure}),
        ("report_plotly", {"figure": {"data": 7}}),
        ("report_plotly", {"figure": {"data": [7]}}),
        ("report_plotly", {"figure": {"layout": 7}}),
        ("report_plotly", {"figure": {"data": [{"y": object()}]}}),
        ("report_plotly", {"figure": CIRCULAR}),
    ],
)
def test_what_fits_no_plot_is_refused_in_one_line_and_nothing_is_kept(
    task: Task, method: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(InputInvalid) as caught:
        getattr(task.get_logger(), method)("title", "series", **arguments)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert task.get_reported_plots() == []


def test_series_that_are_no_lines_are_refused(task: Task) -> None:
    for series in (7, "abc", [7], Logger.SeriesInfo("a", [(1, 2)]), [Logger.SeriesInfo("a", [1])]):
        with pytest.raises(InputInvalid):
            task.get_logger().report_line_plot("t", series, "x", "y")  # type: ignore[arg-type]
    assert task.get_reported_plots() == []


@pytest.mark.parametrize("name", ["", "  ", 7, None, b"loss", "x\ud800", "x" * 10_000])
def test_a_title_that_is_none_is_refused(task: Task, name: Any) -> None:
    with pytest.raises(InputInvalid):
        task.get_logger().report_scatter2d(name, "s", [(1, 2)])
    if name not in ("", "  "):
        with pytest.raises(InputInvalid):
            task.get_logger().report_scatter2d("t", name, [(1, 2)])
    assert task.get_reported_plots() == []


@pytest.mark.parametrize("name", ["a/b", "line\nbreak", "../..", "漢字 🙂", "x" * 1024, "\0"])
def test_every_other_text_is_a_title(task: Task, name: str) -> None:
    task.get_logger().report_scatter2d(name, name, [(1, 2)])
    assert list(figures(task)) == [(name, name, 0)]


def test_iterations_of_plots_are_whole_numbers_or_none(task: Task) -> None:
    report = task.get_logger().report_scatter2d
    for iteration in (None, 5, np.int64(6), -(2**63)):
        report("t", "s", [(1, 2)], iteration=iteration)
    for wrong in (1.5, "1", 2**63):
        with pytest.raises(InputInvalid, match="iteration"):
            report("t", "s", [(1, 2)], iteration=wrong)  # type: ignore[arg-type]
    assert [plot["iter"] for plot in task.get_reported_plots()] == [6, 5, 0, -(2**63)]
    assert task.get_last_iteration() == 6


def test_the_last_report_of_an_iteration_counts(task: Task) -> None:
    for value in (1, 2):
        task.get_logger().report_scatter2d("t", "s", [(0, value)], iteration=1)
    assert only_figure(task)["data"][0]["y"] == [2]


def test_only_the_last_iterations_are_read_where_asked_for(task: Task) -> None:
    for iteration in range(5):
        task.get_logger().report_scatter2d("a", "s", [(0, 1)], iteration=iteration)
    task.get_logger().report_scatter2d("b", "s", [(0, 1)], iteration=1)
    read = [(plot["metric"], plot["iter"]) for plot in task.get_reported_plots(max_iterations=2)]
    assert read == [("a", 4), ("a", 3), ("b", 1)]
    for wrong in (0, -1, 1.5, "2"):
        with pytest.raises(InputInvalid, match="max_iterations"):
            task.get_reported_plots(max_iterations=wrong)  # type: ignore[arg-type]


def test_a_figure_of_more_than_64_kib_is_kept_as_a_blob(task: Task) -> None:
    points = np.random.default_rng(0).random((20_000, 2))
    task.get_logger().report_scatter2d("large", "s", points)
    (plot,) = current_views(task._store, reports=True).plots(task.id)
    assert plot.figure == ""
    assert plot.blob in task._store.blobs
    (trace,) = only_figure(task)["data"]
    assert trace["x"] == points[:, 0].tolist()
    (event,) = [
        numbered.event
        for numbered in current_views(task._store).events(task.id)
        if isinstance(numbered.event, PlotReported)
    ]
    assert event.blob == plot.blob


def test_the_initial_iteration_is_added_to_all_that_is_reported(task: Task) -> None:
    logger = task.get_logger()
    logger._offset = 100
    logger.report_scalar("s", "s", 1.0, 5)
    logger.report_scatter2d("p", "s", [(1, 2)], iteration=5)
    logger.report_image("i", "s", 5, image=np.zeros((2, 2), np.uint8))
    logger._offset = 0
    logger.report_scalar("s", "s", 1.0, 6)
    assert task.get_reported_scalars()["s"]["s"]["x"] == [105, 6]
    assert [plot["iter"] for plot in task.get_reported_plots()] == [105]
    assert [sample["iter"] for sample in task.get_debug_samples("i", "s")] == [105]
