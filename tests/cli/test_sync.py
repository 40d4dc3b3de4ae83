import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventlog.events import ArtifactUploaded, DeliveryCompleted, DeliveryRequested
from eventlog.store import Store
from eventlog.sync import push
from tests.cli.running import BASELINE, RICH, WIDER, Run, train
from tests.sync.servers import web_server


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


@pytest.mark.parametrize("half", [[], ["--push"], ["--pull"], ["--dry-run"]])
def test_a_bundle_that_is_not_there_is_not_made_a_folder(
    eventlog: Run, tasks: Path, tmp_path: Path, half: list[str]
) -> None:
    bundle = tmp_path / "runs.ZIP"
    outcome = eventlog("sync", str(bundle), *half)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "eventlog bundle create" in outcome.err
    assert not bundle.exists()
    # Somebody has made one, or has one from before.
    bundle.mkdir()
    assert eventlog("sync", str(bundle)).code == 0


@pytest.mark.parametrize("half", [[], ["--push"], ["--pull"]])
def test_neither_store_nor_remote_are_made_of_nothing(
    eventlog: Run, home: Path, remote: str, half: list[str]
) -> None:
    outcome = eventlog("sync", remote, *half)
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: ")
    assert not home.exists()
    assert not Path(remote).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_store_that_cannot_be_made_is_told_as_that(
    eventlog: Run, tasks: Path, remote: str, tmp_path: Path
) -> None:
    eventlog("sync", remote)
    (tmp_path / "closed").mkdir(mode=0o500)
    outcome = eventlog("sync", remote, EVENTLOG_HOME=str(tmp_path / "closed" / "home"))
    assert outcome.code == 1
    assert "no store can be made" in outcome.err


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


# Choosing.


@pytest.fixture
def various(rich: Path) -> Path:
    """The home with four tasks and two models, in which nothing waits to be delivered."""
    with Store.open(rich) as store:
        digest = store.blobs.put_bytes(b"a,b\n")
        store.session.append(DeliveryCompleted, RICH, digest, "s3://bucket/rich/table.csv")
    return rich


def blobs_in(remote: str | Path) -> int:
    return len(list(Path(remote).glob("blobs/*/*")))


@pytest.mark.parametrize(
    ("options", "blobs"),
    [
        (["--task", "3fa9", "--task", "digits/wider"], 2),
        (["--project", "digits/other"], 0),
        (["--task", "digits/rich", "--project", "digits/other"], 4),
        (["--since", "1 hour ago", "--project", "digits"], 6),
    ],
)
def test_a_choice_decides_which_blobs_travel_and_the_log_always_does(
    eventlog: Run, various: Path, remote: str, tmp_path: Path, options: list[str], blobs: int
) -> None:
    outcome = eventlog("sync", remote, "--push", "--json", *options)
    assert outcome.code == 0, outcome.err
    pushed = json.loads(outcome.out)["pushed"]
    assert (pushed["blobs"], pushed["absent"]) == (blobs, 6 - blobs)
    assert blobs_in(remote) == blobs
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    assert eventlog("sync", remote, **second).code == 0
    assert eventlog("ls", "--json", **second).out == eventlog("ls", "--json").out


def test_a_pull_of_tasks_that_were_not_known_before_takes_those_chosen(
    eventlog: Run, various: Path, remote: str, tmp_path: Path
) -> None:
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    eventlog("sync", remote)
    outcome = eventlog("sync", remote, "--task", "digits/baseline", **second)
    assert outcome.code == 0, outcome.err
    assert outcome.lines[0].endswith("; 5 blobs are not here")
    assert blobs_in(tmp_path / "second") == 1
    # What is not chosen comes when it is asked for, from where the log came from.
    fetched = eventlog("artifacts", "digits/wider", "model", "-o", str(tmp_path / "m"), **second)
    assert fetched.code == 0, fetched.err
    assert (tmp_path / "m").read_bytes() == b"weights of wider"
    assert eventlog("artifacts", "digits/rich", "table", "-o", "-", **second).out == "a,b\n"
    plots = eventlog("plots", "digits/rich", "--save", str(tmp_path / "plots"), **second)
    assert plots.code == 0, plots.err
    assert blobs_in(tmp_path / "second") == 5
    rest = eventlog("sync", remote, "--project", "digits", **second)
    assert rest.lines[0] == "pulled 0 batches and 1 blob (7 B)"
    assert "absent" not in eventlog("verify", **second).out


