"""`eventlog sync --watch` goes on by itself, tells what it does, and ends at once when it is told to."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlog.store import Store
from eventlog.sync import Unpushed, pull, push, unpushed
from tests.cli.running import BASELINE, EVENTLOG, WIDER, Run, train

SECONDS = 30.0

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return tmp_path / "share" / "remote"


@pytest.fixture
def watch(environment: dict[str, str], remote: Path) -> Iterator[Start]:
    """Starts `eventlog sync REMOTE --watch 0.1`."""
    remote.parent.mkdir()
    started = []

    def start(*options: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*EVENTLOG, "sync", str(remote), "--watch", "0.1", *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=SECONDS)


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    text = process.stdout.readline()
    assert text.endswith("\n"), process.communicate(timeout=SECONDS)
    return text.rstrip("\n")


def interrupt(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Ctrl-C ends it within a second, as far as this machine gives it one; what it still had to say."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, err
    # Click ends the terminal's line, in which ^C stands.
    return out, err.strip()


def test_it_pushes_what_comes_until_it_is_interrupted(tasks: Path, remote: Path, watch: Start) -> None:
    process = watch("--push")
    assert "  pushed " in line(process)
    with Store.open(tasks) as store:
        train(store, BASELINE, "again", learning_rate="0.3", steps=5)
        store.flush()
        while unpushed(store, remote) != Unpushed():
            assert "  pushed 1 batch and " in line(process)
    out, err = interrupt(process)
    assert err == ""
    assert all("  pushed 1 batch and " in one for one in out.splitlines())


def test_where_there_is_nothing_to_push_nothing_is_asked_of_the_remote(
    tasks: Path, remote: Path, watch: Start
) -> None:
    process = watch("--push")
    line(process)
    shutil.rmtree(remote)
    # A round that asked would make it anew; many go by until there is something to push again.
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        assert not remote.exists()
    assert interrupt(process) == ("", "")


def test_it_pulls_as_well(eventlog: Run, tasks: Path, remote: Path, watch: Start, tmp_path: Path) -> None:
    process = watch()
    line(process)
    with Store.open(tmp_path / "second") as second:
        train(second, WIDER, "elsewhere", learning_rate="0.3", steps=5)
    assert eventlog("sync", str(remote), EVENTLOG_HOME=str(tmp_path / "second")).code == 0
    assert "  pulled " in line(process)
    interrupt(process)
    assert "elsewhere" in eventlog("ls").out


def test_a_remote_that_is_gone_for_a_while_is_told_once(tasks: Path, remote: Path, watch: Start) -> None:
    remote.parent.rmdir()
    process = watch("--json")
    first = json.loads(line(process))
    assert "is not there" in first["problems"][0]
    remote.parent.mkdir()
    second: dict[str, Any] = json.loads(line(process))
    assert second["pushed"]["batches"] > 0
    assert second["problems"] == []
    assert set(second) == {"time", "remote", "pulled", "pushed", "problems"}
    interrupt(process)


@pytest.mark.parametrize(
    ("there", "options"), [("nothing", []), ("a folder", ["--pull"]), ("a store", ["--pull"])]
)
def test_where_there_is_nothing_to_pull_yet_it_is_told_and_waited_for(
    eventlog: Run,
    environment: dict[str, str],
    remote: Path,
    watch: Start,
    tmp_path: Path,
    there: str,
    options: list[str],
) -> None:
    """As on a machine that is to show what another one will record."""
    if there == "a folder":
        remote.mkdir()
    elif there == "a store":
        Store.open(Path(environment["EVENTLOG_HOME"])).close()
    process = watch(*options)
    assert line(process).endswith(f"there is nothing to pull on {remote} yet; it is waited for")
    with Store.open(tmp_path / "second") as second:
        train(second, WIDER, "elsewhere", learning_rate="0.3", steps=5)
        second.flush()
        push(second, remote)
    assert "  pulled " in line(process)
    interrupt(process)
    assert "elsewhere" in eventlog("ls").out


def test_what_no_time_will_mend_ends_it(tasks: Path, remote: Path, watch: Start) -> None:
    remote.mkdir()
    (remote / "thesis.pdf").touch()
    process = watch("--push")
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "is not a remote, and not empty" in err
    assert err.count("\n") == 1


def test_what_a_killed_process_left_is_pushed(
    eventlog: Run, tasks: Path, remote: Path, watch: Start, tmp_path: Path
) -> None:
    process = watch("--push")
    line(process)
    task = "ab" * 16
    script = (
        "import os, signal\n"
        "from eventlog import events\n"
        "from eventlog.store import Store\n"
        "append = Store.open().session.append\n"
        f"append(events.TaskCreated, {task!r}, 'a name', 'a project')\n"
        f"append(events.TaskStarted, {task!r})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([EVENTLOG[0], "-c", script], timeout=SECONDS)
    assert killed.returncode == -signal.SIGKILL
    while "failed" not in eventlog("ls", "--text", task, EVENTLOG_HOME=str(tmp_path / "second")).out:
        # The last word comes with the next round at the latest.
        assert "  pushed " in line(process)
        with Store.open(tmp_path / "second") as second:
            pull(second, remote)
    assert interrupt(process)[1] == ""


def test_seconds_have_to_be_more_than_none(eventlog: Run, tasks: Path, remote: Path) -> None:
    for seconds in ("0", "-1", "often"):
        assert eventlog("sync", str(remote), "--watch", seconds).code == 2
