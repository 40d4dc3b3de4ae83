"""Hosts that share a home on a real network file system: it is known for one, and they meet in it."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from eventlog.verify import verify
from tests.sdk.scripts import Scripts, poll
from tests.sdk.watched import end_watchers, watchers
from tests.sync.servers import SftpServer, sftp_server

TRAIN = """
import os, signal, sys, time
from pathlib import Path
from eventlog import Task
task = Task.init(project_name="tests/hosts", task_name="a run", reuse_last_task_id=False)
task.connect({"rate": 0.1})
task.get_logger().report_scalar("loss", "train", value=1, iteration=1)
print(task.id, flush=True)
while not Path(sys.argv[1]).exists(): time.sleep(0.01)
task.get_logger().report_scalar("loss", "train", value=2, iteration=2)
os.killpg(0, signal.SIGKILL)
"""
# Until the only task that this host sees has come to a status.
LOOK = """
import sys, time
from eventlog import Task
from eventlog.errors import EventlogError
while True:
    try:
        tasks = Task.get_tasks(project_name="tests/hosts")
    except EventlogError:
        tasks = []
    if tasks and tasks[0].status == sys.argv[1]:
        break
    time.sleep(0.1)
(task,) = tasks
points = task.get_reported_scalars()["loss"]["train"]["y"]
print(task.id, task.get_parameters()["General/rate"], [float(y) for y in points])
"""
SECONDS = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with sftp_server(tmp_path / "server") as server:
        yield server


@pytest.fixture
def mounted(
    server: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Path]]:
    """Gives the folder at which a host has the same file system mounted, with caches of its own."""
    if shutil.which("sshfs") is None or shutil.which("fusermount3") is None:
        pytest.skip("sshfs is not installed: apt-get install sshfs")
    served = tmp_path / "served"
    served.mkdir()
    # As it is without the tests' own setting: the file system decides.
    monkeypatch.delenv("EVENTLOG_SHARED_HOME")
    monkeypatch.setenv("EVENTLOG_AUTO_SYNC", "0.3")
    with ExitStack() as stack:

        def mount(host: str) -> Path:
            folder = tmp_path / host
            folder.mkdir()
            options = f"IdentityFile={server.key},UserKnownHostsFile={server.known_hosts},dcache_timeout=1"
            command = ["sshfs", f"127.0.0.1:{served}", str(folder), "-p", str(server.port), "-o", options]
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
            if done.returncode != 0:
                pytest.skip(f"sshfs cannot mount here: {done.stderr.strip()}")
            stack.callback(
                subprocess.run, ["fusermount3", "-u", "-z", str(folder)], check=True, timeout=SECONDS
            )
            return folder

        yield mount
        # Their files have to be closed before.
        end_watchers(served)


def test_hosts_meet_in_a_home_on_sshfs_with_nothing_configured(
    scripts: Scripts, mounted: Callable[[str], Path], tmp_path: Path
) -> None:
    """What runs on one is seen on the other; also that it was killed, and what it had reported by then."""

    def on(host: str) -> dict[str, str]:
        return {"EVENTLOG_HOST": host, "EVENTLOG_HOME": str(homes[host])}

    homes = {host: mounted(host) / "home" for host in ("node1", "login")}
    script = scripts.start(TRAIN, str(tmp_path / "go"), environment=on("node1"), new_group=True)
    task_id = script.line()
    look = scripts.start(LOOK, "in_progress", name="look.py", environment=on("login"))
    assert look.wait() == 0, look.err
    assert (look.out, look.err) == (f"{task_id} 0.1 [1.0]\n", "")
    (tmp_path / "go").touch()
    assert script.wait() == -signal.SIGKILL, script.err
    look = scripts.start(LOOK, "failed", name="look.py", environment=on("login"))
    assert look.wait() == 0, look.err
    assert (look.out, look.err) == (f"{task_id} 0.1 [1.0, 2.0]\n", "")
    poll(lambda: not watchers(tmp_path / "served"))
    stores = sorted((tmp_path / "served" / "home" / "hosts").iterdir())
    assert [store.name.rpartition("-")[0] for store in stores] == ["login", "node1"]
    for store in stores:
        assert verify(store).problems == []
    assert len(list((tmp_path / "served" / "home" / "shared" / "stores").iterdir())) == 1
