"""Blobs: whole or not there, named by what they hold, from any number of processes."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.blobs import Blobs, BlobWriter
from eventlog.errors import BlobMissing, DataCorrupt, InputInvalid, StoreFull, StoreReadOnly
from eventlog.partial_file import SWEEP_AGE_SECONDS, sweep_temporary

DEADLINE_SECONDS = 60


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


@pytest.fixture
def blobs(home: Path) -> Blobs:
    home.mkdir(mode=0o700)
    return Blobs(home)


@pytest.mark.parametrize("size", [0, 1, 1 << 18, 3_000_000])
def test_bytes_come_back_under_their_sha256(blobs: Blobs, size: int) -> None:
    data = random.Random(size).randbytes(size)
    digest = blobs.put_bytes(data)
    assert digest == sha256(data)
    assert blobs.path(digest).read_bytes() == data
    assert digest in blobs
    assert list(blobs) == [digest]


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, 5_000_000])
def test_a_file_comes_back_under_its_sha256_and_progress_ends_at_its_size(
    blobs: Blobs, tmp_path: Path, size: int
) -> None:
    data = random.Random(size).randbytes(size)
    (tmp_path / "model.bin").write_bytes(data)
    done: list[int] = []
    assert blobs.put_file(tmp_path / "model.bin", done.append) == (sha256(data), size)
    assert blobs.path(sha256(data)).read_bytes() == data
    assert done == sorted(done)
    assert done[-1:] == ([size] if size else [])


def test_a_blob_is_private_and_cannot_be_written(blobs: Blobs) -> None:
    path = blobs.path(blobs.put_bytes(b"weights"))
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.name == path.name[:2]


def test_putting_the_same_bytes_again_keeps_the_file_that_is_there(blobs: Blobs, tmp_path: Path) -> None:
    digest = blobs.put_bytes(b"weights")
    before = blobs.path(digest).stat()
    (tmp_path / "file").write_bytes(b"weights")
    assert blobs.put_bytes(b"weights") == digest
    assert blobs.put_file(tmp_path / "file") == (digest, 7)
    assert blobs.path(digest).stat().st_ino == before.st_ino
    assert files_in(blobs.temporary) == []


def test_putting_a_truncated_blob_again_mends_it(blobs: Blobs) -> None:
    path = blobs.path(blobs.put_bytes(b"weights"))
    path.chmod(0o600)
    path.write_bytes(b"wei")
    blobs.put_bytes(b"weights")
    assert path.read_bytes() == b"weights"


def test_what_is_kept_agrees_with_its_hash_though_the_source_changes_meanwhile(
    blobs: Blobs, tmp_path: Path
) -> None:
    source = tmp_path / "growing"
    source.write_bytes(bytes(40 << 20))
    stop = threading.Event()

    def scribble() -> None:
        with source.open("r+b") as file:
            while not stop.is_set():
                file.seek(random.randrange(40 << 20))
                file.write(os.urandom(100))
                file.flush()

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        for _ in range(5):
            digest, size = blobs.put_file(source)
            data = blobs.path(digest).read_bytes()
            assert (sha256(data), len(data)) == (digest, size)
    finally:
        stop.set()
        thread.join()


def test_eight_processes_put_the_same_bytes_at_once(blobs: Blobs) -> None:
    program = """
        import random, sys
        from pathlib import Path
        from eventlog.blobs import Blobs
        blobs = Blobs(Path(sys.argv[1]))
        for seed in range(30):
            blobs.put_bytes(random.Random(seed).randbytes(50_000))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(blobs.home)]
    children = [subprocess.Popen(command) for _ in range(8)]
    assert [child.wait(DEADLINE_SECONDS) for child in children] == [0] * 8
    expected = sorted(sha256(random.Random(seed).randbytes(50_000)) for seed in range(30))
    assert list(blobs) == expected
    assert all(sha256(blobs.path(digest).read_bytes()) == digest for digest in expected)
    assert files_in(blobs.temporary) == []


