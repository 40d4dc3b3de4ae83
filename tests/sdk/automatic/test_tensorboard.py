"""What is written through tensorboardX is reported as it is written, and its files are as before."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.proto.tensor_pb2 import TensorProto

from eventlog import Logger, Task
from tests.sdk.scripts import Scripts

INIT = "from eventlog import Task\ntask = Task.init(project_name='tests/auto', task_name='tensorboard')\n"


@pytest.fixture(autouse=True)
def flags() -> Iterator[None]:
    yield
    Logger.tensorboard_single_series_per_graph(False)
    Logger.tensorboard_auto_group_scalars(False)


@pytest.fixture
def writer(task: Task, tmp_path: Path) -> Iterator[SummaryWriter]:
    with SummaryWriter(str(tmp_path / "runs/a")) as writer:
        yield writer


def curves(task: Task) -> dict[tuple[str, str], list[tuple[int, float]]]:
    return {
        (title, series): list(zip(points["x"], points["y"], strict=True))
        for title, of_title in task.get_all_reported_scalars().items()
        for series, points in of_title.items()
    }


def plots(task: Task) -> dict[tuple[str, str, int], Any]:
    return {
        (plot["metric"], plot["variant"], plot["iter"]): json.loads(plot["plot_str"])
        for plot in task.get_reported_plots()
    }


def sample(task: Task, title: str, series: str, step: int) -> bytes:
    (made,) = task.get_debug_samples(title, series)
    assert made["iter"] == step
    return Path(made["url"].removeprefix("file://")).read_bytes()


def events(folder: Path) -> list[Event]:
    """What TensorBoard's files hold: a length, its checksum, an event, and its checksum, again and again."""
    found = []
    for path in sorted(folder.rglob("events.*")):
        data = path.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            found.append(Event.FromString(data[12 : 12 + size]))
            data = data[16 + size :]
    return found


def test_scalars_are_curves(task: Task, writer: SummaryWriter) -> None:
    for step in range(3):
        writer.add_scalar("loss/train", 1 / (step + 1), step)
    writer.add_scalar("accuracy", np.float32(0.1), 7)
    writer.add_scalar("accuracy", math.pi, 8)
    writer.add_scalar("no step", 2)
    assert curves(task) == {
        # As TensorBoard holds them, in single precision.
        ("loss", "train"): [(0, 1.0), (1, 0.5), (2, 0.33333334)],
        ("accuracy", "accuracy"): [(7, 0.1), (8, 3.1415927)],
        ("no_step", "no_step"): [(0, 2.0)],
    }


def test_numbers_that_are_none_and_steps_of_any_size_are_kept(task: Task, writer: SummaryWriter) -> None:
    writer.add_scalar("nan", math.nan, 1)
    writer.add_scalar("inf", math.inf, 1)
    writer.add_scalar("far", 1, 1 << 40)
    writer.add_scalar("before", 1, -3)
    kept = curves(task)
    assert math.isnan(kept["nan", "nan"][0][1])
    assert kept["inf", "inf"] == [(1, math.inf)]
    assert kept["far", "far"] == [(1 << 40, 1.0)]
    assert kept["before", "before"] == [(-3, 1.0)]


def test_writers_of_other_folders_are_told_apart(task: Task, writer: SummaryWriter, tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "runs/b")) as other:
        writer.add_scalar("loss/train", 1, 1)
        other.add_scalar("loss/train", 2, 1)
        writer.add_scalars("both", {"one": 1, "two": 2}, 5)
    assert curves(task) == {
        ("loss", "train"): [(1, 1.0)],
        ("loss", "b: train"): [(1, 2.0)],
        ("both", "both"): [(5, 1.0)],
        ("both", "two: both"): [(5, 2.0)],
    }


def test_loggers_settings_say_how_curves_are_drawn(task: Task, writer: SummaryWriter, tmp_path: Path) -> None:
    Logger.tensorboard_auto_group_scalars(True)
    writer.add_scalar("accuracy", 1, 1)
    Logger.tensorboard_auto_group_scalars(False)
    writer.add_scalar("accuracy", 2, 1)
    Logger.tensorboard_single_series_per_graph(True)
    with SummaryWriter(str(tmp_path / "runs/b")) as other:
        other.add_scalar("accuracy", 3, 1)
    assert set(curves(task)) == {
        ("Scalars", "accuracy"),
        ("accuracy", "accuracy"),
        ("accuracy b", "accuracy"),
    }


