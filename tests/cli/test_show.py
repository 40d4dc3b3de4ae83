import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from eventlog import events
from eventlog.cli.documents import task_document
from eventlog.store import Store
from tests.cli.running import BASE_MODEL, BASELINE, BROKEN, MODEL, RICH, WIDER, Run

KEYS = [
    "id",
    "project",
    "name",
    "type",
    "status",
    "status_reason",
    "status_message",
    "traceback",
    "progress",
    "tags",
    "system_tags",
    "comment",
    "parent",
    "created",
    "started",
    "ended",
    "published",
    "changed",
    "reset",
    "host",
    "user",
    "sessions",
    "parameters",
    "properties",
    "configurations",
    "labels",
    "container",
    "metrics",
    "machine",
    "single_values",
    "artifacts",
    "models",
    "destination",
    "deliveries",
    "execution",
    "unknown_events",
    "dropped_reports",
]


def test_a_task_is_on_one_page(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("show", "digits/baseline")
    assert outcome.code == 0
    page = outcome.out
    assert outcome.lines[0] == "digits/baseline  completed"
    assert outcome.lines[1] == BASELINE
    for fact in (
        "  progress  100%",
        "  tags      best, sgd",
        "  Args/lr     0.1  float",
        "  accuracy  0.97",
        "  model  file  19 B  model.bin",
        "  changes     1 file, +1 -0, not committed",
        "  command     train.py --lr 0.1",
    ):
        assert f"\n{fact}" in page, page
    (loss,) = (line.split() for line in outcome.lines if line.split()[:2] == ["loss", "train"])
    assert loss == ["loss", "train", "0.05", "0.05", "1", "20", "0-19"]
    assert page.isascii()


def test_everything_that_a_task_can_have_is_on_its_page(eventlog: Run, rich: Path) -> None:
    page = eventlog("show", "digits/rich").out
    for fact in (
        "digits/rich  published",
        "  reason       done",
        "  message      for the paper",
        "  system tags  development",
        "  published    20",
        "  container    python:3.11 --gpus all, with a setup script",
        "  destination  s3://bucket",
        "Properties\n  owner  mara  str  who answers",
        "Configurations\n  net  yaml  2 lines  layers: 3 width: 64",
        "Labels\n  cat  1\n  dog  2",
        f"Plots and media\n  3 plots and 2 media: `eventlog plots {RICH[:8]}` lists them",
        f"Models\n  input   base   {BASE_MODEL}  base\n  output  model  {MODEL}  rich - 3",
        "Deliveries\n  completed  s3://bucket/rich/model.keras",
        "\n  failed     s3://bucket/rich/table.csv    no credentials",
    ):
        assert fact in page, page
    state = json.loads(eventlog("show", RICH, "--json").out)
    assert state["configurations"]["net"]["text"] == "layers: 3\nwidth: 64\n"
    assert state["models"][1] == {"id": MODEL, "direction": "output", "name": "model"}
    assert [one["status"] for one in state["deliveries"]] == ["completed", "failed"]
    assert state["container"]["setup_script"] == "apt install x"


def test_a_model_is_on_one_page_now_and_as_of_a_moment(eventlog: Run, rich: Path) -> None:
    page = eventlog("show", MODEL[:4]).out
    for fact in (
        "digits/rich - 3  model",
        "  framework  Keras",
        f"  made by    {RICH}",
        "Weights\n  file       model.keras\n  size       7 B",
        "Metadata\n  accuracy  0.97  float",
        "Labels\n  cat  1",
        "Design\n  layers: 3",
        "  accuracy  test    0.97",
    ):
        assert fact in page, page
    now = json.loads(eventlog("show", MODEL, "--json").out)
    assert [one["last"] for one in now.pop("metrics")] == [0.97]
    assert now in json.loads(eventlog("models", "--json").out)
    created = json.loads(eventlog("log", MODEL, "--json", "--reverse").out)[0]["time"]
    then = json.loads(eventlog("show", MODEL, "--at", created, "--json").out)
    assert (then["name"], then["size"], then["metadata"], then["metrics"]) == ("rich - 3", 0, {}, [])
    before = eventlog("show", MODEL, "--at", "1999-01-01")
    assert (before.code, before.out) == (1, "")
    assert f"model {MODEL} did not exist" in before.err


def test_a_failed_task_shows_why(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("show", "77cc")
    assert "  reason    ValueError: no data\n" in outcome.out
    assert outcome.lines[-3:] == ["Traceback", "  Traceback …", "  ValueError: no data"]


def test_json_has_the_documented_keys(eventlog: Run, tasks: Path) -> None:
    document = json.loads(eventlog("show", BASELINE[:6], "--json").out)
    assert list(document) == KEYS
    assert document["parameters"]["Args/lr"] == {"value": "0.1", "type": "float", "description": ""}
    assert document["metrics"][0] == {
        "title": "loss",
        "series": "train",
        "points": 20,
        "first_iteration": 0,
        "last_iteration": 19,
        "last": 0.05,
        "min": 0.05,
        "max": 1.0,
    }
    assert document["artifacts"][0]["sha256"] == document["artifacts"][0]["sha256"].lower()
    assert document["execution"]["packages"] == {"numpy": "2.0", "scikit-learn": "1.5"}
    assert json.loads(eventlog("show", BROKEN, "--json").out)["execution"] is None


def test_a_moment_shows_what_was_then(eventlog: Run, tasks: Path) -> None:
    history = json.loads(eventlog("log", BASELINE, "--reverse", "--reports", "--json").out)
    half = next(event for event in history if event["fields"].get("progress") == 50)
    document = json.loads(eventlog("show", BASELINE, "--at", half["time"], "--json").out)
    assert document["progress"] == 50
    assert document["status"] == "in_progress"
    assert document["artifacts"] == []
    seen = [event for event in history if event["time"] <= half["time"] and event["kind"] == "ScalarReported"]
    assert sum(series["points"] for series in document["metrics"]) == len(seen)
    there = datetime.fromisoformat(half["time"]).astimezone(ZoneInfo("Europe/Berlin"))
    assert f"as of {there:%Y-%m-%d %H:%M:%S}" in eventlog("show", BASELINE, "--at", half["time"]).out


def test_a_moment_before_a_reset_shows_the_scalars_of_then(eventlog: Run, store: Store) -> None:
    append = store.session.append
    append(events.TaskCreated, BASELINE, "again", "digits")
    append(events.TaskStarted, BASELINE)
    append(events.ScalarReported, BASELINE, "loss", "train", 1, 0.5)
    append(events.ScalarReported, BASELINE, "loss", "train", 2, float("nan"))
    append(events.ProgressSet, BASELINE, 10)
    append(events.TaskReset, BASELINE)
    append(events.ScalarReported, BASELINE, "loss", "train", 7, 0.1)
    append(events.TaskStarted, BASELINE)
    store.flush()
    history = json.loads(eventlog("log", BASELINE, "--json").out)
    before = next(event["time"] for event in history if event["kind"] == "ProgressSet")
    (then,) = json.loads(eventlog("show", BASELINE, "--at", before, "--json").out)["metrics"]
    assert (then["points"], then["last"], then["min"], then["last_iteration"]) == (2, "NaN", 0.5, 2)
    (now,) = json.loads(eventlog("show", BASELINE, "--json").out)["metrics"]
    assert (now["points"], now["last"]) == (1, 0.1)


def test_a_moment_before_the_task_is_an_error(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("show", BASELINE, "--at", "1999-01-01")
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: ")


def test_the_documented_keys_are_those_of_a_state() -> None:
    from eventlog.projections import TaskState

    assert list(task_document(TaskState("x"), [])) == KEYS


def test_before_its_creation_a_task_is_said_to_have_been_created_later(eventlog: Run, tasks: Path) -> None:
    created = json.loads(eventlog("show", BASELINE, "--json").out)["created"]
    local = datetime.fromisoformat(created).astimezone(ZoneInfo("Europe/Berlin"))
    words = f"it was created at {local.replace(tzinfo=None).isoformat(' ', 'milliseconds')}\n"
    for command in ("show", "replay"):
        assert eventlog(command, BASELINE, "--at", "1999-01-01").err == (
            f"eventlog: task {BASELINE} did not exist at 1999-01-01 00:00:00.000: {words}"
        )


def test_a_moment_still_to_come_is_noted(eventlog: Run, tasks: Path) -> None:
    for command in ("show", "replay"):
        outcome = eventlog(command, BASELINE, "--at", "2099-01-01", "--json")
        assert outcome.code == 0
        assert "still to come" in outcome.err
        assert BASELINE in outcome.out
    assert eventlog("show", BASELINE, "--at", "now").err == ""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("baseline", "'digits/baseline'"),
        ("broken", "'digits/other/broken'"),
        ("digits/basline", "'digits/baseline'"),
        ("Wider", "'digits/wider'"),
    ],
)
def test_a_name_that_is_nearly_one_is_met_with_it(eventlog: Run, tasks: Path, typed: str, meant: str) -> None:
    for command in ("show", "log", "scalars", "artifacts", "replay"):
        outcome = eventlog(command, typed)
        assert outcome.code == 1
        assert outcome.err == f"eventlog: no task '{typed}': did you mean {meant}?\n"


def test_a_model_is_said_to_be_one_where_a_task_is_asked_for(eventlog: Run, rich: Path) -> None:
    outcome = eventlog("artifacts", "bb11")
    assert (outcome.code, outcome.err) == (
        1,
        "eventlog: 'bb11' is a model, 'digits/rich - 3', not a task: `eventlog show` shows it\n",
    )


@pytest.mark.parametrize("named", ["digits", "digits/other", "digits/"])
def test_a_project_is_said_to_be_one(eventlog: Run, tasks: Path, named: str) -> None:
    outcome = eventlog("show", named)
    project = named.removesuffix("/")
    assert outcome.code == 1
    assert outcome.err.startswith(f"eventlog: '{project}' is a project, not a task: ")
    assert f"`eventlog ls --project {project}`" in outcome.err


def test_a_name_like_no_other_is_met_with_how_to_name_one(eventlog: Run, tasks: Path) -> None:
    assert "as `eventlog ls` shows them" in eventlog("show", "quux").err


@pytest.mark.parametrize(
    ("commit", "script", "said"),
    [
        ("c0ffee", "print(2)", "two.py (not in the repository; its text is recorded)"),
        ("", "print(2)", "two.py (its text is recorded)"),
        ("c0ffee", "", "two.py"),
    ],
)
def test_a_script_outside_of_the_repository_is_said_to_be(
    eventlog: Run, store: Store, commit: str, script: str, said: str
) -> None:
    store.session.append(events.TaskCreated, BASELINE, "two", "digits")
    code = events.ExecutionRecorded(0, BASELINE, commit=commit, entry_point="two.py", script=script)
    facts = [getattr(code, field) for field in code.__struct_fields__[2:]]
    store.session.append(events.ExecutionRecorded, BASELINE, *facts)
    store.flush()
    (line,) = (line for line in eventlog("show", BASELINE).lines if line.startswith("  script"))
    assert line.removeprefix("  script").strip() == said


def test_what_the_machine_was_busy_with_does_not_hide_what_was_reported(eventlog: Run, tasks: Path) -> None:
    with Store.open(tasks) as store:
        for series in ("cpu_usage", "memory_used_gb"):
            store.session.append(events.ScalarReported, BASELINE, ":monitor:machine", series, 3, 0.5)
    page = eventlog("show", BASELINE).out
    assert "cpu_usage" not in page
    assert "Machine\n  :monitor:machine  2 series" in page
    document = json.loads(eventlog("show", BASELINE, "--json").out)
    assert [one["series"] for one in document["metrics"]] == ["train", "validation"]
    assert [one["series"] for one in document["machine"]] == ["cpu_usage", "memory_used_gb"]
    for option in ((), ("--csv",), ("--json",)):
        assert "monitor" not in eventlog("scalars", BASELINE, *option).out
        assert "cpu_usage" in eventlog("scalars", BASELINE, ":monitor:machine", *option).out
    assert "monitor" not in eventlog("diff", BASELINE, WIDER).out
