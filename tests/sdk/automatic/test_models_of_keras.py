"""What Keras and TensorFlow save and load is a model: files, folders, and checkpoints of several files."""

from pathlib import Path

import pytest

from tests.sdk.automatic.model_scripts import Trained, needs

pytestmark = [pytest.mark.libraries, pytest.mark.timeout(180), needs("tensorflow", "keras")]

NET = """
import numpy as np
import keras
net = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
net.compile("sgd", "mse")
"""


def test_models_weights_and_checkpoints_of_keras(train: Trained) -> None:
    done = train(
        NET
        + """
net.save("net.keras")
net.save("legacy.h5")
net.save_weights("w.weights.h5")
keras.saving.save_model(net, "function.keras")
checkpoint = keras.callbacks.ModelCheckpoint("epoch{epoch}.keras")
last = keras.callbacks.ModelCheckpoint("last.weights.h5", save_weights_only=True)
net.fit(np.zeros((4, 2)), np.zeros((4, 1)), epochs=2, verbose=0, callbacks=[checkpoint, last])
keras.models.load_model("net.keras")
net.load_weights("w.weights.h5")
keras.saving.load_model("legacy.h5", compile=False)
"""
    )
    assert done.models("output") == [
        *("net", "legacy", "w.weights", "function", "epoch1", "last.weights", "epoch2")
    ]
    assert sorted(done.models("input")) == ["legacy", "net", "w.weights"]
    assert {model.framework for model in done.task.models["output"]} == {"Keras"}


def test_saved_models_and_checkpoints_of_tensorflow(train: Trained) -> None:
    text = """
import tensorflow as tf
tf.saved_model.save(net, "folder")
net.export("exported")
tf.saved_model.load("folder")
checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
checkpoint.save("checkpoints/saved")
checkpoint.write("checkpoints/written")
checkpoint.read("checkpoints/written").expect_partial()
manager = tf.train.CheckpointManager(checkpoint, "managed", max_to_keep=1)
manager.save()
checkpoint.restore(manager.latest_checkpoint)
"""
    done = train(NET + text)
    assert done.models("output") == ["folder", "exported", "saved-1", "written", "ckpt-2"]
    assert done.models("input") == ["folder", "written", "ckpt-2"]
    assert {model.framework for model in done.task.models["output"]} == {"TensorFlow"}
    models = done.task.models["output"]
    assert Path(models["folder"].get_local_copy(), "saved_model.pb").exists()
    assert Path(models["written"].get_local_copy() + ".index").exists()
    kept = train(NET + text, name="kept", output_uri=True)
    names = {path.name for path in Path(kept.task.models["output"]["ckpt-2"].get_local_copy()).iterdir()}
    assert names == {"ckpt-2.index", "ckpt-2.data-00000-of-00001"}
    folder = Path(kept.task.models["output"]["folder"].get_local_copy())
    assert (folder / "saved_model.pb").exists()


def test_files_are_chosen_by_tensorflow_s_name(train: Trained) -> None:
    done = train(
        NET + "net.save('a.keras')\nnet.save('b.h5')\n",
        auto_connect_frameworks={"tensorflow": "*.h5"},
    )
    assert done.models("output") == ["b"]