def test_images_are_kept_as_they_were_encoded(task: Task, writer: SummaryWriter, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 8, 8))
    writer.add_image("samples/first", pixels, 1)
    writer.add_images("batch", np.stack([pixels, pixels]), 2)
    writer.close()
    encoded = [one.image.encoded_image_string for event in events(tmp_path) for one in event.summary.value]
    assert sample(task, "samples", "first", 1) == encoded[0]
    assert sample(task, "Images", "batch", 2) == encoded[1]


def test_texts_are_files(task: Task, writer: SummaryWriter) -> None:
    writer.add_text("note", "hello **bold**\nsecond", 3)
    assert sample(task, "note", "text_summary", 3) == b"hello **bold**\nsecond"


def test_figures_are_images_and_reported_once(task: Task, writer: SummaryWriter) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    writer.add_figure("figures/one", figure, 4, close=False)
    assert sample(task, "figures", "one", 4).startswith(b"\x89PNG")
    assert plots(task) == {}


def test_histograms_of_all_steps_are_one_surface(task: Task, writer: SummaryWriter) -> None:
    values = np.random.default_rng(0)
    for step in range(0, 70, 10):
        writer.add_histogram("weights/layer", values.normal(step / 10, 1, 1000), step)
    writer.add_histogram("bare", np.zeros(5), 1)
    task.close()
    drawn = plots(task)
    assert set(drawn) == {("weights", "layer", 0), ("Histograms", "bare", 0)}
    surface = drawn["weights", "layer", 0]
    (trace,) = surface["data"]
    assert trace["type"] == "surface"
    assert surface["layout"]["scene"]["yaxis"]["ticktext"] == ["0", "10", "20", "30", "40", "50", "60"]
    assert np.sum(trace["z"], axis=1) == pytest.approx([1000] * 7)
    peaks = np.argmax(trace["z"], axis=1)
    assert (np.diff(peaks) >= 0).all()
    assert peaks[-1] > peaks[0]
    assert np.sum(drawn["Histograms", "bare", 0]["data"][0]["z"]) == pytest.approx(5)


def test_of_many_steps_a_histogram_draws_some_and_the_last(task: Task, writer: SummaryWriter) -> None:
    for step in range(500):
        writer.add_histogram("weights", np.arange(4.0), step)
    task.close()
    (surface,) = plots(task).values()
    steps = surface["layout"]["scene"]["yaxis"]["ticktext"]
    assert len(steps) <= 51
    assert (steps[0], steps[-1]) == ("0", "499")


def test_a_curve_of_precision_is_a_plot(task: Task, writer: SummaryWriter) -> None:
    labels = np.array([0, 1, 1, 0, 1])
    writer.add_pr_curve("pr/x", labels, np.array([0.1, 0.8, 0.9, 0.4, 0.3]), 6)
    (((title, series, step), figure),) = plots(task).items()
    assert (title, series, step) == ("pr/x", "", 6)
    assert figure["data"][0]["x"][0] == 1.0
    assert len(figure["data"][0]["x"]) == 127


def test_hyperparameters_are_parameters_unless_asked_not_to(tmp_path: Path) -> None:
    for choice, kept in (
        (True, {"TB_hparams/lr": "0.1", "TB_hparams/name": "x", "TB_hparams/size": "3.0"}),
        ({"tensorboard": {"report_hparams": False}}, {}),
    ):
        task = Task.init("tests/auto", "hparams", reuse_last_task_id=False, auto_connect_frameworks=choice)
        with SummaryWriter(str(tmp_path / "runs")) as writer:
            writer.add_hparams({"lr": 0.1, "size": 3, "name": "x"}, {"hparam/accuracy": 0.9})
        assert task.get_parameters() == kept
        assert ("hparam", "accuracy") in curves(task)
        task.close()


@pytest.mark.parametrize("choice", [False, {"tensorboard": False}])
def test_nothing_is_reported_where_it_is_not_wanted(choice: Any, tmp_path: Path) -> None:
    task = Task.init("tests/auto", "off", auto_connect_frameworks=choice)
    with SummaryWriter(str(tmp_path / "runs")) as writer:
        writer.add_scalar("loss", 1, 1)
        writer.add_hparams({"lr": 0.1}, {"m": 1})
    assert curves(task) == {}
    assert task.get_parameters() == {}


