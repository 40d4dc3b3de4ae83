"""What is reported about a model itself: its metrics and plots."""

from typing import Any

from eventlog.events import Event, ScalarReported
from eventlog.sdk.numbers import as_float, as_iteration
from eventlog.sdk.plain_text import check_text
from eventlog.sdk.plot_reports import PlotReports

__all__ = ["SINGLE_VALUES", "ModelReports"]

# The title of a model's single values, and their iteration: the state of a model has no place for them.
SINGLE_VALUES = "Summary"
_NO_ITERATION = -(1 << 31)


class ModelReports(PlotReports):
    """The methods of a model that report to it; plots are reported as to a task."""

    _id: str

    def report_scalar(self, title: str, series: str, value: float, iteration: int) -> None:
        """Report a point of a curve of this model.

        Args:
            title: the plot; curves of one title are drawn together.
            series: the curve.
            value: a number of Python, NumPy or PyTorch; NaN and infinity are legal.
            iteration: the step, a whole number of 64 bits.

        Raises:
            InputInvalid: a value is not a number, or the iteration is not a whole one.
        """
        title = check_text("the title of a scalar", title)
        series = check_text("the series of a scalar", series)
        number = as_float("the value of a scalar", value)
        self._report(ScalarReported, title, series, as_iteration(iteration), number)

    def report_single_value(self, name: str, value: float) -> None:
        """Report one number for the whole model; the last one of a name counts.

        It is kept as a point of the series `name` under the title "Summary".

        Raises:
            InputInvalid: the value is not a number.
        """
        name = check_text("the name of a value", name)
        number = as_float(f"the value '{name}'", value)
        self._report(ScalarReported, SINGLE_VALUES, name, _NO_ITERATION, number)

    def _report(self, kind: type[Event], *fields: Any) -> None:
        self._check_there()
        self._store.session.append(kind, self._id, *fields)

    def _check_there(self) -> None:
        raise NotImplementedError
