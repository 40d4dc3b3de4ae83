"""What a script reports as plots: the methods that make a Plotly figure and append it.

`Logger` and models have these methods. What a figure is made of lies in `plotly_figures.py`, `tables.py` and
`figure_json.py`, which are imported by the first plot.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eventlog.errors import StoreFull, StoreReadOnly
from eventlog.events import Event, EventsDropped, PlotReported
from eventlog.sdk.numbers import as_iteration
from eventlog.sdk.plain_text import INLINE_SIZE, check_title
from eventlog.store import Store

if TYPE_CHECKING:
    from eventlog.sdk.series_info import SeriesInfo

__all__ = ["PlotReports"]

# Bytes; what memory has to hold where the disk is full.
_LARGEST_INLINE = 1 << 20


class PlotReports:
    """The methods that report plots, to whatever has a store and says how a report about it is appended.

    Each plot is of an iteration, 0 by default; of each title, series and iteration the last one counts. In
    all of them `extra_layout` is laid over the figure's layout, as Plotly names things there
    (https://plotly.com/javascript/reference/layout/). Data may be lists, NumPy arrays, frames and series of
    pandas, or tensors. NaN and infinity are drawn as gaps.

    Attributes:
        _store: where large figures are kept.
    """

    _store: Store

    def _report(self, kind: type[Event], *fields: Any) -> None:
        """Append a report of a kind about this task or model; the fields are those after its id."""
        raise NotImplementedError

    def report_histogram(
        self,
        title: str,
        series: str,
        values: Any,
        iteration: int | None = None,
        labels: Sequence[str] | None = None,
        xlabels: Sequence[str] | None = None,
        xaxis: str | None = None,
        yaxis: str | None = None,
        mode: str | None = None,
        data_args: Mapping[str, Any] | None = None,
        extra_layout: Mapping[str, Any] | None = None,
    ) -> None:
        """Report bars; the values are drawn as they are, nothing is counted here.

        Args:
            title, series: the plot.
            values: the heights of the bars; or a row for each group of bars.
            iteration: the step, a whole number of 64 bits.
            labels: what the legend calls each group.
            xlabels: what stands below each bar.
            xaxis, yaxis: titles of the axes.
            mode: "group" (side by side), "stack", "relative" or "overlay".
            data_args: laid over each group of bars, such as ``{"orientation": "h"}``.
            extra_layout: laid over the layout.

        Raises:
            InputInvalid: the values are no numbers, or their shape does not fit.
        """
        from eventlog.sdk.plotly_figures import histogram

        names = check_title(title, series)
        figure = histogram(*names, values, labels, xlabels, xaxis, yaxis, mode, data_args, extra_layout)
        self._report_figure(*names, iteration, figure)

    def report_vector(
        self,
        title: str,
        series: str,
        values: Any,
        iteration: int | None = None,
        labels: Sequence[str] | None = None,
        xlabels: Sequence[str] | None = None,
        xaxis: str | None = None,
        yaxis: str | None = None,
        mode: str | None = None,
        extra_layout: Mapping[str, Any] | None = None,
    ) -> None:
        """As `report_histogram`."""
        self.report_histogram(
            title,
            series,
            values,
            iteration,
            labels=labels,
            xlabels=xlabels,
            xaxis=xaxis,
            yaxis=yaxis,
            mode=mode,
            extra_layout=extra_layout,
        )

    def report_table(
        self,
        title: str,
        series: str,
        iteration: int | None = None,
        table_plot: Any = None,
        csv: str | None = None,
        url: str | None = None,
        extra_layout: Mapping[str, Any] | None = None,
        extra_data: Mapping[str, Any] | None = None,
    ) -> None:
        """Report a table: exactly one of `table_plot`, `csv` and `url` is given.

        Args:
            title, series: the plot.
            iteration: the step, a whole number of 64 bits.
            table_plot: a frame of pandas, or a list of rows, the first of which is the header.
            csv: the path of a CSV file, whose first line is the header.
            url: where such a file is, by any scheme of fsspec; it is fetched now.
            extra_layout: laid over the layout.
            extra_data: laid over the table, such as ``{"columnwidth": [2, 1]}``.

        Raises:
            InputInvalid: it is no table, there is no such file, or none or several are given.
            NotFound, RemoteUnreachable, RemoteInvalid, NotAvailable: the URL cannot be read.
        """
        from eventlog.sdk.tables import table

        names = check_title(title, series)
        figure = table(*names, table_plot, csv, url, extra_layout, extra_data)
        self._report_figure(*names, iteration, figure)

    def report_line_plot(
        self,
        title: str,
        series: "Sequence[SeriesInfo | Mapping[str, Any]]",
        xaxis: str | None = None,
        yaxis: str | None = None,
        mode: str = "lines",
        iteration: int | None = None,
        reverse_xaxis: bool = False,
        comment: str | None = None,
        extra_layout: Mapping[str, Any] | None = None,
    ) -> None:
        """Report several lines as one plot.

        Args:
            title: the plot; its series is "".
            series: a `SeriesInfo` for each line, or a dictionary with its name, data and labels.
            xaxis, yaxis: titles of the axes.
            mode: "lines", "markers" or "lines+markers".
            iteration: the step, a whole number of 64 bits.
            reverse_xaxis: x grows to the left.
            comment: stands below the title.
            extra_layout: laid over the layout.

        Raises:
            InputInvalid: the data of a line are no points (x, y), or its labels do not fit them.
        """
        from eventlog.sdk.plotly_figures import lines

        names = check_title(title, "")
        figure = lines(names[0], series, xaxis, yaxis, mode, reverse_xaxis, comment, extra_layout)
        self._report_figure(*names, iteration, figure)

    def report_scatter2d(
        self,
        title: str,
        series: str,
        scatter: Any,
        iteration: int | None = None,
        xaxis: str | None = None,
        yaxis: str | None = None,
        labels: Sequence[str] | None = None,
        mode: str = "lines",
        comment: str | None = None,
        extra_layout: Mapping[str, Any] | None = None,
    ) -> None:
        """Report points of a plane, or a line through them.

        Args:
            title, series: the plot; those of one title and iteration are drawn together.
            scatter: points (x, y): numbers, or texts and dates.
            iteration: the step, a whole number of 64 bits.
            xaxis, yaxis: titles of the axes.
            labels: a text for each point.
            mode: "lines", "markers" or "lines+markers".
            comment: stands below the title.
            extra_layout: laid over the layout.

        Raises:
            InputInvalid: these are no points, or the labels do not fit them.
        """
        from eventlog.sdk.plotly_figures import scatter_2d

        names = check_title(title, series)
        figure = scatter_2d(*names, scatter, xaxis, yaxis, labels, mode, comment, extra_layout)
        self._report_figure(*names, iteration, figure)

    def report_scatter3d(
        self,
        title: str,
        series: str,
        scatter: Any,
        iteration: int | None = None,
        xaxis: str | None = None,
        yaxis: str | None = None,
        zaxis: str | None = None,
        labels: Sequence[str] | None = None,
        mode: str = "markers",
        fill: bool = False,
        comment: str | None = None,
        extra_layout: Mapping[str, Any] | None = None,
    ) -> None:
        """Report points in space.

        Args:
            title, series: the plot.
            scatter: points (x, y, z); or several lists of such points.
            iteration: the step, a whole number of 64 bits.
            xaxis, yaxis, zaxis: titles of the axes.
            labels: a text for each point; of several lists of points, as many lists.
            mode: "lines", "markers" or "lines+markers".
            fill: a surface through the points is drawn, too.
            comment: stands below the title.
            extra_layout: laid over the layout.

        Raises:
            InputInvalid: these are no points, or the labels are no list.
        """
        from eventlog.sdk.plotly_figures import scatter_3d

        names = check_title(title, series)
        figure = scatter_3d(*names, scatter, xaxis, yaxis, zaxis, labels, mode, fill, comment, extra_layout)
        self._report_figure(*names, iteration, figure)

    def report_confusion_matrix(
        self,
        title: str,
        series: str,
        matrix: Any,
        iteration: int | None = None,
        xaxis: str | None = None,
        yaxis: str | None = None,
        xlabels: Sequence[str] | None = None,
        ylabels: Sequence[str] | None = None,
        yaxis_reversed: bool = False,
        comment: str | None = None,
        extra_layout: Mapping[str, Any] | None = None,
    ) -> None:
        """Report a matrix, drawn as colors with their numbers.

        Args:
            title, series: the plot.
            matrix: rows of numbers.
            iteration: the step, a whole number of 64 bits.
            xaxis, yaxis: titles of the axes.
            xlabels: a text for each column.
            ylabels: a text for each row.
            yaxis_reversed: the first row is at the top instead of the bottom.
            comment: stands below the title.
            extra_layout: laid over the layout.

        Raises:
            InputInvalid: it is no matrix of numbers, or the labels are no list.
        """
        from eventlog.sdk.plotly_figures import heat_map

        names = check_title(title, series)
        figure = heat_map(
            *names, matrix, xaxis, yaxis, xlabels, ylabels, yaxis_reversed, comment, extra_layout
        )
        self._report_figure(*names, iteration, figure)

    def report_matrix(
        self,
        title: str,
        series: str,
        matrix: Any,
        iteration: int | None = None,
        xaxis: str | None = None,
        yaxis: str | None = None,
        xlabels: Sequence[str] | None = None,
        ylabels: Sequence[str] | None = None,
        yaxis_reversed: bool = False,
        extra_layout: Mapping[str, Any] | None = None,
    ) -> None:
        """As `report_confusion_matrix`."""
        self.report_confusion_matrix(
            title,
            series,
            matrix,
            iteration,
            xaxis=xaxis,
            yaxis=yaxis,
            xlabels=xlabels,
            ylabels=ylabels,
            yaxis_reversed=yaxis_reversed,
            extra_layout=extra_layout,
        )

    def report_surface(
        self,
        title: str,
        series: str,
        matrix: Any,
        iteration: int | None = None,
        xaxis: str | None = None,
        yaxis: str | None = None,
        zaxis: str | None = None,
        xlabels: Sequence[str] | None = None,
        ylabels: Sequence[str] | None = None,
        camera: Sequence[float] | None = None,
        comment: str | None = None,
        extra_layout: Mapping[str, Any] | None = None,
    ) -> None:
        """Report a matrix, drawn as heights.

        Args:
            title, series: the plot.
            matrix: rows of numbers.
            iteration: the step, a whole number of 64 bits.
            xaxis, yaxis, zaxis: titles of the axes.
            xlabels: a text for each column.
            ylabels: a text for each row.
            camera: from where it is seen, as (x, y, z) in sizes of the plot.
            comment: stands below the title.
            extra_layout: laid over the layout.

        Raises:
            InputInvalid: it is no matrix of numbers, the labels are no list, or the camera is no (x, y, z).
        """
        from eventlog.sdk.plotly_figures import surface

        names = check_title(title, series)
        figure = surface(*names, matrix, xaxis, yaxis, zaxis, xlabels, ylabels, camera, comment, extra_layout)
        self._report_figure(*names, iteration, figure)

    def _report_figure(self, title: str, series: str, iteration: Any, figure: Mapping[str, Any]) -> None:
        """Append a figure; title and series are checked already."""
        from eventlog.sdk.figure_json import figure_text

        step = self._iteration(iteration)
        text = figure_text(figure)
        data = text.encode()
        if len(data) <= INLINE_SIZE:
            self._report(PlotReported, title, series, step, text)
            return
        try:
            blob = self._store.blobs.put_bytes(data)
        except (StoreFull, StoreReadOnly) as error:
            if len(data) > _LARGEST_INLINE:
                self._store.session.warn(f"a plot that was reported could not be kept: {error}")
                self._store.session.append(EventsDropped, "", 1, str(error))
            else:
                # Without room for a blob the session still keeps it, in memory if need be.
                self._report(PlotReported, title, series, step, text)
            return
        self._report(PlotReported, title, series, step, "", blob)

    def _iteration(self, iteration: Any) -> int:
        """The iteration that a report is of; 0 where none is given."""
        return 0 if iteration is None else as_iteration(iteration)
