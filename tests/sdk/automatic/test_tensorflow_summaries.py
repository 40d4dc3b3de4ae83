"""What TensorFlow writes for TensorBoard is reported as it is written, by `tf.summary` and by Keras."""

from importlib.util import find_spec

import pytest

from eventlog import Task
from tests.sdk.scripts import Scripts

pytestmark = [
    pytest.mark.libraries,
    pytest.mark.timeout(180),
    # Not imported here: it takes seconds, and hundreds of megabytes.
    pytest.mark.skipif(
        find_spec("tensorflow") is None or find_spec("tensorboard") is None,
        reason="TensorFlow and TensorBoard are not installed",
    ),
]

BEGIN = """
import warnings; warnings.simplefilter('ignore')
from eventlog import Task
task = Task.init('tests/auto', 'tensorflow', auto_connect_frameworks={})
"""


def curves(task: Task) -> dict[tuple[str, str], list[tuple[int, float]]]:
    return {
        (title, series): list(zip(points["x"], points["y"], strict=True))
        for title, of_title in task.get_all_reported_scalars().items()
        for series, points in of_title.items()
    }


def test_what_tf_summary_writes_is_reported(scripts: Scripts) -> None:
    text = "import tensorflow as tf\nearly = tf.summary.create_file_writer('runs/early')\n" + BEGIN.format(
        True
    )
    text += """
import numpy as np
with tf.summary.create_file_writer('runs/train').as_default():
    tf.summary.scalar('loss', 0.1, step=1)
    tf.summary.histogram('weights/layer', np.arange(10.0), step=1)
    tf.summary.image('samples/first', np.zeros((2, 8, 8, 3)), step=2)
    tf.summary.image('one', np.zeros((1, 8, 8, 3)), step=2)
    tf.summary.text('notes/one', 'hello', step=3)
    with tf.name_scope('scope'):
        tf.summary.scalar('deep', 0.5, step=tf.Variable(4, dtype=tf.int64))
    with tf.summary.record_if(False):
        tf.summary.scalar('loss', 9.0, step=9)
with tf.summary.create_file_writer('runs/test').as_default(step=7):
    tf.summary.scalar('loss', 0.75)
with early.as_default(step=8):
    tf.summary.scalar('early', 0.25)

@tf.function
def graph(value):
    tf.summary.scalar('in a graph', value, step=1)
with early.as_default():
    graph(tf.constant(1.0))

from tensorboard.plugins.hparams import api
with tf.summary.create_file_writer('runs/hparams').as_default():
    api.hparams({'lr': 0.1, 'optimizer': 'adam'})
"""
    scripts.run(text)
    (task,) = Task.get_tasks()
    assert curves(task) == {
        ("loss", "loss"): [(1, 0.1)],
        ("loss", "test: loss"): [(7, 0.75)],
        ("scope", "deep"): [(4, 0.5)],
        ("early", "early"): [(8, 0.25)],
    }
    assert task.get_parameters() == {"TB_hparams/lr": "0.1", "TB_hparams/optimizer": "adam"}
    assert [(plot["metric"], plot["variant"]) for plot in task.get_reported_plots()] == [("weights", "layer")]
    for title, series, step in (
        ("samples", "first_sample_0", 2),
        ("samples", "first_sample_1", 2),
        ("Images", "one", 2),
        ("notes", "one", 3),
    ):
        (sample,) = task.get_debug_samples(title, series)
        assert sample["iter"] == step


@pytest.mark.parametrize("framework", ["tensorflow", "tensorboard"])
def test_nothing_is_reported_where_it_is_not_wanted(scripts: Scripts, framework: str) -> None:
    text = BEGIN.format({framework: False})
    text += "import tensorflow as tf\nwith tf.summary.create_file_writer('runs').as_default():\n"
    text += "    tf.summary.scalar('loss', 0.1, step=1)\n"
    scripts.run(text)
    (task,) = Task.get_tasks()
    assert curves(task) == {}


def test_what_keras_writes_is_reported(scripts: Scripts) -> None:
    text = BEGIN.format(True)
    text += """
import numpy as np, keras
data = np.random.default_rng(0).normal(size=(32, 4)).astype('float32')
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1, activation='sigmoid')])
model.compile('adam', 'binary_crossentropy')
callback = keras.callbacks.TensorBoard('runs', histogram_freq=1)
model.fit(data, data[:, 0] > 0, epochs=2, validation_split=0.25, verbose=0, callbacks=[callback])
"""
    scripts.run(text)
    (task,) = Task.get_tasks()
    kept = curves(task)
    assert [step for step, _ in kept["epoch_loss", "epoch_loss"]] == [0, 1]
    assert [step for step, _ in kept["epoch_loss", "validation: epoch_loss"]] == [0, 1]
    assert "histogram" in {plot["variant"] for plot in task.get_reported_plots()}


def test_what_the_first_version_writes_is_reported(scripts: Scripts) -> None:
    text = BEGIN.format(True)
    text += """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()
value = tf.placeholder(tf.float32, [])
tf.summary.scalar('loss/train', value)
tf.summary.image('image', tf.zeros([1, 8, 8, 3]))
merged = tf.summary.merge_all()
writer = tf.summary.FileWriter('runs')
with tf.Session() as session:
    for step in range(2):
        writer.add_summary(session.run(merged, {value: step / 4}), step)
writer.add_summary(tf.Summary(value=[tf.Summary.Value(tag='made', simple_value=2.0)]), 9)
writer.close()
"""
    scripts.run(text)
    (task,) = Task.get_tasks()
    assert curves(task) == {("loss", "train"): [(0, 0.0), (1, 0.25)], ("made", "made"): [(9, 2.0)]}
    assert len(task.get_debug_samples("image", "image_0")) == 2
