"""A file system is synced as a whole only where that is as good as each file by itself, and no slower."""

import os
from pathlib import Path

import pytest

from eventlog import whole_sync
from eventlog.hosts import file_system_type
from eventlog.whole_sync import MOST_OF_OTHERS, WholeSync
from tests.eventlog.disks import mounted
from tests.eventlog.syncing import sync_as


def test_it_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync_as("whole", monkeypatch)
    whole = WholeSync(tmp_path)
    (tmp_path / "file").write_bytes(b"data")
    assert whole.sync(4)
    whole.close()
    assert not whole.sync(4)


def test_what_others_have_written_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync_as("whole", monkeypatch)
    monkeypatch.setattr(whole_sync, "MOST_OF_OTHERS", MOST_OF_OTHERS)
    memory = tmp_path / "meminfo"
    monkeypatch.setattr(whole_sync, "MEMORY", str(memory))
    whole = WholeSync(tmp_path)
    for dirty, writing, own, expected in (
        (60 << 10, 3 << 10, 0, True),
        (60 << 10, 5 << 10, 0, False),
        (60 << 10, 5 << 10, 1 << 20, True),
        (9 << 20, 0, 1 << 20, False),
    ):
        memory.write_text(
            f"MemTotal: 1 kB\nDirty: {dirty} kB\nWriteback: {writing} kB\nWritebackTmp: 9999999 kB\n"
        )
        assert whole.sync(own) == expected
    for text in ("", "Dirty: 0 kB\n", "Dirty: none\nWriteback: 0 kB\n"):
        memory.write_text(text)
        assert not whole.sync(0)
    memory.unlink()
    assert not whole.sync(0)
    whole.close()


def test_what_cannot_be_synced_as_a_whole_is_left_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_sync, "MOST_OF_OTHERS", 1 << 60)
    with mounted(tmp_path / "disk", "tmpfs", 1 << 20) as disk:
        assert file_system_type(disk) == "tmpfs"
        whole = WholeSync(disk)
        assert not whole.sync(0)
        whole.close()


@pytest.mark.parametrize(
    ("release", "expected"), [("5.7.19", False), ("5.8", True), ("6.1.0-32-amd64", True), ("new", False)]
)
def test_kernels_that_tell_of_no_errors_are_not_asked(
    release: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_as("whole", monkeypatch)
    names = list(os.uname())
    names[2] = release
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(names))
    assert (whole_sync._syncfs.__wrapped__() is not None) == expected
