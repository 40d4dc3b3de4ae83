"""Small blobs are synced together: none has its name, and nothing names one, before it is on the disk."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlog import whole_sync
from eventlog.blobs import Blobs
from eventlog.errors import RemoteUnreachable, StoreFull
from eventlog.events import ArtifactUploaded
from eventlog.group_sync import MOST_FILES
from eventlog.store import Store
from eventlog.sync import pull, push
from tests.eventlog.disks import mounted
from tests.eventlog.syncing import sync_as
from tests.sync.machines import Machine, absent_from, batches_of, read_remote

MANY = MOST_FILES + 40


class Disk:
    """What of a folder would be lost in a power cut, as the calls tell that change and sync it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.unsynced_names: dict[int, set[Path]] = {}
        self._folder = folder
        self._synced: set[int] = set()
        self._lock = threading.Lock()
        for name in ("fsync", "rename", "replace", "mkdir"):
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        if (call := whole_sync._syncfs()) is not None:
            monkeypatch.setattr(whole_sync, "_syncfs", lambda: self._wrapped("syncfs", call))

    def lost(self, folder: str) -> set[Path]:
        """The names in a folder, or of it, that would be lost."""
        with self._lock:
            names = set().union(*self.unsynced_names.values())
        return {name for name in names if folder in name.parts}

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            getattr(self, f"_before_{name}", lambda *_: None)(*arguments)
            result = call(*arguments, **options)
            getattr(self, f"_after_{name}", lambda *_: None)(*arguments)
            return result

        return wrapped

    def _after_fsync(self, descriptor: int) -> None:
        with self._lock:
            number = os.fstat(descriptor).st_ino
            self._synced.add(number)
            self.unsynced_names.pop(number, None)

    def _before_syncfs(self, _: int) -> None:
        # What is written while it goes on may be too late for it.
        self._covered = {path.stat().st_ino for path in self._folder.rglob("*")}

    def _after_syncfs(self, _: int) -> None:
        with self._lock:
            self._synced |= self._covered

    def _before_rename(self, source: Any, target: Any) -> None:
        target = Path(target)
        if target.is_relative_to(self._folder) and {"blobs", "stores"} & set(target.parts):
            assert Path(source).stat().st_ino in self._synced, f"{target} is not on the disk"
            if "stores" in target.parts:
                assert self.lost("blobs") == set()

    def _after_rename(self, source: Any, target: Any) -> None:
        self._note(Path(target))

    _before_replace, _after_replace = _before_rename, _after_rename

    def _after_mkdir(self, path: Any, *_: Any) -> None:
        self._note(Path(path))

    def _note(self, path: Path) -> None:
        if path.is_relative_to(self._folder):
            with self._lock:
                self.unsynced_names.setdefault(path.parent.stat().st_ino, set()).add(path)


@pytest.fixture(params=["each", "whole"], autouse=True)
def _manner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    sync_as(request.param, monkeypatch)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Machine]:
    """A machine with more blobs than a group has."""
    machine = Machine(tmp_path / "origin")
    machine.train()
    name_all(machine, [os.urandom(2_000) for _ in range(MANY)])
    yield machine
    machine.close()


def name_all(machine: Machine, data: list[bytes]) -> None:
    put_together(machine.store.blobs, data)
    for one in data:
        digest = hashlib.sha256(one).hexdigest()
        machine.append(ArtifactUploaded, machine.task, digest, "file", digest, len(one), "model.bin")
    machine.store.flush()


def put_together(blobs: Blobs, data: Iterable[bytes]) -> None:
    with blobs.together() as group:
        for one in data:
            with blobs.writer(group=group) as writer:
                writer.write(one)


