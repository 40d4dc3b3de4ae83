"""What is written for TensorBoard becomes reports: by PyTorch's writer, by tensorboardX and by TensorFlow.

All of them write events through a class `EventFileWriter`, and that is where they are heard: whatever method
made the summary, its tag is there as it is written, and nothing is parsed or copied to read a number.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eventlog.sdk.automatic.hooks import around
from eventlog.sdk.automatic.listening import choices, hears, safely, warn_once
from eventlog.sdk.automatic.tensorboard_histograms import Histograms
from eventlog.sdk.automatic.tensorboard_names import TensorBoardNames
from eventlog.sdk.automatic.tensorboard_values import array_of, hyperparameters, shortest, texts_of
from eventlog.sdk.logger import Logger

if TYPE_CHECKING:
    from eventlog.sdk.task import Task

__all__ = ["Summaries", "bind_event_writer", "bind_tensorflow_event_writer", "summaries_of"]

# By how a file begins.
_IMAGES = {b"\x89PNG": ".png", b"GIF8": ".gif", b"\xff\xd8\xff": ".jpeg", b"RIFF": ".webp", b"BM": ".bmp"}
_SECTION = "TB_hparams"
# Characters, of a title or a series.
_LONGEST = 1024
# Of pr_curve's six rows.
_PRECISION, _RECALL = 4, 5


def bind_event_writer(module: Any) -> None:
    """Hook the class `EventFileWriter` of a module."""
    around(module.EventFileWriter, "add_event", _add_event)


def bind_tensorflow_event_writer(module: Any) -> None:
    """Hook the one of TensorFlow's first version."""
    around(module.EventFileWriter, "add_event", _add_tensorflow_event)


