"""The simulated disk keeps what was synced, and may lose, tear and reorder everything else."""

from pathlib import Path
from random import Random

import pytest

from torture.disk import Disk
from torture.recording import Entry, Operation

ROOT = Path("/root")
TRIES = 200


def created(name: str, file: int = 1) -> Entry:
    return Entry(Operation.CREATE, file, 0, f"{ROOT}/{name}".encode())


def written(data: bytes, offset: int = 0, file: int = 1, *, synced: bool = False) -> Entry:
    return Entry(Operation.WRITE_SYNCED if synced else Operation.WRITE, file, offset, data)


def synced(file: int = 1) -> Entry:
    return Entry(Operation.SYNC, file, 0, b"")


def folder_synced(name: str = "") -> Entry:
    return Entry(Operation.SYNC_FOLDER, 0, 0, f"{ROOT}/{name}".rstrip("/").encode())


def made(name: str) -> Entry:
    return Entry(Operation.MKDIR, 0, 0, f"{ROOT}/{name}".encode())


def renamed(old: str, new: str) -> Entry:
    return Entry(Operation.RENAME, 0, 0, f"{ROOT}/{old}\0{ROOT}/{new}".encode())


def removed(name: str) -> Entry:
    return Entry(Operation.UNLINK, 0, 0, f"{ROOT}/{name}".encode())


def left(tmp_path: Path, *entries: Entry) -> set[tuple[tuple[str, bytes], ...]]:
    """All that cuts after these operations left in many tries: each time the names and bytes of all files."""
    found = set()
    for number in range(TRIES):
        disk = Disk(ROOT)
        for entry in entries:
            disk.apply(entry)
        folder = tmp_path / str(number)
        disk.write_left(folder, Random(number))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        found.add(tuple((str(path.relative_to(folder)), path.read_bytes()) for path in files))
    return found


def test_what_was_synced_is_there_with_its_name(tmp_path: Path) -> None:
    assert left(tmp_path, created("a"), written(b"xy"), synced(), folder_synced()) == {(("a", b"xy"),)}


def test_without_a_sync_of_its_folder_a_name_may_be_missing(tmp_path: Path) -> None:
    assert left(tmp_path, created("a"), written(b"xy"), synced()) == {(), (("a", b"xy"),)}


def test_a_folder_whose_name_is_missing_takes_all_in_it_away(tmp_path: Path) -> None:
    entries = (made("d"), created("d/a"), written(b"xy"), synced(), folder_synced("d"))
    assert left(tmp_path, *entries) == {(), (("d/a", b"xy"),)}
    assert left(tmp_path / "again", *entries, folder_synced()) == {(("d/a", b"xy"),)}


def test_writes_that_were_not_synced_may_be_there_in_any_part_and_order(tmp_path: Path) -> None:
    named = (created("a"), folder_synced())
    first, second = b"1" * 1024, b"2" * 1024
    found = {files[0][1] for files in left(tmp_path, *named, written(first), written(second, 1024))}
    assert {b"", first, first + second} <= found
    # The second without the first, and half of one.
    assert bytes(1024) + second in found
    assert any(data[:512] == bytes(512) and data[512:1024] == b"1" * 512 for data in found)
    # What was synced before is never touched by what comes later.
    later = left(tmp_path / "later", *named, written(first), synced(), written(second, 1024))
    assert all(files[0][1].startswith(first) for files in later)
    assert len(later) > 2


def test_a_write_to_a_file_that_is_synced_by_itself_says_nothing_of_the_others(tmp_path: Path) -> None:
    named = (created("a"), folder_synced())
    found = left(tmp_path, *named, written(b"1" * 512), written(b"2" * 512, 512, synced=True))
    assert found == {(("a", start + b"2" * 512),) for start in (b"1" * 512, bytes(512))}


def test_a_rename_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    named = (created("a"), written(b"old"), synced(), created("b", 2), written(b"new", file=2), synced(2))
    found = left(tmp_path, *named, folder_synced(), renamed("b", "a"))
    assert found == {(("a", b"old"), ("b", b"new")), (("a", b"new"),)}


def test_a_rename_before_a_sync_may_leave_an_empty_file(tmp_path: Path) -> None:
    found = left(tmp_path, created("b"), written(b"new"), renamed("b", "a"), folder_synced())
    assert (("a", b""),) in found


def test_operations_on_one_name_keep_their_order(tmp_path: Path) -> None:
    found = left(
        tmp_path, created("a"), synced(), removed("a"), created("a", 2), written(b"2", file=2), synced(2)
    )
    assert found == {(), (("a", b""),), (("a", b"2"),)}


@pytest.mark.parametrize("sort", [Operation.WRITE, Operation.WRITE_SYNCED])
def test_what_was_under_way_may_be_there_in_part(tmp_path: Path, sort: Operation) -> None:
    disk = Disk(ROOT)
    for entry in (created("a"), folder_synced()):
        disk.apply(entry)
    under_way = Entry(sort, 1, 0, b"1" * 1024)
    found = set()
    for number in range(TRIES):
        disk.write_left(tmp_path / str(number), Random(number), under_way)
        found.add((tmp_path / str(number) / "a").read_bytes())
    assert {b"", b"1" * 1024, b"1" * 512} <= found
