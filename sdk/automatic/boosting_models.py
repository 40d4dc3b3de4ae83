"""Models that XGBoost, LightGBM and CatBoost save and load; those of their scikit-learn classes, too."""

from typing import Any

from eventlog.sdk.automatic.hooks import Call, after
from eventlog.sdk.automatic.models import loaded, saved
from eventlog.sdk.frameworks import Framework

__all__ = ["bind_catboost", "bind_lightgbm", "bind_xgboost"]

_GROUP = "models"


def bind_xgboost(core: Any) -> None:
    """Hear what `xgboost.core.Booster` saves and loads; the classes above it save and load by it."""
    after(core.Booster, "save_model", "xgboost", _save_xgboost, group=_GROUP)
    after(core.Booster, "load_model", "xgboost", _load_xgboost, group=_GROUP)


def bind_lightgbm(basic: Any) -> None:
    """Hear what `lightgbm.basic.Booster` saves, and what it is made from."""
    after(basic.Booster, "save_model", "lightgbm", _save_lightgbm, group=_GROUP)
    after(basic.Booster, "__init__", "lightgbm", _load_lightgbm, group=_GROUP)


def bind_catboost(core: Any) -> None:
    """Hear what `catboost.core.CatBoost` saves and loads; its other classes inherit both."""
    after(core.CatBoost, "save_model", "catboost", _save_catboost, group=_GROUP)
    after(core.CatBoost, "load_model", "catboost", _load_catboost, group=_GROUP)


def _save_xgboost(task: Any, call: Call) -> None:
    saved(task, "xgboost", Framework.xgboost, call.argument(0, "fname"), call.instance)


def _load_xgboost(task: Any, call: Call) -> None:
    loaded(task, "xgboost", Framework.xgboost, call.argument(0, "fname"))


def _save_lightgbm(task: Any, call: Call) -> None:
    saved(task, "lightgbm", Framework.lightgbm, call.argument(0, "filename"), call.instance)


def _load_lightgbm(task: Any, call: Call) -> None:
    loaded(task, "lightgbm", Framework.lightgbm, call.argument(2, "model_file"))


def _save_catboost(task: Any, call: Call) -> None:
    saved(task, "catboost", Framework.catboost, call.argument(0, "fname"), call.instance)


def _load_catboost(task: Any, call: Call) -> None:
    loaded(task, "catboost", Framework.catboost, call.argument(0, "fname"))
