"""Verify, for a remote and a bundle: silent about every sound one, and exact about what is wrong."""

import hashlib
import io
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog.errors import (
    DataCorrupt,
    EventlogError,
    InputInvalid,
    NotFound,
    RemoteInvalid,
    RemoteUnreachable,
    StoreNewer,
)
from eventlog.events import MediaReported
from eventlog.kept_heads import KeptHead, heads_text, read_heads
from eventlog.sync import push
from eventlog.sync.bundle import export_bundle
from eventlog.sync.check_remote import heads_of, verify_bundle, verify_remote
from eventlog.sync.check_segment import check_segment
from eventlog.sync.folder_objects import FolderObjects
from eventlog.sync.urls import objects_at
from tests.sync.machines import Machine, read_remote

Machines = Callable[[str], Machine]


@pytest.fixture
def laptop(machine: Machines, remote: Path) -> Machine:
    """A machine that pushed three times, so that the remote holds three segments of it and two blobs."""
    one = machine("laptop")
    one.train()
    push(one.store, remote)
    one.upload(b"weights" * 100)
    one.upload(b"labels", "labels")
    push(one.store, remote)
    one.train()
    one.train()
    push(one.store, remote)
    return one


def problems_of(remote: Path) -> list[str]:
    report = verify_remote(objects_at(remote))
    assert all("\n" not in line for line in report.problems)
    return report.problems


def segments_of(remote: Path, one: Machine) -> list[Path]:
    return sorted((remote / "stores" / one.id.hex()).iterdir())


# Sound ones.


def test_a_sound_remote_is_counted(laptop: Machine, machine: Machines, remote: Path) -> None:
    desktop = machine("desktop")
    desktop.train()
    push(desktop.store, remote)
    report = verify_remote(objects_at(remote))
    assert (report.problems, report.notes) == ([], [])
    held = read_remote(remote)
    assert report.batches == sum(map(len, held.values()))
    assert (report.stores, report.segments, report.sessions, report.blobs, report.unknown) == (2, 4, 2, 2, 0)
    stored = [batch for one in (laptop, desktop) for batch in one.store.batches(one.id)]
    assert report.events == sum(batch.states + batch.reports for batch in stored)
    assert report.heads == laptop.store.heads() | desktop.store.heads()
    assert {
        store: KeptHead(last.number, last.hash) for store, last in heads_of(objects_at(remote)).items()
    } == report.heads
    assert repr(report).startswith("<Report: 0 problems in 2 stores, 4 segments, ")


def test_a_sound_bundle_is_counted_and_its_blobs_are_read(laptop: Machine, tmp_path: Path) -> None:
    export_bundle(laptop.store, tmp_path / "runs.zip")
    calls: list[tuple[int, int]] = []
    report = verify_bundle(tmp_path / "runs.zip", lambda done, total: calls.append((done, total)))
    assert (report.problems, report.notes) == ([], [])
    assert (report.stores, report.batches, report.blobs) == (1, 5, 2)
    assert report.heads == laptop.store.heads()
    assert calls[-1][0] == calls[-1][1] > 700
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_a_remote_anywhere_that_fsspec_reaches_is_verified(laptop: Machine, tmp_path: Path) -> None:
    url = f"memory://{tmp_path.name}/remote"
    push(laptop.store, url)
    objects = objects_at(url)
    report = verify_remote(objects)
    assert report.problems == []
    assert (report.batches, report.blobs) == (5, 2)
    ((identity, last),) = heads_of(objects).items()
    assert {identity: (last.number, last.hash)} == laptop.store.heads()
    (name,) = (name for name in objects.everything() if name.endswith(".segment"))
    objects.put(name, [b"EVSEG001"])
    (line,) = verify_remote(objects).problems[:1]
    assert line == f"{name} holds no batch"


def test_a_bundle_that_another_program_packed_is_sound(laptop: Machine, remote: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "runs"), "zip", remote)
    assert verify_bundle(tmp_path / "runs.zip").problems == []


