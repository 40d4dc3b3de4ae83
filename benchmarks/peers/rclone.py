"""rclone, which moves files to wherever they should be, and sync."""

import shutil
import subprocess
from pathlib import Path

NAME = "rclone"
LIMIT = True
REQUIREMENTS: tuple[str, ...] = ()
DISTRIBUTION = ""
IMPORT = ""
CANNOT = dict.fromkeys(("start", "scalars", "read", "tasks", "artifacts"), "moves files")
if not shutil.which("rclone"):
    CANNOT["sync"] = "rclone is not installed"


def settle(folder: Path) -> None:
    pass


def begin(folder: Path, name: str) -> Path:
    (folder / "kept").mkdir()
    return folder / "kept"


def finish(run: Path) -> None:
    pass


def put_file(run: Path, path: Path) -> None:
    shutil.copy(path, run)


def sync_files(folder: Path, remote: Path) -> None:
    subprocess.run(["rclone", "--config", "/dev/null", "copy", folder / "kept", remote], check=True)
    subprocess.run(["sync", "-f", remote], check=True)
