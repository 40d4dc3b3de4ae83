"""Figures of matplotlib: drawn as PNG, or as Plotly figures where they are simple enough to be the same.

What is a line, a set of points or bars becomes a trace of Plotly. A figure that holds anything else (images,
filled areas, texts, axes in space or in polar coordinates …) is not converted but drawn, so that nothing in
it is lost: its picture lies in the layout of a Plotly figure, as a data URL.
"""

import io
import struct
import warnings
from typing import Any

from eventlog.errors import InputInvalid
from eventlog.sdk.figure_data import plain_values
from eventlog.sdk.plain_text import plain_text

__all__ = ["converted", "figure_of", "picture", "picture_of", "png_of"]

_DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}
_MARKERS = {
    ".": "circle",
    ",": "circle",
    "o": "circle",
    "s": "square",
    "D": "diamond",
    "d": "diamond-tall",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "+": "cross-thin-open",
    "x": "x-thin-open",
    "X": "x",
    "P": "cross",
    "*": "star",
    "p": "pentagon",
    "h": "hexagon",
    "H": "hexagon2",
}
# Axes as matplotlib draws them: a frame with ticks.
_FRAME = {"zeroline": False, "showline": True, "mirror": True, "ticks": "outside"}
_NOTHING = frozenset({"None", "none", "", " ", None})
# Points (1/72 inch) to the pixels that Plotly counts in.
_PIXELS = 4 / 3


class _NotSimple(Exception):
    """There is something in the figure that has no trace of its own here."""


def figure_of(figure: Any) -> Any:
    """The figure that is meant: itself, the one of axes, or the current one of `pyplot`.

    Raises:
        InputInvalid: it is none of them.
    """
    found = figure
    if getattr(figure, "__name__", "") == "matplotlib.pyplot":
        found = figure.gcf()
    elif not hasattr(figure, "savefig"):
        found = getattr(figure, "figure", None)
    if not hasattr(found, "savefig") or not hasattr(found, "get_axes"):
        raise InputInvalid(f"a figure of matplotlib is asked for, not {type(figure).__name__}")
    return found


def png_of(figure: Any) -> bytes:
    """The picture of a figure, as the bytes of a PNG file.

    Raises:
        InputInvalid: it cannot be drawn.
    """
    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            # A glyph that a font lacks is no error of the script that reports.
            warnings.simplefilter("ignore")
            figure.savefig(file, format="png", bbox_inches="tight")
    except Exception as error:
        text = " ".join(plain_text(error).split())[:200]
        raise InputInvalid(f"the figure cannot be drawn ({type(error).__name__}: {text})") from None
    return file.getvalue()


def picture(figure: Any, title: str, series: str) -> dict[str, Any]:
    """A Plotly figure that shows the picture of a figure.

    Raises:
        InputInvalid: it cannot be drawn.
    """
    return picture_of(png_of(figure), title, series)


def picture_of(data: bytes, title: str, series: str) -> dict[str, Any]:
    """A Plotly figure that shows a picture: the bytes of a PNG file."""
    from base64 import b64encode

    # Where every PNG file says how large it is (https://www.w3.org/TR/png/#11IHDR).
    width, height = struct.unpack(">II", data[16:24])
    image = {
        "source": "data:image/png;base64," + b64encode(data).decode(),
        "xref": "x",
        "yref": "y",
        "x": 0,
        "y": height,
        "sizex": width,
        "sizey": height,
        "sizing": "contain",
        "layer": "below",
        "opacity": 1.0,
    }
    layout = {
        "title": {"text": f"{title}/{series}"},
        "xaxis": {"visible": False, "range": [0, width]},
        "yaxis": {"visible": False, "range": [0, height], "scaleanchor": "x"},
        "margin": {"l": 0, "r": 0, "t": 64, "b": 0},
        "images": [image],
        "showlegend": False,
    }
    return {"data": [], "layout": layout}


def converted(figure: Any, title: str, series: str) -> dict[str, Any] | None:
    """A figure of lines, points and bars as a Plotly figure, or None where it holds something else."""
    try:
        return _figure(figure, title, series)
    except _NotSimple:
        return None
    except Exception:
        # Another version of matplotlib, or a class of someone else's: the picture is right in any case.
        return None


def _figure(figure: Any, title: str, series: str) -> dict[str, Any]:
    axes = figure.get_axes()
    if len(axes) != 1 or figure.texts or figure.images or figure.lines or figure.patches or figure.legends:
        raise _NotSimple
    (one,) = axes
    if one.name != "rectilinear" or not one.axison or one.get_aspect() != "auto" or one.child_axes:
        raise _NotSimple
    bars, taken = _bars(one)
    traces = list(bars)
    traces += [_line(one, line) for line in one.lines if line.get_visible()]
    traces += [_points(one, points) for points in one.collections if points.get_visible()]
    if (
        any(id(patch) not in taken for patch in one.patches)
        or one.images
        or one.texts
        or one.tables
        or one.artists
    ):
        raise _NotSimple
    if not traces:
        raise _NotSimple
    names = [trace.get("name") for trace in traces]
    layout: dict[str, Any] = {
        "title": {"text": one.get_title() or series or title},
        "hovermode": "closest",
        "showlegend": one.get_legend() is not None and any(names),
        "xaxis": _axis(one.get_xaxis(), one.get_xlim()),
        "yaxis": _axis(one.get_yaxis(), one.get_ylim()),
    }
    if bars:
        layout["barmode"] = "overlay"
    return {"data": traces, "layout": layout}