def test_a_process_killed_while_putting_leaves_no_half_blob(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(20 << 20))
    program = """
        import sys
        from pathlib import Path
        from eventlog.blobs import Blobs
        def report(done):
            print(done, flush=True)
        Blobs(Path(sys.argv[1])).put_file(Path(sys.argv[2]), report)
    """
    for pieces in (1, 7, 19):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program), str(blobs.home), str(source)],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        for _ in range(pieces):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait(DEADLINE_SECONDS)
        child.stdout.close()
        assert all(sha256(path.read_bytes()) == path.name for path in files_in(blobs.folder))
    for path in files_in(blobs.folder):
        path.unlink()
    assert blobs.put_file(source)[0] == sha256(source.read_bytes())


def test_leftovers_older_than_a_day_are_swept_and_younger_ones_stay(blobs: Blobs) -> None:
    blobs.temporary.mkdir()
    old = time.time() - SWEEP_AGE_SECONDS - 60
    (blobs.temporary / "young").write_bytes(b"being written")
    (blobs.temporary / "old").write_bytes(b"left behind")
    (blobs.temporary / "folder").mkdir()
    (blobs.temporary / "folder" / "file").write_bytes(b"left behind")
    (blobs.temporary / "link").symlink_to(blobs.home)
    for name in ("old", "folder", "link"):
        os.utime(blobs.temporary / name, (old, old), follow_symlinks=False)
    assert sweep_temporary(blobs.home) == 3
    assert [path.name for path in blobs.temporary.iterdir()] == ["young"]
    assert blobs.home.is_dir()


@pytest.mark.parametrize("expected", [None, sha256(b"whole")], ids=["new", "gone on with"])
def test_what_is_written_is_not_swept_however_old_it_seems(blobs: Blobs, expected: str | None) -> None:
    # A laptop slept, or its clock was set.
    with blobs.writer(expected=expected, resumable=expected is not None) as writer:
        writer.write(b"whole")
        for path in blobs.temporary.iterdir():
            os.utime(path, (0, 0))
        assert sweep_temporary(blobs.home) == 0
    assert writer.digest == sha256(b"whole")
    assert writer.digest in blobs
    assert not list(blobs.temporary.iterdir())


def test_sweeping_a_store_without_leftovers_does_nothing(home: Path) -> None:
    assert sweep_temporary(home) == 0
    assert not home.exists()


def test_a_full_disk_says_what_to_do_and_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(3 << 20))
    program = """
        import resource, sys
        from pathlib import Path
        from eventlog.blobs import Blobs
        from eventlog.errors import StoreFull
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
        blobs = Blobs(Path(sys.argv[1]))
        for put in (lambda: blobs.put_file(Path(sys.argv[2])), lambda: blobs.put_bytes(bytes(3 << 20))):
            try:
                put()
            except StoreFull as error:
                print(error)
    """
    result = run(program, blobs.home, tmp_path / "source")
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert all("free some space" in line and str(blobs.home) in line for line in lines)
    assert files_in(blobs.home) == []
    assert blobs.put_file(tmp_path / "source")[1] == 3 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB of its own, where there is the right to mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_file_system_says_what_to_do_and_leaves_nothing(small_disk: Path) -> None:
    blobs = Blobs(small_disk)
    with pytest.raises(StoreFull, match="free some space"):
        blobs.put_bytes(os.urandom(3 << 20))
    assert files_in(small_disk) == []
    assert blobs.put_bytes(b"small") in blobs


def test_a_read_only_file_system_says_what_to_do_and_can_be_read(small_disk: Path) -> None:
    blobs = Blobs(small_disk)
    digest = blobs.put_bytes(b"weights")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreReadOnly, match=r"cannot be written.*EVENTLOG_HOME"):
        blobs.put_bytes(b"more")
    assert blobs.put_bytes(b"weights") == digest
    assert blobs.path(digest).read_bytes() == b"weights"
    assert sweep_temporary(small_disk) == 0


