"""The command as a person runs it, and the tasks it is run on."""

import itertools
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


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Outcome]


def tick(store: Store) -> None:
    """Give the session a clock that goes on by a millisecond at each event, so that each is a moment."""
    start = time.time_ns() - 10_000_000_000
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
