"""`eventlog import` brings sessions in, says what came, and goes on past those that cannot."""

import json
import re
import shutil
from pathlib import Path

from eventlog.events import TaskCreated, TaskDeleted
from eventlog.store import Store
from tests.cli.running import BASELINE, Run, train

SESSION = Path(__file__).parents[1] / "sdk" / "data" / "clearml" / "session.zip"


def test_what_came_in_is_listed_and_a_second_time_brings_nothing_new(eventlog: Run, home: Path) -> None:
    first = eventlog("import", str(SESSION))
    assert (first.code, first.err) == (0, "")
    heading, row = first.lines
    assert heading.split() == ["ID", "TASK", "STATUS", "CAME", "IN", "FROM"]
    assert "digits/nested/every reporter" in row
    assert "completed" in row
    assert str(SESSION) in row
    assert re.search(r" [1-9]\d+ events, [1-9]\d* files ", row)
    again = eventlog("import", str(SESSION), "--json")
    document = json.loads(again.out)
    (task,) = document["imported"][0]["tasks"]
    assert row.split()[0] == task[:8]
    assert document == {
        "imported": [
            {
                "path": str(SESSION),
                "kind": "clearml",
                "tasks": [task],
                "new": False,
                "events": 0,
                "blobs": 0,
            }
        ],
        "problems": [],
    }
    assert eventlog("show", row.split()[0]).code == 0


def test_one_that_cannot_be_read_does_not_stop_the_others(eventlog: Run, tmp_path: Path) -> None:
    torn = tmp_path / "torn.zip"
    torn.write_bytes(SESSION.read_bytes()[:5000])
    other = shutil.copy(SESSION, tmp_path / "other.zip")
    done = eventlog("import", str(torn), str(tmp_path / "nothing"), str(other))
    assert done.code == 1
    assert "every reporter" in done.out
    assert f"{torn} is not a whole zip file" in done.out
    assert f"{tmp_path / 'nothing'} cannot be read" in done.out
    assert "Traceback" not in done.err


def test_a_slip_in_a_name_begins_no_store(eventlog: Run, home: Path, tmp_path: Path) -> None:
    done = eventlog("import", str(tmp_path / "nothing.zip"))
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"eventlog: {tmp_path / 'nothing.zip'} is not there: name the folder or the zip file of a session\n"
    )
    assert not home.exists()


def test_a_store_that_has_only_pulled_brings_what_it_pulled(
    eventlog: Run, tasks: Path, tmp_path: Path
) -> None:
    remote, between, last = (str(tmp_path / name) for name in ("remote", "between", "last"))
    assert eventlog("sync", remote).code == 0
    assert eventlog("sync", remote, "--pull", EVENTLOG_HOME=between).code == 0
    events = json.loads(eventlog("status", "--json", EVENTLOG_HOME=between).out)["events"]
    for is_new in (True, False):
        done = eventlog("import", between, "--json", EVENTLOG_HOME=last)
        assert (done.code, done.err) == (0, "")
        (imported,) = json.loads(done.out)["imported"]
        assert (len(imported["tasks"]), imported["new"]) == (3, is_new)
        assert BASELINE in imported["tasks"]
        assert imported["events"] == (events if is_new else 0)


def test_a_store_that_has_pulled_from_others_brings_all_of_them(
    eventlog: Run, tasks: Path, tmp_path: Path
) -> None:
    remote, between, last = (str(tmp_path / name) for name in ("remote", "between", "last"))
    assert eventlog("sync", remote).code == 0
    with Store.open(Path(between)) as store:
        store.session.append(TaskCreated, "0" * 31 + "1", "of its own", "digits")
    assert eventlog("sync", remote, EVENTLOG_HOME=between).code == 0
    done = eventlog("import", between, "--json", EVENTLOG_HOME=last)
    assert (done.code, done.err) == (0, "")
    (imported,) = json.loads(done.out)["imported"]
    assert len(imported["tasks"]) == 4
    assert eventlog("verify", EVENTLOG_HOME=last).code == 0


def test_a_task_that_was_deleted_stops_no_import(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    with Store.open(tasks) as store:
        store.session.append(TaskDeleted, BASELINE)
    done = eventlog("import", str(tasks), EVENTLOG_HOME=str(tmp_path / "other"))
    assert (done.code, done.err) == (0, "")
    assert "no task" in done.out


def test_only_tasks_that_are_in_the_file_are_listed(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    early, late = (str(tmp_path / name) for name in ("early.zip", "late.zip"))
    assert eventlog("bundle", "create", early).code == 0
    with Store.open(tasks) as store:
        train(store, "9" * 32, "later", learning_rate="0.3", steps=2)
    assert eventlog("bundle", "create", late, "--since", early).code == 0
    done = eventlog("import", early, late, early, "--json", EVENTLOG_HOME=str(tmp_path / "other"))
    assert done.code == 0, done.err
    listed = [one["tasks"] for one in json.loads(done.out)["imported"]]
    assert listed[1] == ["9" * 32]
    assert listed[0] == listed[2]
    assert len(listed[0]) == 3


def test_a_session_goes_on_with_a_task_that_is_here(eventlog: Run, tasks: Path) -> None:
    done = eventlog(
        "import", str(SESSION), "--into", "digits/baseline", "--iteration-offset", "100", "--json"
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["imported"][0]["tasks"] == [BASELINE]
    shown = json.loads(eventlog("scalars", BASELINE, "--json").out)
    assert [one["last_iteration"] for one in shown if one["series"] == "train"] == [104]
    assert eventlog("import", str(SESSION), "--into", "nobody").code == 1
