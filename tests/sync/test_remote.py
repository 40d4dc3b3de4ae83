"""Remotes that cannot be used: one line that says what and what to do, and nothing lost."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog.errors import InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer, StoreReadOnly
from eventlog.store import Store
from eventlog.sync import Remote, pull, push, synchronise, unpushed
from tests.sync.machines import Machine, batches_of, read_remote

Machines = Callable[[str], Machine]
EVERY_WAY = [push, pull, synchronise, unpushed]


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


def test_a_pull_from_where_nothing_is_says_so_and_makes_nothing(machine: Machines, remote: Path) -> None:
    with pytest.raises(RemoteUnreachable, match="is not there") as error:
        pull(machine("laptop").store, remote)
    assert str(remote) in one_line(error)
    assert not remote.exists()
    remote.mkdir()
    with pytest.raises(RemoteInvalid, match="is empty"):
        pull(machine("laptop").store, remote)


@pytest.mark.parametrize("made", [False, True])
def test_a_push_makes_the_remote_where_nothing_is(machine: Machines, remote: Path, made: bool) -> None:
    if made:
        remote.mkdir()
    push(machine("laptop").store, remote)
    assert (remote / "eventlog-remote").read_bytes() == b"eventlog remote 1\n"
    assert pull(machine("laptop").store, remote).problems == []


@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_folder_that_holds_something_else_is_refused_and_left_alone(
    machine: Machines, tmp_path: Path, way: Callable
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "cat.jpg").write_bytes(b"meow")
    (folder / "stores").mkdir()
    machine("laptop").train()
    with pytest.raises(RemoteInvalid, match="not a remote, and not empty") as error:
        way(machine("laptop").store, folder)
    assert "cat.jpg" in one_line(error)
    assert sorted(path.name for path in folder.rglob("*")) == ["cat.jpg", "stores"]


@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_remote_of_a_newer_version_is_refused(machine: Machines, remote: Path, way: Callable) -> None:
    remote.mkdir()
    (remote / "eventlog-remote").write_bytes(b"eventlog remote 2\n")
    with pytest.raises(StoreNewer, match="upgrade eventlog") as error:
        way(machine("laptop").store, remote)
    one_line(error)
    assert [path.name for path in remote.iterdir()] == ["eventlog-remote"]


@pytest.mark.parametrize("text", [b"", b"something else", b"eventlog remote one\n"])
@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_marker_that_is_none_is_refused(
    machine: Machines, remote: Path, way: Callable, text: bytes
) -> None:
    remote.mkdir()
    (remote / "eventlog-remote").write_bytes(text)
    with pytest.raises(RemoteInvalid, match="not the marker") as error:
        way(machine("laptop").store, remote)
    one_line(error)


def test_a_marker_that_would_never_end_is_not_waited_for(machine: Machines, remote: Path) -> None:
    remote.mkdir()
    os.mkfifo(remote / "eventlog-remote")
    with pytest.raises(RemoteInvalid, match="not a regular file"):
        pull(machine("laptop").store, remote)


@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_remote_that_is_a_file_is_refused(machine: Machines, tmp_path: Path, way: Callable) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(b"mine")
    for path in (file, file / "below"):
        with pytest.raises(RemoteInvalid) as error:
            way(machine("laptop").store, path)
        one_line(error)
    assert file.read_bytes() == b"mine"


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize(
    ("url", "kind"),
    [("", InputInvalid), ("~nobody-of-this-name/x", InputInvalid), ("nothing://x/y", RemoteInvalid)],
)
def test_a_url_that_cannot_be_used_is_refused(
    machine: Machines, way: Callable, url: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as error:
        way(machine("laptop").store, url)
    one_line(error)


def test_a_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(RemoteInvalid) as error:
        Remote("nothing://me:secret@host/path?token=secret")
    assert "secret" not in one_line(error)
    assert "nothing://me:***@host/path" in one_line(error)


@pytest.mark.parametrize("folder", ["stores", "blobs", "temporary"])
def test_a_file_where_a_folder_should_be_is_said_and_loses_nothing(
    machine: Machines, remote: Path, folder: str
) -> None:
    laptop = machine("laptop")
    push(laptop.store, remote)
    for path in remote.glob(folder):
        path.rmdir()
    (remote / folder).write_bytes(b"")
    laptop.upload(b"x")
    before = batches_of(laptop.store)
    with pytest.raises((RemoteInvalid, RemoteUnreachable)) as error:
        push(laptop.store, remote)
    assert str(remote) in one_line(error)
    assert batches_of(laptop.store) == before
    (remote / folder).unlink()
    assert push(laptop.store, remote).problems == []
    read_remote(remote)


def test_a_store_open_for_reading_alone_can_be_pushed(machine: Machines, remote: Path) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    desktop.train()
    push(desktop.store, remote)
    laptop.train()
    held = batches_of(laptop.store)
    laptop.close()
    with Store.open(laptop.home, read_only=True) as store:
        with pytest.raises(StoreReadOnly, match="reading alone"):
            pull(store, remote)
        result = synchronise(store, remote)
        assert result.push.batches == len(read_remote(remote)[store.id])
        assert ["reading alone" in problem for problem in result.problems] == [True]
        assert store.heads().keys() == held.keys()
    laptop.store = Store.open(laptop.home)


NO_ROOM = """
import resource, sys
from pathlib import Path
from eventlog import events, sync
from eventlog.store import Store

