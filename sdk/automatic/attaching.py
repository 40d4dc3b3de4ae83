"""Hooks are attached to libraries when the script imports them, before or after `Task.init`.

No library is imported for it. A finder at the front of `sys.meta_path` has the hooks of a module attached
after it was imported; wrapt comes in with the first of them.
"""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from eventlog.sdk.automatic.listening import warn_once

if TYPE_CHECKING:
    # Importing it takes milliseconds, and a finder need not be of its class.
    from importlib.abc import Loader

__all__ = ["COMMAND_LINES", "FRAMEWORKS", "attach", "attach_to_command_lines"]

_PACKAGE = "eventlog.sdk.automatic"
# By name of a library's module, ``module:function``: what attaches hooks to it, called with the module.
# Attached as soon as `Task` is imported, since a script may parse its command line before `Task.init`:
COMMAND_LINES: dict[str, str] = {
    "absl.flags._flagvalues": "absl_flags:bind",
    "argparse": "parsers:bind",
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
    attach(COMMAND_LINES)


def attach(hooks: Mapping[str, str]) -> None:
    """Attach hooks to those modules that are imported, and to the others as soon as they are.

    Args:
        hooks: by name of the module, ``module:function`` in this package; one of the tables of this module.
    """
    new = {name: place for name, place in hooks.items() if name not in _known}
    _known.update(new)
    _waiting.update(new)
    for name in new:
        if (module := sys.modules.get(name)) is not None:
            _bind(name, module)
    if new and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds a module that has hooks where it would be found without it, to be told when it was imported.

    What finds modules is called under the lock of all imports, so nothing may be imported meanwhile, not even
    the package that a module is in: another thread would wait for that lock while it imports the package.
    """

    def __init__(self) -> None:
        self._busy: set[tuple[int, str]] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # Another finder may ask all of them again.
        busy = threading.get_ident(), fullname
        if fullname not in _waiting or busy in self._busy:
            return None
        self._busy.add(busy)
        try:
            spec = self._find(fullname, path, target)
        finally:
            self._busy.discard(busy)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = cast("Loader", _Loader(spec.loader))
        return spec

    def _find(self, *args: Any) -> ModuleSpec | None:
        finders = list(sys.meta_path)
        place = next((place for place, finder in enumerate(finders) if finder is self), -1)
        for finder in finders[place + 1 :]:
            if hasattr(finder, "find_spec") and (spec := finder.find_spec(*args)) is not None:
                return spec
        return None


class _Loader:
    """A module's own loader, which then has the hooks attached; the module never sees this one."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __repr__(self) -> str:
        return repr(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._loader)

    def exec_module(self, module: Any) -> None:
        spec = getattr(module, "__spec__", None)
        if spec is not None and spec.loader is self:
            spec.loader = self._loader
        if getattr(module, "__loader__", None) is self:
            module.__loader__ = self._loader
        self._loader.exec_module(module)
        name = module.__name__ if spec is None else spec.name
        # It may have put another object in its place.
        _bind(name, sys.modules.get(name, module))


def _bind(name: str, module: Any) -> None:
    """Attach the hooks of one module; whatever goes wrong, its import does not fail."""
    place = _waiting.pop(name, None)
    if place is None:
        return
    binding, _, function = place.partition(":")
    try:
        bind: Callable[[Any], None] = getattr(import_module(f"{_PACKAGE}.{binding}"), function)
        bind(module)
    except Exception as error:
        warn_once(f"what {name} does", error)


_known: dict[str, str] = {}
_waiting: dict[str, str] = {}
