"""The calls that loggers of libraries make which are too large to install for a test, in our own words.

Each follows what the public code of the library does with ClearML, in that order and with those arguments.
"""

from tests.libraries.conftest import Record


def test_as_yolov5_logs(record: Record) -> None:
    done = record(
        """
        import pathlib
        from argparse import Namespace
        import matplotlib.pyplot as plt
        import numpy as np
        import clearml
        from clearml import Dataset, Task

        assert hasattr(clearml, "__version__")
        opt = Namespace(project="runs/train", exist_ok=False, epochs=3, data="coco.yaml", weights=None)
        task = Task.init(
            project_name="YOLOv5", task_name="Training", tags=["YOLOv5"], output_uri=True,
            reuse_last_task_id=opt.exist_ok, auto_connect_frameworks={"pytorch": False, "matplotlib": False},
        )
        task.connect({"lr0": 0.01, "mosaic": 1.0}, name="Hyperparameters")
        task.connect(opt, name="Args")
        task.set_base_docker(
            "ultralytics/yolov5:latest", docker_arguments="--ipc=host", docker_setup_bash_script="pip list"
        )
        opt.data = {"nc": 1}
        task.get_logger().report_scalar("metrics", "mAP_0.5", np.float32(0.5), 0)
        pathlib.Path("best.pt").write_bytes(b"weights")
        task.update_output_model(model_path="best.pt", name="Best Model", iteration=2, auto_delete_file=False)
        task.get_logger().report_single_value("metrics/mAP_0.5", 0.5)
        figure = plt.figure()
        axes = figure.add_axes([0, 0, 1, 1], frameon=False, aspect="auto", xticks=[], yticks=[])
        axes.imshow(np.zeros((8, 8, 3)))
        task.get_logger().report_matplotlib_figure("PR curve", "", figure=figure, report_interactive=False)
        plt.imsave("train_batch0.jpg", np.zeros((8, 8, 3)))
        task.get_logger().report_image(
            title="Mosaics", series="train.jpg", local_path="train_batch0.jpg", iteration=0
        )
        task.get_logger().report_image(
            title="Bounding Boxes", series="a.jpg", iteration=0, image=np.zeros((8, 8, 3), dtype=np.uint8)
        )
        """,
        "matplotlib",
    )
    assert done.scalars() == {"metrics": {"mAP_0.5": [0.5]}}
    assert done.task.get_parameter("Hyperparameters/lr0", cast=True) == 0.01
    assert done.task.get_parameter("Args/epochs", cast=True) == 3
    assert done.task.get_base_docker().startswith("ultralytics/yolov5:latest")
    assert list(done.task.models["output"].keys()) == ["Best Model"]
    assert done.task.get_debug_samples("Mosaics", "train.jpg")
    assert done.task.get_debug_samples("Bounding Boxes", "a.jpg")


def test_as_the_plugin_of_flair_logs(record: Record) -> None:
    done = record(
        """
        import clearml
        from clearml import Task

        made = Task.init(project_name="flair project", task_name="tagger")
        task = clearml.Task.get_task(task_id=made.task_id)
        logger = task.get_logger()
        logger.report_scalar("train.loss", "train.loss", 0.5, 7)
        for i, value in enumerate([0.1, 0.2]):
            logger.report_scalar("lr", f"lr_{i}", value, 7)
        logger.report_text("a report", print_console=False)
        logger.report_histogram("weights", "weights", [1.0, 2.0, 3.0], 7)
        """
    )
    assert done.scalars() == {"train.loss": {"train.loss": [0.5]}, "lr": {"lr_0": [0.1], "lr_1": [0.2]}}
    assert done.plots() == {"weights"}
    assert done.out == ""


def test_as_super_gradients_logs(record: Record) -> None:
    done = record(
        """
        import os
        from multiprocessing.process import BaseProcess
        import numpy as np
        from clearml import OutputModel, Task

        fork, run = os.fork, BaseProcess.run
        task = Task.init(
            project_name="super project", task_name="experiment", continue_last_task=0,
            auto_connect_arg_parser=False, auto_connect_frameworks=False, auto_resource_monitoring=False,
            auto_connect_streams=True,
        )
        os.fork, BaseProcess.run = fork, run
        logger = task.get_logger()
        task.connect({"training": {"lr": 0.1, "layers": [1, 2]}, "none": None})
        logger.report_scalar(title="loss", series="loss", value=0.5, iteration=3)
        image = np.zeros((3, 8, 8), dtype=np.uint8).transpose([1, 2, 0])
        logger.report_image(title="seen", series="seen", image=image, iteration=3, max_image_history=-1)
        logger.report_histogram(title="weights", series="weights", iteration=3, values=np.arange(4.0))
        logger.report_text("a line")
        open("ckpt_3.pth", "wb").write(b"weights")
        task.upload_artifact(name="ckpt_3.pth", artifact_object="ckpt_3.pth")
        task.close()
        """
    )
    assert done.scalars() == {"loss": {"loss": [0.5]}}
    assert list(done.task.artifacts) == ["ckpt_3.pth"]
    assert done.task.get_parameter("General/training/lr", cast=True) == 0.1


