"""A store full of tasks, made of the same events as real ones, through the same write path."""

import random
from pathlib import Path

from benchmarks.curve import noisy_loss

__all__ = ["CHOSEN_PROJECT", "CHOSEN_TAG", "LONG_SERIES", "LONG_TASK", "make_tasks"]

# One that a store of any size has a task of.
CHOSEN_PROJECT = "vision/detection/0"
CHOSEN_TAG = "candidate"
LONG_TASK = "f00d" * 8
LONG_SERIES = 5
TAGS = ("baseline", "ablation", "nightly", "large", "small", "debug", "paper")


def make_tasks(home: Path, count: int, scalars: int = 0) -> None:
    """Append `count` finished tasks to the store at `home`, and bring its views up to date.

    They are spread over 100 projects; one in ten has the tag `CHOSEN_TAG`, one in twenty has failed.

    Args:
        scalars: how many they report in all: half of them `LONG_TASK`, in `LONG_SERIES` series titled "loss",
            the others all the same number, in two series.
    """
    from eventlog.events import (
        Parameter,
        ParametersSet,
        ProgressSet,
        ScalarReported,
        SingleValueReported,
        TagsAdded,
        TaskCompleted,
        TaskCreated,
        TaskFailed,
        TaskStarted,
    )
    from eventlog.projections import Views
    from eventlog.store import Store

    generator = random.Random(0)
    values = noisy_loss(max(scalars // 2 // LONG_SERIES, 1))
    each = scalars // 2 // max(count - 1, 1)
    with Store.open(home) as store:
        append = store.session.append
        for number in range(count):
            task = f"{generator.getrandbits(128):032x}"
            is_long = bool(scalars) and number == count // 2
            if is_long:
                task = LONG_TASK
            area = ("vision/detection", "vision/segmentation", "language/pretraining", "tabular")[number % 4]
            append(TaskCreated, task, f"run {number}", f"{area}/{number // 4 % 25}")
            append(TaskStarted, task)
            tags = generator.sample(TAGS, 2)
            append(TagsAdded, task, [*tags, CHOSEN_TAG] if number // 100 % 10 == 0 else tags)
            rate = Parameter(str(10 ** generator.uniform(-5, -2)), "float")
            append(ParametersSet, task, {"Args/lr": rate, "Args/epochs": Parameter("20", "int")})
            if is_long:
                for step, value in enumerate(values):
                    for series in range(LONG_SERIES):
                        append(ScalarReported, task, "loss", f"part {series}", step, value + series)
            else:
                for step in range(each):
                    value = values[(number + step) % len(values)]
                    append(ScalarReported, task, "loss", ("train", "validation")[step % 2], step // 2, value)
            append(ProgressSet, task, 100)
            append(SingleValueReported, task, "accuracy", generator.random())
            if number % 20 == 19:
                append(TaskFailed, task, "ValueError: out of range")
            else:
                append(TaskCompleted, task)
        store.flush()
        Views.open(store).catch_up(reports=True)
