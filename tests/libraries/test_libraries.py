"""Real libraries that log to ClearML record with eventlog; each test is skipped where they are missing."""

import json
from pathlib import Path

import pytest

from tests.libraries.conftest import Record
from tests.sdk.scripts import WITHOUT_TENSORFLOW

pytestmark = [pytest.mark.libraries, pytest.mark.timeout(180)]


def test_the_trainer_of_transformers(record: Record) -> None:
    done = record(
        """
        import torch
        from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

        sizes = dict(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
        model = BertForSequenceClassification(
            BertConfig(**sizes, intermediate_size=16, max_position_embeddings=16)
        )
        data = [{"input_ids": torch.randint(0, 50, (8,)), "labels": torch.tensor(i % 2)} for i in range(16)]
        arguments = TrainingArguments(
            output_dir="out",
            max_steps=4,
            logging_steps=1,
            save_steps=2,
            save_total_limit=1,
            eval_strategy="steps",
            eval_steps=2,
            report_to=["clearml"],
            use_cpu=True,
        )
        Trainer(model, arguments, train_dataset=data, eval_dataset=data).train()
        """,
        "transformers",
        "accelerate",
        "torch",
    )
    task = done.task
    assert (task.get_project_name(), task.name) == ("HuggingFace Transformers", "Trainer")
    assert len(done.scalars()["train"]["loss"]) == 4
    assert len(done.scalars()["eval"]["loss"]) == 2
    assert task.get_reported_single_value("epoch") is not None
    assert task.get_parameter("Transformers/max_steps", cast=True) == 4
    assert task.get_parameter("Transformers/_ignore_hparams_ui_overrides_", cast=True) is True
    assert task.get_configuration_object_as_dict("Model Configuration")["hidden_size"] == 16
    (model,) = task.models["output"]
    assert model.name == "checkpoint-4"
    assert any(path.name == "config.json" for path in Path(model.get_local_copy()).iterdir())


def test_the_logger_and_the_saver_of_ignite(record: Record) -> None:
    done = record(
        """
        import torch
        from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
        from ignite.handlers import Checkpoint, global_step_from_engine
        from ignite.handlers.clearml_logger import (
            ClearMLLogger, ClearMLSaver, GradsHistHandler, GradsScalarHandler, WeightsHistHandler,
            WeightsScalarHandler,
        )
        from ignite.metrics import Loss

        model, loss = torch.nn.Linear(2, 1), torch.nn.MSELoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        data = [(torch.randn(4, 2), torch.randn(4, 1)) for _ in range(4)]
        trainer = create_supervised_trainer(model, optimizer, loss)
        evaluator = create_supervised_evaluator(model, metrics={"mse": Loss(loss)})
        logger = ClearMLLogger(project_name="ignite project", task_name="a task")
        logger.attach_output_handler(
            trainer, Events.ITERATION_COMPLETED, tag="training", output_transform=lambda y: {"loss": y}
        )
        logger.attach_output_handler(
            evaluator,
            Events.EPOCH_COMPLETED,
            tag="validation",
            metric_names=["mse"],
            global_step_transform=global_step_from_engine(trainer),
        )
        logger.attach_opt_params_handler(trainer, Events.ITERATION_STARTED, optimizer=optimizer)
        for handler in (WeightsScalarHandler, WeightsHistHandler, GradsScalarHandler, GradsHistHandler):
            logger.attach(trainer, event_name=Events.EPOCH_COMPLETED, log_handler=handler(model))
        saver = ClearMLSaver(logger)
        checkpoint = Checkpoint(
            {"model": model},
            saver,
            n_saved=1,
            filename_prefix="best",
            global_step_transform=global_step_from_engine(trainer),
        )
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, checkpoint)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: evaluator.run(data))
        save = torch.save
        trainer.run(data, max_epochs=2)
        assert torch.save is save
        logger.close()
        """,
        "ignite",
        "torch",
    )
    scalars = done.scalars()
    assert len(scalars["training"]["loss"]) == 8
    assert len(scalars["validation"]["mse"]) == 2
    assert any(title.startswith("weights_") for title in scalars)
    assert {"weights_weight", "grads_weight"} <= done.plots()
    (model,) = done.task.models["output"]
    assert "best_model" in model.name
    assert "Checkpoint Metadata" in model.comment
    assert Path(model.get_local_copy()).stat().st_size > 0


