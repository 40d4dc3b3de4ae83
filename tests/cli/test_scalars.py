import csv
import io
import json
import math
import re
from pathlib import Path

import pytest

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASELINE, Run


def test_without_a_title_there_is_a_line_a_series(eventlog: Run, tasks: Path) -> None:
    header, train, validation = (line.split() for line in eventlog("scalars", BASELINE).lines)
    assert header == ["TITLE", "SERIES", "LAST", "MIN", "MAX", "POINTS", "ITERATIONS"]
    assert train == ["loss", "train", "0.05", "0.05", "1", "20", "0-19"]
    assert validation == ["loss", "validation", "0.06", "0.06", "1.2", "20", "0-19"]


def test_a_title_that_is_not_there_names_those_that_are(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("scalars", BASELINE, "accuracy")
    assert outcome.code == 1
    assert "'accuracy'; it has loss" in outcome.err
    outcome = eventlog("scalars", BASELINE, "loss", "--series", "test")
    assert outcome.code == 1
    assert "'test' there; there is train, validation" in outcome.err


def test_csv_has_every_point(eventlog: Run, tasks: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(eventlog("scalars", BASELINE, "--csv").out)))
    assert len(rows) == 40
    assert list(rows[0]) == ["title", "series", "iteration", "time", "value"]
    assert [float(row["value"]) for row in rows if row["series"] == "train"] == [
        1 / (at + 1) for at in range(20)
    ]
    (train,) = json.loads(eventlog("scalars", BASELINE, "loss", "-s", "train", "--json").out)
    assert [row["time"] for row in rows if row["series"] == "train"] == train["times"]


def test_csv_quotes_what_has_to_be_quoted(eventlog: Run, store: Store) -> None:
    store.session.append(events.TaskCreated, BASELINE, "odd", "digits")
    for value in (1.5, math.nan, math.inf, -math.inf):
        store.session.append(events.ScalarReported, BASELINE, 'a "b", c', "x", 0, value)
    store.flush()
    rows = list(csv.DictReader(io.StringIO(eventlog("scalars", BASELINE, "--csv").out)))
    assert {row["title"] for row in rows} == {'a "b", c'}
    assert sorted(row["value"] for row in rows) == ["-inf", "1.5", "inf", "nan"]


def test_parquet_has_every_point(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    path = tmp_path / "scalars.parquet"
    outcome = eventlog("scalars", BASELINE, "loss", "--series", "train", "--parquet", str(path))
    assert outcome.out == f"wrote 20 points of 1 series to {path}\n"
    table = parquet.read_table(path)
    assert table.column_names == ["title", "series", "iteration", "time", "value"]
    assert table["value"].to_pylist() == [1 / (at + 1) for at in range(20)]
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["scalars.parquet"]


def test_json_has_summaries_and_with_a_title_the_points(eventlog: Run, tasks: Path) -> None:
    summaries = json.loads(eventlog("scalars", BASELINE, "--json").out)
    assert [one["series"] for one in summaries] == ["train", "validation"]
    assert "values" not in summaries[0]
    (train,) = json.loads(eventlog("scalars", BASELINE, "loss", "-s", "train", "--json").out)
    assert train["iterations"] == list(range(20))
    assert train["values"][-1] == 0.05
    assert len(train["times"]) == 20
    assert train["points"] == 20


def test_a_curve_is_drawn_over_its_iterations(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("scalars", BASELINE, "loss", FORCE_COLOR="1", COLUMNS="60", LINES="30", NO_COLOR="")
    assert outcome.code == 0
    assert any("⠀" < letter <= "⣿" for letter in outcome.out)
    assert "train" in outcome.out
    assert "validation" in outcome.out


def test_without_colours_each_curve_has_axes_of_its_own(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("scalars", BASELINE, "loss", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="60", LINES="30")
    assert outcome.out.count("└┬") == 2
    assert "\x1b[3" not in outcome.out


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_series_without_a_finite_value_says_so(eventlog: Run, store: Store, value: float) -> None:
    store.session.append(events.TaskCreated, BASELINE, "odd", "digits")
    store.session.append(events.ScalarReported, BASELINE, "loss", "train", 0, value)
    store.flush()
    outcome = eventlog("scalars", BASELINE, "loss", FORCE_COLOR="1")
    assert outcome.code == 0
    assert "no finite value to draw" in outcome.out


def test_a_task_without_scalars_says_so(eventlog: Run, tasks: Path) -> None:
    assert eventlog("scalars", "77cc").err == "eventlog: no scalars\n"
    assert eventlog("scalars", "77cc", "--json").out == "[]\n"
    assert eventlog("scalars", "77cc", "--csv").out.strip() == '"title","series","iteration","time","value"'


def _report(store: Store, values: list[float]) -> None:
    store.session.append(events.TaskCreated, BASELINE, "odd", "digits")
    for iteration, value in enumerate(values):
        store.session.append(events.ScalarReported, BASELINE, "loss", "train", iteration, value)
    store.flush()


@pytest.mark.parametrize("length", [20, 20_000])
def test_a_curve_is_broken_where_values_are_not_finite_and_says_how_many(
    eventlog: Run, store: Store, length: int
) -> None:
    lost = range(length * 2 // 5, length * 3 // 5)
    _report(store, [math.nan if at in lost else 1.0 + at / length for at in range(length)])
    settings = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "66", "LINES": "30"}
    picture = re.sub(r"\x1b\[[0-9;]*m", "", eventlog("scalars", BASELINE, "loss", **settings).out)
    assert ["NOT", "FINITE"] == picture.split("ITERATIONS")[1].split()[:2]
    assert picture.split()[-1] == str(len(lost))
    rows = [line[line.index("┤") + 1 :] for line in picture.splitlines() if "┤" in line]
    rows += [line[line.index("│") + 1 :] for line in picture.splitlines() if "│" in line]
    columns = {at for row in rows for at, letter in enumerate(row) if "⠀" < letter <= "⣿"}
    gap = set(range(max(columns))) - columns
    assert gap == set(range(min(gap), max(gap) + 1))
    assert 0.15 < len(gap) / max(columns) < 0.3


def test_values_that_are_not_finite_are_counted_where_there_are_some(eventlog: Run, store: Store) -> None:
    _report(store, [1.0, math.nan, math.inf, -math.inf])
    header, train = eventlog("scalars", BASELINE).lines
    assert header.endswith("NOT FINITE")
    assert train.split()[-2:] == ["0-3", "3"]


def test_a_series_of_one_point_has_one_iteration(eventlog: Run, store: Store) -> None:
    _report(store, [1.0])
    header, train = eventlog("scalars", BASELINE).lines
    assert "NOT FINITE" not in header
    assert train.split() == ["loss", "train", "1", "1", "1", "1", "0"]
