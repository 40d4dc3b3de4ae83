"""Models that PyTorch saves and loads."""

import sys
from typing import Any

from eventlog.sdk.automatic.hooks import Call, after
from eventlog.sdk.automatic.models import loaded, saved
from eventlog.sdk.frameworks import Framework

__all__ = ["bind", "bind_onnx"]

_GROUP = "models"


def bind(torch: Any) -> None:
    """Hear what `torch` saves, and what it loads."""
    after(torch, "save", "pytorch", _saved, group=_GROUP)
    after(torch, "load", "pytorch", _loaded, group=_GROUP)
    jit = getattr(torch, "jit", None)
    if jit is not None:
        after(jit, "save", "pytorch", _saved, group=_GROUP)
        after(jit, "load", "pytorch", _loaded, group=_GROUP)
        for name in ("ScriptModule", "RecursiveScriptModule"):
            script_module = getattr(jit, name, None)
            if script_module is not None:
                after(script_module, "save", "pytorch", _script_module_saved, group=_GROUP)


def bind_onnx(onnx: Any) -> None:
    """Hear what `torch.onnx` exports."""
    after(onnx, "export", "pytorch", _exported, group=_GROUP)


def _saved(task: Any, call: Call) -> None:
    saved(task, "pytorch", Framework.pytorch, call.argument(1, "f"), call.argument(0, "obj"))


def _loaded(task: Any, call: Call) -> None:
    worker = sys.modules.get("torch.utils.data._utils.worker")
    if worker is not None and worker.get_worker_info() is not None:
        # What a data loader's worker loads is data.
        return
    loaded(task, "pytorch", Framework.pytorch, call.argument(0, "f"))


def _script_module_saved(task: Any, call: Call) -> None:
    saved(task, "pytorch", Framework.pytorch, call.argument(0, "f"), call.instance)


def _exported(task: Any, call: Call) -> None:
    saved(task, "pytorch", Framework.onnx, call.argument(2, "f"), call.argument(0, "model"))