def whole_blobs(folder: Path) -> set[str]:
    found = set()
    for path in folder.glob("blobs/*/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        found.add(path.name)
    return found


def left(folder: Path) -> list[Path]:
    return list((folder / "temporary").iterdir())


def test_a_push_names_nothing_that_a_power_cut_could_take(
    origin: Machine, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.mkdir()
    disk = Disk(remote, monkeypatch)
    assert push(origin.store, remote).problems == []
    assert disk.lost("remote") - {remote / "temporary"} == set()
    assert len(whole_blobs(remote)) == MANY
    assert left(remote) == []


def test_a_pull_lets_in_nothing_whose_blobs_a_power_cut_could_take(
    origin: Machine, remote: Path, machine: Callable[[str], Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    push(origin.store, remote)
    late = machine("late")
    disk = Disk(late.home, monkeypatch)
    # One was put there by a process that was killed before it synced the folder.
    there = min(origin.store.blobs)
    place = late.home / "blobs" / there[:2] / there
    place.parent.mkdir(parents=True)
    (late.home / there).write_bytes(origin.store.blobs.path(there).read_bytes())
    with (late.home / there).open("rb") as file:
        os.fsync(file.fileno())
    (late.home / there).rename(place)
    assert disk.lost("blobs")
    admitted = 0
    admit = late.store.admit

    def checked(batches: Any) -> int:
        nonlocal admitted
        assert disk.lost("blobs") == set()
        admitted += 1
        return admit(batches)

    monkeypatch.setattr(late.store, "admit", checked)
    assert pull(late.store, remote).problems == []
    assert admitted
    assert set(late.store.blobs) == whole_blobs(late.home) == set(origin.store.blobs)
    assert left(late.home) == []


def test_one_damaged_blob_among_many_holds_back_no_other(
    origin: Machine, remote: Path, machine: Callable[[str], Machine]
) -> None:
    first, second, *_ = sorted(origin.store.blobs)
    damaged = origin.store.blobs.path(first)
    damaged.chmod(0o600)
    damaged.write_bytes(bytes(2_000))
    (problem,) = push(origin.store, remote).problems
    assert first in problem
    read_remote(remote)
    assert absent_from(remote) == {first}
    assert len(whole_blobs(remote)) == MANY - 1
    assert left(remote) == []

    place = remote / "blobs" / second[:2] / second
    place.chmod(0o600)
    place.write_bytes(bytes(2_000))
    late = machine("late")
    (problem,) = pull(late.store, remote).problems
    assert second in problem
    assert absent_from(late.home) == {first, second}
    assert len(whole_blobs(late.home)) == MANY - 2
    assert batches_of(late.store) == batches_of(origin.store)
    assert left(late.home) == []


def test_a_disk_that_fills_up_in_the_middle_of_a_push(origin: Machine, tmp_path: Path) -> None:
    # Of files with 2,000 bytes each takes a page.
    with mounted(tmp_path / "disk", "tmpfs", (MANY - 20) << 12) as disk:
        with pytest.raises(RemoteUnreachable, match="room"):
            push(origin.store, disk / "remote")
        assert read_remote(disk / "remote") == {}
        some = whole_blobs(disk / "remote")
        assert 0 < len(some) < MANY
        assert left(disk / "remote") == []


def test_a_disk_that_fills_up_while_blobs_are_taken_in(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "tmpfs", (MANY - 20) << 12) as disk:
        blobs = Blobs(disk)
        with pytest.raises(StoreFull, match="free some space"):
            put_together(blobs, [os.urandom(2_000) for _ in range(MANY)])
        assert len(whole_blobs(disk)) == MOST_FILES
        assert left(disk) == []


def test_machines_that_push_the_same_blobs_at_once(origin: Machine, remote: Path, tmp_path: Path) -> None:
    machines = [Machine(tmp_path / f"machine{number}") for number in range(3)]
    data = [origin.store.blobs.path(digest).read_bytes() for digest in origin.store.blobs]
    for one in machines:
        name_all(one, data)
    start = threading.Barrier(len(machines))
    problems: list[object] = []

    def work(store: Store) -> None:
        start.wait(30)
        try:
            problems.extend(push(store, remote).problems)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(one.store,)) for one in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert len(read_remote(remote)) == len(machines)
    assert len(whole_blobs(remote)) == MANY
    assert left(remote) == []
    for one in machines:
        one.close()
