import json
import os
import re
import subprocess
import sys
from pathlib import Path

from eventlog import events
from eventlog.store import Store
from tests.cli.running import BASELINE, Run


def test_the_page_says_where_what_and_how_it_stands(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    outcome = eventlog("status")
    assert outcome.code == 0
    assert outcome.lines[0] == str(tasks)
    assert "  remote  none configured" in outcome.lines
    assert eventlog("sync", str(tmp_path / "remote")).code == 0
    met = rf"  remote  none configured; last met {re.escape(str(tmp_path / 'remote'))}, \d+s ago"
    assert any(re.fullmatch(met, line) for line in eventlog("status").lines)
    assert any(
        re.fullmatch(r"  views   up to date; \d+ batch(es)? folded just now", line) for line in outcome.lines
    )
    assert "  views   up to date" in eventlog("status").lines


def test_json_has_the_documented_keys(eventlog: Run, tasks: Path) -> None:
    document = json.loads(eventlog("status", "--json").out)
    assert list(document) == [
        "home",
        "store",
        "bytes",
        "batches",
        "events",
        "views_behind_batches",
        "stores",
        "sessions",
        "remote",
        "unpushed_batches",
        "remote_problems",
        "waiting",
        "watchers",
        "last_met",
    ]
    with Store.open(tasks) as store:
        assert document["store"] == store.id.hex()
        (head,) = store.heads().values()
        assert document["batches"] == head.number + 1
        assert document["stores"][0]["head"] == head.hash.hex()
        assert document["events"] == sum(len(batch.events()) for batch in store.batches(store.id))
    assert document["sessions"] == {"alive": [], "ended": 1, "died": 0, "elsewhere": 0}
    assert document["bytes"]["log"] > 0


def test_a_living_session_is_shown_with_its_tasks(eventlog: Run, store: Store) -> None:
    store.session.append(events.TaskCreated, BASELINE, "live", "digits")
    store.session.append(events.TaskStarted, BASELINE)
    store.flush()
    (alive,) = json.loads(eventlog("status", "--json").out)["sessions"]["alive"]
    assert store.session.id is not None
    assert alive["id"] == store.session.id.hex()
    assert alive["process"] == os.getpid()
    assert alive["tasks"] == [BASELINE]
    assert any(str(os.getpid()) in line.split() for line in eventlog("status").lines)


def test_what_is_not_pushed_is_counted(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    remote = {"EVENTLOG_REMOTE": str(tmp_path / "remote")}
    document = json.loads(eventlog("status", "--json", **remote).out)
    assert document["unpushed_batches"] == document["batches"]
    assert "not pushed" in eventlog("status", **remote).out
    eventlog("sync", **remote)
    assert json.loads(eventlog("status", "--json", **remote).out)["unpushed_batches"] == 0
    assert "all pushed" in eventlog("status", **remote).out


def test_of_a_remote_that_is_gone_it_is_said_that_it_is_and_no_number(
    eventlog: Run, tasks: Path, tmp_path: Path
) -> None:
    remote = tmp_path / "remote"
    assert eventlog("sync", str(remote)).code == 0
    remote.rename(tmp_path / "away")
    refused = eventlog("sync", str(remote)).err.removeprefix("eventlog: ").rstrip()
    assert "was a remote when this store met it last" in refused
    document = json.loads(eventlog("status", "--json", EVENTLOG_REMOTE=str(remote)).out)
    assert (document["unpushed_batches"], document["remote_problems"]) == (None, [refused])
    assert "not pushed" not in eventlog("status", EVENTLOG_REMOTE=str(remote)).out


def test_a_remote_out_of_reach_does_not_hide_the_rest(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no remote")
    outcome = eventlog("status", "--json", EVENTLOG_REMOTE=str(tmp_path / "file"))
    assert outcome.code == 0
    document = json.loads(outcome.out)
    assert document["unpushed_batches"] is None
    assert document["remote_problems"]


def test_a_process_that_left_without_closing_is_no_alarm(
    eventlog: Run, environment: dict[str, str], tasks: Path
) -> None:
    code = (
        "import os\n"
        "from eventlog import events\n"
        "from eventlog.store import Store\n"
        "store = Store.open()\n"
        f"store.session.append(events.ProgressSet, {BASELINE!r}, 50)\n"
        "store.flush()\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    page = eventlog("status").out
    assert "  ended  2, 1 of them without closing (killed, or a forked worker)\n" in page
    assert "died" not in page