def test_the_next_task_has_its_own_reports(tmp_path: Path) -> None:
    for name in ("one", "two"):
        task = Task.init("tests/auto", f"task {name}")
        with SummaryWriter(str(tmp_path / name)) as writer:
            writer.add_scalar("loss", 1, 1)
            writer.add_histogram("h", np.arange(3), 1)
        task.close()
        assert curves(task) == {("loss", "loss"): [(1, 1.0)]}
        assert set(plots(task)) == {("Histograms", "h", 0)}
    with SummaryWriter(str(tmp_path / "none")) as writer:
        writer.add_scalar("loss", 1, 1)


def test_tensorboards_files_are_what_they_were(tmp_path: Path) -> None:
    def write(folder: Path) -> list[Summary]:
        with SummaryWriter(str(folder)) as writer:
            writer.add_scalar("loss/train", 0.1, 1)
            writer.add_scalars("both", {"one": 1, "two": 2}, 2)
            writer.add_histogram("h", np.arange(10), 3)
            writer.add_text("note", "text", 4)
            writer.add_image("image", np.zeros((3, 4, 4)), 5)
        return [event.summary for event in events(folder)]

    before = write(tmp_path / "before")
    task = Task.init("tests/auto", "files")
    assert write(tmp_path / "after") == before
    task.close()


def test_what_cannot_be_reported_is_warned_of_once(
    task: Task, writer: SummaryWriter, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    tensor = TensorProto(dtype="DT_FLOAT", tensor_shape={"dim": [{"size": 3}]}, float_val=[1, 2])
    metadata = SummaryMetadata(plugin_data={"plugin_name": "histograms"})
    broken = Summary(value=[Summary.Value(tag="broken", tensor=tensor, metadata=metadata)])
    for step in range(3):
        writer.file_writer.add_summary(broken, step)
    writer.add_scalar("loss", 1, 1)
    assert curves(task) == {("loss", "loss"): [(1, 1.0)]}
    (record,) = [record for record in caplog.records if record.name == "eventlog"]
    assert record.getMessage().startswith(
        "eventlog: what is written for TensorBoard could not be recorded; the script goes on"
    )
    writer.close()
    assert [event.summary for event in events(tmp_path)][1:4] == [broken] * 3


def test_a_title_of_any_length_is_kept_as_far_as_there_is_room(task: Task, writer: SummaryWriter) -> None:
    writer.add_text("x" * 3000, "text", 1)
    assert sample(task, "x" * 1024, "text_summary", 1) == b"text"


def test_what_is_wrong_raises_as_before(task: Task, writer: SummaryWriter) -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'event'"):
        writer.file_writer.event_writer.add_event()
    with pytest.raises(ValueError, match="invalid literal"):
        writer.add_scalar("loss", 1, "a step")
    assert curves(task) == {}


def test_a_writer_that_was_there_before_the_task_is_heard(scripts: Scripts) -> None:
    text = "from tensorboardX import SummaryWriter\nwriter = SummaryWriter('runs')\n" + INIT
    text += "writer.add_scalar('loss/train', 0.5, 3)\nwriter.close()\n"
    script = scripts.run(text)
    assert (script.out, script.err) == ("", "")
    (task,) = Task.get_tasks()
    assert curves(task) == {("loss", "train"): [(3, 0.5)]}


def test_forks_and_threads_report_to_the_task(scripts: Scripts) -> None:
    text = (
        INIT
        + """
import os, threading
import numpy as np
from tensorboardX import SummaryWriter
from multiprocessing import get_context

def write(name):
    with SummaryWriter(f'runs/{name}') as writer:
        for step in range(50):
            writer.add_scalar(f'{name}/loss', step, step)
            writer.add_histogram(name, np.arange(3), step)

write('parent')
child = get_context('fork').Process(target=write, args=('child',))
child.start(); child.join()
threads = [threading.Thread(target=write, args=(name,)) for name in 'abc']
[one.start() for one in threads]; [one.join() for one in threads]
"""
    )
    scripts.run(text)
    (task,) = Task.get_tasks()
    assert {title: len(points) for (title, _), points in curves(task).items()} == dict.fromkeys(
        ("parent", "child", "a", "b", "c"), 50
    )
    drawn = {
        series: figure["layout"]["scene"]["yaxis"]["ticktext"]
        for (_, series, _), figure in plots(task).items()
    }
    assert {series: steps[-1] for series, steps in drawn.items()} == dict.fromkeys(
        ("parent", "child", "a", "b", "c"), "49"
    )
