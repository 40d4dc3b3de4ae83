"""The same calls draw the same pictures as those that ClearML itself records offline."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.sdk.scripts import Scripts

CALLS = """
import warnings
import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
logger = task.get_logger()
square = np.arange(4).reshape(2, 2)
logger.report_histogram("histogram", "plain", [1, 2, 3])
logger.report_histogram(
    "histogram", "full", np.arange(6).reshape(2, 3), iteration=3, labels=["A", "B"], xlabels=list("xyz"),
    xaxis="X", yaxis="Y", mode="stack", data_args={"orientation": "h"},
    extra_layout={"barmode": "relative", "xaxis": {"type": "date"}},
)
logger.report_histogram("histogram", "rows", [[1, 2], [3, 4]], iteration=4)
logger.report_vector("vector", "v", np.arange(3), iteration=2, xaxis="X", extra_layout={"showlegend": False})
logger.report_table("table", "frame", 1, pd.DataFrame({"a": [1, 2], "b": ["q", "r"]}, index=["x", "y"]))
logger.report_table("table", "rows", 1, [["a", "b"], [1, 2], [3, 4]], extra_layout={"height": 600})
named = pd.DataFrame({"a": [1.5, 2]}, index=pd.Index([5, 6], name="index"))
logger.report_table("table", "named", 1, named, extra_data={"columnwidth": [2.0, 1.0]})
Series = type(logger).SeriesInfo
logger.report_line_plot(
    "lines", [Series("one", [(1, 2), (3, 4)]), Series("two", np.array([[1, 2], [5, 6]]), labels=["p", "q"])],
    "X", "Y", mode="markers", iteration=5, reverse_xaxis=True, comment="why", extra_layout={"width": 9},
)
logger.report_scatter2d("scatter", "plain", [(1, 2), (3, 4)])
logger.report_scatter2d(
    "scatter", "full", np.array([[1, 2], [3, 4.5]]), 1, "X", "Y", ["p", "q"], "lines+markers", "C",
    {"xaxis": {"type": "date", "range": [1, 2]}},
)
logger.report_scatter3d("space", "plain", [(1, 2, 3), (3, 4, 5)])
logger.report_scatter3d("space", "full", np.eye(3), 2, "X", "Y", "Z", list("pqr"), "lines", comment="C")
logger.report_confusion_matrix("matrix", "plain", square)
logger.report_confusion_matrix(
    "matrix", "full", np.arange(6).reshape(2, 3), 9, "X", "Y", list("abc"), list("de"), True, "C"
)
logger.report_confusion_matrix("matrix", "nan", np.array([[0.5, np.nan], [np.inf, 1]]))
logger.report_matrix("matrix", "old", square, iteration=1, yaxis_reversed=True)
logger.report_surface("surface", "plain", square)
logger.report_surface(
    "surface", "full", square, 1, "X", "Y", "Z", ["a", "b"], ["c", "d"], camera=[1, 2, 3], comment="C",
    extra_layout={"width": 7},
)
logger.report_plotly("plotly", "p", {"data": [{"type": "bar", "y": np.arange(3)}], "layout": {"width": 7}}, 6)
"""

OFFLINE = """
from clearml import Task
Task.set_offline(True)
task = Task.init("plots", "plots", auto_connect_frameworks=False, auto_resource_monitoring=False)
"""
# What is reported is written by then; an orderly end waits for its look at the packages, for minutes.
OFFLINE_END = """
import os
logger.flush(wait=True)
print("folder", task.get_offline_mode_folder(), flush=True)
os._exit(0)
"""
SETTINGS = "sdk { development { worker { report_period_sec: 1 }, report_use_subprocess: false } }"

OURS = """
import json
from eventlog import Task
task = Task.init("plots", "plots")
"""
OURS_END = """
print(json.dumps(task.get_reported_plots()))
"""

# What a trace and a layout are drawn from. Colors, fonts and spikes are each one's own.
DRAWN = {
    *("type", "x", "y", "z", "mode", "text", "orientation", "header", "cells", "values", "columnwidth"),
    *("texttemplate", "title", "xaxis", "yaxis", "zaxis", "scene", "barmode", "bargap", "width", "height"),
    *("range", "autorange", "ticktext", "tickvals", "camera", "eye", "showlegend", "showspikes"),
}


def drawn(value: Any, name: str = "") -> Any:
    """What of a figure makes the picture: without what is null, and titles in one form."""
    if isinstance(value, dict):
        kept = {key: drawn(inner, key) for key, inner in value.items() if key in DRAWN or name == "eye"}
        return {key: inner for key, inner in kept.items() if inner not in (None, {})}
    if isinstance(value, list):
        return [drawn(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def picture(text: str) -> Any:
    figure = json.loads(text)
    layout = drawn(figure.get("layout", {}))
    for axis in (layout, *layout.values(), *layout.get("scene", {}).values()):
        if isinstance(axis, dict) and isinstance(axis.get("title"), dict):
            axis["title"] = axis["title"]["text"]
    # ClearML lays out a key that Plotly does not know there.
    layout.pop("texttemplate", None)
    return {"data": drawn(figure["data"]), "layout": layout}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int], str]:
    """The plots that ClearML wrote, as text."""
    home = tmp_path_factory.mktemp("clearml")
    (home / "clearml.conf").write_text(SETTINGS)
    script = home / "script.py"
    script.write_text(OFFLINE + CALLS + OFFLINE_END)
    environment = {**os.environ, "HOME": str(home), "CLEARML_OFFLINE_MODE": "1"}
    ran = subprocess.run(
        [sys.executable, str(script)], env=environment, cwd=home, capture_output=True, text=True, timeout=60
    )
    assert "folder " in ran.stdout, ran.stderr
    (folder,) = [line.split(" ", 1)[1] for line in ran.stdout.splitlines() if line.startswith("folder ")]
    plots = {}
    for line in (Path(folder) / "metrics.jsonl").read_text().splitlines():
        for event in json.loads(line):
            plots[event["metric"], event["variant"], event["iter"]] = event["plot_str"]
    return plots


def test_the_pictures_are_those_that_clearml_draws(
    scripts: Scripts, theirs: dict[tuple[str, str, int], str]
) -> None:
    ran = scripts.run(dedent(OURS) + CALLS + dedent(OURS_END))
    ours = {(plot["metric"], plot["variant"], plot["iter"]): plot["plot_str"] for plot in json.loads(ran.out)}
    assert len(ours) == 19
    assert ours.keys() == theirs.keys()
    for names, text in ours.items():
        assert picture(text) == picture(theirs[names]), names
