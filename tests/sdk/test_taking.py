"""What is taken in is what stood on the disk at one moment; it never passes through memory, and is shown."""

import threading
from pathlib import Path
from typing import Any

import pytest

from eventlog import Task
from eventlog.blobs import Blobs
from eventlog.errors import InputInvalid
from eventlog.sdk import archives, progress, taking
from tests.sdk.scripts import Scripts

MEBIBYTE = 1 << 20


class Writer:
    """Writes to a file, as a training loop does, whenever a piece of it is read."""

    def __init__(self, path: Path, times: int) -> None:
        self.path = path
        self.times = times

    def __call__(self, *_: object) -> None:
        if self.times:
            self.times -= 1
            with self.path.open("r+b") as file:
                file.write(b"changed %d" % self.times)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * (4 * MEBIBYTE))
    return path


def test_a_file_that_changes_while_it_is_taken_in_is_taken_in_again(
    task: Task, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(file, 2)
    monkeypatch.setattr(progress.Moving, "__call__", writer)
    task.upload_artifact("log", file)
    assert writer.times == 0
    assert Path(task.artifacts["log"].get()).read_bytes() == file.read_bytes()


def test_a_file_that_goes_on_changing_is_refused(
    task: Task, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.Moving, "__call__", Writer(file, 10_000))
    for given in (file, file.parent, file.parent / "*.txt"):
        with pytest.raises(InputInvalid, match="changed each time while it was read"):
            task.upload_artifact("log", given)
    assert task.artifacts == {}


@pytest.mark.parametrize("pattern", ["log.txt", "", "*.txt"])
def test_a_file_that_grows_as_fast_as_it_is_read_is_not_followed_until_the_disk_is_full(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    file = tmp_path / "logs" / "log.txt"
    file.parent.mkdir()
    file.write_bytes(b"x" * (4 * MEBIBYTE))
    before = 0

    def append(_: object, done: int) -> None:
        nonlocal before
        read = done - before if done > before else done
        before = done
        if file.stat().st_size < 200 * MEBIBYTE:
            with file.open("ab") as growing:
                growing.write(b"x" * read)

    monkeypatch.setattr(progress.Moving, "__call__", append)
    with pytest.raises(InputInvalid, match="changed each time while it was read"):
        task.upload_artifact("log", file.parent / pattern)
    assert file.stat().st_size < 100 * MEBIBYTE


@pytest.mark.parametrize("pattern", ["", "*.txt"])
def test_files_that_come_and_go_in_a_folder_are_noticed(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "stays.txt").write_text("stays")
    calls: list[int] = []

    def write(members: taking.Members, *rest: Any) -> list[tuple[str, int]]:
        calls.append(len(members))
        if len(calls) == 1:
            (folder / "new.txt").write_text("new")
        elif len(calls) == 2:
            (folder / "new.txt").unlink()
        return archives.write_archive(members, *rest)

    monkeypatch.setattr(taking, "write_archive", write)
    task.upload_artifact("folder", folder / pattern)
    assert calls == [1, 2, 1]
    assert [path.name for path in task.artifacts["folder"].get().iterdir()] == ["stays.txt"]


def test_a_change_within_a_tick_of_the_clock_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    blobs = Blobs(tmp_path / "home")
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            path.write_bytes(b"%08d" % number * 1000)

    path.write_bytes(b"00000000" * 1000)
    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(20):
            try:
                digest, _size = taking.take_file(blobs, path)
            except InputInvalid:
                continue
            data = blobs.path(digest).read_bytes()
            assert data == data[:8] * 1000
    finally:
        stop.set()
        thread.join()


def test_a_large_file_passes_the_memory_by_and_shows_how_far_it_is(scripts: Scripts, tmp_path: Path) -> None:
    size = 600 * MEBIBYTE
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(size)
    text = f"""
    import resource
    from eventlog import Task
    from eventlog.sdk import delivery, progress, uploading
    progress._PATIENCE_SECONDS = progress._LINE_SECONDS = 0.0
    task = Task.init("tests/sdk", "large", output_uri="{tmp_path}/out")
    task.upload_artifact("small", {{"a": 1}}, wait_on_upload=True)
    task.flush()
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + {size // 3}, resource.RLIM_INFINITY))
    assert task.upload_artifact("large", "{path}", wait_on_upload=True)
    """
    script = scripts.run(text)
    lines = script.err.splitlines()
    assert any(line.startswith("eventlog: keeping large.bin: ") for line in lines), lines
    assert any(line.startswith("eventlog: uploading large.bin: ") and "629 MB" in line for line in lines)
    (copy,) = tmp_path.rglob("artifacts/large/large.bin")
    assert copy.stat().st_size == size
    (state,) = scripts.states()
    assert state.artifacts["large"].size == size


def test_a_terminal_gets_a_bar_that_is_wiped_off(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(progress, "_is_terminal", lambda: True)
    monkeypatch.setattr(progress, "_write", shown.append)
    monkeypatch.setattr(progress, "_PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(progress, "_BAR_SECONDS", 0.0)
    with progress.moving("uploading a\nb", 4_000_000_000) as one, progress.moving("other", 0):
        one(1_000_000_000)
    assert "uploading a b and 1 more [━━━━━━" in shown[0]
    assert " 25% 1.0 GB of 4.0 GB" in shown[0]
    assert shown[-1] == "\r\x1b[K"
