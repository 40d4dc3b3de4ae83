"""What libraries take from ClearML's bindings: switches that are off, histograms, checkpoint callbacks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from eventlog import Task
from eventlog.errors import NotFound
from eventlog.sdk.automatic.listening import hears
from eventlog.sdk.clearml_bindings import (
    PatchedMatplotlib,
    PatchPyTorchModelIO,
    WeightsFileHandler,
    WeightsGradientHistHelper,
)


def test_the_logging_of_figures_can_be_switched_off_and_on_again(task: Task, tmp_path: Path) -> None:
    def save(title: str) -> None:
        figure = Figure()
        figure.subplots().set_title(title)
        figure.savefig(tmp_path / "figure.png")

    PatchedMatplotlib.update_current_task(None)
    save("off")
    PatchedMatplotlib.update_current_task(task)
    save("on")
    assert [plot["metric"] for plot in task.get_reported_plots()] == ["on"]


def test_models_of_pytorch_are_switched_off_and_on_again(task: Task) -> None:
    assert hears("pytorch") is task
    PatchPyTorchModelIO.update_current_task(None)
    assert hears("pytorch") is None
    assert hears("xgboost") is task
    PatchPyTorchModelIO.update_current_task(task)
    assert hears("pytorch") is task


def test_an_array_is_reported_as_a_histogram(task: Task) -> None:
    helper = WeightsGradientHistHelper(logger=task.get_logger(), report_freq=1, histogram_granularity=4)
    helper.add_histogram(
        title="weights", series="layer", step=3, hist_data=np.array([[0.0, 1, 1], [4, np.nan, 0]])
    )
    (plot,) = task.get_reported_plots()
    assert (plot["metric"], plot["variant"], plot["iter"]) == ("weights", "layer", 3)
    assert json.loads(plot["plot_str"])["data"][0]["y"] == [2, 2, 0, 1]


def test_of_many_calls_every_so_many_is_reported(task: Task) -> None:
    helper = WeightsGradientHistHelper(logger=task.get_logger(), report_freq=3)
    histograms = [
        {"title": "weights", "series": "a", "step": step, "hist_data": np.ones(3)} for step in range(7)
    ]
    helper.add_histograms(histograms)
    assert sorted(plot["iter"] for plot in task.get_reported_plots()) == [0, 3, 6]


def test_a_checkpoint_becomes_a_model_past_the_callbacks(task: Task, tmp_path: Path) -> None:
    seen: list[tuple[str, Any]] = []

    def before(action: str, info: Any) -> Any:
        seen.append((action, info.model))
        info.upload_filename, info.local_model_id = "best_0.pt", "slot 0"
        return info

    def after(action: str, info: Any) -> Any:
        info.model.name, info.model.comment = "best", "of two"
        return info

    # Else the model would be the last of the files itself.
    task.output_uri = str(tmp_path / "destination")
    handles = WeightsFileHandler.add_pre_callback(before), WeightsFileHandler.add_post_callback(after)
    try:
        for number in (1, 2):
            path = tmp_path / f"checkpoint_{number}.pt"
            path.write_text(str(number))
            WeightsFileHandler.create_output_model(object(), str(path), "PyTorch", task)
            assert path.exists()
    finally:
        assert WeightsFileHandler.remove_pre_callback(handles[0])
        assert WeightsFileHandler.remove_post_callback(handles[1])
    assert not WeightsFileHandler.remove_pre_callback(handles[0])
    assert seen == [(WeightsFileHandler.CallbackType.save, None)] * 2
    (model,) = task.models["output"]
    assert (model.name, model.comment, model.framework) == ("best", "of two", "PyTorch")
    copy = Path(model.get_local_copy())
    assert (copy.name, copy.read_text()) == ("best_0.pt", "2")


def test_a_callback_may_refuse_a_model(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.touch()
    handle = WeightsFileHandler.add_pre_callback(lambda action, info: None)
    try:
        assert WeightsFileHandler.create_output_model(None, path, "PyTorch", None) == path
    finally:
        WeightsFileHandler.remove_pre_callback(handle)
    assert list(task.models["output"]) == []


def test_without_a_task_there_is_no_model_to_make(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"call Task\.init first"):
        WeightsFileHandler.create_output_model(None, tmp_path / "model.pt", "PyTorch", None)
    with pytest.raises(NotFound, match=r"call Task\.init first"):
        WeightsFileHandler.restore_weights_file(None, "model.pt", "PyTorch", None)


def test_a_file_that_a_library_restores_is_a_model_that_the_task_reads(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "pretrained.pt"
    path.write_text("weights")
    assert WeightsFileHandler.restore_weights_file(None, path, "PyTorch", None) == path
    (model,) = task.models["input"]
    assert (model.name, model.framework) == ("Imported by a task", "PyTorch")


def test_the_parameters_that_a_trainer_copies_are_kept_in_its_section(task: Task) -> None:
    task.set_parameter("General/own", 1)
    task._arguments.copy_from_dict({"lr": 0.1, "names": ["a"], "none": None}, prefix="Trainer")
    assert task.get_parameters(cast=True) == {
        "General/own": 1,
        "Trainer/lr": 0.1,
        "Trainer/names": ["a"],
        "Trainer/none": None,
    }
    assert task._get_default_report_storage_uri() is None