def test_what_is_asked_for_and_cannot_be_had_is_one_line(
    eventlog: Run, various: Path, remote: str, tmp_path: Path
) -> None:
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    eventlog("sync", remote)
    eventlog("sync", remote, "--task", "digits/rich", **second)
    Path(remote).rename(tmp_path / "moved")
    outcome = eventlog("artifacts", "digits/wider", "model", "-o", str(tmp_path / "m"), **second)
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: blob ")
    assert remote in outcome.err
    assert outcome.err.count("\n") == 1
    assert "absent" in eventlog("verify", **second).out


@pytest.mark.parametrize(
    "options",
    [["--task", "nothing"], ["--project", "nothing"], ["--task", "digits/baseline", "--task", "no"]],
)
@pytest.mark.parametrize("half", [[], ["--push"], ["--pull"], ["--dry-run"]])
def test_a_choice_of_what_there_is_not_is_one_line(
    eventlog: Run, tasks: Path, remote: str, options: list[str], half: list[str]
) -> None:
    eventlog("sync", remote)
    outcome = eventlog("sync", remote, *options, *half)
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: no task ")
    assert outcome.err.count("\n") == 1


def test_a_slip_in_a_choice_begins_no_remote_and_pushes_nothing(
    eventlog: Run, tasks: Path, remote: str
) -> None:
    outcome = eventlog("sync", remote, "--project", "nothing")
    assert outcome.code == 1
    assert outcome.err.startswith("eventlog: no task ")
    assert outcome.err.count("\n") == 1
    assert "is not there" in outcome.err
    assert not Path(remote).exists()
    assert eventlog("sync", remote).code == 0
    before = sorted(Path(remote).rglob("*"))
    with Store.open(tasks) as store:
        train(store, "0" * 31 + "7", "new", learning_rate="0.1", steps=1)
    assert eventlog("sync", remote, "--project", "nothing").code == 1
    assert sorted(Path(remote).rglob("*")) == before


@pytest.mark.parametrize("half", [[], ["--pull"]])
def test_what_was_pulled_is_told_though_what_was_chosen_was_not_in_it(
    eventlog: Run, tasks: Path, remote: str, tmp_path: Path, half: list[str]
) -> None:
    pushed = eventlog("sync", remote).lines[1]
    batches = pushed.removeprefix("pushed ").split(" and ")[0]
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    outcome = eventlog("sync", remote, "--project", "nothing", *half, **second)
    assert outcome.code == 1
    assert outcome.lines[0].startswith(f"pulled {batches} and 0 blobs (")
    assert outcome.lines[0].endswith("; 2 blobs are not here")
    assert outcome.err.startswith("eventlog: no task of a project 'nothing': ")
    assert eventlog("ls", "--json", **second).out == eventlog("ls", "--json").out
    outcome = eventlog("sync", remote, "--project", "nothing", "--json", *half, **second)
    told = json.loads(outcome.out)
    assert (outcome.code, told["pulled"]["batches"]) == (1, 0)
    assert outcome.err == f"eventlog: {told['problems'][0]}\n"


# Looking first.


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_size)
        # LMDB's table of readers is written by whoever reads.
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock.mdb"
    }


