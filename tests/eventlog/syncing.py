"""Having groups of files synced in a chosen manner, whatever the file system is and others write."""

import pytest

from eventlog import whole_sync

__all__ = ["sync_as"]


def sync_as(manner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have groups of files synced ``"each"`` by itself, or with the ``"whole"`` of the file system."""
    if manner == "whole" and whole_sync._syncfs() is None:
        pytest.skip("syncfs(2) is not there, or tells of no errors")
    monkeypatch.setattr(whole_sync, "file_system_type", lambda _: "ext4" if manner == "whole" else "")
    monkeypatch.setattr(whole_sync, "MOST_OF_OTHERS", 1 << 60)
