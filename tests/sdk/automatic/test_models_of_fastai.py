"""What a learner of fastai saves and loads is a model, and what it records is reported as by ClearML."""

import pytest

from tests.sdk.automatic.model_scripts import Trained, needs

pytestmark = [pytest.mark.libraries, pytest.mark.timeout(180), needs("torch", "fastai")]


def test_a_learner(train: Trained) -> None:
    done = train(
        """
from pathlib import Path
import torch
from fastai.callback.tracker import SaveModelCallback
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.metrics import mae

torch.manual_seed(0)
data = [(torch.randn(2), torch.randn(1)) for _ in range(16)]
loaders = DataLoaders(DataLoader(data, bs=4), DataLoader(data, bs=4))
learner = Learner(
    loaders, torch.nn.Linear(2, 1), loss_func=torch.nn.functional.mse_loss, metrics=mae, path=Path("work")
)
with learner.no_bar():
    learner.fit(2)
learner.save("first")
learner.load("first")
with learner.no_bar():
    learner.fit(1, cbs=SaveModelCallback())
"""
    )
    assert done.models("output") == done.models("input") == ["first", "model"]
    curves = done.task.get_reported_scalars()
    assert {"metrics_0", "metrics_1", "lr_0", "mom_0", "wd_0", "eps_0", "sqr_mom_0"} <= curves.keys()
    assert set(curves["metrics_0"]) == {"train_avg_smooth_loss", "valid_loss", "valid_mae"}
    assert curves["metrics_0"]["train_avg_smooth_loss"]["x"] == list(range(1, 9))
    assert curves["metrics_0"]["valid_mae"]["x"] == [4, 8]
    # As the learner prints them.
    _, *printed = eval(done.out.splitlines()[1])
    assert curves["metrics_0"]["train_avg_smooth_loss"]["y"][-1] == printed[0]
    assert [curves["metrics_0"][name]["y"][-1] for name in ("valid_loss", "valid_mae")] == printed[1:3]
    assert curves["lr_1"]["lr"]["y"] == [0.001] * 4


def test_switched_off(train: Trained) -> None:
    done = train("import fastai.learner\n", auto_connect_frameworks={"fastai": False})
    assert done.models("output") == []