def test_the_tracker_of_accelerate(record: Record) -> None:
    done = record(
        """
        import numpy, pandas
        from accelerate import Accelerator

        accelerator = Accelerator(cpu=True, log_with="clearml")
        accelerator.init_trackers(
            "accelerate project",
            config={"lr": 0.1, "layers": [1, 2], "nested": {"a": 1}},
            init_kwargs={"clearml": {"task_name": "tracked"}},
        )
        accelerator.log({"train_loss": 0.5, "eval_acc": 0.9, "plain": 1}, step=3)
        accelerator.log({"final": 0.7})
        (tracker,) = accelerator.trackers
        tracker.log_images({"eval_image": numpy.zeros((8, 8, 3), dtype="uint8")}, step=1)
        tracker.log_table("eval_table", columns=["a", "b"], data=[[1, 2], [3, 4]], step=1)
        tracker.log_table("train_frame", dataframe=pandas.DataFrame({"a": [1]}), step=1)
        accelerator.end_training()
        """,
        "accelerate",
        "torch",
        "pandas",
    )
    assert (done.task.get_project_name(), done.task.name) == ("accelerate project", "tracked")
    assert done.scalars() == {"loss": {"train": [0.5]}, "acc": {"eval": [0.9]}, "plain": {"train": [1.0]}}
    assert done.task.get_reported_single_values() == {"final": 0.7}
    assert done.plots() == {"table", "frame"}
    (sample,) = done.task.get_debug_samples("image", "eval")
    assert sample
    assert json.loads(json.dumps(done.task.get_configuration_object_as_dict("General")))["layers"] == [1, 2]


def test_the_callback_of_langchain(record: Record) -> None:
    done = record(
        """
        # The handler asks for these two and, with its defaults, only loads a model of the first.
        import importlib.machinery, sys, types
        for name in ("spacy", "textstat"):
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
        sys.modules["spacy"].load = lambda name: None

        from langchain_community.callbacks import ClearMLCallbackHandler
        from langchain_core.language_models.fake import FakeListLLM

        handler = ClearMLCallbackHandler(
            task_type="inference", project_name="langchain project", task_name="answers", tags=["test"],
            stream_logs=True,
        )
        llm = FakeListLLM(responses=["an answer", "another"], callbacks=[handler])
        llm.generate(["a question", "a second one"])
        handler.flush_tracker(langchain_asset=llm, name="simple", finish=True)
        """,
        "langchain_community",
        "pandas",
    )
    assert done.task.task_type == "inference"
    assert done.task.get_tags() == ["test"]
    assert done.plots() == {"Action Records", "Session Analysis"}
    assert "an answer" in "".join(done.task.get_reported_console_output(number_of_reports=100))


def test_the_visualizer_of_mmengine(record: Record) -> None:
    done = record(
        """
        import os
        import numpy, torch
        from mmengine import Config
        from mmengine.visualization import ClearMLVisBackend

        os.makedirs("work")
        open("work/configuration.py", "w").write("a = 1\\n")
        backend = ClearMLVisBackend(init_kwargs=dict(project_name="mmengine project", task_name="seen"))
        backend.add_config(Config(dict(a=1, b=dict(b1=[0, 1]), work_dir="work")))
        backend.add_image("img.png", numpy.zeros((10, 10, 3), dtype="uint8"), step=2)
        backend.add_scalar("mAP", 0.6)
        backend.add_scalar("tensor", torch.tensor(0.5), step=1)
        backend.add_scalars({"loss": 0.25, "acc": 0.75}, step=3)
        backend.close()
        """,
        "mmengine",
        "torch",
    )
    assert done.scalars() == {
        "mAP": {"mAP": [0.6]},
        "tensor": {"tensor": [0.5]},
        "loss": {"loss": [0.25]},
        "acc": {"acc": [0.75]},
    }
    assert list(done.task.artifacts) == ["configuration.py"]


