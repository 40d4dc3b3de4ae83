"""Files of a group have their names only once they are on the disk, and what is not placed is gone."""

import contextlib
import os
import threading
from pathlib import Path

import pytest

from eventlog import whole_sync
from eventlog.group_sync import MOST_FILES, GroupSync
from tests.eventlog.processes import wait_until
from tests.eventlog.syncing import sync_as


@pytest.fixture(params=["each", "whole"], autouse=True)
def manner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each file is synced, or all of a file system."""
    manner = str(request.param)
    sync_as(manner, monkeypatch)
    return manner


def write(group: GroupSync, folder: Path, name: str, data: bytes = b"data") -> None:
    path = folder / f"{name}.temporary"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.write(descriptor, data)
    group.add(descriptor, str(path), name, len(data))


def group_in(folder: Path) -> GroupSync:
    def place(path: str, name: str) -> None:
        Path(path).replace(folder / name)

    return GroupSync(folder, place, contextlib.nullcontext)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_are_placed_at_the_end_of_the_block(tmp_path: Path) -> None:
    with group_in(tmp_path) as group:
        write(group, tmp_path, "a")
        write(group, tmp_path, "b")
        assert names(tmp_path) == {"a.temporary", "b.temporary"}
    assert names(tmp_path) == {"a", "b"}


def test_any_number_of_files_takes_a_bounded_number_of_descriptors(tmp_path: Path) -> None:
    before = open_files()
    most = 0

    def work(thread: int) -> None:
        nonlocal most
        for number in range(150):
            write(group, tmp_path, f"{thread}-{number}")
            most = max(most, open_files())

    with group_in(tmp_path) as group:
        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert names(tmp_path) == {f"{thread}-{number}" for thread in range(4) for number in range(150)}
    # A group that is being synced and the next two, and a few files that are being written.
    assert most - before <= 3 * MOST_FILES + 20
    assert open_files() == before


def test_large_files_do_not_wait_for_many_others(tmp_path: Path) -> None:
    with group_in(tmp_path) as group:
        for number in range(40):
            write(group, tmp_path, str(number), bytes(2 << 20))
        wait_until(lambda: len(names(tmp_path) & {str(number) for number in range(40)}) >= 32)


def test_a_block_that_fails_removes_what_was_not_placed(tmp_path: Path) -> None:
    before = open_files()

    def fail() -> None:
        with group_in(tmp_path) as group:
            write(group, tmp_path, "a")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(tmp_path) == set()
    assert open_files() == before


def test_a_file_that_cannot_be_placed_takes_those_after_it_along(tmp_path: Path) -> None:
    def place(path: str, name: str) -> None:
        if name == "b":
            raise OSError("no room")
        Path(path).replace(tmp_path / name)

    before = open_files()
    group = GroupSync(tmp_path, place, contextlib.nullcontext)
    for name in "abc":
        write(group, tmp_path, name)
    with pytest.raises(OSError, match="no room"), group:
        pass
    assert names(tmp_path) == {"a"}
    assert open_files() == before


def test_no_file_of_a_group_is_placed_if_one_cannot_be_synced(
    tmp_path: Path, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether all of the file system cannot, which may be others' affair, is found by asking for each."""
    asked = 0

    def fail(_: int) -> int:
        nonlocal asked
        asked += 1
        return -1

    if whole_sync._syncfs() is not None:
        monkeypatch.setattr(whole_sync, "_syncfs", lambda: fail)
    count = 0
    sync = os.fsync

    def fail_later(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == 30:
            raise OSError("the disk is broken")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_later)
    group = group_in(tmp_path)
    for number in range(60):
        write(group, tmp_path, str(number))
    with pytest.raises(OSError, match="broken"), group:
        pass
    assert names(tmp_path) == set()
    assert asked == (manner == "whole")


@pytest.mark.parametrize("count", [20, MOST_FILES, MOST_FILES + 20])
def test_what_is_only_told_when_a_file_is_closed_is_an_error_of_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """As file systems of networks do where there is no room."""
    before = open_files()
    close = os.close
    closed = 0

    def tell(descriptor: int) -> None:
        nonlocal closed
        close(descriptor)
        closed += 1
        raise OSError("no room")

    monkeypatch.setattr(os, "close", tell)

    def write_all() -> None:
        with group_in(tmp_path) as group:
            for number in range(count):
                write(group, tmp_path, str(number))

    with pytest.raises(OSError, match="no room"):
        write_all()
    monkeypatch.undo()
    assert names(tmp_path) == set()
    assert closed
    assert open_files() == before


def test_an_interrupt_at_the_end_leaves_no_thread_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_files()
    group = group_in(tmp_path)
    for number in range(MOST_FILES):
        write(group, tmp_path, f"placed {number}")
    thread = group._thread
    assert thread is not None
    placed = {f"placed {number}" for number in range(MOST_FILES)}
    wait_until(lambda: names(tmp_path) == placed)
    blocked = threading.Event()
    sync = group._sync
    monkeypatch.setattr(group, "_sync", lambda files: (blocked.wait(30), sync(files)))
    write(group, tmp_path, "late")

    def interrupted() -> None:
        raise KeyboardInterrupt

    join = thread.join
    monkeypatch.setattr(thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt), group:
        pass
    blocked.set()
    join(30)
    assert not thread.is_alive()
    assert names(tmp_path) == placed
    assert open_files() == before


def test_a_group_of_many_is_synced_by_one_call(
    tmp_path: Path, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"fsync": 0, "syncfs": 0}
    each, whole = os.fsync, whole_sync._syncfs()

    def fsync(descriptor: int) -> None:
        calls["fsync"] += 1
        each(descriptor)

    def syncfs(descriptor: int) -> int:
        calls["syncfs"] += 1
        assert names(tmp_path) == {f"{number}.temporary" for number in range(60)}
        return whole(descriptor) if whole is not None else 0

    monkeypatch.setattr(os, "fsync", fsync)
    if whole is not None:
        monkeypatch.setattr(whole_sync, "_syncfs", lambda: syncfs)
    with group_in(tmp_path) as group:
        for number in range(60):
            write(group, tmp_path, str(number))
    assert names(tmp_path) == {str(number) for number in range(60)}
    assert calls == ({"fsync": 0, "syncfs": 1} if manner == "whole" else {"fsync": 60, "syncfs": 0})


def test_nothing_is_added_once_the_block_has_ended(tmp_path: Path) -> None:
    """As by a thread that nobody waited for."""
    with group_in(tmp_path) as group:
        pass
    with pytest.raises(ValueError, match="ended"):
        write(group, tmp_path, "a")
