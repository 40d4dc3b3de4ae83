"""Hooks are attached to libraries when the script imports them, before or after `Task.init`.

No library is imported for it. A finder at the front of `sys.meta_path` waits for the first import of a
library that has hooks; only then wrapt comes in, which attaches them all, each after its module was imported.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from eventlog.sdk.automatic import parsers
from eventlog.sdk.automatic.listening import safely, warn_once

__all__ = ["COMMAND_LINES", "FRAMEWORKS", "attach", "attach_to_command_lines"]

_PACKAGE = "eventlog.sdk.automatic"
# By name of a library's module, ``module:function``: what attaches hooks to it, called with the module.
# Attached as soon as `Task` is imported, since a script may parse its command line before `Task.init`:
COMMAND_LINES: dict[str, str] = {
    "absl.flags._flagvalues": "absl_flags:bind",
    "click.core": "click_commands:bind",
    "fire.core": "fire_calls:bind",
    "hydra._internal.callbacks": "hydra_jobs:bind_callbacks",
    "hydra._internal.hydra": "hydra_jobs:bind",
    "jsonargparse._core": "jsonargparse_parsers:bind",
    "jsonargparse.core": "jsonargparse_parsers:bind",
    "typer._click.core": "click_commands:bind",
}
# Attached by `Task.init`:
FRAMEWORKS: dict[str, str] = {
    "catboost": "boosting_metrics:bind_catboost",
    "catboost.core": "boosting_models:bind_catboost",
    "fastai.learner": "fastai_metrics:bind",
    "joblib": "joblib_models:bind",
    "keras.src.legacy.saving.legacy_h5_format": "keras_models:bind_keras_hdf5",
    "keras.src.models.model": "keras_models:bind_keras_model",
    "keras.src.saving.saving_api": "keras_models:bind_keras_api",
    "keras.src.saving.saving_lib": "keras_models:bind_keras_zip",
    "lightgbm": "boosting_metrics:bind_lightgbm",
    "lightgbm.basic": "boosting_models:bind_lightgbm",
    "lightning.pytorch.trainer.trainer": "lightning_models:bind",
    "matplotlib.animation": "matplotlib:bind_animation",
    "matplotlib.backend_bases": "matplotlib:bind_backend_bases",
    "matplotlib.figure": "matplotlib:bind_figure",
    "matplotlib.pyplot": "matplotlib:bind_pyplot",
    "matplotlib_inline.backend_inline": "matplotlib:bind_inline_backend",
    "megengine": "megengine_models:bind",
    "pytorch_lightning.trainer.trainer": "lightning_models:bind",
    "tensorboard.summary.writer.event_file_writer": "tensorboard:bind_event_writer",
    "tensorboardX.event_file_writer": "tensorboard:bind_event_writer",
    "tensorflow": "keras_models:bind_tensorflow",
    "tensorflow.python.checkpoint.checkpoint": "keras_models:bind_checkpoint",
    "tensorflow.python.checkpoint.checkpoint_management": "keras_models:bind_checkpoint_manager",
    "tensorflow.python.ops.gen_summary_ops": "tensorflow_summaries:bind_summary_ops",
    "tensorflow.python.summary.writer.event_file_writer": "tensorboard:bind_tensorflow_event_writer",
    "tensorflow.saved_model": "keras_models:bind_saved_model",
    "torch": "torch_models:bind",
    "torch.onnx": "torch_models:bind_onnx",
    "xgboost.callback": "boosting_metrics:bind_xgboost",
    "xgboost.core": "boosting_models:bind_xgboost",
}


def attach_to_command_lines() -> None:
    """Listen to whatever may read the command line; calling it again changes nothing."""
    safely("the command line", parsers.hook)
    attach(COMMAND_LINES)


def attach(hooks: Mapping[str, str]) -> None:
    """Attach hooks to those modules that are imported, and to the others as soon as they are.

    Args:
        hooks: by name of the module, ``module:function`` in this package; one of the tables of this module.
    """
    new = {name: place for name, place in hooks.items() if name not in _known}
    _known.update(new)
    _waiting.update(new)
    if new and (_is_open or any(name in sys.modules for name in new)):
        _hand_over()
    elif new and not any(isinstance(finder, _First) for finder in sys.meta_path):
        sys.meta_path.insert(0, _First())


class _First(MetaPathFinder):
    """Finds nothing: it only notices the first import of a library that has hooks."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _waiting:
            return None
        _hand_over()
        # wrapt's own stands before this one now, and the search has passed it.
        for finder in sys.meta_path:
            if finder is not self and type(finder).__module__.partition(".")[0] == "wrapt":
                return finder.find_spec(fullname, path, target)
        return None


def _hand_over() -> None:
    """Hand the hooks that wait to wrapt."""
    global _is_open
    _is_open = True
    # Not under a lock: attaching may import what another thread is importing, which may come here.
    hooks = dict(_waiting)
    _waiting.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _First)]
    try:
        from wrapt import register_post_import_hook
    except Exception as error:
        warn_once("what libraries do", error)
        return
    for name, place in hooks.items():
        register_post_import_hook(partial(_bind, place), name)


def _bind(place: str, module: Any) -> None:
    """Attach the hooks of one module; whatever goes wrong, its import does not fail."""
    name, _, function = place.partition(":")
    try:
        bind: Callable[[Any], None] = getattr(import_module(f"{_PACKAGE}.{name}"), function)
        bind(module)
    except Exception as error:
        warn_once(f"what {module.__name__} does", error)


_known: dict[str, str] = {}
_waiting: dict[str, str] = {}
_is_open = False
