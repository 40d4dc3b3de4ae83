"""`eventlog scalars`: a task's series in a table, as curves, as CSV or as Parquet."""

import sys
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from eventlog.cli.curve import Axes, Span
from eventlog.cli.documents import series_document
from eventlog.cli.metrics import of_machine
from eventlog.cli.moments import iso
from eventlog.cli.naming import resolve_any
from eventlog.cli.opening import as_json, examples, opened_views, task_argument
from eventlog.cli.printing import Part, console, document, drawn, line, nothing
from eventlog.cli.tables import Cell, Column, table
from eventlog.cli.task_page import figures, print_metrics
from eventlog.cli.written_files import force_option, refuse_taken, written_whole
from eventlog.errors import InputInvalid, NotFound

if TYPE_CHECKING:
    import pyarrow

    from eventlog.projections import SeriesSummary, Views

__all__ = ["command"]

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red")
# More curves than colours cannot be told apart.
MAX_CURVES = len(COLOURS)
HEIGHT = 18
MAX_WIDTH = 120


@click.command(
    "scalars",
    short_help="Show a task's scalars: a table, curves, CSV or Parquet.",
    epilog=examples(
        "eventlog scalars digits/baseline",
        "eventlog scalars digits/baseline loss --series train",
        "eventlog scalars 3fa9 --csv > scalars.csv",
    ),
)
@task_argument()
@click.argument("title", required=False)
@click.option("--series", "-s", "names", multiple=True, help="Only this series.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the points as CSV.")
@click.option(
    "--parquet",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the points to a Parquet file.",
)
@force_option
@as_json
@click.pass_obj
def command(
    home: Path | None,
    task: str,
    title: str | None,
    names: tuple[str, ...],
    as_csv: bool,
    parquet: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Show a task's series, or with TITLE the curves of one plot.

    What the machine was busy with is shown when its TITLE is given: ":monitor:machine", ":monitor:gpu".

    CSV and Parquet have the columns title, series, iteration, time, value.

    With --json: a list, each series with title, series, points, first_iteration, last_iteration, last, min,
    max; with TITLE also the points, as lists iterations, times, values.
    """
    if as_csv + as_json + (parquet is not None) > 1:
        raise click.UsageError("choose one of --csv, --parquet and --json")
    if parquet is not None:
        refuse_taken(parquet, force=force)
    with opened_views(home, reports=True) as views:
        found = resolve_any(views, task)
        series = views.series(found)
        machine = [one for one in series if title is None and of_machine(one)]
        chosen = _choose([one for one in series if one not in machine], title, names)
        if as_csv:
            _write_csv(views, found, chosen)
        elif parquet is not None:
            _write_parquet(views, found, chosen, parquet, force=force)
        elif as_json:
            document([_document(views, found, one, points=title is not None) for one in chosen])
        elif title is None or not drawn():
            print_metrics(chosen) if chosen else nothing("no scalars")
            if machine and drawn():
                titles = " and ".join(sorted({one.title for one in machine}))
                line((f"besides {titles}, by title", "dim"))
        else:
            _draw(views, found, title, chosen)


def _choose(
    series: Sequence["SeriesSummary"], title: str | None, names: Sequence[str]
) -> Sequence["SeriesSummary"]:
    if title is not None:
        titles = sorted({one.title for one in series})
        series = [one for one in series if one.title == title]
        if not series:
            raise NotFound(f"the task has no scalars titled '{title}'; it has {', '.join(titles) or 'none'}")
    missing = set(names).difference(one.series for one in series)
    if missing:
        known = ", ".join(sorted({one.series for one in series})) or "none"
        raise NotFound(f"there is no series '{min(missing)}' there; there is {known}")
    return [one for one in series if one.series in names] if names else series


def _document(views: "Views", task: str, series: "SeriesSummary", *, points: bool) -> dict[str, Any]:
    written = series_document(series)
    if points:
        columns = views.scalars(task, series.title, series.series).to_pydict()
        written["iterations"] = columns["iteration"]
        written["times"] = [iso(time) for time in columns["time"]]
        written["values"] = columns["value"]
    return written


def _draw(views: "Views", task: str, title: str, series: Sequence["SeriesSummary"]) -> None:
    """Curves over one another, or one after another where there are no colours to tell them apart."""
    columns = min(console().width, MAX_WIDTH)
    left_out = len(series) - MAX_CURVES
    curves = [_curve(views, task, one, 2 * columns) for one in series[:MAX_CURVES]]
    line((title, "bold"))
    for group in [[curve] for curve in curves] if console().no_color else [curves]:
        for row in _plot(group, columns):
            line(*row)
        line()
        _print_legend(group)
    if left_out > 0:
        line((f"and {left_out} more: name them with --series", "dim"))


class _Curve(NamedTuple):
    """A series as it is drawn.

    Attributes:
        summary: of all its points.
        pieces: iterations and values, in order and finite; where others lie between, a new piece begins.
    """

    summary: "SeriesSummary"
    pieces: list[list[tuple[int, float]]]


def _curve(views: "Views", task: str, summary: "SeriesSummary", stretches: int) -> _Curve:
    """The curve of a series, of whose points few are kept for each of so many stretches."""
    outline = views.outline(task, summary.title, summary.series, stretches)
    if outline is not None:
        return _Curve(summary, [sorted(outline, key=_first)])

    from pyarrow import compute

    from eventlog.projections import downsample

    points = views.scalars(task, summary.title, summary.series)
    finite = compute.is_finite(points["value"])
    kept = downsample(points.filter(finite), 4 * stretches)
    pairs = sorted(zip(kept["iteration"].to_pylist(), kept["value"].to_pylist(), strict=True), key=_first)
    gaps = sorted(points.filter(compute.invert(finite))["iteration"].to_pylist())
    return _Curve(summary, list(_pieces(pairs, gaps)))


def _first(point: tuple[int, float]) -> int:
    return point[0]


def _pieces(points: Iterable[tuple[int, float]], gaps: Sequence[int]) -> Iterator[list[tuple[int, float]]]:
    """Points in order, cut where a gap lies between two of them."""
    for _, piece in groupby(points, lambda point: bisect(gaps, point[0])):
        yield list(piece)


def _plot(curves: Sequence[_Curve], columns: int) -> Iterator[tuple[Part, ...]]:
    values = [value for curve in curves for piece in curve.pieces for _, value in piece]
    if not values:
        yield (("no finite value to draw", "dim"),)
        return
    first = min(curve.summary.first_iteration for curve in curves)
    last = max(curve.summary.last_iteration for curve in curves)
    height = min(HEIGHT, max(8, console().height - 8))
    axes = Axes(first, last, min(values), max(values), columns, height)
    for curve, colour in zip(curves, COLOURS, strict=False):
        for piece in curve.pieces:
            axes.draw(_spans(piece, axes), colour)
    yield from axes.lines()


def _spans(points: Sequence[tuple[int, float]], axes: Axes) -> dict[int, Span]:
    spans: dict[int, Span] = {}
    for iteration, value in points:
        column = int((iteration - axes.first) / (axes.last - axes.first) * (axes.dots - 1))
        before = spans.get(column, Span(value, value, value, value))
        spans[column] = Span(before.first, min(before.low, value), max(before.high, value), value)
    return spans


def _print_legend(curves: Sequence[_Curve]) -> None:
    columns, cells = figures([curve.summary for curve in curves])
    rows: list[list[Cell | str]] = [
        [Cell(curve.summary.series, (("━━ ", colour), curve.summary.series)), *row]
        for curve, colour, row in zip(curves, COLOURS, cells, strict=False)
    ]
    table((Column("SERIES", cut=1), *columns), rows)


def _points(views: "Views", task: str, series: Sequence["SeriesSummary"]) -> Iterator["pyarrow.Table"]:
    """The points of each series, as files have them: with its title and name beside them."""
    import pyarrow

    for one in series:
        points = views.scalars(task, one.title, one.series)
        yield pyarrow.table(
            [
                pyarrow.repeat(one.title, len(points)),
                pyarrow.repeat(one.series, len(points)),
                points["iteration"],
                points["time"].cast(pyarrow.timestamp("ms", "UTC")),
                points["value"],
            ],
            schema=_schema(),
        )


def _schema() -> "pyarrow.Schema":
    import pyarrow

    return pyarrow.schema(
        [
            ("title", pyarrow.string()),
            ("series", pyarrow.string()),
            ("iteration", pyarrow.int64()),
            ("time", pyarrow.timestamp("ms", "UTC")),
            ("value", pyarrow.float64()),
        ]
    )


def _write_csv(views: "Views", task: str, series: Sequence["SeriesSummary"]) -> None:
    import pyarrow
    from pyarrow import compute, csv

    # Seconds have the digits of the column's unit.
    text = "%Y-%m-%dT%H:%M:%SZ"
    at = _schema().get_field_index("time")
    schema = _schema().set(at, pyarrow.field("time", pyarrow.string()))
    options = csv.WriteOptions(quoting_style="needed")
    with csv.CSVWriter(sys.stdout.buffer, schema, write_options=options) as writer:
        for points in _points(views, task, series):
            times = compute.strftime(points["time"].cast(pyarrow.timestamp("ms")), format=text)
            writer.write_table(points.set_column(at, "time", times))


def _write_parquet(
    views: "Views", task: str, series: Sequence["SeriesSummary"], path: Path, *, force: bool
) -> None:
    from pyarrow import ArrowException, parquet

    try:
        with (
            written_whole(path, force=force) as temporary,
            # Opened here, since Arrow's errors name the file that it is told to open.
            temporary.open("xb") as file,
            parquet.ParquetWriter(file, _schema()) as writer,
        ):
            for points in _points(views, task, series):
                writer.write_table(points)
    except ArrowException as error:
        raise InputInvalid(f"{path} cannot be written: {error}") from None
    count = sum(one.count for one in series)
    line(f"wrote {count} points of {len(series)} series to {path}")