def test_a_dry_run_says_what_would_move_and_moves_nothing(
    eventlog: Run, various: Path, remote: str, tmp_path: Path
) -> None:
    second, third = ({"EVENTLOG_HOME": str(tmp_path / name)} for name in ("second", "third"))
    eventlog("sync", remote)
    with Store.open(tmp_path / "second") as store:
        digest = store.blobs.put_bytes(b"own")
        store.session.append(ArtifactUploaded, BASELINE, "own", "file", digest, 3, "own.bin")
        own = store.id.hex()
    before = contents(tmp_path)
    outcome = eventlog("sync", remote, "--dry-run", "--json", **second)
    assert outcome.code == 0, outcome.err
    plan = json.loads(outcome.out)
    shown = eventlog("sync", remote, "--dry-run", **second)
    assert shown.code == 0
    assert contents(tmp_path) == before
    done = json.loads(eventlog("sync", remote, "--json", **second).out)
    for planned, moved in ((plan["pull"], done["pulled"]), (plan["push"], done["pushed"])):
        assert {name: moved[name] for name in ("batches", "blobs", "bytes")} == {
            name: planned[name] for name in ("batches", "blobs", "bytes")
        }
        assert planned["batches"] == sum(store["batches"] for store in planned["stores"])
    assert [store["id"] for store in plan["push"]["stores"]] == [own]
    assert shown.lines[0].startswith("would pull ")
    assert f" of store {own}" in shown.lines[-1]
    again = eventlog("sync", remote, "--dry-run", **second)
    assert again.lines == ["would pull nothing", "would push nothing"]
    # Nothing is begun where there is nothing.
    assert json.loads(eventlog("sync", remote, "--dry-run", "--json", **third).out)["pull"]["blobs"] == 7
    assert not (tmp_path / "third").exists()
    assert eventlog("sync", str(tmp_path / "nowhere"), "--dry-run").code == 0
    assert not (tmp_path / "nowhere").exists()