def test_overlapping_segments_are_one_chain(laptop: Machine, remote: Path, tmp_path: Path) -> None:
    push(laptop.store, tmp_path / "whole")
    (large,) = segments_of(tmp_path / "whole", laptop)
    copy = remote / "stores" / laptop.id.hex() / large.name
    shutil.copy(large, copy)
    report = verify_remote(objects_at(remote))
    assert (report.problems, report.batches, report.segments) == ([], 5, 4)
    # One of the two is damaged: it is named, and the other one's batches are those that count.
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    report = verify_remote(objects_at(remote))
    assert report.batches == 5
    assert all(copy.name in line for line in report.problems)
    assert 1 <= len(report.problems) <= 3


def test_segments_merged_while_they_are_read_are_read_again(
    laptop: Machine, remote: Path, tmp_path: Path
) -> None:
    push(laptop.store, tmp_path / "whole")
    (large,) = segments_of(tmp_path / "whole", laptop)

    class Merging(FolderObjects):
        def open(self, name: str):  # type: ignore[no-untyped-def]
            if name.endswith(".segment") and not (remote / "stores" / laptop.id.hex() / large.name).exists():
                small = segments_of(remote, laptop)
                shutil.copy(large, remote / "stores" / laptop.id.hex() / large.name)
                for path in small:
                    path.unlink()
            return super().open(name)

    objects = objects_at(remote)
    report = verify_remote(Merging(objects._fs, objects._root, objects.shown))
    assert (report.problems, report.segments, report.batches) == ([], 1, 5)


def test_a_segment_that_is_listed_and_never_there_is_named(laptop: Machine, remote: Path) -> None:
    objects = objects_at(remote)
    first = segments_of(remote, laptop)[0]

    class Listing(FolderObjects):
        def open(self, name: str):  # type: ignore[no-untyped-def]
            if name.endswith(first.name):
                raise NotFound(f"{name} is not there")
            return super().open(name)

    report = verify_remote(Listing(objects._fs, objects._root, objects.shown))
    assert report.batches == 4
    assert f"missing batch 0 of store {laptop.id.hex()}" in report.problems
    assert any(first.name in line and line.endswith("is not there") for line in report.problems)


def test_blobs_are_left_out_if_quick_but_have_to_be_there(laptop: Machine, remote: Path) -> None:
    first, second = sorted((remote / "blobs").glob("*/*"))
    first.write_bytes(b"changed")
    assert verify_remote(objects_at(remote), quick=True).problems == []
    second.unlink()
    (line,) = verify_remote(objects_at(remote), quick=True).problems
    assert line.startswith(f"blobs/{second.name[:2]}/{second.name}, which batch ")
    assert line.endswith(" names, is missing")


# What is no remote.


