"""What the figures were measured on."""

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path

__all__ = ["describe_machine"]


def describe_machine(scratch: Path) -> dict[str, str]:
    """The facts that a figure means nothing without, as text by name.

    Args:
        scratch: the folder whose file system the stores lie on.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0]
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {cores} cores, load {load:.1f} at the start",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "file system": f"{_file_system(scratch)} at {scratch}",
        "packages": ", ".join(
            f"{name} {version(name)}" for name in ("eventlog", "lmdb", "msgspec", "pyarrow")
        ),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that a folder lies on, such as "ext4"."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "an unknown file system"
    folder = folder.resolve()
    above = [fields for fields in mounts if folder.is_relative_to(fields[1])]
    return max(above, key=lambda fields: len(fields[1]))[2] if above else "an unknown file system"
