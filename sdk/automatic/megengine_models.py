"""Models that MegEngine saves and loads."""

from typing import Any

from eventlog.sdk.automatic.hooks import Call, after
from eventlog.sdk.automatic.models import loaded, saved
from eventlog.sdk.frameworks import Framework

__all__ = ["bind"]


def bind(megengine: Any) -> None:
    """Hear what `megengine` saves, and what it loads."""
    after(megengine, "save", "megengine", _saved, group="models")
    after(megengine, "load", "megengine", _loaded, group="models")


def _saved(task: Any, call: Call) -> None:
    saved(task, "megengine", Framework.megengine, call.argument(1, "f"), call.argument(0, "obj"))


def _loaded(task: Any, call: Call) -> None:
    loaded(task, "megengine", Framework.megengine, call.argument(0, "f"))