home, remote = sys.argv[1:]
with Store.open(Path(home)) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    store.session.append(events.TaskCreated, "2" * 32, "late", "digits")
    result = sync.push(store, remote)
    print(result.batches, len(result.problems), result.problems)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


def test_a_store_that_has_no_room_left_still_pushes_what_it_has(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    laptop.train()
    committed = len(batches_of(laptop.store)[laptop.id])
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, str(laptop.home), str(remote)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith(f"{committed} 1 "), done.stderr
    assert "room" in done.stdout
    assert len(read_remote(remote)[laptop.id]) == committed


CHILD = """
import os, resource, signal, sys
from pathlib import Path
from eventlog import sync
from eventlog.errors import EventlogError
from eventlog.store import Store

how, home, remote = sys.argv[1:]
with Store.open(Path(home)) as store:
    if how == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    else:
        sync.unpushed(store, remote)
        if os.getuid() == 0:
            os.seteuid(65534)
    try:
        print(sync.push(store, remote))
    except EventlogError as error:
        print(type(error).__name__, error)
    if how == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    elif os.getuid() == 0:
        os.seteuid(0)
"""


def push_in_child(how: str, laptop: Machine, remote: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, how, str(laptop.home), str(remote)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_remote_that_is_full_is_said_and_the_push_goes_on_later(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    laptop.train()
    laptop.upload(os.urandom(3 << 20))
    said = push_in_child("full", laptop, remote)
    assert said.startswith("RemoteUnreachable")
    assert "make room there" in said
    assert "\n" not in said
    assert read_remote(remote) == {}
    assert not any((remote / "temporary").iterdir())
    assert push(laptop.store, remote).problems == []
    assert len(read_remote(remote)[laptop.id]) == 2


def test_a_remote_that_cannot_be_written_is_said(machine: Machines) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    desktop.train()
    laptop.train()
    # Root may write anything, so the child becomes another user, who has to be able to get there.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        remote = Path(folder) / "remote"
        push(desktop.store, remote)
        for path in [remote, *remote.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        said = push_in_child("read-only", laptop, remote)
        assert list(read_remote(remote)) == [desktop.id]
        # It can still be pulled from.
        assert pull(laptop.store, remote).batches == 1
        for path in [remote, *remote.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert said.startswith("RemoteUnreachable")
    assert "cannot be written" in said
    assert "owner and rights" in said
    assert "\n" not in said


def test_what_dead_writers_left_is_cleared_away_after_a_day(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    push(laptop.store, remote)
    (remote / "temporary").mkdir(exist_ok=True)
    old, young, foreign = ("0" * 32, "1" * 32, "notes.txt")
    for name in (old, young, foreign):
        (remote / "temporary" / name).write_bytes(b"half")
    for name in (old, foreign):
        os.utime(remote / "temporary" / name, (time.time() - 90_000,) * 2)
    laptop.train()
    push(laptop.store, remote)
    assert {path.name for path in (remote / "temporary").iterdir()} == {young, foreign}


def test_others_may_read_a_remote_on_a_share(machine: Machines, remote: Path) -> None:
    """A store is private to its user; a remote has the rights that the user's umask gives."""
    laptop = machine("laptop")
    laptop.upload(b"weights" * 100_000)
    mask = os.umask(0o022)
    try:
        push(laptop.store, remote)
    finally:
        os.umask(mask)
    for path in [remote, *remote.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644)


def test_many_pushes_at_once_make_one_remote(tmp_path: Path, remote: Path) -> None:
    """Nobody takes a remote that another is just making for something else."""
    machines = [Machine(tmp_path / f"machine{number}") for number in range(6)]
    for one in machines:
        one.upload(one.id)
    results: list[list[str]] = []
    start = threading.Barrier(len(machines))

    def work(one: Machine) -> None:
        start.wait()
        results.append(push(one.store, remote).problems)

    threads = [threading.Thread(target=work, args=(one,)) for one in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[]] * len(machines)
    assert read_remote(remote) == {one.id: dict(enumerate(batches_of(one.store)[one.id])) for one in machines}
    for one in machines:
        one.close()


def test_a_remote_that_another_makes_between_two_looks_is_one(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    desktop.train()
    seen = Remote(remote)
    names = seen.objects.names

    def names_later() -> list[str] | None:
        push(desktop.store, remote)
        return names()

    monkeypatch.setattr(seen.objects, "names", names_later)
    assert seen.state() == "ready"
    assert laptop.store.heads() == {}


def test_sync_is_imported_without_what_only_a_remote_needs() -> None:
    code = "import sys, eventlog.sync; print({'fsspec', 'pyarrow', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr


def test_a_push_makes_a_folder_but_not_the_folders_around_it(machine: Machines, tmp_path: Path) -> None:
    """A share that is not mounted must not look like one that took everything."""
    laptop = machine("laptop")
    laptop.train()
    with pytest.raises(RemoteUnreachable, match="is mounted"):
        push(laptop.store, tmp_path / "share" / "runs")
    assert not (tmp_path / "share").exists()
    (tmp_path / "share").mkdir()
    assert push(laptop.store, tmp_path / "share" / "runs").batches
