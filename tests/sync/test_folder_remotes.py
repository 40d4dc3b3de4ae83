"""A folder as a remote: it may go away at any moment, and links in it may lead anywhere."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog.errors import RemoteInvalid, RemoteUnreachable
from eventlog.sync import Progress, Remote, push, synchronise
from tests.sync.machines import Machine

Machines = Callable[[str], Machine]


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("is_empty_there", [True, False])
@pytest.mark.parametrize("way", [push, synchronise])
def test_a_stick_that_is_pulled_out_meanwhile_gets_nothing_put_in_its_place(
    machine: Machines, tmp_path: Path, way: object, is_empty_there: bool
) -> None:
    stick = tmp_path / "stick"
    laptop, other = machine("laptop"), machine("other")
    other.upload(b"there")
    assert push(other.store, stick).problems == []
    laptop.train()
    laptop.upload(b"mine" * 100)
    pulled_out = []

    def progress(_: Progress) -> None:
        if not pulled_out:
            pulled_out.append(stick.rename(tmp_path / "elsewhere"))
            if is_empty_there:
                stick.mkdir()

    with pytest.raises((RemoteUnreachable, RemoteInvalid)):
        way(laptop.store, stick, progress)  # type: ignore[operator]
    assert pulled_out
    assert not stick.exists() or contents(stick) == set()


@pytest.mark.parametrize("name", ["stores", "blobs", "temporary"])
def test_a_link_in_a_remote_is_not_followed(machine: Machines, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    old = victim / ("a" * 32)
    old.write_bytes(b"mine")
    os.utime(old, (1, 1))
    remote = tmp_path / "remote"
    Remote(remote).prepare()
    if (remote / name).exists():
        (remote / name).rmdir()
    (remote / name).symlink_to(victim)
    laptop = machine("laptop")
    laptop.upload(b"bytes")
    with pytest.raises(RemoteInvalid, match="link"):
        push(laptop.store, remote)
    assert contents(victim) == {"a" * 32}
    (remote / name).unlink()
    assert push(laptop.store, remote).problems == []


@pytest.mark.parametrize("whole", [0, 2], ids=["at once", "in the middle"])
def test_a_copy_that_the_kernel_breaks_off_goes_on_without_it(
    machine: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    laptop = machine("laptop")
    data = os.urandom(5 << 20)
    digest = laptop.upload(data)
    calls = 0
    copy = os.copy_file_range

    def break_off(*arguments: int) -> int:
        nonlocal calls
        calls += 1
        if calls > whole:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return copy(*arguments)

    monkeypatch.setattr(os, "copy_file_range", break_off)
    told: list[Progress] = []
    assert push(laptop.store, tmp_path / "remote", told.append).problems == []
    assert calls == whole + 1
    assert (tmp_path / "remote" / "blobs" / digest[:2] / digest).read_bytes() == data
    assert told[-1].bytes == told[-1].bytes_total


def test_a_name_too_long_for_any_file_is_told_like_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RemoteUnreachable, match="File name too long"):
        Remote(str(tmp_path / ("x" * 5000))).require()
