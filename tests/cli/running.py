"""The command as a person runs it, and the tasks it is run on."""

import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from eventlog import events
from eventlog.events import Parameter
from eventlog.store import Store

EVENTLOG = (sys.executable, "-c", "from eventlog.cli.main import main; main()")

BASELINE = "3fa9" + "0" * 27 + "1"
WIDER = "3fb0" + "0" * 27 + "2"
BROKEN = "77cc" + "0" * 27 + "3"
RICH = "51c4" + "0" * 27 + "4"
MODEL = "bb11" + "0" * 27 + "5"
BASE_MODEL = "aa22" + "0" * 27 + "6"
FIGURE = json.dumps({"data": [{"type": "bar", "x": ["</script>", "b"], "y": [1, 2]}], "layout": {}})
LARGE_FIGURE = json.dumps({"data": [{"y": [0] * 40_000}], "layout": {}})
IMAGE = b"\x89PNG of some sort"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Outcome]


def tick(store: Store, seconds_ago: int = 10) -> None:
    """Give the session a clock that goes on by a millisecond at each event, so that each is a moment."""
    start = time.time_ns() - seconds_ago * 1_000_000_000
    readings = itertools.count(start, 1_000_000)
    store.session._wall = readings.__next__


def train(store: Store, task: str, name: str, *, learning_rate: str, steps: int) -> None:
    append = store.session.append
    append(events.TaskCreated, task, name, "digits", "training", "a comment")
    append(events.TaskStarted, task)
    append(events.TagsAdded, task, ["best", "sgd"])
    append(
        events.ParametersSet,
        task,
        {"Args/lr": Parameter(learning_rate, "float"), "Args/steps": Parameter(str(steps), "int")},
    )
    append(
        events.ExecutionRecorded,
        task,
        "https://host/digits.git",
        "main",
        "c0ffee" * 6 + "c0ff",
        "diff --git a/train.py b/train.py\n--- a/train.py\n+++ b/train.py\n+lr = 0.1\n",
        "",
        "train.py",
        "examples",
        ["train.py", "--lr", learning_rate],
        "3.11.7",
        "Linux",
        {"numpy": "2.0", "scikit-learn": "1.5"},
    )
    append(events.TextReported, task, "training begins\n")
    for step in range(steps):
        append(events.ScalarReported, task, "loss", "train", step, 1.0 / (step + 1))
        append(events.ScalarReported, task, "loss", "validation", step, 1.2 / (step + 1))
        append(events.ProgressSet, task, (step + 1) * 100 // steps)
    append(events.SingleValueReported, task, "accuracy", 0.97)
    content = f"weights of {name}".encode()
    digest = store.blobs.put_bytes(content)
    append(events.ArtifactUploaded, task, "model", "file", digest, len(content), "model.bin")
    append(events.TaskCompleted, task)


def enrich(store: Store) -> None:
    """A task with all that a task can have beside parameters and scalars, and two models."""
    append, put = store.session.append, store.blobs.put_bytes
    weights, table = put(b"weights"), put(b"a,b\n")
    far = "https://host/far.zip"
    copied, waiting = "s3://bucket/rich/model.keras", "s3://bucket/rich/table.csv"
    append(events.TaskCreated, RICH, "rich", "digits")
    append(events.TaskStarted, RICH)
    append(events.SystemTagsAdded, RICH, ["development"])
    append(events.PropertiesSet, RICH, {"owner": Parameter("mara", "str", "who answers")})
    append(events.ConfigurationSet, RICH, "net", "layers: 3\nwidth: 64\n", "", "yaml")
    append(events.LabelsSet, RICH, {"cat": 1, "dog": 2})
    append(events.ContainerSet, RICH, "python:3.11", "--gpus all", "apt install x")
    append(events.DestinationSet, RICH, "s3://bucket")
    append(events.ModelCreated, BASE_MODEL, "base", "digits", "", "PyTorch")
    append(events.ModelWeightsSet, BASE_MODEL, "", 0, "", "", "https://host/base.pt")
    append(
        events.ModelCreated, MODEL, "rich - 3", "digits", RICH, "Keras", "", ["best"], "layers: 3", {"cat": 1}
    )
    append(events.ModelWeightsSet, MODEL, weights, 7, "model.keras", "", copied, 3, RICH)
    append(events.ModelMetadataSet, MODEL, {"accuracy": Parameter("0.97", "float")})
    append(events.ModelPublished, MODEL)
    append(events.ModelLinked, RICH, BASE_MODEL, "input", "base")
    append(events.ModelLinked, RICH, MODEL, "output", "model")
    append(events.DeliveryRequested, RICH, weights, copied)
    append(events.DeliveryCompleted, RICH, weights, copied)
    append(events.ArtifactUploaded, RICH, "table", "file", table, 4, "t.csv", "", "", {}, waiting)
    append(events.ArtifactUploaded, RICH, "elsewhere", "file", "", 0, "", "", "", {}, far)
    append(events.DeliveryRequested, RICH, table, waiting)
    append(events.DeliveryFailed, RICH, table, waiting, "no credentials")
    append(events.ScalarReported, MODEL, "accuracy", "test", 3, 0.97)
    append(events.PlotReported, RICH, "confusion matrix", "validation", 1, "{}")
    append(events.PlotReported, RICH, "confusion matrix", "validation", 1, FIGURE)
    append(events.PlotReported, RICH, "roc", "", 0, "", put(LARGE_FIGURE.encode()))
    append(events.PlotReported, RICH, "broken", "", 0, "no figure </script>")
    append(events.MediaReported, RICH, "samples", "../../x", 1, "image", put(IMAGE), len(IMAGE), "../a.png")
    append(events.MediaReported, RICH, "samples", "far", 1, "image", "", 0, "", "https://host/<b>.png")
    append(events.TaskCompleted, RICH, "done", "all epochs ran")
    append(events.TaskPublished, RICH, "for the paper")
