"""StorageManager moves files between paths, URLs and the cache."""

import io
import tarfile
import zipfile
from pathlib import Path

import fsspec
import pytest

from eventlog import Task
from eventlog.errors import DataCorrupt, NotAvailable, NotFound
from eventlog.sdk.storage_manager import StorageManager


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("hello\n")
    (folder / "sub" / "b.json").write_text("{}")
    return folder


@pytest.fixture
def remote(folder: Path) -> str:
    """A URL that is not of this machine's disk, with the folder's files below it."""
    url = f"memory://bucket/{folder.parent.name}"
    assert StorageManager.upload_folder(str(folder), url) == url
    return url


def test_a_local_file_is_its_own_copy(folder: Path) -> None:
    path = str(folder / "a.txt")
    assert StorageManager.get_local_copy(path) == path
    assert StorageManager.get_local_copy(f"file://{path}") == path
    assert StorageManager.get_local_copy(str(folder)) == str(folder)
    assert StorageManager.get_local_copy(f"{path}.none") is None


def test_a_remote_file_is_fetched_once(remote: str, home: Path) -> None:
    copy = StorageManager.get_local_copy(f"{remote}/a.txt")
    assert copy is not None
    assert Path(copy).read_text() == "hello\n"
    assert Path(copy).is_relative_to(home / "cache")
    with fsspec.open(f"{remote}/a.txt", "wb") as file:
        file.write(b"changed\n")
    assert StorageManager.get_local_copy(f"{remote}/a.txt") == copy
    assert Path(copy).read_text() == "hello\n"
    assert StorageManager.get_local_copy(f"{remote}/a.txt", force_download=True) == copy
    assert Path(copy).read_text() == "changed\n"
    assert StorageManager.get_local_copy(f"{remote}/none") is None


def test_the_cache_does_not_stand_in_the_way_of_a_store(remote: str, home: Path) -> None:
    StorageManager.get_local_copy(f"{remote}/a.txt")
    Task.init(project_name="tests/sdk", task_name="a store beside a cache").close()


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_an_archive_becomes_a_folder(folder: Path, ending: str) -> None:
    archive = folder.parent / f"data{ending}"
    for content in ("first", "second"):
        if ending == ".zip":
            with zipfile.ZipFile(archive, "w") as zipped:
                zipped.writestr("x/y.txt", content)
        else:
            with tarfile.open(archive, "w:gz") as tar:
                info = tarfile.TarInfo("x/y.txt")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content.encode()))
        extracted = StorageManager.get_local_copy(str(archive))
        assert extracted is not None
        assert (Path(extracted) / "x" / "y.txt").read_text() == content
    assert StorageManager.get_local_copy(str(archive), extract_archive=False) == str(archive)


def test_an_archive_that_would_leave_its_folder_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(tarfile.TarInfo("../evil.txt"), io.BytesIO(b""))
    with pytest.raises(DataCorrupt, match=r"evil\.tar"):
        StorageManager.get_local_copy(str(archive))


def test_files_are_put_and_listed(folder: Path, remote: str, tmp_path: Path) -> None:
    assert StorageManager.list(remote) == ["a.txt", "sub/b.json"]
    assert StorageManager.list(str(folder), with_metadata=True) == [
        {"name": "a.txt", "size": 6},
        {"name": "sub/b.json", "size": 2},
    ]
    target = f"file://{tmp_path}/new/place.txt"
    assert StorageManager.upload_file(str(folder / "a.txt"), target) == target
    assert StorageManager.list(f"file://{tmp_path}/new", return_full_path=True) == [target]
    assert StorageManager.exists_file(target)
    assert not StorageManager.exists_file(f"{target}.none")
    assert StorageManager.get_file_size_bytes(target) == 6
    assert StorageManager.get_file_size_bytes(f"{target}.none") is None
    stream = StorageManager.get_stream(target, chunk_size=4)
    assert stream is not None
    assert list(stream) == [b"hell", b"o\n"]
    with pytest.raises(FileNotFoundError):
        StorageManager.upload_file(str(folder / "none"), target)


def test_folders_are_fetched(remote: str, tmp_path: Path) -> None:
    target = tmp_path / "fetched"
    assert StorageManager.download_folder(remote, str(target), match_wildcard="*.json") == str(target)
    assert [path.name for path in target.rglob("*") if path.is_file()] == ["b.json"]
    path = StorageManager.download_file(f"{remote}/a.txt", str(target))
    assert path is not None
    assert Path(path).is_relative_to(target)
    assert Path(path).read_text() == "hello\n"
    assert StorageManager.download_folder(f"{remote}/none", str(target)) is None
    with pytest.raises(NotFound):
        StorageManager.download_file(f"{remote}/none", str(target))
    assert StorageManager.download_file(f"{remote}/none", str(target), silence_errors=True) is None


def test_what_is_not_here_says_so() -> None:
    for call in (
        StorageManager.get_files_server,
        lambda: StorageManager.set_cache_file_limit(5),
        lambda: StorageManager.set_report_upload_chunk_size(1),
        lambda: StorageManager.set_report_download_chunk_size(1),
        lambda: StorageManager.list("/", read_hash=True),
    ):
        with pytest.raises(NotAvailable, match="StorageManager"):
            call()
