import json
import re
from pathlib import Path

import lmdb

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASELINE, Run


def test_a_replay_to_the_end_gives_what_show_gives(eventlog: Run, tasks: Path) -> None:
    for task in ("digits/baseline", "digits/other/broken"):
        replayed = json.loads(eventlog("replay", task, "--json").out)
        assert replayed["task"] == json.loads(eventlog("show", task, "--json").out)


def test_a_replay_says_how_many_events_were_folded(eventlog: Run, tasks: Path) -> None:
    history = json.loads(eventlog("log", BASELINE, "--reverse", "--reports", "--json").out)
    half = next(event for event in history if event["fields"].get("progress") == 50)
    upto = [event for event in history if event["time"] <= half["time"]]
    replayed = json.loads(eventlog("replay", BASELINE, "--at", half["time"], "--json").out)
    assert replayed["replayed"]["events"] == len(upto)
    assert replayed["replayed"]["last"] == upto[-1]["time"]
    assert replayed["replayed"]["sessions"] == [upto[0]["session"]]
    assert replayed["task"] == json.loads(eventlog("show", BASELINE, "--at", half["time"], "--json").out)
    reports = sum(event["kind"] in ("ScalarReported", "TextReported") for event in upto)
    page = eventlog("replay", BASELINE, "--at", half["time"]).out
    assert page.startswith(
        f"folded {len(upto)} events ({len(upto) - reports} of state, {reports} reports) of 1 session, "
    )
    assert "\n  progress  50%\n" in page


def test_a_replay_before_the_first_event_is_an_error(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("replay", BASELINE, "--at", "1999-01-01")
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: ")


def test_a_replay_across_a_reset_gives_what_show_gives(eventlog: Run, store: Store) -> None:
    append = store.session.append
    append(events.TaskCreated, BASELINE, "again", "digits")
    for value in (0.5, float("nan"), 0.25):
        append(events.ScalarReported, BASELINE, "loss", "train", 1, value)
    append(events.ProgressSet, BASELINE, 50)
    append(events.TaskReset, BASELINE)
    append(events.ScalarReported, BASELINE, "loss", "train", 1, 0.125)
    append(events.ScalarReported, BASELINE, "loss", "train", 1, 0.0625)
    append(events.EventsDropped, "", 3, "no room")
    store.flush()
    replayed = json.loads(eventlog("replay", BASELINE, "--json").out)
    assert replayed["task"] == json.loads(eventlog("show", BASELINE, "--json").out)
    assert replayed["replayed"]["events"] == 8


def test_a_check_of_good_views_says_so(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("replay", "--check")
    assert outcome.code == 0
    assert outcome.out.startswith("the views are right: ")
    document = json.loads(eventlog("replay", "--check", "--json").out)
    assert document["same"] is True
    assert document["differences"] == []
    assert document["batches"] > 0


def test_views_that_are_wrong_are_found_named_and_mended_by_a_rebuild(eventlog: Run, tasks: Path) -> None:
    assert eventlog("ls").code == 0
    with lmdb.open(str(tasks / "views"), max_dbs=64) as views:
        database = views.open_db(b"tasks", create=False)
        with views.begin(write=True) as transaction:
            for key, value in list(transaction.cursor(database)):
                transaction.put(key, value.replace(b"baseline", b"BASELINE"), db=database)
    outcome = eventlog("replay", "--check")
    assert outcome.code == 1
    assert any(BASELINE in line for line in outcome.lines[:-1])
    assert re.match(r"\d+ differences: `eventlog rebuild`", outcome.lines[-1])
    document = json.loads(eventlog("replay", "--check", "--json").out)
    assert document["same"] is False
    assert eventlog("rebuild").out.startswith("folded ")
    assert eventlog("replay", "--check").code == 0
    assert "digits/baseline" in eventlog("ls").out
