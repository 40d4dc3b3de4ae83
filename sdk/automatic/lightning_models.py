"""Checkpoints that Lightning saves; what it loads, it loads with PyTorch."""

from typing import Any

from eventlog.sdk.automatic.hooks import Call, after
from eventlog.sdk.automatic.models import saved
from eventlog.sdk.frameworks import Framework

__all__ = ["bind"]


def bind(trainer: Any) -> None:
    """Hear what a `Trainer` saves, by itself or for its callbacks; the module is that of either package."""
    after(trainer.Trainer, "save_checkpoint", "lightning", _saved, group="models")


def _saved(task: Any, call: Call) -> None:
    # Of several processes, one writes it.
    if getattr(call.instance, "is_global_zero", True):
        saved(task, "lightning", Framework.pytorch, call.argument(0, "filepath"), call.instance)
