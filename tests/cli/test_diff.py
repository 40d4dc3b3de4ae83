import json
from pathlib import Path

from eventlog.store import Store
from tests.cli.running import BASELINE, BROKEN, MODEL, Run


def test_two_tasks_differ_in_what_they_differ(eventlog: Run, tasks: Path) -> None:
    document = json.loads(eventlog("diff", "digits/baseline", "digits/wider", "--json").out)
    assert list(document) == [
        "left",
        "right",
        "task",
        "properties",
        "parameters",
        "configurations",
        "labels",
        "metrics",
        "single_values",
        "artifacts",
        "models",
        "execution",
        "packages",
    ]
    assert document["parameters"] == {"Args/lr": ["0.1", "0.2"], "Args/steps": ["20", "30"]}
    assert document["task"] == {"name": ["baseline", "wider"]}
    assert document["metrics"]["loss/train"] == ["0.05", "0.0333333"]
    assert document["single_values"] == {}
    assert document["packages"] == {}
    assert document["execution"] == {"command": ["train.py --lr 0.1", "train.py --lr 0.2"]}


def test_the_page_has_both_sides_beside_each_other(eventlog: Run, tasks: Path) -> None:
    lines = eventlog("diff", "digits/baseline", "digits/wider").lines
    assert lines[:2] == ["- 3fa90000 digits/baseline", "+ 3fb00000 digits/wider"]
    assert ["Args/lr", "0.1", "0.2"] in [line.split() for line in lines]


def test_what_is_equal_is_shown_when_asked_for(eventlog: Run, tasks: Path) -> None:
    document = json.loads(eventlog("diff", "digits/baseline", "digits/wider", "--all", "--json").out)
    assert document["packages"] == {"numpy": ["2.0", "2.0"], "scikit-learn": ["1.5", "1.5"]}


def test_what_one_side_lacks_is_null(eventlog: Run, tasks: Path) -> None:
    document = json.loads(eventlog("diff", "digits/baseline", "77cc", "--json").out)
    assert document["parameters"]["Args/lr"] == ["0.1", None]
    assert document["execution"]["branch"] == ["main", None]


def test_two_moments_of_a_task_differ_in_what_happened_between(eventlog: Run, tasks: Path) -> None:
    history = json.loads(eventlog("log", BASELINE, "--reverse", "--json").out)
    before, after = (event["time"] for event in history if event["fields"].get("progress") in (25, 75))
    document = json.loads(eventlog("diff", BASELINE, "--at", before, "--at", after, "--json").out)
    assert document["task"] == {"progress": ["25%", "75%"]}
    assert list(document["metrics"]) == ["loss/train", "loss/validation"]
    assert document["parameters"] == {}


def test_what_a_task_has_beside_parameters_is_compared(eventlog: Run, rich: Path) -> None:
    document = json.loads(eventlog("diff", BROKEN, "digits/rich", "--json").out)
    assert document["task"]["container"] == [None, "python:3.11 --gpus all, with a setup script"]
    assert document["task"]["system tags"] == [None, "development"]
    assert document["properties"] == {"owner": [None, "mara"]}
    assert document["labels"] == {"cat": [None, "1"], "dog": [None, "2"]}
    assert document["models"]["output model"] == [None, MODEL]
    assert document["artifacts"]["elsewhere"] == [None, "https://host/far.zip"]
    (net,) = document["configurations"].values()
    assert net[1].endswith(", 20 B")


def test_a_task_and_itself_do_not_differ(eventlog: Run, tasks: Path) -> None:
    assert eventlog("diff", BASELINE, BASELINE).out == "no differences\n"
    with Store.open(tasks) as store:
        assert store.heads()
