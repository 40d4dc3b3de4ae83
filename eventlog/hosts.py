"""The home as several hosts see it: on a network file system each host has a store of its own in it.

LMDB keeps its locks in memory that its processes share, and two hosts share none. So where the home is on a
file system that other hosts may have too, a host's store is ``hosts/<host>`` in it, and all of them meet at
the remote ``shared`` beside them.
"""

import os
import platform
import sys
from pathlib import Path

__all__ = [
    "HOSTS",
    "SHARED",
    "file_system_type",
    "home_around",
    "host",
    "host_folder",
    "is_on_network",
    "shared_remote",
]

HOSTS = "hosts"
SHARED = "shared"
VARIABLE = "EVENTLOG_HOST"
MOUNTS = "/proc/self/mountinfo"
# As the kernels call them. Of what is mounted through FUSE, those that reach beyond the machine.
# fmt: off
NETWORK_FILE_SYSTEMS = frozenset({
    "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "gfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb2", "smb3",
    "smbfs", "vxfs", "wekafs",
    "fuse.beegfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.cephfs", "fuse.gcsfuse", "fuse.glusterfs",
    "fuse.juicefs", "fuse.lizardfs", "fuse.mfs", "fuse.moosefs", "fuse.rclone", "fuse.s3fs",
    "fuse.seaweedfs", "fuse.sshfs",
})
# fmt: on
_HAS_MOUNTINFO = sys.platform in ("linux", "android")
_MARK_DIGITS = 8
_LONGEST_NAME = 60


def host() -> str:
    """The name of this host: ``EVENTLOG_HOST``, or what the system calls it."""
    return os.environ.get(VARIABLE) or platform.node()


def host_folder(home: Path) -> Path:
    """The folder of this host's store in a home that hosts share; its name cannot be another host's."""
    import hashlib

    given = os.environ.get(VARIABLE, "")
    # Containers and the nodes of a cluster may have been made from one image, and some have one name.
    identity = given or f"{platform.node()}\n{_machine_id()}"
    mark = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:_MARK_DIGITS]
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "_" for one in host())
    return home / HOSTS / f"{plain[:_LONGEST_NAME].lstrip('.') or 'host'}-{mark}"


def home_around(store_home: Path) -> Path:
    """The home that a host's store is in; the folder itself where it is no host's."""
    name, dash, mark = store_home.name.rpartition("-")
    is_host = (
        store_home.parent.name == HOSTS
        and name != ""
        and dash != ""
        and len(mark) == _MARK_DIGITS
        and all(one in "0123456789abcdef" for one in mark)
    )
    return store_home.parent.parent if is_host else store_home


def shared_remote(store_home: Path) -> Path | None:
    """The remote at which a host's store meets those of the other hosts; None where it is no host's."""
    home = home_around(store_home)
    return None if home is store_home else home / SHARED


def is_on_network(folder: Path) -> bool:
    """Whether a folder, which need not be there yet, is on a file system that other hosts may have too."""
    device = _device(folder)
    if _HAS_MOUNTINFO:
        # Only a disk has a driver's number, and asking so costs two microseconds.
        if device is None or os.major(device):
            return False
        return _type_of_device(f"{os.major(device)}:{os.minor(device)}") in NETWORK_FILE_SYSTEMS
    return _type_of_folder(folder) in NETWORK_FILE_SYSTEMS


def file_system_type(folder: Path) -> str:
    """What the kernel calls the file system that a folder is on; "" where that cannot be told."""
    device = _device(folder)
    if not _HAS_MOUNTINFO or device is None:
        return ""
    return _type_of_device(f"{os.major(device)}:{os.minor(device)}")


def _device(folder: Path) -> int | None:
    for path in (folder, *folder.parents):
        try:
            return path.stat().st_dev
        except OSError:
            continue
    return None


def _type_of_device(number: str) -> str:
    """The type of the mounted file system with a device's number, or ""; see proc_pid_mountinfo(5)."""
    try:
        with open(MOUNTS, errors="surrogateescape") as file:
            for line in file:
                place, _, rest = line.partition(" - ")
                if place.split()[2] == number:
                    return rest.partition(" ")[0]
    except (OSError, IndexError):
        pass
    return ""


def _type_of_folder(folder: Path) -> str:
    """The type of the file system that is mounted nearest above a folder, or ""."""
    import psutil  # costs milliseconds, and Linux answers without it

    path = Path(os.path.realpath(folder))
    mounts = {one.mountpoint: one.fstype for one in psutil.disk_partitions(all=True)}
    for above in (path, *path.parents):
        if str(above) in mounts:
            return str(mounts[str(above)])
    return ""


def _machine_id() -> str:
    try:
        with open("/etc/machine-id") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""
