import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eventlog import events
from eventlog.cli.wording import wording
from eventlog.events import Parameter
from eventlog.store import Store
from tests.cli.running import BASELINE, BROKEN, EVENTLOG, MODEL, Run


def kinds(outcome: object) -> list[str]:
    return [line.split()[4] for line in outcome.lines]  # type: ignore[attr-defined]


def test_the_history_has_a_line_an_event_the_newest_first(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("log", BROKEN)
    assert kinds(outcome) == ["TaskFailed", "ProgressSet", "TagsAdded", "TaskStarted", "TaskCreated"]
    day, clock, host, place, kind, *words = outcome.lines[1].split()
    assert (kind, words) == ("ProgressSet", ["7%"])
    assert len(f"{day} {clock}") == len("2026-11-20 14:00:05.250")
    assert host == os.uname().nodename
    session, _, number = place.partition(":")
    assert len(session) == 8
    assert int(number) > 0
    assert kinds(eventlog("log", BROKEN, "--reverse")) == kinds(outcome)[::-1]


def test_numbers_and_sessions_are_those_in_the_log(eventlog: Run, tasks: Path) -> None:
    documents = json.loads(eventlog("log", BROKEN, "--json").out)
    with Store.open(tasks) as store:
        known = {
            (one.session.hex(), one.number): type(one.event).__name__
            for batch in store.batches(store.id)
            for one in batch.events()
            if one.event.task == BROKEN
        }
    assert {(event["session"], event["number"]): event["kind"] for event in documents} == known


def test_reports_are_shown_when_asked_for(eventlog: Run, tasks: Path) -> None:
    assert "ScalarReported" not in kinds(eventlog("log", BASELINE))
    everything = kinds(eventlog("log", BASELINE, "--reports"))
    assert everything.count("ScalarReported") == 40
    assert everything.count("TextReported") == 1


def test_kinds_can_be_chosen_and_counted_off(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("log", BASELINE, "--kind", "scalarreported", "--limit", "2")
    assert [line.split()[5:] for line in outcome.lines] == [
        ["loss/validation", "19:", "0.06"],
        ["loss/train", "19:", "0.05"],
    ]


def test_a_span_of_time_can_be_chosen(eventlog: Run, tasks: Path) -> None:
    history = json.loads(eventlog("log", BROKEN, "--json", "--reverse").out)
    chosen = eventlog(
        "log", BROKEN, "--since", history[1]["time"], "--until", history[2]["time"], "--json"
    ).out
    assert json.loads(chosen) == history[2:0:-1]


def test_an_event_is_one_line_whatever_it_says(eventlog: Run, store: Store) -> None:
    store.session.append(events.TaskCreated, BASELINE, "noisy", "digits")
    store.session.append(events.TextReported, BASELINE, "10%\r20%\r30%\nsecond \x1b[31mline\n")
    store.flush()
    (line,) = eventlog("log", BASELINE, "--kind", "TextReported").lines
    assert line.split(None, 4)[4].split(None, 1) == ["TextReported", "30%␊second ␛[31mline"]


def test_an_unknown_kind_is_shown_as_unknown(eventlog: Run, store: Store, monkeypatch) -> None:
    class TaskEnlightened(events.Event, frozen=True):
        depth: int

    store.session.append(events.TaskCreated, BASELINE, "later", "digits")
    store.session.append(TaskEnlightened, BASELINE, 3)
    store.flush()
    outcome = eventlog("log", BASELINE)
    assert outcome.lines[0].split()[4] == "TaskEnlightened"
    assert "newer eventlog" in outcome.lines[0]


def test_following_shows_what_comes_until_the_task_ends(environment: dict[str, str], store: Store) -> None:
    append = store.session.append
    append(events.TaskCreated, BASELINE, "running", "digits")
    append(events.TaskStarted, BASELINE)
    store.flush()
    with subprocess.Popen(
        [*EVENTLOG, "log", BASELINE, "--follow", "--reports"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        seen = [process.stdout.readline().split()[4] for _ in range(2)]
        assert seen == ["TaskCreated", "TaskStarted"]
        for iteration in range(3):
            append(events.ScalarReported, BASELINE, "loss", "train", iteration, 0.5)
            append(events.ProgressSet, BASELINE, iteration)
            store.flush()
            assert process.stdout.readline().split()[4:7] == ["ScalarReported", "loss/train", f"{iteration}:"]
            assert process.stdout.readline().split()[4:] == ["ProgressSet", f"{iteration}%"]
        append(events.TaskCompleted, BASELINE)
        store.flush()
        assert process.stdout.readline().split()[4] == "TaskCompleted"
        assert process.stdout.readline() == ""
        assert process.wait(30) == 0


def test_following_sees_a_task_s_process_be_killed(environment: dict[str, str], home: Path) -> None:
    script = (
        "from eventlog import events; from eventlog.store import Store; import signal;"
        "append = Store.open().session.append;"
        f"append(events.TaskCreated, '{BASELINE}', 'doomed', 'digits');"
        f"append(events.TaskStarted, '{BASELINE}'); print('up', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE) as doomed:
        assert doomed.stdout is not None
        doomed.stdout.readline()
        with Store.open(home) as store:
            deadline = time.monotonic() + 30
            while not store.heads():
                assert time.monotonic() < deadline
                time.sleep(0.01)
        with subprocess.Popen(
            [*EVENTLOG, "log", "digits/doomed", "--follow", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as following:
            assert following.stdout is not None
            assert json.loads(following.stdout.readline())["kind"] == "TaskCreated"
            assert json.loads(following.stdout.readline())["kind"] == "TaskStarted"
            doomed.send_signal(signal.SIGKILL)
            doomed.wait(30)
            last = json.loads(following.stdout.readline())
            assert last["kind"] == "TaskFailed"
            assert "killed" in last["fields"]["reason"]
            assert following.wait(30) == 0


def test_following_a_task_that_has_ended_shows_its_last_events(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("log", BASELINE, "--follow", "--limit", "3")
    assert outcome.code == 0
    assert kinds(outcome) == ["SingleValueReported", "ArtifactUploaded", "TaskCompleted"]


def test_a_history_without_events_says_so(eventlog: Run, tasks: Path) -> None:
    assert eventlog("log", BASELINE, "--since", "2099-01-01").err == "eventlog: no events\n"
    assert eventlog("log", BASELINE, "--since", "2099-01-01", "--json").out == "[]\n"


# Their names say all that there is to say.
WITHOUT_WORDS = {
    events.TaskStarted,
    events.TaskReset,
    events.TaskDeleted,
    events.ModelPublished,
    events.ModelArchived,
    events.ModelUnarchived,
    events.ModelDeleted,
}


@pytest.mark.parametrize("kind", [*events.EVENT_KINDS.values()], ids=[*events.EVENT_KINDS])
def test_every_kind_of_event_says_what_it_holds(kind: type[events.Event]) -> None:
    """Of an event with something in each field, the words hold at least the first."""
    values: dict[str, object] = {
        "name": "a name",
        "names": ["a name"],
        "tags": ["a tag"],
        "models": ["a model"],
        "text": "a text",
        "parameters": {"a name": Parameter("1")},
        "properties": {"a name": Parameter("1")},
        "metadata": {"a name": Parameter("1")},
        "labels": {"a label": 1},
        "count": 7,
        "progress": 7,
        "size": 7,
        "value": 7.5,
        "iteration": 7,
        "process": 7,
        "packages": {"numpy": "2.0"},
        "command": ["train.py"],
        "replace": False,
        "level": 20,
    }
    fields = kind.__struct_fields__[2:]
    said = wording(kind(1, "a task", *(values.get(field, f"a {field}") for field in fields)))
    if kind in WITHOUT_WORDS:
        assert said == ""
        return
    first = values.get(fields[0], f"a {fields[0]}")
    shown = str(first if not isinstance(first, list | dict) else next(iter(first)))
    known = {events.ExecutionRecorded: "a entry_point", events.ModelWeightsSet: "a file_name"}
    if fields[0] == "blob":
        shown = "a blob"
    assert known.get(kind, shown) in said


def test_the_history_of_a_model_and_of_what_is_deleted_can_be_asked_for(eventlog: Run, rich: Path) -> None:
    assert kinds(eventlog("log", MODEL[:5])) == [
        "ModelPublished",
        "ModelMetadataSet",
        "ModelWeightsSet",
        "ModelCreated",
    ]
    with Store.open(rich) as store:
        store.session.append(events.TaskDeleted, BROKEN)
    assert eventlog("log", "digits/other/broken").code == 1
    assert kinds(eventlog("log", BROKEN))[0] == "TaskDeleted"
    assert kinds(eventlog("log", BROKEN, "--follow"))[-1] == "TaskDeleted"
    assert eventlog("show", BROKEN).code == 1