def _line(axes: Any, line: Any) -> dict[str, Any]:
    if line.get_transform() != axes.transData or line.get_drawstyle() != "default":
        raise _NotSimple
    style, marker = line.get_linestyle(), line.get_marker()
    has_line = style not in _NOTHING and line.get_linewidth() > 0
    has_points = marker not in _NOTHING
    if (has_line and style not in _DASHES) or (has_points and marker not in _MARKERS):
        raise _NotSimple
    if not has_line and not has_points:
        raise _NotSimple
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "+".join(name for name, is_on in (("lines", has_line), ("markers", has_points)) if is_on),
        **_named(line),
        "x": _values(line.get_xdata(orig=False)),
        "y": _values(line.get_ydata(orig=False)),
    }
    if has_line:
        trace["line"] = {
            "color": _color(line.get_color(), line.get_alpha()),
            "width": line.get_linewidth() * _PIXELS,
            "dash": _DASHES[style],
        }
    if has_points:
        trace["marker"] = {
            "symbol": _MARKERS[marker],
            "size": line.get_markersize() * _PIXELS,
            "color": _color(line.get_markerfacecolor(), line.get_alpha()),
            "line": {"color": _color(line.get_markeredgecolor(), line.get_alpha()), "width": 1},
        }
    return trace


def _points(axes: Any, collection: Any) -> dict[str, Any]:
    # Points in the axes' own coordinates; other collections are areas, contours, quivers …
    if type(collection).__name__ != "PathCollection" or collection.get_offset_transform() != axes.transData:
        raise _NotSimple
    if len(collection.get_paths()) != 1:
        raise _NotSimple
    # Which shape the points have is known from its outline alone: circles are what nearly all are.
    if len(collection.get_paths()[0].vertices) < 20:
        raise _NotSimple
    x, y = plain_values("points", collection.get_offsets().filled(float("nan")).T)
    colors = [_color(color, None) for color in collection.get_facecolors()]
    sizes = [size**0.5 * _PIXELS for size in plain_values("sizes", collection.get_sizes())]
    if not colors:
        raise _NotSimple
    return {
        "type": "scatter",
        "mode": "markers",
        **_named(collection),
        "x": x,
        "y": y,
        "marker": {
            "symbol": "circle",
            "color": colors if len(colors) == len(x) and len(x) > 1 else colors[0],
            "size": sizes if len(sizes) == len(x) and len(x) > 1 else sizes[0],
        },
    }


def _bars(axes: Any) -> tuple[list[dict[str, Any]], set[int]]:
    """A trace for each set of bars, and what belongs to them."""
    traces, taken = [], set()
    for container in axes.containers:
        if type(container).__name__ != "BarContainer" or container.errorbar is not None:
            raise _NotSimple
        if not container.patches:
            continue
        is_flat = container.orientation == "horizontal"
        places, lengths, widths, bases, colors = [], [], [], [], []
        for bar in container.patches:
            x, y, width, height = bar.get_x(), bar.get_y(), bar.get_width(), bar.get_height()
            if bar.get_hatch() or bar.get_angle():
                raise _NotSimple
            places.append(y + height / 2 if is_flat else x + width / 2)
            lengths.append(width if is_flat else height)
            widths.append(height if is_flat else width)
            bases.append(x if is_flat else y)
            colors.append(_color(bar.get_facecolor(), None))
            taken.add(id(bar))
        values = {"x": lengths, "y": places} if is_flat else {"x": places, "y": lengths}
        traces.append(
            {
                "type": "bar",
                "orientation": "h" if is_flat else "v",
                **_named(container),
                **{name: _values(one) for name, one in values.items()},
                "width": _values(widths),
                "base": _values(bases),
                "marker": {"color": colors if len(set(colors)) > 1 else colors[0]},
            }
        )
    return traces, taken


def _axis(axis: Any, limits: tuple[float, float]) -> dict[str, Any]:
    """An axis with its title, scale and range, and with its labels where they are no plain numbers."""
    scale = axis.get_scale()
    if scale not in {"linear", "log"}:
        raise _NotSimple
    has_grid = any(line.get_visible() for line in axis.get_gridlines()[:1])
    made: dict[str, Any] = {"showgrid": has_grid, **_FRAME}
    if text := axis.get_label_text():
        made["title"] = {"text": text}
    low, high = (float(limit) for limit in limits)
    if scale == "log":
        from math import log10

        made.update(type="log", range=[log10(low), log10(high)])
        return made
    made.update(type="linear", range=[low, high])
    if type(axis.get_major_formatter()).__name__ not in {"ScalarFormatter", "NullFormatter"}:
        # Categories, dates, percents: as they are written there.
        places = plain_values("ticks", axis.get_majorticklocs())
        labels = axis.get_major_formatter().format_ticks(places)
        made.update(tickmode="array", tickvals=places, ticktext=[plain_text(label) for label in labels])
    return made


def _named(artist: Any) -> dict[str, Any]:
    label = artist.get_label()
    is_named = isinstance(label, str) and label and not label.startswith("_")
    return {"name": label} if is_named else {"showlegend": False}


def _values(data: Any) -> list[Any]:
    values = data.filled(float("nan")) if hasattr(data, "filled") else data
    plain: list[Any] = plain_values("values", values)
    if any(not isinstance(value, (int, float)) for value in plain):
        raise _NotSimple
    return plain


def _color(color: Any, alpha: float | None) -> str:
    from matplotlib.colors import to_rgba

    if isinstance(color, str) and color.lower() == "none":
        return "rgba(0, 0, 0, 0)"
    red, green, blue, opacity = to_rgba(color, alpha)
    return f"rgba({round(red * 255)}, {round(green * 255)}, {round(blue * 255)}, {opacity:g})"