def test_as_nemo_logs(record: Record) -> None:
    done = record(
        """
        import pandas as pd
        from clearml import OutputModel, Task

        task: Task = Task.init(
            project_name="NeMo", task_name="Trainer asr", auto_connect_frameworks={"pytorch": False},
            output_uri=True, tags=["NeMo", "asr"],
        )
        model: OutputModel = OutputModel(name="asr", task=task, tags=["NeMo", "asr"], framework="NeMo")
        model.update_design(config_text="encoder:\\n  layers: 2\\n")
        task.logger.report_table(title="table", series="table", iteration=1, table_plot=[["a", "b"], [1, 2]])
        frame = pd.DataFrame({"a": [1]})
        task.logger.report_table(title="frame", series="frame", iteration=None, table_plot=frame)
        open("asr.nemo", "wb").write(b"weights")
        model.update_weights(
            weights_filename="asr.nemo",
            upload_uri=task.storage_uri or task._get_default_report_storage_uri(),
            auto_delete_file=False,
            is_package=True,
        )
        model.set_all_metadata({"loss": {"value": "0.5", "type": str(type(0.5))}})
        task.mark_completed()
        """
    )
    (model,) = done.task.models["output"]
    assert (model.name, model.framework) == ("asr", "NeMo")
    assert "layers: 2" in model.config_text
    assert model.get_all_metadata()["loss"]["value"] == "0.5"
    assert done.plots() == {"table", "frame"}


def test_as_a_logger_of_lightning_logs(record: Record) -> None:
    # What many public repositories have as a subclass of Lightning's Logger.
    done = record(
        """
        from argparse import Namespace
        from clearml import Task

        task = Task.init(
            project_name="lightning project", task_name="mnist", continue_last_task=False,
            auto_connect_frameworks={"pytorch": ["*.ckpt"]}, auto_connect_arg_parser={"rank": False},
        )
        assert task is Task.current_task() and task.task_id == task.id
        task.connect(Namespace(lr=0.1, name="a"), "hparams")
        for step in range(2):
            for name, value in {"train_loss": 0.5, "epoch": step}.items():
                task.logger.report_scalar(title=name, series=name, value=value, iteration=step)
        task.upload_artifact("summary", {"layers": 2})
        task.flush()
        task.mark_completed()
        task.close()
        """
    )
    assert done.scalars()["train_loss"]["train_loss"] == [0.5, 0.5]
    assert done.task.get_parameter("hparams/lr", cast=True) == 0.1


def test_as_an_optuna_or_sweep_script_logs(record: Record) -> None:
    # Many trials of one study as tasks, each closed before the next: here it is one, read by its study.
    done = record(
        """
        from clearml import Task

        task = Task.init(project_name="study", task_name="trial 0", task_type=Task.TaskTypes.optimizer)
        task.connect({"lr": 0.1})
        task.set_user_properties(trial=0, state="complete")
        task.get_logger().report_single_value("objective", 0.25)
        task.close()
        wanted = {"status": ["completed"], "type": ["optimizer"]}
        found = Task.get_tasks(project_name="study", task_filter=wanted)
        best = min(found, key=lambda one: one.get_reported_single_value("objective"))
        print(best.get_parameters_as_dict(cast=True), best.get_user_properties(value_only=True))
        """
    )
    assert "{'General': {'lr': 0.1}}" in done.out


def test_as_scripts_reach_into_a_task(record: Record) -> None:
    # Private names of ClearML's that public scripts and the tests of MONAI and ParlAI use.
    done = record(
        """
        import subprocess
        from clearml import OutputModel, Task
        from clearml.backend_interface.util import get_or_create_project

        subprocess.run(["git", "init", "-q", "."], check=True)
        subprocess.run(["git", "remote", "add", "origin", "git@host.example:team/code.git"], check=True)
        task = Task.init(project_name="inner", task_name="names")
        task._wait_for_repo_detection(timeout=30.0)
        assert task._project_name[1] == "inner"
        assert get_or_create_project(task, "inner") == task.project
        settings = task.export_task()
        address = settings["script"]["repository"].replace("host.example:", "other.example:")
        assert "other.example" in address, settings
        settings["script"]["repository"] = address
        task.update_task(settings)
        for asked in ("numpy==2.0\\ntqdm", ["numpy==2.0", "tqdm"], {"pip": "numpy==2.0\\ntqdm"}):
            task._update_requirements("")
            task._update_requirements(asked)
            assert task.get_requirements() == {"pip": "numpy==2.0\\ntqdm"}, task.get_requirements()
        OutputModel(task=task, name="net").update_weights(register_uri="https://host.example/net.pt")
        (linked,) = task.data.models.output
        assert linked.model == task.models["output"][0].id and task.data.models["output"] == [linked]
        assert task.data.models.input == []
        print(task._get_last_update().isoformat() >= task.data.created.isoformat())
        """
    )
    assert done.out == "True\n"
    assert "other.example" in done.task.data.script.repository