def test_a_dry_run_is_refused_where_the_sync_would_be(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    assert eventlog("sync", str(remote)).code == 0
    remote.rename(tmp_path / "away")
    for place, told in ((remote, "was a remote when"), (tmp_path / "no" / "where", "cannot be made, as")):
        refused, dry = eventlog("sync", str(place)), eventlog("sync", str(place), "--dry-run")
        assert told in refused.err
        assert (dry.code, dry.out, dry.err) == (1, "", refused.err)
    assert eventlog("sync", str(remote), "--dry-run", "--new").code == 0


def test_a_dry_run_counts_what_is_absent_and_would_be_supplied(
    eventlog: Run, various: Path, remote: str, tmp_path: Path
) -> None:
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    eventlog("sync", remote, "--task", "digits/baseline")
    outcome = eventlog("sync", remote, "--dry-run")
    assert outcome.lines[1].startswith("would push 0 batches and 5 blobs")
    assert eventlog("sync", remote, **second).lines[0].endswith("; 5 blobs are not on it yet")
    eventlog("sync", remote)
    outcome = eventlog("sync", remote, "--dry-run", **second)
    assert outcome.lines[0].startswith("would pull 0 batches and 5 blobs")
    outcome = eventlog("sync", remote, "--dry-run", "--task", "digits/wider", **second)
    assert outcome.lines[0].startswith("would pull at most 0 batches and 1 blob")


# Stopping.

STUCK = """
import os, sys, threading
from eventlog.sync.folder_objects import FolderObjects
from eventlog.sync.remote import Remote
def stuck(self, *arguments):
    os.write(1, b"stuck\\n")
    threading.Event().wait()
name = sys.argv.pop(1)
setattr(Remote if hasattr(Remote, name) else FolderObjects, name, stuck)
from eventlog.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("where", ["whole_blob", "put_file", "put", "start", "files_in_folders"])
def test_ctrl_c_stops_at_once_whatever_hangs(
    environment: dict[str, str], eventlog: Run, various: Path, remote: str, tmp_path: Path, where: str
) -> None:
    """As a network that is gone does: no thread that waits for it is waited for."""
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    if where in {"whole_blob", "start", "files_in_folders"}:
        eventlog("sync", remote)
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, where, "sync", remote],
        env={**environment, **(second if where == "whole_blob" else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stdout.readline() == "stuck\n"
            process.send_signal(signal.SIGINT)
            # What hangs does so for ever.
            assert process.wait(30) == 130
            assert process.stderr.read() == "eventlog: interrupted; the next sync goes on from here\n"
        finally:
            process.kill()
    assert eventlog("sync", remote, **(second if where == "whole_blob" else {})).code == 0


def test_a_remote_that_is_gone_is_not_begun_anew_by_itself(
    eventlog: Run, tasks: Path, remote: str, tmp_path: Path
) -> None:
    """As where a stick was pulled out, or a share is not mounted."""
    assert eventlog("sync", remote).code == 0
    Path(remote).rename(tmp_path / "elsewhere")
    for is_there in (False, True):
        if is_there:
            Path(remote).mkdir()
        for half in ([], ["--push"]):
            done = eventlog("sync", remote, *half)
            assert (done.code, done.err.count("\n")) == (1, 1)
            assert "was a remote" in done.err
    assert list(Path(remote).iterdir()) == []
    assert eventlog("sync", remote, "--new").code == 0
    assert (Path(remote) / "eventlog-remote").exists()


def test_blobs_that_were_lost_come_back_with_repair(
    eventlog: Run, various: Path, remote: str, tmp_path: Path
) -> None:
    second = {"EVENTLOG_HOME": str(tmp_path / "second")}
    eventlog("sync", remote)
    eventlog("sync", remote, **second)
    for folder in (tmp_path / "second" / "blobs", Path(remote) / "blobs"):
        lost, cut = sorted(path for path in folder.rglob("*") if path.is_file())[:2]
        whole = cut.read_bytes()
        lost.unlink()
        cut.chmod(0o600)
        cut.write_bytes(whole[:-1])
        if folder.parent == tmp_path / "second":
            # A damaged one is for the person to take away.
            cut.unlink()
        assert eventlog("sync", remote, **second).lines[:2] == ["pulled nothing new", "pushed nothing new"]
        done = eventlog("sync", remote, "--repair", **second)
        assert done.code == 0, done.out
        assert "2 blobs" in done.out
        assert cut.read_bytes() == whole
        assert lost.exists()
    assert eventlog("verify", **second).code == 0
    assert eventlog("verify", remote).code == 0


def test_what_was_pulled_is_told_also_where_nothing_can_be_pushed(
    eventlog: Run, tasks: Path, tmp_path: Path
) -> None:
    remote = tmp_path / "remote"
    with Store.open(tmp_path / "second") as second:
        train(second, WIDER, "elsewhere", learning_rate="0.3", steps=5)
        second.flush()
        push(second, remote)
    with Store.open(tasks) as store:
        (remote / "stores" / store.id.hex()).touch()
    failed = eventlog("sync", str(remote))
    assert failed.code == 1
    assert re.match(r"pulled [1-9]\d* batch", failed.lines[0])
    assert failed.lines[1].startswith("pushed 0 batches and ")
    assert f"stores/{store.id.hex()}" in failed.lines[2]
    assert "elsewhere" in eventlog("ls").out


def test_of_a_remote_that_can_only_be_read_it_is_said(eventlog: Run, tasks: Path, tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    remote = tmp_path / "published" / "runs"
    assert eventlog("sync", str(remote)).code == 0
    with web_server(tmp_path / "published") as server:
        url = f"{server}/runs"
        assert eventlog("sync", url).lines == ["pulled nothing new"]
        with Store.open(tasks) as store:
            digest = store.blobs.put_bytes(b"own")
            store.session.append(ArtifactUploaded, BASELINE, "own", "file", digest, 3, "own.bin")
        before = contents(remote)
        refusal = f"eventlog: {url} can only be read: pull from it, and push by another protocol"
        for more in ((), ("--dry-run",), ("--watch", "0.1"), ("--json",)):
            refused = eventlog("sync", f"{url}/", "--push", *more)
            assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
            assert refused.err.startswith(refusal)
        behind = f"{url} can only be read: 1 batch here is not on it"
        for more, lines in (
            ((), ["pulled nothing new", behind]),
            (("--dry-run",), ["would pull nothing", behind]),
        ):
            told = eventlog("sync", f"{url}/", *more)
            assert (told.code, told.lines) == (0, lines)
            assert json.loads(eventlog("sync", url, "--json", *more).out)["unpushed_batches"] == 1
        assert eventlog("sync", url, "--pull").lines == ["pulled nothing new"]
    assert contents(remote) == before
    # A bundle is made once.
    bundle = str(tmp_path / "runs.zip")
    assert eventlog("bundle", "create", bundle).code == 0
    with Store.open(tasks) as store:
        store.session.append(ArtifactUploaded, BASELINE, "more", "file", digest, 3, "own.bin")
    assert eventlog("sync", bundle).lines == ["pulled nothing new"]
    for more in ((), ("--dry-run",)):
        refused = eventlog("sync", bundle, "--push", *more)
        assert (refused.code, refused.out) == (1, "")
        assert f"{bundle} can only be read: make another with `eventlog bundle create`" in refused.err
