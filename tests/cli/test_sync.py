import json
from pathlib import Path

import pytest

from eventlog.events import DeliveryRequested
from eventlog.store import Store
from tests.cli.running import BASELINE, Run


@pytest.fixture
def remote(tmp_path: Path) -> str:
    return str(tmp_path / "remote")


def test_two_stores_that_met_show_the_same(eventlog: Run, tasks: Path, remote: str, tmp_path: Path) -> None:
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    pushed = eventlog("sync", remote)
    assert pushed.code == 0, pushed.err
    assert pushed.lines[0] == "pulled nothing new"
    assert pushed.lines[1].startswith("pushed ")
    assert "and 2 blobs (" in pushed.lines[1]
    pulled = eventlog("sync", remote, **second)
    assert pulled.code == 0, pulled.err
    assert pulled.lines[0].replace("pulled", "pushed").split(" (")[0] == pushed.lines[1].split(" (")[0]
    for command in (
        ["ls", "--json"],
        ["show", "digits/baseline", "--json"],
        ["log", "3fa9", "--reports", "--json"],
    ):
        assert eventlog(*command, **second).out == eventlog(*command).out != ""


def test_a_sync_again_has_nothing_to_do(eventlog: Run, tasks: Path, remote: str) -> None:
    eventlog("sync", remote)
    document = json.loads(eventlog("sync", remote, "--json").out)
    nothing = {"batches": 0, "segments": 0, "blobs": 0, "bytes": 0, "absent": 0}
    assert document == {"remote": remote, "pulled": nothing, "pushed": nothing, "problems": []}


def test_each_half_can_be_done_alone(eventlog: Run, tasks: Path, remote: str, tmp_path: Path) -> None:
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    document = json.loads(eventlog("sync", remote, "--push", "--json").out)
    assert document["pulled"] is None
    assert document["pushed"]["batches"] > 0
    document = json.loads(eventlog("sync", remote, "--pull", "--json", **second).out)
    assert document["pushed"] is None
    assert document["pulled"]["batches"] > 0


def test_the_configured_remote_is_used(eventlog: Run, tasks: Path, remote: str) -> None:
    assert json.loads(eventlog("sync", "--json", EVENTLOG_REMOTE=remote).out)["remote"] == remote
    (tasks / "config.toml").write_text(f"remote = '{remote}'\n")
    assert json.loads(eventlog("sync", "--json").out)["remote"] == remote


def test_no_remote_at_all_says_how_to_name_one(eventlog: Run, tasks: Path) -> None:
    outcome = eventlog("sync")
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: no remote")
    assert "EVENTLOG_REMOTE" in outcome.err


def test_a_remote_that_is_not_there_is_one_line(eventlog: Run, tasks: Path, remote: str) -> None:
    outcome = eventlog("sync", remote, "--pull")
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: ")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("half", [[], ["--push"], ["--pull"]])
def test_neither_store_nor_remote_are_made_of_nothing(
    eventlog: Run, home: Path, remote: str, half: list[str]
) -> None:
    outcome = eventlog("sync", remote, *half)
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: ")
    assert not home.exists()
    assert not Path(remote).exists()


def test_what_cannot_go_through_is_named_and_exits_with_1(
    eventlog: Run, tasks: Path, remote: str, tmp_path: Path
) -> None:
    eventlog("sync", remote)
    (segment,) = Path(remote).glob("stores/*/*.segment")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(content)
    outcome = eventlog("sync", remote, "--pull", EVENTLOG_HOME=str(tmp_path / "second"))
    assert outcome.code == 1
    assert segment.parent.name in outcome.out


@pytest.mark.parametrize("has_remote", [True, False])
def test_what_waits_for_its_destination_goes_there(
    eventlog: Run, tasks: Path, remote: str, tmp_path: Path, has_remote: bool
) -> None:
    (tmp_path / "out").write_text("in the way")
    with Store.open(tasks) as store:
        digest = store.blobs.put_bytes(b"weights")
        store.session.append(DeliveryRequested, BASELINE, digest, f"file://{tmp_path}/out/a/weights.bin")
        store.session.append(DeliveryRequested, BASELINE, digest, f"file://{tmp_path}/other/weights.bin")
    arguments = ["sync", remote] if has_remote else ["sync"]
    outcome = eventlog(*arguments)
    assert outcome.code == 1
    assert outcome.lines[0] == "delivered 1 file (7 B)"
    waiting = f"file://{tmp_path}/out/a/weights.bin"
    assert f"{waiting} still waits: " in outcome.lines[-1]
    assert outcome.lines[-1].count(waiting) == 1
    assert eventlog("show", BASELINE).out.count(waiting) == 1
    assert (tmp_path / "other" / "weights.bin").read_bytes() == b"weights"
    (tmp_path / "out").unlink()
    document = json.loads(eventlog(*arguments, "--json").out)
    assert document["delivered"] == {"files": 1, "bytes": 7}
    assert document["problems"] == []
    assert (tmp_path / "out" / "a" / "weights.bin").read_bytes() == b"weights"
    if has_remote:
        # The outcome goes along.
        assert document["pushed"]["batches"] > 0
        assert "delivered" not in json.loads(eventlog(*arguments, "--json").out)
    else:
        assert eventlog(*arguments).err.startswith("eventlog: no remote")


def test_a_pull_alone_delivers_nothing(eventlog: Run, tasks: Path, remote: str, tmp_path: Path) -> None:
    eventlog("sync", remote)
    with Store.open(tasks) as store:
        digest = store.blobs.put_bytes(b"weights")
        store.session.append(DeliveryRequested, BASELINE, digest, f"file://{tmp_path}/out/weights.bin")
    assert eventlog("sync", remote, "--pull").code == 0
    assert not (tmp_path / "out").exists()