def test_what_is_no_remote_is_refused(remote: Path, tmp_path: Path) -> None:
    with pytest.raises(RemoteUnreachable, match="is not there"):
        verify_remote(objects_at(remote))
    (remote / "notes").mkdir(parents=True)
    (remote / "notes" / "a.txt").write_text("hello")
    with pytest.raises(RemoteInvalid, match="is not a remote"):
        verify_remote(objects_at(remote))
    (tmp_path / "a.zip").write_bytes(b"PK no zip")
    with pytest.raises(DataCorrupt, match="not a whole zip file"):
        verify_bundle(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("notes.txt", "hello")
    with pytest.raises(RemoteInvalid, match="is not a remote"):
        verify_bundle(tmp_path / "b.zip")
    with pytest.raises(InputInvalid):
        verify_bundle(tmp_path / "c.zip")


def test_what_a_newer_version_wrote_is_refused(laptop: Machine, remote: Path) -> None:
    last = segments_of(remote, laptop)[-1]
    last.write_bytes(b"EVSEG002" + last.read_bytes()[8:])
    (line,) = problems_of(remote)
    assert "upgrade eventlog" in line
    (remote / "eventlog-remote").write_bytes(b"eventlog remote 2\n")
    with pytest.raises(StoreNewer, match="upgrade eventlog"):
        verify_remote(objects_at(remote))


# What is wrong.


def test_segments_that_are_missing_moved_or_renamed_are_named(
    laptop: Machine, machine: Machines, remote: Path, tmp_path: Path
) -> None:
    first, middle, last = segments_of(remote, laptop)
    kept = tmp_path / "kept"

    middle.rename(kept)
    assert problems_of(remote)[0] == f"missing batches 1 to 2 of store {laptop.id.hex()}"
    kept.rename(middle)

    first.rename(kept)
    assert problems_of(remote)[0] == f"missing batch 0 of store {laptop.id.hex()}"
    kept.rename(first)

    for name in (
        "1" + middle.name[1:],
        middle.name.replace("-", "-9"),
        f"{middle.stem[:-1]}{'0' if middle.stem[-1] == '1' else '1'}.segment",
        middle.name.upper(),
        middle.name.replace(".segment", ".segmen"),
        f"{middle.name}~",
        "000000000002-000000000001-0123456789abcdef.segment",
    ):
        renamed = middle.rename(middle.with_name(name))
        assert any(name in line for line in problems_of(remote)), name
        renamed.rename(middle)

    # The names of two swapped.
    middle.rename(kept)
    last.rename(middle)
    kept.rename(last)
    lines = problems_of(remote)
    assert any(middle.name in line for line in lines)
    assert any(last.name in line for line in lines)
    last.rename(kept)
    middle.rename(last)
    kept.rename(middle)

    desktop = machine("desktop")
    elsewhere = remote / "stores" / desktop.id.hex() / first.name
    elsewhere.parent.mkdir()
    shutil.copy(first, elsewhere)
    assert any(
        elsewhere.name in line and f"it is batch 0 of store {laptop.id.hex()}" in line
        for line in problems_of(remote)
    )
    shutil.rmtree(elsewhere.parent)
    assert problems_of(remote) == []


def test_a_batch_that_was_changed_is_named(laptop: Machine, remote: Path) -> None:
    segment = segments_of(remote, laptop)[1]
    data = bytearray(segment.read_bytes())
    data[8 + 4 + 130] ^= 1
    segment.write_bytes(data)
    place = f"(stores/{laptop.id.hex()}/{segment.name}, byte 12)"
    assert f"batch 1 of store {laptop.id.hex()} {place} was changed" in "\n".join(problems_of(remote))


def test_blobs_that_are_changed_missing_or_named_by_nobody(laptop: Machine, remote: Path) -> None:
    changed, missing = sorted((remote / "blobs").glob("*/*"))
    changed.write_bytes(b"changed")
    missing.unlink()
    digest = hashlib.sha256(b"nobody's").hexdigest()
    (remote / "blobs" / digest[:2]).mkdir(exist_ok=True)
    (remote / "blobs" / digest[:2] / digest).write_bytes(b"nobody's")
    report = verify_remote(objects_at(remote))
    assert report.notes == [f"blobs that no event names: 1 ({digest[:12]})"]
    first, second = report.problems
    assert first == (
        f"blobs/{changed.name[:2]}/{changed.name} was changed: its SHA-256 is"
        f" {hashlib.sha256(b'changed').hexdigest()}"
    )
    assert second.startswith(f"blobs/{missing.name[:2]}/{missing.name}, which batch ")


def test_a_blob_that_is_said_to_be_absent_is_not_missed(laptop: Machine, remote: Path) -> None:
    first, second = sorted((remote / "blobs").glob("*/*"))
    first.unlink()
    second.unlink()
    (remote / "absent").mkdir()
    absent = remote / "absent" / ("5e" * 16)
    absent.write_text(f"{first.name}\n")
    (line,) = problems_of(remote)
    assert second.name in line
    absent.write_text(f"{first.name}\n{second.name}\n")
    report = verify_remote(objects_at(remote))
    assert (report.problems, report.absent) == ([], 2)
    for text in (f"{first.name}\n{second.name}", f"{first.name.upper()}\n{second.name}\n", "x\n"):
        absent.write_text(text)
        lines = problems_of(remote)
        assert lines[0].startswith(f"absent/{absent.name} ")
        assert len(lines) == 3


def test_lists_of_absent_blobs_that_are_replaced_meanwhile_are_read_again(
    laptop: Machine, remote: Path
) -> None:
    for blob in (remote / "blobs").glob("*/*"):
        blob.unlink()
    digests = sorted(laptop.store.blobs)
    (remote / "absent").mkdir()
    old, new = (remote / "absent" / (digits * 16) for digits in ("5e", "6f"))
    old.write_text("".join(f"{digest}\n" for digest in digests))

    class Supplying(FolderObjects):
        def open(self, name: str):  # type: ignore[no-untyped-def]
            if name.startswith("absent/") and old.exists():
                # Another machine supplies one of the blobs, and says what is still lacking.
                place = remote / "blobs" / digests[0][:2] / digests[0]
                place.write_bytes(laptop.store.blobs.path(digests[0]).read_bytes())
                new.write_text(f"{digests[1]}\n")
                old.unlink()
            return super().open(name)

    objects = objects_at(remote)
    report = verify_remote(Supplying(objects._fs, objects._root, objects.shown))
    assert (report.problems, report.absent) == ([], 1)


def test_a_blob_that_only_a_medium_names_has_to_be_there(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    digest = laptop.store.blobs.put_bytes(b"picture")
    laptop.append(MediaReported, laptop.task, "samples", "", 0, "image", digest, 7)
    push(laptop.store, remote)
    (remote / "blobs" / digest[:2] / digest).unlink()
    (line,) = problems_of(remote)
    assert digest in line


def test_what_does_not_belong_there_is_named_and_what_lies_beside_is_noted(
    laptop: Machine, remote: Path
) -> None:
    (remote / "notes.txt").write_text("hello")
    (remote / "temporary" / "x").write_text("hello")
    store = remote / "stores" / laptop.id.hex()
    (store / "deeper").mkdir()
    (store / "deeper" / "a").write_text("x")
    (remote / "blobs" / "ab").mkdir(exist_ok=True)
    (remote / "blobs" / "ab" / ("cd" * 32)).write_text("x")
    os.mkfifo(remote / "blobs" / "ab" / ("ab" * 32))
    (store / segments_of(remote, laptop)[0].name.replace("-0", "-1")).symlink_to("/dev/zero")
    report = verify_remote(objects_at(remote))
    assert report.notes == ["passed over, as no part of a remote: notes.txt, temporary/x"]
    assert len(report.problems) == 4
    assert all(line.endswith(" is not an object of a remote") for line in report.problems)


def test_an_object_that_cannot_be_read_does_not_stop_the_rest(laptop: Machine, remote: Path) -> None:
    objects = objects_at(remote)
    path = segments_of(remote, laptop)[0]
    blob = min((remote / "blobs").glob("*/*"))

    class Refusing(FolderObjects):
        def open(self, name: str):  # type: ignore[no-untyped-def]
            if name.endswith((path.name, blob.name)):
                raise RemoteUnreachable(f"{name} cannot be read (Permission denied): check its owner")
            return super().open(name)

    report = verify_remote(Refusing(objects._fs, objects._root, objects.shown))
    assert report.batches == 4
    names = [f"stores/{laptop.id.hex()}/{path.name}", f"blobs/{blob.name[:2]}/{blob.name}"]
    assert [line for line in report.problems if "Permission denied" in line] == [
        f"{name} cannot be read: {name} cannot be read (Permission denied): check its owner" for name in names
    ]


def test_a_remote_that_goes_away_is_given_up(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    for number in range(60):
        laptop.upload(b"%d" % number, str(number))
    push(laptop.store, remote)

    class Gone(FolderObjects):
        def open(self, name: str):  # type: ignore[no-untyped-def]
            if name.startswith("blobs/"):
                raise RemoteUnreachable("the remote is gone")
            return super().open(name)

    objects = objects_at(remote)
    with pytest.raises(RemoteUnreachable, match="is gone"):
        verify_remote(Gone(objects._fs, objects._root, objects.shown))


# Heads kept elsewhere.


def test_what_was_kept_is_extended_by_what_came_after(laptop: Machine, remote: Path) -> None:
    kept = read_heads(heads_text(laptop.store.heads()).encode(), "heads.txt")
    laptop.train()
    push(laptop.store, remote)
    assert verify_remote(objects_at(remote), against=kept).problems == []


def test_a_log_that_was_cut_or_is_missing_is_named(laptop: Machine, machine: Machines, remote: Path) -> None:
    desktop = machine("desktop")
    desktop.train()
    heads = laptop.store.heads() | desktop.store.heads()
    kept = read_heads(heads_text(heads).encode(), "heads.txt")
    segments_of(remote, laptop)[-1].unlink()
    assert problems_of(remote) == []
    lines = verify_remote(objects_at(remote), against=kept).problems
    older = "it was cut, or this is an older copy"
    assert set(lines) == {
        f"store {laptop.id.hex()} ends with batch 2, though heads.txt says that it had batch 4: {older}",
        f"store {desktop.id.hex()} is not here, though heads.txt says that it had batch 0",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eventlog head 1",
        "eventlog head 01\n",
        "eventlog head 1\n\n",
        "eventlog head 1\r\n",
        f"eventlog head 1\n{'ab' * 16} 0 {'cd' * 32}",
        f"eventlog head 1\n{'ab' * 16} 00 {'cd' * 32}\n",
        f"eventlog head 1\n{'AB' * 16} 0 {'cd' * 32}\n",
        f"eventlog head 1\n{'ab' * 16} 0  {'cd' * 32}\n",
        f"eventlog head 1\n{'ab' * 16} 0 {'cd' * 32} \n",
        f"eventlog head 1\n{'ab' * 16} 0 {'cd' * 32}\n{'ab' * 16} 1 {'cd' * 32}\n",
        f"eventlog head 1\n{'ab' * 16} 0 {'cd' * 32}\n{'aa' * 16} 1 {'cd' * 32}\n",
        f"eventlog head 2\n{'ab' * 16} 0 {'cd' * 32}\n",
    ],
)
def test_heads_are_read_to_the_letter(text: str) -> None:
    with pytest.raises(EventlogError, match=r"heads\.txt"):
        read_heads(text.encode(), "heads.txt")


def test_heads_are_read_as_they_were_written() -> None:
    heads = {b"s" * 16: KeptHead(3, b"h" * 32), b"a" * 16: KeptHead(10**17, b"g" * 32)}
    text = heads_text(heads)
    assert text.splitlines()[0] == "eventlog head 1"
    assert text.splitlines()[1:] == sorted(text.splitlines()[1:])
    assert read_heads(text.encode(), "heads.txt").heads == heads
    assert read_heads(heads_text({}).encode(), "heads.txt").heads == {}


def test_a_segment_of_nothing_but_zeros_is_told_in_one_line() -> None:
    for data in (bytes(1 << 20), (struct.pack(">I", 200) + bytes(200)) * 5000):
        whole = b"EVSEG001" + data
        facts = check_segment(io.BytesIO(whole), len(whole), lambda _: None)
        assert len(facts.batches) <= 101
        assert facts.problems


def test_a_name_in_a_bundle_with_a_line_end_in_it_is_told_in_one_line(
    machine: Callable[[str], Machine], tmp_path: Path
) -> None:
    laptop = machine("laptop")
    laptop.train()
    export_bundle(laptop.store, tmp_path / "runs.zip")
    with zipfile.ZipFile(tmp_path / "runs.zip", "a") as bundle:
        bundle.writestr("absent/\x1b[2J\n", b"x")
    data = bytearray((tmp_path / "runs.zip").read_bytes())
    at = data.rindex(b"PK\x03\x04")
    data[at + 10] ^= 1
    (tmp_path / "runs.zip").write_bytes(data)
    problems = verify_bundle(tmp_path / "runs.zip").problems
    assert any(problem.startswith("zip: what stands before absent/") for problem in problems)
    assert all(problem.isprintable() for problem in problems)
