"""Models that joblib saves and loads, as scikit-learn's documentation says to: any object, as with ClearML.

Only `joblib.dump` and `joblib.load` themselves are heard: what joblib caches, and hands to its workers, goes
by other ways.
"""

from typing import Any

from eventlog.sdk.automatic.hooks import Call, after
from eventlog.sdk.automatic.models import loaded, saved
from eventlog.sdk.frameworks import Framework

__all__ = ["bind"]


def bind(joblib: Any) -> None:
    """Hear what `joblib` dumps, and what it loads."""
    after(joblib, "dump", "joblib", _dumped, group="models")
    after(joblib, "load", "joblib", _loaded, group="models")


def _dumped(task: Any, call: Call) -> None:
    saved(task, "joblib", Framework.scikitlearn, call.argument(1, "filename"), call.argument(0, "value"))


def _loaded(task: Any, call: Call) -> None:
    loaded(task, "joblib", Framework.scikitlearn, call.argument(0, "filename"))
