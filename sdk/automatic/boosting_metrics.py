"""What XGBoost, LightGBM and CatBoost measure while they train, as scalars: a title for each data set.

The names are ClearML's: those of XGBoost and CatBoost end in the number of the training in the process, from
the second one on. A callback of CatBoost's would be handed all that was measured so far at each iteration,
which soon takes longer than the training, so CatBoost's are reported when a training has ended.
"""

import itertools
from typing import Any
from weakref import WeakKeyDictionary

from eventlog.sdk.automatic.hooks import Call, after, around
from eventlog.sdk.automatic.listening import hears, muted, safely

__all__ = ["bind_catboost", "bind_lightgbm", "bind_xgboost"]

# Not the framework's own: what is saved in the middle of a training is heard as a model.
_GROUP = "metrics"


def bind_xgboost(callback: Any) -> None:
    """Hear `xgboost.callback.CallbackContainer`, which every training has, and a cross-validation."""
    after(callback.CallbackContainer, "after_iteration", "xgboost", _record_xgboost, group=_GROUP)


def bind_lightgbm(package: Any) -> None:
    """Hear what a training of LightGBM asks its booster for; but not each fold of a cross-validation."""
    after(package.Booster, "eval_train", "lightgbm", _record_lightgbm, group=_GROUP)
    after(package.Booster, "eval_valid", "lightgbm", _record_lightgbm, group=_GROUP)
    # Where they are from is hooked with them; `sklearn` has names of its own for them.
    for module in (package, getattr(package, "sklearn", None)):
        if module is not None:
            around(module, "cv", _mute)
            around(module, "train", _connect_parameters)


def bind_catboost(package: Any) -> None:
    """Hear what all of CatBoost's classes train by."""
    after(package.core._CatBoostBase, "_train", "catboost", _record_catboost, group=_GROUP)


def _connect_parameters(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Connect what LightGBM is told to train with, as ClearML does: of a task, of its first training."""
    task = hears("lightgbm", _GROUP)
    parameters = args[0] if args else kwargs.get("params")
    if task is not None and type(parameters) is dict and task.id not in _connected:
        _connected.add(task.id)
        safely("the parameters of LightGBM", task.connect, parameters)
    return wrapped(*args, **kwargs)


def _mute(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    with muted(_GROUP):
        return wrapped(*args, **kwargs)


def _record_xgboost(task: Any, call: Call) -> None:
    container = call.instance
    number = _numbers_of_xgboost.get(container)
    if number is None:
        number = _numbers_of_xgboost[container] = next(_trainings_of_xgboost)
    if container.is_cv:
        return
    logger, iteration = task.get_logger(), call.argument(1, "epoch")
    for data, metrics in container.history.items():
        for metric, values in metrics.items():
            logger.report_scalar(_title(data, number), metric, float(values[-1]), iteration)


def _record_lightgbm(task: Any, call: Call) -> None:
    logger, iteration = task.get_logger(), call.instance.current_iteration() - 1
    for data, metric, value, *_ in call.result:
        logger.report_scalar(data, metric, float(value), iteration)


def _record_catboost(task: Any, call: Call) -> None:
    number, logger = next(_trainings_of_catboost), task.get_logger()
    parameters = call.argument(2, "params") or {}
    period = int(parameters.get("metric_period") or 1)
    curves = {
        (data, metric): values
        for data, metrics in call.instance.get_evals_result().items()
        for metric, values in metrics.items()
    }
    shortest = min(map(len, curves.values()), default=0)
    longest = max(map(len, curves.values()), default=0)
    # What decides when to stop is measured at each iteration, whatever the period.
    last = longest if longest > shortest else int(parameters.get("iterations") or 1000)
    for (data, metric), values in curves.items():
        step = period if len(values) == shortest else 1
        for place, value in enumerate(values):
            logger.report_scalar(_title(data, number), metric, float(value), min(place * step + 1, last))


def _title(data: str, number: int) -> str:
    return f"{data} - {number}" if number else data


_numbers_of_xgboost: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
_trainings_of_xgboost = itertools.count()
_trainings_of_catboost = itertools.count()
_connected: set[str] = set()
