"""What libraries import from ClearML's automatic logging to steer it: `clearml.binding…`.

What is recorded of models and of matplotlib's figures by itself is steered from here: switched off and on
and, for models, led past the callbacks that a library has put in the way, as pytorch-ignite's saver does.
A histogram of weights is a plot.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from eventlog.sdk.automatic import model_callbacks
from eventlog.sdk.automatic.listening import switch

__all__ = [
    "PatchPyTorchModelIO",
    "PatchedMatplotlib",
    "WeightsFileHandler",
    "WeightsGradientHistHelper",
]


class PatchPyTorchModelIO:
    """Switches the logging of what `torch.save` and `torch.load` do."""

    @staticmethod
    def update_current_task(task: Any, **_: Any) -> None:
        """Switch it off, with None, or on again, with the current task."""
        switch("pytorch", is_on=task is not None)


class PatchedMatplotlib:
    """Switches the logging of figures that matplotlib shows."""

    @staticmethod
    def update_current_task(task: Any, **_: Any) -> None:
        """Switch it off, with None, or on again, with the current task."""
        switch("matplotlib", is_on=task is not None)

    @staticmethod
    def report_figure(
        title: str,
        series: str,
        figure: Any,
        iter: int = 0,  # noqa: A002 (ClearML's name)
        logger: Any = None,
        **_: Any,
    ) -> None:
        """Report a figure to a logger, by default that of the current task."""
        logger = logger or _current_task().get_logger()
        logger.report_matplotlib_figure(title=title, series=series, figure=figure, iteration=iter)


class WeightsGradientHistHelper:
    """Reports arrays of weights and gradients as histograms.

    Args:
        logger: where to.
        report_freq: of so many calls for one title and series, the first is reported.
        histogram_granularity: the number of bins.
    """

    def __init__(
        self,
        logger: Any,
        report_freq: int = 100,
        histogram_update_freq_multiplier: int = 10,
        histogram_granularity: int = 50,
    ) -> None:
        self._logger = logger
        self._every = max(1, report_freq)
        self._bins = histogram_granularity
        self._calls: dict[tuple[str, str], int] = {}

    def add_histogram(
        self,
        title: str,
        series: str,
        step: int,
        hist_data: Any,
        increase_histogram_update_call_counter: bool = True,
    ) -> None:
        """Report how an array's values are spread, at a step."""
        import numpy

        calls = self._calls.get((title, series), 0)
        self._calls[title, series] = calls + 1
        if calls % self._every:
            return
        if isinstance(hist_data, dict):
            counts, edges = numpy.asarray(hist_data["bucket"]), numpy.asarray(hist_data["bucketLimit"])
        else:
            values = numpy.asarray(hist_data, dtype=float).ravel()
            counts, edges = numpy.histogram(values[numpy.isfinite(values)], self._bins)
        self._logger.report_histogram(
            title=title,
            series=series,
            values=counts,
            iteration=step,
            xlabels=[f"{edge:.4g}" for edge in edges[: len(counts)]],
            mode="relative",
        )

    def add_histograms(self, histograms: list[dict[str, Any]]) -> None:
        """Report several; each is the arguments of `add_histogram`."""
        for histogram in histograms:
            self.add_histogram(**histogram)


class WeightsFileHandler:
    """Makes models of files with weights, past callbacks that a library has put in the way."""

    CallbackType: TypeAlias = model_callbacks.CallbackType
    ModelInfo: TypeAlias = model_callbacks.ModelInfo

    @staticmethod
    def add_pre_callback(callback_function: Callable[..., Any]) -> int:
        """Call this with "save" or "load" and a `ModelInfo` before a model is recorded.

        What it returns is recorded, and nothing where that is None. Returns a handle.
        """
        return model_callbacks.BEFORE.add(callback_function)

    @staticmethod
    def add_post_callback(callback_function: Callable[..., Any]) -> int:
        """Call this with "save" or "load" and a `ModelInfo` after a model was recorded; returns a handle."""
        return model_callbacks.AFTER.add(callback_function)

    @staticmethod
    def remove_pre_callback(handle: int) -> bool:
        """Call it no more; returns whether there was one of this handle."""
        return model_callbacks.BEFORE.remove(handle)

    @staticmethod
    def remove_post_callback(handle: int) -> bool:
        """Call it no more; returns whether there was one of this handle."""
        return model_callbacks.AFTER.remove(handle)

    @staticmethod
    def create_output_model(
        model: Any,
        saved_path: Any,
        framework: str | None,
        task: Any,
        singlefile: bool = False,
        model_name: str | None = None,
        config_obj: Any = None,
    ) -> Any:
        """Make an output model of a file that was written, or a further version of the same.

        Args:
            model: the object that was saved; only callbacks see it.
            saved_path: the file.
            framework: what wrote it.
            task: whose it is; by default the current one.
            model_name: of the model; by default of the task and the file.
            config_obj: the model's design, as text or as a dictionary.

        Returns:
            `saved_path`.

        Raises:
            NotFound: there is no task.
        """
        from eventlog.sdk.automatic.model_files import path_given
        from eventlog.sdk.automatic.model_saves import record_save
        from eventlog.sdk.output_model import OutputModel

        task = task or _current_task()
        path = path_given(saved_path, has_written=True)
        if path is None:
            return saved_path
        made = record_save(task, path, str(saved_path), framework, model, model_name or "")
        if made is not None and config_obj is not None:
            given = {"config_text" if isinstance(config_obj, str) else "config_dict": config_obj}
            OutputModel._of(task, made).update_design(**given)
        return saved_path

    @staticmethod
    def restore_weights_file(model: Any, filepath: Any, framework: str | None, task: Any) -> Any:
        """Make an input model of a file that was read.

        Args:
            model: the object that was loaded; not used.
            filepath: the file.
            framework: what reads it.
            task: whose it is; by default the current one.

        Returns:
            `filepath`.

        Raises:
            NotFound: there is no task.
        """
        from eventlog.sdk.automatic.model_files import path_given
        from eventlog.sdk.automatic.model_loads import record_load

        path = path_given(filepath)
        task = task or _current_task()
        if path is not None:
            record_load(task, path, str(filepath), framework)
        return filepath


def _current_task() -> Any:
    from eventlog import Task
    from eventlog.errors import NotFound

    task = Task.current_task()
    if task is None:
        raise NotFound("there is no current task to make an output model of: call Task.init first")
    return task
