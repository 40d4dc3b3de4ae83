"""Small file systems of a test's own, and how to fill them."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from torture.full_disks import fill

__all__ = ["fill", "mounted", "read_only"]


@contextlib.contextmanager
def mounted(folder: Path, kind: str, size: int, options: str = "") -> Iterator[Path]:
    """A file system of `size` bytes at a new folder, on a loop device but for tmpfs; or skip the test."""
    folder.mkdir()
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", str(folder)]
    else:
        image = folder.with_suffix(".image")
        image.touch()
        os.truncate(image, size)
        if shutil.which(f"mkfs.{kind}") is None:
            pytest.skip(f"there is no mkfs.{kind}")
        subprocess.run([f"mkfs.{kind}", "-q", *{"ext4": ["-m", "0"]}.get(kind, []), str(image)], check=True)
        command = ["mount", "-o", "loop", str(image), str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip(f"{kind} cannot be mounted here")
    try:
        yield folder
    finally:
        # Lazily: a process that was killed a moment ago may still hold it.
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder cannot be written: mounted so, or, for who is not root, without the right."""
    if os.getuid() == 0:
        if subprocess.run(["mount", "--bind", str(folder), str(folder)], capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            yield
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    try:
        for path in paths:
            path.chmod(modes[path] & ~0o222)
        yield
    finally:
        for path in paths:
            path.chmod(modes[path])
