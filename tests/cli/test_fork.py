import json
import os
import re
import shutil
from pathlib import Path

import pytest

from eventlog.cli.printing import counted
from eventlog.errors import InputInvalid
from eventlog.events import ScalarReported, TagsAdded, TaskCreated
from eventlog.fork import part
from eventlog.store import Store
from eventlog.sync import push
from tests.cli.running import BASELINE, Run


@pytest.fixture
def forked(tasks: Path, tmp_path: Path) -> tuple[bytes, str]:
    """The id of this home's store, of which a copy has pushed something of its own; and where to."""
    remote = tmp_path / "remote"
    copy = tmp_path / "copy"
    shutil.copytree(tasks, copy)
    for home, tag in ((tasks, "here"), (copy, "there")):
        with Store.open(home) as store:
            store.session.append(TagsAdded, BASELINE, [tag])
            store.flush()
            if home == copy:
                push(store, remote)
            identity = store.id
    return identity, str(remote)


def test_sides_on_hosts_of_one_name_are_known_by_their_tasks(
    eventlog: Run, tasks: Path, forked: tuple[bytes, str]
) -> None:
    """As where both are of one image: each side's last task is named, also one that the other side lacks."""
    _, remote = forked
    with Store.open(tasks) as store:
        store.session.append(TaskCreated, "ab" * 16, "only here", "digits")
        store.session.append(ScalarReported, "ab" * 16, "loss", "train", 0, 0.5)
    fork = json.loads(eventlog("fork", remote, "--dry-run", "--json").out)["forks"][0]
    assert fork["here"]["host"] == fork["there"]["host"]
    assert [fork[side]["where"] for side in ("here", "there")] == [str(tasks), remote]
    assert [fork[side]["name"] for side in ("here", "there")] == ["only here", "baseline"]
    assert fork["here"]["task"] == "ab" * 16
    assert fork["here"]["events"] > fork["there"]["events"] == 2


def identity_of(home: Path) -> bytes:
    with Store.open(home) as store:
        return store.id


def test_a_fork_is_found_told_and_resolved(eventlog: Run, tasks: Path, forked: tuple[bytes, str]) -> None:
    old, remote = forked
    failed = eventlog("sync", remote)
    assert failed.code == 1
    assert "run `eventlog fork`" in failed.out

    told = eventlog("fork", remote, "--dry-run")
    assert told.code == 0, told.err
    assert told.lines[0].startswith(f"store {old.hex()} has two histories after batch ")
    host = os.uname().nodename
    last = f"the last of .* on {host}, of task baseline"
    assert re.fullmatch(f"  here, in {tasks}: 2 batches of 3 events, {last}", told.lines[1])
    assert re.fullmatch(f"  there, on {remote}: 1 batch of 2 events, {last}", told.lines[2])
    document = json.loads(eventlog("fork", remote, "--dry-run", "--json").out)
    becomes = document["forks"][0]["here"]["becomes"]
    assert document["forks"][0]["parted"] is None
    assert identity_of(tasks) == old

    done = eventlog("fork", remote)
    assert (done.code, done.err) == (0, "")
    assert f"what is here is store {becomes} now" in done.out
    # The side that is there; and what has a new id, which nobody had pushed.
    assert "pulled 1 batch and 0 blobs" in done.lines
    assert any(re.fullmatch(r"pushed \d+ batch(es)? and 0 blobs", line) for line in done.lines)
    assert identity_of(tasks).hex() == becomes
    assert eventlog("sync", remote).code == 0
    shown = json.loads(eventlog("show", BASELINE, "--json").out)
    assert {"here", "there"} <= set(shown["tags"])
    assert eventlog("verify").code == 0
    again = eventlog("fork", remote)
    assert (again.code, again.lines) == (0, [f"no fork between this store and {remote}"])


def test_a_dry_run_tells_of_a_side_that_is_there_under_its_old_id(
    eventlog: Run, tasks: Path, forked: tuple[bytes, str], tmp_path: Path
) -> None:
    old, remote = forked
    between = str(tmp_path / "between")
    assert eventlog("sync", between).code == 0
    assert eventlog("fork", remote).code == 0
    # As on any machine that has both sides.
    third = {"EVENTLOG_HOME": str(tmp_path / "third")}
    assert eventlog("sync", remote, **third).code == 0
    told = eventlog("sync", between, "--pull", **third)
    assert told.code == 1
    assert f"store {old.hex()} has two histories, and the one on {between} from batch " in told.out
    foreseen = json.loads(eventlog("fork", between, "--dry-run", "--json", **third).out)
    assert (foreseen["forks"], foreseen["deleted"], foreseen["problems"]) == ([], 1, [])
    dry = eventlog("fork", between, "--dry-run", **third)
    done = eventlog("fork", between, **third)
    assert (dry.code, done.code) == (0, 0)
    pushed = f"{counted(foreseen['pushed']['batches'], 'batch')} and 0 blobs"
    assert dry.lines == [
        f"would push {pushed}",
        f"would delete 1 segment on {between}, of a side that is there under its old id",
    ]
    assert done.lines == [
        f"pushed {pushed}",
        f"deleted 1 segment on {between}, whose batches are there under a new id",
    ]
    assert eventlog("fork", between, "--dry-run", **third).lines == [
        f"no fork between this store and {between}"
    ]


def test_a_dry_run_that_finds_a_fork_tells_of_the_rest_what_is_known(
    eventlog: Run, tasks: Path, forked: tuple[bytes, str], tmp_path: Path
) -> None:
    _, remote = forked
    for place in (remote, str(tmp_path / "elsewhere")):
        with Store.open(tmp_path / f"of {Path(place).name}") as store:
            store.session.append(TaskCreated, "ab" * 16, "another's", "digits")
            store.flush()
            push(store, place)
    assert eventlog("sync", str(tmp_path / "elsewhere"), "--pull").code == 0
    dry = eventlog("fork", remote, "--dry-run")
    assert (dry.code, dry.lines[3:]) == (
        0,
        ["would pull at least 1 batch and 0 blobs", "would push at least 1 batch and 0 blobs"],
    )


def test_without_a_remote_the_last_common_batch_has_to_be_named(
    eventlog: Run, tasks: Path, forked: tuple[bytes, str]
) -> None:
    old, remote = forked
    assert eventlog("fork").code == 1
    assert eventlog("fork", remote, "--at", "0").code == 2
    assert eventlog("fork", remote, "--store", "xyz").code == 2
    assert "name an earlier one" in eventlog("fork", "--at", "99").err
    assert "would get an id of their own" in eventlog("fork", "--at", "1", "--dry-run").out
    assert identity_of(tasks) == old
    done = eventlog("fork", "--at", "1")
    assert done.code == 0, done.err
    assert identity_of(tasks) != old
    assert identity_of(tasks).hex() in done.out
    assert eventlog("verify").code == 0
    with Store.open(tasks) as store, pytest.raises(InputInvalid, match="no batch after"):
        part(store, old, 1)
