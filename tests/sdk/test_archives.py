"""An archive holds a folder as it was, and never makes a file outside the folder it is extracted to."""

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from eventlog.errors import DataCorrupt, InputInvalid
from eventlog.sdk.archives import extract_archive, folder_members, is_extracted, write_archive


def make_folder(root: Path) -> Path:
    folder = root / "data"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "a.txt").write_text("A")
    (folder / "sub" / "b.bin").write_bytes(bytes(range(256)) * 1000)
    (folder / "ünïcode: 1.txt").write_text("ü")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def archive_of(folder: Path, root: Path) -> Path:
    buffer = io.BytesIO()
    write_archive(folder_members(folder), buffer)
    path = root / "archive.zip"
    path.write_bytes(buffer.getvalue())
    return path


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def forged(root: Path, *members: zipfile.ZipInfo | str, data: bytes = b"x") -> Path:
    path = root / "forged.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, data)
    return path


def test_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    extract_archive(archive_of(folder, tmp_path), tmp_path / "out" / "data")
    assert contents(tmp_path / "out" / "data") == contents(folder)
    assert os.access(tmp_path / "out" / "data" / "run.sh", os.X_OK)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["data"]


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    first = archive_of(folder, tmp_path).read_bytes()
    assert archive_of(folder, tmp_path).read_bytes() == first
    (folder / "a.txt").write_text("B")
    assert archive_of(folder, tmp_path).read_bytes() != first


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "big.txt").write_text("big")
    (folder / "file-link").symlink_to(folder / "a.txt")
    (folder / "folder-link").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    (folder / "broken").symlink_to(folder / "nothing")
    os.mkfifo(folder / "pipe")
    names = [name for _, name in folder_members(folder)]
    assert "file-link" in names
    assert not {name for name in names if name.startswith(("folder-link", "loop", "broken", "pipe"))}


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "a/./b/../../../evil.txt", ".."]
)
def test_a_member_that_would_leave_the_folder_stops_everything(tmp_path: Path, name: str) -> None:
    (tmp_path / "deep").mkdir()
    with pytest.raises(DataCorrupt, match="would leave its folder"):
        extract_archive(forged(tmp_path, "good.txt", name), tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").iterdir())
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_member_that_is_no_plain_file_stops_everything(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("link")
    member.external_attr = (kind | 0o777) << 16
    with pytest.raises(DataCorrupt, match="not a plain file"):
        extract_archive(forged(tmp_path, member, data=b"/etc/passwd"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_members_of_one_name_stop_everything(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = forged(tmp_path, "a.txt", "a.txt")
    with pytest.raises(DataCorrupt, match="two members"):
        extract_archive(path, tmp_path / "out")
    with pytest.raises(DataCorrupt):
        extract_archive(forged(tmp_path, "a", "a/b"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_claims_more_than_it_can_hold_is_not_extracted(tmp_path: Path) -> None:
    path = forged(tmp_path, "a.txt", data=b"x" * 100)
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, central + 24, 0xFFFFFFF0)
    path.write_bytes(bytes(data))
    with pytest.raises(DataCorrupt, match="cannot hold"):
        extract_archive(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_an_archive_with_a_flipped_byte_is_refused_or_whole(tmp_path: Path, at: int) -> None:
    path = forged(tmp_path, "a.txt", data=b"some bytes that are checked")
    data = bytearray(path.read_bytes())
    data[at] ^= 0x41
    path.write_bytes(bytes(data))
    try:
        extract_archive(path, tmp_path / "out")
    except DataCorrupt:
        assert not (tmp_path / "out").exists()
    else:
        assert [file.read_bytes() for file in (tmp_path / "out").iterdir()] == [
            b"some bytes that are checked"
        ]


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"not a zip file")
    with pytest.raises(DataCorrupt, match="not a sound zip archive"):
        extract_archive(tmp_path / "no.zip", tmp_path / "out")


def test_a_changed_copy_is_told_from_an_unchanged_one(tmp_path: Path) -> None:
    archive = archive_of(make_folder(tmp_path), tmp_path)
    out = tmp_path / "out"
    assert not is_extracted(archive, out)
    extract_archive(archive, out)
    assert is_extracted(archive, out)
    (out / "a.txt").write_text("changed")
    assert not is_extracted(archive, out)


def test_a_file_that_goes_away_meanwhile_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    members = list(folder_members(folder))
    (folder / "a.txt").unlink()
    with pytest.raises(InputInvalid, match=r"a\.txt cannot be read"):
        write_archive(members, io.BytesIO())
