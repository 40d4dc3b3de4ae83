"""Plotly figures of what is reported: bars, points and lines, heat maps and surfaces.

Each function takes data and returns ``{"data": [...], "layout": {...}}``; what can be in it is described at
https://plotly.com/javascript/reference/. The pictures are those that ClearML draws of the same calls.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from eventlog.errors import InputInvalid
from eventlog.sdk.figure_data import labels_of, matrix_of, plain_values, points_of, ticks_of, vector_of
from eventlog.sdk.plain_text import plain_text
from eventlog.sdk.series_info import SeriesInfo

__all__ = [
    "Figure",
    "axis",
    "heat_map",
    "histogram",
    "lines",
    "merged",
    "scatter_2d",
    "scatter_3d",
    "surface",
]

Figure: TypeAlias = dict[str, Any]

_BAR_MODES = ("group", "stack", "relative", "overlay")
_POINT_MODES = frozenset({"lines", "markers", "text"})
_SPIKES = {
    "showspikes": True,
    "spikethickness": 1,
    "spikesnap": "cursor",
    "spikemode": "toaxis+across",
}
_SURFACE_COLORS = [
    [0, "rgb(71, 17, 100)"],
    [0.1, "rgb(53, 92, 140)"],
    [0.2, "rgb(37, 139, 141)"],
    [0.6, "rgb(66, 189, 112)"],
    [0.9, "rgb(141, 214, 68)"],
    [1, "rgb(221, 226, 24)"],
]


def histogram(
    title: str,
    series: str,
    values: Any,
    labels: Any = None,
    xlabels: Any = None,
    xaxis: str | None = None,
    yaxis: str | None = None,
    mode: str | None = None,
    data_args: Mapping[str, Any] | None = None,
    extra_layout: Mapping[str, Any] | None = None,
) -> Figure:
    """Bars of values that were counted already; the arguments are `report_histogram`'s.

    Raises:
        InputInvalid: the values are no vector or matrix of numbers, or the labels do not fit them.
    """
    what = "the values of a histogram"
    plain = plain_values(what, values)
    nested = isinstance(plain, list) and any(isinstance(value, list) for value in plain)
    rows = matrix_of(what, plain) if nested else [vector_of(what, plain)]
    names = labels_of("the labels of a histogram", labels, len(rows)) or [series] * len(rows)
    texts = ticks_of("the xlabels of a histogram", xlabels, len(rows[0]))
    ticks: Any = list(range(len(rows[0]))) if texts is None else texts
    if mode is not None and mode not in _BAR_MODES:
        raise InputInvalid(f"the mode of a histogram must be one of {', '.join(_BAR_MODES)}, not {mode!r}")
    own = _checked_mapping("data_args", data_args)
    data = [
        {"type": "bar", "name": name, "x": ticks, "y": row, **own}
        for name, row in zip(names, rows, strict=True)
    ]
    layout = {
        "title": {"text": title if labels is None else series},
        "xaxis": axis(xaxis),
        "yaxis": axis(yaxis),
        "barmode": mode or "group",
        "bargap": 0.08,
        "bargroupgap": 0,
    }
    return {"data": data, "layout": merged(layout, extra_layout)}


def scatter_2d(
    title: str,
    series: str,
    scatter: Any,
    xaxis: str | None = None,
    yaxis: str | None = None,
    labels: Any = None,
    mode: str = "lines",
    comment: str | None = None,
    extra_layout: Mapping[str, Any] | None = None,
) -> Figure:
    """Points of a plane, and lines through them; the arguments are `report_scatter2d`'s.

    Raises:
        InputInvalid: the points are no pairs, the labels do not fit them, or there is no such mode.
    """
    return lines(
        title,
        [SeriesInfo(series, scatter, labels)],
        xaxis,
        yaxis,
        mode,
        comment=comment,
        extra_layout=extra_layout,
    )


def lines(
    title: str,
    series: Sequence[Any],
    xaxis: str | None = None,
    yaxis: str | None = None,
    mode: str = "lines",
    reverse_xaxis: bool = False,
    comment: str | None = None,
    extra_layout: Mapping[str, Any] | None = None,
) -> Figure:
    """Several lines in one figure; the arguments are `report_line_plot`'s.

    Raises:
        InputInvalid: as for `scatter_2d`.
    """
    if isinstance(series, (SeriesInfo, Mapping, str)) or not hasattr(series, "__iter__"):
        raise InputInvalid("the series of a line plot must be a list of SeriesInfo(name, data, labels)")
    mode = _point_mode(mode)
    data = []
    for one in series:
        name, points, texts = _series(one)
        x, y = points_of(f"the points of '{name}'", points, 2)
        trace = {"type": "scatter", "name": name, "x": x, "y": y, "mode": mode}
        if (text := labels_of(f"the labels of '{name}'", texts, len(x))) is not None:
            trace["text"] = text
        data.append(trace)
    layout = {
        "title": {"text": _commented(title, comment)},
        "xaxis": {**axis(xaxis), **_SPIKES, **({"autorange": "reversed"} if reverse_xaxis else {})},
        "yaxis": {**axis(yaxis), **_SPIKES},
    }
    return {"data": data, "layout": merged(layout, extra_layout)}


def scatter_3d(
    title: str,
    series: str,
    scatter: Any,
    xaxis: str | None = None,
    yaxis: str | None = None,
    zaxis: str | None = None,
    labels: Any = None,
    mode: str = "markers",
    fill: bool = False,
    comment: str | None = None,
    extra_layout: Mapping[str, Any] | None = None,
) -> Figure:
    """Points in space; the arguments are `report_scatter3d`'s.

    Raises:
        InputInvalid: the points are no triples, the labels are no list, or there is no such mode.
    """
    what = f"the points of '{series}'"
    plain = plain_values(what, scatter)
    nested = isinstance(plain, list) and bool(plain) and all(_is_nested(one) for one in plain)
    clouds = plain if nested else [plain]
    names = _numbered(series, len(clouds))
    texts = plain_values("the labels", labels) if nested and labels is not None else [labels] * len(clouds)
    if not isinstance(texts, list) or len(texts) != len(clouds):
        raise InputInvalid(f"the labels of {len(clouds)} series of points must be as many lists")
    mode = _point_mode(mode)
    data = []
    for name, cloud, own in zip(names, clouds, texts, strict=True):
        x, y, z = points_of(what, cloud, 3)
        trace: dict[str, Any] = {
            "type": "scatter3d",
            "name": name,
            "x": x,
            "y": y,
            "z": z,
            "mode": mode,
            "marker": {
                "size": 5,
                "line": {"color": "rgba(217, 217, 217, 0.14)", "width": 0.8},
                "opacity": 0.8,
            },
        }
        if (text := labels_of(f"the labels of '{name}'", own)) is not None:
            trace["text"] = text
        if fill:
            trace["surfaceaxis"] = 2
        data.append(trace)
    layout = {
        "title": {"text": _commented(title, comment)},
        "showlegend": True,
        "scene": {"xaxis": axis(xaxis), "yaxis": axis(yaxis), "zaxis": axis(zaxis)},
    }
    return {"data": data, "layout": merged(layout, extra_layout)}


def heat_map(
    title: str,
    series: str,
    matrix: Any,
    xaxis: str | None = None,
    yaxis: str | None = None,
    xlabels: Any = None,
    ylabels: Any = None,
    yaxis_reversed: bool = False,
    comment: str | None = None,
    extra_layout: Mapping[str, Any] | None = None,
) -> Figure:
    """A matrix as colors, each with its number; the arguments are `report_confusion_matrix`'s.

    Raises:
        InputInvalid: it is no matrix of numbers, or the labels are no list.
    """
    rows = matrix_of("the values of a matrix", matrix)
    trace: dict[str, Any] = {"type": "heatmap", "name": series, "z": rows, "texttemplate": "%{z}"}
    if (columns := ticks_of("the xlabels of a matrix", xlabels, len(rows[0]))) is not None:
        trace["x"] = columns
    if (names := ticks_of("the ylabels of a matrix", ylabels, len(rows))) is not None:
        trace["y"] = names
    layout = {
        "title": {"text": _commented(title, comment)},
        "showlegend": True,
        "xaxis": axis(xaxis),
        "yaxis": {**axis(yaxis), **({"autorange": "reversed"} if yaxis_reversed else {})},
    }
    extra = dict(_checked_mapping("extra_layout", extra_layout))
    # A trace's setting, that ClearML's callers give with the layout.
    if "texttemplate" in extra:
        trace["texttemplate"] = extra.pop("texttemplate")
    return {"data": [trace], "layout": merged(layout, extra)}


def surface(
    title: str,
    series: str,
    matrix: Any,
    xaxis: str | None = None,
    yaxis: str | None = None,
    zaxis: str | None = None,
    xlabels: Any = None,
    ylabels: Any = None,
    camera: Any = None,
    comment: str | None = None,
    extra_layout: Mapping[str, Any] | None = None,
) -> Figure:
    """A matrix as heights; the arguments are `report_surface`'s.

    Raises:
        InputInvalid: it is no matrix of numbers, the labels are no list, or the camera is no (x, y, z).
    """
    rows = matrix_of("the values of a surface", matrix)
    trace = {
        "type": "surface",
        "name": series,
        "z": rows,
        "contours": {"y": {"show": False, "highlightcolor": "#fff4ff", "project": {"y": True}}},
        "showscale": False,
        "colorscale": _SURFACE_COLORS,
    }
    scene: dict[str, Any] = {
        "xaxis": {**axis(xaxis), "showgrid": False, "nticks": 10, **_ticks("xlabels", xlabels, len(rows[0]))},
        "yaxis": {**axis(yaxis), "showgrid": False, "nticks": 10, **_ticks("ylabels", ylabels, len(rows))},
        "zaxis": {**axis(zaxis), "nticks": 5},
    }
    if camera is not None:
        eye = vector_of("the coordinates of the camera", camera)
        if len(eye) != 3:
            raise InputInvalid(f"the camera must be at three coordinates (x, y, z), not {len(eye)}")
        scene["camera"] = {"eye": dict(zip("xyz", eye, strict=True))}
    layout = {
        "title": {"text": _commented(f"{title}/{series}", comment)},
        "showlegend": False,
        "scene": scene,
    }
    return {"data": [trace], "layout": merged(layout, extra_layout)}


def axis(title: Any) -> dict[str, Any]:
    """An axis with a title, or without one."""
    return {} if title is None else {"title": {"text": plain_text(title)}}


def merged(layout: dict[str, Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """A layout with what the caller adds to it; dictionaries in it are merged too.

    Raises:
        InputInvalid: what is added is no dictionary.
    """
    for name, value in _checked_mapping("extra_layout", extra).items():
        own = layout.get(name)
        if isinstance(own, dict) and isinstance(value, Mapping):
            layout[name] = merged(dict(own), value)
        else:
            layout[name] = value
    return layout


def _checked_mapping(what: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputInvalid(f"{what} must be a dictionary, not {type(value).__name__}")
    return value


def _numbered(series: str, count: int) -> list[str]:
    return [series] if count == 1 else [f"{series}_{number}" for number in range(count)]


def _series(one: Any) -> tuple[str, Any, Any]:
    """The name, the points and the labels of a line, from whatever class or dictionary holds them."""
    if isinstance(one, Mapping):
        one = SeriesInfo(one.get("name", ""), one.get("data"), one.get("labels"))
    try:
        return plain_text(one.name), one.data, getattr(one, "labels", None)
    except AttributeError:
        raise InputInvalid(
            f"each series of a line plot must be a SeriesInfo(name, data, labels), not {type(one).__name__}"
        ) from None


def _point_mode(mode: Any) -> str:
    # "line" is the default of ClearML's models, and no mode of Plotly's.
    text = {"line": "lines", "marker": "markers"}.get(mode, mode) if isinstance(mode, str) else ""
    if text != "none" and not _POINT_MODES.issuperset(text.split("+")):
        raise InputInvalid(f"the mode must be lines, markers or lines+markers, not {plain_text(mode)[:50]!r}")
    return text


def _commented(title: str, comment: Any) -> str:
    return title if not comment else f"{title}<br><sup>{plain_text(comment)}</sup>"


def _is_nested(one: Any) -> bool:
    return isinstance(one, list) and bool(one) and all(isinstance(point, list) for point in one)


def _ticks(what: str, labels: Any, count: int) -> dict[str, Any]:
    texts = ticks_of(f"the {what} of a surface", labels, count)
    return {} if texts is None else {"ticktext": texts, "tickvals": list(range(len(texts)))}