@pytest.mark.skipif(os.getuid() == 0, reason="rights do not bind root")
def test_a_store_without_the_right_to_write_says_what_to_do(blobs: Blobs) -> None:
    blobs.put_bytes(b"weights")
    blobs.temporary.chmod(0o500)
    with pytest.raises(StoreReadOnly, match=r"cannot be written.*EVENTLOG_HOME"):
        blobs.put_bytes(b"more")
    blobs.temporary.chmod(0o700)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../../etc/passwd", "a" * 63, "a" * 65, "A" * 64, "a" * 63 + "/", "ab/" + "a" * 61, "é" * 64],
)
def test_names_that_are_no_digest_never_become_paths(blobs: Blobs, name: str) -> None:
    assert name not in blobs
    with pytest.raises(BlobMissing):
        blobs.path(name)


def test_a_blob_that_is_not_here_says_where_to_get_it(blobs: Blobs) -> None:
    with pytest.raises(BlobMissing, match="pull it from a remote"):
        blobs.path("ab" * 32)


def test_files_that_are_not_blobs_are_not_listed(blobs: Blobs) -> None:
    digest = blobs.put_bytes(b"weights")
    (blobs.folder / "README").write_text("hello")
    (blobs.folder / digest[:2] / "notes.txt").write_text("hello")
    (blobs.folder / "zz").mkdir()
    (blobs.folder / "zz" / digest).write_text("hello")
    assert list(blobs) == [digest]


def test_what_is_not_a_readable_file_is_refused_in_one_line(blobs: Blobs, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "fifo", Path(os.devnull)):
        with pytest.raises(InputInvalid, match="give an existing file") as caught:
            blobs.put_file(path)
        assert "\n" not in str(caught.value)
    assert files_in(blobs.home) == []


def test_a_writer_keeps_nothing_when_its_block_fails(blobs: Blobs) -> None:
    def write_some(writer: BlobWriter) -> None:
        writer.write(bytes(1 << 20))
        raise KeyError

    with pytest.raises(KeyError), blobs.writer() as writer:
        write_some(writer)
    assert files_in(blobs.home) == []


def test_a_writer_throws_away_bytes_that_are_not_those_expected(blobs: Blobs) -> None:
    with pytest.raises(DataCorrupt, match="fetch them again"):
        with blobs.writer(expected=sha256(b"right")) as writer:
            writer.write(b"wrong")
    assert files_in(blobs.home) == []
    with blobs.writer(expected=sha256(b"right")) as writer:
        writer.write(b"ri")
        writer.write(bytearray(b"ght"))
    assert (writer.digest, writer.size) == (sha256(b"right"), 5)
    assert blobs.path(writer.digest).read_bytes() == b"right"


def test_a_fetched_file_becomes_a_blob_only_with_the_right_hash(blobs: Blobs) -> None:
    blobs.temporary.mkdir()
    fetched = blobs.temporary / "fetched"
    fetched.write_bytes(b"weights")
    with pytest.raises(DataCorrupt):
        blobs.admit_file(fetched, sha256(b"other"))
    assert list(blobs) == []
    blobs.admit_file(fetched, sha256(b"weights"))
    assert not fetched.exists()
    assert blobs.path(sha256(b"weights")).read_bytes() == b"weights"


def test_a_large_file_does_not_pass_through_memory(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(300 << 20)
    program = """
        import resource, sys
        from pathlib import Path
        from eventlog.blobs import Blobs
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        Blobs(Path(sys.argv[1])).put_file(Path(sys.argv[2]))
        print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    """
    result = run(program, blobs.home, source)
    assert result.stderr == ""
    assert int(result.stdout) < 64 << 20


def test_a_blob_can_be_put_while_the_interpreter_ends(blobs: Blobs) -> None:
    program = """
        import atexit, sys
        from pathlib import Path
        from eventlog.blobs import Blobs
        atexit.register(lambda: print(Blobs(Path(sys.argv[1])).put_bytes(bytes(3 << 20))))
    """
    result = run(program, blobs.home)
    assert (result.stdout.strip(), result.stderr) == (sha256(bytes(3 << 20)), "")


def test_reprs_say_what_they_are(blobs: Blobs) -> None:
    with blobs.writer() as writer:
        writer.write(b"weights")
        assert repr(writer) == "<BlobWriter open: 7 bytes>"
    assert repr(writer) == f"<BlobWriter {sha256(b'weights')}: 7 bytes>"
    assert repr(blobs) == f"<Blobs at {blobs.home}/blobs>"
