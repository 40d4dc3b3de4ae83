"""A file that a command writes is there whole or not at all, and errors name it as it was asked for."""

import errno
from pathlib import Path

import pytest

from eventlog.cli.written_files import written_whole
from eventlog.errors import InputInvalid
from tests.cli.running import Run

every_command = pytest.mark.parametrize(
    "command",
    [
        ("head", "-o"),
        ("audit", "digits/baseline", "--format", "md", "-o"),
        ("artifacts", "digits/baseline", "model", "-o"),
        ("scalars", "digits/baseline", "--parquet"),
        ("bundle", "create"),
    ],
    ids=lambda command: command[0],
)


@every_command
def test_a_file_that_is_there_is_replaced_only_by_force(
    eventlog: Run, tasks: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    done = eventlog(*command, str(path))
    assert (done.code, path.read_text()) == (1, "mine")
    assert done.err == f"eventlog: {path} is there already: name another file, or replace it with --force\n"
    done = eventlog(*command, str(path), "--force")
    assert (done.code, done.err) == (0, "")
    assert path.read_bytes() != b"mine"


@every_command
def test_a_folder_that_is_not_there_is_named_with_what_to_do(
    eventlog: Run, tasks: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = eventlog(*command, str(tmp_path / "nowhere" / "file"))
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert str(tmp_path / "nowhere") in done.err
    assert "make it, or" in done.err
    assert "/." not in done.err


@every_command
def test_no_file_becomes_a_part_of_a_store_or_of_a_remote(
    eventlog: Run, tasks: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    remote = tmp_path / "remote"
    assert eventlog("sync", str(remote), "--push", "--new").code == 0
    (segment,) = remote.glob("stores/*/*.segment")
    link = tmp_path / "link"
    link.symlink_to(tasks / "log")
    log, marker = tasks / "log" / "data.mdb", remote / "eventlog-remote"
    for path in (log, link / "data.mdb", tasks / "blobs" / "ab" / "new", segment, marker):
        before = path.read_bytes() if path.exists() else None
        for force in ([], ["--force"]):
            done = eventlog(*command, str(path), *force)
            assert (done.code, done.err.count("\n")) == (1, 1)
            assert (path.read_bytes() if path.exists() else None) == before
        assert "name a file elsewhere" in done.err
    assert eventlog("verify").code == eventlog("verify", str(remote)).code == 0
    # Beside them it may lie.
    assert eventlog(*command, str(remote / "kept")).code == 0


def test_an_empty_name_is_refused_in_one_line(eventlog: Run, tasks: Path) -> None:
    done = eventlog("head", "-o", "")
    assert (done.code, done.err.count("\n")) == (1, 1)


def test_what_came_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def write_beside_another() -> None:
        with written_whole(path, force=False) as temporary:
            temporary.write_text("ours")
            path.write_text("theirs")

    with pytest.raises(InputInvalid, match="is there already"):
        write_beside_another()
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_on_the_way_is_told_of_the_file_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def break_off() -> None:
        with written_whole(path, force=True) as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "full", str(temporary))

    with pytest.raises(InputInvalid) as failed:
        break_off()
    assert str(failed.value).startswith(f"{path} cannot be written (No space left on device): ")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError, match="source"), written_whole(path, force=True):
        (tmp_path / "source").read_bytes()
