"""Checkpoints of Lightning are models, of its callbacks and of the trainer, once each; and are read."""

import pytest

from tests.sdk.automatic.model_scripts import Trained, needs

pytestmark = [pytest.mark.libraries, pytest.mark.timeout(180), needs("torch", "lightning")]


def test_checkpoints_are_models_and_what_is_loaded_is_read(train: Trained) -> None:
    done = train(
        """
import torch
import lightning
from lightning.pytorch.callbacks import ModelCheckpoint

class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def training_step(self, batch, index):
        loss = (self.layer(batch[0]) - batch[1]).square().mean()
        self.log("loss", loss)
        return loss
    def test_step(self, batch, index):
        pass
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

data = torch.utils.data.DataLoader([(torch.randn(2), torch.randn(1)) for _ in range(4)], batch_size=2)
trainer = lightning.Trainer(
    max_epochs=3, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False,
    enable_model_summary=False,
    callbacks=[ModelCheckpoint(dirpath="checkpoints", save_last=True, filename="{epoch}", save_top_k=-1)],
)
trainer.fit(Net(), data)
trainer.save_checkpoint("by hand.ckpt")
Net.load_from_checkpoint("by hand.ckpt")
trainer.test(Net(), data, ckpt_path="checkpoints/epoch=1.ckpt")
"""
    )
    assert done.models("output") == ["epoch=0", "last", "epoch=1", "epoch=2", "by hand"]
    assert done.models("input") == ["by hand", "epoch=1"]
    assert {model.framework for model in done.task.models["output"]} == {"PyTorch"}
    assert all(model.get_local_copy() for model in done.task.models["output"])
