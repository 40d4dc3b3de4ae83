"""Models that Keras and TensorFlow save and load.

Keras is heard where its ways meet: the methods of a model, its callbacks and the functions of `keras.saving`
all come by the modules that are bound here. Each is passed over where a version of Keras has it not.
"""

from typing import Any

from eventlog.sdk.automatic.hooks import Call, after
from eventlog.sdk.automatic.models import loaded, saved
from eventlog.sdk.frameworks import Framework

__all__ = [
    "bind_checkpoint",
    "bind_checkpoint_manager",
    "bind_keras_api",
    "bind_keras_hdf5",
    "bind_keras_model",
    "bind_keras_zip",
    "bind_saved_model",
    "bind_tensorflow",
]

_GROUP = "models"


def bind_keras_model(module: Any) -> None:
    """Hear what `keras.Model` saves and loads."""
    for name in ("save", "save_weights"):
        after(module.Model, name, "keras", _model_saved, group=_GROUP)
    after(module.Model, "load_weights", "keras", _loaded, group=_GROUP)


def bind_keras_api(module: Any) -> None:
    """Hear `keras.saving`, as Keras itself calls it."""
    for name in ("save_model", "save_weights"):
        after(module, name, "keras", _saved, group=_GROUP)
    after(module, "load_model", "keras", _loaded, group=_GROUP)
    after(module, "load_weights", "keras", _weights_loaded, group=_GROUP)


def bind_keras_zip(module: Any) -> None:
    """Hear what is saved and loaded in Keras's own format."""
    for name in ("save_model", "save_weights_only"):
        after(module, name, "keras", _saved, group=_GROUP)
    after(module, "load_model", "keras", _loaded, group=_GROUP)
    after(module, "load_weights_only", "keras", _weights_loaded, group=_GROUP)


def bind_keras_hdf5(module: Any) -> None:
    """Hear what is saved and loaded in HDF5."""
    after(module, "save_model_to_hdf5", "keras", _saved, group=_GROUP)
    after(module, "load_model_from_hdf5", "keras", _loaded, group=_GROUP)


def bind_tensorflow(tensorflow: Any) -> None:
    """Hear `tf.saved_model`."""
    bind_saved_model(tensorflow.saved_model)


def bind_saved_model(saved_model: Any) -> None:
    """Hear what is saved and loaded as a SavedModel, which is a folder.

    The module is made a second time where something is imported from it by its public name.
    """
    after(saved_model, "save", "tensorflow", _folder_saved, group=_GROUP)
    after(saved_model, "load", "tensorflow", _folder_loaded, group=_GROUP)


def bind_checkpoint_manager(module: Any) -> None:
    """Hear what `tf.train.CheckpointManager` saves; what it restores, its checkpoint does."""
    after(module.CheckpointManager, "save", "tensorflow", _checkpoint_saved, group=_GROUP)


def bind_checkpoint(module: Any) -> None:
    """Hear what `tf.train.Checkpoint` saves and restores: several files of one beginning."""
    for name in ("save", "write"):
        after(module.Checkpoint, name, "tensorflow", _checkpoint_saved, group=_GROUP)
    for name in ("restore", "read"):
        after(module.Checkpoint, name, "tensorflow", _checkpoint_loaded, group=_GROUP)


def _model_saved(task: Any, call: Call) -> None:
    saved(task, "keras", Framework.keras, call.argument(0, "filepath"), call.instance)


def _saved(task: Any, call: Call) -> None:
    saved(task, "keras", Framework.keras, call.argument(1, "filepath"), call.argument(0, "model"))


def _loaded(task: Any, call: Call) -> None:
    loaded(task, "keras", Framework.keras, call.argument(0, "filepath"))


def _weights_loaded(task: Any, call: Call) -> None:
    loaded(task, "keras", Framework.keras, call.argument(1, "filepath"))


def _folder_saved(task: Any, call: Call) -> None:
    saved(task, "tensorflow", Framework.tensorflow, call.argument(1, "export_dir"), call.argument(0, "obj"))


def _folder_loaded(task: Any, call: Call) -> None:
    loaded(task, "tensorflow", Framework.tensorflow, call.argument(0, "export_dir"))


def _checkpoint_saved(task: Any, call: Call) -> None:
    saved(task, "tensorflow", Framework.tensorflow, call.result, call.instance)


def _checkpoint_loaded(task: Any, call: Call) -> None:
    loaded(task, "tensorflow", Framework.tensorflow, call.argument(0, "save_path"))
