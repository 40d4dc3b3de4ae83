"""What libraries import from ClearML's automatic logging to steer it: `clearml.binding…`.

There is no automatic logging here yet, so switching it off is done by nothing. What adds to it is real: a
histogram of weights is a plot, and while a library listens for checkpoints (as pytorch-ignite's saver does),
what `torch.save` writes becomes an output model.
"""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from eventlog.errors import NotAvailable

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
        """Switch it off, with None.

        Raises:
            NotAvailable: a task was given, for which it would be switched on.
        """
        _only_off("PatchPyTorchModelIO", task, "report the model with OutputModel.update_weights")


class PatchedMatplotlib:
    """Switches the logging of figures that matplotlib shows."""

    @staticmethod
    def update_current_task(task: Any, **_: Any) -> None:
        """Switch it off, with None, or on again, with the current task."""
        from eventlog.sdk.automatic.listening import switch

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
    """Makes output models of files with weights, past callbacks that a library has put in the way."""

    class CallbackType(StrEnum):
        """What is about to be done, or was, when a callback is called."""

        save = "save"
        load = "load"

    @dataclass
    class ModelInfo:
        """What a callback sees and may change.

        Attributes:
            model: the output model, once there is one.
            upload_filename: what to call the file there.
            local_model_path: the file.
            local_model_id: files of one id are versions of one model.
            framework: what wrote it.
            task: whose it is.
        """

        model: Any
        upload_filename: str | None
        local_model_path: str
        local_model_id: str
        framework: str | None
        task: Any

        @property
        def weights_filename(self) -> str:
            """The file."""
            return self.local_model_path

    _before: ClassVar[dict[int, Callable[..., Any]]] = {}
    _after: ClassVar[dict[int, Callable[..., Any]]] = {}
    _models: ClassVar[dict[tuple[str, str], Any]] = {}
    _last_handle = 0

    @classmethod
    def add_pre_callback(cls, callback_function: Callable[..., Any]) -> int:
        """Call this with "save" and a `ModelInfo` before a model is made; what it returns is used.

        Where it returns None, no model is made. Returns a handle for `remove_pre_callback`.
        """
        return cls._add(cls._before, callback_function)

    @classmethod
    def add_post_callback(cls, callback_function: Callable[..., Any]) -> int:
        """Call this with "save" and a `ModelInfo` after a model was made; returns a handle."""
        return cls._add(cls._after, callback_function)

    @classmethod
    def remove_pre_callback(cls, handle: int) -> bool:
        """Call it no more; returns whether there was one of this handle."""
        return cls._remove(cls._before, handle)

    @classmethod
    def remove_post_callback(cls, handle: int) -> bool:
        """Call it no more; returns whether there was one of this handle."""
        return cls._remove(cls._after, handle)

    @classmethod
    def create_output_model(
        cls,
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
            model: the object that was saved; not used.
            saved_path: the file.
            framework: what wrote it.
            task: whose it is; by default the current one.
            model_name: of the model; by default of the task and the file.
            config_obj: the model's design, as text or as a dictionary.

        Returns:
            `saved_path`.
        """
        from eventlog import OutputModel

        task = task or _current_task()
        path = str(saved_path)
        info: Any = cls.ModelInfo(None, Path(path).name, path, path, framework, task)
        for callback in list(cls._before.values()):
            info = callback(cls.CallbackType.save, info)
            if info is None:
                return saved_path
        made = cls._models.get((task.id, info.local_model_id))
        if made is None:
            name = model_name or f"{task.name} - {Path(path).stem}"
            made = OutputModel(task=task, name=name, framework=info.framework)
            cls._models[task.id, info.local_model_id] = made
        if config_obj is not None:
            made.update_design(
                **{"config_text" if isinstance(config_obj, str) else "config_dict": config_obj}
            )
        made.update_weights(path, target_filename=info.upload_filename, auto_delete_file=False)
        info.model = made
        for callback in list(cls._after.values()):
            info = callback(cls.CallbackType.save, info) or info
        return saved_path

    @classmethod
    def restore_weights_file(cls, *args: Any, **kwargs: Any) -> Any:
        """Not here.

        Raises:
            NotAvailable: always.
        """
        raise NotAvailable(
            "WeightsFileHandler.restore_weights_file is not available: eventlog does not log what is loaded;"
            " use InputModel"
        )

    @classmethod
    def _add(cls, callbacks: dict[int, Callable[..., Any]], callback: Callable[..., Any]) -> int:
        with _lock:
            cls._last_handle += 1
            callbacks[cls._last_handle] = callback
            _listen_to_torch()
            return cls._last_handle

    @classmethod
    def _remove(cls, callbacks: dict[int, Callable[..., Any]], handle: int) -> bool:
        with _lock:
            known = callbacks.pop(handle, None) is not None
            if not cls._before and not cls._after:
                _leave_torch()
            return known


_lock = threading.RLock()
_torch_save: Callable[..., Any] | None = None


def _listen_to_torch() -> None:
    """Put a function in the place of `torch.save` that also makes an output model of what it has written."""
    global _torch_save
    torch = sys.modules.get("torch")
    if torch is None or _torch_save is not None:
        return
    original = _torch_save = torch.save

    def save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(obj, f, *args, **kwargs)
        # A stream that is still open has no file that could be read.
        if isinstance(f, (str, Path)):
            WeightsFileHandler.create_output_model(obj, f, "PyTorch", None)
        return result

    torch.save = save  # type: ignore[attr-defined]


def _leave_torch() -> None:
    global _torch_save
    if _torch_save is not None:
        sys.modules["torch"].save = _torch_save  # type: ignore[attr-defined]
        _torch_save = None


def _current_task() -> Any:
    from eventlog import Task
    from eventlog.errors import NotFound

    task = Task.current_task()
    if task is None:
        raise NotFound("there is no current task to make an output model of: call Task.init first")
    return task


def _only_off(name: str, task: Any, instead: str) -> None:
    if task is not None:
        raise NotAvailable(
            f"{name}.update_current_task with a task is not available: eventlog does not log this by itself;"
            f" {instead}"
        )
