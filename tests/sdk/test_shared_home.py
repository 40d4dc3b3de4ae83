"""Hosts that share a home have a store each, and see what runs on the others."""

import os
import signal
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventlog import Task, hosts
from eventlog.configuration import Configuration, home_folder
from eventlog.errors import ConfigurationInvalid
from eventlog.store import Head, Store
from tests.sdk.scripts import Script, Scripts, poll
from tests.sdk.watched import end_watchers, watchers

TRAIN = """
import os, signal, sys, time
from pathlib import Path
from eventlog import Task
task = Task.init(project_name="tests/hosts", task_name="a run", reuse_last_task_id=False)
task.connect({"rate": 0.1})
task.get_logger().report_scalar("loss", "train", value=1, iteration=1)
print(task.id, flush=True)
"""
WAIT = """
while not Path(sys.argv[1]).exists(): time.sleep(0.01)
"""


@pytest.fixture
def shared(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home that hosts share; this process is on the login node, and pushes are frequent."""
    monkeypatch.setenv("EVENTLOG_SHARED_HOME", "1")
    monkeypatch.setenv("EVENTLOG_HOST", "login")
    monkeypatch.setenv("EVENTLOG_AUTO_SYNC", "0.3")
    yield home
    end_watchers(home)


def on(host: str, **more: str) -> dict[str, str]:
    return {"EVENTLOG_HOST": host, **more}


def seen(what: Callable[[Task], object]) -> Task:
    """The only task that the login node sees, once it is so."""

    def look() -> Task | None:
        tasks = Task.get_tasks() if (home_folder().parent.parent / hosts.SHARED).exists() else []
        return tasks[0] if tasks and what(tasks[0]) else None

    return poll(look)


def heads_on(home: Path, host: str) -> dict[bytes, Head]:
    (folder,) = (home / "hosts").glob(f"{host}-*")
    with Store.open(folder) as store:
        return store.heads()


def test_the_login_node_sees_what_runs_on_a_compute_node(scripts: Scripts, shared: Path) -> None:
    text = TRAIN + "task.upload_artifact('numbers', {'a': 1})\n" + WAIT
    script = scripts.start(text, str(shared.parent / "go"), environment=on("node1"))
    task_id = script.line()
    task = seen(lambda task: task.get_parameters() and task.get_reported_scalars())
    assert (task.id, task.status) == (task_id, "in_progress")
    assert {folder.name.rpartition("-")[0] for folder in (shared / "hosts").iterdir()} == {"node1", "login"}
    (shared.parent / "go").touch()
    assert script.wait() == 0, script.err
    assert script.err == ""
    assert seen(lambda task: task.status == "completed").id == task_id
    # The log alone came by itself.
    assert task.artifacts["numbers"].get() == {"a": 1}


@pytest.mark.parametrize("is_named", [False, True])
def test_the_command_line_sees_it_too(scripts: Scripts, shared: Path, is_named: bool) -> None:
    script = scripts.start(TRAIN, environment=on("node1"))
    assert script.wait() == 0, script.err
    run = "import sys; from eventlog.cli.main import main; main(sys.argv[1:])"
    where = ["--home", str(shared)] if is_named else []
    home = "/nowhere" if is_named else str(shared)
    listed = scripts.start(run, *where, "ls", environment=on("login", EVENTLOG_HOME=home))
    assert listed.wait() == 0, listed.err
    assert "a run" in listed.out
    assert "completed" in listed.out
    assert listed.err == ""


def test_a_script_that_was_killed_on_a_compute_node_has_failed(scripts: Scripts, shared: Path) -> None:
    text = TRAIN + WAIT + "os.killpg(0, signal.SIGKILL)\n"
    go = shared.parent / "go"
    script = scripts.start(text, str(go), environment=on("node1"), new_group=True)
    poll(lambda: watchers(shared))
    go.touch()
    assert script.wait() == -signal.SIGKILL
    task = seen(lambda task: task.status == "failed")
    assert "node1 was killed" in task.data.status_reason


def test_what_a_node_that_died_left_is_named(scripts: Scripts, shared: Path) -> None:
    def run(host: str, *arguments: str) -> str:
        text = "import sys; from eventlog.cli.main import main; main(sys.argv[1:])"
        ran = scripts.start(text, *arguments, environment=on(host))
        assert ran.wait() == 0, ran.err
        return ran.out

    assert scripts.start(TRAIN, environment=on("node1")).wait() == 0
    poll(lambda: not watchers(shared))
    # No watcher survives it.
    text = TRAIN + "os.kill(os.getpid(), signal.SIGKILL)\n"
    script = scripts.start(text, environment=on("node1", EVENTLOG_AUTO_SYNC="off"))
    assert script.wait() == -signal.SIGKILL
    assert "1 dead session" in run("login", "status")
    run("node1", "sync")
    assert "dead session" not in run("login", "status")
    assert Counter(task.status for task in Task.get_tasks()) == {"completed": 1, "failed": 1}


def test_a_task_is_edited_and_stopped_from_another_host(scripts: Scripts, shared: Path) -> None:
    another = scripts.start(TRAIN + "Task.current_task().delete()\n", environment=on("node2"))
    assert another.wait() == 0, another.err
    script = scripts.start(TRAIN + WAIT, str(shared.parent / "go"), environment=on("node1"))
    task_id = script.line()
    seen(lambda task: task.status == "in_progress")
    stop = f"from eventlog import Task\nTask.get_task({task_id!r}).mark_stop_request()\n"
    edit = scripts.start(stop, name="stop.py", environment=on("login"))
    assert edit.wait() == 0, edit.err
    assert script.wait() == -signal.SIGTERM, script.err
    assert seen(lambda task: task.status == "stopped").id == task_id
    # What is no business of the node is not there; the login node has all of it.
    assert {host: len(heads_on(shared, host)) for host in ("node1", "login")} == {"node1": 2, "login": 3}


def test_ranks_on_several_hosts_add_to_one_task_that_the_first_ends(scripts: Scripts, shared: Path) -> None:
    text = TRAIN + "task.get_logger().report_scalar('rank', os.environ['RANK'], value=1, iteration=1)\n"
    torch = {"WORLD_SIZE": "3", "MASTER_ADDR": "node0", "MASTER_PORT": "29500"}
    go = shared.parent / "go"
    ranks: list[Script] = [
        scripts.start(
            text + (WAIT if rank == 0 else ""),
            str(go),
            name=f"rank_{rank}.py",
            environment=on(f"node{rank}", RANK=str(rank), **torch),
        )
        for rank in (2, 1, 0)
    ][::-1]
    task_id = ranks[0].line()
    for rank in ranks[1:]:
        assert rank.wait() == 0, rank.err
        assert (rank.out, rank.err) == (f"{task_id}\n", "")
    assert seen(lambda task: len(task.get_reported_scalars().get("rank", ())) == 3).status == "in_progress"
    go.touch()
    assert ranks[0].wait() == 0, ranks[0].err
    assert seen(lambda task: task.status == "completed").id == task_id
    assert len(Task.get_tasks()) == 1


def test_a_task_that_is_given_by_its_id_goes_on_on_another_host(scripts: Scripts, shared: Path) -> None:
    first = scripts.start(TRAIN, environment=on("node1"))
    assert first.wait() == 0, first.err
    again = scripts.start(TRAIN, environment=on("node2", EVENTLOG_TASK_ID=first.out.strip()))
    assert again.wait() == 0, again.err
    assert again.out == first.out
    assert seen(lambda task: task.status == "completed").id == first.out.strip()
    assert len(Task.get_tasks()) == 1


def test_what_was_there_before_hosts_shared_the_home_can_be_imported(
    scripts: Scripts, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = scripts.start(TRAIN, environment={"EVENTLOG_SHARED_HOME": "0"})
    assert old.wait() == 0, old.err
    new = scripts.start(TRAIN, environment=on("node1"))
    assert new.wait() == 0
    assert f"`eventlog import {shared}` takes in what the one there holds" in new.err
    assert new.err.count("\n") == 1
    run = "import sys; from eventlog.cli.main import main; main(sys.argv[1:])"
    imported = scripts.start(run, "import", str(shared), environment=on("node1"))
    assert imported.wait() == 0, imported.err
    poll(lambda: {task.id for task in Task.get_tasks()} == {old.out.strip(), new.out.strip()})


def test_the_settings_at_the_home_are_those_of_all_hosts(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVENTLOG_SHARED_HOME")
    monkeypatch.delenv("EVENTLOG_AUTO_SYNC")
    shared.mkdir()
    (shared / "config.toml").write_text("shared_home = true\nauto_sync = 'close'\n")
    monkeypatch.setenv("EVENTLOG_HOST", "another")
    with Store.open() as store:
        assert store.home.parent == shared / "hosts"
        assert store.configuration.auto_sync == "close"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (shared / "hosts", store.home)] == [0o700] * 2


@pytest.mark.parametrize(
    ("name", "folder"),
    [("../../tmp", "_.._tmp"), ("..", "host"), ("a/b c", "a_b_c"), ("née" * 100, "n_e" * 20)],
)
def test_names_of_hosts_never_become_paths(
    shared: Path, monkeypatch: pytest.MonkeyPatch, name: str, folder: str
) -> None:
    monkeypatch.setenv("EVENTLOG_HOST", name)
    found = home_folder()
    assert found.parent == shared / "hosts"
    assert found.name.rpartition("-")[0] == folder
    assert hosts.home_around(found) == shared
    monkeypatch.setenv("EVENTLOG_HOST", name + " ")
    assert home_folder() != found


@pytest.mark.parametrize(("kind", "is_network"), [("nfs4", True), ("fuse.sshfs", True), ("tmpfs", False)])
def test_a_network_file_system_is_known_by_its_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, is_network: bool
) -> None:
    folder = Path("/dev/shm")
    device = folder.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 27 0:9999 / /proc rw - nfs4 server:/other rw\n"
        f"30 25 {os.major(device)}:{os.minor(device)} / /a\\040home rw,relatime shared:1 - {kind} x rw\n"
    )
    monkeypatch.setattr(hosts, "MOUNTS", str(mounts))
    assert hosts.is_on_network(folder / "not" / "there" / "yet") is is_network
    monkeypatch.setattr(hosts, "MOUNTS", str(tmp_path / "missing"))
    assert not hosts.is_on_network(folder)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("auto_sync", "often"), ("auto_sync", "-1"), ("auto_sync", "inf"), ("shared_home", "perhaps")],
)
def test_settings_that_cannot_be_used_are_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(f"EVENTLOG_{setting.upper()}", value)
    with pytest.raises(ConfigurationInvalid, match=f"gives {setting} the value '{value}'"):
        Configuration.load()
