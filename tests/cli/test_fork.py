import json
import shutil
from pathlib import Path

import pytest

from eventlog.errors import InputInvalid
from eventlog.events import TagsAdded
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
    assert told.lines[1].startswith("  here:  2 batches, the last of ")
    assert told.lines[2].startswith("  there: 1 batch, the last of ")
    document = json.loads(eventlog("fork", remote, "--dry-run", "--json").out)
    becomes = document["forks"][0]["here"]["becomes"]
    assert document["forks"][0]["parted"] is None
    assert identity_of(tasks) == old

    done = eventlog("fork", remote)
    assert (done.code, done.err) == (0, "")
    assert f"what is here is store {becomes} now" in done.out
    assert identity_of(tasks).hex() == becomes
    assert eventlog("sync", remote).code == 0
    shown = json.loads(eventlog("show", BASELINE, "--json").out)
    assert {"here", "there"} <= set(shown["tags"])
    assert eventlog("verify").code == 0
    again = eventlog("fork", remote)
    assert (again.code, again.lines) == (0, [f"no fork between this store and {remote}"])


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