def test_the_handlers_of_monai(record: Record) -> None:
    done = record(
        WITHOUT_TENSORFLOW
        + """\
from ignite.engine import Engine
from monai.handlers import ClearMLStatsHandler

engine = Engine(lambda engine, batch: {"loss": 0.5})
handler = ClearMLStatsHandler(
    project_name="monai project", task_name="stats", log_dir="runs",
    output_transform=lambda x: x["loss"],
)
handler.attach(engine)
engine.run([1, 2, 3], max_epochs=2)
""",
        "monai",
        "ignite",
        "tensorboard",
    )
    assert (done.task.get_project_name(), done.task.name) == ("monai project", "stats")


def test_the_logger_of_spacy(record: Record) -> None:
    done = record(
        """
        import os
        import spacy
        from spacy_loggers.clearml import clearml_logger_v2

        for folder in ("best", "last"):
            os.makedirs(folder)
            open(f"{folder}/model", "w").write(folder)
        setup = clearml_logger_v2(
            "spacy project", "names", model_log_interval=1, log_best_dir="best", log_latest_dir="last",
            log_custom_stats=[],
        )
        step, finalize = setup(spacy.blank("en"))
        for i in (1, 2):
            step({
                "step": i, "score": 0.5, "losses": {"ner": 1.0}, "output_path": "best",
                "other_scores": {"ents_f": 0.3, "per": {"a": 0.1}}, "checkpoints": [(0.5, i)],
            })
        finalize()
        """,
        "spacy",
        "spacy_loggers",
    )
    assert done.scalars()["Score"]["Score"] == [0.5, 0.5]
    assert done.scalars()["per"]["a"] == [0.1, 0.1]
    assert sorted(model.name for model in done.task.models["output"]) == ["Best Model", "Last Model"]
    assert done.task.get_parameter("nlp/lang") == "en"


def test_a_training_of_ultralytics(record: Record) -> None:
    done = record(
        """
        import pathlib, sys
        import cv2, numpy, torch
        try:
            import torchvision
        except RuntimeError:
            # Its kernels are of another build than torch itself.
            library = torch.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
                library.impl(name, lambda boxes, scores, iou: scores.argsort(descending=True)[:10], "CPU")
            for name in [name for name in sys.modules if name.startswith("torchvision")]:
                del sys.modules[name]
            import torchvision
            torchvision.extension._has_ops = lambda: True

        root = pathlib.Path("data").absolute()
        for part in ("train", "val"):
            for kind in ("images", "labels"):
                (root / kind / part).mkdir(parents=True)
            for i in range(4):
                picture = numpy.random.randint(0, 255, (64, 64, 3), dtype="uint8")
                cv2.imwrite(str(root / "images" / part / f"{i}.jpg"), picture)
                (root / "labels" / part / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4\\n")
        pathlib.Path("data.yaml").write_text(
            f"path: {root}\\ntrain: images/train\\nval: images/val\\nnames: [thing]\\n"
        )

        from ultralytics import YOLO
        YOLO("yolo11n.yaml").train(
            data="data.yaml", epochs=2, imgsz=64, batch=4, workers=0, device="cpu", amp=False,
            project="yolo project", name="first", verbose=False,
        )
        """,
        "ultralytics",
        "torch",
        "torchvision",
    )
    assert (done.task.get_project_name(), done.task.name) == ("yolo project", "first")
    assert len(done.scalars()["train"]["train/box_loss"]) == 2
    assert done.task.get_parameter("General/imgsz", cast=True) == 64
    assert "metrics/mAP50(B)" in done.task.get_reported_single_values()
    assert done.plots()
    (model,) = done.task.models["output"]
    assert Path(model.get_local_copy()).stat().st_size > 0
