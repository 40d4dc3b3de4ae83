"""`eventlog import` brings sessions in, says what came, and goes on past those that cannot."""

import json
import shutil
from pathlib import Path

from tests.cli.running import BASELINE, Run

SESSION = Path(__file__).parents[1] / "sdk" / "data" / "clearml" / "session.zip"


def test_what_came_in_is_listed_and_a_second_time_brings_nothing_new(eventlog: Run, home: Path) -> None:
    first = eventlog("import", str(SESSION))
    assert (first.code, first.err) == (0, "")
    heading, row = first.lines
    assert heading.split() == ["ID", "TASK", "STATUS", "CAME", "IN", "FROM"]
    assert "digits/nested/every reporter" in row
    assert "completed" in row
    assert str(SESSION) in row
    again = eventlog("import", str(SESSION), "--json")
    document = json.loads(again.out)
    (task,) = document["imported"][0]["tasks"]
    assert row.split()[0] == task[:8]
    assert document == {
        "imported": [{"path": str(SESSION), "kind": "clearml", "tasks": [task], "new": False, "blobs": 0}],
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


def test_a_session_goes_on_with_a_task_that_is_here(eventlog: Run, tasks: Path) -> None:
    done = eventlog(
        "import", str(SESSION), "--into", "digits/baseline", "--iteration-offset", "100", "--json"
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["imported"][0]["tasks"] == [BASELINE]
    shown = json.loads(eventlog("scalars", BASELINE, "--json").out)
    assert [one["last_iteration"] for one in shown if one["series"] == "train"] == [104]
    assert eventlog("import", str(SESSION), "--into", "nobody").code == 1
