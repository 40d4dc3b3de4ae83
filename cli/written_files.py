"""Files that a command writes: whole, or not at all, and in the place of another only by force."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click

from eventlog.errors import EventlogError, InputInvalid
from eventlog.home import is_there

__all__ = ["force_option", "refuse_taken", "write_synced", "write_whole", "written_whole"]

# As docs/FORMAT.md has them.
STORE_FOLDERS = frozenset({"log", "journals", "blobs", "absent", "views", "temporary"})
REMOTE_FOLDERS = frozenset({"stores", "blobs", "absent", "temporary"})

force_option = click.option("--force", "-f", is_flag=True, help="Replace a file that is there.")


def refuse_taken(path: Path, *, force: bool) -> None:
    """Make sure, before any work is done for it, that a file can be written and none is replaced unasked.

    Args:
        force: a file that is there may be replaced; a pipe, a device or a folder never is.

    Raises:
        InputInvalid: there is something; or no folder to write it to; or it would be a part of a store or a
            remote.
    """
    if path.exists() and not path.is_file():
        raise InputInvalid(f"{path} is no plain file, and is not replaced: name another one")
    if os.path.lexists(path) and not force:
        raise InputInvalid(f"{path} is there already: name another file, or replace it with --force")
    folder = path.absolute().parent
    if (copy := _copy_around(path.resolve())) is not None:
        raise InputInvalid(f"{path} would be a part of {copy}, which is eventlog's: name a file elsewhere")
    if not folder.is_dir():
        raise InputInvalid(
            f"{path} cannot be written, as there is no folder {folder}: make it, or name another file"
        )


def _copy_around(path: Path) -> Path | None:
    """The store or the remote that a file would be a part of, since it lies in one of its own folders."""
    for inner, outer in pairwise(path.parents):
        is_store = inner.name in STORE_FOLDERS and is_there(outer)
        is_remote = inner.name in REMOTE_FOLDERS and (outer / "eventlog-remote").exists()
        if is_store or is_remote:
            return outer
    is_marker = path.name == "eventlog-remote" and path.exists()
    return path.parent if is_marker else None


def write_whole(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file; it is there once all of it is on the disk.

    Raises:
        InputInvalid: as of `written_whole`.
    """
    with written_whole(path, force=force) as temporary:
        write_synced(temporary, content)


def write_synced(path: Path, content: bytes) -> None:
    """Write a file that is not there, and return once it is on the disk."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def written_whole(path: Path, *, force: bool) -> Iterator[Path]:
    """A block that writes a file under another name beside it, which takes its place at the end.

    Raises:
        InputInvalid: as of `refuse_taken`, looked at before the block and after it; or it cannot be written.
            What was there is still there.
    """
    refuse_taken(path, force=force)
    temporary = path.absolute().parent / f".eventlog-{secrets.token_hex(8)}"
    try:
        yield temporary
        refuse_taken(path, force=force)
        temporary.replace(path)
    except EventlogError:
        raise
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            # Of a file that was read.
            raise
        why = os.strerror(error.errno) if error.errno else str(error)
        raise InputInvalid(
            f"{path} cannot be written ({why}): check the rights and the room there, or name another file"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
