"""What is written through PyTorch's own writer for TensorBoard is reported as it is written."""

import json
import warnings

import numpy as np
import pytest

from eventlog import Task
from tests.sdk.scripts import WITHOUT_TENSORFLOW, Scripts

pytestmark = [pytest.mark.libraries, pytest.mark.timeout(180)]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("torch")
    pytest.importorskip("tensorboard")

# PyTorch warns of what it is about to drop itself.
BEGIN = f"""{WITHOUT_TENSORFLOW}
import warnings; warnings.simplefilter('ignore')
from eventlog import Task
{{}}task = Task.init(project_name='tests/auto', task_name='torch')
import numpy as np, torch
from torch.utils.tensorboard import SummaryWriter
writer = SummaryWriter('runs/a')
"""


@pytest.mark.parametrize("first", ["", "from torch.utils.tensorboard import SummaryWriter\n"])
def test_all_that_pytorch_writes_is_reported(scripts: Scripts, first: str) -> None:
    text = BEGIN.format(first)
    text += """
for step in range(3):
    writer.add_scalar('loss/train', torch.tensor(0.1) * (step + 1), step)
writer.add_scalar('new', 0.25, 1, new_style=True)
writer.add_scalar('double', 0.1, 1, new_style=True, double_precision=True)
writer.add_scalars('group', {'one': 1, 'the other': 2}, 5)
writer.add_histogram('weights/layer', torch.randn(100), 1)
writer.add_image('samples/first', torch.rand(3, 8, 8), 1)
writer.add_text('note', 'hello', 2)
writer.add_audio('sound', torch.zeros(1, 800), 3, 8000)
writer.add_pr_curve('pr', np.array([0, 1, 1]), np.array([0.1, 0.8, 0.9]), 6)
writer.add_hparams({'lr': 0.1, 'size': 3, 'name': 'x'}, {'hparam/accuracy': 0.9}, run_name='tried')
writer.add_mesh('mesh', torch.rand(1, 4, 3), global_step=1)
writer.add_graph(torch.nn.Linear(2, 2), torch.rand(1, 2))
writer.close()
"""
    scripts.run(text)
    (task,) = Task.get_tasks()
    curves = {
        (title, series): list(zip(points["x"], points["y"], strict=True))
        for title, of_title in task.get_all_reported_scalars().items()
        for series, points in of_title.items()
    }
    assert curves == {
        ("loss", "train"): [(0, 0.1), (1, 0.2), (2, pytest.approx(0.3, abs=1e-7))],
        ("new", "new"): [(1, 0.25)],
        ("double", "double"): [(1, 0.1)],
        ("group", "one"): [(5, 1.0)],
        ("group", "the_other"): [(5, 2.0)],
        ("hparam", "accuracy"): [(0, 0.9)],
    }
    assert task.get_parameters() == {"TB_hparams/lr": "0.1", "TB_hparams/size": "3.0", "TB_hparams/name": "x"}
    plots = {(plot["metric"], plot["variant"], plot["iter"]) for plot in task.get_reported_plots()}
    assert plots == {("weights", "layer", 0), ("pr", "", 6)}
    for title, series, step in (
        ("samples", "first", 1),
        ("note", "text_summary", 2),
        ("Audio", "sound", 3),
    ):
        (sample,) = task.get_debug_samples(title, series)
        assert sample["iter"] == step


def test_a_histogram_of_pytorch_counts_its_values(scripts: Scripts) -> None:
    text = BEGIN.format("")
    text += "writer.add_histogram('h', np.concatenate([np.zeros(30), np.ones(70)]), 1)\nwriter.close()\n"
    scripts.run(text)
    (task,) = Task.get_tasks()
    (plot,) = task.get_reported_plots()
    ground, row = json.loads(plot["plot_str"])["data"][0]["z"]
    assert not any(ground)
    assert np.sum(row) == pytest.approx(100)
    # PyTorch counts them in bins that grow with their distance from 0.
    assert (row[0], sum(row[-5:])) == (pytest.approx(30), pytest.approx(70))
