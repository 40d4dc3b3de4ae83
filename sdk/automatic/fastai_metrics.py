"""What fastai's recorder records: the losses, the metrics and the optimizer's numbers, as scalars.

The names are ClearML's, which end in the number of the training in the process. What `Learner.save`, `load`
and `export` do is heard where PyTorch does it.
"""

import itertools
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from eventlog.sdk.automatic.hooks import Call, after

__all__ = ["bind"]


@dataclass
class _Training:
    """One call of `fit`: its number, and how many batches it has trained on."""

    number: int
    batches: int = 0


def bind(learner: Any) -> None:
    """Hear `fastai.learner.Recorder`, which is a callback of every learner."""
    after(learner.Recorder, "before_fit", "fastai", _begin)
    after(learner.Recorder, "after_batch", "fastai", _after_batch)
    after(learner.Recorder, "after_epoch", "fastai", _after_epoch)


def _begin(task: Any, call: Call) -> None:
    _trainings[call.instance] = _Training(next(_numbers))


def _after_batch(task: Any, call: Call) -> None:
    recorder = call.instance
    training = _trainings.get(recorder)
    if training is None or not recorder.training:
        return
    training.batches += 1
    logger, number, iteration = task.get_logger(), training.number, training.batches
    for metric in recorder._train_mets:
        name = "avg_smooth_loss" if metric is recorder.smooth_loss else metric.name
        _report(logger, f"metrics_{number}", f"train_{name}", metric.value, iteration)
    for name, value in recorder.opt.hypers[-1].items():
        _report(logger, f"{name}_{number}", name, value, iteration)


def _after_epoch(task: Any, call: Call) -> None:
    training = _trainings.get(call.instance)
    if training is None:
        return
    logger = task.get_logger()
    for metric in call.instance._valid_mets:
        title = f"metrics_{training.number}"
        _report(logger, title, f"valid_{metric.name}", metric.value, training.batches)


def _report(logger: Any, title: str, series: str, value: Any, iteration: int) -> None:
    """Report a number; what a metric has instead, such as None without data, is passed over."""
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        return
    logger.report_scalar(title, series, number, iteration)


_trainings: WeakKeyDictionary[Any, _Training] = WeakKeyDictionary()
_numbers = itertools.count()
