"""The limit of moving bytes: cp of the same file; where it must outlast a power cut, cp and sync."""

import subprocess
from pathlib import Path

NAME = "cp"
LIMIT = True
REQUIREMENTS: tuple[str, ...] = ()
DISTRIBUTION = ""
IMPORT = ""
CANNOT = dict.fromkeys(("start", "scalars", "read", "tasks"), "copies files")


def settle(folder: Path) -> None:
    pass


def begin(folder: Path, name: str) -> Path:
    (folder / "kept").mkdir()
    return folder / "kept"


def finish(run: Path) -> None:
    pass


def put_file(run: Path, path: Path) -> None:
    subprocess.run(["cp", path, run], check=True)


def get_file(folder: Path, name: str, target: Path) -> Path:
    subprocess.run(["cp", folder / "kept" / "artifact.bin", target], check=True)
    return target / "artifact.bin"


def sync_files(folder: Path, remote: Path) -> None:
    subprocess.run(["cp", "-r", folder / "kept", remote], check=True)
    subprocess.run(["sync", "-f", remote], check=True)