def _add_tensorflow_event(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    if not choices().wants("tensorflow"):
        return wrapped(*args, **kwargs)
    return _add_event(wrapped, instance, args, kwargs)


def _add_event(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    task = hears("tensorboard", "tensorboard")
    if task is not None:
        # Before: afterwards the writer's thread has woken up, and each step here would compete with it.
        try:
            event = args[0] if args else kwargs.get("event")
            values = getattr(getattr(event, "summary", None), "value", ())
            if len(values):
                summaries_of(task).add(values, instance.get_logdir(), event.step)
        except Exception as error:
            warn_once("what is written for TensorBoard", error)
    return wrapped(*args, **kwargs)


class Summaries:
    """Reports what is written for TensorBoard to one task."""

    def __init__(self, task: "Task") -> None:
        self.task = task
        self._logger = task.get_logger()
        self._names = TensorBoardNames()
        self._histograms = Histograms(self._logger)
        # Of scalars by tag, folder, and how they are to be drawn.
        self._curves: dict[tuple[str, str, bool, bool], tuple[str, str]] = {}
        # Some writers say only with the first value of a tag what it is.
        self._plugins: dict[tuple[str, str], str] = {}
        self._process = 0

    def __repr__(self) -> str:
        return f"<Summaries of {self.task!r}>"

    def add(self, values: Sequence[Any], folder: Any, step: int) -> None:
        """Report the values of a summary.

        Args:
            values: messages `Summary.Value`.
            folder: what the writer writes to.
            step: the step.
        """
        folder = folder if type(folder) is str else os.fsdecode(folder)
        # Mostly there is one, and asking for it is cheaper than a loop.
        for value in (values[0],) if len(values) == 1 else values:
            if value.WhichOneof("value") == "simple_value":
                self.add_scalar(value.tag, folder, step, shortest(value.simple_value))
            else:
                safely("what is written for TensorBoard", self._add_other, value, folder, step)

    def add_scalar(self, tag: str, folder: str, step: int, value: float) -> None:
        """Report a point of a curve."""
        key = tag, folder, Logger._tensorboard_single_series, Logger._tensorboard_group_scalars
        names = self._curves.get(key)
        if names is None:
            names = self._curves[key] = self._names.of_scalar(*key)
        self._logger.report_scalar(*names, value, step)

    def add_tensor(self, tag: str, folder: str, step: int, plugin: str, values: Any) -> None:
        """Report what one of TensorBoard's plugins is given.

        Args:
            tag: its tag.
            folder: what the writer writes to.
            step: the step.
            plugin: the plugin's name.
            values: an array of NumPy, or a list of bytes.
        """
        if plugin == "scalars":
            self.add_scalar(tag, folder, step, _number(values))
        elif plugin == "histograms":
            self._add_buckets(tag, folder, step, values)
        elif plugin == "pr_curves":
            self._add_curve(tag, folder, step, values)
        elif plugin == "images":
            # Before the images stand the width and the height.
            images = values[2:]
            for number, data in enumerate(images):
                self._add_image(tag if len(images) == 1 else f"{tag}/sample/{number}", folder, step, data)
        elif plugin == "text":
            text = b"\n\n".join(values)
            self._add_medium(self._names.of_medium("Text", tag, folder), step, text, ".txt")
        elif plugin == "audio":
            # Each sound may be followed by a label, which is no sound.
            for data in values:
                if data.startswith(b"RIFF"):
                    self._add_medium(self._names.of_medium("Audio", tag, folder), step, data, ".wav")

    def add_hyperparameters(self, content: bytes) -> None:
        """Record the hyperparameters of a run as parameters of the task."""
        if not choices().option("tensorboard", "report_hparams", True):
            return
        values = hyperparameters(content)
        if values:
            self.task.update_parameters({f"{_SECTION}/{name}": value for name, value in values.items()})

    def forget(self) -> None:
        """In a forked child: what is not reported yet is the parent's to report."""
        self._histograms = Histograms(self._logger)

    def _add_other(self, value: Any, folder: str, step: int) -> None:
        kind, tag = value.WhichOneof("value"), value.tag
        plugin = self._plugin(value, folder)
        if plugin == "hparams":
            self.add_hyperparameters(value.metadata.plugin_data.content)
        elif kind == "image":
            self._add_image(tag, folder, step, value.image.encoded_image_string)
        elif kind == "histo":
            self._add_histogram(tag, folder, step, value.histo)
        elif kind == "audio":
            names = self._names.of_medium("Audio", tag, folder)
            self._add_medium(names, step, value.audio.encoded_audio_string, ".wav")
        elif kind == "tensor" and plugin in {"images", "text", "audio"}:
            self.add_tensor(tag, folder, step, plugin, texts_of(value.tensor))
        elif kind == "tensor" and plugin in {"scalars", "histograms", "pr_curves"}:
            self.add_tensor(tag, folder, step, plugin, array_of(value.tensor))

    def _plugin(self, value: Any, folder: str) -> str:
        name: str = value.metadata.plugin_data.plugin_name
        if name:
            self._plugins[value.tag, folder] = name
            return name
        return self._plugins.get((value.tag, folder), "")

    def _add_image(self, tag: str, folder: str, step: int, data: bytes) -> None:
        extension = next((one for start, one in _IMAGES.items() if data.startswith(start)), ".png")
        self._add_medium(self._names.of_medium("Images", tag, folder), step, data, extension)

    def _add_medium(self, names: tuple[str, str], step: int, data: bytes, extension: str) -> None:
        from eventlog.sdk.media import medium_of_bytes
        from eventlog.sdk.plain_text import check_title

        title, series = (name[:_LONGEST] for name in names)
        medium = medium_of_bytes(data, extension)
        self._logger._report_medium(check_title(title, series), step, medium, None, False)

    def _add_histogram(self, tag: str, folder: str, step: int, histogram: Any) -> None:
        import numpy as np

        counts = np.array(histogram.bucket, dtype=float)
        if not len(counts):
            return
        # A bucket's limit is where it ends; the outermost ones may lie far from any value.
        edges = np.array([histogram.min, *histogram.bucket_limit], dtype=float)
        edges = np.maximum.accumulate(np.clip(edges, histogram.min, histogram.max))
        self._draw(tag, folder, step, edges, counts)

    def _add_buckets(self, tag: str, folder: str, step: int, buckets: Any) -> None:
        """A histogram as TensorFlow writes it: of each bucket its left edge, its right edge and its count."""
        import numpy as np

        buckets = np.asarray(buckets, dtype=float)
        if buckets.size:
            edges = np.append(buckets[:, 0], buckets[-1, 1])
            self._draw(tag, folder, step, edges, buckets[:, 2])

    def _draw(self, tag: str, folder: str, step: int, edges: Any, counts: Any) -> None:
        self._histograms.add(self._names.of_histogram(tag, folder), step, edges, counts)
        # Of the process, which may be a fork of the one that the task began in.
        if self._process != os.getpid() and self.task._automatic is not None:
            self._process = os.getpid()
            self.task._automatic.at_end("TensorBoard's histograms", self._histograms.settle)

    def _add_curve(self, tag: str, folder: str, step: int, rows: Any) -> None:
        title, series = self._names.of_plot(tag, folder)
        points = list(zip(rows[_RECALL].tolist(), rows[_PRECISION].tolist(), strict=True))
        self._logger.report_scatter2d(title, series, points, step, "Recall", "Precision")


def summaries_of(task: "Task") -> Summaries:
    """What reports to a task, as long as it runs."""
    global _summaries
    if _summaries is None or _summaries.task is not task:
        _summaries = Summaries(task)
    return _summaries


def _number(values: Any) -> float:
    number = float(values)
    return shortest(number) if getattr(values, "dtype", None) == "float32" else number


_summaries: Summaries | None = None


def _after_fork() -> None:
    if _summaries is not None:
        _summaries.forget()


os.register_at_fork(after_in_child=_after_fork)
